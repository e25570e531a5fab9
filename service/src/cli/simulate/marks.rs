//! What is written into a document, between marks.

use std::fs;
use std::path::Path;

use super::super::Failure;

/// The line after the last of what is written.
const END: &str = "<!-- end -->";

/// Puts a text between the line `begin` of a document and the next line that ends such a part.
pub(super) fn write(path: &Path, begin: &str, text: &str) -> Result<(), Failure> {
    let shown = path.display();
    let document = fs::read_to_string(path)
        .map_err(|error| Failure(format!("cannot read {shown}: {error}")))?;
    let written = between(&document, begin, text).ok_or_else(|| {
        Failure(format!(
            "cannot write the table to {shown}: it must have a line {begin:?} and after it a line \
             {END:?}"
        ))
    })?;
    fs::write(path, written).map_err(|error| Failure(format!("cannot write {shown}: {error}")))
}

/// The document with a text between its marks.
pub(super) fn between(document: &str, begin: &str, text: &str) -> Option<String> {
    let (before, rest) = document.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{begin}\n{text}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "<!-- begin: a table -->";

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter {END}\n");
        let written = between(&document, BEGIN, "new").unwrap();
        assert_eq!(
            written,
            format!("before\n{BEGIN}\nnew\n{END}\nafter {END}\n")
        );
        assert_eq!(between(&written, BEGIN, "new").unwrap(), written);
        assert_eq!(between("no marks", BEGIN, "new"), None);
        assert_eq!(between(&format!("{END}{BEGIN}"), BEGIN, "new"), None);
    }
}
