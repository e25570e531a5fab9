//! Q1 to Q3: pods that differ, without and with what the control's pods tell.
//!
//! One stage of 30 minutes, at most 60; a warm-up of two; the hour before is read; all pods have the same traffic.

use super::super::executor::Executor;
use super::super::laws::{BadMinutes, FleetDescription, Law, PodLaw};
use super::super::trial::{Ends, PodSpread, RampStage, Trial};
use super::bench::{Bench, completed, found, minutes_of_found};
use super::line::{Known, Line};

const KNOWN: Known = Known {
    replicates: 175.0,
    rounding: 0.5,
};
const FAULTS: Known = Known {
    replicates: 100.0,
    rounding: 0.5,
};
/// Two minutes.
const WARM_UP: usize = 4;
const HOUR: usize = 120;
/// Requests per second and failure rate.
const TRAFFIC: [(f64, f64); 3] = [(50.0, 0.01), (500.0, 0.005), (5000.0, 0.01)];
/// Pods of the control, then of the canary.
const PODS: [(usize, usize); 6] = [(20, 1), (10, 3), (4, 1), (3, 3), (2, 1), (1, 1)];

/// By traffic: without, then with.
type Figures = Option<([f64; 3], [f64; 3])>;

const CV_2: PodLaw = PodLaw::LogNormal { variation: 0.2 };
const CV_5: PodLaw = PodLaw::LogNormal { variation: 0.5 };
const BAD_MINUTES: PodLaw = PodLaw::BadMinutes(X5);
const X5: BadMinutes = BadMinutes {
    good: 110.0,
    bad: 10.0,
    times: 5.0,
};

const fn drift(correlation: f64, deviation: f64) -> PodLaw {
    PodLaw::Drift {
        correlation,
        deviation,
    }
}

const fn bad(good: f64, bad: f64, times: f64) -> BadMinutes {
    BadMinutes { good, bad, times }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is written beside cells that have none"
)]
const fn of(without: [f64; 3], with: [f64; 3]) -> Figures {
    Some((without, with))
}

struct Row(&'static str, PodLaw, bool, [Figures; 6]);

#[rustfmt::skip]
const IDENTICAL: [Row; 12] = [
    Row("cv .1", PodLaw::LogNormal { variation: 0.1 }, true, [of([0., 1.3, 5.3], [0., 0., 0.]), of([0., 0., 1.3], [0., 0., 0.]), of([0., 2.7, 5.3], [0., 0., 0.]), of([0., 2.7, 4.7], [0., 0., 0.]), None, of([8., 6.7, 16.], [1.3, 0., 0.7])]),
    Row("cv .2", CV_2, true, [of([1., 6., 17.], [0., 0.5, 0.]), of([1.5, 9., 11.], [0., 0.5, 0.]), of([4., 14., 22.], [0.5, 0.5, 0.]), of([5.5, 14., 16.], [1.5, 0., 1.]), of([14., 18., 26.], [3., 2.5, 4.5]), of([11., 22., 30.], [9., 9.5, 10.])]),
    Row("cv .5", CV_5, true, [of([10., 22., 25.], [1., 0.5, 1.]), of([12., 23., 31.], [0., 0., 1.]), of([23., 31., 29.], [4.5, 3.5, 1.5]), of([19., 26., 40.], [4., 2.5, 3.]), of([22., 34., 32.], [7.5, 10., 10.]), of([28., 40., 42.], [24., 30., 34.])]),
    Row("cv .5, gamma", PodLaw::Gamma { variation: 0.5 }, true, [of([15., 24., 36.], [0.5, 0.5, 0.5]), of([16., 26., 29.], [0., 0., 0.5]), of([22., 27., 32.], [0.5, 0.5, 1.5]), of([18., 34., 34.], [2., 4.5, 2.]), of([28., 32., 38.], [7., 5.5, 8.5]), of([31., 37., 45.], [26., 34., 36.])]),
    Row("AR(.9) sd .5", drift(0.9, 0.5), true, [of([2.5, 11., 15.], [0., 0., 0.]), of([3.5, 6.5, 8.5], [0., 0., 0.]), of([12., 19., 18.], [0.5, 0.5, 0.]), of([11., 14., 14.], [0.5, 0., 1.5]), of([21., 20., 18.], [3., 0., 1.]), of([20., 18., 18.], [20., 18., 18.])]),
    Row("AR, 20 min, sd .4", drift(0.975_31, 0.4), true, [of([6.5, 26., 28.], [0., 0.5, 1.]), of([9.5, 18., 22.], [0.5, 0., 0.]), of([19., 29., 30.], [1., 0.5, 0.]), of([20., 20., 24.], [1., 0.5, 1.]), of([28., 32., 28.], [4., 3., 2.]), of([34., 36., 42.], [32., 34., 40.])]),
    Row("drift apart, sd 0 to .3", PodLaw::Apart(0.3), true, [of([1.3, 13., 20.], [1.3, 1.3, 1.3]), of([3.3, 5.3, 19.], [1.3, 0., 1.3]), of([11., 18., 23.], [6., 2.7, 3.3]), of([15., 16., 22.], [7.3, 5.3, 1.3]), None, of([14., 25., 27.], [12., 13., 17.])]),
    Row("x5, 5 min an hour", BAD_MINUTES, true, [of([20., 26., 30.], [1.5, 0.5, 0.5]), of([22., 24., 23.], [1., 0., 2.]), of([24., 22., 26.], [4.5, 1.5, 3.5]), of([25., 28., 23.], [3.5, 4., 4.5]), of([26., 20., 18.], [9., 5., 4.]), of([30., 21., 17.], [29., 20., 17.])]),
    Row("x5, 2 min in 32", PodLaw::BadMinutes(bad(60.0, 4.0, 5.0)), true, [of([6., 13., 11.], [0.7, 0.7, 0.]), of([2., 4., 6.], [0.7, 0.7, 0.7]), of([8., 13., 11.], [0.7, 1.3, 1.3]), of([4.7, 8.7, 5.3], [0., 2., 0.7]), None, of([13., 5.3, 5.3], [13., 5.3, 5.3])]),
    Row("x10, 5 min in 2 h", PodLaw::BadMinutes(bad(230.0, 10.0, 10.0)), true, [of([20., 16., 12.], [3., 1.5, 0.5]), of([28., 30., 36.], [1.5, 7.5, 6.]), of([14., 14., 6.], [4., 4., 1.5]), of([34., 34., 26.], [12., 14., 10.]), of([24., 12., 7.5], [14., 4.5, 5.5]), of([16., 12., 9.5], [16., 12., 9.5])]),
    Row("cv .2, and x3 5 min an hour", PodLaw::LogNormalAndBadMinutes(0.2, bad(110.0, 10.0, 3.0)), true, [of([9.5, 29., 28.], [0.5, 2., 1.]), of([11., 17., 23.], [0.5, 0., 1.]), of([18., 29., 30.], [3.5, 0.5, 2.]), of([12., 22., 18.], [2., 2.5, 3.]), of([28., 32., 29.], [4., 10., 7.]), of([28., 38., 32.], [25., 29., 24.])]),
    Row("cv .2, unequal traffic", CV_2, false, [of([0.7, 11., 17.], [0., 0.7, 0.]), of([1.3, 6., 12.], [0., 0., 0.]), of([9.3, 15., 17.], [1.3, 0.7, 0.]), of([6., 15., 21.], [0.7, 3.3, 0.]), None, None]),
];

/// Control pods that live 10 minutes, at 50 and 500 rps.
const SHORT_LIVED: PodLaw = PodLaw::ShortLived {
    variation: 0.2,
    steps: 20,
};
#[rustfmt::skip]
const OF_SHORT_LIVED: [((usize, usize), [f64; 2]); 3] = [
    ((20, 1), [6.2, 20.]),
    ((4, 1), [18., 22.]),
    ((3, 3), [7.5, 10.]),
];

/// Faults at 500 rps: the law, how many times the failures, and by pods (the first four) what is found and after
/// how many minutes, without and with.
type Found = Option<((f64, Option<f64>), (f64, Option<f64>))>;

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is written beside cells that have none"
)]
const fn at(without: (f64, f64), with: (f64, f64)) -> Found {
    Some(((without.0, Some(without.1)), (with.0, Some(with.1))))
}

#[rustfmt::skip]
const FAULTY: [(&str, PodLaw, f64, [Found; 5]); 4] = [
    ("cv .2", CV_2, 2.0, [at((97., 9.), (48., 12.)), at((100., 7.), (84., 7.)), at((99., 8.), (43., 8.)), at((100., 8.), (67., 8.)), at((97., 8.), (55., 7.))]),
    ("x5 5 min an hour", BAD_MINUTES, 3.0, [at((99., 7.), (26., 28.)), at((100., 5.), (89., 23.)), at((100., 5.), (45., 24.)), at((97., 6.), (74., 22.)), at((99., 5.), (54., 17.))]),
    ("x5 5 min an hour", BAD_MINUTES, 5.0, [at((100., 4.5), (100., 23.)), at((100., 4.5), (100., 8.)), at((100., 4.5), (90., 18.)), at((100., 5.5), (96., 12.)), at((100., 4.5), (85., 16.))]),
    ("cv .5", CV_5, 5.0, [at((99., 4.), (68., 7.)), at((100., 4.), (96., 4.)), at((100., 4.), (77., 9.)), at((100., 5.), (88., 5.)), None]),
];

/// Equal pods, x1.5 at 50 rps: found, without and with.
const EQUAL: [(f64, f64); 5] = [(30., 25.), (95., 93.), (95., 89.), (100., 97.), (98., 92.)];

/// Promoted by 60 minutes at 20:1, 4:1 and 3:3: the law, the canary, requests per second.
type Promoted = (&'static str, PodLaw, f64, usize, [f64; 3], [f64; 3]);

#[rustfmt::skip]
const PROMOTED: [Promoted; 11] = [
    ("cv .2", CV_2, 1.0, 1, [87., 73., 81.], [95., 89., 93.]),
    ("cv .2", CV_2, 1.0, 2, [75., 71., 80.], [93., 91., 93.]),
    ("cv .5", CV_5, 1.0, 1, [77., 71., 70.], [87., 81., 76.]),
    ("cv .5", CV_5, 1.0, 2, [65., 66., 57.], [80., 80., 69.]),
    ("x5 5 min an hour", BAD_MINUTES, 1.0, 1, [75., 77., 80.], [77., 78., 90.]),
    ("x5 5 min an hour", BAD_MINUTES, 1.0, 2, [82., 73., 77.], [84., 73., 85.]),
    ("cv .2", CV_2, 1.5, 1, [23., 15., 6.], [43., 35., 24.]),
    ("cv .2", CV_2, 2.0, 1, [4., 1., 0.], [9., 6., 0.]),
    ("cv .2", CV_2, 2.5, 1, [0., 0., 0.], [1.3, 0.7, 0.]),
    ("x5 5 min an hour", BAD_MINUTES, 2.0, 1, [1.3, 7., 5.], [14., 23., 9.]),
    ("cv .5", CV_5, 2.5, 1, [12., 9., 3.], [18., 17., 6.]),
];

const BOTH: [(PodSpread, &str); 2] = [(PodSpread::Off, "without"), (PodSpread::On, "with")];

pub(super) fn identical(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(4, 200);
    let mut lines = Vec::new();
    for Row(name, law, is_even, by_pods) in IDENTICAL {
        for (pods, figures) in PODS.into_iter().zip(by_pods) {
            let Some((without, with)) = figures else {
                continue;
            };
            for (place, traffic) in TRAFFIC.into_iter().enumerate() {
                let fleet = fleet(traffic, pods, law, is_even);
                let figures = [without, with].map(|all| all.get(place).copied());
                let case = case(name, pods, traffic);
                lines.extend(without_and_with(bench, &case, fleet, pods, figures));
            }
        }
    }
    let equal = fleet((500.0, 0.005), (20, 1), PodLaw::Equal, true);
    let case = case("equal pods", (20, 1), (500.0, 0.005));
    let none = [Some(0.0); 2];
    lines.extend(without_and_with(bench, &case, equal, (20, 1), none));
    for (pods, without) in OF_SHORT_LIVED {
        for (traffic, without) in TRAFFIC.into_iter().zip(without) {
            let fleet = fleet(traffic, pods, SHORT_LIVED, true);
            let case = self::case("cv .2, control pods live 10 min", pods, traffic);
            let figures = [Some(without), Some(0.0)];
            lines.extend(without_and_with(bench, &case, fleet, pods, figures));
        }
    }
    lines
}

fn without_and_with(
    bench: &Bench<'_, impl Executor>,
    case: &str,
    fleet: FleetDescription,
    pods: (usize, usize),
    figures: [Option<f64>; 2],
) -> Vec<Line> {
    let each = BOTH.into_iter().zip(figures);
    each.filter_map(|((spread, name), now)| {
        let quantity = format!("{case}, {name}: false");
        let trial = trial(fleet, pods, spread);
        Some(bench.false_rollbacks(quantity, &trial, now?, KNOWN))
    })
    .collect()
}

pub(super) fn faults(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(4, 200);
    let mut lines = Vec::new();
    for (pods, (without, with)) in PODS.into_iter().zip(EQUAL) {
        let fleet = fleet((50.0, 0.01), pods, PodLaw::Equal, true).times(1.5);
        for ((spread, name), now) in BOTH.into_iter().zip([without, with]) {
            let case = case("equal pods", pods, (50.0, 0.01));
            let quantity = format!("{case}, x1.5, {name}: found");
            let trial = trial(fleet, pods, spread);
            lines.push(bench.false_rollbacks(quantity, &trial, now, FAULTS));
        }
    }
    for (law_name, law, times, by_pods) in FAULTY {
        for (pods, figures) in PODS.into_iter().zip(by_pods) {
            let Some((without, with)) = figures else {
                continue;
            };
            let traffic = (500.0, 0.005);
            let fleet = fleet(traffic, pods, law, true).times(times);
            for ((spread, name), (now, median)) in BOTH.into_iter().zip([without, with]) {
                let outcomes = bench.run(&trial(fleet, pods, spread));
                let case = format!("{}, x{times}, {name}", case(law_name, pods, traffic));
                let quantity = format!("{case}: found");
                let share = found(&outcomes);
                lines.push(Line::percent(quantity, share, now.into(), FAULTS));
                if let Some(median) = median {
                    let quantity = format!("{case}: median of these");
                    lines.push(minutes_of_found(quantity, &outcomes, 0, median, FAULTS));
                }
            }
        }
    }
    lines
}

pub(super) fn promoted(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = &bench.part(4, 200);
    let mut lines = Vec::new();
    for (law_name, law, times, place, without, with) in PROMOTED {
        let Some(traffic) = TRAFFIC.get(place).copied() else {
            continue;
        };
        let by_pods = [(20, 1), (4, 1), (3, 3)].into_iter().zip(without).zip(with);
        for ((pods, without), with) in by_pods {
            let fleet = fleet(traffic, pods, law, true).times(times);
            for ((spread, name), now) in BOTH.into_iter().zip([without, with]) {
                let trial = trial(fleet, pods, spread).promoting(Ends::WhenShown);
                let share = completed(&bench.run(&trial));
                let case = case(law_name, pods, traffic);
                let quantity = format!("{case}, x{times}, {name}: promoted");
                lines.push(Line::percent(quantity, share, now.into(), KNOWN));
            }
        }
    }
    lines
}

fn case(law: &str, (control, canary): (usize, usize), (traffic, rate): (f64, f64)) -> String {
    format!(
        "{law}, {control}:{canary}, {traffic} rps {} %",
        100.0 * rate
    )
}

fn fleet(
    (traffic, rate): (f64, f64),
    (control, canary): (usize, usize),
    each: PodLaw,
    is_even: bool,
) -> FleetDescription {
    FleetDescription::good(traffic, rate).by(Law::Pods {
        canary,
        control,
        each,
        is_even,
    })
}

fn trial(fleet: FleetDescription, (control, canary): (usize, usize), pods: PodSpread) -> Trial {
    let stage = RampStage {
        share: canary as f64 / (control + canary) as f64,
        least: HOUR,
        most: HOUR,
        held: 0,
    };
    Trial {
        ramp: vec![stage],
        warm_up: WARM_UP,
        pods,
        ..Trial::hour(fleet)
    }
}
