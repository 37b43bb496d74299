//! Writes the report into the README, between two markers, and leaves the rest unchanged.

use std::fs;
use std::path::Path;

use crate::failure::Failure;

const BEGIN: &str = "<!-- peers:begin -->";
const END: &str = "<!-- peers:end -->";

/// Replaces the text between the markers of that file.
///
/// # Errors
///
/// The file cannot be read or written, or has no markers.
pub(crate) fn update(path: &Path, report: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let missing = || Failure::file(path, format!("no place between {BEGIN} and {END}"));
    let updated = between_markers(&text, report).ok_or_else(missing)?;
    fs::write(path, updated).map_err(|error| Failure::file(path, error))
}

fn between_markers(text: &str, report: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", report.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced_and_twice_is_once() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let once = between_markers(&text, "new\n").expect("markers");
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(between_markers(&once, "new\n"), Some(once));
        assert_eq!(between_markers("a\nb\n", "new"), None);
    }
}
