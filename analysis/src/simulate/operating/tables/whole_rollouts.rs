//! C0: whole rollouts through 5, 25 and 50 %.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Ends, Outcome, RampStage, Trial};
use super::Line;
use super::bench::{Bench, completed, found};
use super::line::{Known, Published};

const KNOWN: Known = Known {
    replicates: 200.0,
    rounding: 0.5,
};
const INDEPENDENT: (&str, ArmLaw) = ("iid", ArmLaw::INDEPENDENT);
const DRIFT: (&str, ArmLaw) = ("AR(.8)", ArmLaw::DRIFT);
const CLUSTERS: (&str, ArmLaw) = ("c5/90", ArmLaw::clusters(5.0, 90.0));

/// Rolled back, completed, stuck.
type Fates = [f64; 3];
/// Of version 1, then of version 2.
type Both = (Fates, Fates);

/// A stage's minutes, requests per second and failure rate; the law, the canary, and what comes of it where a
/// stage that shows nothing is held, and where it is promoted.
struct Cell(
    (usize, f64, f64),
    (&'static str, ArmLaw),
    f64,
    Option<Both>,
    Option<Both>,
);

#[rustfmt::skip]
const CELLS: [Cell; 31] = [
    Cell((5, 20.0, 0.01), INDEPENDENT, 1.0, both([0., 6., 94.], [0., 6., 94.]), both([0., 100., 0.], [0., 96., 4.])),
    Cell((5, 20.0, 0.01), INDEPENDENT, 1.5, both([0., 0., 100.], [0., 0., 100.]), both([0., 100., 0.], [0., 18., 82.])),
    Cell((5, 20.0, 0.01), INDEPENDENT, 2.2, both([0., 0., 100.], [2., 0., 98.]), both([36., 64., 0.], [27., 0., 73.])),
    Cell((5, 20.0, 0.01), INDEPENDENT, 5.0, both([89., 0., 11.], [84., 0., 16.]), both([100., 0., 0.], [89., 0., 11.])),
    Cell((5, 20.0, 0.01), DRIFT, 1.0, both([0., 8., 92.], [0., 7., 93.]), both([0., 100., 0.], [2., 82., 16.])),
    Cell((5, 20.0, 0.01), CLUSTERS, 1.0, both([3., 6., 90.], [0., 0., 100.]), both([7., 93., 0.], [1., 76., 22.])),
    Cell((5, 100.0, 0.001), INDEPENDENT, 1.0, both([0., 0., 100.], [0., 14., 86.]), both([0., 100., 0.], [0., 95., 5.])),
    Cell((5, 100.0, 0.001), INDEPENDENT, 2.2, both([0., 0., 100.], [0., 0., 100.]), both([12., 88., 0.], [16., 0., 84.])),
    Cell((5, 100.0, 0.001), CLUSTERS, 1.0, both([5., 2., 94.], [0., 1., 99.]), both([14., 86., 0.], [0., 85., 14.])),
    Cell((10, 100.0, 0.001), INDEPENDENT, 1.0, both([0., 10., 90.], [0., 58., 42.]), both([0., 100., 0.], [0., 98., 2.])),
    Cell((10, 100.0, 0.001), INDEPENDENT, 1.5, both([0., 0., 100.], [0., 11., 89.]), both([1., 99., 0.], [4., 36., 60.])),
    Cell((10, 100.0, 0.001), INDEPENDENT, 2.2, both([2., 0., 98.], [6., 0., 94.]), both([65., 35., 0.], [30., 0., 70.])),
    Cell((10, 100.0, 0.001), CLUSTERS, 1.0, both([7., 6., 86.], [0., 2., 98.]), both([20., 80., 0.], [1., 86., 12.])),
    Cell((10, 100.0, 0.001), CLUSTERS, 2.2, both([20., 0., 80.], [1., 0., 99.]), both([58., 42., 0.], [4., 18., 78.])),
    Cell((10, 100.0, 0.01), INDEPENDENT, 1.0, both([0., 100., 0.], [0., 99., 1.]), both([0., 100., 0.], [0., 99., 1.])),
    Cell((10, 100.0, 0.01), INDEPENDENT, 1.5, both([8., 15., 77.], [28., 0., 72.]), both([14., 86., 0.], [30., 0., 70.])),
    Cell((10, 100.0, 0.01), INDEPENDENT, 2.2, both([94., 0., 6.], [96., 0., 4.]), both([100., 0., 0.], [97., 0., 3.])),
    Cell((10, 100.0, 0.01), DRIFT, 1.0, both([1., 82., 17.], [2., 74., 24.]), both([1., 99., 0.], [5., 86., 8.])),
    Cell((10, 100.0, 0.01), CLUSTERS, 1.0, both([0., 46., 54.], [0., 38., 62.]), both([2., 98., 0.], [0., 90., 9.])),
    Cell((10, 500.0, 0.01), INDEPENDENT, 1.5, both([30., 66., 3.], [88., 0., 12.]), both([36., 64., 0.], [84., 0., 16.])),
    Cell((10, 500.0, 0.01), DRIFT, 1.0, both([6., 88., 6.], [6., 74., 20.]), both([3., 97., 0.], [9., 78., 12.])),
    Cell((30, 20.0, 0.01), INDEPENDENT, 1.0, both([0., 96., 4.], [0., 88., 12.]), both([0., 100., 0.], [0., 98., 2.])),
    Cell((30, 20.0, 0.01), INDEPENDENT, 1.5, both([16., 10., 74.], [20., 0., 80.]), both([52., 48., 0.], [24., 0., 76.])),
    Cell((30, 100.0, 0.001), INDEPENDENT, 1.0, both([0., 70., 30.], [0., 96., 4.]), both([0., 100., 0.], [0., 99., 1.])),
    Cell((30, 100.0, 0.001), INDEPENDENT, 1.5, both([2., 3., 95.], [16., 10., 74.]), both([19., 81., 0.], [20., 10., 70.])),
    Cell((30, 100.0, 0.001), CLUSTERS, 1.0, both([12., 10., 79.], [0., 26., 74.]), both([32., 68., 0.], [0., 90., 9.])),
    Cell((30, 100.0, 0.01), INDEPENDENT, 1.5, both([82., 16., 1.], [70., 0., 30.]), both([89., 11., 0.], [74., 0., 26.])),
    Cell((30, 100.0, 0.01), DRIFT, 1.0, both([4., 96., 0.], [4., 90., 6.]), both([2., 98., 0.], [4., 92., 3.])),
    // Veto at 90 %, of the table of what was rejected.
    Cell((10, 20.0, 0.01), INDEPENDENT, 1.0, None, now(100.)),
    Cell((10, 20.0, 0.01), INDEPENDENT, 1.5, None, now(5.)),
    Cell((10, 20.0, 0.01), INDEPENDENT, 2.2, None, now(0.)),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is written beside cells that have none"
)]
const fn both(before: Fates, now: Fates) -> Option<Both> {
    Some((before, now))
}

/// Only what was completed is known.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it is written beside cells that have none"
)]
const fn now(completed: f64) -> Option<Both> {
    Some(([f64::NAN; 3], [f64::NAN, completed, f64::NAN]))
}

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((minutes, traffic, rate), (law_name, law), times, hold, promote) in CELLS {
        let fleet = FleetDescription::good(traffic, rate)
            .by(Law::Apart(law))
            .times(times);
        let stage = |share| RampStage {
            share,
            least: 2 * minutes,
            most: 4 * minutes,
            held: 0,
        };
        for (ends, published) in [
            (Ends::WhenShown, hold),
            (Ends::WhenShownOrUnsuspected, promote),
        ] {
            let Some(published) = published else {
                continue;
            };
            let trial = Trial {
                ramp: [0.05, 0.25, 0.5].map(stage).to_vec(),
                ends,
                ..Trial::hour(fleet)
            };
            let rule = match ends {
                Ends::WhenShownOrUnsuspected => "promote",
                Ends::WhenShown | Ends::ByTheClock => "hold",
            };
            let percent = 100.0 * rate;
            let case =
                format!("{minutes} min, {traffic} rps {percent} %, {law_name} x{times}, {rule}");
            lines.extend(fates(&case, &bench.run(&trial), published));
        }
    }
    lines
}

fn fates(case: &str, outcomes: &[Outcome], (before, now): Both) -> Vec<Line> {
    let is_stuck = |one: &Outcome| one.rolled_back_at.is_none() && one.completed_at.is_none();
    let shares = [
        ("rolled back", found(outcomes)),
        ("completed", completed(outcomes)),
        ("stuck", Share::counted(outcomes, is_stuck)),
    ];
    let each = shares.into_iter().zip(before.into_iter().zip(now));
    each.filter(|(_, (_, now))| !now.is_nan())
        .map(|((what, share), (before, now))| {
            let published = Published {
                before: Some(before).filter(|before| !before.is_nan()),
                now,
            };
            Line::percent(format!("{case}: {what}"), share, published, KNOWN)
        })
        .collect()
}
