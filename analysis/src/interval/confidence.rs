//! How sure an interval shall be.

use super::IntervalError;
use crate::special::{Tail, normal_quantile};

/// The confidence of a two-sided interval: a number strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence {
    value: f64,
    normal_quantile: f64,
}

impl Confidence {
    /// Returns the confidence.
    ///
    /// # Errors
    ///
    /// [`IntervalError::NotAConfidence`] unless `0 < value < 1`.
    ///
    /// ```
    /// use serinus_analysis::interval::Confidence;
    ///
    /// assert!((Confidence::new(0.95).unwrap().normal_quantile() - 1.959963984540054).abs() < 1e-14);
    /// assert!(Confidence::new(95.0).is_err());
    /// ```
    pub fn new(value: f64) -> Result<Self, IntervalError> {
        let refused = IntervalError::NotAConfidence { value };
        if !(value > 0.0 && value < 1.0) {
            return Err(refused);
        }
        let normal_quantile =
            normal_quantile(0.5 * (1.0 - value), Tail::Upper).map_err(|_| refused)?;
        Ok(Self {
            value,
            normal_quantile,
        })
    }

    /// The number between 0 and 1.
    pub fn value(self) -> f64 {
        self.value
    }

    /// What is left on each side: `(1 - confidence) / 2`.
    pub fn tail(self) -> f64 {
        0.5 * (1.0 - self.value)
    }

    /// The normal quantile `z` of `1 - tail`: 1.96 for 0.95.
    pub fn normal_quantile(self) -> f64 {
        self.normal_quantile
    }
}
