//! The terminal: how wide it is, and how a text is laid into a width. Colours are written always;
//! `anstream` takes them out where nobody sees them (a pipe, `NO_COLOR`, `TERM=dumb`).

mod progress;

use std::io;

pub(crate) use progress::Progress;
use terminal_size::{Width, terminal_size_of};

/// Columns of what is written to no terminal, and most of a terminal: longer lines read badly.
const MOST_COLUMNS: u16 = 120;

/// Least columns that a table is made for: a narrower terminal breaks its lines.
const LEAST_COLUMNS: u16 = 60;

/// Columns that an answer on standard output is laid out for.
pub(crate) fn columns() -> u16 {
    usable(terminal_size_of(io::stdout()).map(|(Width(columns), _)| columns))
}

fn usable(of_terminal: Option<u16>) -> u16 {
    of_terminal.map_or(MOST_COLUMNS, |columns| {
        columns.clamp(LEAST_COLUMNS, MOST_COLUMNS)
    })
}

/// Breaks a text between words into lines of at most so many columns. A word that is longer is cut.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + letters.len() > columns {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for letter in letters {
            if length == columns {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            line.push(letter);
            length += 1;
        }
    }
    if length > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_the_terminal_within_reason() {
        for (of_terminal, columns) in [
            (None, 120),
            (Some(0), 60),
            (Some(80), 80),
            (Some(120), 120),
            (Some(300), 120),
        ] {
            assert_eq!(usable(of_terminal), columns, "{of_terminal:?}");
        }
    }

    #[test]
    fn a_text_breaks_between_words_and_only_a_long_word_within() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two", 100), ["one two"]);
        assert_eq!(wrapped("a b23456789", 4), ["a", "b234", "5678", "9"]);
        assert_eq!(wrapped("ä ö", 1), ["ä", "ö"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
    }
}
