//! The table of whole rollouts in the documentation.

use std::path::Path;
use std::time::Duration;

use serinus_analysis::simulate::rollout::{Differences, Reason};

use super::super::super::Failure;
use super::super::marks;
use super::text::{measured, number, target, told};
use super::{Report, Row};

/// After this line of the document the table is written.
pub(super) const BEGIN: &str =
    "<!-- begin: written by `serinus simulate rollout --table --write` -->";

/// When, from what, and for how long the table was made.
pub(super) struct Making {
    pub(super) date: String,
    pub(super) commit: Option<String>,
    pub(super) elapsed: Duration,
}

pub(super) fn write(path: &Path, report: &Report, making: &Making) -> Result<(), Failure> {
    marks::write(path, BEGIN, &markdown(report, making))
}

fn markdown(report: &Report, making: &Making) -> String {
    let commit = making.commit.as_ref();
    let commit = commit.map_or_else(String::new, |commit| format!(", commit {commit}"));
    let minutes = making.elapsed.as_secs_f64() / 60.0;
    let mut lines = vec![
        String::new(),
        format!(
            "Written on {}{commit}: {} rollouts of each law, seed {}, in {minutes:.1} minutes.",
            making.date, report.replicates, report.seed
        ),
        String::new(),
        "| law | | rolled back % @min | completed % @min | stuck % (by gauges) | differs |"
            .to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    for row in &report.laws {
        let [back, through, stuck] = target(row.target);
        let law = row.law;
        lines.push(format!(
            "| `{law}`: {} | design | {back} | {through} | {stuck} | |",
            row.title
        ));
        let [back, through, stuck] = measured(&row.measured);
        let differs = differs(&row.differences);
        lines.push(format!(
            "| | measured | {back} | {through} | {stuck} | {differs} |"
        ));
    }
    lines.extend([
        String::new(),
        "What held, and what the answer said to the first of them:".to_owned(),
        String::new(),
    ]);
    for row in &report.laws {
        lines.extend(
            told(row)
                .into_iter()
                .map(|(what, reason)| item(row, what, reason)),
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

fn item(row: &Row, what: &str, reason: &Reason) -> String {
    let Reason {
        metric,
        code,
        count,
        example,
        ..
    } = reason;
    let of = match what {
        "stuck" => row.measured.stuck.count,
        _ => row.measured.rolled_back.count,
    };
    format!(
        "* `{}`, {what}: `{metric}` is `{code}` in {count} of {of}: \"{example}\"",
        row.law
    )
}

/// What differs from the design by more than three standard errors, in points.
fn differs(differences: &Differences) -> String {
    let Differences {
        rolled_back,
        completed,
        stuck,
        is_worse,
    } = differences;
    let all = [
        ("rolled back", rolled_back),
        ("completed", completed),
        ("stuck", stuck),
    ];
    let signed = |points: f64| {
        let sign = if points > 0.0 { "+" } else { "-" };
        format!("{sign}{}", number(points.abs()))
    };
    let each = all
        .iter()
        .filter_map(|(what, points)| Some(format!("{what} {}", signed((**points)?))));
    let each = each.collect::<Vec<_>>().join(", ");
    match (each.is_empty(), is_worse) {
        (true, _) => String::new(),
        (false, true) => format!("WORSE: {each}"),
        (false, false) => each,
    }
}
