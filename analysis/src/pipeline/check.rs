//! Checks: a condition with what a mapping carries beside it, and whether it can be judged at all.

use super::condition::condition_of;
use super::cursor::{Cursor, Problems, checked};
use super::kayenta::read_group;
use super::limit::Limit;
use super::meaningless::untestable;
use super::metrics::KnownMetrics;
use super::model::{AnalysisSettings, Check, Condition, Method, Use};
use super::resolve::{Subject, WrittenCheck};
use super::settings::{read_method, read_young};
use super::yaml::Value;

const CHECK_KEYS: &[&str] = &[
    "check",
    "critical",
    "group",
    "weight",
    "warn_only",
    "method",
    "promote_ratio",
    "rollback",
    "warm_up",
    "cold_start",
    "control",
];

/// Reads a check of a stage: its text, or a mapping that holds the text under `check`.
pub(super) fn read_check(
    cursor: &Cursor<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Option<Check> {
    let told_before = problems.count();
    let check = if matches!(cursor.value(), Value::Mapping(_)) {
        read_mapping(cursor, metrics, settings, problems)?
    } else {
        let (check, subject) = read_condition(cursor, metrics, Use::Check, problems)?;
        check_promote_ratio(cursor, &check, &subject, settings, problems);
        check_kayenta(cursor, &check, settings, problems);
        check.resolved(subject, settings)
    };
    // What has been told already has a better word for it.
    if problems.count() == told_before
        && let Some(why) = untestable(&check)
    {
        cursor.later_problem(problems, why);
    }
    Some(check)
}

fn read_mapping(
    cursor: &Cursor<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Option<Check> {
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
        .and_then(|value| read_critical(value, warn_only, problems));
    let group = read_group(&fields, problems);
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
    let (warm_up_seconds, cold_start_seconds) = read_young(&fields, problems);
    let limit = condition.as_ref().map(|(one, _)| one.condition.limit());
    let control = fields.get("control");
    let ignores_control = control.is_some_and(|value| read_control(value, limit, problems));
    let (condition, subject) = condition?;
    let check = WrittenCheck {
        critical,
        group,
        weight,
        warn_only,
        method,
        promote_ratio,
        rollback,
        warm_up_seconds,
        cold_start_seconds,
        ignores_control,
        ..condition
    };
    let place = |key: &str| fields.get(key).unwrap_or(text);
    check_promote_ratio(place("promote_ratio"), &check, &subject, settings, problems);
    check_kayenta(place("method"), &check, settings, problems);
    Some(check.resolved(subject, settings))
}

/// Whether a limit is held against the canary alone.
fn read_control(value: &Cursor<'_>, limit: Option<Limit>, problems: &mut Problems) -> bool {
    let choice = value.choice(&[("none", true)], problems);
    if limit.is_some_and(Limit::needs_control) {
        value.problem(
            problems,
            "it compares with the control: `control: none` is for an absolute limit",
        );
    }
    choice.unwrap_or(false)
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
        Ok(meaning) => {
            for message in meaning.later_mistakes {
                cursor.later_problem(problems, message);
            }
            let name = &meaning.metric.name;
            let subject = metrics.subject(meaning.metric)?;
            Some((WrittenCheck::new(name, text, meaning.condition), subject))
        }
        Err(messages) => {
            for message in messages {
                cursor.problem(problems, message);
            }
            None
        }
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

/// Tells a check that is decided by kayenta and cannot be: its test compares the canary's values with the control's.
fn check_kayenta(
    place: &Cursor<'_>,
    check: &WrittenCheck,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) {
    if check.method.unwrap_or(settings.method) != Method::Kayenta {
        return;
    }
    // Under the pipeline's method, an absolute limit is decided by wilson.
    if matches!(check.condition, Condition::Absolute { .. }) && check.method.is_some() {
        place.problem(
            problems,
            "kayenta compares with the control: an absolute limit needs method wilson",
        );
    }
}
