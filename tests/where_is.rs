//! The tables of ARCHITECTURE.md name files and items: each of them exists.

use std::fs;

const PAGE: &str = "ARCHITECTURE.md";

/// The cells of each row of the table below a heading.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(PAGE).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    })
    .collect()
}

/// Whether a file defines something of this name, or implements a trait of this name.
fn defines(text: &str, item: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "static", "macro_rules!", "mod", "type"]
        .iter()
        .flat_map(|keyword| [" ", "(", "<", ":", ";", "!", "\n"].map(|end| format!("{keyword} {item}{end}")))
        .chain([format!("{item} for "), format!("{keyword} {item}", keyword = "macro_rules!")])
        .any(|definition| text.contains(&definition))
}

#[test]
fn each_file_and_item_that_is_asked_for_exists() {
    let rows = rows("Where is ...?");
    assert!(rows.len() >= 20, "{} questions", rows.len());
    for row in rows {
        let [question, file, item] = &row[..] else { panic!("not three cells: {row:?}") };
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{question}: {file}: {error}"));
        assert!(defines(&text, item), "{question}: {file} has no {item}");
    }
}

#[test]
fn each_word_of_the_glossary_is_defined_in_a_file_that_exists() {
    let rows = rows("Glossary");
    assert!(rows.len() >= 20, "{} words", rows.len());
    for row in rows {
        let [word, _, files] = &row[..] else { panic!("not three cells: {row:?}") };
        let mut folder = String::new();
        for file in files.split("`, `") {
            let path = if file.contains('/') { file.to_owned() } else { format!("{folder}/{file}") };
            assert!(fs::exists(&path).unwrap(), "{word}: {path}");
            path.rsplit_once('/').unwrap().0.clone_into(&mut folder);
        }
    }
}

#[test]
fn what_does_not_exist_is_seen() {
    assert!(!defines("fn spill_older_half() {}", "spill"));
    assert!(defines("    fn spill_older_half(&self) {}", "spill_older_half"));
    assert!(defines("impl fmt::Display for Stats {", "Display"));
}
