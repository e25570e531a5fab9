//! What does not change about a stream.

use std::sync::Arc;

use super::assumed::Counted;
use super::line::Line;
use super::past_noise::PastNoise;

/// What is fixed when a rollout begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What evidence is for.
    pub line: Line,
    /// The length of an interval.
    pub interval_seconds: f64,
    /// What is counted.
    pub counted: Counted,
    /// The noise measured before the rollout, if it was.
    pub past: Option<Arc<PastNoise>>,
}
