//! What the design has measured of each law, with an implementation of its own.

use serde::Serialize;

use super::law::Law;

/// How rollouts of a law end, in percent of all; minutes are medians of those that end so.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Rolled back.
    pub rolled_back: f64,
    /// The minute of that; of a fault since it began.
    pub rollback_minute: Option<f64>,
    /// Through all stages.
    pub completed: f64,
    /// The minute of that.
    pub completed_minute: Option<f64>,
    /// Held at a stage's longest duration.
    pub stuck: f64,
    /// Of these, held by gauges alone.
    pub stuck_by_gauges: f64,
}

/// What was measured with as many rollouts, without what pods tell and with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Published {
    /// Rollouts.
    pub replicates: u64,
    /// Without.
    pub without: Figures,
    /// With.
    pub with: Figures,
}

/// Percent, and the median minute.
type At = (f64, Option<f64>);

const NEVER: At = (0.0, None);

const fn at(percent: f64, minute: f64) -> At {
    (percent, Some(minute))
}

const fn of(rolled_back: At, completed: At, stuck: f64, stuck_by_gauges: f64) -> Figures {
    Figures {
        rolled_back: rolled_back.0,
        rollback_minute: rolled_back.1,
        completed: completed.0,
        completed_minute: completed.1,
        stuck,
        stuck_by_gauges,
    }
}

impl Law {
    /// What the design has measured.
    pub fn published(self) -> Published {
        let (without, with) = self.figures();
        Published {
            replicates: if self == Self::CountsDiffer { 200 } else { 100 },
            without,
            with,
        }
    }

    fn figures(self) -> (Figures, Figures) {
        let always_after_7 = of(at(100.0, 7.0), NEVER, 0.0, 0.0);
        let always_after_11 = of(at(100.0, 11.0), NEVER, 0.0, 0.0);
        match self {
            Self::MildNoise => (
                of(NEVER, at(91.0, 61.5), 9.0, 1.0),
                of(NEVER, at(99.0, 61.5), 1.0, 1.0),
            ),
            Self::PodsDifferByATenth => (
                of(NEVER, at(75.0, 62.5), 25.0, 14.0),
                of(NEVER, at(82.0, 62.5), 18.0, 14.0),
            ),
            Self::PodsDifferByAFifth => (
                of(at(4.0, 49.5), at(16.0, 63.0), 80.0, 61.0),
                of(NEVER, at(17.0, 63.0), 83.0, 70.0),
            ),
            Self::CountsDiffer => (
                of(at(7.0, 27.5), at(68.5, 61.5), 24.5, 1.0),
                of(NEVER, at(84.0, 61.5), 16.0, 1.0),
            ),
            Self::CountsDifferAndAreMany => (
                of(at(12.0, 20.0), at(57.0, 61.5), 31.0, 1.0),
                of(NEVER, at(85.0, 61.0), 15.0, 1.0),
            ),
            Self::CountsDifferAmongFewPods => (
                of(at(10.0, 53.5), at(33.0, 74.5), 57.0, 21.0),
                of(NEVER, at(43.0, 72.0), 57.0, 33.0),
            ),
            Self::StrongNoise => (
                of(at(12.0, 33.5), at(26.0, 67.5), 62.0, 36.0),
                of(NEVER, at(27.0, 67.0), 73.0, 46.0),
            ),
            Self::BadMinutes => (
                of(NEVER, at(84.0, 64.75), 16.0, 1.0),
                of(NEVER, at(85.0, 64.5), 15.0, 1.0),
            ),
            Self::Errors => (always_after_7, always_after_7),
            Self::LateErrors => (
                of(at(97.0, 5.5), NEVER, 3.0, 1.0),
                of(at(99.0, 7.0), NEVER, 1.0, 1.0),
            ),
            Self::Slow => (
                of(at(95.0, 12.0), NEVER, 5.0, 0.0),
                of(at(24.0, 22.0), NEVER, 76.0, 0.0),
            ),
            Self::LateSlow => (
                of(at(82.0, 11.0), at(1.0, 64.5), 17.0, 1.0),
                of(at(44.0, 14.25), at(1.0, 64.5), 55.0, 1.0),
            ),
            Self::SlowInLittleNoise => (always_after_11, always_after_11),
            Self::ErrorsAmongPodsThatDiffer => (
                of(at(100.0, 6.75), NEVER, 0.0, 0.0),
                of(at(63.0, 9.0), NEVER, 37.0, 0.0),
            ),
            Self::SlowAmongPodsThatDiffer => (
                of(at(89.0, 10.5), NEVER, 11.0, 0.0),
                of(at(12.0, 17.0), NEVER, 88.0, 0.0),
            ),
        }
    }
}
