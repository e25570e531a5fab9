//! C10: how long it takes to find a fault in one stage of an hour.

use super::super::executor::Executor;
use super::super::laws::FleetDescription;
use super::super::trial::Trial;
use super::bench::{Bench, found, minutes};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};

/// Requests per second, failure rate, how many times the failures; median minutes of version 1, where half were
/// found, and of version 2; what is found where that is not all, by version 1 and by version 2.
type Cell = (
    f64,
    f64,
    f64,
    (Option<f64>, f64),
    Option<(Option<f64>, f64)>,
);

#[rustfmt::skip]
const CELLS: [Cell; 20] = [
    (20.0, 0.01, 2.2, (Some(33.), 35.5), Some((None, 82.))),
    (20.0, 0.01, 3.0, (Some(14.), 15.5), None),
    (20.0, 0.01, 5.0, (Some(5.5), 6.5), None),
    (20.0, 0.01, 10.0, (Some(2.5), 3.), None),
    (50.0, 0.001, 5.0, (Some(18.), 20.), None),
    (50.0, 0.001, 10.0, (Some(6.5), 8.), None),
    (50.0, 0.001, 100.0, (Some(1.), 2.5), None),
    (50.0, 0.01, 2.2, (Some(15.5), 17.), None),
    (50.0, 0.01, 3.0, (Some(7.), 8.), None),
    (50.0, 0.01, 5.0, (Some(3.), 3.5), None),
    (500.0, 0.01, 1.3, (None, 40.), Some((Some(39.), 78.))),
    (500.0, 0.01, 1.5, (Some(21.), 13.5), None),
    (500.0, 0.01, 2.2, (Some(4.5), 5.), None),
    (500.0, 0.01, 3.0, (Some(3.), 3.5), None),
    (500.0, 0.01, 5.0, (Some(2.), 2.), None),
    (500.0, 0.01, 10.0, (Some(1.), 2.), None),
    (5000.0, 0.01, 1.3, (Some(52.), 18.5), None),
    (5000.0, 0.01, 1.5, (Some(13.), 9.), None),
    (5000.0, 0.01, 5.0, (Some(1.5), 2.), None),
    (5000.0, 0.001, 100.0, (Some(0.5), 1.), None),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (traffic, rate, times, (before, now), shares) in CELLS {
        let fleet = FleetDescription::good(traffic, rate).times(times);
        let outcomes = bench.run(&Trial::hour(fleet));
        let case = format!("{traffic} rps {} %, x{times}", 100.0 * rate);
        let published = Published { before, now };
        let quantity = format!("{case}: median");
        lines.push(minutes(quantity, &outcomes, 0, published, KNOWN));
        if let Some((before, now)) = shares {
            let published = Published { before, now };
            let quantity = format!("{case}: found");
            lines.push(Line::percent(quantity, found(&outcomes), published, KNOWN));
        }
    }
    lines
}
