//! Calls of functions.

use promql_parser::parser::{Call, Expr};

use super::super::column::{ABSENT, is_absent};
use super::super::labels::Labels;
use super::window::WindowFunction;
use super::{Evaluation, QueryError, Row, Value, nameless, unwrapped};

impl Evaluation<'_> {
    /// Evaluates a call.
    pub(super) fn call(&self, call: &Call) -> Result<Value, QueryError> {
        let name = call.func.name;
        let argument = |index: usize| {
            call.args
                .args
                .get(index)
                .map(|argument| unwrapped(argument))
                .ok_or_else(|| {
                    QueryError::Execution(format!("{name} lacks argument {}", index + 1))
                })
        };
        if let Some(function) = WindowFunction::named(name) {
            return match argument(0)? {
                Expr::MatrixSelector(selector) => {
                    self.windows(selector, function).map(Value::Vector)
                }
                _ => Err(QueryError::Unsupported("subqueries".to_owned())),
            };
        }
        match name {
            "time" => Ok(Value::Scalar(self.step_times_seconds())),
            "timestamp" => self.timestamp(argument(0)?).map(Value::Vector),
            "vector" => Ok(Value::Vector(vec![Row {
                labels: Labels::default(),
                values: self.scalar(argument(0)?)?,
            }])),
            "scalar" => Ok(Value::Scalar(self.only_values(&self.vector(argument(0)?)?))),
            "abs" => nameless(self.vector(argument(0)?)?, f64::abs).map(Value::Vector),
            "clamp_min" => self.clamp(argument(0)?, argument(1)?, f64::max),
            "clamp_max" => self.clamp(argument(0)?, argument(1)?, f64::min),
            "histogram_quantile" => {
                let quantiles = self.scalar(argument(0)?)?;
                let buckets = self.vector(argument(1)?)?;
                super::histogram::quantile(&quantiles, &buckets).map(Value::Vector)
            }
            _ => Err(QueryError::Unsupported(format!("the function {name}"))),
        }
    }

    fn step_times_seconds(&self) -> Vec<f64> {
        self.steps
            .times_ms()
            .map(|at_ms| at_ms as f64 / 1000.0)
            .collect()
    }

    /// The time of each sample of a selector; of any other vector, the time of the step.
    fn timestamp(&self, expr: &Expr) -> Result<Vec<Row>, QueryError> {
        if let Expr::VectorSelector(selector) = expr {
            return self.sample_times(selector);
        }
        let times = self.step_times_seconds();
        let mut rows = self.vector(expr)?;
        for row in &mut rows {
            for (value, time) in row.values.iter_mut().zip(&times) {
                if !is_absent(*value) {
                    *value = *time;
                }
            }
        }
        nameless(rows, |value| value)
    }

    /// The value of the only series at each step, NaN where there are none or several.
    fn only_values(&self, rows: &[Row]) -> Vec<f64> {
        let mut only = vec![ABSENT; self.steps.count()];
        for row in rows {
            for (target, value) in only.iter_mut().zip(&row.values) {
                if is_absent(*value) {
                    continue;
                }
                *target = if is_absent(*target) { *value } else { f64::NAN };
            }
        }
        only.into_iter()
            .map(|value| if is_absent(value) { f64::NAN } else { value })
            .collect()
    }

    /// Applies `choose` to each value and the limit of its step. A limit that is NaN makes NaN.
    fn clamp(
        &self,
        vector: &Expr,
        limit: &Expr,
        choose: impl Fn(f64, f64) -> f64,
    ) -> Result<Value, QueryError> {
        let mut rows = self.vector(vector)?;
        let limits = self.scalar(limit)?;
        for row in &mut rows {
            for (value, limit) in row.values.iter_mut().zip(&limits) {
                if is_absent(*value) {
                    continue;
                }
                // Rust's `max` and `min` prefer the number, Go's the NaN.
                *value = if value.is_nan() || limit.is_nan() {
                    f64::NAN
                } else {
                    choose(*value, *limit)
                };
            }
        }
        nameless(rows, |value| value).map(Value::Vector)
    }
}
