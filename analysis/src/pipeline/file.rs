//! The whole file: its sections, in the order in which they depend on each other.

use super::check::read_kill_condition;
use super::cursor::{Cursor, Fields, Problems, Rules, shortened};
use super::error_budget::read_error_budget;
use super::metrics::KnownMetrics;
use super::model::{AnalysisSettings, Check, Diagnostic, Pipeline};
use super::population::{read_populations, read_region_label, read_target_labels};
use super::preset_keys::read_presets;
use super::settings::read_settings;
use super::sources::{check_regions, read_sources};
use super::stages::{MAX_ID_CHARACTERS, is_id, is_same, read_stages};
use super::yaml;
use crate::series::Populations;

const KEYS: &[&str] = &[
    "name",
    "source",
    "control",
    "canary",
    "region_label",
    "target_labels",
    "preset",
    "presets",
    "metrics",
    "analysis",
    "kill_switch",
    "error_budget",
    "dry_run",
    "canary_pipeline",
];

/// The most conditions of a kill switch.
const MAX_KILL_CONDITIONS: usize = 50;

/// Reads a pipeline file (YAML, or JSON, which YAML contains).
///
/// `default_name` names a pipeline that has no `name`: usually its file's name.
///
/// # Errors
///
/// Every mistake of the text, in the order of its lines. Only a mistake of YAML itself, or a
/// text that is too large, hides the others.
///
/// ```
/// use serinus_analysis::pipeline::parse;
///
/// let text = "
/// canary_pipeline:
///   stage_1:
///     traffic_percent: 5
///     duration_minutes: 30
///     metrics: [error_rate < baseline * 1.1]
/// ";
/// let pipeline = parse(text, "checkout").unwrap();
/// assert_eq!(pipeline.name, "checkout");
/// assert_eq!(pipeline.stages[0].checks[0].metric, "error_rate");
///
/// let diagnostics = parse(&text.replace("error_rate", "eror_rate"), "checkout").unwrap_err();
/// assert_eq!(diagnostics[0].line, 6);
/// assert_eq!(
///     diagnostics[0].message,
///     "unknown metric \"eror_rate\", did you mean \"error_rate\"?"
/// );
/// ```
pub fn parse(text: &str, default_name: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    read_by(Rules::Today, text, default_name)
}

/// Reads the file of a rollout that runs. It was accepted when the rollout began, and keeps its
/// meaning: what this version refuses and earlier ones did not is no mistake here.
///
/// # Errors
///
/// Every mistake that was one in every version.
///
/// ```
/// use serinus_analysis::pipeline::{parse, parse_of_a_rollout};
///
/// let text = "
/// canary_pipeline:
///   stage_1: {traffic_percent: 5, duration_minutes: 30, metrics: [latency_p99 < 0.2]}
/// ";
/// assert!(parse(text, "checkout").is_err());
/// let pipeline = parse_of_a_rollout(text, "checkout").unwrap();
/// assert_eq!(pipeline.stages[0].checks[0].limit.absolute_value(), Some(0.2));
/// ```
pub fn parse_of_a_rollout(text: &str, default_name: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    read_by(Rules::Ever, text, default_name)
}

fn read_by(rules: Rules, text: &str, default_name: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    let root = yaml::read(text).map_err(|diagnostic| vec![diagnostic])?;
    let mut problems = Problems::by(rules);
    let pipeline = read_file(&Cursor::root(&root), default_name, &mut problems);
    let diagnostics = problems.into_sorted();
    match pipeline {
        Some(pipeline) if diagnostics.is_empty() => Ok(pipeline),
        _ => Err(diagnostics),
    }
}

fn read_file(root: &Cursor<'_>, default_name: &str, problems: &mut Problems) -> Option<Pipeline> {
    let fields = root.fields(
        "a pipeline: a mapping with the key \"canary_pipeline\"",
        KEYS,
        problems,
    )?;
    let name = read_name(&fields, default_name, problems);
    let (Populations { control, canary }, of_populations) = read_populations(&fields, problems);
    let sources = read_sources(&fields, of_populations, problems);
    let region_label = read_region_label(&fields, problems);
    let target_labels = read_target_labels(&fields, problems);
    let mut metrics = KnownMetrics::of_preset(read_presets(&fields, problems));
    if let Some(section) = fields.get("metrics") {
        metrics.read(section, problems);
    }
    let analysis = fields
        .get("analysis")
        .map_or_else(AnalysisSettings::default, |section| {
            read_settings(section, problems)
        });
    let kill_switch = read_kill_switch(&fields, &metrics, &analysis, problems);
    let error_budget = read_error_budget(&fields, &metrics, problems);
    let dry_run = fields
        .get("dry_run")
        .and_then(|value| value.boolean(problems))
        .unwrap_or(false);
    if fields.lacks("canary_pipeline") {
        root.problem(
            problems,
            "no \"canary_pipeline\": say which stages a rollout goes through",
        );
    }
    let stages = fields
        .get("canary_pipeline")
        .map(|section| read_stages(section, &metrics, &analysis, problems))
        .unwrap_or_default();
    check_regions(&sources, fields.get("canary_pipeline"), &stages, problems);
    Some(Pipeline {
        name,
        sources,
        control,
        canary,
        written: Populations {
            control: fields.get("control").is_some(),
            canary: fields.get("canary").is_some(),
        },
        region_label,
        target_labels,
        metrics: metrics.measured(),
        analysis,
        kill_switch,
        error_budget,
        dry_run,
        stages,
    })
}

fn read_name(fields: &Fields<'_>, default_name: &str, problems: &mut Problems) -> String {
    let Some(value) = fields.get("name") else {
        return default_name.to_owned();
    };
    let Some(name) = value.text("a name", problems) else {
        return default_name.to_owned();
    };
    if !is_id(name) {
        let message = format!(
            "a pipeline's name stands in URLs: use up to {MAX_ID_CHARACTERS} letters, digits, _, \
             - and ., not {:?}",
            shortened(name)
        );
        value.problem(problems, message);
    }
    name.to_owned()
}

fn read_kill_switch(
    fields: &Fields<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Vec<Check> {
    let Some(list) = fields.get("kill_switch") else {
        return Vec::new();
    };
    let Some(items) = list.items("a list of conditions such as error_rate > 5%", problems) else {
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_KILL_CONDITIONS {
        let message = format!(
            "expected 1 to {MAX_KILL_CONDITIONS} conditions, found {}",
            items.len()
        );
        list.problem(problems, message);
    }
    let mut conditions: Vec<Check> = Vec::new();
    for item in items.iter().take(MAX_KILL_CONDITIONS) {
        let Some(condition) = read_kill_condition(item, metrics, settings, problems) else {
            continue;
        };
        if let Some(same) = conditions.iter().find(|other| is_same(other, &condition)) {
            let message = format!("the same condition as {:?}: remove one", same.text);
            item.problem(problems, message);
            continue;
        }
        conditions.push(condition);
    }
    conditions
}
