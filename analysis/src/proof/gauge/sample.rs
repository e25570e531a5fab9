//! What is known of a gauge at one time.

use std::sync::Arc;

/// Beyond it a value is counted as so much: squares stay finite.
const MOST: f64 = 1e100;

/// What one pod has.
#[derive(Debug, Clone, PartialEq)]
pub struct PodValue {
    /// Its name, the same at each sample.
    pub pod: Arc<str>,
    /// In the gauge's unit.
    pub value: f64,
}

/// Requests per pod in a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loads {
    /// Of a canary pod.
    pub canary: f64,
    /// Of a control pod.
    pub control: f64,
}

/// Both populations at one time. What is not finite is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GaugeSample {
    /// When it was taken, in seconds: later than all before it.
    pub at_seconds: f64,
    /// The mean of the canary's pods.
    pub canary: Option<f64>,
    /// The mean of the control's pods.
    pub control: Option<f64>,
    /// The canary's pods that have a value; empty where an expression aggregates by itself.
    pub canary_pods: Vec<PodValue>,
    /// The control's pods that have a value.
    pub control_pods: Vec<PodValue>,
    /// The age of the oldest canary pod; nothing where it is old.
    pub canary_age_seconds: Option<f64>,
    /// For a counter per request: the load of both.
    pub loads: Option<Loads>,
    /// Whether all series of a side are young: that a value is missing is no lack then.
    pub is_warming_up: bool,
}

impl GaugeSample {
    pub(super) fn canary(&self) -> Option<f64> {
        self.canary.and_then(counted)
    }

    pub(super) fn control(&self) -> Option<f64> {
        self.control.and_then(counted)
    }
}

/// A value as it is counted; nothing of what is not finite.
pub(super) fn counted(value: f64) -> Option<f64> {
    value.is_finite().then(|| value.clamp(-MOST, MOST))
}
