//! C4: traffic.

use super::super::super::executor::Executor;
use super::super::super::latency::LatencyTrial;
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published};
use super::alike::{Figures, ONE_HUMP, half_an_hour, lines_of, slower, stage};

const KNOWN: Known = Known {
    replicates: 200.0,
    rounding: 0.5,
};

/// What happens to a canary, by version 1 and version 2, and after how many minutes to half of those.
type Of = (f64, f64, Option<f64>);

/// Requests a second, the canary's share, the quantile; x1 and x1.2 promoted, x1.5, x2 and x3 rolled back.
type Row = (f64, f64, f64, [Of; 5]);

#[rustfmt::skip]
const ROWS: [Row; 23] = [
    (1., 0.01, 0.5, [(26., 66., None), (10., 30., None), (0., 0., None), (0., 8., None), (26., 70., Some(46.))]),
    (1., 0.05, 0.95, [(0., 70., None), (0., 41., None), (0., 0., None), (0., 63., Some(44.)), (34., 100., Some(16.))]),
    (1., 0.05, 0.99, [(0., 0., None), (0., 0., None), (0., 0., None), (0., 14., None), (14., 98., Some(30.))]),
    (1., 0.5, 0.5, [(0., 100., None), (0., 100., None), (0., 78., Some(36.)), (0., 100., Some(10.)), (64., 100., Some(6.))]),
    (1., 0.5, 0.95, [(0., 100., None), (0., 100., None), (0., 19., None), (0., 100., Some(16.)), (82., 100., Some(7.))]),
    (1., 0.5, 0.99, [(0., 88., None), (0., 60., None), (0., 2., None), (0., 88., Some(36.)), (78., 100., Some(14.))]),
    (1., 0.5, 0.999, [(0., 0., None), (0., 0., None), (0., 0., None), (0., 2., None), (15., 32., Some(54.))]),
    (20., 0.01, 0.95, [(100., 100., None), (100., 99., None), (34., 16., None), (100., 100., Some(16.)), (100., 100., Some(6.))]),
    (20., 0.01, 0.99, [(0., 70., None), (0., 33., None), (0., 3., None), (0., 96., Some(30.)), (78., 100., Some(10.))]),
    (20., 0.05, 0.5, [(50., 100., None), (50., 100., None), (94., 100., Some(16.)), (100., 100., Some(7.)), (100., 100., Some(5.))]),
    (20., 0.05, 0.95, [(100., 100., None), (100., 100., None), (96., 98., Some(30.)), (100., 100., Some(6.)), (100., 100., Some(4.))]),
    (20., 0.05, 0.99, [(0., 100., None), (0., 100., None), (0., 44., Some(46.)), (0., 100., Some(10.)), (100., 100., Some(5.))]),
    (20., 0.05, 0.999, [(0., 0., None), (0., 0., None), (0., 2., None), (0., 96., Some(30.)), (50., 100., Some(10.))]),
    (20., 0.5, 0.99, [(0., 100., None), (0., 100., None), (0., 100., Some(20.)), (0., 100., Some(6.)), (100., 100., Some(5.))]),
    (20., 0.5, 0.999, [(0., 100., None), (0., 98., None), (0., 36., None), (0., 100., Some(12.)), (80., 100., Some(6.))]),
    (100., 0.01, 0.99, [(100., 100., None), (100., 100., None), (58., 42., Some(46.)), (100., 100., Some(10.)), (100., 100., Some(5.))]),
    (100., 0.05, 0.5, [(50., 100., None), (50., 100., None), (100., 100., Some(12.)), (100., 100., Some(6.)), (100., 100., Some(5.))]),
    (100., 0.05, 0.99, [(100., 100., None), (100., 100., None), (100., 100., Some(20.)), (100., 100., Some(5.)), (100., 100., Some(4.))]),
    (100., 0.05, 0.999, [(0., 100., None), (0., 96., None), (0., 46., Some(42.)), (0., 100., Some(10.)), (81., 100., Some(5.))]),
    (100., 0.5, 0.999, [(0., 100., None), (0., 100., None), (0., 100., Some(22.)), (0., 100., Some(6.)), (98., 100., Some(6.))]),
    (1000., 0.01, 0.999, [(100., 100., None), (100., 100., None), (90., 93., Some(34.)), (100., 100., Some(6.)), (100., 100., Some(4.))]),
    (1000., 0.05, 0.99, [(100., 100., None), (100., 100., None), (100., 100., Some(8.)), (100., 100., Some(4.)), (100., 100., Some(4.))]),
    (1000., 0.5, 0.5, [(50., 100., None), (50., 100., None), (100., 100., Some(12.)), (100., 100., Some(7.)), (100., 100., Some(5.))]),
];

/// x1.5, which lies between the limit and what a promotion must show, is promoted instead.
const PROMOTED_INSTEAD: [(f64, f64, f64, f64); 4] = [
    (1., 0.5, 0.95, 25.),
    (20., 0.05, 0.99, 12.),
    (100., 0.01, 0.99, 15.),
    (100., 0.05, 0.99, 0.),
];

const TIMES: [f64; 5] = [1.0, 1.2, 1.5, 2.0, 3.0];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(4, 200);
    let mut lines = Vec::new();
    for (traffic, share, quantile, row) in ROWS {
        for (times, (before, now, minutes)) in TIMES.into_iter().zip(row) {
            let published = Published::from((before, now));
            let figures = if times <= 1.2 {
                Figures::rolled_back(0.0).promoted(published)
            } else {
                let cell = [traffic, share, quantile].map(f64::to_bits);
                let mut known = PROMOTED_INSTEAD.into_iter();
                let instead = known.find(|(a, b, c, _)| [*a, *b, *c].map(f64::to_bits) == cell);
                let instead = instead.filter(|_| times < 1.9);
                Figures {
                    minutes: minutes.map(Published::from),
                    promoted: instead.map(|(.., promoted)| promoted.into()),
                    ..Figures::rolled_back(published)
                }
            };
            let trial = LatencyTrial {
                quantile,
                ramp: vec![stage(share, 60)],
                ..half_an_hour(&slower(traffic, ONE_HUMP, times))
            };
            let percent = 100.0 * share;
            let case = format!(
                "{traffic} rps, {percent} %, p{}, x{times}",
                100.0 * quantile
            );
            lines.extend(lines_of(&case, &bench.run_latency(&trial), figures, KNOWN));
        }
    }
    lines
}
