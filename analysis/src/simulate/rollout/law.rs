//! What simulated rollouts are like.

use std::str::FromStr;

/// A law of rollouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// A good version: what its pods do wanders a little.
    MildNoise,
    /// The same, and all of its pods differ by a tenth.
    PodsDifferByATenth,
    /// The same by a fifth.
    PodsDifferByAFifth,
    /// Failures, orders and slow requests of pods differ by a fifth, their gauges do not.
    CountsDiffer,
    /// The same with ten times the traffic.
    CountsDifferAndAreMany,
    /// The same with few pods.
    CountsDifferAmongFewPods,
    /// What pods do wanders two and a half times as much.
    StrongNoise,
    /// Each pod has bad minutes.
    BadMinutes,
    /// Three times the failures.
    Errors,
    /// The same from minute 40 on.
    LateErrors,
    /// Requests take half as long again.
    Slow,
    /// The same from minute 40 on.
    LateSlow,
    /// Requests take half as long again, and what pods do wanders a quarter as much.
    SlowInLittleNoise,
    /// Three times the failures among pods whose counts differ.
    ErrorsAmongPodsThatDiffer,
    /// Requests take half as long again among pods whose counts differ.
    SlowAmongPodsThatDiffer,
}

/// Pods of the canary and of the control in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodsOfStage {
    /// Of the canary.
    pub canary: usize,
    /// Of the control.
    pub control: usize,
}

/// What is wrong with the canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// How many times the failures.
    pub errors: f64,
    /// How many times as long requests take.
    pub latency: f64,
    /// Since when, in minutes of the rollout.
    pub from_minute: f64,
}

impl Fault {
    /// Nothing.
    const NONE: Self = Self {
        errors: 1.0,
        latency: 1.0,
        from_minute: 0.0,
    };

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// What a law is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Description {
    /// Requests of both populations in a second. A quarter of them are orders.
    pub requests_per_second: f64,
    /// The pods of each stage.
    pub pods: [PodsOfStage; 4],
    /// The standard deviation of the logarithm by which each quantity of each pod wanders.
    pub noise: f64,
    /// The coefficient of variation by which failures, failed orders and slow requests of pods differ for good.
    pub counts_differ: f64,
    /// The same of gauges.
    pub gauges_differ: f64,
    /// Whether pods have bad minutes.
    pub has_bad_minutes: bool,
    /// What is wrong with the canary.
    pub fault: Fault,
}

const fn pods(canary: usize, control: usize) -> PodsOfStage {
    PodsOfStage { canary, control }
}

/// A good version in mild noise.
const GOOD: Description = Description {
    requests_per_second: 200.0,
    pods: [pods(1, 10), pods(2, 8), pods(5, 5), pods(8, 2)],
    noise: 0.08,
    counts_differ: 0.0,
    gauges_differ: 0.0,
    has_bad_minutes: false,
    fault: Fault::NONE,
};
const COUNTS_DIFFER: Description = Description {
    counts_differ: 0.2,
    ..GOOD
};
const ERRORS: Fault = Fault {
    errors: 3.0,
    ..Fault::NONE
};
const SLOW: Fault = Fault {
    latency: 1.5,
    ..Fault::NONE
};
/// When a late fault begins, in minutes.
const LATE: f64 = 40.0;

impl Law {
    /// All, in the order of the design's table.
    pub const ALL: [Self; 15] = [
        Self::MildNoise,
        Self::PodsDifferByATenth,
        Self::PodsDifferByAFifth,
        Self::CountsDiffer,
        Self::CountsDifferAndAreMany,
        Self::CountsDifferAmongFewPods,
        Self::StrongNoise,
        Self::BadMinutes,
        Self::Errors,
        Self::LateErrors,
        Self::Slow,
        Self::LateSlow,
        Self::SlowInLittleNoise,
        Self::ErrorsAmongPodsThatDiffer,
        Self::SlowAmongPodsThatDiffer,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MildNoise => "mild-noise",
            Self::PodsDifferByATenth => "pods-differ-10",
            Self::PodsDifferByAFifth => "pods-differ-20",
            Self::CountsDiffer => "counts-differ",
            Self::CountsDifferAndAreMany => "counts-differ-busy",
            Self::CountsDifferAmongFewPods => "counts-differ-few-pods",
            Self::StrongNoise => "strong-noise",
            Self::BadMinutes => "bad-minutes",
            Self::Errors => "errors",
            Self::LateErrors => "errors-late",
            Self::Slow => "slow",
            Self::LateSlow => "slow-late",
            Self::SlowInLittleNoise => "slow-little-noise",
            Self::ErrorsAmongPodsThatDiffer => "errors-counts-differ",
            Self::SlowAmongPodsThatDiffer => "slow-counts-differ",
        }
    }

    /// What it is, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::MildNoise => "good, mild noise",
            Self::PodsDifferByATenth => "good, pods differ by cv .1",
            Self::PodsDifferByAFifth => "good, pods differ by cv .2",
            Self::CountsDiffer => "good, cv .2 of counts and latency",
            Self::CountsDifferAndAreMany => "the same, 2,000 rps",
            Self::CountsDifferAmongFewPods => "the same, pods 1 1 2 3 : 3 3 2 1",
            Self::StrongNoise => "good, noise x2.5",
            Self::BadMinutes => "good, bad minutes",
            Self::Errors => "errors x3",
            Self::LateErrors => "errors x3 from minute 40",
            Self::Slow => "latency x1.5",
            Self::LateSlow => "latency x1.5 from minute 40",
            Self::SlowInLittleNoise => "latency x1.5, noise a quarter",
            Self::ErrorsAmongPodsThatDiffer => "cv .2 of counts and latency, errors x3",
            Self::SlowAmongPodsThatDiffer => "cv .2 of counts and latency, latency x1.5",
        }
    }

    /// What it is made of.
    pub fn description(self) -> Description {
        let late = |fault: Fault| Fault {
            from_minute: LATE,
            ..fault
        };
        let with = |fault: Fault| Description { fault, ..GOOD };
        match self {
            Self::MildNoise => GOOD,
            Self::PodsDifferByATenth => Description {
                counts_differ: 0.1,
                gauges_differ: 0.1,
                ..GOOD
            },
            Self::PodsDifferByAFifth => Description {
                gauges_differ: 0.2,
                ..COUNTS_DIFFER
            },
            Self::CountsDiffer => COUNTS_DIFFER,
            Self::CountsDifferAndAreMany => Description {
                requests_per_second: 2_000.0,
                ..COUNTS_DIFFER
            },
            Self::CountsDifferAmongFewPods => Description {
                pods: [pods(1, 3), pods(1, 3), pods(2, 2), pods(3, 1)],
                ..COUNTS_DIFFER
            },
            Self::StrongNoise => Description { noise: 0.2, ..GOOD },
            Self::BadMinutes => Description {
                has_bad_minutes: true,
                ..GOOD
            },
            Self::Errors => with(ERRORS),
            Self::LateErrors => with(late(ERRORS)),
            Self::Slow => with(SLOW),
            Self::LateSlow => with(late(SLOW)),
            Self::SlowInLittleNoise => Description {
                noise: 0.02,
                ..with(SLOW)
            },
            Self::ErrorsAmongPodsThatDiffer => Description {
                fault: ERRORS,
                ..COUNTS_DIFFER
            },
            Self::SlowAmongPodsThatDiffer => Description {
                fault: SLOW,
                ..COUNTS_DIFFER
            },
        }
    }
}

/// There is no law of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot find the law {text:?}: it must be one of {names}")]
pub struct UnknownLaw {
    /// What was given.
    text: String,
    /// All names.
    names: String,
}

impl FromStr for Law {
    type Err = UnknownLaw;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|law| law.name() == text)
            .ok_or_else(|| UnknownLaw {
                text: text.to_owned(),
                names: Self::ALL.map(Self::name).join(", "),
            })
    }
}
