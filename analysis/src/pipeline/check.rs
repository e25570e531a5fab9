//! Checks: what a condition means for its metric, and whether it can be judged at all.

use super::cursor::{Cursor, Problems, checked, shortened};
use super::expression::{Claim, Expression, Term, parse_expression};
use super::metrics::{DefinedKind, Definition, KnownMetrics};
use super::model::{
    AnalysisSettings, Better, Check, Comparison, Condition, Dimension, Method, MetricKind,
};
use super::names::suggestion;
use super::quantity::{Quantity, dimension_name, units_of};
use super::resolve::{Subject, WrittenCheck};
use super::settings::read_method;
use super::yaml::Value;

/// Names of the control in a limit.
const CONTROL_NAMES: &[&str] = &["baseline", "control", "legacy"];

const CHECK_KEYS: &[&str] = &[
    "check",
    "critical",
    "weight",
    "warn_only",
    "method",
    "promote_ratio",
    "rollback",
];

/// Reads a check of a stage: its text, or a mapping that holds the text under `check`.
pub(super) fn read_check(
    cursor: &Cursor<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Option<Check> {
    if !matches!(cursor.value(), Value::Mapping(_)) {
        let (check, subject) = read_condition(cursor, metrics, Use::Check, problems)?;
        check_promote_ratio(cursor, &check, &subject, settings, problems);
        check_kayenta(cursor, &check, settings, problems);
        return Some(check.resolved(subject, settings));
    }
    let fields = cursor.fields("a check", CHECK_KEYS, problems)?;
    if fields.lacks("check") {
        cursor.problem(
            problems,
            "no \"check\": write for example {check: \"error_rate < 0.1%\", weight: 2}",
        );
    }
    let text = fields.get("check")?;
    // Everything is read before anything is given up, so that all mistakes are told.
    let condition = read_condition(text, metrics, Use::Check, problems);
    let warn_only = fields
        .get("warn_only")
        .and_then(|value| value.boolean(problems))
        .unwrap_or(false);
    let critical = fields
        .get("critical")
        .and_then(|value| read_critical(value, warn_only, problems))
        .unwrap_or(!warn_only);
    let weight = fields
        .get("weight")
        .and_then(|value| read_weight(value, problems))
        .unwrap_or(1.0);
    let method = fields
        .get("method")
        .and_then(|value| read_method(value, problems));
    let promote_ratio = fields
        .get("promote_ratio")
        .and_then(|value| read_promote_ratio(value, problems));
    let rollback = fields
        .get("rollback")
        .and_then(|value| read_rollback(value, warn_only, problems));
    let (condition, subject) = condition?;
    let check = WrittenCheck {
        critical,
        weight,
        warn_only,
        method,
        promote_ratio,
        rollback,
        ..condition
    };
    let place = fields.get("promote_ratio").unwrap_or(text);
    check_promote_ratio(place, &check, &subject, settings, problems);
    let place = fields.get("method").unwrap_or(text);
    check_kayenta(place, &check, settings, problems);
    Some(check.resolved(subject, settings))
}

fn read_critical(value: &Cursor<'_>, warn_only: bool, problems: &mut Problems) -> Option<bool> {
    let critical = value.boolean(problems)?;
    if critical && warn_only {
        value.problem(
            problems,
            "a check that only warns cannot be critical: remove one of the two",
        );
    }
    Some(critical)
}

fn read_rollback(value: &Cursor<'_>, warn_only: bool, problems: &mut Problems) -> Option<bool> {
    let rollback = value.boolean(problems)?;
    if rollback && warn_only {
        value.problem(
            problems,
            "a check that only warns cannot roll back: remove one of the two",
        );
    }
    Some(rollback)
}

fn read_weight(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const WEIGHT: &str = "a number above 0 and up to 1000";
    let weight = value.number(WEIGHT, problems)?;
    let is_right = weight > 0.0 && weight <= 1000.0;
    checked(value, weight, is_right, WEIGHT, problems)
}

fn read_promote_ratio(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const RATIO: &str = "a ratio above 0 and up to 100, such as 1.5";
    let ratio = value.number(RATIO, problems)?;
    checked(value, ratio, ratio > 0.0 && ratio <= 100.0, RATIO, problems)
}

/// Reads a condition of the kill switch: the text, or a mapping with nothing but `check`.
pub(super) fn read_kill_condition(
    cursor: &Cursor<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Option<Check> {
    let read = |text, problems: &mut Problems| {
        let (switch, subject) = read_condition(text, metrics, Use::KillSwitch, problems)?;
        Some(switch.resolved_kill_switch(subject, settings))
    };
    if !matches!(cursor.value(), Value::Mapping(_)) {
        return read(cursor, problems);
    }
    let fields = cursor.fields("a condition", &["check"], problems)?;
    if fields.lacks("check") {
        cursor.problem(problems, "no \"check\": write for example error_rate > 5%");
    }
    read(fields.get("check")?, problems)
}

/// Whether a condition must hold or must not become true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Check,
    KillSwitch,
}

fn read_condition(
    cursor: &Cursor<'_>,
    metrics: &KnownMetrics,
    used_as: Use,
    problems: &mut Problems,
) -> Option<(WrittenCheck, Subject)> {
    const CHECK: &str = "a check such as error_rate < 0.1%";
    if !matches!(cursor.value(), Value::Text(_)) {
        cursor.wrong_kind(problems, CHECK);
        return None;
    }
    let text = cursor.text(CHECK, problems)?;
    match condition_of(text, metrics, used_as) {
        Ok((metric, condition)) => {
            let subject = metrics.subject(metric)?;
            Some((WrittenCheck::new(&metric.name, text, condition), subject))
        }
        Err(messages) => {
            for message in messages {
                cursor.problem(problems, message);
            }
            None
        }
    }
}

/// The metric and the condition of a text, or everything that is wrong with it.
fn condition_of<'m>(
    text: &str,
    metrics: &'m KnownMetrics,
    used_as: Use,
) -> Result<(&'m Definition, Condition), Vec<String>> {
    let expression = parse_expression(text).map_err(|message| vec![message])?;
    let metric = metrics
        .resolve(expression.metric)
        .map_err(|message| message.into_iter().collect::<Vec<_>>())?;
    let condition = resolve(&expression, metric).map_err(|message| vec![message])?;
    if used_as == Use::KillSwitch && !matches!(condition, Condition::Absolute { .. }) {
        return Err(vec![
            "a kill switch knows no control: give an absolute limit, such as error_rate > 5%"
                .to_owned(),
        ]);
    }
    check_direction(metric, condition, used_as).map_err(|message| vec![message])?;
    Ok((metric, condition))
}

fn resolve(expression: &Expression<'_>, metric: &Definition) -> Result<Condition, String> {
    match &expression.claim {
        Claim::Within { tolerance, control } => {
            check_control_name(control, expression.metric, metric)?;
            if !tolerance.is_fraction() && !tolerance.is_bare() {
                return Err(
                    "a tolerance is a part of the control's value, such as 5% or 0.05".to_owned(),
                );
            }
            let tolerance = tolerance.in_base_unit();
            if tolerance <= 0.0 || tolerance >= 1.0 {
                return Err(format!(
                    "a tolerance lies between 0 and 100%, found {}%",
                    tolerance * 100.0
                ));
            }
            Ok(Condition::Within { tolerance })
        }
        Claim::Compare { comparison, limit } => {
            let sum = Sum::of(limit, expression.metric, metric)?;
            match sum.ratio {
                None => absolute(*comparison, sum.offset, metric),
                Some(ratio) if ratio > 0.0 && ratio.is_finite() => Ok(Condition::Relative {
                    comparison: *comparison,
                    ratio,
                    offset: sum.offset,
                }),
                Some(ratio) => Err(format!(
                    "the factor of baseline must be above 0, found {ratio}"
                )),
            }
        }
    }
}

/// A limit as `control * ratio + offset`.
struct Sum {
    ratio: Option<f64>,
    offset: f64,
}

impl Sum {
    fn of(terms: &[Term<'_>], written_name: &str, metric: &Definition) -> Result<Self, String> {
        let mut sum = Self {
            ratio: None,
            offset: 0.0,
        };
        let is_relative = terms.iter().any(|term| !term.names.is_empty());
        for term in terms {
            let sign = if term.is_negative { -1.0 } else { 1.0 };
            match term.names.as_slice() {
                [] => {
                    let quantity = single_number(term)?;
                    check_unit(quantity, metric, is_relative, term.is_negative)?;
                    sum.offset += sign * quantity.in_base_unit();
                }
                [name] => {
                    check_control_name(name, written_name, metric)?;
                    if sum.ratio.is_some() {
                        return Err(
                            "the control stands twice in the limit: add the factors".to_owned()
                        );
                    }
                    sum.ratio = Some(sign * factor(term)?);
                }
                _ => return Err("the control cannot be multiplied by itself".to_owned()),
            }
        }
        if sum.offset.is_finite() {
            Ok(sum)
        } else {
            Err("the limit is too large".to_owned())
        }
    }
}

fn single_number<'t>(term: &'t Term<'_>) -> Result<&'t Quantity, String> {
    match term.numbers.as_slice() {
        [quantity] => Ok(quantity),
        _ => Err("numbers are not multiplied here: write their product".to_owned()),
    }
}

fn factor(term: &Term<'_>) -> Result<f64, String> {
    let mut product = 1.0;
    for quantity in &term.numbers {
        if !quantity.is_bare() && !quantity.is_fraction() {
            return Err(format!(
                "a factor of the control has no unit, found one in {}",
                quantity.unit_name()
            ));
        }
        product *= quantity.in_base_unit();
    }
    Ok(product)
}

fn check_unit(
    quantity: &Quantity,
    metric: &Definition,
    is_relative: bool,
    is_negative: bool,
) -> Result<(), String> {
    let name = &metric.name;
    if is_relative && quantity.is_fraction() && metric.dimension != Dimension::Fraction {
        // "+ 10%" could mean a tenth of the control or a tenth of a unit: ask.
        let part = quantity.in_base_unit();
        let ratio = if is_negative { 1.0 - part } else { 1.0 + part };
        return Err(format!(
            "a percentage cannot be added to {name}: write baseline * {ratio}"
        ));
    }
    if quantity.fits(metric.dimension) {
        return Ok(());
    }
    Err(format!(
        "{name} is {}: use {}, not {}, or say what it counts with \"unit\" where it is defined",
        dimension_name(metric.dimension),
        units_of(metric.dimension),
        quantity.unit_name()
    ))
}

/// `baseline`, `control`, `legacy`, or one of them with the metric's name or the end of it:
/// `legacy_error_rate`, `legacy_p99`.
fn check_control_name(name: &str, written_name: &str, metric: &Definition) -> Result<(), String> {
    if CONTROL_NAMES.contains(&name) {
        return Ok(());
    }
    let suffix = CONTROL_NAMES
        .iter()
        .find_map(|control| name.strip_prefix(control)?.strip_prefix('_'));
    let Some(suffix) = suffix else {
        let hint = suggestion(name, CONTROL_NAMES.iter().copied());
        let hint = if hint.is_empty() {
            ": a limit is a number, or baseline with a factor".to_owned()
        } else {
            hint
        };
        return Err(format!(
            "unknown name {:?} in the limit{hint}",
            shortened(name)
        ));
    };
    let is_end_of = |whole: &str| {
        whole
            .strip_suffix(suffix)
            .is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    if !suffix.is_empty() && (is_end_of(written_name) || is_end_of(&metric.name)) {
        Ok(())
    } else {
        Err(format!(
            "{:?} is not the control's {written_name}: a metric is compared with itself, write \
             baseline",
            shortened(name)
        ))
    }
}

fn absolute(comparison: Comparison, limit: f64, metric: &Definition) -> Result<Condition, String> {
    let name = &metric.name;
    // A part that is at most 1 is always <= 1 and never > 1. That it is all of it can be asked
    // for (>= 1), or be wanted and missed (< 1 in a kill switch).
    let is_idle_at_one = match comparison {
        Comparison::Less | Comparison::LessOrEqual => metric.better == Better::Lower,
        Comparison::Greater => true,
        Comparison::GreaterOrEqual => false,
    };
    let message = match metric.kind {
        DefinedKind::Measured(MetricKind::Proportion { .. })
            if limit > 1.0 || (limit >= 1.0 && is_idle_at_one) =>
        {
            Some(format!(
                "{name} is a part of all requests and never above 1: did you mean {limit}%?"
            ))
        }
        DefinedKind::ImpactOf(_) if limit >= 1.0 => Some(format!(
            "{name} is the part that is lost and never above 1: did you mean {limit}%?"
        )),
        DefinedKind::Measured(MetricKind::Gauge { .. }) | DefinedKind::ImpactOf(_) => None,
        DefinedKind::Measured(MetricKind::Quantile { .. }) if limit <= 0.0 => Some(format!(
            "the limit of {name} must be above 0, found {limit}"
        )),
        _ if limit < 0.0 => Some(format!("{name} is never below 0, found the limit {limit}")),
        DefinedKind::Measured(MetricKind::Proportion { .. } | MetricKind::EventRate { .. })
            if limit <= 0.0 && comparison == Comparison::Less =>
        {
            Some(format!("{name} is never below 0: write a limit above 0"))
        }
        DefinedKind::Measured(_) => None,
    };
    match message {
        Some(message) => Err(message),
        None => Ok(Condition::Absolute { comparison, limit }),
    }
}

/// A check that asks for what is bad, or a kill switch that fires on what is good, is the other
/// one written in the wrong place: it would roll back every good canary.
fn check_direction(metric: &Definition, condition: Condition, used_as: Use) -> Result<(), String> {
    let wants_less = match condition {
        Condition::Absolute { comparison, .. } | Condition::Relative { comparison, .. } => {
            comparison.wants_less()
        }
        Condition::Within { .. } => return Ok(()),
    };
    // A gauge or a rate may have a good range with two ends.
    if matches!(
        metric.kind,
        DefinedKind::Measured(MetricKind::Gauge { .. } | MetricKind::EventRate { .. })
    ) {
        return Ok(());
    }
    let less_is_good = metric.better == Better::Lower;
    let name = &metric.name;
    let good = if less_is_good { "less" } else { "more" };
    match used_as {
        Use::Check if wants_less != less_is_good => {
            let sign = if less_is_good { "<" } else { ">" };
            let other = if less_is_good { "higher" } else { "lower" };
            let hint = match metric.kind {
                DefinedKind::ImpactOf(_) => String::new(),
                DefinedKind::Measured(_) => {
                    format!(", or \"better: {other}\" where {name} is defined")
                }
            };
            Err(format!(
                "a check says what must hold, and {good} of {name} is better: write {sign}{hint}"
            ))
        }
        Use::KillSwitch if wants_less == less_is_good => {
            let sign = if less_is_good { ">" } else { "<" };
            Err(format!(
                "a kill switch says what must not happen, and {good} of {name} is better: write \
                 {sign}"
            ))
        }
        _ => Ok(()),
    }
}

/// A promotion ratio on the wrong side of the limit could never be shown.
fn check_promote_ratio(
    place: &Cursor<'_>,
    check: &WrittenCheck,
    subject: &Subject,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) {
    let own = check.promote_ratio;
    if let (Some(own), Some(limit)) = (own, impact_limit(check, subject)) {
        // Added and not subtracted: 0.9 and 0.1 are exactly 1.
        if own >= 1.0 || own + limit > 1.0 {
            let message = format!(
                "promote_ratio {own} can never be shown: of an impact it is the share of the \
                 control's value that must be kept, below 1 and at most 1 less the limit {limit}"
            );
            place.problem(problems, message);
        }
        return;
    }
    let Condition::Relative {
        comparison, ratio, ..
    } = check.condition
    else {
        if own.is_some() {
            place.problem(
                problems,
                "promote_ratio is for impacts and for limits with baseline and one side: remove it",
            );
        }
        return;
    };
    let message = match own {
        Some(own) if comparison.wants_less() && (own < ratio || own <= 1.0) => Some(format!(
            "promote_ratio {own} can never be shown: it must be above 1 and at least the limit's \
             own factor {ratio}"
        )),
        Some(own) if !comparison.wants_less() && (own > ratio || own >= 1.0) => Some(format!(
            "promote_ratio {own} can never be shown: with > it must be below 1 and at most the \
             limit's own factor {ratio}"
        )),
        Some(_) => None,
        None => settings
            .promote_ratio
            .filter(|general| comparison.wants_less() && *general < ratio)
            .map(|general| {
                format!(
                    "the promote_ratio {general} under \"analysis\" is below this check's factor \
                     {ratio}: raise it, or give the check its own"
                )
            }),
    };
    if let Some(message) = message {
        place.problem(problems, message);
    }
}

/// The limit of a check of an impact, `(control - canary) / control < limit`.
fn impact_limit(check: &WrittenCheck, subject: &Subject) -> Option<f64> {
    match (subject, check.condition) {
        (Subject::ImpactOf(_), Condition::Absolute { limit, .. }) => Some(limit),
        _ => None,
    }
}

/// Tells a check that is decided by kayenta and cannot be. Its test compares the canary's values
/// with the control's times a factor, and with nothing else.
fn check_kayenta(
    place: &Cursor<'_>,
    check: &WrittenCheck,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) {
    if check.method.unwrap_or(settings.method) != Method::Kayenta {
        return;
    }
    match check.condition {
        // Under the pipeline's method, an absolute limit is decided by wilson.
        Condition::Absolute { .. } if check.method.is_some() => place.problem(
            problems,
            "kayenta compares with the control: an absolute limit needs method wilson",
        ),
        Condition::Relative { ratio, offset, .. } if offset != 0.0 => {
            let message = format!(
                "kayenta knows only a factor of the control: write baseline * {ratio} without \
                 the offset, or give the check method wilson"
            );
            place.problem(problems, message);
        }
        _ => {}
    }
}
