//! What a gauge of the control did before the rollout.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::proof::gauge::GaugePast;

/// The milliseconds of a gauge's past that are read: four whole hours. Source: docs/design/gauges.md, "7. The control's
/// past".
pub const GAUGE_PAST_MS: i64 = 4 * 3_600_000;

/// How much a gauge of the control varied by itself before the rollout: a few numbers, fixed for the whole rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GaugeBefore {
    /// Seconds between its samples. It tells nothing of samples that are further apart, or nearer.
    pub step_seconds: f64,
    /// What was measured.
    pub past: Arc<GaugePast>,
}
