//! The section `analysis.kayenta`: what Kayenta's score is made of.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Fields, Problems, checked};
use super::kayenta_settings::KayentaSettings;

const KEYS: &[&str] = &["pass", "marginal", "groups", "effect"];
const EFFECT_KEYS: &[&str] = &["critical_increase", "critical_decrease"];

const WHOLE_PERCENT: f64 = 100.0;

/// Reads the section; what is wrong in it keeps its default, so that the rest can be checked.
pub(super) fn read_kayenta(section: &Cursor<'_>, problems: &mut Problems) -> KayentaSettings {
    let mut settings = KayentaSettings::default();
    let expected = "a mapping such as {pass: 95, marginal: 75}";
    let Some(fields) = section.fields(expected, KEYS, problems) else {
        return settings;
    };
    if let Some(score) = read_score(&fields, "pass", problems) {
        settings.pass = score;
    }
    if let Some(score) = read_score(&fields, "marginal", problems) {
        settings.marginal = score;
    }
    if settings.marginal > settings.pass {
        let message = format!(
            "marginal {} is above pass {}: a score would do both",
            settings.marginal, settings.pass
        );
        section.problem(problems, message);
    }
    if let Some(groups) = fields.get("groups") {
        settings.groups = read_groups(groups, problems);
    }
    if let Some(effect) = fields.get("effect") {
        read_effect(effect, &mut settings, problems);
    }
    settings
}

fn read_score(fields: &Fields<'_>, key: &str, problems: &mut Problems) -> Option<f64> {
    const SCORE: &str = "a score from 0 to 100, such as 95";
    let value = fields.get(key)?;
    let score = value.number(SCORE, problems)?;
    let is_right = (0.0..=WHOLE_PERCENT).contains(&score);
    checked(value, score, is_right, SCORE, problems)
}

fn read_groups(section: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, f64> {
    const WEIGHT: &str = "a weight above 0 and up to 100, in percent of the score";
    let expected = "weights of groups, such as {errors: 60, latency: 40}";
    let mut groups = BTreeMap::new();
    for field in section.entries(expected, problems).unwrap_or_default() {
        let weight = field.value.number(WEIGHT, problems).and_then(|weight| {
            let is_right = weight > 0.0 && weight <= WHOLE_PERCENT;
            checked(&field.value, weight, is_right, WEIGHT, problems)
        });
        groups.extend(weight.map(|weight| (field.key.to_owned(), weight)));
    }
    let sum: f64 = groups.values().sum();
    if sum > WHOLE_PERCENT {
        let message = format!("the weights are {sum} together: they are parts of 100");
        section.problem(problems, message);
    }
    groups
}

fn read_effect(section: &Cursor<'_>, settings: &mut KayentaSettings, problems: &mut Problems) {
    const INCREASE: &str = "a ratio from 1 to 100, such as 1.5";
    const DECREASE: &str = "a ratio above 0 and up to 1, such as 0.5";
    let expected = "a mapping such as {critical_increase: 1.5}";
    let Some(fields) = section.fields(expected, EFFECT_KEYS, problems) else {
        return;
    };
    if let Some(value) = fields.get("critical_increase")
        && let Some(ratio) = value.number(INCREASE, problems)
        && let Some(ratio) = checked(
            value,
            ratio,
            (1.0..=WHOLE_PERCENT).contains(&ratio),
            INCREASE,
            problems,
        )
    {
        settings.critical_increase = ratio;
    }
    if let Some(value) = fields.get("critical_decrease")
        && let Some(ratio) = value.number(DECREASE, problems)
        && let Some(ratio) = checked(
            value,
            ratio,
            ratio > 0.0 && ratio <= 1.0,
            DECREASE,
            problems,
        )
    {
        settings.critical_decrease = ratio;
    }
}

/// Reads the group that a check counts in.
pub(super) fn read_group(check: &Fields<'_>, problems: &mut Problems) -> Option<String> {
    const GROUP: &str = "the name of a group of kayenta's score, such as errors";
    let group = check.get("group")?.text(GROUP, problems)?;
    Some(group.to_owned())
}
