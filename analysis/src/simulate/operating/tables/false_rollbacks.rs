//! C1: good canaries that are rolled back within an hour, by the noise of their failures.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Judged, Trial};
use super::bench::Bench;
use super::line::{Known, Line};

const KNOWN: Known = Known {
    replicates: 1000.0,
    rounding: 0.05,
};
/// Of the nine cells, all rollouts together.
const NINE: Known = Known {
    replicates: 900.0,
    rounding: 0.05,
};

const CLUSTERS: [(f64, f64); 7] = [
    (3.0, 30.0),
    (10.0, 30.0),
    (30.0, 30.0),
    (10.0, 90.0),
    (30.0, 90.0),
    (10.0, 180.0),
    (30.0, 180.0),
];

type Figures<const N: usize> = [(f64, f64); N];

#[rustfmt::skip]
const BY_CLUSTER: [((f64, f64), Figures<7>); 4] = [
    ((20.0, 0.001), [(7.0, 0.0), (15.8, 0.0), (9.9, 0.0), (19.0, 0.0), (11.4, 0.0), (18.8, 0.7), (11.0, 0.5)]),
    ((50.0, 0.001), [(3.2, 0.0), (19.9, 0.0), (20.7, 0.0), (22.6, 0.0), (19.6, 0.0), (26.1, 1.4), (19.9, 0.3)]),
    ((100.0, 0.005), [(0.0, 0.0), (2.9, 0.0), (7.6, 0.0), (9.1, 0.4), (18.5, 0.2), (20.3, 4.2), (33.7, 2.7)]),
    ((500.0, 0.005), [(0.1, 0.0), (0.2, 0.0), (2.9, 0.0), (5.4, 0.6), (11.8, 0.3), (11.2, 3.8), (23.4, 4.5)]),
];

const NOISES: [(&str, ArmLaw); 6] = [
    ("iid", ArmLaw::INDEPENDENT),
    ("b.5", ArmLaw::white(0.5)),
    ("b1", ArmLaw::white(1.0)),
    ("AR(.8) .3", ArmLaw::DRIFT),
    ("AR(.95) .3", ArmLaw::SLOW_DRIFT),
    ("bursts", ArmLaw::BURSTS),
];

#[rustfmt::skip]
const BY_NOISE: [((f64, f64), Figures<6>); 4] = [
    ((50.0, 0.05), [(0.0, 0.0), (0.0, 0.0), (0.0, 0.4), (0.7, 0.5), (5.0, 4.4), (0.3, 0.3)]),
    ((500.0, 0.05), [(0.0, 0.0), (0.0, 0.0), (1.4, 0.0), (5.2, 5.6), (23.3, 22.8), (0.2, 0.2)]),
    ((1000.0, 0.5), [(0.0, 0.0), (0.1, 0.0), (0.9, 0.0), (4.5, 1.8), (24.2, 20.6), (2.0, 0.0)]),
    ((5000.0, 0.1), [(0.0, 0.0), (0.0, 0.0), (3.0, 0.7), (5.1, 2.5), (27.8, 23.0), (0.4, 0.0)]),
];

/// Of 900 in nine cells.
const NINE_CELLS: Figures<6> = [
    (0.0, 0.0),
    (2.0, 1.0),
    (10.0, 2.0),
    (66.0, 35.0),
    (270.0, 184.0),
    (13.0, 6.0),
];

/// Of an absolute limit, the worst cell.
const ABSOLUTE: [(&str, ArmLaw, f64); 5] = [
    ("iid", ArmLaw::INDEPENDENT, 0.0),
    ("c10/90", ArmLaw::clusters(10.0, 90.0), 3.6),
    ("AR(.8) .3", ArmLaw::DRIFT, 0.6),
    ("AR(.95) .3", ArmLaw::SLOW_DRIFT, 9.0),
    ("bursts", ArmLaw::BURSTS, 0.0),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for ((traffic, rate), figures) in BY_CLUSTER {
        for ((mean, seconds), published) in CLUSTERS.into_iter().zip(figures) {
            let law = Law::Apart(ArmLaw::clusters(mean, seconds));
            let trial = Trial::hour(FleetDescription::good(traffic, rate).by(law));
            let case = format!("{traffic} rps {} %, c{mean}/{seconds}", 100.0 * rate);
            lines.push(bench.false_rollbacks(case, &trial, published, KNOWN));
        }
    }
    for ((traffic, share), figures) in BY_NOISE {
        for ((name, law), published) in NOISES.into_iter().zip(figures) {
            let fleet = FleetDescription::good(traffic, 0.01).by(Law::Apart(law));
            let trial = Trial::hour(fleet).over(share, 120);
            let case = format!("{traffic} rps 1 %, share {} %, {name}", 100.0 * share);
            lines.push(bench.false_rollbacks(case, &trial, published, KNOWN));
        }
    }
    lines.extend(nine_cells(bench));
    lines.extend(absolute(bench));
    lines
}

/// 30,000 requests an interval, 480 intervals, `error_rate < baseline`: rates of 0.01 to 1 %, shares of 1 to 50 %.
fn nine_cells(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = bench.part(5, 100);
    let lines = NOISES.into_iter().zip(NINE_CELLS);
    let lines = lines.map(|((name, law), (before, now))| {
        let mut shares = Vec::new();
        for rate in [1e-4, 1e-3, 1e-2] {
            for share in [0.01, 0.1, 0.5] {
                let fleet = FleetDescription::good(1000.0, rate).by(Law::Apart(law));
                let trial = Trial {
                    judged: Judged::Relative(1.0),
                    ..Trial::hour(fleet).over(share, 480)
                };
                shares.push(bench.rolled_back(&trial));
            }
        }
        let of_900 = |count: f64| count / 9.0;
        let published = (of_900(before), of_900(now)).into();
        let case = format!("nine cells, limit baseline, 4 h, {name}");
        Line::percent(case, Share::pooled(&shares), published, NINE)
    });
    lines.collect()
}

/// Absolute limit of 1 %, both populations at 0.5, 0.8 and 1 %.
fn absolute(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let lines = ABSOLUTE.into_iter().map(|(name, law, most)| {
        let mut shares = Vec::new();
        for rate in [0.005, 0.008, 0.01] {
            for traffic in [20.0, 100.0, 500.0] {
                let fleet = FleetDescription::good(traffic, rate).by(Law::Apart(law));
                let trial = Trial {
                    judged: Judged::Absolute(0.01),
                    ..Trial::hour(fleet)
                };
                shares.push(bench.rolled_back(&trial));
            }
        }
        let case = format!("absolute limit 1 %, worst of 9 cells at 0.5 to 1 %, {name}");
        Line::percent_at_most(case, Share::worst(&shares), most)
    });
    lines.collect()
}
