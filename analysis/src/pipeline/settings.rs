//! The section `analysis`: how a pipeline is judged.

use super::cursor::{Cursor, Fields, Problems, checked};
use super::kayenta::read_kayenta;
use super::model::{AnalysisSettings, Method, OnInconclusive, PopulationCheck, SplitCheck};
use super::yaml::Value;

const KEYS: &[&str] = &[
    "method",
    "false_rollback",
    "false_promote",
    "confidence",
    "interval",
    "lag",
    "history",
    "on_inconclusive",
    "promote_ratio",
    "split_check",
    "population_check",
    "promote_offset",
    "warm_up",
    "cold_start",
    "pod_spread",
    "kayenta",
];

const METHODS: &[(&str, Method)] = &[
    ("sequential", Method::Sequential),
    ("wilson", Method::Wilson),
    ("kayenta", Method::Kayenta),
];

const ON_INCONCLUSIVE: &[(&str, OnInconclusive)] = &[
    ("hold", OnInconclusive::Hold),
    ("promote", OnInconclusive::Promote),
    ("rollback", OnInconclusive::Rollback),
];

const SPLIT_CHECK: &[(&str, SplitCheck)] = &[
    ("hold", SplitCheck::Hold),
    ("warn", SplitCheck::Warn),
    ("off", SplitCheck::Off),
];

const ON_OR_OFF: &[(&str, bool)] = &[("on", true), ("off", false)];

const POPULATION_CHECK: &[(&str, PopulationCheck)] = &[
    ("hold", PopulationCheck::Hold),
    ("warn", PopulationCheck::Warn),
    ("off", PopulationCheck::Off),
];

/// Reads the section; what is wrong in it keeps its default, so that the rest can be checked.
pub(super) fn read_settings(section: &Cursor<'_>, problems: &mut Problems) -> AnalysisSettings {
    let mut settings = AnalysisSettings::default();
    let Some(fields) = section.fields("a mapping of settings", KEYS, problems) else {
        return settings;
    };
    if let Some(value) = fields.get("method")
        && let Some(method) = read_method(value, problems)
    {
        settings.method = method;
    }
    if let Some(value) = fields.get("false_rollback")
        && let Some(chance) = read_chance(value, problems)
    {
        settings.false_rollback = chance;
    }
    if let Some(value) = fields.get("false_promote")
        && let Some(chance) = read_chance(value, problems)
    {
        settings.false_promote = chance;
    }
    if let Some(value) = fields.get("confidence")
        && let Some(confidence) = read_confidence(value, problems)
    {
        settings.confidence = confidence;
    }
    if let Some(value) = fields.get("interval")
        && let Some(seconds) = read_whole_seconds(value, 1, 3600, problems)
    {
        settings.interval_seconds = seconds;
        settings.is_interval_given = true;
    }
    if let Some(value) = fields.get("lag")
        && let Some(seconds) = read_whole_seconds(value, 0, 3600, problems)
    {
        settings.lag_seconds = seconds;
    }
    if let Some(value) = fields.get("history") {
        settings.history_seconds = read_history(value, problems);
    }
    if let Some(value) = fields.get("on_inconclusive")
        && let Some(chosen) = value.choice(ON_INCONCLUSIVE, problems)
    {
        settings.on_inconclusive = chosen;
    }
    read_promotion(&fields, &mut settings, problems);
    read_processes(&fields, &mut settings, problems);
    read_checks_of_traffic(&fields, &mut settings, problems);
    if let Some(value) = fields.get("kayenta") {
        settings.kayenta = read_kayenta(value, problems);
    }
    settings
}

/// Reads what must be shown for a promotion.
fn read_promotion(fields: &Fields<'_>, settings: &mut AnalysisSettings, problems: &mut Problems) {
    if let Some(value) = fields.get("promote_ratio") {
        const RATIO: &str = "a ratio above 1 and up to 100, such as 1.5";
        settings.promote_ratio = value.number(RATIO, problems).and_then(|ratio| {
            checked(value, ratio, ratio > 1.0 && ratio <= 100.0, RATIO, problems)
        });
    }
    if let Some(value) = fields.get("promote_offset") {
        const OFFSET: &str = "a share from 0 to 0.1, such as 0.1% or 0";
        if let Some(offset) = value.fraction(OFFSET, problems).and_then(|offset| {
            checked(
                value,
                offset,
                (0.0..=0.1).contains(&offset),
                OFFSET,
                problems,
            )
        }) {
            settings.promote_offset = offset;
        }
    }
}

/// Reads what is made of single processes and pods.
fn read_processes(fields: &Fields<'_>, settings: &mut AnalysisSettings, problems: &mut Problems) {
    (settings.warm_up_seconds, settings.cold_start_seconds) = read_young(fields, problems);
    if let Some(value) = fields.get("pod_spread")
        && let Some(is_on) = read_on_or_off(value, problems)
    {
        settings.pod_spread = is_on;
    }
}

/// Reads what happens when the traffic or the populations are not what they are taken for.
fn read_checks_of_traffic(
    fields: &Fields<'_>,
    settings: &mut AnalysisSettings,
    problems: &mut Problems,
) {
    if let Some(value) = fields.get("split_check")
        && let Some(chosen) = value.choice(SPLIT_CHECK, problems)
    {
        settings.split_check = chosen;
    }
    if let Some(value) = fields.get("population_check")
        && let Some(chosen) = value.choice(POPULATION_CHECK, problems)
    {
        settings.population_check = chosen;
    }
}

/// Reads the name of a method.
pub(super) fn read_method(value: &Cursor<'_>, problems: &mut Problems) -> Option<Method> {
    value.choice(METHODS, problems)
}

fn read_chance(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const CHANCE: &str = "a chance above 0 and up to 0.5, such as 0.01 or 1%";
    let chance = value.fraction(CHANCE, problems)?;
    checked(
        value,
        chance,
        chance > 0.0 && chance <= 0.5,
        CHANCE,
        problems,
    )
}

fn read_confidence(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const CONFIDENCE: &str = "a confidence from 0.5 to 0.999999, such as 0.99 or 99%";
    let confidence = value.fraction(CONFIDENCE, problems)?;
    let is_right = (0.5..=0.999_999).contains(&confidence);
    checked(value, confidence, is_right, CONFIDENCE, problems)
}

/// Reads how long the history is; nothing when it is off or wrong. YAML reads a bare `off` as a text
/// or as false, by its version.
fn read_history(value: &Cursor<'_>, problems: &mut Problems) -> Option<u32> {
    const EXPECTED: &str = "a time from 4h to 168h (7 days) in whole seconds, such as 24h, or off";
    const SHORTEST_SECONDS: u32 = 4 * 3_600;
    const LONGEST_SECONDS: u32 = 168 * 3_600;
    match value.value() {
        Value::Bool(false) => None,
        Value::Text(text) if text == "off" => None,
        _ => read_seconds(
            value,
            (SHORTEST_SECONDS, LONGEST_SECONDS),
            EXPECTED,
            problems,
        ),
    }
}

/// Reads a switch. YAML reads a bare `on` as a text or as true, by its version.
fn read_on_or_off(value: &Cursor<'_>, problems: &mut Problems) -> Option<bool> {
    match value.value() {
        Value::Bool(is_on) => Some(*is_on),
        _ => value.choice(ON_OR_OFF, problems),
    }
}

/// Reads how long a new process is not judged.
fn read_warm_up(value: &Cursor<'_>, problems: &mut Problems) -> Option<u32> {
    const LONGEST_SECONDS: u32 = 3_600;
    const EXPECTED: &str = "a time up to 1h in whole seconds, such as 2m, or 0s for none";
    read_seconds(value, (0, LONGEST_SECONDS), EXPECTED, problems)
}

/// Reads how long a process is young, and how long a canary is cold.
pub(super) fn read_young(
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> (Option<u32>, Option<u32>) {
    let warm_up = fields.get("warm_up");
    let cold_start = fields.get("cold_start");
    (
        warm_up.and_then(|value| read_warm_up(value, problems)),
        cold_start.and_then(|value| read_cold_start(value, problems)),
    )
}

/// Reads for how long old pods do not say what a young canary pod may differ by.
fn read_cold_start(value: &Cursor<'_>, problems: &mut Problems) -> Option<u32> {
    const LONGEST_SECONDS: u32 = 86_400;
    const EXPECTED: &str = "a time up to 24h in whole seconds, such as 45m, or 0s for none";
    read_seconds(value, (0, LONGEST_SECONDS), EXPECTED, problems)
}

fn read_whole_seconds(
    value: &Cursor<'_>,
    least: u32,
    most: u32,
    problems: &mut Problems,
) -> Option<u32> {
    let expected = format!("whole seconds from {least} to {most}, such as 30s");
    read_seconds(value, (least, most), &expected, problems)
}

/// Reads a time in whole seconds within these bounds.
pub(super) fn read_seconds(
    value: &Cursor<'_>,
    (least, most): (u32, u32),
    expected: &str,
    problems: &mut Problems,
) -> Option<u32> {
    let seconds = value.seconds(expected, problems)?;
    let is_right =
        seconds >= f64::from(least) && seconds <= f64::from(most) && seconds.fract() == 0.0;
    let seconds = checked(value, seconds, is_right, expected, problems)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and within the range of u32"
    )]
    Some(seconds as u32)
}
