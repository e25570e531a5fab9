//! The laws of the tables: how the failures of both populations come, step by step of 30 s.
//!
//! A fleet is a pure function of its description, a seed and an index: each population and each pod has random
//! numbers of its own.

mod arm;
mod clusters;
mod fault;
mod pods;
mod states;
#[cfg(test)]
mod tests;

use super::super::random::{Random, RandomKey};
use crate::sequential::IntervalCounts;
use crate::series::ArmCount;

pub use arm::ArmLaw;
use arm::{Population, independent};
pub use clusters::Cluster;
pub use fault::Fault;
use pods::Pod;
pub use pods::{BadMinutes, PodLaw};
pub(super) use states::TwoStates;

/// The laws go on by steps of so many seconds, whatever the interval.
pub const STEP_SECONDS: f64 = 30.0;

/// Failing clients that stick to one population: how many, the tail of their shares, and the part of all failures
/// that is theirs.
const STICKY_CLIENTS: usize = 20;
const STICKY_TAIL: f64 = 1.2;
const STICKY_PART: f64 = 0.5;

/// How many times the failures the control has beside a canary whose node has bad minutes.
const CONTROL_BESIDE_A_NODE: f64 = 1.5;

/// How failures come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// In both populations apart, by the same law.
    Apart(ArmLaw),
    /// Incidents of both populations: a chain of two states.
    Shared {
        /// Steps without, in the mean.
        off: f64,
        /// Steps of one, in the mean.
        on: f64,
        /// How many times the failures in one.
        times: f64,
        /// Whether the canary's come one step later.
        is_later_in_the_canary: bool,
    },
    /// One incident of both populations, with this rate whatever the canary's fault.
    Incident {
        /// Its first step.
        first: usize,
        /// The first step after it.
        end: usize,
        /// The failure rate.
        rate: f64,
    },
    /// The canary's node has bad minutes; the control always has 1.5 times the failures.
    Node(BadMinutes),
    /// Pods that differ, all with the same part of their population's requests.
    Pods {
        /// The canary's.
        canary: usize,
        /// The control's.
        control: usize,
        /// How they differ.
        each: PodLaw,
        /// Whether each has the same traffic.
        is_even: bool,
    },
    /// Failing clients that stick to one population for good.
    StickyClients,
    /// Independent failures, and one cluster of them in one step of the canary.
    OneCluster {
        /// The step.
        step: usize,
        /// How many.
        size: f64,
    },
    /// Independent failures of a canary whose control serves nothing.
    NoControlTraffic,
}

/// What a fleet is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetDescription {
    /// Requests of both populations in a second.
    pub requests_per_second: f64,
    /// The failure rate of both, but for the fault.
    pub rate: f64,
    /// The law.
    pub law: Law,
    /// What is wrong with the canary.
    pub fault: Fault,
    /// Steps in an interval.
    pub steps: usize,
}

impl FleetDescription {
    /// Independent failures of a canary as good as the control, in intervals of 30 s.
    pub const fn good(requests_per_second: f64, rate: f64) -> Self {
        Self {
            requests_per_second,
            rate,
            law: Law::Apart(ArmLaw::INDEPENDENT),
            fault: Fault::Times(1.0),
            steps: 1,
        }
    }

    /// The same by another law.
    #[must_use]
    pub const fn by(self, law: Law) -> Self {
        Self { law, ..self }
    }

    /// The same with a fault.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// The same with so many times the canary's failures.
    #[must_use]
    pub const fn times(self, times: f64) -> Self {
        self.with(Fault::Times(times))
    }
}

/// What an interval had.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// Both populations.
    pub counts: IntervalCounts,
    /// The canary's pods; nothing where the law has none.
    pub canary: Vec<ArmCount>,
    /// The control's: how many lives each had, and its counts.
    pub control: Vec<(usize, ArmCount)>,
}

/// One replicate.
#[derive(Debug, Clone)]
pub struct Fleet {
    description: FleetDescription,
    going: Going,
    step: usize,
}

#[derive(Debug, Clone)]
enum Going {
    Apart(Box<Arms>),
    Chain {
        random: Random,
        states: TwoStates,
        was_on: bool,
    },
    Pods {
        canary: Vec<Pod>,
        control: Vec<Pod>,
    },
    Sticky {
        random: Random,
        /// Each client's part of all failures, and where it falls among the populations, 0 to 1.
        clients: Vec<(f64, f64)>,
    },
}

/// Two populations by themselves.
#[derive(Debug, Clone)]
struct Arms {
    canary: Population,
    control: Population,
}

impl Fleet {
    /// A replicate at its start: the same one for the same seed, description and index.
    pub fn new(description: FleetDescription, seed: u64, index: u64) -> Self {
        let label = format!("{description:?}");
        let stream = |name: &str| Random::new(&RandomKey::new(seed, &label, name), index);
        let apart = |law| {
            Going::Apart(Box::new(Arms {
                canary: Population::new(stream("canary"), law),
                control: Population::new(stream("control"), law),
            }))
        };
        let chain = |off, on| {
            let mut random = stream("chain");
            let mut states = TwoStates::new(&mut random, off, on);
            let was_on = states.next(&mut random);
            Going::Chain {
                random,
                states,
                was_on,
            }
        };
        let going = match description.law {
            Law::Apart(law) => apart(law),
            Law::Incident { .. } | Law::OneCluster { .. } | Law::NoControlTraffic => {
                apart(ArmLaw::INDEPENDENT)
            }
            Law::Shared { off, on, .. } => chain(off, on),
            Law::Node(bad) => chain(bad.good, bad.bad),
            Law::Pods {
                canary,
                control,
                each,
                is_even,
            } => {
                let pods = |count: usize, name: &str| -> Vec<Pod> {
                    (0..count)
                        .map(|pod| {
                            let random = stream(&format!("{name} {pod}"));
                            Pod::new(random, each, name == "control", is_even)
                        })
                        .collect()
                };
                Going::Pods {
                    canary: pods(canary, "canary"),
                    control: pods(control, "control"),
                }
            }
            Law::StickyClients => {
                let mut random = stream("clients");
                let clients = sticky_clients(&mut random);
                Going::Sticky { random, clients }
            }
        };
        Self {
            description,
            going,
            step: 0,
        }
    }

    /// The next interval, in which the canary has this share of the requests.
    pub fn next(&mut self, share: f64) -> Drawn {
        let mut drawn = Drawn::default();
        for _ in 0..self.description.steps {
            self.draw(share, &mut drawn);
            self.step += 1;
        }
        drawn
    }

    /// An interval before the rollout: the control has all requests.
    pub fn before(&mut self) -> Drawn {
        let mut drawn = Drawn::default();
        for _ in 0..self.description.steps {
            self.draw(0.0, &mut drawn);
        }
        drawn
    }

    fn draw(&mut self, share: f64, drawn: &mut Drawn) {
        let FleetDescription {
            requests_per_second,
            rate,
            law,
            fault,
            ..
        } = self.description;
        let all = requests_per_second * STEP_SECONDS;
        let n = all * share;
        let m = if law == Law::NoControlTraffic {
            0.0
        } else {
            all - n
        };
        let canary = (n, rate * fault.times(self.step));
        let control = (m, rate);
        let of_one_cluster = match law {
            Law::OneCluster { step, size } if step == self.step => size,
            _ => 0.0,
        };
        let (x, y) = match &mut self.going {
            Going::Apart(arms) => arms.next(law, self.step, canary, control),
            Going::Chain {
                random,
                states,
                was_on,
            } => {
                let is_on = states.next(random);
                let was_on = std::mem::replace(was_on, is_on);
                let (of_canary, of_control) = law.factors(is_on, was_on);
                (
                    independent(random, n, of_canary * canary.1),
                    independent(random, m, of_control * control.1),
                )
            }
            Going::Pods {
                canary: pods,
                control: pods_of_control,
            } => drawn.of_pods(pods, canary, pods_of_control, control),
            Going::Sticky { random, clients } => {
                let failures = STICKY_PART * all * rate;
                let (of_canary, of_control) = parts_of(clients, share);
                let rest = 1.0 - STICKY_PART;
                let x = rest * n * canary.1 + failures * of_canary;
                let y = rest * m * control.1 + failures * of_control;
                (independent(random, n, x / n), independent(random, m, y / m))
            }
        };
        let counts = &mut drawn.counts;
        counts.canary = counts.canary.and(ArmCount {
            events: x + of_one_cluster,
            exposure: n + of_one_cluster,
        });
        counts.control = counts.control.and(ArmCount {
            events: y,
            exposure: m,
        });
    }
}

impl Arms {
    /// The failures of a step: of each the requests and their rate.
    fn next(
        &mut self,
        law: Law,
        step: usize,
        (n, canary_rate): (f64, f64),
        (m, control_rate): (f64, f64),
    ) -> (f64, f64) {
        let incident = match law {
            Law::Incident { first, end, rate } if (first..end).contains(&step) => Some(rate),
            _ => None,
        };
        let x = self.canary.next(n, incident.unwrap_or(canary_rate));
        (x, self.control.next(m, incident.unwrap_or(control_rate)))
    }
}

impl Law {
    /// How many times the failures canary and control have by the state of a chain, now and a step before.
    fn factors(self, is_on: bool, was_on: bool) -> (f64, f64) {
        let if_on = |is_on: bool, times: f64| if is_on { times } else { 1.0 };
        match self {
            Self::Node(bad) => (if_on(is_on, bad.times), CONTROL_BESIDE_A_NODE),
            Self::Shared {
                times,
                is_later_in_the_canary,
                ..
            } => {
                let in_the_canary = if is_later_in_the_canary {
                    was_on
                } else {
                    is_on
                };
                (if_on(in_the_canary, times), if_on(is_on, times))
            }
            _ => (1.0, 1.0),
        }
    }
}

impl Drawn {
    /// Adds a step of all pods, and returns the failures of canary and control.
    fn of_pods(
        &mut self,
        canary: &mut [Pod],
        of_canary: (f64, f64),
        control: &mut [Pod],
        of_control: (f64, f64),
    ) -> (f64, f64) {
        self.canary.resize(canary.len(), ArmCount::default());
        let each = self.canary.iter_mut().map(|sum| (sum, None));
        let x = of_pods(canary, of_canary, each);
        self.control.resize(control.len(), (0, ArmCount::default()));
        let each = self.control.iter_mut();
        let each = each.map(|(generation, sum)| (sum, Some(generation)));
        (x, of_pods(control, of_control, each))
    }
}

/// The failures of all pods of a population, each told with what it had.
fn of_pods<'a>(
    pods: &mut [Pod],
    (requests, rate): (f64, f64),
    each: impl Iterator<Item = (&'a mut ArmCount, Option<&'a mut usize>)>,
) -> f64 {
    let weights: f64 = pods.iter().map(|pod| pod.weight).sum();
    let mut all = 0.0;
    for (pod, (sum, generation)) in pods.iter_mut().zip(each) {
        let exposure = requests * pod.weight / weights;
        let events = pod.next(exposure, rate);
        *sum = sum.and(ArmCount { events, exposure });
        if let Some(generation) = generation {
            *generation = pod.generation;
        }
        all += events;
    }
    all
}

/// The parts of all failures of those clients that fall on the canary and on the control.
fn parts_of(clients: &[(f64, f64)], share: f64) -> (f64, f64) {
    let mut parts = (0.0, 0.0);
    for (part, place) in clients {
        if *place < share {
            parts.0 += part;
        } else {
            parts.1 += part;
        }
    }
    parts
}

fn sticky_clients(random: &mut Random) -> Vec<(f64, f64)> {
    let sizes: Vec<(f64, f64)> = (0..STICKY_CLIENTS)
        .map(|_| {
            let size = libm::pow(random.uniform(), -1.0 / STICKY_TAIL);
            (size, random.uniform())
        })
        .collect();
    let all: f64 = sizes.iter().map(|(size, _)| size).sum();
    sizes
        .into_iter()
        .map(|(size, place)| (size / all, place))
        .collect()
}
