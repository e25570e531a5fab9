//! What is told of whole rollouts to people.

use serinus_analysis::simulate::operating::Share;
use serinus_analysis::simulate::rollout::{Figures, Measured, Reason};

use super::{Report, Row};
use crate::terminal::wrapped;

/// What is told below a row begins here.
const INDENT: usize = 4;

/// The answer, in lines of at most so many columns (80 at least).
pub(super) fn of(report: &Report, has_targets: bool, columns: usize) -> String {
    let pods = if report.pod_spread {
        ""
    } else {
        ", without what pods tell"
    };
    let noise = report
        .noise
        .map_or_else(String::new, |noise| format!(", noise {noise}"));
    let mut lines = vec![
        format!(
            "{} rollouts of each law, seed {}{pods}{noise}; minutes are medians",
            report.replicates, report.seed
        ),
        String::new(),
        cells("law", &["rolled back", "completed", "stuck (by gauges)"]),
    ];
    for row in &report.laws {
        let compact = measured(&row.measured).map(|cell| cell.replace(" ± ", "±"));
        lines.push(cells(row.law, &compact));
        if has_targets {
            lines.push(cells("  in the design", &target(row.target)));
        }
        for (what, reason) in told(row) {
            lines.extend(indented(&sentence(&row.measured, what, reason), columns));
        }
    }
    lines.join("\n")
}

fn cells(first: &str, others: &[impl AsRef<str>; 3]) -> String {
    let [back, through, stuck] = others.each_ref().map(AsRef::as_ref);
    let line = format!("{first:<23} {back:<18} {through:<18} {stuck}");
    line.trim_end().to_owned()
}

/// `24 % ± 3 @ 22 min`.
pub(super) fn measured(measured: &Measured) -> [String; 3] {
    [
        at(&share(measured.rolled_back), measured.rollback_minute),
        at(&share(measured.completed), measured.completed_minute),
        format!(
            "{} ({})",
            share(measured.stuck),
            number(100.0 * measured.stuck_by_gauges.rate())
        ),
    ]
}

/// The same of the design.
pub(super) fn target(figures: Figures) -> [String; 3] {
    let percent = |value: f64| format!("{} %", number(value));
    [
        at(&percent(figures.rolled_back), figures.rollback_minute),
        at(&percent(figures.completed), figures.completed_minute),
        format!(
            "{} ({})",
            percent(figures.stuck),
            number(figures.stuck_by_gauges)
        ),
    ]
}

fn at(share: &str, minute: Option<f64>) -> String {
    let minute = minute.map_or_else(String::new, |minute| format!(" @{minute}"));
    format!("{share}{minute}")
}

fn share(share: Share) -> String {
    let error = 100.0 * share.standard_error();
    format!("{} ± {} %", number(100.0 * share.rate()), number(error))
}

/// With one digit, which a whole number has not.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// What is told of a law: why good versions were rolled back, and what held those that were held.
pub(super) fn told(row: &Row) -> Vec<(&'static str, &Reason)> {
    let broken = row.measured.broken.first().filter(|_| row.is_good);
    let broken = broken.map(|reason| ("rolled back", reason));
    let held = row.measured.held.first().map(|reason| ("stuck", reason));
    broken.into_iter().chain(held).collect()
}

/// `stuck by latency_p95, suspected (70 of 74, 3 by nothing else), such as: ..`.
fn sentence(measured: &Measured, what: &str, reason: &Reason) -> String {
    let of = match what {
        "stuck" => measured.stuck.count,
        _ => measured.rolled_back.count,
    };
    let Reason {
        metric,
        code,
        count,
        alone,
        example,
    } = reason;
    format!(
        "{what} by {metric}, {code} ({count} of {of}, {alone} by nothing else), such as: {example}"
    )
}

fn indented(text: &str, columns: usize) -> Vec<String> {
    let lines = wrapped(text, columns.min(80) - INDENT);
    let indent = " ".repeat(INDENT);
    lines
        .into_iter()
        .map(|line| format!("{indent}{line}"))
        .collect()
}
