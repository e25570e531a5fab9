//! C6: faults that hide, within an hour.

use super::super::executor::Executor;
use super::super::laws::{Fault, FleetDescription};
use super::super::trial::Trial;
use super::bench::{Bench, found, minutes};
use super::line::{Known, Line};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};

/// What it is, requests per second, failure rate, the fault and its onset; what is found, and after how many
/// minutes.
struct Cell(
    &'static str,
    (f64, f64),
    (Fault, usize),
    Option<(f64, f64)>,
    Option<(f64, f64)>,
);

const fn every(period: usize, length: usize, times: f64) -> (Fault, usize) {
    let fault = Fault::Every {
        period,
        length,
        times,
    };
    (fault, 0)
}

#[rustfmt::skip]
const CELLS: [Cell; 9] = [
    Cell("x100 for 30 s every 10 min", (100.0, 0.001), every(20, 1, 100.0), Some((98., 70.)), Some((30., 43.))),
    Cell("x100 for 30 s every 10 min", (500.0, 0.001), every(20, 1, 100.0), Some((100., 64.)), Some((0.5, 50.))),
    Cell("30 % errors for 1 min every 10 min", (100.0, 0.001), every(20, 2, 300.0), None, Some((0.5, 15.))),
    Cell("x8 in every 8th interval", (100.0, 0.005), every(8, 1, 8.0), Some((33., 62.)), None),
    Cell("x8 in every 8th interval", (500.0, 0.005), every(8, 1, 8.0), Some((82., 95.)), None),
    Cell("leak x1 to x5 over 60 min", (100.0, 0.005), (Fault::Leak(120, 5.0), 0), None, Some((27., 27.))),
    Cell("leak x1 to x5 over 60 min", (500.0, 0.005), (Fault::Leak(120, 5.0), 0), None, Some((20., 18.))),
    Cell("x5 from min 30", (100.0, 0.005), (Fault::From(60, 5.0), 60), None, Some((6.5, 6.))),
    Cell("x5 from min 30", (500.0, 0.005), (Fault::From(60, 5.0), 60), None, Some((4.5, 3.5))),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell(name, (traffic, rate), (fault, onset), shares, medians) in CELLS {
        let fleet = FleetDescription::good(traffic, rate).with(fault);
        let outcomes = bench.run(&Trial::hour(fleet));
        let case = format!("{name}, {traffic} rps {} %", 100.0 * rate);
        if let Some(published) = shares {
            let share = found(&outcomes);
            lines.push(Line::percent(
                format!("{case}: found"),
                share,
                published.into(),
                KNOWN,
            ));
        }
        if let Some(published) = medians {
            let quantity = format!("{case}: median");
            lines.push(minutes(quantity, &outcomes, onset, published, KNOWN));
        }
    }
    lines
}
