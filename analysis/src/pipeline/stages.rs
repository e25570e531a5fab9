//! The section `canary_pipeline`: stages, their expansion into sub-stages, and the checks that a
//! stage without its own takes over.

use std::collections::BTreeMap;

use super::check::read_check;
use super::cursor::{Cursor, Field, Fields, Problems, shortened};
use super::fewest::{is_waited_for, too_short, undecidable};
use super::metrics::KnownMetrics;
use super::model::{AnalysisSettings, Check, Stage};
use super::schedule::{MAX_STAGES, Step, read_schedule};
use super::settings::read_young;

/// The most checks of one stage.
const MAX_CHECKS: usize = 100;
/// The most regions of one stage.
const MAX_REGIONS: usize = 100;
/// The longest id of a stage or name of a pipeline: both stand in URLs.
pub(super) const MAX_ID_CHARACTERS: usize = 100;

const KEYS: &[&str] = &[
    "name",
    "traffic_percent",
    "traffic_curve",
    "duration_minutes",
    "max_duration_minutes",
    "promote_early",
    "regions",
    "rollback_point",
    "shadow",
    "shadow_mode",
    "warm_up",
    "cold_start",
    "metrics",
    "checks",
];

/// Reads the stages in order.
pub(super) fn read_stages(
    section: &Cursor<'_>,
    metrics: &KnownMetrics,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Vec<Stage> {
    let Some(entries) = section.entries("a mapping of stage ids to stages", problems) else {
        return Vec::new();
    };
    if entries.is_empty() {
        section.problem(problems, "no stages: a pipeline needs at least one");
    }
    let mut reader = StageReader {
        metrics,
        settings,
        inherited: Vec::new(),
        is_first: true,
        traffic_percent: None,
        key_of_id: BTreeMap::new(),
        stages: Vec::new(),
    };
    for entry in &entries {
        reader.read(entry, problems);
        if reader.stages.len() > MAX_STAGES {
            let message =
                format!("more than {MAX_STAGES} stages, sub-stages counted: split the pipeline");
            problems.add(entry.key_position, entry.value.path(), message);
            break;
        }
    }
    reader.stages
}

struct StageReader<'a> {
    metrics: &'a KnownMetrics,
    settings: &'a AnalysisSettings,
    /// All checks of the stages so far.
    inherited: Vec<Check>,
    is_first: bool,
    /// The traffic of the last step so far.
    traffic_percent: Option<f64>,
    /// Which key of the file each id comes from.
    key_of_id: BTreeMap<String, String>,
    stages: Vec<Stage>,
}

impl StageReader<'_> {
    fn read(&mut self, entry: &Field<'_>, problems: &mut Problems) {
        let is_first = std::mem::replace(&mut self.is_first, false);
        check_id(entry, problems);
        let Some(fields) = entry.value.fields(
            "a stage with traffic_percent, duration_minutes and metrics",
            KEYS,
            problems,
        ) else {
            return;
        };
        let name = fields
            .get("name")
            .map_or(Some(entry.key), |value| value.text("a name", problems));
        let regions = read_regions(&fields, problems);
        let flag = |key: &str, problems: &mut Problems| match fields.get(key) {
            Some(value) => value.boolean(problems).unwrap_or(false),
            None => false,
        };
        let promote_early = flag("promote_early", problems);
        let rollback_point = flag("rollback_point", problems);
        let (warm_up_seconds, cold_start_seconds) = read_young(&fields, problems);
        let shadow = match fields.get_either("shadow", "shadow_mode", problems) {
            Some(value) => value.boolean(problems).unwrap_or(false),
            None => false,
        };
        let own_checks = self.read_checks(&fields, problems);
        let is_silent = fields.lacks("metrics") && fields.lacks("checks");
        if own_checks.is_none() && is_first && is_silent {
            problems.add(
                entry.key_position,
                entry.value.path(),
                "the first stage has no checks: give it \"metrics\", such as \
                 [error_rate < baseline * 1.1]",
            );
        }
        let inherits_checks = own_checks.is_none();
        let (checks, places) = if let Some(own) = own_checks {
            self.remember(&own.0);
            own
        } else {
            (self.inherited_by(entry, problems), Vec::new())
        };
        let steps = read_schedule(entry, &fields, self.settings, problems);
        self.check_traffic(&steps, problems);
        self.check_length(entry, &steps, &checks, &places, problems);
        for step in &steps {
            let id = match step.number {
                Some(number) => format!("{}.{number}", entry.key),
                None => entry.key.to_owned(),
            };
            if let Some(other_key) = self.key_of_id.get(&id) {
                let message = format!(
                    "two stages have the id {id:?}: rename one, the other is made of {other_key:?}"
                );
                problems.add(entry.key_position, entry.value.path(), message);
                continue;
            }
            self.key_of_id.insert(id.clone(), entry.key.to_owned());
            let name = name.unwrap_or_default();
            self.stages.push(Stage {
                id,
                name: match step.number {
                    Some(_) => format!("{name} ({}%)", step.traffic_percent),
                    None => name.to_owned(),
                },
                traffic_percent: step.traffic_percent,
                duration_minutes: step.duration_minutes,
                max_duration_minutes: step.max_duration_minutes,
                promote_early,
                regions: regions.clone(),
                rollback_point,
                shadow,
                warm_up_seconds,
                cold_start_seconds,
                checks: checks.clone(),
                inherits_checks,
            });
        }
    }

    /// The stage's own checks, each with its place; nothing when it has no key for them.
    fn read_checks<'a>(
        &self,
        fields: &Fields<'a>,
        problems: &mut Problems,
    ) -> Option<(Vec<Check>, Vec<Cursor<'a>>)> {
        let list = fields.get_either("metrics", "checks", problems)?;
        let mut checks: Vec<Check> = Vec::new();
        let mut places = Vec::new();
        let Some(items) = list.items("a list of checks", problems) else {
            return Some((checks, places));
        };
        if items.is_empty() {
            list.problem(
                problems,
                "no checks: remove the key to go on with the checks of the stages before",
            );
        }
        if items.len() > MAX_CHECKS {
            let message = format!("{} checks, more than {MAX_CHECKS}", items.len());
            list.problem(problems, message);
        }
        for item in items.iter().take(MAX_CHECKS) {
            let Some(check) = read_check(item, self.metrics, self.settings, problems) else {
                continue;
            };
            if let Some(same) = checks.iter().find(|other| is_same(other, &check)) {
                item.problem(
                    problems,
                    format!("the same check as {:?}: remove one", same.text),
                );
                continue;
            }
            checks.push(check);
            places.push(item.clone());
        }
        Some((checks, places))
    }

    /// Tells the checks that a stage waits for, and of which nothing could be decided before it ends,
    /// each once: at its own place, or at the stage that takes it over.
    fn check_length(
        &self,
        entry: &Field<'_>,
        steps: &[Step<'_>],
        checks: &[Check],
        places: &[Cursor<'_>],
        problems: &mut Problems,
    ) {
        let interval_seconds = self.settings.interval_seconds;
        // A duration that is wrong has been told already.
        let is_right = |step: &&Step<'_>| {
            step.max_duration_minutes > 0.0 && step.max_duration_minutes >= step.duration_minutes
        };
        let lasting = || steps.iter().filter(is_right);
        let mut steps_too_short =
            lasting().filter_map(|step| too_short(step.max_duration_minutes, interval_seconds));
        if let Some(why) = steps_too_short.next() {
            problems.add_later(entry.key_position, entry.value.path(), why);
        }
        for (index, check) in checks.iter().enumerate() {
            if !is_waited_for(check, self.settings.on_inconclusive) {
                continue;
            }
            let why = lasting()
                .filter(|step| too_short(step.max_duration_minutes, interval_seconds).is_none())
                .filter(|step| check.counts_at(step.traffic_percent))
                .find_map(|step| undecidable(check, step.max_duration_minutes, interval_seconds));
            let Some(why) = why else {
                continue;
            };
            match places.get(index) {
                Some(place) => place.later_problem(problems, why),
                None => problems.add_later(entry.key_position, entry.value.path(), why),
            }
        }
    }

    /// The checks of the stages before, for one that has none.
    fn inherited_by(&self, entry: &Field<'_>, problems: &mut Problems) -> Vec<Check> {
        if self.inherited.len() > MAX_CHECKS {
            let message = format!(
                "no checks of its own, and the stages before have more than {MAX_CHECKS}: give it \
                 \"metrics\""
            );
            problems.add(entry.key_position, entry.value.path(), message);
        }
        self.inherited.clone()
    }

    /// Adds a stage's checks to those that later stages take over. A check that was there
    /// already keeps its place and takes the later stage's weight and flags.
    fn remember(&mut self, checks: &[Check]) {
        for check in checks {
            if self.inherited.len() > MAX_CHECKS {
                // Too many to be taken over, which is told where that is tried.
                return;
            }
            match self
                .inherited
                .iter_mut()
                .find(|other| is_same(other, check))
            {
                Some(other) => *other = check.clone(),
                None => self.inherited.push(check.clone()),
            }
        }
    }

    fn check_traffic(&mut self, steps: &[Step<'_>], problems: &mut Problems) {
        for step in steps {
            if let Some(before) = self.traffic_percent
                && step.traffic_percent < before
            {
                let message = format!(
                    "the traffic falls from {before}% to {}%: stages go up or stay",
                    step.traffic_percent
                );
                step.place.problem(problems, message);
            }
            self.traffic_percent = Some(step.traffic_percent);
        }
    }
}

/// Two checks are the same when they say the same of the same metric, however it is written.
pub(super) fn is_same(one: &Check, other: &Check) -> bool {
    one.metric == other.metric && one.limit == other.limit && one.is_inclusive == other.is_inclusive
}

fn check_id(entry: &Field<'_>, problems: &mut Problems) {
    if !is_id(entry.key) {
        let message = format!(
            "a stage's id stands in URLs: use up to {MAX_ID_CHARACTERS} letters, digits, _, - and \
             ., not {:?}",
            shortened(entry.key)
        );
        problems.add(entry.key_position, entry.value.path(), message);
    }
}

/// Whether a text can stand in a URL as it is.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID_CHARACTERS
        && text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_')
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'))
}

fn read_regions(fields: &Fields<'_>, problems: &mut Problems) -> Vec<String> {
    let Some(list) = fields.get("regions") else {
        return Vec::new();
    };
    let Some(items) = list.items("a list of regions", problems) else {
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_REGIONS {
        let message = format!(
            "expected 1 to {MAX_REGIONS} regions, found {}: remove the key to judge all of them",
            items.len()
        );
        list.problem(problems, message);
    }
    let mut regions: Vec<String> = Vec::new();
    for item in items.iter().take(MAX_REGIONS) {
        let Some(region) = item.text("a region", problems) else {
            continue;
        };
        if regions.iter().any(|other| other == region) {
            item.problem(problems, format!("the region {region:?} stands here twice"));
            continue;
        }
        regions.push(region.to_owned());
    }
    regions
}
