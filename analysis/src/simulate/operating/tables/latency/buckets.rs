//! C7: other buckets, at 100 requests a second.

use super::super::super::executor::Executor;
use super::super::super::latency::{Buckets, LatencyFleetDescription};
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published};
use super::alike::{Figures, KNOWN, ONE_HUMP, TWO_HUMPS, half_an_hour, lines_of, slower};

/// Of native histograms the design has 100 replicates.
const NATIVE: Known = Known {
    replicates: 100.0,
    rounding: 0.5,
};

const BUCKETS: [(&str, Buckets, Known); 4] = [
    ("istio", Buckets::Istio, KNOWN),
    ("otel", Buckets::OpenTelemetry, KNOWN),
    ("sparse", Buckets::Sparse, KNOWN),
    ("native schema 3", Buckets::NativeSchema3, NATIVE),
];

/// Minutes until x1.5 is rolled back.
const LATER: [f64; 4] = [20., 20., 17., 19.];
/// Of two humps: x1 promoted, x1.2, x1.5 and x2 rolled back, by version 1 where it is said.
const TWO: [[(Option<f64>, f64); 4]; 4] = [
    [
        (Some(0.), 100.),
        (Some(15.), 0.),
        (Some(55.), 51.),
        (Some(100.), 100.),
    ],
    [
        (Some(0.), 100.),
        (Some(12.), 0.),
        (Some(75.), 51.),
        (Some(99.), 100.),
    ],
    [
        (Some(17.), 100.),
        (Some(25.), 11.),
        (Some(45.), 33.),
        (Some(74.), 75.),
    ],
    [
        (Some(0.), 100.),
        (Some(0.), 0.),
        (Some(100.), 99.),
        (Some(100.), 100.),
    ],
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for ((name, buckets, known), (later, two)) in
        BUCKETS.into_iter().zip(LATER.into_iter().zip(TWO))
    {
        // The bounds of native histograms are many.
        let bench = &match buckets {
            Buckets::NativeSchema3 => bench.part(4, 100),
            _ => bench.part(1, 0),
        };
        let mut one = |law_name: &str, law, times: f64, figures: Figures| {
            let fleet = LatencyFleetDescription {
                buckets,
                ..slower(100.0, law, times)
            };
            let outcomes = bench.run_latency(&half_an_hour(&fleet));
            let case = format!("{name}, {law_name}, x{times}");
            lines.extend(lines_of(&case, &outcomes, figures, known));
        };
        let good = Figures::rolled_back(0.0);
        one("ln.8", ONE_HUMP, 1.0, good.promoted(100.0));
        one("ln.8", ONE_HUMP, 1.2, good);
        let found = Figures::rolled_back(100.0);
        one("ln.8", ONE_HUMP, 1.5, found.after(later));
        one("ln.8", ONE_HUMP, 2.0, found.after(5.0));
        for (times, (before, now)) in [1.0, 1.2, 1.5, 2.0].into_iter().zip(two) {
            let published = Published { before, now };
            let figures = if times < 1.1 {
                good.promoted(published)
            } else {
                Figures::rolled_back(published)
            };
            one("hit.03x20", TWO_HUMPS, times, figures);
        }
    }
    lines
}
