//! What many rollouts of a law show.

use serde::Serialize;

use super::course::{End, Outcome, Said};
use super::law::Fault;
use crate::simulate::operating::Share;

/// How the rollouts of a law end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// Rolled back.
    pub rolled_back: Share,
    /// The median minute of that; of a fault since it began.
    pub rollback_minute: Option<f64>,
    /// Through all stages.
    pub completed: Share,
    /// The median minute of that.
    pub completed_minute: Option<f64>,
    /// Held at a stage's longest duration.
    pub stuck: Share,
    /// Held so by gauges alone.
    pub stuck_by_gauges: Share,
    /// What broke, the most frequent first.
    pub broken: Vec<Reason>,
    /// What held, the most frequent first.
    pub held: Vec<Reason>,
}

/// What some of the rollouts were told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// Of which check.
    pub metric: String,
    /// As a token.
    pub code: &'static str,
    /// How many rollouts.
    pub count: u64,
    /// How many of them for nothing else.
    pub alone: u64,
    /// The sentence of the first of them.
    pub example: String,
}

impl Measured {
    /// What the outcomes of many rollouts with this fault say.
    pub fn of(fault: Fault, outcomes: &[Outcome]) -> Self {
        let onset = if fault.is_none() {
            0.0
        } else {
            fault.from_minute
        };
        let is_rolled_back = |one: &Outcome| matches!(one.end, End::RolledBack(_));
        let is_completed = |one: &Outcome| one.end == End::Completed;
        let held = |one: &Outcome| match &one.end {
            End::Stuck(held) => Some(held.clone()),
            End::RolledBack(_) | End::Completed => None,
        };
        let broken = |one: &Outcome| match &one.end {
            End::RolledBack(broken) => Some(broken.clone()),
            End::Stuck(_) | End::Completed => None,
        };
        let by_gauges =
            |one: &Outcome| held(one).is_some_and(|held| held.iter().all(|said| said.is_gauge));
        let minutes = |test: &dyn Fn(&Outcome) -> bool, since: f64| {
            let those = outcomes.iter().filter(|one| test(one));
            median(those.map(|one| one.minute - since).collect())
        };
        Self {
            rolled_back: Share::counted(outcomes, is_rolled_back),
            rollback_minute: minutes(&is_rolled_back, onset),
            completed: Share::counted(outcomes, is_completed),
            completed_minute: minutes(&is_completed, 0.0),
            stuck: Share::counted(outcomes, |one| held(one).is_some()),
            stuck_by_gauges: Share::counted(outcomes, by_gauges),
            broken: reasons(outcomes.iter().filter_map(broken)),
            held: reasons(outcomes.iter().filter_map(held)),
        }
    }
}

/// The median of some minutes; nothing of none.
fn median(mut minutes: Vec<f64>) -> Option<f64> {
    minutes.sort_by(f64::total_cmp);
    let upper = *minutes.get(minutes.len() / 2)?;
    let lower = *minutes.get(minutes.len().saturating_sub(1) / 2)?;
    Some(0.5 * (lower + upper))
}

/// What was said how often.
fn reasons(all: impl Iterator<Item = Vec<Said>>) -> Vec<Reason> {
    let mut found: Vec<Reason> = Vec::new();
    for said in all {
        let is_alone = said.len() == 1;
        for one in said {
            let code = one.code.token();
            let known = found
                .iter_mut()
                .find(|known| known.metric == one.metric && known.code == code);
            if let Some(known) = known {
                known.count += 1;
                known.alone += u64::from(is_alone);
            } else {
                found.push(Reason {
                    metric: one.metric,
                    code,
                    count: 1,
                    alone: u64::from(is_alone),
                    example: one.reason,
                });
            }
        }
    }
    // Those that are as frequent stay in the order in which they were seen.
    found.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    found
}
