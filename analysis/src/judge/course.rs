//! A rollout through its stages: what all of its checks prove together, under one error rate that is spent once.
//!
//! Source: docs/design/statistics.md, "10. Many checks, all stages".

use std::sync::Arc;

use crate::data::{History, StageData};
use crate::pipeline::{Check, Exposure, Limit, MetricKind, Pipeline, Stage};
use crate::proof::{
    Counted, Input, Interval, Kept, Line, Member, PodPlace, PodSquares, Pods, Promotion, Rollout,
    Settings, Spread, Stream, VETO, stream_weights,
};
use crate::sequential::{
    AbsoluteLimit, Dispersion, ErrorRate, RelativeLimit, Side, WeightedEvidence, log_mean_exp,
};
use crate::series::ArmCount;

use super::age::MILLISECONDS_PER_MINUTE;
use super::counts::Judged;
use super::limit::Scale;
use super::votes::weight_of_evidence;

/// Starts of a regression beyond this many intervals of a stage are those of a stage that is held.
const LONGEST_INTERVALS: f64 = 20_160.0;

/// A rollout as far as it has come: what its streams have gathered in the stages before.
///
/// It is a function of the pipeline and of the data of the stages that are over. Who keeps it saves the work of
/// making it anew, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    stages: Vec<CourseStage>,
    streams: Vec<StreamKey>,
    rollout: Rollout,
    /// How many stages have begun.
    begun: usize,
    /// What checks have left in stages before that are judged stage by stage.
    left: Vec<WeightedEvidence>,
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
enum Role {
    /// Streams of counts, through all stages: one, or one for each side of a tolerance.
    Streams(Vec<usize>),
    /// Evidence of the stage alone, with its part of the rollout's error rate.
    OfStage(f64),
    /// No evidence over time.
    None,
}

/// What makes two checks the same stream.
#[derive(Debug, Clone, PartialEq)]
struct StreamKey {
    metric: String,
    line: Line,
    counted: Counted,
    /// The names of its lanes, in the order in which they were seen.
    lanes: Vec<String>,
}

/// That the evidence of a stage that is over has crossed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crossed {
    /// The stage.
    pub(super) stage: String,
    /// The conditions that were broken.
    pub(super) conditions: Vec<String>,
}

/// What the counts of one check prove after the newest interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CountsProof {
    /// `ln E` of a violation after each interval of the stage.
    pub(super) violation: Vec<f64>,
    /// `ln E'` of compliance now; nothing where no canary could be shown to keep the limit.
    pub(super) compliance: Option<f64>,
    /// Whether enough intervals of the stage had data for that.
    pub(super) has_enough: bool,
    /// Whether a single look says that the canary is beyond the check's own limit.
    pub(super) is_suspect: bool,
    /// What the evidence since the rollout's start is divided by.
    pub(super) dispersion: Option<Dispersion>,
    /// How much pods of the control differ, where that is what it is divided by, and how many there are.
    pub(super) spread: Option<(Spread, usize, Option<String>)>,
    /// Whether a history says what it began with.
    pub(super) has_past: bool,
    /// Whether the newest interval belongs to the environment.
    pub(super) is_of_the_environment: bool,
    /// Its part of the rollout's error rate; 0 of one that may not roll back.
    pub(super) weight: f64,
}

/// The evidence of a check that is judged stage by stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfStage<'a> {
    /// The place of the check.
    pub(super) check: usize,
    /// `ln E` after each interval.
    pub(super) path: &'a [f64],
}

/// The moment at which all evidence together was enough.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crossing {
    /// The interval of the stage.
    pub(super) interval: usize,
    /// The checks of the stage: weight and `ln E` then.
    pub(super) votes: Vec<(usize, f64, f64)>,
}

/// What came of the intervals of a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walked {
    /// By the place of the check.
    pub(super) proofs: Vec<Option<CountsProof>>,
    /// The first time at which all evidence together was enough.
    pub(super) crossing: Option<Crossing>,
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
        let mut streams: Vec<StreamKey> = Vec::new();
        let mut asked: Vec<Vec<Role>> = Vec::new();
        let mut votes: Vec<Vec<(usize, f64)>> = Vec::new();
        for stage in stages {
            let all = weight_of_evidence(
                stage
                    .checks
                    .iter()
                    .filter(|check| check.counts_at(stage.traffic_percent)),
            );
            let mut of_stage = Vec::new();
            let mut roles = Vec::new();
            for check in &stage.checks {
                let counts = check.counts_at(stage.traffic_percent);
                let votes_for = check.may_roll_back && counts && all > 0.0;
                let role = match lines_of(check, stage) {
                    Some(lines) => {
                        let part = check.weight / lines.len() as f64;
                        let places: Vec<usize> = lines
                            .into_iter()
                            .map(|line| place_of(&mut streams, check, line))
                            .collect();
                        if votes_for {
                            of_stage.extend(places.iter().map(|place| (*place, part / all)));
                        }
                        Role::Streams(places)
                    }
                    None if check.method.is_valid_at_any_time() && votes_for => {
                        Role::OfStage(check.weight / all / stages.len() as f64)
                    }
                    None => Role::None,
                };
                roles.push(role);
            }
            votes.push(of_stage);
            asked.push(roles);
        }
        let weights = weights(streams.len(), &votes);
        let interval_seconds = f64::from(pipeline.analysis.interval_seconds);
        let members = streams.iter().zip(weights).map(|(key, weight)| {
            let settings = Settings {
                line: key.line,
                interval_seconds,
                counted: key.counted,
                past: None,
            };
            let knows_pods = match key.line {
                Line::Relative(_) => pipeline.analysis.pod_spread,
                Line::Absolute { .. } => false,
            };
            let pods = knows_pods.then(|| Pods::new(1.0));
            Member::new(Stream::new(settings, 0), weight, pods)
        });
        let planned = stages
            .iter()
            .map(|stage| planned_intervals(stage, interval_seconds * 1_000.0));
        Self {
            rollout: Rollout::new(planned.collect(), members.collect()),
            stages: stages
                .iter()
                .zip(asked)
                .map(|(stage, roles)| CourseStage {
                    id: stage.id.clone(),
                    roles,
                })
                .collect(),
            streams,
            begun: 0,
            left: Vec::new(),
            crossed: None,
            is_anew: false,
        }
    }

    /// How many stages share the error rate.
    pub(super) fn stages(&self) -> usize {
        self.stages.len().max(1)
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
    pub(super) fn share(&self, stage: &Stage, check: usize) -> Option<f64> {
        let stage = self.stages.iter().find(|one| one.id == stage.id)?;
        let share = match stage.roles.get(check)? {
            Role::Streams(places) => {
                let members = self.rollout.members();
                let weights = places.iter().filter_map(|place| members.get(*place));
                weights.map(|member| member.weight).sum()
            }
            Role::OfStage(share) => *share,
            Role::None => 0.0,
        };
        (share > 0.0).then_some(share)
    }

    /// A stage begins: those before that have not begun were skipped.
    fn enter(&mut self, place: usize) {
        while self.begun <= place {
            if self.begun > 0 {
                self.rollout.begin_stage();
            }
            self.begun += 1;
        }
        if std::mem::take(&mut self.is_anew) {
            self.rollout.begin_anew();
            self.left.clear();
            self.crossed = None;
        }
    }

    /// Goes through the intervals of a stage: `judged` are the counts of each check that has some, `of_stage` the
    /// evidence of those that are judged stage by stage.
    pub(super) fn walk(
        &mut self,
        stage: &Stage,
        (data, rate): (&StageData, ErrorRate),
        judged: &[Option<&Judged>],
        of_stage: &[OfStage<'_>],
    ) -> Walked {
        let Some(place) = self.stages.iter().position(|one| one.id == stage.id) else {
            return Walked {
                proofs: vec![None; judged.len()],
                crossing: None,
            };
        };
        self.enter(place);
        let roles = self
            .stages
            .get(place)
            .map_or_else(Vec::new, |one| one.roles.clone());
        let mut walk = Walk::new(&roles, stage, judged);
        self.tell_the_past(&walk, data, judged);
        let is_asked = |stream: usize| walk.checks_of(stream).next().is_some();
        self.rollout.ask(is_asked);
        let threshold = rate.log_threshold();
        let mut crossing = None;
        for interval in 0..data.grid.intervals() {
            self.push(interval, &mut walk, judged);
            let now = |one: &OfStage<'_>| {
                let share = match roles.get(one.check) {
                    Some(Role::OfStage(share)) => *share,
                    _ => 0.0,
                };
                (
                    one.check,
                    share,
                    one.path.get(interval).copied().unwrap_or(0.0),
                )
            };
            let now: Vec<(usize, f64, f64)> = of_stage.iter().map(now).collect();
            let others = now
                .iter()
                .map(|(_, weight, log_evidence)| WeightedEvidence {
                    weight: *weight,
                    log_evidence: *log_evidence,
                });
            let others: Vec<_> = self.left.iter().copied().chain(others).collect();
            if crossing.is_none() && self.rollout.combined_with(&others) >= threshold {
                let mut votes = walk.votes(&self.rollout);
                votes.extend(now);
                crossing = Some(Crossing { interval, votes });
            }
        }
        let left = of_stage
            .iter()
            .filter_map(|one| match roles.get(one.check) {
                Some(Role::OfStage(share)) => Some(WeightedEvidence {
                    weight: *share,
                    log_evidence: one.path.last().copied().unwrap_or(0.0),
                }),
                _ => None,
            });
        self.left.extend(left);
        Walked {
            proofs: walk.proofs(&self.rollout),
            crossing,
        }
    }

    /// Says that a stage is over: whether its evidence has crossed, and whether a person has decided it.
    pub(super) fn leave(mut self, crossed: Option<Crossed>, is_decided: bool) -> Self {
        self.crossed = crossed.or(self.crossed);
        self.is_anew = is_decided;
        self
    }

    /// What was measured before the rollout counts for a stream when it is first asked.
    fn tell_the_past(&mut self, walk: &Walk<'_>, data: &StageData, judged: &[Option<&Judged>]) {
        for (place, (member, key)) in self
            .rollout
            .members_mut()
            .iter_mut()
            .zip(&mut self.streams)
            .enumerate()
        {
            let Some(found) = walk.judged_of(place, judged) else {
                continue;
            };
            if !member.stream.has_data() {
                let past = match (&data.history, found.has_strata) {
                    // The noise of the whole tells nothing of that within a stratum.
                    (History::Seen(history), false) => {
                        let limit = match key.line {
                            Line::Relative(_) => None,
                            Line::Absolute { limit, .. } => Some(limit.limit()),
                        };
                        history
                            .past_noise(&key.metric, limit)
                            .cloned()
                            .map(Arc::new)
                    }
                    _ => None,
                };
                member.stream.remember(past);
                if let (Some(pods), Some(before)) =
                    (&mut member.pods, data.pods_before.get(&key.metric))
                    && pods.intervals() == 0
                {
                    *pods = before.clone();
                }
            }
            for name in &found.lanes {
                if !key.lanes.contains(name) {
                    key.lanes.push(name.clone());
                }
            }
            member.stream.widen_to(key.lanes.len());
        }
    }

    fn push<'a>(&mut self, interval: usize, walk: &mut Walk<'a>, judged: &[Option<&'a Judged>]) {
        let streams = &self.streams;
        walk.begin_interval(streams, interval, judged);
        for (room, member) in walk.room.iter_mut().zip(self.rollout.members_mut()) {
            room.place_pods(member.pods.as_mut());
        }
        let inputs: Vec<Input<'_>> = walk.room.iter().map(Room::input).collect();
        self.rollout.push(&inputs);
        walk.end_interval(&self.rollout);
    }
}

/// The lines of a check whose counts are judged through all stages; nothing for others.
fn lines_of(check: &Check, stage: &Stage) -> Option<Vec<Line>> {
    let is_of_counts = match check.measured.kind {
        MetricKind::Proportion { .. } | MetricKind::EventRate { .. } => {
            check.method.is_valid_at_any_time()
        }
        MetricKind::Quantile { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            false
        }
    };
    if !is_of_counts || !check.counts_at(stage.traffic_percent) {
        return None;
    }
    let sides = match check.limit {
        Limit::Within { tolerance } => Limit::sides_of(tolerance).to_vec(),
        one => vec![one],
    };
    let has_control = stage.traffic_percent < 100.0 && !check.ignores_control;
    let law = Scale::of(&check.measured).law();
    let line = |limit: Limit| {
        let (ratio, offset, side) = match limit {
            Limit::AtMost { ratio, offset } => (ratio, offset, Side::Above),
            Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Below),
            Limit::Within { .. } => return None,
        };
        match ratio {
            Some(ratio) => RelativeLimit::new(ratio, offset, side)
                .ok()
                .map(Line::Relative),
            None => AbsoluteLimit::new(offset, side, law)
                .ok()
                .map(|limit| Line::Absolute { limit, has_control }),
        }
    };
    sides.into_iter().map(line).collect()
}

/// What must be shown to be kept for a promotion.
fn kept_of(check: &Check) -> Vec<Kept> {
    let sides = match check.promotion_limit {
        Limit::Within { tolerance } => Limit::sides_of(tolerance).to_vec(),
        one => vec![one],
    };
    let law = Scale::of(&check.measured).law();
    let kept = |limit: Limit| {
        let (ratio, offset, side) = match limit {
            Limit::AtMost { ratio, offset } => (ratio, offset, Side::Below),
            Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Above),
            Limit::Within { .. } => return None,
        };
        match ratio {
            Some(ratio) => RelativeLimit::new(ratio, offset, side)
                .ok()
                .map(Kept::Relative),
            None => AbsoluteLimit::new(offset, side, law)
                .ok()
                .map(Kept::Absolute),
        }
    };
    sides.into_iter().filter_map(kept).collect()
}

/// The place of a stream among all, which is added where it is new.
fn place_of(streams: &mut Vec<StreamKey>, check: &Check, line: Line) -> usize {
    let counted = match check.measured.kind {
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        } => Counted::Traffic,
        _ => Counted::Events,
    };
    let key = StreamKey {
        metric: check.measured.name.clone(),
        line,
        counted,
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

/// The weights of streams, of shares of each stage that are parts of all checks there.
fn weights(streams: usize, votes: &[Vec<(usize, f64)>]) -> Vec<f64> {
    // What other checks of a stage have is no part of these: a stream of none.
    let with_rest = |stage: &Vec<(usize, f64)>| {
        let rest = 1.0 - stage.iter().map(|(_, share)| share).sum::<f64>();
        let mut all = stage.clone();
        all.push((streams, rest.max(0.0)));
        all
    };
    let stages: Vec<Vec<(usize, f64)>> = votes.iter().map(with_rest).collect();
    stream_weights(streams, &stages)
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

/// What is gathered while the intervals of a stage are gone through.
struct Walk<'a> {
    checks: Vec<WalkedCheck>,
    /// By the place of the stream.
    room: Vec<Room<'a>>,
}

/// A check whose counts are judged.
struct WalkedCheck {
    check: usize,
    streams: Vec<usize>,
    promotions: Vec<Promotion>,
    path: Vec<f64>,
    may_roll_back: bool,
    is_judged: bool,
}

/// What an interval has for one stream.
#[derive(Default)]
struct Room<'a> {
    lanes: Vec<Interval>,
    squares: PodSquares,
    pods_now: Vec<(&'a str, ArmCount)>,
    control_pods: Vec<(PodPlace, ArmCount)>,
}

impl Room<'_> {
    fn input(&self) -> Input<'_> {
        Input {
            lanes: &self.lanes,
            squares: self.squares,
            control_pods: &self.control_pods,
        }
    }

    fn place_pods(&mut self, pods: Option<&mut Pods>) {
        self.control_pods.clear();
        let Some(pods) = pods else {
            return;
        };
        for (name, count) in &self.pods_now {
            if let Some(place) = pods.place_of(name) {
                self.control_pods.push((place, *count));
            }
        }
    }
}

impl<'a> Walk<'a> {
    fn new(roles: &[Role], stage: &Stage, judged: &[Option<&Judged>]) -> Self {
        let mut checks = Vec::new();
        let mut streams = 0;
        for (place, (role, check)) in roles.iter().zip(&stage.checks).enumerate() {
            let Role::Streams(places) = role else {
                continue;
            };
            streams = places
                .iter()
                .fold(streams, |most, place| most.max(place + 1));
            checks.push(WalkedCheck {
                check: place,
                streams: places.clone(),
                promotions: kept_of(check).into_iter().map(Promotion::new).collect(),
                path: Vec::new(),
                may_roll_back: check.may_roll_back,
                is_judged: judged.get(place).is_some_and(Option::is_some),
            });
        }
        Self {
            checks,
            room: (0..streams).map(|_| Room::default()).collect(),
        }
    }

    /// The checks whose counts a stream is of.
    fn checks_of(&self, stream: usize) -> impl Iterator<Item = &WalkedCheck> {
        self.checks
            .iter()
            .filter(move |one| one.streams.contains(&stream))
    }

    fn judged_of<'b>(&self, stream: usize, judged: &[Option<&'b Judged>]) -> Option<&'b Judged> {
        let mut checks = self.checks_of(stream);
        checks.find_map(|one| judged.get(one.check).copied().flatten())
    }

    fn begin_interval(
        &mut self,
        streams: &[StreamKey],
        interval: usize,
        judged: &[Option<&'a Judged>],
    ) {
        for (stream, key) in streams.iter().enumerate() {
            let found = self.judged_of(stream, judged);
            let Some(room) = self.room.get_mut(stream) else {
                continue;
            };
            room.lanes.clear();
            room.pods_now.clear();
            room.squares = PodSquares::default();
            let Some(found) = found else {
                continue;
            };
            room.lanes.resize(key.lanes.len(), Interval::default());
            for (name, lane) in found.lanes.iter().zip(found.at(interval)) {
                let place = key.lanes.iter().position(|known| known == name);
                if let Some(slot) = place.and_then(|place| room.lanes.get_mut(place)) {
                    *slot = *lane;
                }
            }
            room.squares = found.pod_squares(interval);
            room.pods_now.extend(found.control_pods(interval));
        }
    }

    fn end_interval(&mut self, rollout: &Rollout) {
        for one in &mut self.checks {
            let members = one
                .streams
                .iter()
                .filter_map(|place| rollout.members().get(*place));
            let evidence: Vec<f64> = members.clone().map(Member::log_evidence).collect();
            one.path.push(if one.is_judged {
                log_mean_exp(&evidence)
            } else {
                0.0
            });
            for (promotion, (member, place)) in
                one.promotions.iter_mut().zip(members.zip(&one.streams))
            {
                if let Some(room) = self.room.get(*place) {
                    member.stream.push_into(promotion, &room.lanes);
                }
            }
        }
    }

    /// The weight and the evidence of each check that votes.
    fn votes(&self, rollout: &Rollout) -> Vec<(usize, f64, f64)> {
        let voting = self
            .checks
            .iter()
            .filter(|one| one.may_roll_back && one.is_judged);
        voting
            .map(|one| {
                let weight = one.weight(rollout);
                (one.check, weight, one.path.last().copied().unwrap_or(0.0))
            })
            .collect()
    }

    fn proofs(self, rollout: &Rollout) -> Vec<Option<CountsProof>> {
        let last = self
            .checks
            .iter()
            .map(|one| one.check + 1)
            .max()
            .unwrap_or(0);
        let mut proofs: Vec<Option<CountsProof>> = vec![None; last];
        for one in self.checks.into_iter().filter(|one| one.is_judged) {
            let place = one.check;
            if let Some(slot) = proofs.get_mut(place) {
                *slot = Some(one.proof(rollout));
            }
        }
        proofs
    }
}

impl WalkedCheck {
    fn weight(&self, rollout: &Rollout) -> f64 {
        let members = self
            .streams
            .iter()
            .filter_map(|place| rollout.members().get(*place));
        members.map(|member| member.weight).sum()
    }

    fn proof(self, rollout: &Rollout) -> CountsProof {
        let weight = self.weight(rollout);
        let members = || {
            self.streams
                .iter()
                .filter_map(|place| rollout.members().get(*place))
        };
        let sides = || self.promotions.iter().zip(members());
        let shown = |(one, member): (&Promotion, &Member)| {
            one.is_possible().then(|| member.stream.compliance(one))
        };
        let compliance: Option<Vec<f64>> = sides().map(shown).collect();
        let is_suspect = sides()
            .any(|(one, member)| member.stream.beyond_its_limit(one, member.pods.as_ref()) >= VETO);
        let has_enough = self
            .promotions
            .iter()
            .all(|one| one.intervals_with_data() >= crate::proof::FEWEST_INTERVALS);
        let first = members().next();
        let spread = first.and_then(|member| {
            let pods = member.pods.as_ref()?;
            let spread = member.stream.spread_that_widens(pods)?;
            Some((spread, pods.count(), pods.left_out().map(str::to_owned)))
        });
        CountsProof {
            compliance: compliance.and_then(|all| all.into_iter().reduce(f64::min)),
            has_enough,
            is_suspect,
            dispersion: first.and_then(|member| member.stream.dispersion(member.pods.as_ref())),
            spread,
            has_past: first.is_some_and(|member| member.stream.settings().past.is_some()),
            is_of_the_environment: members().any(|member| member.stream.is_of_the_environment()),
            weight: if self.may_roll_back { weight } else { 0.0 },
            violation: self.path,
        }
    }
}
