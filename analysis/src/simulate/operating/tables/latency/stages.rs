//! C9: through stages of 5, 25 and 50 % of 30 minutes each.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Disturbance, Drift, Latencies, LatencyFleetDescription, LatencyTrial,
};
use super::super::super::measured::Share;
use super::super::super::trial::{Ends, RampStage};
use super::super::bench::{Bench, found, minutes_of_found};
use super::super::line::{Known, Line};
use super::alike::{ONE_HUMP, TWO_HUMPS, half_an_hour, slower};

const KNOWN: Known = Known {
    replicates: 125.0,
    rounding: 0.5,
};
const TRAFFIC: [f64; 4] = [5.0, 20.0, 100.0, 500.0];
/// Where the laws lie: one place, of the four that at which x1.5 of two humps reads lowest, as 1.28.
const SCALE: f64 = 0.045;

/// By traffic what is rolled back in the first stage and in all, and after how many minutes.
type Of = [(f64, f64, Option<f64>); 4];

#[rustfmt::skip]
const CELLS: [(&str, Latencies, f64, f64, Of); 7] = [
    ("ln.8", ONE_HUMP, 1.0, 0.0, [(0., 0., None); 4]),
    ("ln.8", ONE_HUMP, 1.35, 0.0, [(0., 2., None), (0., 32., None), (1., 100., Some(48.)), (66., 100., Some(25.))]),
    ("ln.8", ONE_HUMP, 1.5, 0.0, [(0., 67., Some(68.)), (13., 100., Some(44.)), (94., 100., Some(17.)), (100., 100., Some(9.))]),
    ("ln.8", ONE_HUMP, 2.0, 0.0, [(56., 100., Some(29.)), (100., 100., Some(11.)), (100., 100., Some(5.)), (100., 100., Some(5.))]),
    ("hit.03x20", TWO_HUMPS, 2.0, 0.0, [(0., 81., Some(72.)), (14., 100., Some(40.)), (94., 100., Some(15.)), (100., 100., Some(9.))]),
    ("ln.8, canary AR(.94) cv .15", ONE_HUMP, 1.0, 0.15, [(0., 0., None), (0., 0., None), (0., 2., None), (2., 3., None)]),
    ("ln.8, canary AR(.94) cv .3", ONE_HUMP, 1.0, 0.3, [(2., 4., None), (3., 10., None), (9., 15., None), (9., 13., None)]),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(2, 200);
    let mut lines = Vec::new();
    for (name, law, times, deviation, by_traffic) in CELLS {
        for (traffic, (first, all, minutes)) in TRAFFIC.into_iter().zip(by_traffic) {
            let fleet = LatencyFleetDescription {
                scales: [SCALE; 4],
                disturbance: Disturbance {
                    drifts: [Drift::NONE, Drift::new(0.94, deviation), Drift::NONE],
                    ..Disturbance::NONE
                },
                ..slower(traffic, law, times)
            };
            let outcomes = bench.run_latency(&through_three(&fleet));
            let case = format!("{name}, x{times}, {traffic} rps");
            let in_the_first = Share::counted(&outcomes, |one| {
                one.rolled_back_at.is_some() && one.stage == 0
            });
            let quantity = format!("{case}: rolled back in stage 1");
            lines.push(Line::percent(quantity, in_the_first, first.into(), KNOWN));
            let quantity = format!("{case}: rolled back");
            lines.push(Line::percent(quantity, found(&outcomes), all.into(), KNOWN));
            if let Some(minutes) = minutes {
                let quantity = format!("{case}: median of these");
                lines.push(minutes_of_found(quantity, &outcomes, 0, minutes, KNOWN));
            }
        }
    }
    lines
}

/// Three stages, each of which the clock ends.
fn through_three(fleet: &LatencyFleetDescription) -> LatencyTrial {
    let stage = |share| RampStage {
        share,
        least: 60,
        most: 60,
        held: 0,
    };
    LatencyTrial {
        ramp: [0.05, 0.25, 0.5].map(stage).to_vec(),
        ends: Ends::ByTheClock,
        ..half_an_hour(fleet)
    }
}
