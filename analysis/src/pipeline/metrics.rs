//! The section `metrics`: how a name in a check is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cursor::{Cursor, Field, Problems, shortened};
use super::definition::{DefinedKind, Definition, measured};
use super::given::Given;
use super::metric_kind::{BETTER, UNITS, read_kind};
use super::model::{Better, Metric, MetricKind};
use super::names::suggestion;
use super::resolve::Subject;
use super::selection::Selection;

/// The most metrics that a file may define.
const MAX_METRICS: usize = 200;

/// Words that mean something else in a check.
const RESERVED: &[&str] = &["baseline", "control", "legacy", "canary", "within", "of"];

/// The metrics that checks may name.
#[derive(Debug)]
pub(super) struct KnownMetrics {
    /// The definitions by name.
    pub(super) by_name: BTreeMap<String, Definition>,
    /// Names that cannot be used, with the reason; without one where the mistake has been told
    /// at the definition.
    broken: BTreeMap<String, Option<String>>,
}

impl KnownMetrics {
    /// Begins with the metrics of a preset.
    pub(super) fn of_preset(by_name: BTreeMap<String, Definition>) -> Self {
        Self {
            by_name,
            broken: BTreeMap::new(),
        }
    }

    /// Finds the metric of a name in a check.
    ///
    /// `pipelines/migration_schedule.yaml` says `response_time_p99` where `canary_pipeline.yaml`
    /// says `latency_p99`, so the first is another name of the second unless the file defines it.
    ///
    /// # Errors
    ///
    /// What is wrong with the name, or nothing where that has been told at its definition.
    pub(super) fn resolve(&self, name: &str) -> Result<&Definition, Option<String>> {
        if let Some(reason) = self.broken.get(name) {
            return Err(reason.clone());
        }
        if let Some(metric) = self.by_name.get(name) {
            return Ok(metric);
        }
        let other_name = name
            .strip_prefix("response_time_")
            .map(|quantile| format!("latency_{quantile}"))
            .unwrap_or_default();
        if let Some(reason) = self.broken.get(&other_name) {
            return Err(reason.clone());
        }
        if let Some(metric) = self.by_name.get(&other_name) {
            return Ok(metric);
        }
        let hint = suggestion(name, self.by_name.keys().map(String::as_str));
        let hint = if hint.is_empty() {
            format!(
                ": define it under \"metrics\", or use one of {}",
                self.by_name.keys().cloned().collect::<Vec<_>>().join(", ")
            )
        } else {
            hint
        };
        Err(Some(format!("unknown metric {:?}{hint}", shortened(name))))
    }

    /// What a definition stands for in a check; nothing for an impact of what is not measured, which
    /// is told at its definition.
    pub(super) fn subject(&self, definition: &Definition) -> Option<Subject> {
        match &definition.kind {
            DefinedKind::Measured(_) => definition.metric().map(Arc::new).map(Subject::Itself),
            DefinedKind::ImpactOf(of) => {
                let metric = self.resolve(of).ok()?.metric()?;
                Some(Subject::ImpactOf(Arc::new(metric)))
            }
        }
    }

    /// Everything that is measured.
    pub(super) fn measured(&self) -> BTreeMap<String, Metric> {
        measured(&self.by_name)
    }

    /// Reads the section `metrics` over what is known.
    pub(super) fn read(&mut self, section: &Cursor<'_>, problems: &mut Problems) {
        let Some(definitions) =
            section.entries("a mapping of names to how they are measured", problems)
        else {
            return;
        };
        if definitions.len() > MAX_METRICS {
            let message = format!(
                "{} metrics, more than {MAX_METRICS}: split the pipeline",
                definitions.len()
            );
            section.problem(problems, message);
        }
        for definition in definitions.iter().take(MAX_METRICS) {
            let requests = self.requests();
            if let Some(metric) = read_metric(definition, requests.as_ref(), problems) {
                self.by_name.insert(definition.key.to_owned(), metric);
            } else {
                self.by_name.remove(definition.key);
                self.broken.insert(definition.key.to_owned(), None);
            }
        }
        self.check_impacts(&definitions, problems);
    }

    /// The counter of all requests, of the share of those that failed.
    fn requests(&self) -> Option<Selection> {
        match &self.by_name.get("error_rate")?.kind {
            DefinedKind::Measured(MetricKind::Proportion { total, .. }) => Some(total.clone()),
            DefinedKind::Measured(_) | DefinedKind::ImpactOf(_) => None,
        }
    }

    /// An impact is the loss of a metric that counts something wanted. That also rules out
    /// cycles.
    fn check_impacts(&mut self, definitions: &[Field<'_>], problems: &mut Problems) {
        let impacts: Vec<(String, String)> = self
            .by_name
            .values()
            .filter_map(|metric| match &metric.kind {
                DefinedKind::ImpactOf(of) => Some((metric.name.clone(), of.clone())),
                DefinedKind::Measured(_) => None,
            })
            .collect();
        for (name, of) in impacts {
            let Err(reason) = self.check_impact(&name, &of) else {
                continue;
            };
            let definition = definitions.iter().find(|field| field.key == name);
            let Some(definition) = definition else {
                // A metric of the preset, whose other metric the file has changed: told where
                // it is used, if it is.
                let reason = reason.map(|reason| format!("{name} cannot be used: {reason}"));
                self.by_name.remove(&name);
                self.broken.insert(name, reason);
                continue;
            };
            if let Some(reason) = reason {
                let place = definition.value.child("impact_of");
                let place = place.as_ref().unwrap_or(&definition.value);
                place.problem(problems, reason);
            }
            self.by_name.remove(&name);
            self.broken.insert(name, None);
        }
    }

    fn check_impact(&self, name: &str, of: &str) -> Result<(), Option<String>> {
        if name == of {
            return Err(Some("a metric cannot be the impact of itself".to_owned()));
        }
        let metric = self.resolve(of)?;
        match metric.kind {
            DefinedKind::Measured(MetricKind::Proportion { .. } | MetricKind::EventRate { .. }) => {
            }
            DefinedKind::Measured(
                MetricKind::Quantile { .. }
                | MetricKind::Gauge { .. }
                | MetricKind::PerRequest { .. },
            )
            | DefinedKind::ImpactOf(_) => {
                return Err(Some(format!(
                    "an impact is of a metric that counts events, and {of:?} does not: name one \
                     with \"events\""
                )));
            }
        }
        if metric.better == Better::Lower {
            return Err(Some(format!(
                "an impact is the loss of something wanted, and less of {of:?} is better: say \
                 \"better: higher\" where it is defined, or name another metric"
            )));
        }
        Ok(())
    }
}

fn read_metric(
    definition: &Field<'_>,
    requests: Option<&Selection>,
    problems: &mut Problems,
) -> Option<Definition> {
    let problems_before = problems.count();
    check_name(definition, problems);
    let given = Given::read(&definition.value, problems)?;
    // Everything is read before anything is given up, so that all mistakes are told.
    let beside = |key| given.beside.get(key);
    let better = beside("better").and_then(|value| value.choice(BETTER, problems));
    let dimension = beside("unit").and_then(|value| value.choice(UNITS, problems));
    let events_may_be_absent =
        beside("events_may_be_absent").and_then(|value| value.boolean(problems));
    let own = given.own(problems);
    let (kind, natural) = read_kind(&given, requests, problems)?;
    if problems.count() > problems_before {
        return None;
    }
    Some(Definition {
        name: definition.key.to_owned(),
        kind,
        better: better.unwrap_or(natural.better),
        dimension: dimension.unwrap_or(natural.dimension),
        events_may_be_absent: events_may_be_absent.unwrap_or(false),
        own,
    })
}

fn check_name(definition: &Field<'_>, problems: &mut Problems) {
    let name = definition.key;
    let starts_right =
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let is_word = name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let message = if !starts_right || !is_word || name.len() > 100 {
        format!(
            "a metric's name is up to 100 letters, digits and _, and does not begin with a digit: \
             {:?} cannot stand in a check",
            shortened(name)
        )
    } else if RESERVED.contains(&name) {
        format!("{name:?} means something else in a check: choose another name")
    } else {
        return;
    };
    problems.add(definition.key_position, definition.value.path(), message);
}
