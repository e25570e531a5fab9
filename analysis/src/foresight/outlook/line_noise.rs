//! The noise that a plan reckons with.

use crate::proof::PastNoise;

/// Where the dispersion comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineNoise {
    /// What is assumed without history.
    Assumed,
    /// What the caller says.
    Given(f64),
    /// What two parts of the service showed against each other.
    Measured(PastNoise),
}
