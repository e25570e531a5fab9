//! C2: laws, 500 requests a second.

use super::super::super::executor::Executor;
use super::super::super::latency::{Latencies, LatencyFleetDescription, Shape};
use super::super::bench::Bench;
use super::super::line::Line;
use super::alike::{Figures, KNOWN, SCALES_OF_LAWS, alike, cell, half_an_hour, slower};

const BODY: Shape = Shape::LogNormal(0.3);

/// Two laws, what version 1 and version 2 roll back, and what they promote.
type Pair = (
    &'static str,
    [Latencies; 2],
    (f64, f64),
    Option<f64>,
    (f64, f64),
);

#[rustfmt::skip]
const PAIRS: [Pair; 9] = [
    ("misses 3 to 4 %, truly 1.08", [Latencies::hit(0.03, 20.0), Latencies::hit(0.04, 20.0)], (100., 0.), None, (0., 100.)),
    ("misses 3 to 6 %, truly 1.17", [Latencies::hit(0.03, 20.0), Latencies::hit(0.06, 20.0)], (100., 25.), None, (0., 75.)),
    ("misses 10 to 12 % (x40), truly 1.03", [Latencies::hit(0.1, 40.0), Latencies::hit(0.12, 40.0)], (0., 0.), None, (75., 100.)),
    ("misses 2 to 3 % (x5), truly 1.14", [Latencies::hit(0.02, 5.0), Latencies::hit(0.03, 5.0)], (4., 0.), None, (96., 100.)),
    ("timeouts .5 to .7 %, truly 1.09", [Latencies::timeouts(0.005), Latencies::timeouts(0.007)], (98., 0.), None, (0., 91.)),
    ("timeouts 1.2 to 1.6 %, truly 1.01", [Latencies::timeouts(0.012), Latencies::timeouts(0.016)], (99., 0.8), None, (0., 85.)),
    ("body twice as slow, misses alike, truly 1.00", [Latencies::hit(0.03, 20.0), Latencies::two((BODY, 2.0), (0.03, BODY, 20.0))], (100., 0.), None, (0., 100.)),
    ("misses .8 to 1.2 %, truly 6.3", [Latencies::hit(0.008, 20.0), Latencies::hit(0.012, 20.0)], (100., 89.), Some(36.), (0., 0.)),
    ("timeouts .5 to 1.5 %, truly 27", [Latencies::timeouts(0.005), Latencies::timeouts(0.015)], (100., 100.), Some(10.), (0., 0.)),
];

const TIMES: [f64; 5] = [1.0, 1.1, 1.2, 1.5, 2.0];

/// A law: by times what version 1 and version 2 roll back, and what they promote.
type Law = (&'static str, Latencies, [(f64, f64); 5], [(f64, f64); 5]);

#[rustfmt::skip]
const TWO_HUMPS: [Law; 4] = [
    ("hit.03x20", Latencies::hit(0.03, 20.0), [(0., 0.), (0., 0.), (43., 25.), (81., 75.), (100., 100.)], [(0., 100.), (0., 99.), (0., 75.), (0., 18.), (0., 0.)]),
    ("to.005x100", Latencies::timeouts(0.005), [(0., 0.), (0., 0.), (0., 25.), (82., 94.), (100., 100.)], [(0., 100.), (0., 98.), (0., 75.), (0., 0.), (0., 0.)]),
    ("hit.1x40", Latencies::hit(0.1, 40.0), [(0., 0.), (0., 0.), (50., 0.), (92., 100.), (100., 100.)], [(100., 100.), (100., 100.), (25., 100.), (0., 0.), (0., 0.)]),
    ("to.012x100", Latencies::timeouts(0.012), [(0., 0.), (50., 43.), (50., 40.), (100., 44.), (100., 87.)], [(0., 100.), (0., 50.), (0., 50.), (0., 50.), (0., 0.)]),
];

/// A law with one hump, and the median minutes of x1.5 by version 1 and version 2.
const ONE_HUMP: [(&str, Latencies, (f64, f64)); 5] = [
    ("ln.5", Latencies::log_normal(0.5), (5., 5.5)),
    ("ln.8", Latencies::log_normal(0.8), (7., 8.)),
    ("ln1.2", Latencies::log_normal(1.2), (12., 14.)),
    ("lomax1.8", Latencies::one(Shape::Lomax(1.8)), (16., 18.)),
    ("exp", Latencies::one(Shape::Weibull(1.0)), (5.5, 7.)),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (case, laws, rolled_back, minutes, promoted) in PAIRS {
        let fleet = LatencyFleetDescription {
            laws,
            ..alike(500.0, Latencies::three())
        };
        let figures = Figures::rolled_back(rolled_back).promoted(promoted);
        let figures = match minutes {
            Some(minutes) => figures.after(minutes),
            None => figures,
        };
        let trial = half_an_hour(&at(&fleet));
        lines.extend(cell(bench, case, &trial, figures, KNOWN));
    }
    for (name, law, rolled_back, promoted) in TWO_HUMPS {
        for ((times, rolled_back), promoted) in TIMES.into_iter().zip(rolled_back).zip(promoted) {
            let figures = Figures::rolled_back(rolled_back).promoted(promoted);
            let figures = if times > 1.9 && name == "hit.03x20" {
                figures.after((4.0, 5.5))
            } else {
                figures
            };
            let trial = half_an_hour(&at(&slower(500.0, law, times)));
            lines.extend(cell(
                bench,
                &format!("{name}, x{times}"),
                &trial,
                figures,
                KNOWN,
            ));
        }
    }
    for (name, law, minutes) in ONE_HUMP {
        for times in [1.0, 1.1, 1.2, 1.5] {
            let figures = if times < 1.5 {
                Figures::rolled_back((0.0, 0.0)).promoted((100.0, 100.0))
            } else {
                Figures::rolled_back((100.0, 100.0))
                    .after(minutes)
                    .promoted((0.0, 0.0))
            };
            let trial = half_an_hour(&at(&slower(500.0, law, times)));
            lines.extend(cell(
                bench,
                &format!("{name}, x{times}"),
                &trial,
                figures,
                KNOWN,
            ));
        }
    }
    lines
}

fn at(fleet: &LatencyFleetDescription) -> LatencyFleetDescription {
    LatencyFleetDescription {
        scales: SCALES_OF_LAWS,
        ..*fleet
    }
}
