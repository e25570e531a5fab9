//! What the file says of Kayenta's score, with its defaults.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the method `kayenta` asks beside its test. The defaults are Kayenta's and Spinnaker's.
///
/// Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KayentaSettings {
    /// The score from which on a stage passes.
    pub pass: f64,
    /// The score up to which a stage fails.
    pub marginal: f64,
    /// The weights of groups, in percent; the others share what these leave of 100.
    pub groups: BTreeMap<String, f64>,
    /// The ratio of the means, canary to control, from which on a critical check that is high makes the score 0.
    pub critical_increase: f64,
    /// The ratio up to which one that is low does.
    pub critical_decrease: f64,
}

impl Default for KayentaSettings {
    fn default() -> Self {
        Self {
            pass: 95.0,
            marginal: 75.0,
            groups: BTreeMap::new(),
            critical_increase: 1.0,
            critical_decrease: 1.0,
        }
    }
}

impl KayentaSettings {
    /// Whether the file says nothing of it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
