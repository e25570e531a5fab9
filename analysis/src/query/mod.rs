//! PromQL text to PromQL text: what a pipeline may ask, and the populations' matchers added
//! through the syntax tree.
//!
//! A text is parsed, its type checked, the matchers added to the selectors of its tree, the tree
//! printed, parsed again and compared: what is sent is what was meant, whatever a label's value
//! holds. No value is ever pasted into a text.
//!
//! What must be right before a text is parsed is in `limits`: length, depth, durations, the cost
//! of regular expressions.

mod alternatives;
mod branches;
mod combined;
mod counter;
mod error;
mod limits;
mod parts;
mod pattern;
mod place;
mod present;
mod push;
mod scan;
mod syntax;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use promql_parser::label::{Labels, Matcher as LabelMatcher};
use promql_parser::parser::token::{T_SUM, TokenType};
use promql_parser::parser::{AggregateExpr, Expr, LabelModifier, MatrixSelector, VectorSelector};

use crate::matchers::Matchers;
use crate::series::TargetLabels;

pub use alternatives::has_values_without;
pub use combined::{Combined, combine};
pub(crate) use counter::created_name;
pub use error::QueryError;
pub use parts::{SelectorParts, counter_parts, expression_parts, histogram_parts};
pub use present::{quantile_of_rates, rates_by};
pub use values::{
    advice_on_plain_value, regex_escape, region_matcher, unquoted, validate_matchers,
};

/// Checks that the text is one plain selector of a counter.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn check_counter_selector(promql: &str) -> Result<(), QueryError> {
    counter_per_target(promql, &Matchers::new(), &TargetLabels::default(), &[]).map(drop)
}

/// The name of the metric that one plain selector selects; nothing for any other text.
pub fn metric_name(selector: &str) -> Option<String> {
    let selector = counter::parse_counter(selector).ok()?;
    counter::metric_name(&selector).map(str::to_owned)
}

/// Checks that the text is one plain selector of a native histogram.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn check_native_histogram_selector(promql: &str) -> Result<(), QueryError> {
    native_histogram_per_target(promql, &Matchers::new(), &TargetLabels::default(), &[]).map(drop)
}

/// Checks that the text is an expression of an instant vector over at least one selector.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn check_gauge_expression(promql: &str) -> Result<(), QueryError> {
    gauge_values(promql, &Matchers::new()).map(drop)
}

/// Checks that an expression has a value only where a population has a series: none that ends in
/// `or vector(0)`, none of `absent(..)`.
///
/// # Errors
///
/// [`QueryError`] says what to leave out.
pub fn check_gauge_branches(promql: &str) -> Result<(), QueryError> {
    branches::check(&syntax::parse(promql)?)
}

/// Writes `sum by (instance, pod, .., ..group_by) (selector{matchers})`: by the labels that tell targets
/// apart, and those of `group_by`, sorted and each once.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn counter_per_target(
    selector: &str,
    matchers: &Matchers,
    target_labels: &TargetLabels,
    group_by: &[&str],
) -> Result<String, QueryError> {
    let selector = counter::parse_counter(selector)?;
    sum_per_target(selector, matchers, (target_labels, &[]), group_by)
}

/// Writes `sum by (instance, pod, le, vmrange, ..group_by) (name_bucket{matchers})`; the selector may
/// be given with or without the suffix `_bucket`.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn histogram_per_target(
    selector: &str,
    matchers: &Matchers,
    target_labels: &TargetLabels,
    group_by: &[&str],
) -> Result<String, QueryError> {
    let selector = counter::parse_histogram(selector)?;
    counter::refuse_bucket_matchers(matchers)?;
    let labels = [counter::BUCKET_LABEL, counter::RANGE_LABEL];
    sum_per_target(selector, matchers, (target_labels, &labels), group_by)
}

/// Writes `sum by (instance, pod, ..group_by) (selector{matchers})` for a native histogram, whose
/// buckets are all in one series.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn native_histogram_per_target(
    selector: &str,
    matchers: &Matchers,
    target_labels: &TargetLabels,
    group_by: &[&str],
) -> Result<String, QueryError> {
    let selector = counter::parse_native_histogram(selector)?;
    counter::refuse_bucket_matchers(matchers)?;
    sum_per_target(selector, matchers, (target_labels, &[]), group_by)
}

/// Writes `selector{matchers}[range]`: an instant query whose answer holds every sample of every
/// series of a counter, with the times of their scrapes.
///
/// # Errors
///
/// [`QueryError`] says what to change; a range below 1 second or above 100 years is one.
pub fn counter_samples(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    samples(counter::parse_counter(selector)?, matchers, range_seconds)
}

/// Writes `name_bucket{matchers}[range]`; the selector may be given with or without the suffix
/// `_bucket`.
///
/// # Errors
///
/// As [`counter_samples`].
pub fn histogram_samples(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let selector = counter::parse_histogram(selector)?;
    counter::refuse_bucket_matchers(matchers)?;
    samples(selector, matchers, range_seconds)
}

/// Writes `selector{matchers}[range]` for a native histogram.
///
/// # Errors
///
/// As [`counter_samples`].
pub fn native_histogram_samples(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let selector = counter::parse_native_histogram(selector)?;
    counter::refuse_bucket_matchers(matchers)?;
    samples(selector, matchers, range_seconds)
}

/// Writes `name_created{matchers}[range]` for a counter (`name_total`) or the buckets of a histogram: when
/// each series was created, where its process says so, in seconds since 1970.
///
/// # Errors
///
/// As [`counter_samples`].
///
/// Source: docs/design/reading-prometheus.md, "Counts".
pub fn created_samples(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let selector = counter::parse_counter(selector)?;
    samples(counter::created(selector), matchers, range_seconds)
}

fn samples(
    mut selector: VectorSelector,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let range = range(range_seconds)?;
    push::push_into_selector(&mut selector, matchers)?;
    syntax::print(&Expr::MatrixSelector(MatrixSelector {
        vs: selector,
        range,
    }))
}

/// What tells the series of one selector from the others of a wider one, so that they need not be
/// asked for again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Narrowing(Vec<LabelMatcher>);

impl Narrowing {
    /// How one selector of a counter narrows another; nothing where its series may be others.
    pub fn of(wider: &str, narrower: &str) -> Option<Self> {
        let wider = counter::parse_counter(wider).ok()?;
        let narrower = counter::parse_counter(narrower).ok()?;
        counter::narrower_by(&wider, &narrower).map(Self)
    }

    /// The labels that tell the series apart, each once.
    pub fn labels(&self) -> BTreeSet<&str> {
        self.0.iter().map(|matcher| matcher.name.as_str()).collect()
    }

    /// Whether the matchers of a label take this value of it.
    pub fn takes(&self, label: &str, value: &str) -> bool {
        let mut of_label = self.0.iter().filter(|matcher| matcher.name == label);
        of_label.all(|matcher| matcher.is_match(value))
    }

    /// Whether a series of the wider selector is one of the narrower one. A label that is absent is
    /// empty, as in Prometheus.
    pub fn keeps(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = |name: &str| labels.get(name).map_or("", String::as_str);
        let mut matchers = self.0.iter();
        matchers.all(|matcher| matcher.is_match(value(&matcher.name)))
    }
}

/// Writes the expression with the matchers in every selector of it, or only where the text asks for
/// them with `{__population__=""}`. Its answer has one value for each of its series: the mean over
/// them is taken where they are read.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn gauge_values(expression: &str, matchers: &Matchers) -> Result<String, QueryError> {
    let mut tree = syntax::parse(expression)?;
    syntax::check_is_instant_vector(&tree)?;
    branches::check_reads_series(&tree)?;
    push::push_matchers(&mut tree, matchers)?;
    syntax::print(&tree)
}

/// Whether an expression is a selector of series by itself: its samples can be read as they were scraped.
pub fn is_selector(expression: &str) -> bool {
    counter::parse_counter(expression).is_ok()
}

/// Writes `selector{matchers}[range]`: an instant query whose answer holds every sample of every series of a gauge
/// that is a selector by itself.
///
/// # Errors
///
/// As [`counter_samples`].
pub fn gauge_samples(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    samples(counter::parse_counter(selector)?, matchers, range_seconds)
}

/// Writes `process_start_time_seconds{matchers}[range]`: an instant query whose answer holds
/// the raw samples, so the time of every scrape and every start of a process. The range is
/// printed in the units of Prometheus: 300 seconds as `5m`.
///
/// # Errors
///
/// [`QueryError`] says what to change; a range below 1 second or above 100 years is one.
pub fn process_starts(matchers: &Matchers, range_seconds: i64) -> Result<String, QueryError> {
    let selector = VectorSelector::from("process_start_time_seconds");
    samples(selector, matchers, range_seconds)
}

/// Writes `sum(increase(selector{matchers}[range]))`: what a counter gained in the range before the
/// time of an instant query, over all targets. No series is an empty answer, not 0.
///
/// # Errors
///
/// [`QueryError`] says what to change; a range below 1 second or above 100 years is one.
pub fn counter_increase(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let samples = counter_samples(selector, matchers, range_seconds)?;
    Ok(format!("sum(increase({samples}))"))
}

/// Writes `count(count_over_time(selector[range]))` for a selector as [`SelectorParts`] writes it: how
/// many series had a sample in the range before the time of an instant query. No series is an empty
/// answer, not 0.
///
/// # Errors
///
/// [`QueryError`] says what to change; a range below 1 second or above 100 years is one.
pub fn series_count(selector: &str, range_seconds: i64) -> Result<String, QueryError> {
    let range = range(range_seconds)?;
    let samples = syntax::print(&Expr::MatrixSelector(MatrixSelector {
        vs: counter::parse_counter(selector)?,
        range,
    }))?;
    Ok(format!("count(count_over_time({samples}))"))
}

/// Writes how many samples the series of a selector had that has most of them, in a range before the time of an
/// instant query: of those that were there in the range before as well, since one that has only begun has few.
///
/// # Errors
///
/// As [`series_count`].
pub fn most_samples(selector: &str, range_seconds: i64) -> Result<String, QueryError> {
    let range = range(range_seconds)?;
    let samples = syntax::print(&Expr::MatrixSelector(MatrixSelector {
        vs: counter::parse_counter(selector)?,
        range,
    }))?;
    Ok(format!(
        "max(count_over_time({samples}) and count_over_time({samples} offset {range_seconds}s))"
    ))
}

fn range(range_seconds: i64) -> Result<Duration, QueryError> {
    u64::try_from(range_seconds)
        .ok()
        .filter(|_| (1..=scan::DURATION_SECONDS).contains(&range_seconds))
        .map(Duration::from_secs)
        .ok_or(QueryError::Range {
            seconds: range_seconds,
        })
}

/// Writes the sum of a selector for each target, told apart further by the labels given.
fn sum_per_target(
    mut selector: VectorSelector,
    matchers: &Matchers,
    (target_labels, more_labels): (&TargetLabels, &[&str]),
    group_by: &[&str],
) -> Result<String, QueryError> {
    push::push_into_selector(&mut selector, matchers)?;
    let mut labels: Vec<&str> = target_labels.iter().collect();
    labels.extend(more_labels);
    let sorted = group_by.iter().copied().collect::<BTreeSet<_>>();
    for label in sorted {
        values::check_label_name(label)?;
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let by = LabelModifier::Include(Labels::new(labels));
    syntax::print(&Expr::Aggregate(AggregateExpr {
        op: TokenType::new(T_SUM),
        expr: Box::new(Expr::VectorSelector(selector)),
        param: None,
        modifier: Some(by),
    }))
}
