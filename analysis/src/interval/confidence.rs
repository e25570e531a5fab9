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
    /// The confidence of Kayenta's judge, 0.98.
    pub const KAYENTA: Self = Self {
        value: 0.98,
        normal_quantile: 2.326_347_874_040_840_8,
    };

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_is_what_the_constructor_makes() {
        let made = Confidence::new(0.98).unwrap();
        assert_eq!(
            Confidence::KAYENTA.value().to_bits(),
            made.value().to_bits()
        );
        let difference = Confidence::KAYENTA.normal_quantile() - made.normal_quantile();
        assert!(difference.abs() < 1e-15);
    }

    #[test]
    fn what_is_no_probability_between_0_and_1_is_refused() {
        for value in [
            0.0,
            1.0,
            -0.5,
            1.5,
            99.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ] {
            assert!(Confidence::new(value).is_err(), "{value}");
        }
    }

    #[test]
    fn the_ends_of_the_doubles_are_confidences() {
        for value in [f64::MIN_POSITIVE, 1e-17, 1.0 - f64::EPSILON / 2.0] {
            let confidence = Confidence::new(value).unwrap();
            assert!(
                confidence.normal_quantile().is_finite() && confidence.normal_quantile() >= 0.0
            );
        }
    }
}
