//! Selectors: which series, and which of their samples.

use promql_parser::label::Matcher;
use promql_parser::parser::{MatrixSelector, Offset, VectorSelector};

use super::super::column::{ABSENT, Column};
use super::super::labels::METRIC_NAME;
use super::window::{Window, WindowFunction};
use super::{Evaluation, QueryError, RawSeries, Row, distinct};

/// The longest offset or range: a hundred years. What is longer sees nothing else.
const MAX_DURATION_MS: i64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// Returns the series that a selector names.
pub(super) fn matching<'a>(
    columns: &'a [Column],
    selector: &VectorSelector,
) -> Result<Vec<&'a Column>, QueryError> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(QueryError::Unsupported(
            "\"or\" between matchers".to_owned(),
        ));
    }
    if selector.at.is_some() {
        return Err(QueryError::Unsupported("the @ modifier".to_owned()));
    }
    let is_match =
        |column: &Column, matcher: &Matcher| matcher.is_match(column.labels.get(&matcher.name));
    Ok(columns
        .iter()
        .filter(|column| {
            selector
                .name
                .as_deref()
                .is_none_or(|name| column.labels.get(METRIC_NAME) == name)
                && selector
                    .matchers
                    .matchers
                    .iter()
                    .all(|matcher| is_match(column, matcher))
        })
        .collect())
}

/// The offset of a selector, in milliseconds into the past.
fn offset_ms(selector: &VectorSelector) -> i64 {
    match &selector.offset {
        None => 0,
        Some(Offset::Pos(duration)) => clamped_ms(duration.as_millis()),
        Some(Offset::Neg(duration)) => -clamped_ms(duration.as_millis()),
    }
}

fn clamped_ms(milliseconds: u128) -> i64 {
    i64::try_from(milliseconds).map_or(MAX_DURATION_MS, |number| number.min(MAX_DURATION_MS))
}

impl Evaluation<'_> {
    /// Evaluates an instant selector: the samples that each step sees.
    pub(super) fn select(&self, selector: &VectorSelector) -> Result<Vec<Row>, QueryError> {
        self.instants(selector, |_, value| value)
    }

    /// Evaluates `timestamp` of an instant selector: the times of the samples, in seconds.
    pub(super) fn sample_times(&self, selector: &VectorSelector) -> Result<Vec<Row>, QueryError> {
        let mut rows = self.instants(selector, |time_ms, _| time_ms as f64 / 1000.0)?;
        for row in &mut rows {
            row.labels = row.labels.without(&[]);
        }
        distinct(rows)
    }

    fn instants(
        &self,
        selector: &VectorSelector,
        reading: impl Fn(i64, f64) -> f64,
    ) -> Result<Vec<Row>, QueryError> {
        let columns = matching(self.columns, selector)?;
        self.spend(columns.len().saturating_mul(self.steps.count()))?;
        let back_ms = offset_ms(selector);
        let rows = columns
            .into_iter()
            .map(|column| Row {
                labels: column.labels.clone(),
                values: self
                    .steps
                    .times_ms()
                    .map(|at_ms| {
                        column
                            .sample_at(at_ms.saturating_sub(back_ms))
                            .map_or(ABSENT, |(time_ms, value)| reading(time_ms, value))
                    })
                    .collect(),
            })
            .collect();
        distinct(rows)
    }

    /// Evaluates a function over the window before each step.
    pub(super) fn windows(
        &self,
        selector: &MatrixSelector,
        function: WindowFunction,
    ) -> Result<Vec<Row>, QueryError> {
        let columns = matching(self.columns, &selector.vs)?;
        self.spend(columns.len().saturating_mul(self.steps.count()))?;
        let back_ms = offset_ms(&selector.vs);
        let range_ms = clamped_ms(selector.range.as_millis());
        let mut rows = Vec::with_capacity(columns.len());
        let mut samples = Vec::new();
        for column in columns {
            let mut values = Vec::with_capacity(self.steps.count());
            for at_ms in self.steps.times_ms() {
                let end_ms = at_ms.saturating_sub(back_ms);
                let start_ms = end_ms.saturating_sub(range_ms);
                column.collect_samples(start_ms, end_ms, &mut samples);
                self.spend(samples.len())?;
                let window = Window {
                    samples: &samples,
                    start_ms,
                    end_ms,
                };
                values.push(function.evaluate(&window).unwrap_or(ABSENT));
            }
            rows.push(Row {
                labels: column.labels.without(&[]),
                values,
            });
        }
        distinct(rows)
    }

    /// Returns the raw samples of a range selector, by labels.
    pub(super) fn raw(
        &self,
        selector: &MatrixSelector,
        at_ms: i64,
    ) -> Result<Vec<RawSeries>, QueryError> {
        let end_ms = at_ms.saturating_sub(offset_ms(&selector.vs));
        let start_ms = end_ms.saturating_sub(clamped_ms(selector.range.as_millis()));
        let mut series = Vec::new();
        for column in matching(self.columns, &selector.vs)? {
            let mut samples = Vec::new();
            column.collect_samples(start_ms, end_ms, &mut samples);
            self.spend(samples.len())?;
            if !samples.is_empty() {
                series.push(RawSeries {
                    labels: column.labels.clone(),
                    samples,
                });
            }
        }
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(series)
    }
}
