//! The sections `control` and `canary`: label matchers. Whether they can be used is decided by
//! [`crate::query`], which adds them to queries.

use crate::matchers::{MatchOperator, Matcher, Matchers};
use crate::query::{advice_on_plain_value, validate_matchers};
use crate::series::{Populations, TargetLabels};

use super::cursor::{Cursor, Field, Fields, Problems};
use super::yaml::Value;

/// The most matchers of one population.
const MAX_MATCHERS: usize = 32;

/// The most labels that tell targets apart.
const MAX_TARGET_LABELS: usize = 16;

/// What a population is.
const LABELS: &str = "label matchers such as {track: canary}";

/// The label by which regions are told apart when the file does not say.
const DEFAULT_REGION_LABEL: &str = "region";

/// Reads both populations. A file without them gets those of the first pipeline: `track` is
/// `stable` or `canary`. Where both are written they may select the same: then a caller tells them
/// apart, and a rollout of one that does not is refused.
pub(super) fn read_populations(
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> (Populations<Matchers>, Populations<Option<String>>) {
    let mut read = |key: &str, default_track: &str| match fields.get(key) {
        Some(section) => read_population(section, problems),
        None => (
            Matchers::from([Matcher::equal("track", default_track)]),
            None,
        ),
    };
    let (control, control_source) = read("control", "stable");
    let (canary, canary_source) = read("canary", "canary");
    let sources = Populations {
        control: control_source,
        canary: canary_source,
    };
    if control == canary
        && sources.control == sources.canary
        && !control.is_empty()
        && let (Some(place), None) | (None, Some(place)) =
            (fields.get("canary"), fields.get("control"))
    {
        place.problem(
            problems,
            "control and canary select the same series: every comparison would find no difference",
        );
    }
    (Populations { control, canary }, sources)
}

/// Reads a population: its matchers, and its source where it has one of its own.
fn read_population(section: &Cursor<'_>, problems: &mut Problems) -> (Matchers, Option<String>) {
    let Some(fields) = section.entries(LABELS, problems) else {
        return (Matchers::new(), None);
    };
    let (sources, labels): (Vec<&Field<'_>>, Vec<_>) = fields
        .iter()
        .partition(|field| names_a_source(field, problems));
    let source = sources
        .first()
        .and_then(|field| read_source(&field.value, problems));
    let values = MatcherValues::AsTheyAre;
    let matchers = read_labels(section, &labels, values, problems).unwrap_or_default();
    (matchers, source)
}

/// Whether a key of a population names its source. A label of that name is written with its operator:
/// `source: {"=": east}`. Files of before had no sources there.
pub(super) fn names_a_source(field: &Field<'_>, problems: &Problems) -> bool {
    field.key == "source"
        && problems.are_of_today()
        && matches!(field.value.value(), Value::Text(_))
}

/// Reads the name of a configured Prometheus.
pub(super) fn read_source(value: &Cursor<'_>, problems: &mut Problems) -> Option<String> {
    let name = value.text("the name of a configured Prometheus", problems)?;
    Some(name.to_owned())
}

/// Reads the label that holds a region's name.
pub(super) fn read_region_label(fields: &Fields<'_>, problems: &mut Problems) -> String {
    let Some(value) = fields.get("region_label") else {
        return DEFAULT_REGION_LABEL.to_owned();
    };
    let label = read_label(value, problems);
    label.unwrap_or_else(|| DEFAULT_REGION_LABEL.to_owned())
}

/// Reads the labels that tell targets apart, in place of the usual ones.
pub(super) fn read_target_labels(fields: &Fields<'_>, problems: &mut Problems) -> TargetLabels {
    const LABELS: &str = "the labels that tell targets apart, such as [instance, pod]";
    let Some(list) = fields.get("target_labels") else {
        return TargetLabels::default();
    };
    let Some(items) = list.items(LABELS, problems) else {
        return TargetLabels::default();
    };
    if items.is_empty() || items.len() > MAX_TARGET_LABELS {
        let message = format!(
            "expected 1 to {MAX_TARGET_LABELS} labels, found {}: leave the key out for the usual ones",
            items.len()
        );
        list.problem(problems, message);
    }
    let mut labels = Vec::new();
    for item in items.iter().take(MAX_TARGET_LABELS) {
        let Some(label) = read_label(item, problems) else {
            continue;
        };
        if labels.contains(&label) {
            item.problem(problems, format!("{label:?} stands here twice"));
        }
        labels.push(label);
    }
    TargetLabels::new(labels)
}

/// Reads the name of a label.
pub(super) fn read_label(value: &Cursor<'_>, problems: &mut Problems) -> Option<String> {
    let label = value.text("a label's name", problems)?;
    if let Err(error) = validate_matchers(&Matchers::from([Matcher::equal(label, "any")])) {
        value.problem(problems, error.to_string());
    }
    Some(label.to_owned())
}

/// Reads `{track: canary, pod: {"=~": "checkout-6d4.*"}}`.
pub(super) fn read_matchers(section: &Cursor<'_>, problems: &mut Problems) -> Matchers {
    let Some(labels) = section.entries(LABELS, problems) else {
        return Matchers::new();
    };
    let labels: Vec<&Field<'_>> = labels.iter().collect();
    read_labels(section, &labels, MatcherValues::AsTheyAre, problems).unwrap_or_default()
}

/// What the values of matchers may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatcherValues {
    /// Texts that mean themselves.
    AsTheyAre,
    /// Texts that may hold placeholders, so that they are checked with something in their place.
    WithPlaceholders,
}

/// Reads the labels of a mapping; nothing where one is wrong.
pub(super) fn read_labels(
    section: &Cursor<'_>,
    labels: &[&Field<'_>],
    values: MatcherValues,
    problems: &mut Problems,
) -> Option<Matchers> {
    let problems_before = problems.count();
    let mut matchers = Matchers::new();
    if labels.is_empty() || labels.len() > MAX_MATCHERS {
        let message = format!(
            "expected 1 to {MAX_MATCHERS} label matchers, found {}",
            labels.len()
        );
        section.problem(problems, message);
    }
    for label in labels.iter().take(MAX_MATCHERS) {
        for (operator, value) in operators_and_values(&label.value, problems) {
            let matcher = read_matcher(label.key, (operator, &value), values, problems);
            matchers.extend(matcher);
        }
    }
    if values == MatcherValues::AsTheyAre
        && problems.count() == problems_before
        && let Err(error) = validate_matchers(&matchers)
    {
        section.problem(problems, error.to_string());
    }
    (values == MatcherValues::AsTheyAre || problems.count() == problems_before).then_some(matchers)
}

/// The value of a label: text for `=`, or a mapping of operators to texts.
fn operators_and_values<'a>(
    value: &Cursor<'a>,
    problems: &mut Problems,
) -> Vec<(MatchOperator, Cursor<'a>)> {
    let Value::Mapping(entries) = value.value() else {
        if let Value::Text(text) = value.value()
            && let Some(advice) = advice_on_plain_value(text)
        {
            value.later_problem(problems, advice);
        }
        return vec![(MatchOperator::Equal, value.clone())];
    };
    if entries.is_empty() {
        value.problem(
            problems,
            "no operator: write for example {\"=~\": \"checkout-6d4.*\"}",
        );
    }
    let names = MatchOperator::ALL.map(MatchOperator::as_str);
    let Some(operators) = value.fields("a label's value", &names, problems) else {
        return Vec::new();
    };
    MatchOperator::ALL
        .into_iter()
        .filter_map(|operator| Some((operator, operators.get(operator.as_str())?.clone())))
        .collect()
}

fn read_matcher(
    label: &str,
    (operator, value): (MatchOperator, &Cursor<'_>),
    values: MatcherValues,
    problems: &mut Problems,
) -> Option<Matcher> {
    // A value is taken as it is: spaces belong to it, and an empty one says that the label is
    // absent, which tells the control from the canary of ingress-nginx.
    let text = match value.value() {
        Value::Text(text) => text,
        _ => value.text("a label's value", problems)?,
    };
    let matcher = Matcher {
        label: label.to_owned(),
        operator,
        value: text.to_owned(),
    };
    if values == MatcherValues::AsTheyAre
        && let Err(error) = validate_matchers(&Matchers::from([matcher.clone()]))
    {
        value.problem(problems, error.to_string());
        return None;
    }
    Some(matcher)
}
