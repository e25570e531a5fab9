//! What was found out about the series of a metric when counts alone do not say what they mean: that
//! nothing was counted is good news only where something could have been.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::DataFault;
use crate::populations::{KindDifference, OtherMix};

/// What was found out about the series that a stage was judged from, beside their counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// By metric, of those where a selector found nothing: why.
    pub selectors: BTreeMap<String, SelectorFinding>,
    /// A series that is in both populations, as PromQL writes its labels.
    pub overlap: Option<String>,
    /// What the control spans that the canary has no part of.
    pub differences: Vec<KindDifference>,
    /// By metric, the label of which the populations get other mixes of requests.
    #[serde(default)]
    pub mixes: BTreeMap<String, OtherMix>,
}

impl Findings {
    /// Adds what was found out of another part of the stage.
    pub(super) fn absorb(&mut self, part: Self) {
        self.selectors.extend(part.selectors);
        self.mixes.extend(part.mixes);
        self.overlap = self.overlap.take().or(part.overlap);
        for difference in part.differences {
            if !self.differences.contains(&difference) {
                self.differences.push(difference);
            }
        }
    }
}

/// Why a selector found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectorFinding {
    /// Neither population has a series of the events, but there are series that could become one:
    /// nothing was to be counted yet.
    CouldMatch,
    /// No series will ever be selected.
    MatchesNothing(Mismatch),
    /// The events are all requests: what would tell them apart leaves nothing out.
    LeavesOutNothing(Mismatch),
    /// Only the canary has no series of the events, but it has some of their metric with every label
    /// that is asked for: repaired, or not counted.
    CanaryHasTheLabels,
    /// Only the canary has no series of the events, and none of their metric with every label that is
    /// asked for.
    CanaryLacksTheLabels(CanaryLack),
    /// A population has no series at all: where they most likely are.
    NotSeen(NotSeen),
    /// The source did not say.
    Unknown(DataFault),
}

/// What a selector asks for that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mismatch {
    /// Nothing has the name of the metric.
    Metric {
        /// The name.
        metric: String,
        /// Names that exist and are like it, the nearest first.
        near: Vec<String>,
    },
    /// No series of the metric has a label.
    Label {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
        /// What is asked of it: `code=~"5.."`.
        asked: String,
        /// The labels that its series have, the nearest first.
        near: Vec<String>,
    },
    /// No series of the metric has such a bound as a text.
    Bound {
        /// The metric.
        metric: String,
        /// What is asked for: `le="1"`.
        asked: String,
        /// Whether the first of `near` is the same number, written otherwise.
        is_same_number: bool,
        /// The bounds that there are, the nearest first.
        near: Vec<String>,
    },
}

/// What the canary's series of the events' metric have in place of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryLack {
    /// The metric.
    pub metric: String,
    /// The labels that are asked for, or the bound.
    pub asked: Vec<String>,
    /// What its series of the metric have in their place, the nearest first; nothing where it has no
    /// series.
    pub near: Vec<String>,
}

/// Where the series of a population most likely are that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotSeen {
    /// The selector itself finds nothing, whatever the population.
    Mismatch(Mismatch),
    /// A label by which the population is selected is on no series of the metric.
    Label {
        /// The metric.
        metric: String,
        /// The label.
        label: String,
        /// The labels that its series have, the nearest first.
        near: Vec<String>,
    },
    /// The label is there, with other values.
    Value {
        /// The metric.
        metric: String,
        /// What is asked of the label: `track="canary"`.
        asked: String,
        /// Values that it has, the nearest first.
        near: Vec<String>,
    },
    /// All that is asked for exists, but not together, or not in this window.
    Elsewhere {
        /// The metric.
        metric: String,
    },
}

/// Most names that are told.
const MOST_TOLD: usize = 4;

fn some(names: &[String]) -> String {
    let told = names.iter().take(MOST_TOLD).map(String::as_str);
    told.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metric { metric, near } if near.is_empty() => {
                write!(formatter, "no series is named {metric}")
            }
            Self::Metric { metric, near } => write!(
                formatter,
                "no series is named {metric}; there are {}",
                some(near)
            ),
            Self::Label {
                metric,
                label,
                asked,
                near,
            } => write!(
                formatter,
                "{asked} finds nothing: no series of {metric} has the label {label}; they have {}",
                some(near)
            ),
            Self::Bound {
                asked,
                is_same_number: true,
                near,
                ..
            } => {
                let there = near.first().map(String::as_str).unwrap_or_default();
                write!(
                    formatter,
                    "{asked} finds nothing, {there} is there: write it so"
                )
            }
            Self::Bound {
                metric,
                asked,
                near,
                ..
            } => write!(
                formatter,
                "{asked} finds nothing: the bounds of {metric} are {}",
                some(near)
            ),
        }
    }
}

impl fmt::Display for CanaryLack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            asked,
            near,
        } = self;
        if near.is_empty() {
            return write!(formatter, "the canary has no series of {metric}");
        }
        write!(
            formatter,
            "the canary has no series of {metric} with {}; they have {}",
            some(asked),
            some(near)
        )
    }
}

impl fmt::Display for NotSeen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch(mismatch) => mismatch.fmt(formatter),
            Self::Label {
                metric,
                label,
                near,
            } => write!(
                formatter,
                "no series of {metric} has the label {label}; they have {}",
                some(near)
            ),
            Self::Value {
                metric,
                asked,
                near,
            } => write!(
                formatter,
                "no series of {metric} has {asked}; there is {}",
                some(near)
            ),
            Self::Elsewhere { metric } => write!(
                formatter,
                "{metric} has such series, but none in this window that all matchers select"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let label = Mismatch::Label {
            metric: "http_requests_total".to_owned(),
            label: "code".to_owned(),
            asked: "code=~\"5..\"".to_owned(),
            near: texts(&["status", "pod", "job", "instance", "track"]),
        };
        assert_eq!(
            label.to_string(),
            "code=~\"5..\" finds nothing: no series of http_requests_total has the label code; they \
             have status, pod, job, instance"
        );
        let bound = Mismatch::Bound {
            metric: "d_bucket".to_owned(),
            asked: "le=\"1\"".to_owned(),
            is_same_number: true,
            near: texts(&["1.0"]),
        };
        assert_eq!(
            bound.to_string(),
            "le=\"1\" finds nothing, 1.0 is there: write it so"
        );
        let nothing_near = Mismatch::Metric {
            metric: "faults_total".to_owned(),
            near: Vec::new(),
        };
        assert_eq!(nothing_near.to_string(), "no series is named faults_total");
    }
}
