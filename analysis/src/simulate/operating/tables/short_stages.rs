//! C4: stages of few intervals, at whose end somebody looks.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, FleetDescription, Law};
use super::super::trial::{Ends, RampStage, Trial};
use super::bench::{Bench, completed, found};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 600.0,
    rounding: 0.5,
};

/// Intervals, steps of 30 s in each, requests per second and failure rate. Of a good canary what is promoted; what
/// is found of x2.2, x3 and x5; what is false under AR(.8), AR(.95) and c10/90.
struct Cell(
    (usize, usize),
    (f64, f64),
    (f64, f64),
    [(f64, f64); 3],
    [f64; 3],
);

#[rustfmt::skip]
const CELLS: [Cell; 8] = [
    Cell((3, 10), (20.0, 0.01), (0.0, 6.0), [(0.0, 0.0), (0.0, 5.0), (19.0, 83.0)], [0.0, 0.0, 0.2]),
    Cell((3, 10), (100.0, 0.005), (0.0, 17.0), [(0.0, 0.0), (0.0, 26.0), (47.0, 100.0)], [0.0, 0.0, 0.3]),
    Cell((3, 10), (500.0, 0.01), (0.0, 83.0), [(0.0, 0.0), (0.0, 100.0), (100.0, 100.0)], [0.0, 0.2, 0.0]),
    Cell((3, 10), (500.0, 0.001), (0.0, 86.0), [(0.0, 1.0), (0.0, 28.0), (51.0, 100.0)], [0.0, 0.0, 0.7]),
    Cell((5, 2), (100.0, 0.005), (0.0, 6.0), [(0.0, 1.0), (7.0, 11.0), (79.0, 84.0)], [0.0, 0.0, 0.3]),
    Cell((5, 2), (500.0, 0.01), (0.0, 78.0), [(0.0, 15.0), (64.0, 100.0), (100.0, 100.0)], [0.2, 1.2, 0.5]),
    Cell((10, 1), (100.0, 0.005), (10.0, 10.0), [(2.0, 2.0), (26.0, 21.0), (95.0, 85.0)], [0.0, 0.2, 0.5]),
    Cell((10, 1), (500.0, 0.01), (96.0, 96.0), [(81.0, 73.0), (100.0, 100.0), (100.0, 100.0)], [0.5, 1.8, 0.2]),
];

const NOISES: [(&str, ArmLaw); 3] = [
    ("AR(.8)", ArmLaw::DRIFT),
    ("AR(.95)", ArmLaw::SLOW_DRIFT),
    ("c10/90", ArmLaw::clusters(10.0, 90.0)),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((points, steps), (traffic, rate), promoted, bad, noises) in CELLS {
        let fleet = FleetDescription {
            steps,
            ..FleetDescription::good(traffic, rate)
        };
        let length = match steps {
            1 => "30 s".to_owned(),
            _ => format!("{} min", steps / 2),
        };
        let percent = 100.0 * rate;
        let case = format!("{points} points of {length}, {traffic} rps {percent} %");
        let good = bench.run(&short(fleet, points));
        let quantity = format!("{case}, x1: promoted");
        let published = promoted.into();
        lines.push(Line::percent(quantity, completed(&good), published, KNOWN));
        let quantity = format!("{case}, x1: rolled back");
        let none: Published = (0.0, 0.0).into();
        lines.push(Line::percent(quantity, found(&good), none, KNOWN));
        for (times, published) in [2.2, 3.0, 5.0].into_iter().zip(bad) {
            let quantity = format!("{case}, x{times}: rolled back");
            let trial = short(fleet.times(times), points);
            lines.push(bench.false_rollbacks(quantity, &trial, published, KNOWN));
        }
        let quantity = format!("{case}, x20: rolled back");
        let crash = short(fleet.times(20.0), points);
        lines.push(bench.false_rollbacks(quantity, &crash, 100.0, KNOWN));
        for ((name, law), now) in NOISES.into_iter().zip(noises) {
            let quantity = format!("{case}, {name}: false");
            let trial = short(fleet.by(Law::Apart(law)), points);
            let known = Known {
                rounding: 0.05,
                ..KNOWN
            };
            lines.push(bench.false_rollbacks(quantity, &trial, now, known));
        }
    }
    lines
}

/// Promoted at its end, and never before.
fn short(fleet: FleetDescription, points: usize) -> Trial {
    let stage = RampStage {
        share: 0.05,
        least: points,
        most: points,
        held: 0,
    };
    Trial {
        ramp: vec![stage],
        ends: Ends::WhenShown,
        ..Trial::hour(fleet)
    }
}
