//! Words that comments, texts and names do without, and beginnings that doc comments do not have. CONTRIBUTING.md has the rules.

use std::fs;
use std::path::Path;

/// Each of these hides an actor, or is not how English is written today. In two parts, so that this file has none of them.
const WORDS: [(&str, &str); 8] = [
    ("who", "ever"),
    ("no", "body"),
    ("some", "body"),
    ("any", "body"),
    ("every", "body"),
    ("for want", " of"),
    ("sha", "ll"),
    ("for", " ever"),
];

/// A doc comment begins with a verb or a noun phrase, and so with none of these.
const BEGINNINGS: [&str; 4] = ["What", "Of", "The same", "As above"];

/// All Rust files, shell scripts and pages of the repository.
fn files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches", ".ci", "profiles"] {
        collect(Path::new(folder), &mut files);
    }
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] {
        files.push((page.to_owned(), fs::read_to_string(page).unwrap()));
    }
    assert!(files.len() > 200, "{} files", files.len());
    assert!(files.iter().filter(|(name, _)| name.ends_with(".md")).count() > 15);
    files
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().to_owned();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, files);
            }
        } else if [".rs", ".sh", ".md"].iter().any(|end| name.ends_with(end)) || name == ".ci/run" {
            files.push((name, fs::read_to_string(path).unwrap()));
        }
    }
}

/// Whether a line has a word with no letter before or after it. Underscores in names are no letters.
fn has_word(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    line.match_indices(word).any(|(at, _)| {
        !is_letter(line[..at].chars().next_back()) && !is_letter(line[at + word.len()..].chars().next())
    })
}

/// The first lines of doc comments that begin as they must not.
fn wrong_beginnings(text: &str) -> Vec<&str> {
    let words_of = |line: &'_ str| {
        let line = line.trim_start();
        line.strip_prefix("///").or(line.strip_prefix("//!")).map(|words| words.trim_start().to_owned())
    };
    let is_wrong = |words: String| {
        let rest = BEGINNINGS.iter().find_map(|beginning| words.strip_prefix(beginning));
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let before = [""].into_iter().chain(text.lines());
    let first_lines = text.lines().zip(before).filter(|(_, before)| words_of(before).is_none());
    first_lines.map(|(line, _)| line).filter(|line| words_of(line).is_some_and(is_wrong)).collect()
}

#[test]
fn no_file_has_a_word_that_hides_who_acts() {
    let mut found = Vec::new();
    for (name, text) in files() {
        for (line, number) in text.lines().zip(1..) {
            for (one, other) in WORDS {
                if has_word(line, &format!("{one}{other}")) {
                    found.push(format!("{name}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} lines:\n{}", found.len(), found.join("\n"));
}

#[test]
fn each_doc_comment_begins_with_a_verb_or_a_noun_phrase() {
    let mut found = Vec::new();
    for (name, text) in files().iter().filter(|(name, _)| name.ends_with(".rs")) {
        found.extend(wrong_beginnings(text).into_iter().map(|line| format!("{name}: {}", line.trim())));
    }
    assert!(found.is_empty(), "{} doc comments:\n{}", found.len(), found.join("\n"));
}

#[test]
fn what_the_rules_forbid_is_seen() {
    let word = format!("no{}", "body");
    assert!(has_word(&format!("// {word} waits"), &word));
    assert!(has_word(&format!("fn {word}_waits() {{"), &word));
    assert!(!has_word("// no bodywork", &word));
    assert_eq!(wrong_beginnings("/// Of a slot.\nfn f() {}"), ["/// Of a slot."]);
    assert_eq!(wrong_beginnings("    //! What it does."), ["    //! What it does."]);
    assert!(wrong_beginnings("/// Whatsoever\n/// What is in the second line.\n").is_empty());
    assert!(wrong_beginnings("// What a plain comment begins with.").is_empty());
}
