//! An evaluator of PromQL over the syntax tree of `promql-parser`: what Serinus asks and an
//! engineer tries, evaluated as Prometheus 3 does. What is not supported is refused by name,
//! never answered wrongly.
//!
//! An expression is evaluated at all steps at once, series by series, so that labels are worked
//! on once a query and not once a step.

mod aggregate;
mod binary;
mod error;
mod function;
mod histogram;
mod select;
mod value;
mod window;

use std::cell::Cell;
use std::panic::catch_unwind;

use promql_parser::parser::{Expr, VectorSelector};

use super::column::{Column, is_absent};
pub(super) use error::QueryError;
pub(super) use value::{RawSeries, Row, Steps, Value};

/// The longest query. The parser and the evaluator go down the tree by recursion: a longer one
/// could nest deeper than a thread's stack.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// The deepest nesting of parentheses.
const MAX_DEPTH: usize = 100;

/// How many operators count as one level: most stand side by side, not in one chain.
const OPERATORS_PER_LEVEL: usize = 4;

/// The most samples that a query may touch: Prometheus's default.
const MAX_SAMPLES: usize = 50_000_000;

/// What an instant query answers.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// Values at the query's time.
    Value(Value),
    /// The raw samples of a range selector.
    Raw(Vec<RawSeries>),
}

/// Returns the syntax tree of a query.
///
/// # Errors
///
/// [`QueryError::BadData`] if it does not parse, is too long or nests too deep.
pub(super) fn parse(query: &str) -> Result<Expr, QueryError> {
    let bad =
        |message: String| QueryError::BadData(format!("invalid parameter \"query\": {message}"));
    if query.len() > MAX_QUERY_BYTES {
        return Err(bad(format!(
            "the query has {} bytes, the demo takes up to {MAX_QUERY_BYTES}",
            query.len()
        )));
    }
    if nesting(query) > MAX_DEPTH {
        return Err(bad(format!(
            "the query nests more than {MAX_DEPTH} levels deep"
        )));
    }
    // The parser panics on a duration that does not fit, such as `[1e300]`.
    catch_unwind(|| promql_parser::parser::parse(query))
        .unwrap_or_else(|_| Err("a number is out of range".to_owned()))
        .map_err(|message| bad(format!("parse error: {message}")))
}

/// Evaluates an expression at one time.
///
/// # Errors
///
/// [`QueryError`] if it is not supported or has no value on this data.
pub(super) fn instant(columns: &[Column], expr: &Expr, at_ms: i64) -> Result<Answer, QueryError> {
    let evaluation = Evaluation::new(columns, Steps::instant(at_ms));
    match unwrapped(expr) {
        Expr::MatrixSelector(selector) => evaluation.raw(selector, at_ms).map(Answer::Raw),
        other => evaluation.evaluate(other).map(Answer::Value),
    }
}

/// Evaluates an expression at every step.
///
/// # Errors
///
/// [`QueryError`] if it is a range or a string, is not supported or has no value on this data.
pub(super) fn range(columns: &[Column], expr: &Expr, steps: Steps) -> Result<Value, QueryError> {
    let refuse = |what: &str| {
        Err(QueryError::BadData(format!(
            "invalid parameter \"query\": invalid expression type \"{what}\" for range query, \
             must be Scalar or instant Vector"
        )))
    };
    match unwrapped(expr) {
        Expr::MatrixSelector(_) | Expr::Subquery(_) => refuse("range vector"),
        Expr::StringLiteral(_) => refuse("string"),
        other => Evaluation::new(columns, steps).evaluate(other),
    }
}

/// Returns the series that a selector names.
///
/// # Errors
///
/// [`QueryError`] if it uses what is not supported.
pub(super) fn matching<'a>(
    columns: &'a [Column],
    selector: &VectorSelector,
) -> Result<Vec<&'a Column>, QueryError> {
    select::matching(columns, selector)
}

/// An expression without the parentheses around it.
fn unwrapped(expr: &Expr) -> &Expr {
    let mut inner = expr;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    inner
}

/// How deep the tree of a query can be, in levels of about the same cost: open parentheses, and
/// operators, whose chains make trees as deep as they are long. Strings do not count.
fn nesting(query: &str) -> usize {
    let (mut depth, mut deepest, mut operators) = (0_usize, 0, 0_usize);
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'-' | b'+' | b'*' | b'/' | b'%' | b'^' | b'<' | b'>' | b'=' => operators += 1,
            quote @ (b'"' | b'\'' | b'`') => {
                while let Some(inner) = bytes.next() {
                    if inner == b'\\' && quote != b'`' {
                        bytes.next();
                    } else if inner == quote {
                        break;
                    }
                }
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest.max(operators / OPERATORS_PER_LEVEL)
}

/// One evaluation: the series, the times, and how much may still be read.
#[derive(Debug)]
struct Evaluation<'a> {
    columns: &'a [Column],
    steps: Steps,
    samples_left: Cell<usize>,
}

impl<'a> Evaluation<'a> {
    fn new(columns: &'a [Column], steps: Steps) -> Self {
        Self {
            columns,
            steps,
            samples_left: Cell::new(MAX_SAMPLES),
        }
    }

    /// Counts samples that are about to be read.
    fn spend(&self, samples: usize) -> Result<(), QueryError> {
        let left = self
            .samples_left
            .get()
            .checked_sub(samples)
            .ok_or_else(|| {
                QueryError::Execution(
                    "query processing would load too many samples into memory in query execution"
                        .to_owned(),
                )
            })?;
        self.samples_left.set(left);
        Ok(())
    }

    fn evaluate(&self, expr: &Expr) -> Result<Value, QueryError> {
        match expr {
            Expr::Paren(paren) => self.evaluate(&paren.expr),
            Expr::NumberLiteral(number) => Ok(Value::Scalar(vec![number.val; self.steps.count()])),
            Expr::StringLiteral(text) => Ok(Value::Text(text.val.clone())),
            Expr::VectorSelector(selector) => self.select(selector).map(Value::Vector),
            Expr::Unary(unary) => self.negate(&unary.expr),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate).map(Value::Vector),
            Expr::Call(call) => self.call(call),
            Expr::MatrixSelector(_) => Err(QueryError::Execution(
                "a range selector must be the argument of a function".to_owned(),
            )),
            Expr::Subquery(_) => Err(QueryError::Unsupported("subqueries".to_owned())),
            Expr::Extension(_) => Err(QueryError::Unsupported("extensions".to_owned())),
        }
    }

    /// Evaluates what must be a vector.
    fn vector(&self, expr: &Expr) -> Result<Vec<Row>, QueryError> {
        match self.evaluate(expr)? {
            Value::Vector(rows) => Ok(rows),
            Value::Scalar(_) | Value::Text(_) => Err(QueryError::Execution(
                "expected an instant vector".to_owned(),
            )),
        }
    }

    /// Evaluates what must be a scalar.
    fn scalar(&self, expr: &Expr) -> Result<Vec<f64>, QueryError> {
        match self.evaluate(expr)? {
            Value::Scalar(numbers) => Ok(numbers),
            Value::Vector(_) | Value::Text(_) => {
                Err(QueryError::Execution("expected a scalar".to_owned()))
            }
        }
    }

    fn negate(&self, expr: &Expr) -> Result<Value, QueryError> {
        match self.evaluate(expr)? {
            Value::Scalar(numbers) => Ok(Value::Scalar(numbers.iter().map(|n| -n).collect())),
            Value::Vector(rows) => nameless(rows, |value| -value).map(Value::Vector),
            Value::Text(_) => Err(QueryError::Execution(
                "a string cannot be negated".to_owned(),
            )),
        }
    }
}

/// Applies a function to every value and drops the metric's name, as it is another metric now.
fn nameless(rows: Vec<Row>, function: impl Fn(f64) -> f64) -> Result<Vec<Row>, QueryError> {
    let changed = rows
        .into_iter()
        .map(|row| Row {
            labels: row.labels.without(&[]),
            values: row
                .values
                .into_iter()
                .map(|value| {
                    if is_absent(value) {
                        value
                    } else {
                        function(value)
                    }
                })
                .collect(),
        })
        .collect();
    distinct(changed)
}

/// Sorts rows by their labels and joins those with the same labels, as long as they have no value
/// at the same step. Rows without any value go.
fn distinct(mut rows: Vec<Row>) -> Result<Vec<Row>, QueryError> {
    rows.retain(|row| !row.is_empty());
    rows.sort_by(|left, right| left.labels.cmp(&right.labels));
    let mut joined: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match joined.last_mut().filter(|last| last.labels == row.labels) {
            None => joined.push(row),
            Some(last) => {
                for (target, value) in last.values.iter_mut().zip(row.values) {
                    if is_absent(value) {
                        continue;
                    }
                    if !is_absent(*target) {
                        return Err(QueryError::same_labels());
                    }
                    *target = value;
                }
            }
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests;
