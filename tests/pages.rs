//! The pages of the repository: how large README is, and that every link leads somewhere, in the checkout, in README and in the rendered
//! documentation.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The folder of the rendered documentation, and the address at which it is published.
const RENDERED: &str = "target/doc/framepool";
const PUBLISHED: &str = "https://docs.rs/framepool/latest/framepool/";

/// The one relative path in README.
const PLOT: &str = "benches/results/wild/wild.svg";

/// The targets of all links and pictures on a page, and the anchors of its headings.
fn links_and_anchors(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors, mut heading) = (Vec::new(), BTreeSet::new(), None);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => anchors.extend(heading.take().map(|text| anchor(&text))),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    (links, anchors)
}

/// The anchor that GitHub and rustdoc make of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// All Markdown pages, except those that are only built into the documentation.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for folder in [".", "benches", "examples", "profiles", "tests"] {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    assert!(pages.len() >= 9, "{pages:?}");
    pages
}

/// Returns a link of the checkout that leads nowhere, with its page; `None` if it leads somewhere.
fn broken_in_checkout(page: &Path, link: &str) -> Option<String> {
    if link.starts_with("https://") {
        return None;
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    let is_there = if fragment.is_empty() {
        target.exists()
    } else {
        let text = fs::read_to_string(&target).unwrap_or_default();
        links_and_anchors(&text).1.contains(fragment)
    };
    (!is_there).then(|| format!("{}: {link}", page.display()))
}

#[test]
fn every_link_of_the_checkout_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        broken.extend(links_and_anchors(&text).0.iter().filter_map(|link| broken_in_checkout(&page, link)));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn readme_is_short_and_stands_by_itself() {
    let text = fs::read_to_string("README.md").unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() <= 190, "{} lines", lines.len());
    let long: Vec<_> = lines.iter().filter(|line| line.chars().count() > 120).collect();
    assert!(long.is_empty(), "{long:?}");
    let words = text.split_whitespace().count();
    assert!(words <= 1_700, "{words} words");
    let (links, anchors) = links_and_anchors(&text);
    let leaves = |link: &&String| match link.strip_prefix('#') {
        Some(fragment) => !anchors.contains(fragment),
        None => *link != PLOT && !link.starts_with("https://docs.rs/"),
    };
    let leaving: Vec<_> = links.iter().filter(leaves).collect();
    assert!(leaving.is_empty(), "neither an anchor, nor a page of docs.rs, nor the plot: {leaving:?}");
}

/// The pages that are built into the documentation link only to anchors of their own and to addresses, so that they read the same in both places.
#[test]
fn pages_of_the_documentation_name_files_and_do_not_link_them() {
    for page in ["ARCHITECTURE.md", "SECURITY.md"] {
        let text = fs::read_to_string(page).unwrap();
        let links = links_and_anchors(&text).0;
        let relative: Vec<_> =
            links.iter().filter(|link| !link.starts_with('#') && !link.starts_with("https://")).collect();
        assert!(relative.is_empty(), "{page}: {relative:?}");
    }
}

/// The values of an attribute in a rendered page.
fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let parts = html.split(&format!(" {attribute}=\"") as &str).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|part| part.split('"').next())
}

fn rendered_pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rendered_pages(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.push(path);
        }
    }
}

/// Returns a link of a rendered page that leads nowhere, with its page; `None` if it leads somewhere.
fn broken_when_rendered(page: &Path, link: &str) -> Option<String> {
    let local = link.strip_prefix(PUBLISHED).map(|path| Path::new(RENDERED).join(path));
    if local.is_none() && link.contains("://") {
        return None;
    }
    let link_of = local.as_deref().map_or(link, |path| path.to_str().unwrap());
    let (path, fragment) = link_of.split_once('#').unwrap_or((link_of, ""));
    let target = match (path, local.is_some()) {
        ("", _) => page.to_owned(),
        (path, true) => PathBuf::from(path),
        (path, false) => page.parent().unwrap().join(path),
    };
    // The lines of a source file have no anchors of their own.
    let is_source = target.components().any(|part| part.as_os_str() == "src");
    let is_there = if fragment.is_empty() || is_source {
        target.exists()
    } else {
        let text = fs::read_to_string(&target).unwrap_or_default();
        values(&text, "id").any(|id| id == fragment)
    };
    (!is_there).then(|| format!("{}: {link}", page.display()))
}

#[test]
#[ignore = "needs `cargo doc --no-deps --features full` before it"]
fn every_link_of_the_rendered_documentation_leads_somewhere() {
    let mut pages = Vec::new();
    rendered_pages(Path::new(RENDERED), &mut pages);
    assert!(pages.len() > 60, "{} pages", pages.len());
    let mut broken = Vec::new();
    for page in pages {
        let html = fs::read_to_string(&page).unwrap();
        broken.extend(values(&html, "href").filter_map(|link| broken_when_rendered(&page, link)));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let readme = Path::new("README.md");
    assert!(broken_in_checkout(readme, "#no-such-heading").is_some());
    assert!(broken_in_checkout(readme, "no_such_file.md").is_some());
    assert!(broken_in_checkout(readme, "ARCHITECTURE.md#glossary").is_none());
    assert!(
        broken_when_rendered(Path::new("target/doc/framepool/index.html"), "no_such_page.html").is_some()
    );
    assert_eq!(anchor("Where is ...?"), "where-is-");
    assert_eq!(links_and_anchors("# A `b`\n[c](d#e) `[f](g)`").0, ["d#e"]);
    assert_eq!(values(r#"<a href="x" id="y">"#, "id").collect::<Vec<_>>(), ["y"]);
}
