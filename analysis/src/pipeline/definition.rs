//! What a name in a check stands for.

use std::collections::BTreeMap;

use crate::series::Populations;

use super::model::{Better, Dimension, Metric, MetricKind, Own};

/// What a name in a check may stand for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    /// The name that checks use.
    pub(super) name: String,
    /// What it says.
    pub(super) kind: DefinedKind,
    /// Which way is good.
    pub(super) better: Better,
    /// What a limit's unit may be.
    pub(super) dimension: Dimension,
    /// Whether it is fine that a canary has no series of its events.
    pub(super) events_may_be_absent: bool,
    /// How it selects the populations, where that is its own way.
    pub(super) own: Populations<Own>,
}

/// What a definition says of its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DefinedKind {
    /// It is measured like this.
    Measured(MetricKind),
    /// It is the relative loss of the metric of this name.
    ImpactOf(String),
}

impl Definition {
    /// The metric; nothing for an impact.
    pub(super) fn metric(&self) -> Option<Metric> {
        match &self.kind {
            DefinedKind::Measured(kind) => Some(Metric {
                name: self.name.clone(),
                kind: kind.clone(),
                better: self.better,
                dimension: self.dimension,
                events_may_be_absent: self.events_may_be_absent,
                own: self.own.clone(),
            }),
            DefinedKind::ImpactOf(_) => None,
        }
    }
}

/// What of some definitions is measured.
pub(super) fn measured(definitions: &BTreeMap<String, Definition>) -> BTreeMap<String, Metric> {
    definitions
        .iter()
        .filter_map(|(name, definition)| Some((name.clone(), definition.metric()?)))
        .collect()
}
