//! The section `metrics`: how a name in a check is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::query::{
    QueryError, check_counter_selector, check_gauge_branches, check_gauge_expression,
    check_native_histogram_selector,
};

use super::bucket_unit::seconds_by_name;
use super::cursor::{Cursor, Field, Fields, Problems, Rules, checked, shortened};
use super::model::{Better, Dimension, Exposure, Metric, MetricKind};
use super::names::suggestion;
use super::resolve::Subject;

/// The most metrics that a file may define.
const MAX_METRICS: usize = 200;

/// Words that mean something else in a check.
const RESERVED: &[&str] = &["baseline", "control", "legacy", "canary", "within", "of"];

const KEYS: &[&str] = &[
    "errors",
    "events",
    "total",
    "per",
    "events_may_be_absent",
    "quantile",
    "histogram",
    "native",
    "scale",
    "gauge",
    "impact_of",
    "better",
    "unit",
];

const BETTER: &[(&str, Better)] = &[("lower", Better::Lower), ("higher", Better::Higher)];

const UNITS: &[(&str, Dimension)] = &[
    ("fraction", Dimension::Fraction),
    ("seconds", Dimension::Seconds),
    ("bytes", Dimension::Bytes),
    ("number", Dimension::Number),
];

const EXPOSURES: &[(&str, Exposure)] = &[
    ("pod_hours", Exposure::PodHours),
    ("traffic_share", Exposure::TrafficShare),
];

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
            }),
            DefinedKind::ImpactOf(_) => None,
        }
    }
}

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
            if let Some(metric) = read_metric(definition, problems) {
                self.by_name.insert(definition.key.to_owned(), metric);
            } else {
                self.by_name.remove(definition.key);
                self.broken.insert(definition.key.to_owned(), None);
            }
        }
        self.check_impacts(&definitions, problems);
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
            DefinedKind::Measured(MetricKind::Quantile { .. } | MetricKind::Gauge { .. })
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

/// What of some definitions is measured.
pub(super) fn measured(definitions: &BTreeMap<String, Definition>) -> BTreeMap<String, Metric> {
    definitions
        .iter()
        .filter_map(|(name, definition)| Some((name.clone(), definition.metric()?)))
        .collect()
}

fn read_metric(definition: &Field<'_>, problems: &mut Problems) -> Option<Definition> {
    let problems_before = problems.count();
    check_name(definition, problems);
    let fields = definition.value.fields(
        "a mapping such as {errors: .., total: ..}, {gauge: ..} or {quantile: .., histogram: ..}",
        KEYS,
        problems,
    )?;
    // Everything is read before anything is given up, so that all mistakes are told.
    let better = fields
        .get("better")
        .and_then(|value| value.choice(BETTER, problems));
    let dimension = fields
        .get("unit")
        .and_then(|value| value.choice(UNITS, problems));
    let events_may_be_absent = fields
        .get("events_may_be_absent")
        .and_then(|value| value.boolean(problems));
    let (kind, natural) = read_kind(&definition.value, &fields, problems)?;
    if problems.count() > problems_before {
        return None;
    }
    Some(Definition {
        name: definition.key.to_owned(),
        kind,
        better: better.unwrap_or(natural.better),
        dimension: dimension.unwrap_or(natural.dimension),
        events_may_be_absent: events_may_be_absent.unwrap_or(false),
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

/// What a kind of metric is when the file does not say.
struct Natural {
    better: Better,
    dimension: Dimension,
}

const fn natural(better: Better, dimension: Dimension) -> Natural {
    Natural { better, dimension }
}

/// The keys that say of what kind a metric is, with those that may stand beside them.
const KINDS: &[(&str, &[&str])] = &[
    (
        "errors",
        &["total", "per", "better", "events_may_be_absent"],
    ),
    (
        "events",
        &["total", "per", "better", "unit", "events_may_be_absent"],
    ),
    (
        "histogram",
        &["quantile", "native", "scale", "better", "unit"],
    ),
    ("gauge", &["better", "unit"]),
    ("impact_of", &[]),
];

fn read_kind(
    metric: &Cursor<'_>,
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<(DefinedKind, Natural)> {
    let given: Vec<&(&str, &[&str])> = KINDS
        .iter()
        .filter(|(key, _)| fields.get(key).is_some())
        .collect();
    let (key, companions) = match given.as_slice() {
        [one] => **one,
        [] if fields.has_misspelt() => return None,
        [] => {
            metric.problem(
                problems,
                "a metric needs one of {errors, total}, {events, total}, {events, per}, \
                 {quantile, histogram}, {gauge} or {impact_of}",
            );
            return None;
        }
        [first, second, ..] => {
            let message = format!("{:?} and {:?} cannot stand together", first.0, second.0);
            metric.problem(problems, message);
            return None;
        }
    };
    for other in KEYS {
        if *other != key
            && !companions.contains(other)
            && let Some(cursor) = fields.get(other)
        {
            cursor.problem(problems, format!("{other:?} has no meaning beside {key:?}"));
        }
    }
    match key {
        "errors" | "events" => read_events(metric, key, fields, problems).map(is_measured),
        "histogram" => read_quantile(metric, fields, problems).map(is_measured),
        "gauge" => {
            let text = fields.get("gauge")?;
            let expression = promql(text, check_gauge_expression, problems)?;
            if let Err(error) = check_gauge_branches(&expression) {
                text.later_problem(problems, error.to_string());
            }
            Some(is_measured((
                MetricKind::Gauge { expression },
                natural(Better::Lower, Dimension::Number),
            )))
        }
        _ => {
            let of = fields
                .get(key)?
                .text("the name of another metric", problems)?;
            Some((
                DefinedKind::ImpactOf(of.to_owned()),
                natural(Better::Lower, Dimension::Fraction),
            ))
        }
    }
}

fn is_measured((kind, natural): (MetricKind, Natural)) -> (DefinedKind, Natural) {
    (DefinedKind::Measured(kind), natural)
}

fn read_events(
    metric: &Cursor<'_>,
    key: &str,
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<(MetricKind, Natural)> {
    if key == "errors"
        && let Some(cursor) = fields.get("better")
        && cursor.choice(BETTER, &mut Problems::by(Rules::Today)) == Some(Better::Higher)
    {
        cursor.problem(
            problems,
            "more errors are never better: say \"events\" instead of \"errors\"",
        );
    }
    let events = promql(fields.get(key)?, check_counter_selector, problems);
    match (fields.get("total"), fields.get("per")) {
        (Some(total), None) => {
            let total = promql(total, check_counter_selector, problems)?;
            let kind = MetricKind::Proportion {
                events: events?,
                total,
            };
            Some((kind, natural(Better::Lower, Dimension::Fraction)))
        }
        (None, Some(per)) => {
            let per = per.choice(EXPOSURES, problems)?;
            let kind = MetricKind::EventRate {
                events: events?,
                per,
            };
            Some((kind, natural(Better::Lower, Dimension::Number)))
        }
        (Some(_), Some(per)) => {
            per.problem(problems, "\"total\" and \"per\" cannot stand together");
            None
        }
        (None, None) if fields.has_misspelt() => None,
        (None, None) => {
            let message = format!(
                "{key:?} needs \"total\", the counter of all requests, or \"per\": pod_hours or \
                 traffic_share"
            );
            metric.problem(problems, message);
            None
        }
    }
}

fn read_quantile(
    metric: &Cursor<'_>,
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<(MetricKind, Natural)> {
    const QUANTILE: &str = "a quantile between 0 and 1, such as 0.99";
    const SCALE: &str = "a number above 0, such as 0.001 for a histogram of milliseconds";
    let is_native = match fields.get("native") {
        Some(cursor) => cursor.boolean(problems),
        None => Some(false),
    };
    let selector = fields.get("histogram")?;
    let histogram = if is_native == Some(true) {
        promql(selector, check_native_histogram_selector, problems)
    } else {
        promql(selector, check_counter_selector, problems)
            .map(|selector| without_bucket_suffix(&selector))
    };
    let scale = match fields.get("scale") {
        Some(cursor) => cursor
            .number(SCALE, problems)
            .and_then(|number| checked(cursor, number, number > 0.0, SCALE, problems)),
        // The name's unit is one of time.
        None if is_of_time(fields) => {
            let by_name = histogram.as_deref().and_then(seconds_by_name);
            Some(by_name.unwrap_or(1.0))
        }
        None => Some(1.0),
    };
    if fields.lacks("quantile") {
        metric.problem(
            problems,
            "\"histogram\" needs \"quantile\", such as quantile: 0.99",
        );
    }
    let cursor = fields.get("quantile")?;
    let quantile = cursor.fraction(QUANTILE, problems).and_then(|number| {
        checked(
            cursor,
            number,
            number > 0.0 && number < 1.0,
            QUANTILE,
            problems,
        )
    });
    let kind = MetricKind::Quantile {
        quantile: quantile?,
        histogram: histogram?,
        is_native: is_native?,
        scale: scale?,
    };
    Some((kind, natural(Better::Lower, Dimension::Seconds)))
}

/// Whether a quantile is one of times: it is, unless its unit says otherwise.
fn is_of_time(fields: &Fields<'_>) -> bool {
    // What is wrong with the unit is told where it is read.
    let unit = |value: &Cursor<'_>| value.choice(UNITS, &mut Problems::by(Rules::Today));
    let unit = fields.get("unit").and_then(unit);
    unit.is_none_or(|unit| unit == Dimension::Seconds)
}

/// Both `name` and `name_bucket` name the same histogram; the model keeps the first.
fn without_bucket_suffix(selector: &str) -> String {
    let name_end = selector.find(['{', ' ']).unwrap_or(selector.len());
    match selector.split_at_checked(name_end) {
        Some((name, matchers)) => {
            format!("{}{matchers}", name.strip_suffix("_bucket").unwrap_or(name))
        }
        None => selector.to_owned(),
    }
}

fn promql(
    cursor: &Cursor<'_>,
    check: fn(&str) -> Result<(), QueryError>,
    problems: &mut Problems,
) -> Option<String> {
    // A long query may be folded over lines: line breaks are spaces to PromQL.
    let text = match cursor.value() {
        super::yaml::Value::Text(text) if !text.trim().is_empty() => text.trim(),
        _ => cursor.text("PromQL", problems)?,
    };
    match check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(error) => {
            cursor.problem(problems, error.to_string());
            None
        }
    }
}
