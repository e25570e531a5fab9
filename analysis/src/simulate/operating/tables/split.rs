//! C11: a canary that gets another share of the requests than the stage says.

use super::super::super::random::{Random, RandomKey};
use super::super::super::sample::poisson;
use super::super::executor::Executor;
use super::super::measured::Share;
use super::super::noise::{NoiseLaw, RateProcess};
use super::bench::Bench;
use super::line::{Known, Line, MINUTES, Published, Unit};
use crate::judge::Split;
use crate::sequential::{ErrorRate, IntervalCounts};
use crate::series::ArmCount;

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
/// Half an hour.
const INTERVALS: usize = 60;
const INTERVAL_SECONDS: f64 = 30.0;
const CONFIGURED: f64 = 0.05;
const TRAFFIC: [f64; 3] = [20.0, 100.0, 1000.0];

/// The canary's share over the configured one; by traffic what is found and after how many minutes.
type Wrong = (f64, [Option<(f64, f64)>; 3], [Option<(f64, f64)>; 3]);

#[rustfmt::skip]
const WRONG: [Wrong; 3] = [
    (0.7, [Some((0., 43.)), Some((0., 98.)), Some((0., 100.))], [None, Some((f64::NAN, 14.)), Some((f64::NAN, 10.5))]),
    (0.5, [None; 3], [Some((23., 7.)), Some((15., 4.5)), Some((15., 4.))]),
    (1.5, [Some((7., 100.)), Some((7., 100.)), Some((1., 100.))], [Some((f64::NAN, 11.5)), Some((f64::NAN, 7.)), Some((f64::NAN, 6.))]),
];

const fn drift(correlation: f64, variation: f64) -> NoiseLaw {
    NoiseLaw::Autoregressive {
        correlation,
        variation,
    }
}

#[rustfmt::skip]
const NOISES: [(&str, NoiseLaw, (f64, f64)); 5] = [
    ("iid", NoiseLaw::Independent, (0., 0.)),
    ("b.3", NoiseLaw::BetaBinomial { variation: 0.3 }, (0., 0.)),
    ("AR(.8) .1", drift(0.8, 0.1), (0., 0.)),
    ("AR(.95) .1", drift(0.95, 0.1), (0., 0.3)),
    ("AR(.95) .2", drift(0.95, 0.2), (1., 4.5)),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (times, shares, medians) in WRONG {
        for (place, traffic) in TRAFFIC.into_iter().enumerate() {
            let at = proven(bench, traffic, times, NoiseLaw::Independent);
            let case = format!("share x{times}, {traffic} rps");
            let figures = |all: [Option<(f64, f64)>; 3]| all.get(place).copied().flatten();
            if let Some(pair) = figures(shares) {
                let share = Share::counted(&at, Option::is_some);
                let quantity = format!("{case}: found");
                lines.push(Line::percent(quantity, share, pair.into(), KNOWN));
            }
            if let Some((before, now)) = figures(medians) {
                let before = Some(before).filter(|before| !before.is_nan());
                let published = Published { before, now };
                let unit = (Unit::Minutes, MINUTES);
                let quantity = format!("{case}: median");
                lines.push(Line::median_of(quantity, &at, unit, published, KNOWN));
            }
        }
    }
    for (name, noise, published) in NOISES {
        let at = proven(bench, 1000.0, 1.0, noise);
        let share = Share::counted(&at, Option::is_some);
        let known = Known {
            rounding: 0.5,
            ..KNOWN
        };
        let quantity = format!("right share, 1000 rps, {name}: false");
        lines.push(Line::percent(quantity, share, published.into(), known));
    }
    lines
}

/// After how many intervals a wrong share is proven, replicate by replicate.
fn proven(
    bench: &Bench<'_, impl Executor>,
    traffic: f64,
    times: f64,
    noise: NoiseLaw,
) -> Vec<Option<usize>> {
    let (seed, label) = (bench.seed, format!("split {traffic} {times} {noise}"));
    bench.executor.map(bench.replicates, |index| {
        let stream = |name: &str| Random::new(&RandomKey::new(seed, &label, name), index);
        let (mut canary, mut control) = (stream("canary"), stream("control"));
        let (mut of_canary, mut of_control) = (RateProcess::new(noise), RateProcess::new(noise));
        let mut split = Split::new(INTERVAL_SECONDS)?;
        let all = traffic * INTERVAL_SECONDS;
        let threshold = ErrorRate::SPLIT.log_threshold();
        (1..=INTERVALS).find(|_| {
            // A rate of a millionth that varies: the factor of the traffic, far from what a share may not be.
            let factor = |process: &mut RateProcess, random: &mut Random| {
                process.next(random, SMALL) / SMALL
            };
            let expected = all * CONFIGURED * times * factor(&mut of_canary, &mut canary);
            let of_the_rest = all * (1.0 - CONFIGURED) * factor(&mut of_control, &mut control);
            let counts = IntervalCounts {
                canary: ArmCount {
                    events: poisson(&mut canary, expected) as f64,
                    exposure: CONFIGURED,
                },
                control: ArmCount {
                    events: poisson(&mut control, of_the_rest) as f64,
                    exposure: 1.0 - CONFIGURED,
                },
            };
            split.push(counts) >= threshold
        })
    })
}

const SMALL: f64 = 1e-6;
