//! C2: through all stages, each of which the clock ends.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, Fault, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Outcome, RampStage, Trial};
use super::bench::{Bench, minutes};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
const THREE: &[f64] = &[0.05, 0.25, 0.5];
const FOUR: &[f64] = &[0.01, 0.05, 0.25, 0.5];

/// Shares, minutes of a stage, requests per second, failure rate, and how many times the failures the canary has,
/// from a stage on. Then what is found by the end of each stage by version 1 and by version 2, and the median
/// minutes. What is found by all is left out of the end.
struct Cell(
    (&'static [f64], usize),
    (f64, f64),
    (f64, usize),
    &'static [f64],
    (&'static [f64], Option<f64>),
);

#[rustfmt::skip]
const CELLS: [Cell; 20] = [
    Cell((THREE, 30), (50.0, 0.01), (1.3, 0), &[0., 1., 2.], (&[0., 12., 41.], None)),
    Cell((THREE, 30), (50.0, 0.01), (1.5, 0), &[3., 30., 53.], (&[4., 85., 100.], Some(46.))),
    Cell((THREE, 30), (50.0, 0.01), (2.0, 0), &[65., 100.], (&[69., 100.], Some(22.))),
    Cell((THREE, 30), (50.0, 0.001), (2.0, 0), &[1., 13., 31.], (&[1., 26., 74.], Some(72.))),
    Cell((THREE, 30), (50.0, 0.001), (3.0, 0), &[15., 88., 99.], (&[18., 96., 100.], Some(39.))),
    Cell((THREE, 30), (1000.0, 0.01), (1.3, 0), &[1., 1., 1.], (&[65., 100.], Some(26.))),
    Cell((THREE, 30), (1000.0, 0.01), (1.5, 0), &[99., 100.], (&[100.], Some(11.))),
    Cell((THREE, 10), (50.0, 0.01), (1.5, 0), &[0., 0., 1.], (&[0., 13., 49.], None)),
    Cell((THREE, 10), (50.0, 0.01), (2.0, 0), &[4., 39., 60.], (&[7., 93., 100.], Some(14.))),
    Cell((THREE, 10), (50.0, 0.001), (3.0, 0), &[1., 10., 22.], (&[1., 34., 84.], Some(24.))),
    Cell((THREE, 10), (50.0, 0.001), (5.0, 0), &[9., 78., 97.], (&[11., 96., 100.], Some(13.))),
    Cell((THREE, 10), (1000.0, 0.01), (1.5, 0), &[0., 0., 0.], (&[37., 100.], Some(13.))),
    Cell((THREE, 5), (50.0, 0.01), (2.0, 0), &[0., 2., 4.], (&[0., 39., 90.], Some(11.))),
    Cell((THREE, 5), (50.0, 0.01), (3.0, 0), &[11., 79., 91.], (&[24., 99., 100.], Some(6.))),
    Cell((THREE, 5), (500.0, 0.01), (1.5, 0), &[0., 0., 0.], (&[0., 10., 90.], Some(13.))),
    Cell((THREE, 5), (500.0, 0.01), (2.0, 0), &[17., 26., 26.], (&[35., 100.], Some(7.))),
    Cell((FOUR, 15), (50.0, 0.01), (1.5, 0), &[0., 0., 2., 3.], (&[0., 1., 40., 85.], Some(48.))),
    Cell((FOUR, 15), (50.0, 0.01), (2.0, 0), &[0., 15., 87., 99.], (&[3., 43., 100.], Some(31.))),
    Cell((FOUR, 15), (50.0, 0.001), (3.0, 0), &[0., 3., 31., 62.], (&[0., 8., 73., 98.], Some(40.))),
    Cell((THREE, 30), (50.0, 0.01), (1.5, 1), &[0., 27., 49.], (&[0., 54., 98.], Some(28.))),
];

/// The same of a good canary: version 1 and version 2, percent.
struct Good(
    (&'static [f64], usize),
    (f64, f64),
    (&'static str, ArmLaw),
    Option<f64>,
    f64,
);

const GOOD: [Good; 8] = [
    Good((THREE, 30), (50.0, 0.01), IID, Some(0.0), 0.0),
    Good((THREE, 30), (1000.0, 0.01), IID, Some(0.0), 0.0),
    Good((THREE, 30), (50.0, 0.01), WHITE, Some(0.0), 0.0),
    Good((THREE, 5), (500.0, 0.01), WHITE, Some(0.0), 0.0),
    Good(
        (THREE, 30),
        (50.0, 0.001),
        ("c10/90", ArmLaw::clusters(10.0, 90.0)),
        Some(70.0),
        0.0,
    ),
    Good((THREE, 30), (50.0, 0.01), DRIFT, Some(1.0), 2.0),
    Good((THREE, 30), (1000.0, 0.01), DRIFT, Some(7.0), 7.0),
    Good((FOUR, 15), (1000.0, 0.01), DRIFT, Some(5.0), 14.0),
];
const IID: (&str, ArmLaw) = ("iid", ArmLaw::INDEPENDENT);
const WHITE: (&str, ArmLaw) = ("b.5", ArmLaw::white(0.5));
const DRIFT: (&str, ArmLaw) = ("AR(.8) .3", ArmLaw::DRIFT);

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((shares, length), (traffic, rate), (times, from), before, (now, median)) in CELLS {
        let onset = from * 2 * length;
        let fleet = FleetDescription::good(traffic, rate).with(Fault::From(onset, times));
        let outcomes = bench.run(&through(fleet, shares, length));
        let when = if from > 0 { " from stage 2 on" } else { "" };
        let case = format!(
            "{}, {traffic} rps {} %, x{times}{when}",
            ramp(shares, length),
            100.0 * rate
        );
        for (stage, &now) in now.iter().enumerate() {
            let is_found = |one: &Outcome| one.rolled_back_at.is_some() && one.stage <= stage;
            let published = Published {
                before: before.get(stage).or(before.last()).copied(),
                now,
            };
            let share = Share::counted(&outcomes, is_found);
            let quantity = format!("{case}: found by the end of stage {}", stage + 1);
            lines.push(Line::percent(quantity, share, published, KNOWN));
        }
        if let Some(median) = median {
            let quantity = format!("{case}: median");
            lines.push(minutes(quantity, &outcomes, onset, median, KNOWN));
        }
    }
    let crash = FleetDescription::good(50.0, 0.01).with(Fault::From(60, 5.0));
    let outcomes = bench.run(&through(crash, THREE, 30));
    let case = format!(
        "{}, 50 rps 1 %, x5 from stage 2 on: median",
        ramp(THREE, 30)
    );
    lines.push(minutes(case, &outcomes, 60, (3.0, 3.0), KNOWN));
    for Good((shares, length), (traffic, rate), (name, law), before, now) in GOOD {
        let fleet = FleetDescription::good(traffic, rate).by(Law::Apart(law));
        let trial = through(fleet, shares, length);
        let case = format!(
            "{}, {traffic} rps {} %, {name}: false",
            ramp(shares, length),
            100.0 * rate
        );
        lines.push(bench.false_rollbacks(case, &trial, Published { before, now }, KNOWN));
    }
    lines
}

fn ramp(shares: &[f64], length: usize) -> String {
    let shares: Vec<String> = shares
        .iter()
        .map(|share| (100.0 * share).to_string())
        .collect();
    format!("{} % x {length} min", shares.join("/"))
}

fn through(fleet: FleetDescription, shares: &[f64], minutes: usize) -> Trial {
    let stage = |share: &f64| RampStage {
        share: *share,
        least: 2 * minutes,
        most: 2 * minutes,
        held: 0,
    };
    Trial {
        ramp: shares.iter().map(stage).collect(),
        ..Trial::hour(fleet)
    }
}
