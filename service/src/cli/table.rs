//! An answer as a table for people.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serinus_openapi::analysis::{AnalysisAnswer, Arm, Check, Outcome, Verdict};

/// Writes a verdict with its evidence, in a table that is at most so wide.
pub(super) fn of(answer: &AnalysisAnswer, columns: u16) -> String {
    let verdict = match answer.verdict {
        Verdict::Promote => "promote",
        Verdict::Hold => "hold",
        Verdict::Rollback => "rollback",
    };
    let window = &answer.window;
    let mut lines = vec![
        format!("{verdict}: {}", answer.gate.reason),
        format!(
            "{} {}: {}; {} to {}, {} intervals of {} s, {} missing",
            answer.pipeline,
            answer.stage,
            answer.progress,
            window.start.format("%Y-%m-%d %H:%M:%SZ"),
            window.end.format("%H:%M:%SZ"),
            window.intervals,
            window.interval_seconds,
            window.missing
        ),
        checks(&answer.checks, columns),
    ];
    let warnings = answer.warnings.iter();
    lines.extend(warnings.map(|warning| format!("warning: {}", warning.message)));
    if answer.verdict == Verdict::Rollback {
        let share = answer.rollback_to_percent.get();
        lines.push(format!("go back to {share} % of the traffic"));
    }
    lines.push(format!("data {}", answer.inputs.digest));
    lines.join("\n")
}

fn checks(checks: &[Check], columns: u16) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_width(columns)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["check", "outcome", "control", "canary", "ratio", "why"]);
    for check in checks {
        let ratio = check.ratio.as_ref().and_then(|ratio| ratio.estimate);
        table.add_row([
            check.condition.clone(),
            outcome(check),
            arm(check.control.as_ref()),
            arm(check.canary.as_ref()),
            ratio.map_or(String::new(), |ratio| number(ratio.get())),
            check.reason.clone(),
        ]);
    }
    table.to_string()
}

fn outcome(check: &Check) -> String {
    let outcome = match check.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Undecided => "undecided",
        Outcome::NoData => "no data",
    };
    if !check.counts {
        format!("{outcome} (does not count)")
    } else if check.warn_only {
        format!("{outcome} (warns)")
    } else {
        outcome.to_owned()
    }
}

fn arm(arm: Option<&Arm>) -> String {
    let Some(arm) = arm else {
        return String::new();
    };
    let estimate = arm.estimate.map_or("-".to_owned(), |it| number(it.get()));
    match (arm.events, arm.total) {
        (Some(events), Some(total)) => {
            let (events, total) = (number(events.get()), number(total.get()));
            format!("{estimate} ({events} of {total})")
        }
        _ => estimate,
    }
}

/// Four significant digits; whole numbers whole.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..=5.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 8"
    )]
    let digits = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (402_113.0, "402113"),
            (0.002_019_3, "0.002019"),
            (1.3, "1.3"),
            (123.456, "123.5"),
            (99_999.5, "100000"),
            (1.234_6e-9, "1.235e-9"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn an_answer_reads_well() {
        let answer = serinus_openapi::examples::hold_answer();
        let answer: AnalysisAnswer = serde_json::from_value(answer).unwrap();
        insta::assert_snapshot!(of(&answer, 120));
        insta::assert_snapshot!("an_answer_fits_a_narrow_terminal", of(&answer, 80));
    }
}
