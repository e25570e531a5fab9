//! Q4: latency among pods that differ, without and with what the control's pods tell. The hour before is read.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Drift, LatencyFleetDescription, LatencyTrial, PodSpeed, Servers,
};
use super::super::super::laws::{BadMinutes, Fault};
use super::super::super::trial::{PodSpread, RampStage};
use super::super::bench::Bench;
use super::super::line::{Known, Line};
use super::alike::{Figures, ONE_HUMP, alike, half_an_hour, lines_of};

const KNOWN: Known = Known {
    replicates: 100.0,
    rounding: 0.5,
};
/// Pods of the control, then of the canary.
const PODS: [(usize, usize); 4] = [(20, 1), (10, 3), (4, 1), (3, 3)];
const TRAFFIC: [f64; 2] = [50.0, 5000.0];

const WANDER: PodSpeed = PodSpeed::Wander(Drift::new(0.97, 0.2));
const BAD_MINUTES: PodSpeed = PodSpeed::BadMinutes(BadMinutes {
    good: 114.0,
    bad: 6.0,
    times: 3.0,
});

/// What is rolled back of the good: by pods, at both traffics, without and with.
type Of = [([f64; 2], [f64; 2]); 4];

#[rustfmt::skip]
const GOOD: [(&str, PodSpeed, Of); 3] = [
    ("AR(.97) sd .2", WANDER, [([2., 8.], [0., 0.]), ([0., 0.], [0., 0.]), ([7., 5.], [1., 0.]), ([4., 3.], [0., 0.])]),
    ("x3 for 3 min an hour", BAD_MINUTES, [([9., 15.], [0., 0.]), ([7., 6.], [0., 0.]), ([6., 6.], [1., 1.]), ([7., 13.], [1., 0.])]),
    ("speeds differ by .1", PodSpeed::Differ(0.1), [([1., 1.], [0., 0.]), ([0., 0.], [0., 0.]), ([1., 5.], [0., 0.]), ([0., 0.], [0., 0.])]),
];

/// A canary twice as slow among pods that wander, with: found, the middle of what the design says of one canary pod
/// (63 to 74 %) and of three (92 to 98 %).
const FAULTY: [((usize, usize), f64); 2] = [((20, 1), 68.5), ((10, 3), 95.)];

const BOTH: [(PodSpread, &str); 2] = [(PodSpread::Off, "without"), (PodSpread::On, "with")];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(5, 100);
    let mut lines = Vec::new();
    for (name, each, of) in GOOD {
        for (pods, (without, with)) in PODS.into_iter().zip(of) {
            for ((traffic, without), with) in TRAFFIC.into_iter().zip(without).zip(with) {
                for ((spread, said), now) in BOTH.into_iter().zip([without, with]) {
                    let trial = trial(traffic, pods, each, 1.0, spread);
                    let case = format!("{name}, {}:{}, {traffic} rps, {said}", pods.0, pods.1);
                    let outcomes = bench.run_latency(&trial);
                    let figures = Figures::rolled_back(now);
                    lines.extend(lines_of(&case, &outcomes, figures, KNOWN));
                }
            }
        }
    }
    for (pods, now) in FAULTY {
        let outcomes = bench.run_latency(&trial(50.0, pods, WANDER, 2.0, PodSpread::On));
        let case = format!("AR(.97) sd .2, {}:{}, 50 rps, with, x2", pods.0, pods.1);
        let figures = Figures::rolled_back(now);
        lines.extend(lines_of(&case, &outcomes, figures, KNOWN));
    }
    lines
}

fn trial(
    traffic: f64,
    (control, canary): (usize, usize),
    each: PodSpeed,
    times: f64,
    pods: PodSpread,
) -> LatencyTrial {
    let fleet = LatencyFleetDescription {
        servers: Servers {
            canary,
            control,
            each,
        },
        fault: Fault::Times(times),
        ..alike(traffic, ONE_HUMP)
    };
    LatencyTrial {
        ramp: vec![RampStage {
            share: canary as f64 / (control + canary) as f64,
            least: 120,
            most: 120,
            held: 0,
        }],
        pods,
        ..half_an_hour(&fleet)
    }
}
