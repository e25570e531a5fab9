//! Intervals for proportions, rates and means, for a single look at the data.
//!
//! "A single look" is meant: an interval of 99 % that is looked at after every scrape leaves the truth
//! out far more often than in 1 % of rollouts. Evidence that may be polled is the subject of the
//! sequential method.
//!
//! Written here because no crate has them: `statrs` has neither Wilson's interval nor any interval of
//! a difference or a ratio.

mod confidence;
mod count;
mod mean;
mod proportion;
mod rate;
mod ratio;

pub use confidence::Confidence;
pub use count::Count;
pub use mean::mean_interval;
pub use proportion::{newcombe_difference, wilson_interval};
pub use rate::{poisson_rate_interval, rate_ratio};
pub use ratio::{RatioEstimate, proportion_ratio};

use crate::pipeline::Better;

/// A closed interval of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    lower: f64,
    upper: f64,
}

impl Interval {
    /// Returns the interval, or nothing when a bound is NaN or `lower > upper`. A bound may be
    /// infinite.
    pub fn new(lower: f64, upper: f64) -> Option<Self> {
        (lower <= upper).then_some(Self { lower, upper })
    }

    /// The interval around an estimate, which rounding must not leave outside. The caller knows that
    /// no argument is NaN.
    fn around(estimate: f64, lower: f64, upper: f64) -> Self {
        debug_assert!(!estimate.is_nan(), "an interval around NaN");
        Self {
            lower: lower.min(estimate),
            upper: upper.max(estimate),
        }
    }

    /// The lower bound.
    pub fn lower(self) -> f64 {
        self.lower
    }

    /// The upper bound.
    pub fn upper(self) -> f64 {
        self.upper
    }
}

/// An estimate with the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate: always finite, always inside the interval.
    pub value: f64,
    /// The interval.
    pub interval: Interval,
}

/// Why a number cannot be counted with.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum IntervalError {
    /// Events or total is NaN, infinite or negative.
    #[error("cannot count {events} events of {total}: both must be finite and not negative")]
    NotACount {
        /// The events.
        events: f64,
        /// The total.
        total: f64,
    },
    /// More events than there are in total.
    #[error("cannot count {events} events of {total}: there are more events than the total")]
    MoreEventsThanTotal {
        /// The events.
        events: f64,
        /// The total.
        total: f64,
    },
    /// A confidence that is no probability strictly between 0 and 1.
    #[error("confidence {value} must lie between 0 and 1, such as 0.99")]
    NotAConfidence {
        /// The value.
        value: f64,
    },
}

/// How the canary's interval lies to the control's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Classification {
    /// The canary is worse, without overlap.
    Regression,
    /// The canary is better, without overlap.
    Improvement,
    /// The intervals overlap.
    Neutral,
}

impl Classification {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Improvement => "improvement",
            Self::Neutral => "neutral",
        }
    }
}

/// Returns how the canary's interval lies to the control's: a regression or an improvement when they
/// do not overlap, otherwise neutral. Intervals that touch overlap.
///
/// Stricter than a test at the same confidence: two 95 % intervals without overlap are about a test
/// at 99.4 %. Valid for a single look.
///
/// ```
/// use serinus_analysis::interval::{Confidence, Count, classify, wilson_interval};
/// use serinus_analysis::judge::Classification;
/// use serinus_analysis::pipeline::Better;
///
/// let confidence = Confidence::new(0.95).unwrap();
/// let control = wilson_interval(Count::new(100.0, 100_000.0).unwrap(), confidence);
/// let canary = wilson_interval(Count::new(10.0, 1_000.0).unwrap(), confidence);
/// assert_eq!(classify(control, canary, Better::Lower), Classification::Regression);
/// assert_eq!(classify(control, canary, Better::Higher), Classification::Improvement);
/// ```
pub fn classify(control: Interval, canary: Interval, better: Better) -> Classification {
    let (above, below) = match better {
        Better::Lower => (Classification::Regression, Classification::Improvement),
        Better::Higher => (Classification::Improvement, Classification::Regression),
    };
    if canary.lower > control.upper {
        above
    } else if canary.upper < control.lower {
        below
    } else {
        Classification::Neutral
    }
}
