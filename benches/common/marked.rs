//! Writes a report into a page, between two markers, and leaves the rest unchanged.

use std::fs;
use std::path::Path;

/// Replaces the text between the markers `<!-- NAME:begin -->` and `<!-- NAME:end -->` of a file.
///
/// # Errors
///
/// The file cannot be read or written, or has no such markers. The error names the file.
pub(crate) fn update(path: &Path, name: &str, report: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(failed)?;
    let missing = || format!("{}: no place between the markers {name}:begin and {name}:end", path.display());
    let updated = between_markers(&text, name, report).ok_or_else(missing)?;
    fs::write(path, updated).map_err(failed)
}

fn between_markers(text: &str, name: &str, report: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->"), format!("<!-- {name}:end -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n\n{}\n\n{end}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced_and_twice_is_once() {
        let text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        let once = between_markers(text, "x", "new\n").expect("markers");
        assert_eq!(once, "a\n<!-- x:begin -->\n\nnew\n\n<!-- x:end -->\nb\n");
        assert_eq!(between_markers(&once, "x", "new\n"), Some(once));
        assert_eq!(between_markers("a\nb\n", "x", "new"), None);
        assert_eq!(between_markers(text, "y", "new"), None);
    }
}
