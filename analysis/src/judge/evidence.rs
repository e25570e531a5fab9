//! What the sequential method may spend.

use crate::sequential::ErrorRate;

/// How long and how sure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    /// The share of good canaries that the whole rollout may roll back.
    pub(crate) rollout: ErrorRate,
    /// The share of bad canaries that this stage may promote.
    pub(crate) promotion: ErrorRate,
}

impl Budget {
    /// The error rate at whose threshold evidence with this share of the rollout's weights decides alone:
    /// `(1 / alpha + 1) / share = 1 / rate + 1`.
    pub(crate) fn rollback_alone(&self, share: f64) -> ErrorRate {
        let threshold = (1.0 / self.rollout.value() + 1.0) / share;
        ErrorRate::new(1.0 / (threshold - 1.0)).unwrap_or(self.rollout)
    }
}
