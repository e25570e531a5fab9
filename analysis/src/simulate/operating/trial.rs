//! One check of one rollout, judged through its stages by the code that judges real ones.

use std::sync::Arc;

use super::laws::{Drawn, Fault, Fleet, FleetDescription, STEP_SECONDS};
pub use super::walk::{Ends, Outcome, RampStage};
use super::walk::{Seen, Source, through};
use crate::proof::{
    Counted, Interval, Kept, Line, Member, PastNoise, PodPlace, PodSquares, Pods, Rollout,
    Settings, Stream,
};
use crate::sequential::{AbsoluteLimit, CountLaw, IntervalCounts, RelativeLimit, Side};
use crate::series::ArmCount;

/// Intervals of the hour before a rollout.
const HOUR: usize = 120;
/// What a promotion must show: `baseline * 2 + 0.1 %`.
const KEPT_RATIO: f64 = 2.0;
const KEPT_OFFSET: f64 = 0.001;

/// The check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// `error_rate < baseline * ratio`.
    Relative(f64),
    /// `error_rate < limit`.
    Absolute(f64),
}

/// What is read of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodSpread {
    /// They are not told apart.
    None,
    /// The hour before is drawn, and nothing is made of it: the same rollouts as with it.
    Off,
    /// What they differ by widens the noise.
    On,
}

/// A rollout of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// How its failures come.
    pub fleet: FleetDescription,
    /// The check.
    pub judged: Judged,
    /// Its stages.
    pub ramp: Vec<RampStage>,
    /// What ends them.
    pub ends: Ends,
    /// Intervals in which the canary's processes are young.
    pub warm_up: usize,
    /// What is read of pods.
    pub pods: PodSpread,
    /// What was measured before, if anything was.
    pub history: Option<HistoryDescription>,
}

/// What was measured before a rollout: one pod of the control against the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HistoryDescription {
    /// Its intervals.
    pub intervals: usize,
    /// The control's pods.
    pub pods: usize,
    /// The length of an incident of the pod that plays the canary, with twenty times the failures; 0 for none.
    pub incident: usize,
}

impl Trial {
    /// The replicate with this index; nothing where a number is none that may be judged.
    pub fn replicate(&self, seed: u64, index: u64) -> Option<Outcome> {
        let mut fleet = Fleet::new(self.fleet, seed, index);
        let past = self
            .history
            .and_then(|history| self.past(history, seed, index));
        let line = self.line()?;
        let settings = Settings {
            line,
            interval_seconds: self.interval_seconds(),
            counted: Counted::Events,
            past: past.map(Arc::new),
        };
        let mut names = Names::default();
        let pods = self.pods_before(&mut fleet, &mut names);
        let planned = self.ramp.iter().map(|stage| stage.most).collect();
        let member = Member::new(Stream::new(settings, 1), 1.0, pods);
        let rollout = Rollout::new(planned, vec![member]);
        let source = Intervals {
            trial: self,
            fleet,
            names,
            so_far: 0,
        };
        let stages = (self.ramp.as_slice(), self.ends);
        Some(through(stages, self.kept()?, rollout, source))
    }

    fn interval_seconds(&self) -> f64 {
        STEP_SECONDS * self.fleet.steps as f64
    }

    fn line(&self) -> Option<Line> {
        let line = match self.judged {
            Judged::Relative(ratio) => {
                Line::Relative(RelativeLimit::new(ratio, 0.0, Side::Above).ok()?)
            }
            Judged::Absolute(limit) => Line::Absolute {
                limit: AbsoluteLimit::new(limit, Side::Above, CountLaw::Bernoulli).ok()?,
                has_control: true,
            },
        };
        Some(line)
    }

    fn kept(&self) -> Option<Kept> {
        let kept = match self.judged {
            Judged::Relative(_) => {
                Kept::Relative(RelativeLimit::new(KEPT_RATIO, KEPT_OFFSET, Side::Below).ok()?)
            }
            Judged::Absolute(limit) => {
                Kept::Absolute(AbsoluteLimit::new(limit, Side::Below, CountLaw::Bernoulli).ok()?)
            }
        };
        Some(kept)
    }

    /// The noise of the history, whose rollouts have no fault and random numbers of their own.
    fn past(&self, history: HistoryDescription, seed: u64, index: u64) -> Option<PastNoise> {
        /// How many times the failures in an incident.
        const INCIDENT: f64 = 20.0;
        let begins = history.intervals / 3;
        let description = FleetDescription {
            fault: Fault::Within(begins, begins + history.incident, INCIDENT),
            ..self.fleet
        };
        // The label of a rollout's random numbers is its description: another seed keeps them apart.
        let mut fleet = Fleet::new(description, !seed, index);
        let share = 1.0 / history.pods.max(1) as f64;
        let rows: Vec<IntervalCounts> = (0..history.intervals)
            .map(|_| fleet.next(share).counts)
            .collect();
        match self.judged {
            Judged::Relative(ratio) => PastNoise::measure(&rows, ratio),
            Judged::Absolute(_) => PastNoise::measure_alone(&rows),
        }
    }

    fn pods_before(&self, fleet: &mut Fleet, names: &mut Names) -> Option<Pods> {
        if self.pods == PodSpread::None {
            return None;
        }
        let mut pods = Pods::new(1.0);
        for _ in 0..HOUR {
            let drawn = fleet.before();
            let placed = names.place(&mut pods, &drawn);
            pods.push(&placed);
        }
        (self.pods == PodSpread::On).then_some(pods)
    }
}

/// Where each of the control's pods is kept, and which life of it.
#[derive(Debug, Clone, Default)]
struct Names(Vec<Option<(usize, PodPlace)>>);

impl Names {
    fn place(&mut self, pods: &mut Pods, drawn: &Drawn) -> Vec<(PodPlace, ArmCount)> {
        self.0.resize(drawn.control.len(), None);
        let mut placed = Vec::with_capacity(drawn.control.len());
        for (pod, (known, (generation, counts))) in
            self.0.iter_mut().zip(&drawn.control).enumerate()
        {
            let is_known = known.is_some_and(|(life, _)| life == *generation);
            if !is_known {
                let place = pods.place_of(&format!("control-{pod}-{generation}"));
                *known = place.map(|place| (*generation, place));
            }
            placed.extend(known.map(|(_, place)| (place, *counts)));
        }
        placed
    }
}

/// The intervals of a replicate.
struct Intervals<'a> {
    trial: &'a Trial,
    fleet: Fleet,
    names: Names,
    so_far: usize,
}

impl Source for Intervals<'_> {
    fn next(&mut self, stage: &RampStage, pods: Option<&mut Pods>) -> Seen {
        let drawn = self.fleet.next(stage.share);
        let lane = self.lane(&drawn);
        let placed = pods.map_or_else(Vec::new, |pods| self.names.place(pods, &drawn));
        let squares = |sum: f64, one: &ArmCount| sum + one.exposure * one.exposure;
        Seen {
            lane,
            squares: PodSquares {
                canary: drawn.canary.iter().fold(0.0, squares),
                control: placed.iter().map(|(_, one)| one).fold(0.0, squares),
            },
            control_pods: placed,
        }
    }
}

impl Intervals<'_> {
    /// What the check sees of an interval.
    fn lane(&mut self, drawn: &Drawn) -> Interval {
        self.so_far += 1;
        if self.so_far > self.trial.warm_up {
            return Interval::from(drawn.counts);
        }
        Interval {
            counts: IntervalCounts {
                canary: ArmCount::default(),
                control: drawn.counts.control,
            },
            young: drawn.counts.canary,
            kept: None,
        }
    }
}

impl Trial {
    /// `error_rate < baseline * 1.1` in one stage of 5 % and an hour, which the clock ends.
    pub fn hour(fleet: FleetDescription) -> Self {
        Self {
            fleet,
            judged: Judged::Relative(1.1),
            ramp: vec![RampStage {
                share: 0.05,
                least: HOUR,
                most: HOUR,
                held: 0,
            }],
            ends: Ends::ByTheClock,
            warm_up: 0,
            pods: PodSpread::None,
            history: None,
        }
    }

    /// One stage of this share and so many intervals.
    #[must_use]
    pub fn over(self, share: f64, intervals: usize) -> Self {
        let stage = RampStage {
            share,
            least: intervals,
            most: intervals,
            held: 0,
        };
        Self {
            ramp: vec![stage],
            ..self
        }
    }

    /// That is promoted from half of each stage's longest time on, when it is shown to keep its limit.
    #[must_use]
    pub fn promoting(self, ends: Ends) -> Self {
        let half = |stage: &RampStage| RampStage {
            least: stage.most / 2,
            ..*stage
        };
        Self {
            ramp: self.ramp.iter().map(half).collect(),
            ends,
            ..self
        }
    }
}
