//! All streams of a rollout under one error rate, through all of its stages.

use super::lane::Interval;
use super::pods::{PodPlace, Pods};
use super::starts::Schedule;
use super::stream::{PodSquares, Stream};
use crate::sequential::{WeightedEvidence, combined_log_evidence};
use crate::series::ArmCount;

/// A rest of the weights that is less is none.
const NO_REST: f64 = 1e-12;

/// A stream of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// What it proves.
    pub stream: Stream,
    /// Its part of the rollout's error rate; 0 of one that may not roll back.
    pub weight: f64,
    /// What the control's pods differ by in its metric, where they are told apart.
    pub pods: Option<Pods>,
    /// Whether the stage that the rollout is at names it.
    is_asked: bool,
    /// `ln E` after the newest interval of a stage that names it; nothing before the first, where it is 1.
    last: Option<f64>,
}

impl Member {
    /// A stream that no stage has named yet.
    pub fn new(stream: Stream, weight: f64, pods: Option<Pods>) -> Self {
        Self {
            stream,
            weight,
            pods,
            is_asked: false,
            last: None,
        }
    }

    /// `ln E` now.
    pub fn log_evidence(&self) -> f64 {
        self.last.unwrap_or(0.0)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let pods = self.pods.as_ref().map_or(0, Pods::bytes);
        self.stream.bytes() + pods + size_of::<Self>()
    }

    /// Whether the stage that the rollout is at names it.
    pub fn is_asked(&self) -> bool {
        self.is_asked
    }
}

/// What an interval has for a stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// Each lane's counts.
    pub lanes: &'a [Interval],
    /// How many pods there are, by requests.
    pub squares: PodSquares,
    /// What each of the control's pods had.
    pub control_pods: &'a [(PodPlace, ArmCount)],
}

/// All streams.
///
/// The mean of their evidence, with weights that were fixed when the rollout began, is evidence under any
/// dependence between them. When a stage no longer names a stream, its last value stays; before one does, it is
/// 1.
///
/// Source: V. Vovk and R. Wang, "E-values: calibration, combination and applications", Annals of Statistics 49
/// (2021), proposition 3.1; docs/design/counts.md, "9. Many checks, all stages".
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    schedule: Schedule,
    members: Vec<Member>,
    intervals: usize,
}

impl Rollout {
    /// Before the first interval of the first stage. `planned` are the longest times of all stages in intervals.
    pub fn new(planned: Vec<usize>, members: Vec<Member>) -> Self {
        Self {
            schedule: Schedule::new(planned),
            members,
            intervals: 0,
        }
    }

    /// Says which streams the stage names that it is at.
    pub fn ask(&mut self, is_asked: impl Fn(usize) -> bool) {
        for (place, member) in self.members.iter_mut().enumerate() {
            member.is_asked = is_asked(place);
        }
    }

    /// The next stage begins here. One that is skipped begins and ends at once.
    pub fn begin_stage(&mut self) {
        self.schedule.begin_stage(self.intervals);
        for member in &mut self.members {
            member.stream.begin_stage();
        }
    }

    /// All evidence begins anew with the stage that begins here: a person has decided the one before. What it is
    /// divided by keeps all data.
    pub fn begin_anew(&mut self) {
        self.schedule.begin_anew(self.intervals);
        for member in &mut self.members {
            member.stream.begin_anew();
            member.last = None;
        }
    }

    /// Adds an interval: of each stream, in their order, what it has; what no stage names has nothing. Returns
    /// `ln` of the mean of all evidence.
    pub fn push(&mut self, inputs: &[Input<'_>]) -> f64 {
        let start = self.schedule.start_at(self.intervals);
        for (place, member) in self.members.iter_mut().enumerate() {
            if let Some(start) = start {
                member.stream.begin(start);
            }
            let input = inputs.get(place).copied().filter(|_| member.is_asked);
            let input = input.unwrap_or_default();
            member.stream.widen_to(input.lanes.len());
            member.stream.push(input.lanes, input.squares);
            if member.is_asked {
                if let Some(pods) = &mut member.pods {
                    pods.push(input.control_pods);
                }
                member.last = Some(member.stream.log_evidence(member.pods.as_ref()));
            }
            member.stream.let_go(member.pods.as_ref());
        }
        self.intervals += 1;
        self.combined()
    }

    /// `ln` of the mean of all evidence.
    pub fn combined(&self) -> f64 {
        self.combined_with(&[])
    }

    /// The same with other evidence whose weights are also parts of the whole.
    pub fn combined_with(&self, others: &[WeightedEvidence]) -> f64 {
        let begun = self.members.iter().filter(|member| member.last.is_some());
        let begun = begun.map(|member| WeightedEvidence {
            weight: member.weight,
            log_evidence: member.log_evidence(),
        });
        let mut all: Vec<WeightedEvidence> = begun.chain(others.iter().copied()).collect();
        let rest = 1.0 - all.iter().map(|one| one.weight).sum::<f64>();
        if rest > NO_REST {
            all.push(WeightedEvidence {
                weight: rest,
                log_evidence: 0.0,
            });
        }
        combined_log_evidence(&all)
    }

    /// The streams, to be told what was known before the rollout.
    pub fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    /// The streams.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Intervals before the stage that it is at.
    pub fn stage_begun_at(&self) -> usize {
        self.schedule.stage_begun_at()
    }

    /// Intervals so far.
    pub fn intervals(&self) -> usize {
        self.intervals
    }
}

/// The weights of streams, given for each stage those that may roll back there, each with the weight of its
/// checks: the mean over all stages of each one's share. The same checks in all stages have their share, so that
/// the rollout's error rate is spent once.
pub fn stream_weights(streams: usize, stages: &[Vec<(usize, f64)>]) -> Vec<f64> {
    let mut weights = vec![0.0; streams];
    for stage in stages {
        let total: f64 = stage.iter().map(|(_, weight)| weight).sum();
        if total <= 0.0 {
            continue;
        }
        for (stream, weight) in stage {
            if let Some(sum) = weights.get_mut(*stream) {
                *sum += weight / total / stages.len() as f64;
            }
        }
    }
    weights
}
