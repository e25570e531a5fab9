//! The lines that a canary may be shown to be beyond.

use super::SequentialError;

/// Which side of a line evidence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The canary is above the line: a violation where less is better, compliance where more is.
    Above,
    /// The canary is below the line.
    Below,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::Below => Self::Above,
        }
    }
}

/// A line relative to the control, `control * ratio + offset`, and the side of it that evidence is
/// for.
///
/// The limit `metric < baseline * r + d` is violated [`Side::Above`] of `(r, d)` and kept
/// [`Side::Below`] of the wider `(R, d)`. The limit `metric > baseline * r - d` is violated
/// [`Side::Below`] of `(r, -d)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeLimit {
    ratio: f64,
    offset: f64,
    side: Side,
}

impl RelativeLimit {
    /// Returns the line. A ratio of 0 makes it an absolute one, for Poisson counts.
    ///
    /// # Errors
    ///
    /// [`SequentialError::RelativeLimit`] unless `1e-6 <= ratio <= 1e6`, or `ratio` is 0 and the
    /// offset positive, and `|offset| <= 1e30`.
    pub fn new(ratio: f64, offset: f64, side: Side) -> Result<Self, SequentialError> {
        let is_ratio = (1e-6..=1e6).contains(&ratio) || (ratio == 0.0 && offset > 0.0);
        if !is_ratio || !(-1e30..=1e30).contains(&offset) {
            return Err(SequentialError::RelativeLimit { ratio, offset });
        }
        Ok(Self {
            ratio,
            offset,
            side,
        })
    }

    /// The factor of the control's metric.
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// What is added, in the unit of the metric. May be negative.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// The side that evidence is for.
    pub fn side(&self) -> Side {
        self.side
    }
}

/// The law of counts under an absolute limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountLaw {
    /// Each request fails or does not: shares of requests, also with unequal probabilities.
    Bernoulli,
    /// Events per exposure: restarts, retries, pauses. With the formula of shares the expectation
    /// under the limit would be above 1.
    Poisson,
}

/// A fixed line and the side of it that evidence is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbsoluteLimit {
    limit: f64,
    side: Side,
    law: CountLaw,
}

impl AbsoluteLimit {
    /// Returns the line.
    ///
    /// # Errors
    ///
    /// [`SequentialError::AbsoluteLimit`] unless `1e-30 <= limit <= 1e30`, and `limit < 1` for
    /// [`CountLaw::Bernoulli`].
    pub fn new(limit: f64, side: Side, law: CountLaw) -> Result<Self, SequentialError> {
        let is_valid = (1e-30..=1e30).contains(&limit)
            && match law {
                CountLaw::Bernoulli => limit < 1.0,
                CountLaw::Poisson => true,
            };
        is_valid
            .then_some(Self { limit, side, law })
            .ok_or(SequentialError::AbsoluteLimit { limit })
    }

    /// The limit, in events per exposure.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// The side that evidence is for.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The law of the counts.
    pub fn law(&self) -> CountLaw {
        self.law
    }
}

/// The share of good canaries that may be rolled back, or of bad ones that may be promoted: a number
/// strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct ErrorRate(f64);

impl ErrorRate {
    /// `alpha`, the default budget of a rollout for false rollbacks: 0.01.
    pub const ROLLBACK: Self = Self(0.01);
    /// `beta`, the default budget of a stage for false promotions: 0.05.
    pub const PROMOTION: Self = Self(0.05);
    /// The budget of the test of the traffic split: 0.001.
    pub const SPLIT: Self = Self(0.001);

    /// Returns the rate.
    ///
    /// # Errors
    ///
    /// [`SequentialError::ErrorRate`] unless `1e-300 <= rate < 1`.
    pub fn new(rate: f64) -> Result<Self, SequentialError> {
        if (1e-300..1.0).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(SequentialError::ErrorRate { rate })
        }
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Returns the value of `ln E` that proves: `ln(1 / rate + 1)`.
    ///
    /// Not `ln(1 / rate)`: evidence that is divided by a dispersion estimated from the same data obeys
    /// `E <= 1 + (exact evidence)`, and the 1 is paid for here.
    ///
    /// ```
    /// use serinus_analysis::sequential::ErrorRate;
    ///
    /// assert!((ErrorRate::ROLLBACK.log_threshold() - 4.61512051684126).abs() < 1e-14);
    /// assert!((ErrorRate::PROMOTION.log_threshold() - 3.044522437723423).abs() < 1e-14);
    /// ```
    pub fn log_threshold(self) -> f64 {
        libm::log(1.0 / self.0 + 1.0)
    }
}

/// Returns the ratio that compliance is shown against for a limit `metric < baseline * r`, unless it
/// is configured: `max(2, 1.25 r)`.
pub fn default_promotion_ratio(violation_ratio: f64) -> f64 {
    (1.25 * violation_ratio).max(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_cannot_be_tested_are_refused() {
        for (ratio, offset) in [
            (f64::NAN, 0.0),
            (-1.0, 0.0),
            (f64::INFINITY, 0.0),
            (1.0, f64::NAN),
            (0.0, 0.0),
            (0.0, -1.0),
        ] {
            assert!(RelativeLimit::new(ratio, offset, Side::Above).is_err());
        }
        assert!(RelativeLimit::new(0.0, 0.001, Side::Above).is_ok());
        for limit in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(AbsoluteLimit::new(limit, Side::Above, CountLaw::Bernoulli).is_err());
        }
        assert!(AbsoluteLimit::new(1.0, Side::Above, CountLaw::Poisson).is_ok());
        for rate in [0.0, 1.0, f64::NAN, -1.0] {
            assert!(ErrorRate::new(rate).is_err());
        }
    }
}
