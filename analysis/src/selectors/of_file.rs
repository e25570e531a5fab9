//! Every selector of a pipeline, held against a source before a rollout begins: it says what the gate
//! would say, earlier.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::{Mismatch, NotSeen, SelectorFinding};
use crate::matchers::Matchers;
use crate::pipeline::{Metric, MetricKind, Pipeline, Selection};
use crate::query::{
    QueryError, SelectorParts, counter_parts, expression_parts, histogram_parts, region_matcher,
};
use crate::series::Populations;

use super::Lookup;
use super::needed::selector_of;

/// One thing to find out about a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLookup {
    /// The name of the metric.
    pub metric: String,
    about: About,
    /// What to find out.
    pub lookup: Lookup,
}

/// What a lookup is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// A selector of the file, which must be able to match.
    Selector {
        /// Whether the first event may be what makes its series.
        may_be_absent: bool,
    },
    /// A population.
    Population(&'static str),
}

/// How much it matters what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookedLevel {
    /// It can never match: the stage would hold for ever.
    Error,
    /// It finds nothing yet.
    Warning,
    /// The source does not say.
    Unknown,
    /// What to write instead.
    Hint,
}

/// What was found of one lookup, where there is something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The name of the metric.
    pub metric: String,
    /// How much it matters.
    pub level: LookedLevel,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for Looked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.metric, self.message)
    }
}

impl FileLookup {
    /// What there is to say of what was found.
    pub fn said_of(&self, found: &SelectorFinding) -> Option<Looked> {
        let say = |level, message: String| {
            Some(Looked {
                metric: self.metric.clone(),
                level,
                message,
            })
        };
        match (found, self.about) {
            (
                SelectorFinding::MatchesNothing(why @ Mismatch::Metric { .. }),
                About::Selector {
                    may_be_absent: true,
                },
            ) => say(LookedLevel::Warning, why.to_string()),
            (SelectorFinding::MatchesNothing(why), _) => say(LookedLevel::Error, why.to_string()),
            (
                SelectorFinding::NotSeen(why @ (NotSeen::Label { .. } | NotSeen::Value { .. })),
                About::Population(population),
            ) => say(LookedLevel::Warning, format!("of the {population}: {why}")),
            (SelectorFinding::Unknown(fault), _) => {
                let message = format!("it cannot be looked up: {}", fault.message);
                say(LookedLevel::Unknown, message)
            }
            // What is wrong with the selector itself is told of it.
            (
                SelectorFinding::NotSeen(_)
                | SelectorFinding::CouldMatch
                | SelectorFinding::LeavesOutNothing(_)
                | SelectorFinding::CanaryHasTheLabels
                | SelectorFinding::CanaryLacksTheLabels(_),
                _,
            ) => None,
        }
    }
}

/// What to find out about a pipeline, each thing once: of every selector of the metrics that its checks
/// and kill switches measure, whether it could match, and of both populations whether the metric has
/// their labels and values. Before a rollout there may be no canary, so a value that is not there is no
/// more than a warning.
pub fn of_file(pipeline: &Pipeline, populations: Populations<&Matchers>) -> Vec<FileLookup> {
    let stages = pipeline.stages.iter().flat_map(|stage| &stage.checks);
    let measured: BTreeMap<&str, &Metric> = stages
        .chain(&pipeline.kill_switch)
        .map(|check| (check.measured.name.as_str(), &*check.measured))
        .collect();
    let mut all: Vec<FileLookup> = Vec::new();
    for (name, metric) in measured {
        // What cannot be read was refused when the file was.
        let Ok(selectors) = selectors(metric) else {
            continue;
        };
        for (parts, may_be_absent) in selectors {
            all.push(FileLookup {
                metric: name.to_owned(),
                about: About::Selector { may_be_absent },
                lookup: Lookup::of_selector(parts),
            });
        }
        let Ok(Some(whole)) = selector_of(&metric.kind) else {
            continue;
        };
        let regions: Vec<String> = regions(pipeline);
        let region = region_matcher(&pipeline.region_label, &regions);
        for (population, matchers) in [
            ("control", populations.control),
            ("canary", populations.canary),
        ] {
            let mut matchers = matchers.clone();
            matchers.extend(region.clone());
            if !matchers.is_empty() {
                all.push(FileLookup {
                    metric: name.to_owned(),
                    about: About::Population(population),
                    lookup: Lookup::of_unseen(whole.clone(), matchers),
                });
            }
        }
    }
    all
}

/// The regions of all stages, where every stage has some.
fn regions(pipeline: &Pipeline) -> Vec<String> {
    let stages = &pipeline.stages;
    if stages.iter().any(|stage| stage.regions.is_empty()) {
        return Vec::new();
    }
    let all = stages.iter().flat_map(|stage| &stage.regions);
    all.cloned().collect()
}

/// The selectors of a metric, and of each whether the first event may be what makes its series.
fn selectors(metric: &Metric) -> Result<Vec<(SelectorParts, bool)>, QueryError> {
    let may_be_absent = metric.events_may_be_absent;
    let parts = |selection: &Selection, parts: PartsOf, may_be_absent: bool| {
        let all = selection.every().map(parts);
        let found: Result<Vec<Vec<SelectorParts>>, QueryError> = all.collect();
        let found = found?.into_iter().flatten();
        Ok(found
            .map(move |parts| (parts, may_be_absent))
            .collect::<Vec<_>>())
    };
    let counter: PartsOf = |text| Ok(vec![counter_parts(text)?]);
    match &metric.kind {
        MetricKind::Proportion { events, total, .. } => {
            let mut all = parts(events, counter, may_be_absent)?;
            all.extend(parts(total, counter, false)?);
            Ok(all)
        }
        MetricKind::EventRate { events, .. } => parts(events, counter, may_be_absent),
        MetricKind::Quantile {
            histogram,
            is_native: false,
            ..
        } => parts(histogram, |text| Ok(vec![histogram_parts(text)?]), false),
        MetricKind::Quantile { histogram, .. } => parts(histogram, counter, false),
        MetricKind::Gauge { expression, .. } => parts(expression, expression_parts, false),
        MetricKind::PerRequest {
            counter: used,
            total,
        } => {
            let mut all = parts(used, counter, false)?;
            all.extend(parts(total, counter, false)?);
            Ok(all)
        }
    }
}

/// How the selectors of a text are found.
type PartsOf = fn(&str) -> Result<Vec<SelectorParts>, QueryError>;

#[cfg(test)]
mod tests {
    use super::super::Ask;
    use super::super::Step;
    use super::*;
    use crate::pipeline::parse;

    const FILE: &str = "
control: {job: shop, track: stable}
canary: {job: shop, track: canary}
metrics:
  failures: {errors: 'faults_total{kind=\"timeout\"}', total: http_requests_total}
  queue: {gauge: 'depth{queue=\"a\"} / limit'}
kill_switch: [queue > 5]
canary_pipeline:
  a: {traffic_percent: 5, duration_minutes: 60, metrics: [failures < 1%, latency_p99 < 1s]}
";

    /// What is said of a file by an index in which every metric of these names has these labels, and
    /// every label these values.
    fn said(file: &str, metrics: &[&str], labels: &[&str], values: &[&str]) -> Vec<String> {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let answer = |ask: &Ask| -> Vec<String> {
            match ask {
                Ask::LabelNames { selector } => {
                    let is_known = metrics
                        .iter()
                        .any(|name| selector.contains(&format!("\"{name}\"")));
                    if is_known { texts(labels) } else { Vec::new() }
                }
                Ask::LabelValues {
                    label,
                    selector: Some(_),
                } if label == "__name__" => Vec::new(),
                Ask::LabelValues { label, .. } if label == "__name__" => texts(metrics),
                _ => texts(values),
            }
        };
        let pipeline = parse(file, "test").unwrap();
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let mut said = Vec::new();
        for one in of_file(&pipeline, populations) {
            let mut answers = Vec::new();
            let found = loop {
                match one.lookup.next(&answers).unwrap() {
                    Step::Found(found) => break found,
                    Step::Ask(ask) => answers.push(answer(&ask)),
                }
            };
            let looked = one.said_of(&found);
            said.extend(looked.map(|looked| format!("{:?} {looked}", looked.level)));
        }
        said
    }

    const ALL: &[&str] = &[
        "faults_total",
        "http_requests_total",
        "depth",
        "limit",
        "http_request_duration_seconds_bucket",
    ];

    #[test]
    fn nothing_is_said_of_a_file_whose_selectors_all_could_match() {
        let labels = ["kind", "queue", "job", "track", "le"];
        let values = ["shop", "stable", "canary"];
        assert_eq!(said(FILE, ALL, &labels, &values), [] as [&str; 0]);
    }

    #[test]
    fn every_selector_that_can_never_match_is_told() {
        let labels = ["type", "job", "track", "le"];
        assert_eq!(
            said(FILE, &ALL[..3], &labels, &["shop", "stable"]),
            [
                "Error failures: kind=\"timeout\" finds nothing: no series of faults_total has the \
                 label kind; they have job, le, type, track",
                "Warning failures: of the canary: no series of http_requests_total has \
                 track=\"canary\"; there is shop, stable",
                "Error latency_p99: no series is named http_request_duration_seconds_bucket",
                "Error queue: queue=\"a\" finds nothing: no series of depth has the label queue; they \
                 have le, type, job, track",
                "Error queue: no series is named limit",
            ]
        );
    }

    #[test]
    fn events_that_may_be_absent_may_have_no_name_yet() {
        let file = FILE.replace(
            "total: http_requests_total",
            "total: http_requests_total, events_may_be_absent: true",
        );
        let labels = ["kind", "queue", "job", "track", "le"];
        let values = ["shop", "stable", "canary"];
        assert_eq!(
            said(&file, &ALL[1..], &labels, &values),
            ["Warning failures: no series is named faults_total"]
        );
    }
}
