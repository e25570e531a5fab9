//! C1: what the buckets tell when there is no chance left.
//!
//! Thirty positions over two decades. The design says how many laws it has, and names eleven of them and
//! nine pairs: the others were chosen here.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Buckets, InfiniteData, JudgedQuantile, Latencies, Part, Shape, Told,
};
use super::super::super::measured::Share;
use super::super::bench::Bench;
use super::super::line::{Known, Line};

/// Bucket positions: of the control's quantile, over two decades up to half of the last bound, but not below the first.
const POSITIONS: u64 = 30;
const TWO_DECADES: f64 = 100.0;

/// Some 250 positions of laws, of which not all are the design's: they differ as so many replicates would.
const KNOWN: Known = Known {
    replicates: 60.0,
    rounding: 0.5,
};

const ONE_HUMP: [Latencies; 9] = [
    Latencies::log_normal(0.5),
    Latencies::log_normal(0.8),
    Latencies::log_normal(1.2),
    Latencies::one(Shape::Lomax(1.8)),
    Latencies::one(Shape::Weibull(1.0)),
    Latencies::log_normal(0.3),
    Latencies::one(Shape::Lomax(3.0)),
    Latencies::one(Shape::TwoExponentials),
    Latencies::one(Shape::Weibull(0.7)),
];
const BODY: Shape = Shape::LogNormal(0.3);
const TWO_HUMPS: [Latencies; 8] = [
    Latencies::hit(0.03, 20.0),
    Latencies::hit(0.02, 5.0),
    Latencies::hit(0.1, 40.0),
    Latencies::timeouts(0.005),
    Latencies::timeouts(0.012),
    Latencies::three(),
    Latencies::hit(0.3, 5.0),
    Latencies::two(
        (Shape::LogNormal(0.5), 1.0),
        (0.02, Shape::LogNormal(0.5), 10.0),
    ),
];
const SHAPES: [[Latencies; 2]; 12] = [
    [Latencies::hit(0.03, 20.0), Latencies::hit(0.04, 20.0)],
    [Latencies::hit(0.03, 20.0), Latencies::hit(0.06, 20.0)],
    [Latencies::hit(0.1, 40.0), Latencies::hit(0.12, 40.0)],
    [Latencies::hit(0.02, 5.0), Latencies::hit(0.03, 5.0)],
    [Latencies::timeouts(0.005), Latencies::timeouts(0.007)],
    [Latencies::timeouts(0.012), Latencies::timeouts(0.016)],
    [
        Latencies::hit(0.03, 20.0),
        Latencies::two((BODY, 2.0), (0.03, BODY, 20.0)),
    ],
    [Latencies::hit(0.008, 20.0), Latencies::hit(0.012, 20.0)],
    [Latencies::timeouts(0.005), Latencies::timeouts(0.015)],
    [
        Latencies::three(),
        Latencies::of([
            Part::new(0.79, BODY, 1.0),
            Part::new(0.17, BODY, 6.0),
            Part::new(0.04, BODY, 40.0),
        ]),
    ],
    [Latencies::hit(0.005, 20.0), Latencies::hit(0.015, 20.0)],
    [Latencies::log_normal(0.8), Latencies::log_normal(1.2)],
];

/// A quantile and its buckets.
const VIEWS: [(f64, Buckets, &str); 4] = [
    (0.99, Buckets::Default, "p99 default"),
    (0.95, Buckets::Default, "p95 default"),
    (0.5, Buckets::Default, "p50 default"),
    (0.99, Buckets::Sparse, "p99 sparse"),
];

/// By view what version 1 rolls back, what version 2 does, and what that promotes.
type ByView = [(f64, f64, Option<f64>); 4];

#[rustfmt::skip]
const OF_ONE_HUMP: [(f64, ByView); 4] = [
    (1.0, [(0., 0., Some(100.)); 4]),
    (1.1, [(0., 0., Some(100.)); 4]),
    (1.2, [(33., 0., None), (29., 0., None), (11., 0., None), (28., 1., None)]),
    (1.5, [(100., 100., Some(0.)), (99., 100., Some(0.)), (97., 100., Some(0.)), (78., 78., Some(0.))]),
];
#[rustfmt::skip]
const OF_TWO_HUMPS: [(f64, ByView); 4] = [
    (1.1, [(25., 4., None), (28., 1., None), (8., 0., None), (33., 5., None)]),
    (1.2, [(61., 19., None), (44., 21., None), (13., 6., None), (42., 22., None)]),
    (1.5, [(93., 88., Some(12.)), (99., 94., Some(6.)), (91., 99., Some(1.)), (52., 63., Some(37.))]),
    (2.0, [(100., 98., Some(2.)), (100., 100., Some(0.)), (94., 94., Some(0.)), (66., 87., Some(13.))]),
];
const WITHIN: ByView = [
    (64., 5., Some(95.)),
    (20., 1., Some(99.)),
    (4., 0., Some(100.)),
    (46., 11., Some(89.)),
];
const BEYOND: ByView = [
    (100., 100., Some(0.)),
    (100., 100., Some(0.)),
    (86., 100., Some(0.)),
    (97., 100., Some(0.)),
];

/// An absolute limit: the canary's quantile over it, and what is rolled back and promoted with one hump and with two.
type Absolute = (f64, f64, (f64, f64), (f64, f64));

#[rustfmt::skip]
const ABSOLUTE: [Absolute; 4] = [
    (0.99, 0.8, (0., 100.), (1., 96.)),
    (0.99, 0.9, (0., 100.), (5., 90.)),
    (0.99, 1.1, (99., 0.), (41., 25.)),
    (0.99, 1.25, (100., 0.), (80., 14.)),
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, laws, rows) in [
        ("one hump", &ONE_HUMP[..], &OF_ONE_HUMP),
        ("two humps", &TWO_HUMPS[..], &OF_TWO_HUMPS),
    ] {
        for (times, by_view) in rows {
            let pairs: Vec<[Latencies; 2]> =
                laws.iter().map(|law| [*law, law.times(*times)]).collect();
            for (view, figures) in VIEWS.into_iter().zip(*by_view) {
                let told = told(bench, &pairs, view);
                lines.extend(both(
                    &format!("{name} x{times}, {}", view.2),
                    &told,
                    figures,
                ));
            }
        }
    }
    for (name, by_view, is_asked) in [
        (
            "at most 1.2",
            WITHIN,
            (|ratio| ratio <= 1.2) as fn(f64) -> bool,
        ),
        ("more than 1.5", BEYOND, |ratio| ratio > 1.5),
    ] {
        for (view, figures) in VIEWS.into_iter().zip(by_view) {
            let ratio = |pair: &[Latencies; 2]| of_pair(*pair, view).true_ratio();
            let pairs: Vec<[Latencies; 2]> = SHAPES
                .into_iter()
                .filter(|pair| is_asked(ratio(pair)))
                .collect();
            let told = told(bench, &pairs, view);
            let case = format!("another shape, truly {name}, {}", view.2);
            lines.extend(both(&case, &told, figures));
        }
    }
    lines.extend(of_absolute_limits(bench));
    lines
}

fn of_absolute_limits(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (quantile, times, one, two) in ABSOLUTE {
        for (name, laws, (broken, promoted)) in [
            ("one hump", &ONE_HUMP[..], one),
            ("two humps", &TWO_HUMPS[..], two),
        ] {
            let told: Vec<Told> = bench
                .executor
                .map(POSITIONS, |position| {
                    let told = |law: &Latencies| {
                        let scale = scale(position, law, quantile, Buckets::Default);
                        let limit = scale * law.quantile(quantile) / times;
                        let data = InfiniteData {
                            judged: JudgedQuantile::Absolute(limit),
                            ..of_pair([*law, *law], (quantile, Buckets::Default, ""))
                        };
                        data.told(scale)
                    };
                    laws.iter().filter_map(told).collect::<Vec<Told>>()
                })
                .into_iter()
                .flatten()
                .collect();
            let case = format!("absolute limit, the p99 at {times} of it, {name}");
            let [broken_line, promoted_line] = shares(&case, &told);
            lines.push(Line::percent(
                broken_line.0,
                broken_line.1,
                broken.into(),
                KNOWN,
            ));
            lines.push(Line::percent(
                promoted_line.0,
                promoted_line.1,
                promoted.into(),
                KNOWN,
            ));
        }
    }
    lines
}

fn told(
    bench: &Bench<'_, impl Executor>,
    pairs: &[[Latencies; 2]],
    view: (f64, Buckets, &str),
) -> Vec<Told> {
    let of_position = |position| {
        let told = |pair: &[Latencies; 2]| {
            let [control, _] = pair;
            of_pair(*pair, view).told(scale(position, control, view.0, view.1))
        };
        pairs.iter().filter_map(told).collect::<Vec<Told>>()
    };
    let all = bench.executor.map(POSITIONS, of_position);
    all.into_iter().flatten().collect()
}

fn of_pair(laws: [Latencies; 2], (quantile, buckets, _): (f64, Buckets, &str)) -> InfiniteData {
    InfiniteData {
        laws,
        buckets,
        quantile,
        judged: JudgedQuantile::Relative(1.2),
    }
}

/// The scale at which the control's quantile has a position.
fn scale(position: u64, law: &Latencies, quantile: f64, buckets: Buckets) -> f64 {
    let bounds = buckets.bounds();
    let first = bounds.first().copied().unwrap_or(1.0);
    let most = 0.5 * bounds.last().copied().unwrap_or(1.0);
    let least = first.max(most / TWO_DECADES);
    let part = (position as f64 + 0.5) / POSITIONS as f64;
    least * libm::pow(most / least, part) / law.quantile(quantile)
}

fn shares(case: &str, told: &[Told]) -> [(String, Share); 2] {
    [
        (
            format!("{case}: rolled back"),
            Share::counted(told, |one| one.is_broken),
        ),
        (
            format!("{case}: promoted"),
            Share::counted(told, |one| one.is_promoted),
        ),
    ]
}

fn both(case: &str, told: &[Told], (before, now, promoted): (f64, f64, Option<f64>)) -> Vec<Line> {
    let [broken, shown] = shares(case, told);
    let mut lines = vec![Line::percent(
        broken.0,
        broken.1,
        (before, now).into(),
        KNOWN,
    )];
    if let Some(promoted) = promoted {
        lines.push(Line::percent(shown.0, shown.1, promoted.into(), KNOWN));
    }
    lines
}
