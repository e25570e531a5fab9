//! Events among a total.

use super::IntervalError;

/// Events among a total: `0 <= events <= total`, both finite.
///
/// Both are `f64`, as Prometheus' counters are; they need not be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Count {
    events: f64,
    total: f64,
}

impl Count {
    /// Returns the count.
    ///
    /// # Errors
    ///
    /// [`IntervalError::NotACount`] if one is NaN, infinite or negative;
    /// [`IntervalError::MoreEventsThanTotal`] if `events > total`.
    pub fn new(events: f64, total: f64) -> Result<Self, IntervalError> {
        let is_count = |value: f64| value.is_finite() && value >= 0.0;
        if !(is_count(events) && is_count(total)) {
            return Err(IntervalError::NotACount { events, total });
        }
        if events > total {
            return Err(IntervalError::MoreEventsThanTotal { events, total });
        }
        Ok(Self { events, total })
    }

    /// The events.
    pub fn events(self) -> f64 {
        self.events
    }

    /// What they are among.
    pub fn total(self) -> f64 {
        self.total
    }

    /// Whether nothing was counted: no share can be estimated.
    pub fn is_empty(self) -> bool {
        self.total <= 0.0
    }

    /// `events / total`, in `[0, 1]`; nothing when the total is zero.
    pub fn share(self) -> Option<f64> {
        (!self.is_empty()).then(|| self.events / self.total)
    }
}
