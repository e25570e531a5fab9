//! Laws on which nothing was chosen: what comes of them is told, nothing is promised.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Disturbance, Latencies, LatencyFleetDescription, PodSpeed, Servers, Shape,
};
use super::super::super::laws::Fault;
use super::super::super::measured::median;
use super::super::super::trial::Outcome;
use super::super::bench::{Bench, completed, found};
use super::super::line::{Line, MINUTES};
use super::alike::{alike, half_an_hour};

const BODY: Shape = Shape::LogNormal(0.3);
const STEADY: Latencies = Latencies::log_normal(0.4);
/// `exp((.4 - .8) z)` with `z` the normal quantile of 99 %: the same p99.
const TWICE_AS_WIDE: Latencies = Latencies::log_normal(0.8).times(0.394_326);
const CEILING: Latencies = Latencies::hit(0.03, 20.0).at_most(1.0);
const LN_8: Latencies = Latencies::log_normal(0.8);

struct Row {
    name: &'static str,
    laws: [Latencies; 2],
    disturbance: Disturbance,
    servers: Servers,
    /// A canary that is slow in one of ten minutes only.
    is_slow_at_times: bool,
}

const fn of(name: &'static str, law: Latencies) -> Row {
    Row {
        name,
        laws: [law, law],
        disturbance: Disturbance::NONE,
        servers: Servers::ONE,
        is_slow_at_times: false,
    }
}

const ROWS: [Row; 9] = [
    of("Weibull .6", Latencies::one(Shape::Weibull(0.6))),
    of("gamma 2", Latencies::one(Shape::TwoExponentials)),
    of(
        "60 % at 1, 40 % at 3",
        Latencies::two((BODY, 1.0), (0.4, BODY, 3.0)),
    ),
    Row {
        laws: [STEADY, TWICE_AS_WIDE],
        ..of("ln.4, canary ln.8 of the same p99", STEADY)
    },
    of("hit.03x20 that ends at 1 s", CEILING),
    Row {
        disturbance: Disturbance {
            wave: 0.5,
            ..Disturbance::NONE
        },
        ..of("ln.8, both in a wave of an hour, x.6 to x1.6", LN_8)
    },
    Row {
        servers: Servers {
            canary: 2,
            control: 6,
            each: PodSpeed::Differ(0.1),
        },
        ..of("ln.8, two and six pods that differ by .1", LN_8)
    },
    Row {
        is_slow_at_times: true,
        ..of("ln.8, canary slow in 1 of 10 min", LN_8)
    },
    of("three humps", Latencies::three()),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in ROWS {
        for times in [1.0, 1.5, 2.0] {
            let fault = if row.is_slow_at_times {
                Fault::Every {
                    period: 20,
                    length: 2,
                    times,
                }
            } else {
                Fault::Times(times)
            };
            let fleet = LatencyFleetDescription {
                laws: row.laws,
                disturbance: row.disturbance,
                servers: row.servers,
                fault,
                ..alike(100.0, LN_8)
            };
            let outcomes = bench.run_latency(&half_an_hour(&fleet));
            lines.extend(reported(&format!("{}, x{times}", row.name), &outcomes));
        }
    }
    lines
}

fn reported(case: &str, outcomes: &[Outcome]) -> [Line; 2] {
    let mut times: Vec<Option<usize>> = outcomes.iter().map(|one| one.rolled_back_at).collect();
    times.retain(Option::is_some);
    let middle = median(&times).map(|time| time * MINUTES);
    let when = middle.map_or_else(String::new, |minutes| {
        format!(", median of these {minutes} min")
    });
    let mut rolled_back = Line::percent_reported(format!("{case}: rolled back"), found(outcomes));
    rolled_back.detail.push_str(&when);
    let promoted = format!("{case}: promoted");
    [
        rolled_back,
        Line::percent_reported(promoted, completed(outcomes)),
    ]
}
