//! A pipeline for people: what there is to know of it first, then everything that it expands to.

use std::collections::BTreeSet;

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, ErrorBudget, Method, Pipeline, Remark, Stage};

/// Columns of a terminal that nobody has made wider.
const COLUMNS: usize = 80;

/// A pipeline with every stage that it expands to.
pub(super) fn tree(file: &str, pipeline: &Pipeline) -> String {
    let stages = &pipeline.stages;
    let minutes: f64 = stages.iter().map(|stage| stage.duration_minutes).sum();
    let mut lines = vec![format!(
        "{file}: pipeline {:?}, {} stage{}, at least {}",
        pipeline.name,
        stages.len(),
        if stages.len() == 1 { "" } else { "s" },
        duration(minutes)
    )];
    lines.extend(pipeline.remarks().iter().flat_map(remark));
    lines.push(population("control", &pipeline.control));
    lines.push(population("canary", &pipeline.canary));
    lines.extend(bucket_units(pipeline));
    lines.extend(parts(pipeline));
    lines.join("\n")
}

fn remark(remark: &Remark) -> Vec<String> {
    let head = if remark.code.is_warning() {
        "warning: "
    } else {
        "! "
    };
    wrapped(head, &remark.message)
}

/// A text in lines that a terminal shows whole, the later ones indented.
fn wrapped(head: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(head.chars().count());
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_empty && length > COLUMNS {
            lines.push(std::mem::replace(&mut line, indent.clone()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

fn population(name: &str, matchers: &Matchers) -> String {
    if matchers.is_empty() {
        return format!("{name:<7}  everything");
    }
    let texts: Vec<String> = matchers.iter().map(ToString::to_string).collect();
    format!("{name:<7}  {{{}}}", texts.join(", "))
}

/// How the buckets of the quantiles are read that checks and kill switches name.
fn bucket_units(pipeline: &Pipeline) -> Vec<String> {
    let checks = pipeline.stages.iter().flat_map(|stage| &stage.checks);
    let units = checks.chain(&pipeline.kill_switch).filter_map(|check| {
        let unit = check.measured.bucket_unit()?;
        Some(format!("{}: {unit}", check.measured.name))
    });
    let units: BTreeSet<String> = units.collect();
    let lines = units.iter().flat_map(|unit| wrapped("buckets  ", unit));
    lines.collect()
}

/// The stages, the error budget and the kill switch, as the branches of a tree.
fn parts(pipeline: &Pipeline) -> Vec<String> {
    let width = pipeline
        .stages
        .iter()
        .map(|stage| stage.id.chars().count())
        .max()
        .unwrap_or(0);
    let mut parts: Vec<(String, Vec<String>)> = pipeline
        .stages
        .iter()
        .map(|stage| {
            let head = format!("{:width$}  {}", stage.id, headline(stage));
            (head, aligned(&stage.checks, pipeline.analysis.method))
        })
        .collect();
    if let Some(budget) = &pipeline.error_budget {
        parts.push(error_budget(budget));
    }
    if !pipeline.kill_switch.is_empty() {
        // Always the same test, and always to roll back: there are no flags.
        let conditions = pipeline.kill_switch.iter();
        let conditions = conditions.map(Check::understood_as_kill_switch).collect();
        parts.push(("kill switch, in every stage".to_owned(), conditions));
    }
    let count = parts.len();
    let branch = |(index, (head, leaves)): (usize, (String, Vec<String>))| {
        let (branch, trunk) = if index + 1 == count {
            ("└─", "  ")
        } else {
            ("├─", "│ ")
        };
        let leaves = leaves
            .into_iter()
            .map(move |leaf| format!("{trunk}   {leaf}"));
        std::iter::once(format!("{branch} {head}")).chain(leaves)
    };
    parts.into_iter().enumerate().flat_map(branch).collect()
}

/// Conditions as they were understood, their flags in a column behind them.
fn aligned(checks: &[Check], general: Method) -> Vec<String> {
    let texts: Vec<(String, String)> = checks
        .iter()
        .map(|check| (check.understood(), check.flags(general).join(", ")))
        .collect();
    let width = texts
        .iter()
        .filter(|(_, flags)| !flags.is_empty())
        .map(|(text, _)| text.chars().count())
        .max()
        .unwrap_or(0);
    texts
        .into_iter()
        .map(|(text, flags)| {
            if flags.is_empty() {
                text
            } else {
                format!("{text:width$}  [{flags}]")
            }
        })
        .collect()
}

fn error_budget(budget: &ErrorBudget) -> (String, Vec<String>) {
    const SECONDS_PER_MINUTE: f64 = 60.0;
    // Rounded: 0.999 * 100 is not 99.9.
    let percent = |share: f64| (share * 1e8).round() / 1e6;
    let head = format!(
        "error budget: {} keeps {} % over {}",
        budget.metric,
        percent(budget.objective),
        duration(f64::from(budget.window_seconds) / SECONDS_PER_MINUTE),
    );
    let rule = format!(
        "no more traffic with less than {} % of it left",
        percent(budget.minimum_remaining)
    );
    (head, vec![rule])
}

fn headline(stage: &Stage) -> String {
    let mut parts = vec![
        format!("{} % of the traffic", stage.traffic_percent),
        format!("for {}", duration(stage.duration_minutes)),
    ];
    if !stage.regions.is_empty() {
        parts.push(format!("in {}", stage.regions.join(", ")));
    }
    if stage.shadow {
        parts.push("without acting".to_owned());
    }
    if let Some(seconds) = stage.warm_up_seconds {
        parts.push(format!("[warm_up: {seconds}s]"));
    }
    if let Some(seconds) = stage.cold_start_seconds {
        parts.push(format!("[cold_start: {seconds}s]"));
    }
    let origin = if stage.inherits_checks {
        ", checks as before"
    } else {
        ""
    };
    format!("{}: {}{origin}", stage.name, parts.join(" "))
}

/// `4 h`, `1 h 30 min`, `45 min`; days from 48 hours on.
fn duration(minutes: f64) -> String {
    const MINUTES_PER_DAY: f64 = 1_440.0;
    let part = |size: f64| (minutes / size).floor();
    let (days, hours) = (part(MINUTES_PER_DAY), part(60.0));
    if days >= 2.0 {
        let rest = ((minutes - days * MINUTES_PER_DAY) / 60.0).round();
        return if rest > 0.0 {
            format!("{days} days {rest} h")
        } else {
            format!("{days} days")
        };
    }
    let rest = minutes - hours * 60.0;
    if hours < 1.0 {
        // A sum of durations need not be a round number.
        format!("{} min", (minutes * 100.0).round() / 100.0)
    } else if rest == 0.0 {
        format!("{hours} h")
    } else {
        format!("{hours} h {rest} min")
    }
}

#[cfg(test)]
mod tests {
    use serinus_analysis::pipeline::parse;

    use super::*;

    const STRANGE: &str = "\
dry_run: true
analysis: {split_check: off, method: wilson}
control: {track: stable}
canary: {track: canary, pod: {\"=~\": \"shop-6d4.*\"}}
kill_switch: [error_rate > 5%, latency_p99 > 2s]
error_budget: {metric: error_rate, objective: 99.9%}
canary_pipeline:
  one:
    traffic_percent: 1
    duration_minutes: 1
    shadow: true
    metrics:
      - error_rate<baseline * 110%
      - {check: latency_p99 < 0.2s, warn_only: true}
      - {check: error_rate < 1%, critical: false, weight: 2}
  two: {traffic_percent: 5, duration_minutes: 72h}
";

    #[test]
    fn a_strange_pipeline_is_told_as_it_is() {
        let text = tree("strange.yaml", &parse(STRANGE, "strange").unwrap());
        insta::assert_snapshot!("a_strange_pipeline", text);
    }

    #[test]
    fn the_unit_of_the_buckets_is_told_and_where_it_comes_from() {
        let unit = |metric: &str| {
            let text = format!(
                "metrics: {{p: {{quantile: 0.9, {metric}}}}}\ncanary_pipeline: {{a: \
                 {{traffic_percent: 5, duration_minutes: 60, metrics: [p < 500ms]}}}}"
            );
            bucket_units(&parse(&text, "units").unwrap()).join("\n")
        };
        let told = [
            unit("histogram: work_duration_milliseconds"),
            unit("histogram: work_duration_seconds_bucket"),
            unit("histogram: work_time"),
            unit("histogram: work_time, scale: 0.001"),
            unit("histogram: work_duration_ms, scale: 1"),
        ];
        insta::assert_snapshot!("bucket_units", told.join("\n"));
    }

    #[test]
    fn a_remark_fits_into_a_terminal() {
        let lines = wrapped("warning: ", &"some words ".repeat(30));
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS));
        assert!(lines.iter().skip(1).all(|line| line.starts_with("         some") || line.starts_with("         words")));
        let long = "x".repeat(100);
        assert_eq!(wrapped("! ", &long), [format!("! {long}")]);
    }

    #[test]
    fn durations_are_told_in_the_units_that_people_count_in() {
        for (minutes, text) in [
            (45.0, "45 min"),
            (0.3 + 0.3 + 0.3, "0.9 min"),
            (90.0, "1 h 30 min"),
            (240.0, "4 h"),
            (47.0 * 60.0, "47 h"),
            (48.0 * 60.0, "2 days"),
            (75.0 * 60.0, "3 days 3 h"),
        ] {
            assert_eq!(duration(minutes), text);
        }
    }
}
