//! C7: canaries that are slow to start, by the warm-up that is left out.

use super::super::executor::Executor;
use super::super::laws::{Fault, FleetDescription};
use super::super::trial::{Ends, Trial};
use super::bench::{Bench, completed, found, minutes};
use super::line::{Known, Line};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
/// Minutes of warm-up.
const WARM_UPS: [usize; 3] = [1, 2, 5];
const LOW: (f64, f64) = (100.0, 0.005);
const HIGH: (f64, f64) = (500.0, 0.01);

/// The canary's factor and for how many minutes; what version 1 rolls back and promotes, and what version 2 does by
/// warm-up.
struct Cell((f64, f64), (f64, usize), (f64, f64), &'static [(f64, f64)]);

#[rustfmt::skip]
const CELLS: [Cell; 7] = [
    Cell(LOW, (20.0, 1), (80., 2.), &[(0., 99.), (0., 100.), (0., 99.)]),
    Cell(LOW, (5.0, 2), (14., 83.), &[(0., 98.), (0., 100.), (0., 100.)]),
    Cell(LOW, (10.0, 2), (93., 2.), &[(0., 82.), (0., 99.), (0., 100.)]),
    Cell(LOW, (5.0, 4), (87., 10.), &[(42., 35.), (8., 80.), (0., 100.)]),
    Cell(HIGH, (20.0, 1), (100., 0.), &[(0., 100.), (0., 100.), (0., 100.)]),
    Cell(HIGH, (5.0, 2), (100., 0.), &[(0., 100.)]),
    Cell(HIGH, (5.0, 4), (100., 0.), &[(100., 0.), (91., 9.), (0., 100.)]),
];

/// The rate of a crash.
const CRASH: f64 = 0.3;

/// What is always there, a crash where it is no multiple: median minutes of version 1, then by warm-up.
struct Lasting((f64, f64), Option<f64>, f64, [f64; 3]);

#[rustfmt::skip]
const LASTING: [Lasting; 4] = [
    Lasting(LOW, Some(2.2), 15.5, [17.8, 18.5, 20.5]),
    Lasting(HIGH, Some(2.2), 4.5, [6., 7., 10.]),
    Lasting(LOW, None, 1., [3.5, 4.5, 4.5]),
    Lasting(HIGH, None, 1., [1.5, 1.5, 1.5]),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((traffic, rate), (times, length), before, by_warm_up) in CELLS {
        let fleet = FleetDescription::good(traffic, rate).with(Fault::Until(2 * length, times));
        for (warm_up, now) in WARM_UPS.into_iter().zip(by_warm_up) {
            let trial = Trial {
                warm_up: 2 * warm_up,
                ..Trial::hour(fleet).promoting(Ends::WhenShown)
            };
            let outcomes = bench.run(&trial);
            let percent = 100.0 * rate;
            let case = format!(
                "{traffic} rps {percent} %, x{times} for {length} min, warm-up {warm_up} min"
            );
            let quantity = format!("{case}: rolled back");
            let published = (before.0, now.0).into();
            lines.push(Line::percent(quantity, found(&outcomes), published, KNOWN));
            let quantity = format!("{case}: promoted");
            let published = (before.1, now.1).into();
            lines.push(Line::percent(
                quantity,
                completed(&outcomes),
                published,
                KNOWN,
            ));
        }
    }
    for Lasting((traffic, rate), times, before, by_warm_up) in LASTING {
        let fleet = FleetDescription::good(traffic, rate).times(times.unwrap_or(CRASH / rate));
        for (warm_up, now) in WARM_UPS.into_iter().zip(by_warm_up) {
            let trial = Trial {
                warm_up: 2 * warm_up,
                ..Trial::hour(fleet)
            };
            let what = times.map_or_else(|| "crash 30 %".to_owned(), |times| format!("x{times}"));
            let percent = 100.0 * rate;
            let case = format!("{traffic} rps {percent} %, {what}, warm-up {warm_up} min: median");
            lines.push(minutes(case, &bench.run(&trial), 0, (before, now), KNOWN));
        }
    }
    lines
}
