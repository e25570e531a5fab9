//! What replaying identical releases showed.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;
use serinus_analysis::data::ControlSplit;
use serinus_analysis::foresight::{Replay, WindowOutcome};
use serinus_analysis::interval::{Confidence, Count, wilson_interval};
use serinus_analysis::pipeline::{Check, Pipeline, Stage};
use serinus_analysis::series::Populations;

use super::super::past::Subject;
use super::super::table::number;

/// Of the intervals of the shares.
const CONFIDENCE: f64 = 0.95;
/// Most names of pods in the text; JSON has them all.
const MOST_NAMES: usize = 6;

/// Everything that is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pipeline: String,
    control: String,
    days: f64,
    false_rollback: f64,
    stages: Vec<StageReport>,
    sentence: String,
}

/// What came of one stage's windows.
#[derive(Debug, Serialize)]
pub(super) struct StageReport {
    pub(super) stage: String,
    traffic_percent: f64,
    window_minutes: f64,
    /// The share of the traffic that the pods which played the canary had, in percent.
    canary_percent: f64,
    canary_targets: Vec<String>,
    control_targets: Vec<String>,
    /// Judged.
    windows: usize,
    /// Of these, with a measured noise from before the window.
    windows_with_history: usize,
    /// Not judged, because data is missing.
    windows_missing: usize,
    /// Whether windows have a part of the time in common, so that the shares are known less well than
    /// their intervals say.
    windows_overlap: bool,
    /// Why, for the first of them.
    missing_reason: Option<String>,
    rolled_back: Rolled,
    checks: Vec<CheckReport>,
    /// Starts of the windows that were rolled back, in milliseconds since 1970.
    rolled_back_at_ms: Vec<i64>,
    sentence: String,
}

/// How many windows were rolled back.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Rolled {
    count: usize,
    share: Option<f64>,
    /// Wilson interval of the share, for a single look at these windows.
    interval: Option<[f64; 2]>,
    confidence: f64,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    condition: String,
    method: &'static str,
    /// Whether it took part: a gauge does not, nor what compares with a control that is not there.
    takes_part: bool,
    /// Whether its method is valid for a single look only; it was asked after every interval.
    single_look: bool,
    broken: Rolled,
}

impl Rolled {
    fn new(count: usize, windows: usize) -> Self {
        let counted = Count::new(count as f64, windows as f64).ok();
        let interval = counted
            .filter(|_| windows > 0)
            .zip(Confidence::new(CONFIDENCE).ok())
            .map(|(counted, confidence)| wilson_interval(counted, confidence));
        Self {
            count,
            share: (windows > 0).then(|| count as f64 / windows as f64),
            interval: interval.map(|interval| [interval.lower(), interval.upper()]),
            confidence: CONFIDENCE,
        }
    }

    /// `0.83 % [0.15 %, 4.6 %]`.
    fn text(&self) -> String {
        let percent = |share: f64| format!("{} %", number((share * 10_000.0).round() / 100.0));
        match (self.share, self.interval) {
            (Some(share), Some([lower, upper])) => {
                format!(
                    "{} [{}, {}]",
                    percent(share),
                    percent(lower),
                    percent(upper)
                )
            }
            _ => "-".to_owned(),
        }
    }
}

impl StageReport {
    pub(super) fn new(
        pipeline: &Pipeline,
        stage: &Stage,
        groups: ControlSplit,
        targets: Populations<Vec<String>>,
        replays: &[Replay],
    ) -> Self {
        let judged = || {
            replays.iter().filter_map(|replay| match &replay.outcome {
                WindowOutcome::Judged {
                    is_rolled_back,
                    broken,
                } => Some((replay, *is_rolled_back, broken)),
                WindowOutcome::Missing(_) => None,
            })
        };
        let windows = judged().count();
        let broken = |condition: &str| {
            let is_it = |broken: &&Vec<String>| broken.iter().any(|one| one == condition);
            judged().filter(|(_, _, broken)| is_it(broken)).count()
        };
        let check = |check: &Check, method: &'static str, single_look: bool| CheckReport {
            condition: check.text.clone(),
            method,
            takes_part: takes_part(stage, check),
            single_look,
            broken: Rolled::new(broken(&check.text), windows),
        };
        let mut checks: Vec<CheckReport> = stage
            .checks
            .iter()
            .map(|one| check(one, one.method.name(), !one.method.is_valid_at_any_time()))
            .collect();
        let switches = pipeline.kill_switch.iter();
        checks.extend(switches.map(|switch| check(switch, "kill switch", true)));
        let rolled_back = Rolled::new(judged().filter(|(_, rolled, _)| *rolled).count(), windows);
        let missing_reason = replays.iter().find_map(|replay| match &replay.outcome {
            WindowOutcome::Missing(why) => Some(why.clone()),
            WindowOutcome::Judged { .. } => None,
        });
        let sentence = sentence(stage, &rolled_back, windows);
        Self {
            stage: stage.id.clone(),
            traffic_percent: stage.traffic_percent,
            window_minutes: stage.max_duration_minutes,
            canary_percent: 100.0 * groups.canary_share,
            canary_targets: targets.canary,
            control_targets: targets.control,
            windows,
            windows_with_history: judged().filter(|(replay, ..)| replay.has_history).count(),
            windows_missing: replays.len() - windows,
            windows_overlap: do_overlap(stage, replays),
            missing_reason,
            rolled_back,
            checks,
            rolled_back_at_ms: judged()
                .filter(|(_, rolled, _)| *rolled)
                .map(|(replay, ..)| replay.start_ms)
                .collect(),
            sentence,
        }
    }

    fn text(&self, columns: u16) -> String {
        let mut lines = vec![format!(
            "{}: windows of {} min; {} played the canary with {} % of the traffic ({}), {} the control \
             ({})",
            self.stage,
            number(self.window_minutes),
            pods(self.canary_targets.len()),
            number((self.canary_percent * 10.0).round() / 10.0),
            names(&self.canary_targets),
            self.control_targets.len(),
            names(&self.control_targets)
        )];
        if self.windows > 0 {
            lines.push(self.table(columns));
        }
        lines.push(self.sentence.clone());
        if self.windows_overlap {
            lines.push(
                "the windows overlap: the share is known less well than its interval says"
                    .to_owned(),
            );
        }
        let without = self.windows - self.windows_with_history;
        if without > 0 {
            lines.push(format!(
                "{without} of the {} windows had no history before them: their noise was assumed, \
                 which rolls back more",
                self.windows
            ));
        }
        if let Some(why) = &self.missing_reason {
            lines.push(format!(
                "{} windows were not judged: {why}",
                self.windows_missing
            ));
        }
        lines.join("\n")
    }

    fn table(&self, columns: u16) -> String {
        let mut table = Table::new();
        table
            .load_style(UTF8_HORIZONTAL_ONLY)
            .set_width(columns)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["check", "method", "windows", "rolled back", "share [95 %]"]);
        for check in &self.checks {
            let method = if check.single_look {
                format!("{} (single look)", check.method)
            } else {
                check.method.to_owned()
            };
            let (windows, count, share) = if check.takes_part {
                (
                    self.windows.to_string(),
                    check.broken.count.to_string(),
                    check.broken.text(),
                )
            } else {
                ("-".to_owned(), "-".to_owned(), "takes no part".to_owned())
            };
            table.add_row([check.condition.clone(), method, windows, count, share]);
        }
        table.add_row([
            "the whole stage".to_owned(),
            String::new(),
            self.windows.to_string(),
            self.rolled_back.count.to_string(),
            self.rolled_back.text(),
        ]);
        table.to_string()
    }
}

/// Whether a check can be replayed on two groups of one version.
fn takes_part(stage: &Stage, check: &Check) -> bool {
    let has_no_control = check.is_relative() && stage.traffic_percent >= 100.0;
    !check.measured.kind.is_gauge() && !has_no_control
}

fn sentence(stage: &Stage, rolled_back: &Rolled, windows: usize) -> String {
    if windows == 0 {
        return format!(
            "{}: no window could be judged; replay more days, or a stage that is shorter",
            stage.id
        );
    }
    format!(
        "{} would have rolled back {} of {windows} identical releases: {}",
        stage.id,
        rolled_back.count,
        rolled_back.text()
    )
}

/// Whether a window begins before the one before it ends.
fn do_overlap(stage: &Stage, replays: &[Replay]) -> bool {
    let window_ms = stage.max_duration_minutes * 60_000.0;
    replays
        .iter()
        .zip(replays.iter().skip(1))
        .any(|(one, next)| ((next.start_ms - one.start_ms) as f64) < window_ms)
}

/// `1 pod`, `7 pods`.
fn pods(count: usize) -> String {
    format!("{count} pod{}", if count == 1 { "" } else { "s" })
}

/// `web-1, web-4 and 5 more`.
fn names(all: &[String]) -> String {
    let shown: Vec<&str> = all.iter().take(MOST_NAMES).map(String::as_str).collect();
    let rest = all.len().saturating_sub(MOST_NAMES);
    if rest > 0 {
        format!("{} and {rest} more", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

impl Report {
    pub(super) fn new(subject: &Subject, days: f64, stages: Vec<StageReport>) -> Self {
        let windows: usize = stages.iter().map(|stage| stage.windows).sum();
        let rolled: usize = stages.iter().map(|stage| stage.rolled_back.count).sum();
        let false_rollback = subject.pipeline.analysis.false_rollback;
        let parts = subject.pipeline.stages.len().max(1) as f64;
        let accepted = number((10_000.0 * false_rollback / parts).round() / 100.0);
        let sentence = if windows == 0 {
            "no window could be judged".to_owned()
        } else {
            format!(
                "this service would have rolled back {rolled} of {windows} identical releases of a \
                 stage; {accepted} % are accepted for each stage, {} % for a whole rollout",
                number(100.0 * false_rollback)
            )
        };
        Self {
            pipeline: subject.pipeline.name.clone(),
            control: subject.shown(),
            days,
            false_rollback,
            stages,
            sentence,
        }
    }

    /// For people, in tables that are at most so wide.
    pub(super) fn text(&self, columns: u16) -> String {
        let mut lines = vec![format!(
            "{}: identical releases of {} in the last {}",
            self.pipeline,
            self.control,
            if self.days > 1.0 {
                format!("{} days", number(self.days))
            } else {
                format!("{} h", number(24.0 * self.days))
            }
        )];
        for stage in &self.stages {
            lines.push(String::new());
            lines.push(stage.text(columns));
        }
        lines.push(String::new());
        lines.push(self.sentence.clone());
        lines.join("\n")
    }
}
