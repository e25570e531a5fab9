//! What is asked of a gauge, and what is refused: its step, young series, missing samples, counters.
//!
//! Source: docs/design/gauges.md, "1. Samples".

use promql_parser::parser::token::{T_AVG, T_MAX, T_MIN, T_SUM};
use promql_parser::parser::{self, Expr};

use crate::query::metric_name;

/// Fewest samples that say anything.
pub const FEWEST_SAMPLES: usize = 3;
/// Seconds from the first to the last of them.
pub const FEWEST_SECONDS: f64 = 120.0;
/// A larger part of samples that lack the other side is no data.
const MOST_MISSING: f64 = 0.2;
/// Rounding of a scrape period.
const ROUNDING: f64 = 1e-9;
/// What the name of a counter ends in.
const ENDINGS_OF_COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// Seconds between the samples of a gauge: the shortest multiple of the interval that sees each scrape once. The
/// interval itself where the scrape period is not known.
///
/// ```
/// use serinus_analysis::proof::gauge::sample_step;
///
/// assert_eq!(sample_step(30.0, Some(15.0)), 30.0);
/// assert_eq!(sample_step(30.0, Some(45.0)), 60.0);
/// assert_eq!(sample_step(30.0, None), 30.0);
/// ```
pub fn sample_step(interval_seconds: f64, scrape_seconds: Option<f64>) -> f64 {
    let periods = scrape_seconds.map_or(1.0, |scrape| scrape / interval_seconds);
    if !periods.is_finite() {
        return interval_seconds;
    }
    interval_seconds * libm::ceil(periods - ROUNDING).max(1.0)
}

/// Whether a rollout that lasts so long can have evidence at all; else the check has no part of the error rate.
pub fn can_speak(longest_seconds: f64, step_seconds: f64) -> bool {
    let samples = libm::floor(longest_seconds / step_seconds);
    samples >= FEWEST_SAMPLES as f64 && (samples - 1.0) * step_seconds >= FEWEST_SECONDS
}

/// Whether so many samples, from the first to the last of which so many seconds have passed, say anything.
pub fn is_enough(samples: usize, seconds: f64) -> bool {
    samples >= FEWEST_SAMPLES && seconds >= FEWEST_SECONDS
}

/// Whether a series is too young at each of its samples, given as seconds. `began_seconds` is the start of the
/// first process of its instance; where that is unknown it began one step before its first sample, and one that
/// has a sample before the rollout is old.
pub fn is_young_at(
    times: &[f64],
    (warm_up_seconds, step_seconds): (f64, f64),
    began_seconds: Option<f64>,
    is_seen_before: bool,
) -> Vec<bool> {
    let of_the_first = times.first().map_or(0.0, |first| first - step_seconds);
    let began = began_seconds.unwrap_or(of_the_first);
    let is_old = is_seen_before && began_seconds.is_none();
    let is_young = |at: &f64| !is_old && at - began < warm_up_seconds;
    times.iter().map(is_young).collect()
}

/// Whether more than a fifth of the samples in which a side has a value lack the other one.
pub fn is_lacking(with_a_value: usize, lacking: usize) -> bool {
    lacking as f64 > MOST_MISSING * with_a_value as f64
}

/// Whether a sample has a value at all, and whether it lacks one that is needed: of an absolute limit only the
/// canary's.
pub fn what_lacks(canary: Option<f64>, control: Option<f64>, is_absolute: bool) -> (bool, bool) {
    let has_any = canary.is_some() || control.is_some();
    let lacks = canary.is_none() || (control.is_none() && !is_absolute);
    (has_any, has_any && lacks)
}

/// By what an expression makes one series of all by itself, as `avg`; nothing where it leaves them apart.
///
/// ```
/// use serinus_analysis::proof::gauge::aggregated_by;
///
/// assert_eq!(aggregated_by("(avg(x))").as_deref(), Some("avg"));
/// assert_eq!(aggregated_by("avg by (pod) (x)"), None);
/// assert_eq!(aggregated_by("x"), None);
/// ```
pub fn aggregated_by(expression: &str) -> Option<String> {
    let tree = parser::parse(expression).ok()?;
    let mut inner = &tree;
    while let Expr::Paren(parentheses) = inner {
        inner = &parentheses.expr;
    }
    match inner {
        Expr::Aggregate(aggregation) if aggregation.modifier.is_none() => {
            Some(aggregation.op.to_string())
        }
        _ => None,
    }
}

/// Whether a gauge's expression is a counter: a selector alone or under sum, avg, min and max of what the source
/// says is a counter, a histogram or a summary; where it says nothing, by the ending of its name. What cannot be
/// read is none.
///
/// ```
/// use serinus_analysis::proof::gauge::is_counter_as_gauge;
///
/// assert!(is_counter_as_gauge("sum by (pod) (x_total)", None));
/// assert!(!is_counter_as_gauge("rate(x_total[2m])", None));
/// assert!(!is_counter_as_gauge("jvm_threads_count", Some("gauge")));
/// ```
pub fn is_counter_as_gauge(expression: &str, kind: Option<&str>) -> bool {
    let Some(name) = name_alone(expression) else {
        return false;
    };
    match kind {
        Some("counter" | "histogram" | "summary") => true,
        None | Some("unknown") => name.is_some_and(|name| is_named_like_a_counter(&name)),
        Some(_) => false,
    }
}

/// The name of the metric that an expression is of, where that is a counter if its name is right: a selector alone or
/// under sum, avg, min and max.
///
/// ```
/// use serinus_analysis::proof::gauge::named_like_a_counter;
///
/// assert_eq!(named_like_a_counter("sum(x_total)").as_deref(), Some("x_total"));
/// assert_eq!(named_like_a_counter("rate(x_total[2m])"), None);
/// assert_eq!(named_like_a_counter("queue_depth"), None);
/// ```
pub fn named_like_a_counter(expression: &str) -> Option<String> {
    name_alone(expression)?.filter(|name| is_named_like_a_counter(name))
}

fn is_named_like_a_counter(name: &str) -> bool {
    let mut endings = ENDINGS_OF_COUNTERS.iter();
    endings.any(|ending| name.ends_with(ending))
}

/// The name, if it has one, of the selector that an expression is, alone or under sum, avg, min and max.
#[expect(
    clippy::option_option,
    reason = "no selector alone, and one without a name"
)]
fn name_alone(expression: &str) -> Option<Option<String>> {
    let tree = parser::parse(expression).ok()?;
    let mut inner = &tree;
    loop {
        match inner {
            Expr::Paren(parentheses) => inner = &parentheses.expr,
            Expr::Aggregate(aggregation)
                if [T_SUM, T_AVG, T_MIN, T_MAX].contains(&aggregation.op.id()) =>
            {
                inner = &aggregation.expr;
            }
            Expr::VectorSelector(selector) => return Some(metric_name(&selector.to_string())),
            _ => return None,
        }
    }
}
