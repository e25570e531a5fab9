//! PromQL text to PromQL text: what a pipeline may ask, and the populations' matchers added
//! through the syntax tree.

use crate::matchers::Matchers;

/// Why a PromQL text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Not written yet.
    #[error("{0}")]
    Unusable(String),
}

/// Checks that the text is one plain selector of a counter.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn check_counter_selector(_promql: &str) -> Result<(), QueryError> {
    Ok(())
}

/// Checks that the text is an expression of an instant vector.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn check_gauge_expression(_promql: &str) -> Result<(), QueryError> {
    Ok(())
}

/// Writes `sum by (instance, pod, ..group_by) (selector{matchers})`.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn counter_per_target(
    selector: &str,
    _matchers: &Matchers,
    _group_by: &[&str],
) -> Result<String, QueryError> {
    Err(QueryError::Unusable(selector.to_owned()))
}

/// Writes `sum by (instance, pod, le, ..group_by) (name_bucket{matchers})`; the selector may be
/// given with or without the suffix `_bucket`.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn histogram_per_target(
    selector: &str,
    _matchers: &Matchers,
    _group_by: &[&str],
) -> Result<String, QueryError> {
    Err(QueryError::Unusable(selector.to_owned()))
}

/// Writes `avg(expression)` with the matchers in every selector of the expression.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn gauge_mean(expression: &str, _matchers: &Matchers) -> Result<String, QueryError> {
    Err(QueryError::Unusable(expression.to_owned()))
}

/// Writes `process_start_time_seconds{matchers}[range_seconds s]`: an instant query whose answer
/// holds the raw samples, so the time of every scrape and every start of a process.
///
/// # Errors
///
/// [`QueryError`] says what to change.
pub fn process_starts(_matchers: &Matchers, range_seconds: i64) -> Result<String, QueryError> {
    Err(QueryError::Unusable(range_seconds.to_string()))
}

/// One set of matchers that selects control and canary together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// Selects both populations.
    pub matchers: Matchers,
    /// The label whose value tells them apart; to be named in `group_by`.
    pub label: String,
    /// The control's value of that label.
    pub control_value: String,
    /// The canary's value of that label.
    pub canary_value: String,
}

/// Combines the populations where one label with two exact values tells them apart, so that one
/// query at the same instants answers for both.
pub fn combine(_control: &Matchers, _canary: &Matchers) -> Option<Combined> {
    None
}
