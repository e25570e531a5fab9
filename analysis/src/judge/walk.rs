//! Goes through the intervals of a stage: what each adds to what all checks of the rollout prove.

use std::sync::Arc;

use crate::data::{History, StageData};
use crate::pipeline::Stage;
use crate::proof::{
    FEWEST_INTERVALS, Input, Interval, Line, Member, Noisiest, PodPlace, PodSquares, Pods,
    Promotion, Rollout, VETO,
};
use crate::sequential::{Dispersion, ErrorRate, WeightedEvidence, log_mean_exp};
use crate::series::ArmCount;

use super::course::{Course, Role, StreamKey};
use super::judged::{Judged, mixed};
use super::limit::Scale;
use super::lines;
use super::model::NoiseSource;
use super::pods::PodsDiffer;

/// What the counts of one check prove after the newest interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CountsProof {
    /// `ln E` of a violation after the newest interval, and the largest after any of the stage.
    pub(super) violation: f64,
    pub(super) strongest: f64,
    /// `ln E'` of compliance now; nothing where no canary could be shown to keep the limit.
    pub(super) compliance: Option<f64>,
    /// Whether enough intervals of the stage had data for that.
    pub(super) has_enough: bool,
    /// Whether a single look says that the canary is beyond the check's own limit.
    pub(super) is_suspect: bool,
    /// What the evidence since the rollout's start is divided by.
    pub(super) dispersion: Option<Dispersion>,
    /// The largest noise of the counts themselves, and how long it lasts.
    pub(super) noisiest: Option<Noisiest>,
    /// How much pods of the control differ, where that is what it is divided by.
    pub(super) spread: Option<PodsDiffer>,
    /// What says what the noise was when it began.
    pub(super) noise_from: NoiseSource,
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
    /// The rollout now.
    pub(super) course: Course,
    /// The rollout in the middle of the stage, to go on from.
    pub(super) carried: Option<Carried>,
    /// By the place of the check.
    pub(super) proofs: Vec<Option<CountsProof>>,
    /// The first time at which all evidence together was enough.
    pub(super) crossing: Option<Crossing>,
}

/// A rollout in the middle of a stage: after the intervals of which what was counted never changes. Who keeps it
/// between two judgements saves the work of those intervals, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    stage: String,
    made_of: MadeOf,
    intervals: usize,
    course: Course,
    checks: Vec<WalkedCheck>,
    crossing: Option<Crossing>,
}

/// What the intervals so far were counted as: where that is another one now, all is gone through again.
#[derive(Debug, Clone, PartialEq)]
struct MadeOf {
    history: History,
    judged: Vec<Option<(Vec<String>, bool)>>,
    counts: u64,
}

impl MadeOf {
    fn of(
        history: &History,
        (judged, of_stage): (&[Option<&Judged>], &[OfStage<'_>]),
        intervals: usize,
    ) -> Self {
        let shape = |one: Option<&Judged>| {
            let one = one?;
            Some((one.lanes.clone(), one.has_strata))
        };
        let mut counts = 0_u64;
        for one in judged.iter().flatten() {
            counts = mixed(counts, one.fingerprint(intervals));
        }
        for one in of_stage {
            for log_evidence in one.path.iter().take(intervals) {
                counts = mixed(counts, log_evidence.to_bits());
            }
        }
        Self {
            history: history.clone(),
            judged: judged.iter().copied().map(shape).collect(),
            counts,
        }
    }
}

/// Goes through the intervals of a stage. `course` is the rollout before its first; `carried` what was kept of an
/// earlier judgement of the same stage.
pub(super) fn walk(
    course: &Course,
    carried: Option<Carried>,
    stage: &Stage,
    (data, rate): (&StageData, ErrorRate),
    (judged, of_stage): (&[Option<&Judged>], &[OfStage<'_>]),
) -> Walked {
    let known = carried.filter(|one| {
        one.stage == stage.id
            && one.intervals <= data.grid.intervals()
            && one.made_of == MadeOf::of(&data.history, (judged, of_stage), one.intervals)
    });
    let begun = known.or_else(|| Carried::begin(course, stage, data, (judged, of_stage)));
    let (Some(mut state), Some(roles)) = (begun, course.clone().enter(stage)) else {
        return Walked {
            course: course.clone(),
            carried: None,
            proofs: vec![None; judged.len()],
            crossing: None,
        };
    };
    let given = Given {
        rate,
        roles: &roles,
        judged,
        of_stage,
    };
    state.advance(data.settled_intervals, &given);
    state.made_of = MadeOf::of(&data.history, (judged, of_stage), state.intervals);
    let carried = (state.intervals > 0).then(|| state.clone());
    state.advance(data.grid.intervals(), &given);
    let left = of_stage.iter().map(|one| WeightedEvidence {
        weight: given.share(one.check),
        log_evidence: one.path.last().copied().unwrap_or(0.0),
    });
    state.course.left.extend(left);
    let last = state
        .checks
        .iter()
        .map(|one| one.check + 1)
        .max()
        .unwrap_or(0);
    let mut proofs: Vec<Option<CountsProof>> = vec![None; last];
    for one in state.checks.iter().filter(|one| one.is_judged) {
        if let Some(slot) = proofs.get_mut(one.check) {
            *slot = Some(one.proof(&state.course.rollout));
        }
    }
    Walked {
        course: state.course,
        carried,
        proofs,
        crossing: state.crossing,
    }
}

/// What is gone through.
struct Given<'a> {
    rate: ErrorRate,
    roles: &'a [Role],
    judged: &'a [Option<&'a Judged>],
    of_stage: &'a [OfStage<'a>],
}

impl Given<'_> {
    /// The part of the error rate of a check that is judged stage by stage.
    fn share(&self, check: usize) -> f64 {
        match self.roles.get(check) {
            Some(Role::OfStage(share)) => *share,
            Some(Role::Streams(_) | Role::None) | None => 0.0,
        }
    }
}

impl Carried {
    /// Before the first interval of a stage; nothing of a stage that is none of the rollout's.
    fn begin(
        course: &Course,
        stage: &Stage,
        data: &StageData,
        counted: (&[Option<&Judged>], &[OfStage<'_>]),
    ) -> Option<Self> {
        let mut course = course.clone();
        let roles = course.enter(stage)?;
        let checks = checks_of(&roles, stage, counted.0);
        let mut state = Self {
            stage: stage.id.clone(),
            made_of: MadeOf::of(&data.history, counted, 0),
            intervals: 0,
            course,
            checks,
            crossing: None,
        };
        state.tell_the_past(data, counted.0);
        let asked: Vec<bool> = (0..state.course.streams.len())
            .map(|stream| state.checks.iter().any(|one| one.streams.contains(&stream)))
            .collect();
        let is_asked = |stream: usize| asked.get(stream).copied().unwrap_or(false);
        state.course.rollout.ask(is_asked);
        Some(state)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.course.bytes()
    }

    /// What was measured before the rollout counts for a stream when it is first asked.
    fn tell_the_past(&mut self, data: &StageData, judged: &[Option<&Judged>]) {
        let (checks, course) = (&self.checks, &mut self.course);
        for (place, (member, key)) in course
            .rollout
            .members_mut()
            .iter_mut()
            .zip(&mut course.streams)
            .enumerate()
        {
            let Some(found) = judged_of(checks, place, judged) else {
                continue;
            };
            if !member.stream.has_data() {
                let past = match (&data.history, found.has_strata) {
                    // The noise of the whole tells nothing of that within a stratum.
                    (History::Seen(history), false) => {
                        let (limit, ratio) = match key.line {
                            Line::Relative(limit) => (None, limit.ratio()),
                            Line::Quantile(_) => (None, 1.0),
                            Line::Absolute { limit, .. } => (Some(limit.limit()), 1.0),
                        };
                        let past = history.past_noise(&key.metric, limit, ratio);
                        past.cloned().map(Arc::new)
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

    /// Goes on to the interval of this number.
    fn advance(&mut self, until: usize, given: &Given<'_>) {
        let mut rooms: Vec<Room<'_>> = Vec::new();
        rooms.resize_with(self.course.streams.len(), Room::default);
        for interval in self.intervals..until {
            for (stream, (room, key)) in rooms.iter_mut().zip(&self.course.streams).enumerate() {
                room.fill(key, judged_of(&self.checks, stream, given.judged), interval);
            }
            for (room, member) in rooms.iter_mut().zip(self.course.rollout.members_mut()) {
                room.place_pods(member.pods.as_mut());
            }
            let inputs: Vec<Input<'_>> = rooms.iter().map(Room::input).collect();
            self.course.rollout.push(&inputs);
            for one in &mut self.checks {
                one.end_interval(&self.course.rollout, &rooms);
            }
            if self.crossing.is_none() {
                self.look(interval, given);
            }
        }
        self.intervals = self.intervals.max(until);
    }

    /// Looks whether all evidence together is enough after an interval.
    fn look(&mut self, interval: usize, given: &Given<'_>) {
        let at = |one: &OfStage<'_>| one.path.get(interval).copied().unwrap_or(0.0);
        let others = given.of_stage.iter().map(|one| WeightedEvidence {
            weight: given.share(one.check),
            log_evidence: at(one),
        });
        let others: Vec<_> = self.course.left.iter().copied().chain(others).collect();
        let rollout = &self.course.rollout;
        if rollout.combined_with(&others) < given.rate.log_threshold() {
            return;
        }
        let voting = self
            .checks
            .iter()
            .filter(|one| one.may_roll_back && one.is_judged);
        let votes = voting.map(|one| (one.check, one.weight(rollout), one.last));
        let of_stage = given.of_stage.iter();
        let of_stage = of_stage.map(|one| (one.check, given.share(one.check), at(one)));
        self.crossing = Some(Crossing {
            interval,
            votes: votes.chain(of_stage).collect(),
        });
    }
}

/// The checks whose counts are judged through all stages.
fn checks_of(roles: &[Role], stage: &Stage, judged: &[Option<&Judged>]) -> Vec<WalkedCheck> {
    let mut checks = Vec::new();
    for (place, (role, check)) in roles.iter().zip(&stage.checks).enumerate() {
        let Role::Streams(places) = role else {
            continue;
        };
        checks.push(WalkedCheck {
            check: place,
            streams: places.clone(),
            promotions: lines::kept_of(check.promotion_limit, Scale::of(&check.measured))
                .into_iter()
                .map(Promotion::new)
                .collect(),
            last: 0.0,
            strongest: f64::NEG_INFINITY,
            may_roll_back: check.may_roll_back,
            is_judged: judged.get(place).is_some_and(Option::is_some),
        });
    }
    checks
}

/// The counts that a stream is of.
fn judged_of<'a>(
    checks: &[WalkedCheck],
    stream: usize,
    judged: &[Option<&'a Judged>],
) -> Option<&'a Judged> {
    let mut checks = checks.iter().filter(|one| one.streams.contains(&stream));
    checks.find_map(|one| judged.get(one.check).copied().flatten())
}

/// A check whose counts are judged.
#[derive(Debug, Clone, PartialEq)]
struct WalkedCheck {
    check: usize,
    streams: Vec<usize>,
    promotions: Vec<Promotion>,
    last: f64,
    strongest: f64,
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

impl<'a> Room<'a> {
    /// What an interval has for a stream.
    fn fill(&mut self, key: &StreamKey, found: Option<&'a Judged>, interval: usize) {
        self.lanes.clear();
        self.pods_now.clear();
        self.squares = PodSquares::default();
        let Some(found) = found else {
            return;
        };
        self.lanes.resize(key.lanes.len(), Interval::default());
        for (name, lane) in found.lanes.iter().zip(found.at(interval)) {
            let place = key.lanes.iter().position(|known| known == name);
            if let Some(slot) = place.and_then(|place| self.lanes.get_mut(place)) {
                *slot = *lane;
            }
        }
        self.squares = found.pod_squares(interval);
        self.pods_now.extend(found.control_pods(interval));
    }

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

impl WalkedCheck {
    /// Takes in what an interval has added.
    fn end_interval(&mut self, rollout: &Rollout, rooms: &[Room<'_>]) {
        if !self.is_judged {
            return;
        }
        let members = || {
            self.streams
                .iter()
                .filter_map(|place| rollout.members().get(*place))
        };
        let evidence: Vec<f64> = members().map(Member::log_evidence).collect();
        self.last = log_mean_exp(&evidence);
        self.strongest = self.strongest.max(self.last);
        let sides = members().zip(&self.streams);
        for (promotion, (member, place)) in self.promotions.iter_mut().zip(sides) {
            if let Some(room) = rooms.get(*place) {
                member.stream.push_into(promotion, &room.lanes);
            }
        }
    }

    fn weight(&self, rollout: &Rollout) -> f64 {
        let members = self
            .streams
            .iter()
            .filter_map(|place| rollout.members().get(*place));
        members.map(|member| member.weight).sum()
    }

    fn proof(&self, rollout: &Rollout) -> CountsProof {
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
            .all(|one| one.intervals_with_data() >= FEWEST_INTERVALS);
        let first = members().next();
        let spread = first.and_then(|member| {
            let pods = member.pods.as_ref()?;
            let (spread, drawn) = member.stream.spread_that_widens(pods)?;
            Some(PodsDiffer {
                spread,
                drawn,
                pods: pods.count(),
                intervals: pods.intervals(),
                left_out: pods.left_out().map(str::to_owned),
            })
        });
        CountsProof {
            compliance: compliance.and_then(|all| all.into_iter().reduce(f64::min)),
            has_enough,
            is_suspect,
            dispersion: first.and_then(|member| member.stream.dispersion(member.pods.as_ref())),
            noisiest: first.and_then(|member| member.stream.noisiest()),
            spread,
            noise_from: match first.and_then(|member| member.stream.settings().past.as_ref()) {
                Some(_) => NoiseSource::History,
                None => NoiseSource::Assumed,
            },
            is_of_the_environment: members().any(|member| member.stream.is_of_the_environment()),
            weight: if self.may_roll_back { weight } else { 0.0 },
            violation: self.last,
            strongest: self.strongest,
        }
    }
}
