//! C5: stages of few intervals.

use super::super::super::executor::Executor;
use super::super::super::latency::{LatencyFleetDescription, LatencyTrial};
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published};
use super::alike::{Figures, ONE_HUMP, half_an_hour, lines_of, slower, stage};

const KNOWN: Known = Known {
    replicates: 500.0,
    rounding: 0.5,
};

/// What happens to a canary, by version 1 and version 2.
type Of = (f64, f64);

/// Minutes of the stage, requests a second, the canary's share; x1 promoted, x1.5, x2 and x3 rolled back.
type Row = (usize, f64, f64, [Of; 4]);

#[rustfmt::skip]
const ROWS: [Row; 9] = [
    (5, 1., 0.5, [(0., 0.), (0., 0.), (0., 1.), (4., 39.)]),
    (5, 5., 0.2, [(0., 18.), (0., 1.), (0., 53.), (43., 100.)]),
    (5, 20., 0.05, [(0., 26.), (0., 0.), (0., 74.), (53., 100.)]),
    (5, 100., 0.05, [(0., 100.), (0., 25.), (0., 100.), (100., 100.)]),
    (5, 500., 0.05, [(100., 100.), (89., 98.), (100., 100.), (100., 100.)]),
    (15, 1., 0.5, [(0., 17.), (0., 0.), (0., 41.), (41., 100.)]),
    (15, 5., 0.2, [(0., 99.), (0., 5.), (0., 100.), (93., 100.)]),
    (15, 20., 0.05, [(0., 99.), (0., 10.), (0., 100.), (97., 100.)]),
    (15, 100., 0.05, [(100., 100.), (88., 92.), (100., 100.), (100., 100.)]),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (minutes, traffic, share, row) in ROWS {
        // Five minutes are judged by intervals of 15 s, with a minute of warm-up.
        let (interval_seconds, least) = match minutes {
            5 => (15.0, 20),
            _ => (30.0, 2 * minutes),
        };
        for (times, published) in [1.0, 1.5, 2.0, 3.0].into_iter().zip(row) {
            let published = Published::from(published);
            let figures = if times < 1.1 {
                Figures::rolled_back(0.0).promoted(published)
            } else {
                Figures::rolled_back(published)
            };
            let fleet = LatencyFleetDescription {
                interval_seconds,
                ..slower(traffic, ONE_HUMP, times)
            };
            let trial = LatencyTrial {
                ramp: vec![stage(share, least)],
                ..half_an_hour(&fleet)
            };
            let percent = 100.0 * share;
            let case = format!("{minutes} min, {traffic} rps, {percent} %, x{times}");
            lines.extend(lines_of(&case, &bench.run_latency(&trial), figures, KNOWN));
        }
    }
    lines
}
