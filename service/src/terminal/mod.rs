//! The terminal: how wide it is. Colours are written always;
//! `anstream` takes them out where nobody sees them (a pipe, `NO_COLOR`, `TERM=dumb`).

mod progress;

use std::io;

pub(crate) use progress::Progress;
pub(crate) use serinus_analysis::wrapped;
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
}
