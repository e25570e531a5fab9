//! `serinus simulate --table`: the measured operating characteristics with their targets.

use std::time::Duration;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serinus_analysis::simulate::operating::{Line, Row, Target, Unit};
use tokio::time::Instant;

use super::super::output::{self, Format};
use super::super::{FAILED, Failure};
use super::arguments::Arguments;
use super::marks;
use super::threads::{Counted, Threads};
use crate::clock::{Clock as _, SystemClock};
use crate::terminal;

/// After this line of the document the table is written.
const BEGIN: &str = "<!-- begin: written by `serinus simulate --table --write` -->";

/// A line with the row that it belongs to.
#[derive(Debug, Serialize)]
struct Measured {
    row: &'static str,
    #[serde(skip)]
    title: &'static str,
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
        row.measure(&counted, arguments.replicates, arguments.seed);
    }
    threads.expect(counted.count());
    let begun = Instant::now();
    let mut measured = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (number, rows) = (index + 1, rows.len());
        threads.announce(format!("row {number} of {rows}, {}", row.name()), 1);
        for line in row.measure(&threads, arguments.replicates, arguments.seed) {
            let is_met = line.is_met();
            measured.push(Measured {
                row: row.name(),
                title: row.title(),
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
        let making = Making {
            date: SystemClock
                .now()
                .date()
                .map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string()),
            commit: arguments.commit.clone(),
            elapsed: begun.elapsed(),
        };
        marks::write(path, BEGIN, &markdown(&measured, arguments, &making))?;
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
        .set_header(HEADERS);
    for one in measured {
        let mut row = vec![one.row.to_owned()];
        row.extend(columns_of(&one.line));
        table.add_row(row);
    }
    table.to_string()
}

const HEADERS: [&str; 7] = [
    "row",
    "quantity",
    "version 1",
    "target",
    "measured",
    "",
    "behind it",
];

/// All but the row.
fn columns_of(line: &Line) -> [String; 6] {
    [
        line.quantity.clone(),
        line.before.map(rounded).unwrap_or_default(),
        target(line),
        number(line),
        judged(line),
        line.detail.clone(),
    ]
}

/// When, from what, and for how long the tables were made.
struct Making {
    date: String,
    commit: Option<String>,
    elapsed: Duration,
}

/// The tables as Markdown, with the command that makes each.
fn markdown(measured: &[Measured], arguments: &Arguments, making: &Making) -> String {
    let (replicates, seed) = (arguments.replicates, arguments.seed);
    let judged = measured.iter().filter_map(|one| one.is_met);
    let (missed, all) = judged.fold((0, 0), |(missed, all), is_met| {
        (missed + usize::from(!is_met), all + 1)
    });
    let commit = making.commit.as_ref();
    let commit = commit.map_or_else(String::new, |commit| format!(", commit {commit}"));
    let minutes = making.elapsed.as_secs_f64() / 60.0;
    let mut lines = vec![
        String::new(),
        format!(
            "Written on {}{commit}: {replicates} rollouts a cell, seed {seed}, in {minutes:.1} minutes. \
             {missed} of {all} numbers are missed.",
            making.date
        ),
    ];
    let mut row = "";
    for one in measured {
        if one.row != row {
            row = one.row;
            lines.extend([
                String::new(),
                format!("### {row}"),
                String::new(),
                format!("{}.", one.title),
                String::new(),
                format!("`serinus simulate --row {row} --replicates {replicates} --seed {seed}`"),
                String::new(),
                "| quantity | version 1 | target | measured | | behind it |".to_owned(),
                "|---|---|---|---|---|---|".to_owned(),
            ]);
        }
        lines.push(format!("| {} |", columns_of(&one.line).join(" | ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn target(line: &Line) -> String {
    match line.target {
        Target::Near { value, .. } => rounded(value),
        Target::AtMost(most) => format!("at most {}", rounded(most)),
        Target::Report => line.target.to_string(),
    }
}

fn number(line: &Line) -> String {
    let Some(value) = line.measured else {
        return "not reached".to_owned();
    };
    let error = line.standard_error;
    let error = error.map_or_else(String::new, |error| format!(" ± {}", rounded(error)));
    let unit = match line.unit {
        Unit::Percent => "%",
        Unit::Minutes => "min",
        Unit::Intervals => "intervals",
    };
    format!("{}{error} {unit}", rounded(value))
}

/// With one digit, which a whole number has not.
fn rounded(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn judged(line: &Line) -> String {
    match (line.is_met(), line.missed_by()) {
        (None, _) => String::new(),
        (Some(true), _) => "met".to_owned(),
        (Some(false), None) => "MISSED".to_owned(),
        (Some(false), Some(by)) => format!("MISSED by {}", rounded(by)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_marks() {
        let document = include_str!("../../../../docs/operating-characteristics.md");
        assert!(marks::between(document, BEGIN, "").is_some());
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
            unit: Unit::Percent,
            before: None,
            measured,
            standard_error: None,
            target,
            detail: String::new(),
        };
        for (measured, target, shown) in [
            (Some(1.0), Target::AtMost(1.5), "met"),
            (Some(2.0), Target::AtMost(1.5), "MISSED by 0.5"),
            (None, Target::AtMost(1.5), "MISSED"),
            (Some(2.0), Target::Report, ""),
        ] {
            assert_eq!(judged(&line(measured, target)), shown);
        }
    }
}
