//! One rollout from its first interval to its end, judged as a real one.

use super::checks::METRICS;
use super::fleet::Fleet;
use super::law::Description;
use super::pod::INTERVAL_SECONDS;
use super::reading::{INTERVAL_MS, Reading};
use crate::judge::{
    Carried, CheckReport, Course, Outcome as CheckOutcome, ReasonCode, StageVerdict, Verdict,
    after_stage, judge_on, measure_pods,
};
use crate::pipeline::{Pipeline, Stage};
use crate::proof::Pods;
use crate::series::Populations;
use std::collections::BTreeMap;

/// When simulated rollouts begin, in milliseconds since 1970.
const START_MS: i64 = 1_800_000_000_000;
/// The control's first pods began so long before.
const OLD_MS: i64 = 24 * 3_600_000;
/// Intervals of the hour before.
const HOUR: usize = 120;

/// What came of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// The minute of the rollout at which it did.
    pub minute: f64,
    /// The stage, from 1 on.
    pub stage: usize,
}

/// How a rollout ends.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// It is rolled back, for these checks.
    RolledBack(Vec<Said>),
    /// It is through all stages.
    Completed,
    /// A stage is held at its longest duration, by these checks.
    Stuck(Vec<Said>),
}

/// What a check says in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its metric; empty where it is no check that holds.
    pub metric: String,
    /// Whether that is a gauge.
    pub is_gauge: bool,
    /// Why, as a token.
    pub code: ReasonCode,
    /// Why, in a sentence.
    pub reason: String,
}

/// A rollout on its way.
struct Going<'a> {
    pipeline: &'a Pipeline,
    fleet: Fleet,
    /// When the process of each pod began, in milliseconds since 1970.
    born_ms: Populations<Vec<i64>>,
    pods_before: BTreeMap<String, Pods>,
    /// What the stages so far have left.
    course: Course,
    /// Intervals so far.
    intervals: usize,
}

/// The replicate with this index, through the stages of the pipeline.
pub(super) fn replicate(
    pipeline: &Pipeline,
    description: Description,
    (seed, index): (u64, u64),
) -> Outcome {
    let mut going = Going::begin(pipeline, Fleet::new(description, seed, index));
    let mut place = 0;
    while let Some(stage) = pipeline.stages.get(place) {
        place += 1;
        if let Some(end) = going.through(place - 1, stage) {
            return going.ended(end, place);
        }
    }
    going.ended(End::Completed, place)
}

impl<'a> Going<'a> {
    /// The hour before the rollout is over.
    fn begin(pipeline: &'a Pipeline, mut fleet: Fleet) -> Self {
        let control = fleet.pods_of_stage(0).control;
        let born_ms = Populations {
            control: vec![START_MS - OLD_MS; control],
            canary: Vec::new(),
        };
        let hour_ms = i64::try_from(HOUR).unwrap_or(i64::MAX) * INTERVAL_MS;
        let begins_ms = START_MS - hour_ms;
        let mut hour = Reading::new(begins_ms, fleet.bounds(), &born_ms, BTreeMap::new());
        for _ in 0..HOUR {
            hour.push(&fleet.before());
        }
        let pods_before = pipeline.stages.first().map(|stage| {
            let past = hour.data();
            measure_pods(past, pipeline, stage)
        });
        Self {
            course: Course::of_rollout(pipeline),
            pods_before: pods_before.unwrap_or_default(),
            pipeline,
            fleet,
            born_ms,
            intervals: 0,
        }
    }

    /// Goes through a stage; nothing where it passes.
    fn through(&mut self, place: usize, stage: &Stage) -> Option<End> {
        self.fleet.begin_stage(place);
        let start_ms = self.now_ms();
        let pods = self.fleet.pods_of_stage(place);
        self.born_ms.control.truncate(pods.control);
        self.born_ms.canary.resize(pods.canary, start_ms);
        let (bounds, before) = (self.fleet.bounds(), self.pods_before.clone());
        let mut reading = Reading::new(start_ms, bounds, &self.born_ms, before);
        let mut carried: Option<Carried> = None;
        loop {
            reading.push(&self.fleet.next(stage.traffic_percent / 100.0));
            self.intervals += 1;
            let data = reading.data();
            let (told, kept) = judge_on(&self.course, carried, self.pipeline, stage, data);
            carried = kept;
            match told.verdict {
                Verdict::Rollback => return Some(End::RolledBack(broken(&told))),
                Verdict::Promote => {
                    self.course = after_stage(&self.course, self.pipeline, stage, data, false);
                    return None;
                }
                // A real one goes on to be held: what is not shown by now is taken as the end here.
                Verdict::Hold if minutes(data.grid.intervals()) >= stage.max_duration_minutes => {
                    return Some(End::Stuck(holding(&told)));
                }
                Verdict::Hold => {}
            }
        }
    }

    fn now_ms(&self) -> i64 {
        let intervals = i64::try_from(self.intervals).unwrap_or(i64::MAX);
        START_MS.saturating_add(intervals.saturating_mul(INTERVAL_MS))
    }

    fn ended(&self, end: End, stage: usize) -> Outcome {
        Outcome {
            end,
            minute: minutes(self.intervals),
            stage,
        }
    }
}

fn minutes(intervals: usize) -> f64 {
    intervals as f64 * INTERVAL_SECONDS / 60.0
}

fn said(report: &CheckReport) -> Said {
    let mut known = METRICS.into_iter();
    let measured = known.find(|(name, _)| *name == report.metric);
    Said {
        metric: report.metric.clone(),
        is_gauge: measured.is_some_and(|(_, measured)| measured.is_gauge()),
        code: report.reason_code,
        reason: report.reason.clone(),
    }
}

/// The checks that are broken.
fn broken(told: &StageVerdict) -> Vec<Said> {
    let broken = told.checks.iter();
    let broken = broken.filter(|report| report.outcome == CheckOutcome::Fail);
    broken.map(said).collect()
}

/// The checks that keep a stage from its promotion; what the verdict says where it is none of them.
fn holding(told: &StageVerdict) -> Vec<Said> {
    let needed = told.checks.iter().filter(|report| {
        report.counts
            && report.critical
            && !report.warn_only
            && report.outcome != CheckOutcome::Pass
    });
    let holding: Vec<Said> = needed.map(said).collect();
    if !holding.is_empty() {
        return holding;
    }
    vec![Said {
        metric: String::new(),
        is_gauge: false,
        code: told.reason_code,
        reason: told.reason.clone(),
    }]
}
