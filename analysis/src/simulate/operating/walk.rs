//! A rollout of one check through its stages: what ends them, and what came of it.

use crate::proof::{
    FEWEST_INTERVALS, Input, Interval, Kept, Member, PodPlace, PodSquares, Pods, Promotion,
    Rollout, VETO,
};
use crate::sequential::ErrorRate;
use crate::series::ArmCount;

/// A stage of a ramp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RampStage {
    /// The canary's part of the requests.
    pub share: f64,
    /// Intervals before it may be passed.
    pub least: usize,
    /// Intervals after which it ends: its longest time.
    pub most: usize,
    /// Intervals that it is held for in place of that; 0 where it is not.
    pub held: usize,
}

/// What ends a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// The clock, whatever was shown.
    ByTheClock,
    /// What was shown; a stage that shows nothing is held for good.
    WhenShown,
    /// What was shown; at its longest time the clock, unless something is visible.
    WhenShownOrUnsuspected,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Intervals until it was rolled back.
    pub rolled_back_at: Option<usize>,
    /// Intervals until its last stage was passed.
    pub completed_at: Option<usize>,
    /// The stage that it came to, from 0.
    pub stage: usize,
}

/// What the check sees of an interval.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Both populations.
    pub(super) lane: Interval,
    /// How many pods there are, by requests.
    pub(super) squares: PodSquares,
    /// What each of the control's pods had.
    pub(super) control_pods: Vec<(PodPlace, ArmCount)>,
}

/// Where the intervals come from.
pub(super) trait Source {
    /// The next one, of a stage. `pods` are those that are followed.
    fn next(&mut self, stage: &RampStage, pods: Option<&mut Pods>) -> Seen;
}

/// Goes through the stages of a rollout of one stream.
pub(super) fn through(
    (ramp, ends): (&[RampStage], Ends),
    kept: Kept,
    rollout: Rollout,
    source: impl Source,
) -> Outcome {
    let mut walk = Walk {
        ends,
        rollout,
        source,
    };
    walk.rollout.ask(|_| true);
    let mut outcome = Outcome {
        rolled_back_at: None,
        completed_at: None,
        stage: 0,
    };
    for (place, stage) in ramp.iter().enumerate() {
        outcome.stage = place;
        if place > 0 {
            walk.rollout.begin_stage();
        }
        match walk.stage(stage, Promotion::new(kept)) {
            Ended::RolledBack => {
                outcome.rolled_back_at = Some(walk.rollout.intervals());
                return outcome;
            }
            Ended::Held => return outcome,
            Ended::Passed => {}
        }
    }
    outcome.completed_at = Some(walk.rollout.intervals());
    outcome
}

enum Ended {
    RolledBack,
    Passed,
    Held,
}

struct Walk<S> {
    ends: Ends,
    rollout: Rollout,
    source: S,
}

impl<S: Source> Walk<S> {
    fn stage(&mut self, stage: &RampStage, mut promotion: Promotion) -> Ended {
        let threshold = ErrorRate::ROLLBACK.log_threshold();
        let is_shown_ever = self.ends != Ends::ByTheClock;
        for elapsed in 1..=stage.most.max(stage.held) {
            let members = self.rollout.members_mut();
            let pods = members.first_mut().and_then(|member| member.pods.as_mut());
            let seen = self.source.next(stage, pods);
            if self.push(&seen) >= threshold {
                return Ended::RolledBack;
            }
            if !is_shown_ever {
                continue;
            }
            let Some(member) = self.rollout.members().first() else {
                return Ended::Held;
            };
            member.stream.push_into(&mut promotion, &[seen.lane]);
            let may_pass = elapsed >= stage.least;
            if may_pass && is_shown(member, &promotion) {
                return Ended::Passed;
            }
        }
        let member = self.rollout.members().first();
        let is_unsuspected = member.is_some_and(|member| !is_suspect(member, &promotion));
        match self.ends {
            Ends::ByTheClock => Ended::Passed,
            Ends::WhenShownOrUnsuspected if is_unsuspected => Ended::Passed,
            Ends::WhenShown | Ends::WhenShownOrUnsuspected => Ended::Held,
        }
    }

    fn push(&mut self, seen: &Seen) -> f64 {
        let lanes = [seen.lane];
        let input = Input {
            lanes: &lanes,
            squares: seen.squares,
            control_pods: &seen.control_pods,
        };
        self.rollout.push(&[input])
    }
}

fn is_suspect(member: &Member, promotion: &Promotion) -> bool {
    member
        .stream
        .beyond_its_limit(promotion, member.pods.as_ref())
        >= VETO
}

pub(super) fn is_shown(member: &Member, promotion: &Promotion) -> bool {
    promotion.intervals_with_data() >= FEWEST_INTERVALS
        && member.stream.compliance(promotion) >= ErrorRate::PROMOTION.log_threshold()
        && !is_suspect(member, promotion)
}
