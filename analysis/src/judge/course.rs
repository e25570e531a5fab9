//! A rollout through its stages: what all of its checks prove together, under one error rate that is spent once.
//!
//! Source: docs/design/counts.md, "9. Many checks, all stages".

use crate::pipeline::{Check, MetricKind, Pipeline, Stage};
use crate::proof::{Counted, Line, Member, Pods, Rollout, Settings, Stream, stream_weights};
use crate::sequential::WeightedEvidence;

use super::age::MILLISECONDS_PER_MINUTE;
use super::gauge::{GaugeKey, key_of};
use super::limit::Scale;
use super::lines;
use super::quantile::{Asked, Reader};
use super::votes::weight_of_evidence;

/// Starts of a regression beyond this many intervals of a stage are those of a stage that is held.
const LONGEST_INTERVALS: f64 = 20_160.0;

/// A part of the error rate beside which nothing is left for others.
const NOBODY_ELSE: f64 = 1e-9;

/// A rollout as far as it has come: what its streams have gathered in the stages before.
///
/// It is a function of the pipeline and of the data of the stages that are over. Who keeps it saves the work of
/// making it anew, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    stages: Vec<CourseStage>,
    pub(super) streams: Vec<StreamKey>,
    pub(super) rollout: Rollout,
    /// The streams of gauges.
    pub(super) gauges: Vec<GaugeKey>,
    /// The longest time of all stages.
    planned_seconds: f64,
    /// How many stages have begun.
    begun: usize,
    crossed: Option<Crossed>,
    /// Whether a person has decided the stage before: then all evidence begins anew.
    is_anew: bool,
}

/// A stage of it.
#[derive(Debug, Clone, PartialEq)]
struct CourseStage {
    id: String,
    roles: Vec<Role>,
}

/// What a check of a stage takes part in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// Streams of counts, through all stages: one, or one for each side of a tolerance.
    Streams(Vec<usize>),
    /// A stream of a gauge.
    Gauge(usize),
    /// No evidence over time.
    None,
}

/// What makes two checks the same stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StreamKey {
    pub(super) metric: String,
    pub(super) line: Line,
    counted: Counted,
    /// Of a quantile, what was seen before the next interval.
    pub(super) reader: Option<Reader>,
    /// The names of its lanes, in the order in which they were seen.
    pub(super) lanes: Vec<String>,
}

/// That the evidence of a stage that is over has crossed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crossed {
    /// The stage.
    pub(super) stage: String,
    /// The conditions that were broken.
    pub(super) conditions: Vec<String>,
}

impl Course {
    /// A rollout through all stages of a pipeline, before the first. Stages that are judged without acting are
    /// none of it.
    pub fn of_rollout(pipeline: &Pipeline) -> Self {
        let stages = pipeline.stages.iter().filter(|stage| !stage.shadow);
        Self::new(pipeline, &stages.collect::<Vec<_>>())
    }

    /// One stage that is judged by itself.
    pub fn alone(pipeline: &Pipeline, stage: &Stage) -> Self {
        Self::new(pipeline, &[stage])
    }

    fn new(pipeline: &Pipeline, stages: &[&Stage]) -> Self {
        let mut known = Known::default();
        let mut asked: Vec<CourseStage> = Vec::new();
        let mut votes: Vec<Vec<(Voting, f64)>> = Vec::new();
        for stage in stages {
            let all = weight_of_evidence(
                stage
                    .checks
                    .iter()
                    .filter(|check| check.counts_at(stage.traffic_percent)),
            );
            let mut of_stage = Vec::new();
            let mut role = |check: &Check| {
                let votes_for =
                    check.may_roll_back && check.counts_at(stage.traffic_percent) && all > 0.0;
                let share = votes_for.then_some(check.weight / all);
                known.role_of(pipeline, stage, check, (share, &mut of_stage))
            };
            let roles = stage.checks.iter().map(&mut role).collect();
            asked.push(CourseStage {
                id: stage.id.clone(),
                roles,
            });
            votes.push(of_stage);
        }
        let Known {
            streams,
            mut gauges,
        } = known;
        let weights = weights((streams.len(), gauges.len()), &votes);
        for (key, weight) in gauges.iter_mut().zip(weights.iter().skip(streams.len())) {
            key.weight = *weight;
        }
        let interval_seconds = f64::from(pipeline.analysis.interval_seconds);
        let members = streams
            .iter()
            .zip(weights)
            .map(|(key, weight)| member_of(pipeline, key, weight));
        let planned = stages
            .iter()
            .map(|stage| planned_intervals(stage, interval_seconds * 1_000.0));
        Self {
            rollout: Rollout::new(planned.collect(), members.collect()),
            stages: asked,
            streams,
            gauges,
            planned_seconds: stages
                .iter()
                .map(|stage| stage.max_duration_minutes * 60.0)
                .sum(),
            begun: 0,
            crossed: None,
            is_anew: false,
        }
    }

    /// What the gauges prove now, each with its part of the whole.
    pub(super) fn evidence_of_gauges(&self) -> Vec<WeightedEvidence> {
        let begun = self.gauges.iter().filter(|key| key.last.is_some());
        let each = begun.map(|key| WeightedEvidence {
            weight: key.weight,
            log_evidence: key.log_evidence(),
        });
        each.collect()
    }

    /// A gauge can never have evidence: its part of the error rate is the others'.
    ///
    /// Source: docs/design/gauges.md, "6. Planning".
    pub(super) fn mute(&mut self, gauge: usize) {
        let Some(key) = self.gauges.get_mut(gauge) else {
            return;
        };
        let left = 1.0 - key.weight;
        // Of the only one nobody would have it.
        if key.weight <= 0.0 || left <= NOBODY_ELSE {
            return;
        }
        key.weight = 0.0;
        for key in &mut self.gauges {
            key.weight /= left;
        }
        for member in self.rollout.members_mut() {
            member.weight /= left;
        }
    }

    /// The longest time of all stages, in seconds.
    pub(super) fn planned_seconds(&self) -> f64 {
        self.planned_seconds
    }

    /// Whether a stage belongs to it.
    pub fn has(&self, stage: &Stage) -> bool {
        self.stages.iter().any(|one| one.id == stage.id)
    }

    /// What was crossed in a stage that is over.
    pub(super) fn crossed(&self) -> Option<&Crossed> {
        self.crossed.as_ref()
    }

    /// The part of the rollout's error rate that a check of a stage has; nothing for one without a vote.
    pub(crate) fn share(&self, stage: &Stage, check: usize) -> Option<f64> {
        let stage = self.stages.iter().find(|one| one.id == stage.id)?;
        let share = match stage.roles.get(check)? {
            Role::Streams(places) => {
                let members = self.rollout.members();
                let weights = places.iter().filter_map(|place| members.get(*place));
                weights.map(|member| member.weight).sum()
            }
            Role::Gauge(place) => self.gauges.get(*place).map_or(0.0, |key| key.weight),
            Role::None => 0.0,
        };
        (share > 0.0).then_some(share)
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let members = self.rollout.members().iter().map(Member::bytes);
        let readers = self.streams.iter().filter_map(|key| key.reader.as_ref());
        let gauges = self.gauges.iter().map(GaugeKey::bytes);
        members
            .chain(readers.map(Reader::bytes))
            .chain(gauges)
            .sum()
    }

    /// A stage begins: those before that have not begun were skipped. What its checks take part in; nothing of a
    /// stage that is none of its own.
    pub(super) fn enter(&mut self, stage: &Stage) -> Option<Vec<Role>> {
        let place = self.stages.iter().position(|one| one.id == stage.id)?;
        while self.begun <= place {
            if self.begun > 0 {
                self.rollout.begin_stage();
            }
            self.begun += 1;
        }
        if std::mem::take(&mut self.is_anew) {
            self.rollout.begin_anew();
            for key in &mut self.gauges {
                key.begin_anew();
            }
            self.crossed = None;
        }
        self.stages.get(place).map(|one| one.roles.clone())
    }

    /// Says that a stage is over: whether its evidence has crossed, and whether a person has decided it.
    pub(super) fn leave(mut self, crossed: Option<Crossed>, is_decided: bool) -> Self {
        self.crossed = crossed.or(self.crossed);
        self.is_anew = is_decided;
        self
    }
}

/// The streams that are known of the stages so far.
#[derive(Default)]
struct Known {
    streams: Vec<StreamKey>,
    gauges: Vec<GaugeKey>,
}

impl Known {
    /// What a check of a stage takes part in. `share` is its part of the stage's votes, which are added to.
    fn role_of(
        &mut self,
        pipeline: &Pipeline,
        stage: &Stage,
        check: &Check,
        (share, votes): (Option<f64>, &mut Vec<(Voting, f64)>),
    ) -> Role {
        if let Some(lines) = lines_of(check, stage) {
            let part = share.map(|share| share / lines.len() as f64);
            let lines = lines.into_iter();
            let places: Vec<usize> = lines
                .map(|line| place_of(&mut self.streams, check, line))
                .collect();
            let voting = places.iter().map(|place| Voting::Stream(*place));
            votes.extend(
                voting
                    .zip(std::iter::repeat(part))
                    .filter_map(|(one, part)| Some((one, part?))),
            );
            return Role::Streams(places);
        }
        if !is_gauge(check) || !check.counts_at(stage.traffic_percent) {
            return Role::None;
        }
        let place = place_of_gauge(&mut self.gauges, key_of(pipeline, check, stage));
        votes.extend(share.map(|share| (Voting::Gauge(place), share)));
        Role::Gauge(place)
    }
}

/// The lines of a check whose counts are judged through all stages; nothing for others.
fn lines_of(check: &Check, stage: &Stage) -> Option<Vec<Line>> {
    if !check.method.is_valid_at_any_time() || !check.counts_at(stage.traffic_percent) {
        return None;
    }
    let has_control = lines::has_control(check, stage);
    match check.measured.kind {
        MetricKind::Proportion { .. } | MetricKind::EventRate { .. } => {
            lines::lines_of(check.limit, Scale::of(&check.measured), has_control)
        }
        MetricKind::Quantile { .. } => {
            let line = Asked::of_check(check).ok()?.line(has_control)?;
            Some(vec![line])
        }
        MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => None,
    }
}

/// The place of a stream among all, which is added where it is new.
fn place_of(streams: &mut Vec<StreamKey>, check: &Check, line: Line) -> usize {
    let key = StreamKey {
        metric: check.measured.name.clone(),
        line,
        counted: lines::counted(&check.measured),
        reader: Asked::of_check(check).ok().map(Reader::of),
        lanes: Vec::new(),
    };
    streams
        .iter()
        .position(|known| *known == key)
        .unwrap_or_else(|| {
            streams.push(key);
            streams.len() - 1
        })
}

/// A check of gauges that is judged through all stages.
fn is_gauge(check: &Check) -> bool {
    let is_gauge = match check.measured.kind {
        MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => true,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. } => false,
    };
    is_gauge && check.method.is_valid_at_any_time()
}

/// The place of a gauge's stream among all, which is added where it is new.
fn place_of_gauge(gauges: &mut Vec<GaugeKey>, key: GaugeKey) -> usize {
    let known = gauges.iter().position(|known| known.is_same(&key));
    known.unwrap_or_else(|| {
        gauges.push(key);
        gauges.len() - 1
    })
}

/// What has a part of the error rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voting {
    /// A stream of counts.
    Stream(usize),
    /// A stream of a gauge.
    Gauge(usize),
}

/// The weights of all streams of counts and then of gauges, of shares of each stage that are parts of all checks
/// there.
fn weights((streams, gauges): (usize, usize), votes: &[Vec<(Voting, f64)>]) -> Vec<f64> {
    let all = streams + gauges;
    let place = |voting: Voting| match voting {
        Voting::Stream(place) => place,
        Voting::Gauge(place) => streams + place,
    };
    // What other checks of a stage have is no part of these: a stream of none.
    let with_rest = |stage: &Vec<(Voting, f64)>| {
        let rest = 1.0 - stage.iter().map(|(_, share)| share).sum::<f64>();
        let shares = stage.iter().map(|(voting, share)| (place(*voting), *share));
        shares.chain([(all, rest.max(0.0))]).collect()
    };
    let stages: Vec<Vec<(usize, f64)>> = votes.iter().map(with_rest).collect();
    stream_weights(all, &stages)
}

/// Intervals of the longest time of a stage.
fn planned_intervals(stage: &Stage, interval_ms: f64) -> usize {
    let intervals = libm::ceil(stage.max_duration_minutes * MILLISECONDS_PER_MINUTE / interval_ms);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let intervals = intervals.clamp(1.0, LONGEST_INTERVALS) as usize;
    intervals
}

/// A stream before its first interval.
fn member_of(pipeline: &Pipeline, key: &StreamKey, weight: f64) -> Member {
    let settings = Settings {
        line: key.line,
        interval_seconds: f64::from(pipeline.analysis.interval_seconds),
        counted: key.counted,
        past: None,
    };
    let chance = match key.line {
        Line::Relative(_) => Some(1.0),
        Line::Quantile(slow) => Some(slow.rest()),
        Line::Absolute { .. } => None,
    };
    let pods = chance.filter(|_| pipeline.analysis.pod_spread);
    let pods = pods.map(Pods::new);
    Member::new(Stream::new(settings, 0), weight, pods)
}
