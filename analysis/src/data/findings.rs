//! What was found out about the series of a metric when counts alone do not say what they mean: that
//! nothing was counted is good news only where something could have been.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::DataFault;
use crate::populations::{KindDifference, OtherMix, SeriesLabels};
use crate::series::{Population, Populations};

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
    /// By metric, of those whose events are some of the series of their total: which labels those have.
    #[serde(default)]
    pub labels: BTreeMap<String, Populations<SeriesLabels>>,
    /// How often targets are scraped, where that is less often than the grid has intervals.
    pub scraped_each_seconds: Option<u32>,
}

impl Findings {
    /// Adds what was found out of another part of the stage.
    pub(super) fn absorb(&mut self, part: Self) {
        self.selectors.extend(part.selectors);
        self.mixes.extend(part.mixes);
        self.labels.extend(part.labels);
        self.scraped_each_seconds = self.scraped_each_seconds.or(part.scraped_each_seconds);
        self.overlap = self.overlap.take().or(part.overlap);
        for difference in part.differences {
            if !self.differences.contains(&difference) {
                self.differences.push(difference);
            }
        }
    }
}

/// Why a selector found nothing, or everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectorFinding {
    /// Neither population has a series of the events, but there are series that could become one:
    /// nothing was to be counted yet.
    CouldMatch,
    /// The same, but what is asked of a label selects none of the values that it has so far.
    NoSuchValue(Mismatch),
    /// No series will ever be selected.
    MatchesNothing(Mismatch),
    /// The events are all requests: what would tell them apart leaves nothing out.
    LeavesOutNothing(Mismatch),
    /// The events are the total: nothing tells them apart.
    AllAreEvents,
    /// Only the canary has no series of the events, but it has some of their metric with every label
    /// that is asked for: repaired, or not counted.
    CanaryHasTheLabels,
    /// One population has no series of the events' metric with every label that is asked for.
    #[serde(alias = "CanaryLacksTheLabels")]
    LacksTheLabels(Lack),
    /// A population has no series at all: where they most likely are.
    NotSeen(NotSeen),
    /// What is given as a gauge is a counter.
    Counter {
        /// Its name.
        metric: String,
        /// Another part of the same histogram or summary; nothing where the name alone says it.
        beside: Option<String>,
    },
    /// What is given as a gauge has a counter's name, and is none.
    NoCounter,
    /// The source did not say.
    Unknown(DataFault),
}

/// What is said of a counter that is given as a gauge.
pub(crate) fn is_a_counter(metric: &str, beside: Option<&str>) -> String {
    let by = beside.map_or_else(String::new, |beside| {
        format!(" ({beside} stands beside it)")
    });
    format!(
        "{metric} is a counter{by}, which grows with the age of its process: give rate(..) of it, or \
         {{counter: .., per: requests}}"
    )
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
    /// Only series of neither population have the name of the metric.
    OfOthers {
        /// The name.
        metric: String,
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
        /// Whether series have it that are of neither population, or of another time.
        #[serde(default)]
        others_have_it: bool,
    },
    /// No value of a label is selected.
    Value {
        /// The label.
        label: String,
        /// What is asked of it: `code=~"5..."`.
        asked: String,
        /// The values that it has, the nearest first.
        near: Vec<String>,
        /// Whether it is certain of any value to come as well: those that there are are HTTP statuses,
        /// and no status would be treated otherwise.
        is_of_every_status: bool,
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

/// What the series of the events' metric have in one population in place of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// The population that lacks it.
    #[serde(default)]
    pub population: Population,
    /// The metric.
    pub metric: String,
    /// The labels that are asked for, or the bound.
    pub asked: Vec<String>,
    /// What its series of the metric have in their place, the nearest first; nothing where it has no
    /// series.
    pub near: Vec<String>,
    /// Whether every series of the other population has them, so that they do not come with an event.
    #[serde(default)]
    pub is_renamed: bool,
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

/// Said of events that nothing tells from the total.
pub const ALL_ARE_EVENTS: &str =
    "every request counts as one: the events are the total, whatever happens";

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
            Self::OfOthers { metric } => write!(
                formatter,
                "no series of control or canary is named {metric}, others are"
            ),
            Self::Label { asked, .. } | Self::Value { asked, .. } => {
                write!(formatter, "{asked} finds nothing: {}", self.what_there_is())
            }
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

impl Mismatch {
    /// The same of a matcher that is to leave something out, for want of what it would leave out.
    pub fn left_out(&self) -> String {
        match self {
            Self::Label { asked, .. } | Self::Value { asked, .. } => format!(
                "every request counts as one: {asked} leaves nothing out: {}",
                self.what_there_is()
            ),
            Self::Metric { .. } | Self::OfOthers { .. } | Self::Bound { .. } => self.to_string(),
        }
    }

    /// What a matcher finds in place of what it is about.
    pub fn what_there_is(&self) -> String {
        match self {
            Self::Label {
                metric,
                label,
                near,
                others_have_it: false,
                ..
            } => format!(
                "no series of {metric} has the label {label}; they have {}",
                some(near)
            ),
            Self::Label {
                metric,
                label,
                near,
                ..
            } => format!(
                "no series of {metric} of control or canary has the label {label} (others or older ones \
                 have); they have {}",
                some(near)
            ),
            Self::Value {
                near,
                is_of_every_status: true,
                ..
            } => format!("there is {}, and no HTTP status is like that", some(near)),
            Self::Value { label, near, .. } => format!("of {label} there is {}", some(near)),
            Self::Metric { .. } | Self::OfOthers { .. } | Self::Bound { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            population,
            metric,
            asked,
            near,
            ..
        } = self;
        if near.is_empty() {
            return write!(formatter, "the {population} has no series of {metric}");
        }
        write!(
            formatter,
            "the {population} has no series of {metric} with {}; they have {}",
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
                "{metric} has series for each of these matchers, but none in this window for all of \
                 them: not there yet, or not any more"
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
            others_have_it: false,
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
