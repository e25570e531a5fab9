//! How a population does now, for the comments of the file and for limits that suit it.

use crate::matchers::Matchers;
use crate::query::{QueryError, gauge_values, histogram_parts, quantile_of_rates, rates_by};

use super::{Choice, PRESENT_SECONDS};

/// What is asked about a population. Each answer is one value, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentQuestions {
    /// Its requests in a second.
    pub requests: String,
    /// Its failed requests in a second, where they can be told.
    pub errors: Option<String>,
    /// The 99th percentile of their durations, in the unit of the histogram.
    pub latency: Option<String>,
    /// The mean of the memory of its processes, in bytes.
    pub memory: Option<String>,
}

/// How a population does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Present {
    /// Its requests in a second.
    pub per_second: f64,
    /// Its failed requests in a second; nothing where they cannot be told.
    pub errors_per_second: Option<f64>,
    /// The 99th percentile of their durations in seconds, where it is known.
    pub latency_seconds: Option<f64>,
    /// The mean of the memory of its processes in bytes, where it is known.
    pub memory_bytes: Option<f64>,
}

impl Choice {
    /// The selector of the buckets, whose bounds say how far a limit may lie; nothing without a histogram.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where it cannot be written.
    pub fn buckets(&self) -> Result<Option<String>, QueryError> {
        let histogram = self.counter.histogram.as_ref();
        let selector = histogram.map(|one| histogram_parts(&one.selector)?.whole_metric());
        selector.transpose()
    }

    /// The largest bound among the values of the label of bounds, in seconds; infinity is none.
    pub fn largest_bound_seconds(&self, bounds: &[String]) -> Option<f64> {
        let scale = self.counter.histogram.as_ref()?.scale;
        let bounds = bounds.iter().filter_map(|bound| bound.parse::<f64>().ok());
        let finite = bounds.filter(|bound| bound.is_finite());
        finite.reduce(f64::max).map(|bound| bound * scale)
    }

    /// What to ask about one of its populations.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where a question cannot be written.
    pub fn questions(&self, population: &Matchers) -> Result<PresentQuestions, QueryError> {
        let rates = |selector: &str| rates_by(selector, population, PRESENT_SECONDS, &[]);
        let counter = &self.counter;
        let quantile = counter.histogram.as_ref().map(|histogram| {
            quantile_of_rates(0.99, &histogram.selector, population, PRESENT_SECONDS)
        });
        let memory = counter.preset.map(|preset| {
            let values = gauge_values(preset.resources.memory, population)?;
            Ok(format!("avg({values})"))
        });
        Ok(PresentQuestions {
            requests: rates(&counter.total)?,
            errors: counter.errors.as_deref().map(rates).transpose()?,
            latency: quantile.transpose()?,
            memory: memory.transpose()?,
        })
    }
}

impl Present {
    /// The share of failed requests; nothing without requests, or where failures cannot be told.
    pub(super) fn error_share(&self) -> Option<f64> {
        let errors = self.errors_per_second?;
        (self.per_second > 0.0).then(|| errors / self.per_second)
    }
}
