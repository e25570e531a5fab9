//! C6: other limits, and absolute ones, at 100 requests a second.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    JudgedQuantile, Latencies, LatencyFleetDescription, LatencyTrial,
};
use super::super::bench::Bench;
use super::super::line::{Known, Line};
use super::alike::{Figures, KNOWN, ONE_HUMP, TWO_HUMPS, alike, cell, half_an_hour, slower};

/// A limit, and after how many minutes half of the canaries at 1.25 times it are rolled back.
const RATIOS: [(f64, f64); 5] = [(1.05, 16.), (1.1, 16.), (1.2, 20.), (1.25, 18.), (2.0, 16.)];

const FEW: Known = Known {
    replicates: 60.0,
    rounding: 0.5,
};

/// An absolute limit in seconds: the canary's p99 over it, rolled back, after how many minutes, promoted.
type Absolute = (
    &'static str,
    Latencies,
    f64,
    f64,
    (Option<f64>, Option<f64>, Option<f64>),
);

#[rustfmt::skip]
const ABSOLUTE: [Absolute; 7] = [
    ("ln.8", ONE_HUMP, 0.2, 0.5, (Some(0.), None, Some(100.))),
    ("ln.8", ONE_HUMP, 0.2, 0.8, (Some(0.), None, Some(88.))),
    ("ln.8", ONE_HUMP, 0.2, 0.95, (Some(0.), None, Some(0.))),
    ("ln.8", ONE_HUMP, 0.2, 1.25, (Some(100.), Some(16.), Some(0.))),
    ("ln.8", ONE_HUMP, 0.2, 2.0, (Some(100.), Some(4.), Some(0.))),
    ("hit.03x20", TWO_HUMPS, 0.4, 1.25, (Some(17.), None, None)),
    ("hit.03x20", TWO_HUMPS, 0.4, 1.5, (Some(100.), Some(12.), None)),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (ratio, minutes) in RATIOS {
        let good = || Figures::rolled_back(0.0).promoted(99.5);
        let bad = |minutes: f64| Figures::rolled_back(100.0).after(minutes);
        for (times, figures) in [
            (1.0, good()),
            (ratio, good()),
            (1.25 * ratio, bad(minutes)),
            (1.5 * ratio, bad(6.0)),
            (2.0 * ratio, bad(4.0)),
        ] {
            let trial = LatencyTrial {
                judged: JudgedQuantile::Relative(ratio),
                ..half_an_hour(&slower(100.0, ONE_HUMP, times))
            };
            let case = format!("limit {ratio}, x{times:.4}");
            lines.extend(cell(bench, &case, &trial, figures, KNOWN));
        }
    }
    let bench = &bench.part(4, 250);
    for (name, law, limit, times, (rolled_back, minutes, promoted)) in ABSOLUTE {
        // The control is at half of the limit.
        let scale = 0.5 * limit / law.quantile(0.99);
        let fleet = LatencyFleetDescription {
            laws: [law, law.times(2.0 * times)],
            scales: [scale; 4],
            ..alike(100.0, law)
        };
        let trial = LatencyTrial {
            judged: JudgedQuantile::Absolute(limit),
            ..half_an_hour(&fleet)
        };
        let figures = Figures {
            rolled_back: rolled_back.map(Into::into),
            minutes: minutes.map(Into::into),
            promoted: promoted.map(Into::into),
        };
        let case = format!("limit {limit} s, {name}, the p99 at {times} of it");
        lines.extend(cell(bench, &case, &trial, figures, FEW));
    }
    lines
}
