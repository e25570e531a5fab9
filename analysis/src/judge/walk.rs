//! Goes through the intervals of a stage: what each adds to what all checks of the rollout prove.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::{GaugeBefore, History, StageData};
use crate::pipeline::{Check, MetricKind, Stage};
use crate::proof::gauge::can_speak;
use crate::proof::{
    FEWEST_INTERVALS, Input, Interval, KeptBeyond, Line, Member, Noisiest, Promotion, Rollout, VETO,
};
use crate::sequential::{Dispersion, ErrorRate, IntervalCounts, log_mean_exp};

use super::by_interval::mixed;
use super::course::{Course, Role};
use super::evidence::Budget;
use super::gauge::GaugeProof;
use super::judged::Judged;
use super::limit::Scale;
use super::lines;
use super::model::NoiseSource;
use super::pods::PodsDiffer;
use super::quantile::{Asked, Known, kept_beyond};
use super::room::Room;

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
    /// The interval of the stage since when the canary is beyond its limit, of a check that has crossed.
    pub(super) since: Option<usize>,
    /// Of a quantile, what was counted.
    pub(super) quantile: Option<QuantileProof>,
}

/// What the buckets of a check became.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QuantileProof {
    /// What was counted in the stage, for a violation and for what must be kept.
    pub(super) totals: (IntervalCounts, IntervalCounts),
    /// What is known of the control's quantile now.
    pub(super) known: Option<Known>,
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
    /// The same of gauges.
    pub(super) of_gauges: Vec<Option<GaugeProof>>,
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
    gauges: Vec<WalkedGauge>,
    crossing: Option<Crossing>,
}

/// What the intervals so far were counted as: where that is another one now, all is gone through again.
#[derive(Debug, Clone, PartialEq)]
struct MadeOf {
    history: History,
    gauges: BTreeMap<String, GaugeBefore>,
    judged: Vec<Option<(Vec<String>, bool)>>,
    counts: u64,
}

impl MadeOf {
    fn of(data: &StageData, judged: &[Option<&Judged<'_>>], intervals: usize) -> Self {
        let shape = |one: Option<&Judged<'_>>| {
            let one = one?;
            Some((one.lanes().to_vec(), one.has_strata()))
        };
        let mut counts = 0_u64;
        for one in judged.iter().flatten() {
            counts = mixed(counts, one.fingerprint(intervals));
        }
        Self {
            history: data.history.clone(),
            gauges: data.gauges_before.clone(),
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
    (data, budget): (&StageData, Budget),
    judged: &[Option<&Judged<'_>>],
) -> Walked {
    let known = carried.filter(|one| {
        one.stage == stage.id
            && one.intervals <= data.grid.intervals()
            && one.made_of == MadeOf::of(data, judged, one.intervals)
    });
    let begun = known.or_else(|| Carried::begin(course, stage, data, judged));
    let Some(mut state) = begun else {
        return Walked {
            course: course.clone(),
            carried: None,
            proofs: vec![None; judged.len()],
            of_gauges: vec![None; judged.len()],
            crossing: None,
        };
    };
    let given = Given {
        rate: budget.rollout,
        judged,
    };
    state.advance(data.settled_intervals, &given);
    state.made_of = MadeOf::of(data, judged, state.intervals);
    let carried = (state.intervals > 0).then(|| state.clone());
    state.advance(data.grid.intervals(), &given);
    let mut proofs: Vec<Option<CountsProof>> = vec![None; judged.len()];
    for one in state.checks.iter().filter(|one| one.is_judged) {
        if let Some(slot) = proofs.get_mut(one.check) {
            *slot = Some(one.proof(&state.course));
        }
    }
    let mut of_gauges: Vec<Option<GaugeProof>> = vec![None; judged.len()];
    for one in &state.gauges {
        if let Some(slot) = of_gauges.get_mut(one.check) {
            *slot = one.proof(&state.course, budget);
        }
    }
    Walked {
        course: state.course,
        carried,
        proofs,
        of_gauges,
        crossing: state.crossing,
    }
}

/// What is gone through.
struct Given<'a> {
    rate: ErrorRate,
    judged: &'a [Option<&'a Judged<'a>>],
}

impl Carried {
    /// Before the first interval of a stage; nothing of a stage that is none of the rollout's.
    fn begin(
        course: &Course,
        stage: &Stage,
        data: &StageData,
        judged: &[Option<&Judged<'_>>],
    ) -> Option<Self> {
        let mut course = course.clone();
        let roles = course.enter(stage)?;
        let checks = checks_of(&roles, stage, judged);
        let gauges = gauges_of(&roles, stage, judged);
        let mut state = Self {
            stage: stage.id.clone(),
            made_of: MadeOf::of(data, judged, 0),
            intervals: 0,
            course,
            checks,
            gauges,
            crossing: None,
        };
        state.tell_the_past(data, judged);
        state.begin_gauges(data, judged);
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
    fn tell_the_past(&mut self, data: &StageData, judged: &[Option<&Judged<'_>>]) {
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
                let past = match (&data.history, found.has_strata()) {
                    // The noise of the whole tells nothing of that within a stratum.
                    (History::Seen(history), false) => {
                        let (limit, ratio) = match (&key.reader, key.line) {
                            // Of a quantile the line is of shares.
                            (Some(reader), _) => (reader.number(), 1.0),
                            (None, Line::Relative(limit)) => (None, limit.ratio()),
                            (None, Line::Quantile(_)) => (None, 1.0),
                            (None, Line::Absolute { limit, .. }) => (Some(limit.limit()), 1.0),
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
            for name in found.lanes() {
                if !key.lanes.contains(name) {
                    key.lanes.push(name.clone());
                }
            }
            member.stream.widen_to(key.lanes.len());
        }
    }

    /// The streams of gauges that the stage names begin it, where there are samples of them.
    fn begin_gauges(&mut self, data: &StageData, judged: &[Option<&Judged<'_>>]) {
        let planned_seconds = self.course.planned_seconds();
        let (mut begun, mut mute): (Vec<usize>, Vec<usize>) = Default::default();
        for one in &self.gauges {
            let (Some(Some(Judged::Gauge(rows))), Some(key)) =
                (judged.get(one.check), self.course.gauges.get_mut(one.place))
            else {
                continue;
            };
            // Two checks of one stream begin it once.
            if !begun.contains(&one.place) {
                begun.push(one.place);
                let past = data.gauges_before.get(&key.metric);
                key.begin_stage(rows.step_seconds(), planned_seconds, past);
                if !can_speak(planned_seconds, rows.step_seconds()) {
                    mute.push(one.place);
                }
            }
        }
        for place in mute {
            self.course.mute(place);
        }
    }

    /// Goes on to the interval of this number.
    fn advance(&mut self, until: usize, given: &Given<'_>) {
        let mut rooms: Vec<Room<'_>> = Vec::new();
        rooms.resize_with(self.course.streams.len(), Room::default);
        let kept: Vec<Vec<KeptBeyond>> = (0..self.course.streams.len())
            .map(|stream| kept_of(&self.checks, stream))
            .collect();
        for interval in self.intervals..until {
            for (stream, (room, key)) in rooms.iter_mut().zip(&mut self.course.streams).enumerate()
            {
                let judged = judged_of(&self.checks, stream, given.judged);
                let kept = kept.get(stream).map_or(&[][..], Vec::as_slice);
                room.fill(key, judged, kept, interval);
            }
            for (room, member) in rooms.iter_mut().zip(self.course.rollout.members_mut()) {
                room.place_pods(member.pods.as_mut());
            }
            let inputs: Vec<Input<'_>> = rooms.iter().map(Room::input).collect();
            self.course.rollout.push(&inputs);
            self.push_samples(interval, given.judged);
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
        let others = self.course.evidence_of_gauges();
        let rollout = &self.course.rollout;
        if rollout.combined_with(&others) < given.rate.log_threshold() {
            return;
        }
        for one in &mut self.checks {
            let member = one
                .streams
                .first()
                .and_then(|place| rollout.members().get(*place));
            one.since = member.map(|member| member.stream.since(member.pods.as_ref()));
        }
        let voting = self
            .checks
            .iter()
            .filter(|one| one.may_roll_back && one.is_judged);
        let votes = voting.map(|one| (one.check, one.weight(rollout), one.last));
        let gauges = self.gauges.iter().filter(|one| one.may_roll_back);
        let of_gauges = gauges.filter_map(|one| {
            let key = self.course.gauges.get(one.place)?;
            Some((one.check, key.weight, key.log_evidence()))
        });
        self.crossing = Some(Crossing {
            interval,
            votes: votes.chain(of_gauges).collect(),
        });
    }

    /// The sample that an interval ends with, of each gauge.
    fn push_samples(&mut self, interval: usize, judged: &[Option<&Judged<'_>>]) {
        let mut pushed: Vec<usize> = Vec::new();
        for one in &mut self.gauges {
            let (Some(Some(Judged::Gauge(rows))), Some(key)) =
                (judged.get(one.check), self.course.gauges.get_mut(one.place))
            else {
                continue;
            };
            if !pushed.contains(&one.place) {
                pushed.push(one.place);
                key.push(rows.at(interval).as_ref());
            }
            one.strongest = one.strongest.max(key.log_evidence());
        }
    }
}

/// The checks whose counts are judged through all stages.
fn checks_of(roles: &[Role], stage: &Stage, judged: &[Option<&Judged<'_>>]) -> Vec<WalkedCheck> {
    let mut checks = Vec::new();
    for (place, (role, check)) in roles.iter().zip(&stage.checks).enumerate() {
        let Role::Streams(places) = role else {
            continue;
        };
        checks.push(WalkedCheck {
            check: place,
            streams: places.clone(),
            promotions: promotions_of(check),
            kept: kept_beyond(check),
            totals: Default::default(),
            since: None,
            last: 0.0,
            strongest: f64::NEG_INFINITY,
            may_roll_back: check.may_roll_back,
            is_judged: judged.get(place).is_some_and(Option::is_some),
        });
    }
    checks
}

/// The checks of gauges that are judged through all stages.
fn gauges_of(roles: &[Role], stage: &Stage, judged: &[Option<&Judged<'_>>]) -> Vec<WalkedGauge> {
    let checks = roles.iter().zip(&stage.checks).enumerate();
    let gauges = checks.filter_map(|(check, (role, of))| match role {
        Role::Gauge(place) => {
            let is_judged = judged.get(check).is_some_and(Option::is_some);
            is_judged.then_some(WalkedGauge {
                check,
                place: *place,
                strongest: f64::NEG_INFINITY,
                may_roll_back: of.may_roll_back,
            })
        }
        Role::Streams(_) | Role::None => None,
    });
    gauges.collect()
}

/// A check of a gauge that is judged.
#[derive(Debug, Clone, PartialEq)]
struct WalkedGauge {
    check: usize,
    /// The stream's.
    place: usize,
    strongest: f64,
    may_roll_back: bool,
}

impl WalkedGauge {
    fn proof(&self, course: &Course, budget: Budget) -> Option<GaugeProof> {
        let key = course.gauges.get(self.place)?;
        let weight = if self.may_roll_back { key.weight } else { 0.0 };
        let rates = (budget.rollout, budget.promotion);
        GaugeProof::of(key, (self.strongest, weight), rates)
    }
}

/// What must be shown to be kept of a check.
fn promotions_of(check: &Check) -> Vec<Promotion> {
    let kept = match check.measured.kind {
        MetricKind::Quantile { .. } => {
            let asked = Asked::of_check(check).ok();
            asked.and_then(Asked::kept).into_iter().collect()
        }
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => {
            lines::kept_of(check.promotion_limit, Scale::of(&check.measured))
        }
    };
    kept.into_iter().map(Promotion::new).collect()
}

/// What the promotions of a stream's checks ask of a quantile, each once.
fn kept_of(checks: &[WalkedCheck], stream: usize) -> Vec<KeptBeyond> {
    let mut all: Vec<KeptBeyond> = Vec::new();
    let of_it = checks.iter().filter(|one| one.streams.contains(&stream));
    for kept in of_it.filter_map(|one| one.kept) {
        if !all.contains(&kept) {
            all.push(kept);
        }
    }
    all
}

/// What a stream is of.
fn judged_of<'a>(
    checks: &[WalkedCheck],
    stream: usize,
    judged: &[Option<&'a Judged<'a>>],
) -> Option<&'a Judged<'a>> {
    let mut checks = checks.iter().filter(|one| one.streams.contains(&stream));
    checks.find_map(|one| judged.get(one.check).copied().flatten())
}

/// A check whose counts are judged.
#[derive(Debug, Clone, PartialEq)]
struct WalkedCheck {
    check: usize,
    streams: Vec<usize>,
    promotions: Vec<Promotion>,
    /// Of a quantile beside the control's, what a promotion must show.
    kept: Option<KeptBeyond>,
    /// What was counted in the stage, of a check of one stream.
    totals: (IntervalCounts, IntervalCounts),
    /// The interval of the rollout since when the canary is beyond its limit, of a check that has crossed.
    since: Option<usize>,
    last: f64,
    strongest: f64,
    may_roll_back: bool,
    is_judged: bool,
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
                let lanes = room.lanes_with(self.kept);
                member.stream.push_into(promotion, &lanes);
                add_to(&mut self.totals, &lanes);
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

    fn proof(&self, course: &Course) -> CountsProof {
        let rollout = &course.rollout;
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
            since: self
                .since
                .map(|since| since.saturating_sub(rollout.stage_begun_at())),
            quantile: self.quantile(course),
        }
    }

    /// What the buckets became; nothing of counts.
    fn quantile(&self, course: &Course) -> Option<QuantileProof> {
        let key = course.streams.get(*self.streams.first()?)?;
        let reader = key.reader.as_ref()?;
        Some(QuantileProof {
            totals: self.totals,
            known: reader.known(),
        })
    }
}

/// Adds the lanes of an interval.
fn add_to(totals: &mut (IntervalCounts, IntervalCounts), lanes: &[Interval]) {
    for lane in lanes {
        let kept = lane.kept.unwrap_or(lane.counts);
        for (sum, one) in [(&mut totals.0, lane.counts), (&mut totals.1, kept)] {
            sum.control = sum.control.and(one.control);
            sum.canary = sum.canary.and(one.canary);
        }
    }
}
