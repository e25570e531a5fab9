//! `serinus simulate --table`: the measured operating characteristics with their targets.

use std::fs;
use std::path::Path;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serinus_analysis::simulate::operating::{Line, Row};

use super::super::output::{self, Format};
use super::super::{FAILED, Failure};
use super::arguments::Arguments;
use super::threads::{Counted, Threads};
use crate::terminal;

/// Between these lines of the document the table is written.
const BEGIN: &str = "<!-- begin: written by `serinus simulate --table --write` -->";
const END: &str = "<!-- end -->";

/// A line with the row that it belongs to.
#[derive(Debug, Serialize)]
struct Measured {
    row: &'static str,
    #[serde(flatten)]
    line: Line,
    is_met: Option<bool>,
}

/// Measures the rows that the arguments ask for, prints them, and says whether all targets are met.
pub(super) fn run(arguments: &Arguments, threads: Threads) -> Result<u8, Failure> {
    let rows: &[Row] = if arguments.table {
        &Row::ALL
    } else {
        &arguments.row
    };
    let counted = Counted::default();
    for row in rows {
        // What cannot be measured is told when it is tried.
        let _ = row.measure(&counted, arguments.replicates, arguments.seed);
    }
    threads.expect(counted.count());
    let mut measured = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (number, rows) = (index + 1, rows.len());
        threads.announce(format!("row {number} of {rows}, {}", row.name()), 1);
        for line in row.measure(&threads, arguments.replicates, arguments.seed)? {
            let is_met = line.is_met();
            measured.push(Measured {
                row: row.name(),
                line,
                is_met,
            });
        }
    }
    // The line of progress goes before the answer comes.
    drop(threads);
    match arguments.output {
        Format::Json => output::line(&serde_json::to_string_pretty(&measured)?),
        Format::Text => output::line(&text(&measured, terminal::columns())),
    }
    if let Some(path) = &arguments.write {
        write(path, &markdown(&measured, arguments))?;
    }
    let is_missed = measured.iter().any(|line| line.is_met == Some(false));
    Ok(if is_missed { FAILED } else { 0 })
}

fn text(measured: &[Measured], columns: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_width(columns)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["row", "quantity", "target", "measured", "", "behind it"]);
    for one in measured {
        table.add_row([
            one.row.to_owned(),
            one.line.quantity.clone(),
            one.line.target.to_string(),
            number(&one.line),
            judged(&one.line),
            one.line.detail.clone(),
        ]);
    }
    table.to_string()
}

/// The table as Markdown, with the command that makes each row.
fn markdown(measured: &[Measured], arguments: &Arguments) -> String {
    let (replicates, seed) = (arguments.replicates, arguments.seed);
    let mut lines = Vec::new();
    let mut row = "";
    for one in measured {
        if one.row != row {
            row = one.row;
            lines.extend([
                String::new(),
                format!("### {row}"),
                String::new(),
                format!("`serinus simulate --row {row} --replicates {replicates} --seed {seed}`"),
                String::new(),
                "| quantity | target | measured | | behind it |".to_owned(),
                "|---|---|---|---|---|".to_owned(),
            ]);
        }
        lines.push(format!(
            "| {} | {} | {} | {} | {} |",
            one.line.quantity,
            one.line.target,
            number(&one.line),
            judged(&one.line),
            one.line.detail
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn number(line: &Line) -> String {
    match (line.measured, line.standard_error) {
        (None, _) => "not reached".to_owned(),
        (Some(value), Some(error)) => format!("{value:.4} ± {error:.4}"),
        (Some(value), None) => format!("{value:.2}"),
    }
}

fn judged(line: &Line) -> String {
    match (line.is_met(), line.missed_by()) {
        (None, _) => String::new(),
        (Some(true), _) => "met".to_owned(),
        (Some(false), None) => "MISSED".to_owned(),
        (Some(false), Some(by)) => format!("MISSED by {by:.4}"),
    }
}

/// Puts the table between the marks of a document.
fn write(path: &Path, table: &str) -> Result<(), Failure> {
    let shown = path.display();
    let document = fs::read_to_string(path)
        .map_err(|error| Failure(format!("cannot read {shown}: {error}")))?;
    let written = between_marks(&document, table).ok_or_else(|| {
        Failure(format!(
            "cannot write the table to {shown}: it must have a line {BEGIN:?} and after it a line \
             {END:?}"
        ))
    })?;
    fs::write(path, written).map_err(|error| Failure(format!("cannot write {shown}: {error}")))
}

fn between_marks(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use serinus_analysis::simulate::operating::Target;

    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter {END}\n");
        let written = between_marks(&document, "new").unwrap();
        assert_eq!(
            written,
            format!("before\n{BEGIN}\nnew\n{END}\nafter {END}\n")
        );
        assert_eq!(between_marks(&written, "new").unwrap(), written);
        assert_eq!(between_marks("no marks", "new"), None);
        assert_eq!(between_marks(&format!("{END}{BEGIN}"), "new"), None);
    }

    #[test]
    fn the_document_has_the_marks() {
        let document = include_str!("../../../../docs/operating-characteristics.md");
        assert!(between_marks(document, "").is_some());
        for row in Row::ALL {
            assert!(
                document.contains(&format!("--row {} ", row.name())),
                "{row:?}"
            );
        }
    }

    #[test]
    fn a_missed_target_is_loud() {
        let line = |measured, target| Line {
            quantity: "x".to_owned(),
            measured,
            standard_error: None,
            target,
            detail: String::new(),
        };
        for (measured, target, shown) in [
            (Some(1.0), Target::AtMost(1.5), "met"),
            (Some(2.0), Target::AtMost(1.5), "MISSED by 0.5000"),
            (None, Target::AtMost(1.5), "MISSED"),
            (Some(2.0), Target::Report, ""),
        ] {
            assert_eq!(judged(&line(measured, target)), shown);
        }
    }
}
