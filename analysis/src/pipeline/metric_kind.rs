//! What a metric of a file is: a share, a rate, a quantile, a gauge, an impact.

use crate::data::is_a_counter;
use crate::proof::gauge::named_like_a_counter;
use crate::query::{
    QueryError, check_counter_selector, check_gauge_branches, check_gauge_expression,
    check_native_histogram_selector,
};
use crate::series::Populations;

use super::bucket_unit::seconds_by_name;
use super::cursor::{Cursor, Fields, Problems, Rules, checked};
use super::definition::DefinedKind;
use super::given::{Given, KEYS, Stated};
use super::model::{Better, Dimension, Exposure, MetricKind};
use super::population::read_label;
use super::selection::Selection;

/// The most counters that are added up.
const MAX_COUNTERS: usize = 16;

/// The values of `better`.
pub(super) const BETTER: &[(&str, Better)] =
    &[("lower", Better::Lower), ("higher", Better::Higher)];

/// The values of `unit`.
pub(super) const UNITS: &[(&str, Dimension)] = &[
    ("fraction", Dimension::Fraction),
    ("seconds", Dimension::Seconds),
    ("bytes", Dimension::Bytes),
    ("number", Dimension::Number),
];

const EXPOSURES: &[(&str, Exposure)] = &[
    ("pod_hours", Exposure::PodHours),
    ("traffic_share", Exposure::TrafficShare),
];

/// The keys that any metric that is measured may have: what holds for one population alone.
const OF_ONE: &[&str] = &["control", "canary"];

/// What a kind of metric is when the file does not say.
pub(super) struct Natural {
    pub(super) better: Better,
    pub(super) dimension: Dimension,
}

const fn natural(better: Better, dimension: Dimension) -> Natural {
    Natural { better, dimension }
}

/// The keys that say of what kind a metric is, with those that may stand beside them.
const KINDS: &[(&str, &[&str])] = &[
    (
        "errors",
        &["total", "per", "strata", "better", "events_may_be_absent"],
    ),
    (
        "events",
        &[
            "total",
            "per",
            "strata",
            "better",
            "unit",
            "events_may_be_absent",
        ],
    ),
    (
        "histogram",
        &["quantile", "native", "scale", "better", "unit"],
    ),
    ("gauge", &["pod_label", "better", "unit"]),
    ("counter", &["per", "total", "better", "unit"]),
    ("impact_of", &[]),
];

/// Reads what a metric is. `requests` is the preset's counter of all requests.
pub(super) fn read_kind(
    given: &Given<'_>,
    requests: Option<&Selection>,
    problems: &mut Problems,
) -> Option<(DefinedKind, Natural)> {
    let kinds: Vec<&(&str, &[&str])> = KINDS.iter().filter(|(key, _)| given.has(key)).collect();
    let (key, companions) = match kinds.as_slice() {
        [one] => **one,
        [] if given.beside.has_misspelt() => return None,
        [] => {
            given.metric.problem(
                problems,
                "a metric needs one of {errors, total}, {events, total}, {events, per}, \
                 {quantile, histogram}, {gauge}, {counter, per} or {impact_of}",
            );
            return None;
        }
        [first, second, ..] => {
            let message = format!("{:?} and {:?} cannot stand together", first.0, second.0);
            given.metric.problem(problems, message);
            return None;
        }
    };
    for other in KEYS {
        let is_of_one = key != "impact_of" && OF_ONE.contains(other);
        if *other != key && !companions.contains(other) && !is_of_one {
            for cursor in given.places(other) {
                cursor.problem(problems, format!("{other:?} has no meaning beside {key:?}"));
            }
        }
    }
    match key {
        "errors" | "events" => read_events(given, key, problems).map(is_measured),
        "histogram" => read_quantile(given, problems).map(is_measured),
        "gauge" => read_gauge(given, problems).map(is_measured),
        "counter" => read_per_request(given, requests, problems).map(is_measured),
        _ => {
            let of = given
                .beside
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

fn read_gauge(given: &Given<'_>, problems: &mut Problems) -> Option<(MetricKind, Natural)> {
    let read = |text: &Cursor<'_>, problems: &mut Problems| {
        let expression = promql(text, check_gauge_expression, problems)?;
        if let Err(error) = check_gauge_branches(&expression) {
            text.later_problem(problems, error.to_string());
        }
        // Of other endings the source tells whether it is one.
        let named = named_like_a_counter(&expression);
        if let Some(name) = named.filter(|name| name.ends_with("_total")) {
            text.later_problem(problems, is_a_counter(&name, None));
        }
        Some(vec![expression])
    };
    let kind = MetricKind::Gauge {
        expression: given.of_each("gauge", read, problems).map(Selection::new)?,
        load: None,
        pod_label: given
            .beside
            .get("pod_label")
            .and_then(|label| read_label(label, problems)),
    };
    Some((kind, natural(Better::Lower, Dimension::Number)))
}

/// Reads work for each request.
fn read_per_request(
    given: &Given<'_>,
    requests: Option<&Selection>,
    problems: &mut Problems,
) -> Option<(MetricKind, Natural)> {
    let counter = counters(given, "counter", problems);
    let Some(per) = given.beside.get("per") else {
        let message = "\"counter\" needs \"per: requests\": what is used for each request. Events for \
                       each hour of a pod are \"events\"";
        given.metric.problem(problems, message);
        return None;
    };
    per.choice(&[("requests", ())], problems)?;
    let total = if given.has("total") {
        counters(given, "total", problems)?
    } else if let Some(requests) = requests {
        requests.clone()
    } else {
        per.problem(
            problems,
            "no preset counts the requests: give \"total\", their counter",
        );
        return None;
    };
    let kind = MetricKind::PerRequest {
        counter: counter?,
        total,
    };
    Some((kind, natural(Better::Lower, Dimension::Number)))
}

/// Reads counters that are added up: one selector, or a list of them.
fn counters(given: &Given<'_>, key: &str, problems: &mut Problems) -> Option<Selection> {
    let read = |value: &Cursor<'_>, problems: &mut Problems| {
        let items = value.items_or_self();
        if items.is_empty() || items.len() > MAX_COUNTERS {
            let message = format!(
                "expected 1 to {MAX_COUNTERS} selectors of counters that are added up, found {}",
                items.len()
            );
            value.problem(problems, message);
            return None;
        }
        let mut texts: Vec<String> = Vec::new();
        for item in &items {
            let text = promql(item, check_counter_selector, problems)?;
            if texts.contains(&text) {
                item.problem(problems, "the same selector stands here twice: remove one");
                return None;
            }
            texts.push(text);
        }
        Some(texts)
    };
    given.of_each(key, read, problems).map(Selection::new)
}

fn read_events(
    given: &Given<'_>,
    key: &str,
    problems: &mut Problems,
) -> Option<(MetricKind, Natural)> {
    if key == "errors"
        && let Some(cursor) = given.beside.get("better")
        && cursor.choice(BETTER, &mut Problems::by(Rules::Today)) == Some(Better::Higher)
    {
        cursor.problem(
            problems,
            "more errors are never better: say \"events\" instead of \"errors\"",
        );
    }
    let events = counters(given, key, problems);
    match (given.has("total"), given.beside.get("per")) {
        (true, None) => {
            let total = counters(given, "total", problems)?;
            let strata = match given.beside.get("strata") {
                Some(label) => Some(read_label(label, problems)?),
                None => None,
            };
            let kind = MetricKind::Proportion {
                events: events?,
                total,
                strata,
            };
            Some((kind, natural(Better::Lower, Dimension::Fraction)))
        }
        (false, Some(per)) => {
            if let Some(strata) = given.beside.get("strata") {
                strata.problem(problems, "\"strata\" has no meaning beside \"per\"");
            }
            let per = per.choice(EXPOSURES, problems)?;
            let kind = MetricKind::EventRate {
                events: events?,
                per,
            };
            Some((kind, natural(Better::Lower, Dimension::Number)))
        }
        (true, Some(per)) => {
            per.problem(problems, "\"total\" and \"per\" cannot stand together");
            None
        }
        (false, None) if given.beside.has_misspelt() => None,
        (false, None) => {
            let message = format!(
                "{key:?} needs \"total\", the counter of all requests, or \"per\": pod_hours or \
                 traffic_share"
            );
            given.metric.problem(problems, message);
            None
        }
    }
}

/// The scales that a file gives.
fn scales(given: &Given<'_>, is_native: bool, problems: &mut Problems) -> Populations<Stated<f64>> {
    const SCALE: &str = "a number above 0, such as 0.001 for a histogram of milliseconds";
    let read = |cursor: &Cursor<'_>, problems: &mut Problems| {
        let number = cursor.number(SCALE, problems)?;
        checked(cursor, number, number > 0.0, SCALE, problems)
    };
    if is_native && let Some(cursor) = given.own_places("scale").first() {
        cursor.problem(
            problems,
            "native histograms of both populations have one scale: give it beside",
        );
    }
    given.of_any("scale", read, problems)
}

fn read_quantile(given: &Given<'_>, problems: &mut Problems) -> Option<(MetricKind, Natural)> {
    const QUANTILE: &str = "a quantile between 0 and 1, such as 0.99";
    let beside = &given.beside;
    let is_native = match beside.get("native") {
        Some(cursor) => cursor.boolean(problems),
        None => Some(false),
    };
    let read = |selector: &Cursor<'_>, problems: &mut Problems| {
        if is_native == Some(true) {
            promql(selector, check_native_histogram_selector, problems)
        } else {
            promql(selector, check_counter_selector, problems)
                .map(|selector| without_bucket_suffix(&selector))
        }
    };
    let histogram = given.of_each("histogram", read, problems);
    let scales = scales(given, is_native == Some(true), problems);
    if beside.lacks("quantile") {
        given.metric.problem(
            problems,
            "\"histogram\" needs \"quantile\", such as quantile: 0.99",
        );
    }
    let cursor = beside.get("quantile")?;
    let quantile = cursor.fraction(QUANTILE, problems).and_then(|number| {
        checked(
            cursor,
            number,
            number > 0.0 && number < 1.0,
            QUANTILE,
            problems,
        )
    });
    let histogram = histogram?;
    let is_of_time = is_of_time(beside);
    let scale = |given: Stated<f64>, histogram: &str| match given {
        Stated::As(scale) => Some(scale),
        Stated::Wrong => None,
        // The name's unit is one of time.
        Stated::Nowhere if is_of_time => Some(seconds_by_name(histogram).unwrap_or(1.0)),
        Stated::Nowhere => Some(1.0),
    };
    let kind = MetricKind::Quantile {
        quantile: quantile?,
        scale: Populations {
            control: scale(scales.control, &histogram.control)?,
            canary: scale(scales.canary, &histogram.canary)?,
        },
        histogram: Selection::new(histogram.map(|selector| vec![selector])),
        is_native: is_native?,
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
