//! Every selector of a pipeline, held against a source before a rollout begins: it says what the gate
//! would say, earlier.

use std::collections::BTreeMap;
use std::fmt;

use crate::data::{ALL_ARE_EVENTS, Mismatch, NotSeen, SelectorFinding, is_a_counter};
use crate::matchers::Matchers;
use crate::parts::{PartError, populations_of_metric};
use crate::pipeline::{Better, Metric, MetricKind, Own, Pipeline, Selection};
use crate::query::{
    QueryError, SelectorParts, counter_parts, expression_parts, histogram_parts, region_matcher,
};
use crate::series::{Population, Populations};

use super::needed::selector_of;
use super::{Lookup, Within, counters};

/// One thing to find out about a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLookup {
    /// The name of the metric.
    pub metric: String,
    about: About,
    /// What to find out.
    pub lookup: Lookup,
    /// The source of the population, where the file names one.
    pub source: Option<String>,
}

/// What a lookup is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// A selector of the file, which must be able to match.
    Selector {
        /// Whether the first event may be what makes its series.
        may_be_absent: bool,
    },
    /// A gauge, which must be no counter.
    Gauge,
    /// What the events of a share leave out of its total.
    LeftOut {
        /// Whether they are good.
        are_good: bool,
    },
    /// A population.
    Population {
        /// Which.
        population: Population,
        /// The labels by which it is told from the other.
        told_by: Vec<String>,
    },
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
        match (found, &self.about) {
            (
                SelectorFinding::MatchesNothing(
                    why @ (Mismatch::Metric { .. } | Mismatch::OfOthers { .. }),
                ),
                About::Selector {
                    may_be_absent: true,
                },
            )
            | (SelectorFinding::NoSuchValue(why), _) => say(LookedLevel::Warning, why.to_string()),
            (SelectorFinding::MatchesNothing(why), _) => say(LookedLevel::Error, why.to_string()),
            (
                SelectorFinding::LeavesOutNothing(why @ Mismatch::Value { .. }),
                About::LeftOut { are_good: true },
            ) => say(LookedLevel::Warning, why.left_out()),
            (SelectorFinding::LeavesOutNothing(why), _) => say(LookedLevel::Error, why.left_out()),
            (SelectorFinding::AllAreEvents, About::LeftOut { are_good: false }) => {
                say(LookedLevel::Error, ALL_ARE_EVENTS.to_owned())
            }
            // Who lacks a label that comes with an event has had none.
            (SelectorFinding::LacksTheLabels(lack), _) => {
                say(LookedLevel::Warning, lack.to_string())
            }
            (
                SelectorFinding::NotSeen(why @ (NotSeen::Label { .. } | NotSeen::Value { .. })),
                About::Population {
                    population,
                    told_by,
                },
            ) => say(
                LookedLevel::Warning,
                before_a_rollout(*population, told_by, why),
            ),
            (SelectorFinding::Counter { metric, beside }, _) => {
                say(LookedLevel::Error, is_a_counter(metric, beside.as_deref()))
            }
            (SelectorFinding::Unknown(fault), _) => {
                let message = format!("it cannot be looked up: {}", fault.message);
                say(LookedLevel::Unknown, message)
            }
            // What is wrong with the selector itself is told of it.
            (
                SelectorFinding::NotSeen(_)
                | SelectorFinding::CouldMatch
                | SelectorFinding::AllAreEvents
                | SelectorFinding::CanaryHasTheLabels
                | SelectorFinding::NoCounter,
                _,
            ) => None,
        }
    }
}

/// That the canary is not there before it is rolled out is as it should be.
fn before_a_rollout(population: Population, told_by: &[String], why: &NotSeen) -> String {
    let is_of = |asked: &str| {
        let label = asked.split(['=', '!']).next();
        label.is_some_and(|label| told_by.iter().any(|own| own == label))
    };
    match (population, why) {
        (Population::Canary, NotSeen::Value { asked, .. }) if is_of(asked) => {
            format!("the canary is not there yet, which is normal before a rollout: {why}")
        }
        _ => format!("of the {population}: {why}"),
    }
}

/// What to find out about a pipeline, each thing once: of every selector of the metrics that its checks
/// and kill switches measure, whether it could match, and of both populations whether the metric has
/// their labels and values. Before a rollout there may be no canary, so a value that is not there is no
/// more than a warning.
pub fn of_file(pipeline: &Pipeline, populations: Populations<&Matchers>) -> Vec<FileLookup> {
    let measured = measured(pipeline);
    let region = region_matcher(&pipeline.region_label, &regions(pipeline));
    let mut all: Vec<FileLookup> = Vec::new();
    for (name, metric) in measured {
        // What only a caller of a rollout sends is not known yet.
        let Ok(own) = populations_of_metric(metric, populations) else {
            continue;
        };
        let within = own.map(|mut matchers| {
            matchers.extend(region.clone());
            matchers
        });
        let told_apart = within.canary.symmetric_difference(&within.control);
        let told_by: Vec<String> = told_apart.map(|one| one.label.clone()).collect();
        let source = |population: fn(&Populations<Option<String>>) -> &Option<String>,
                      own: &Own| {
            let named = own.source.as_ref();
            named
                .or(population(&pipeline.sources.populations).as_ref())
                .cloned()
        };
        let sources = Populations {
            control: source(|names| &names.control, &metric.own.control),
            canary: source(|names| &names.canary, &metric.own.canary),
        };
        // What cannot be read was refused when the file was.
        for (about, lookup) in lookups(metric, &within).unwrap_or_default() {
            all.push(FileLookup {
                metric: name.to_owned(),
                about,
                lookup,
                source: sources.control.clone(),
            });
        }
        let Ok(Some(whole)) = selector_of(&metric.kind) else {
            continue;
        };
        for (population, matchers, source) in [
            (Population::Control, &within.control, sources.control),
            (Population::Canary, &within.canary, sources.canary),
        ] {
            if !matchers.is_empty() {
                all.push(FileLookup {
                    metric: name.to_owned(),
                    about: About::Population {
                        population,
                        told_by: told_by.clone(),
                    },
                    lookup: Lookup::of_unseen(whole.clone(), matchers.clone()),
                    source,
                });
            }
        }
    }
    all
}

/// The metrics that cannot be looked at before a caller sends what their matchers hold placeholders for, with
/// how to give it.
pub fn not_looked_at(pipeline: &Pipeline, populations: Populations<&Matchers>) -> Vec<Looked> {
    let measured = measured(pipeline).into_iter();
    let said = measured.filter_map(|(name, metric)| {
        let PartError { error, .. } = populations_of_metric(metric, populations).err()?;
        let give = error
            .flag()
            .map(|flag| format!("; to look at it, give lint a value: {flag}"));
        Some(Looked {
            metric: name.to_owned(),
            level: LookedLevel::Warning,
            message: format!("not looked at: {error}{}", give.unwrap_or_default()),
        })
    });
    said.collect()
}

/// The metrics that checks and kill switches measure, by name.
pub(super) fn measured(pipeline: &Pipeline) -> BTreeMap<&str, &Metric> {
    let checks = pipeline.stages.iter().flat_map(|stage| &stage.checks);
    checks
        .chain(&pipeline.kill_switch)
        .map(|check| (check.measured.name.as_str(), &*check.measured))
        .collect()
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

/// What to find out about the selectors of a metric.
fn lookups(
    metric: &Metric,
    populations: &Populations<Matchers>,
) -> Result<Vec<(About, Lookup)>, QueryError> {
    let alone = |parts, may_be_absent| alone(parts, may_be_absent, populations);
    let may_be_absent = metric.events_may_be_absent;
    let each = |selection: &Selection, parts: PartsOf, may_be_absent: bool| {
        let all = selection.every().map(parts);
        let found: Vec<SelectorParts> = all.collect::<Result<_, QueryError>>()?;
        let found = found.into_iter();
        Ok(found.map(|parts| alone(parts, may_be_absent)).collect())
    };
    match &metric.kind {
        MetricKind::Proportion { events, total, .. } => {
            if let (Some(events), Some(total)) = (events.only(), total.only()) {
                let (events, total) = (counter_parts(events)?, counter_parts(total)?);
                return Ok(beside(metric, events, total, populations));
            }
            let mut all: Vec<_> = each(events, counter_parts, may_be_absent)?;
            all.extend(each(total, counter_parts, false)?);
            Ok(all)
        }
        MetricKind::EventRate { events, .. } => each(events, counter_parts, may_be_absent),
        MetricKind::Quantile {
            histogram,
            is_native: false,
            ..
        } => each(histogram, histogram_parts, false),
        MetricKind::Quantile { histogram, .. } => each(histogram, counter_parts, false),
        MetricKind::PerRequest { counter, total } => {
            let mut all: Vec<_> = each(counter, counter_parts, false)?;
            all.extend(each(total, counter_parts, false)?);
            Ok(all)
        }
        MetricKind::Gauge { expression, .. } => {
            let mut all = Vec::new();
            for text in expression.every() {
                let lookups = expression_parts(text)?.into_iter().map(|parts| {
                    let about = About::Selector {
                        may_be_absent: false,
                    };
                    // Not every selector of an expression is of the populations.
                    (about, Lookup::of_selector(parts, None))
                });
                all.extend(lookups);
            }
            if let Some(lookup) = counters::of_gauge(expression)? {
                all.push((About::Gauge, lookup));
            }
            Ok(all)
        }
    }
}

/// What to find out about a selector by itself.
fn alone(
    parts: SelectorParts,
    may_be_absent: bool,
    populations: &Populations<Matchers>,
) -> (About, Lookup) {
    // A population that a selector leaves out is told where it is asked for.
    let within = Within::alone(&parts, populations).ok();
    let lookup = Lookup::of_selector(parts, within);
    (About::Selector { may_be_absent }, lookup)
}

/// What to find out about the counters of a share.
fn beside(
    metric: &Metric,
    events: SelectorParts,
    total: SelectorParts,
    populations: &Populations<Matchers>,
) -> Vec<(About, Lookup)> {
    let within = Within::beside(&events, &total, populations).ok();
    let are_good = metric.better == Better::Higher;
    let left_out = Lookup::of_what_is_left_out(events.clone(), &total, within.clone());
    let may_be_absent = metric.events_may_be_absent;
    let of_events = match left_out {
        Some(lookup) => (About::LeftOut { are_good }, lookup),
        None => (
            About::Selector { may_be_absent },
            Lookup::of_selector(events, within),
        ),
    };
    vec![of_events, alone(total, false, populations)]
}

/// How the selector of a text is found.
type PartsOf = fn(&str) -> Result<SelectorParts, QueryError>;

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
                Ask::LabelValues { label, selectors }
                    if label == "__name__" && !selectors.is_empty() =>
                {
                    Vec::new()
                }
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
        let values = ["shop", "stable", "canary", "timeout"];
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
                "Warning failures: the canary is not there yet, which is normal before a rollout: no \
                 series of http_requests_total has track=\"canary\"; there is shop, stable",
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
        let values = ["shop", "stable", "canary", "timeout"];
        assert_eq!(
            said(&file, &ALL[1..], &labels, &values),
            ["Warning failures: no series is named faults_total"]
        );
    }

    #[test]
    fn events_that_are_the_total_are_told_where_they_are_bad() {
        let said_of = |events: &str, better: &str| {
            let file = format!(
                "metrics: {{share: {{events: '{events}', total: x, better: {better}}}}}\n\
                 canary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 60, \
                 metrics: ['share {} 1%']}}}}",
                if better == "lower" { "<" } else { ">" }
            );
            let metrics = ["x", "http_requests_total"];
            said(
                &file,
                &metrics,
                &["track", "code"],
                &["stable", "canary", "200"],
            )
        };
        for all in ["x", r#"x{code=~".*"}"#] {
            assert_eq!(
                said_of(all, "lower"),
                [
                    "Error share: every request counts as one: the events are the total, whatever happens"
                ]
            );
            assert_eq!(said_of(all, "higher"), [] as [&str; 0]);
        }
    }
}
