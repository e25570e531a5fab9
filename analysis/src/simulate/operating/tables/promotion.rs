//! C5: promotion, in a stage of 30 minutes that lasts at most 60.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Ends, Outcome, Trial};
use super::bench::{Bench, completed, found};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};

/// Version 1 and version 2, percent, where the design says them.
type Pair = Option<(f64, f64)>;

/// Requests per second, failure rate, law; the canary, then what is rolled back and what is promoted.
struct Cell(
    (f64, f64),
    (&'static str, ArmLaw),
    &'static [(f64, Pair, Pair)],
);

const INDEPENDENT: (&str, ArmLaw) = ("", ArmLaw::INDEPENDENT);
const DRIFT: (&str, ArmLaw) = (" AR(.8)", ArmLaw::DRIFT);
const CLUSTERS: (&str, ArmLaw) = (" c5/30", ArmLaw::clusters(5.0, 30.0));

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is written beside cells that have none"
)]
const fn pair(before: f64, now: f64) -> Pair {
    Some((before, now))
}

#[rustfmt::skip]
const CELLS: [Cell; 9] = [
    Cell((20.0, 0.01), INDEPENDENT, &[
        (1.0, pair(0., 0.), pair(95., 91.)),
        (1.1, None, pair(86., 80.)),
        (1.3, None, pair(60., 56.)),
        (1.5, pair(6., 4.), pair(26., 25.)),
        (1.8, pair(35., 32.), pair(4., 4.)),
        (2.2, pair(90., 85.), pair(0., 0.)),
    ]),
    Cell((50.0, 0.01), INDEPENDENT, &[
        (1.0, pair(0., 0.), pair(100., 99.)),
        (1.1, None, pair(100., 97.)),
        (1.3, None, pair(93., 72.)),
        (1.5, pair(25., 24.), pair(57., 28.)),
        (1.8, pair(89., 89.), pair(5., 0.)),
        (2.2, pair(100., 99.), pair(0., 0.)),
    ]),
    Cell((100.0, 0.001), INDEPENDENT, &[
        (1.0, pair(0., 0.), pair(72., 95.)),
        (1.1, None, pair(58., 94.)),
        (1.3, None, pair(28., 83.)),
        (1.5, pair(2., 1.), pair(14., 63.)),
        (1.8, pair(10., 8.), pair(2., 36.)),
        (2.2, pair(48., 43.), pair(0., 9.)),
    ]),
    Cell((500.0, 0.01), INDEPENDENT, &[
        (1.0, pair(0., 0.), pair(100., 100.)),
        (1.1, None, pair(100., 99.)),
        (1.3, pair(4., 82.), pair(95., 2.)),
        (1.5, pair(92., 100.), pair(8., 0.)),
        (1.8, pair(100., 100.), None),
        (2.2, pair(100., 100.), None),
    ]),
    Cell((100.0, 0.3), INDEPENDENT, &[
        (1.0, pair(0., 0.), pair(100., 100.)),
        (1.1, None, pair(100., 100.)),
        (1.3, pair(5., 100.), pair(95., 0.)),
        (1.5, pair(100., 100.), None),
    ]),
    Cell((50.0, 0.01), DRIFT, &[
        (1.0, pair(0., 0.), pair(98., 96.)),
        (1.5, pair(28., 26.), pair(45., 33.)),
        (2.2, pair(97., 94.), pair(1., 0.)),
    ]),
    Cell((500.0, 0.01), DRIFT, &[
        (1.0, pair(3., 3.), pair(96., 95.)),
        (1.5, pair(60., 62.), pair(39., 19.)),
        (2.2, pair(99., 98.), pair(0., 0.)),
    ]),
    Cell((50.0, 0.01), CLUSTERS, &[
        (1.0, pair(0., 0.), pair(58., 46.)),
        (1.1, None, pair(49., 36.)),
        (1.3, None, pair(31., 25.)),
        (1.5, pair(2., 0.), pair(20., 15.)),
        (1.8, pair(8., 0.), pair(9., 6.)),
        (2.2, pair(25., 0.), pair(3., 1.)),
    ]),
    Cell((500.0, 0.01), CLUSTERS, &[
        (1.0, pair(0., 0.), pair(100., 99.)),
        (1.1, None, pair(99., 96.)),
        (1.3, None, pair(95., 72.)),
        (1.5, pair(31., 16.), pair(63., 20.)),
        (1.8, pair(94., 71.), pair(4., 0.)),
        (2.2, pair(100., 97.), None),
    ]),
];

/// Few errors or none: requests per second, the control's rate and the canary's; rolled back, promoted at 30 and
/// by 60 minutes.
struct Few((f64, f64, f64), Pair, Pair, Pair);

/// Where no failure was before, a canary's rate is this one's multiple.
const NO_FAILURES: f64 = 1e-12;

#[rustfmt::skip]
const FEW: [Few; 8] = [
    Few((100.0, NO_FAILURES, 0.0), pair(0., 0.), pair(0., 100.), pair(0., 100.)),
    Few((500.0, NO_FAILURES, 0.0), pair(0., 0.), pair(0., 100.), pair(0., 100.)),
    Few((100.0, NO_FAILURES, 0.0005), Some((f64::NAN, 83.)), None, Some((f64::NAN, 16.))),
    Few((500.0, NO_FAILURES, 0.0005), Some((f64::NAN, 100.)), None, None),
    Few((100.0, NO_FAILURES, 0.002), Some((f64::NAN, 100.)), None, None),
    Few((100.0, 1e-4, 1e-4), None, pair(0., 69.), pair(0., 99.)),
    Few((500.0, 1e-4, 1e-4), None, pair(6., 99.), pair(32., 100.)),
    Few((100.0, 1e-3, 1e-3), None, pair(23., 57.), pair(67., 97.)),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((traffic, rate), (law_name, law), canaries) in CELLS {
        for (times, rolled_back, promoted) in canaries {
            let fleet = FleetDescription::good(traffic, rate).by(Law::Apart(law));
            let outcomes = bench.run(&stage(fleet.times(*times)));
            let case = format!("{traffic} rps {} %{law_name}, x{times}", 100.0 * rate);
            lines.extend(percent(
                &case,
                "rolled back",
                found(&outcomes),
                *rolled_back,
            ));
            lines.extend(percent(
                &case,
                "promoted by 60",
                completed(&outcomes),
                *promoted,
            ));
        }
    }
    let crash = stage(FleetDescription::good(100.0, 1e-4).times(10.0));
    let case = "100 rps .01 %, x10: rolled back";
    lines.push(bench.false_rollbacks(case, &crash, (99.0, 96.0), KNOWN));
    for Few((traffic, control, canary), rolled_back, at_once, by_the_end) in FEW {
        let fleet = FleetDescription::good(traffic, control).times(canary / control);
        let outcomes = bench.run(&stage(fleet));
        let rate = if control > NO_FAILURES {
            100.0 * control
        } else {
            0.0
        };
        let case = format!(
            "{traffic} rps, control {rate} %, canary {} %",
            100.0 * canary
        );
        let is_at_once = |one: &Outcome| one.completed_at.is_some_and(|at| at <= 60);
        let at_30 = Share::counted(&outcomes, is_at_once);
        lines.extend(percent(&case, "rolled back", found(&outcomes), rolled_back));
        lines.extend(percent(&case, "promoted at 30", at_30, at_once));
        lines.extend(percent(
            &case,
            "promoted by 60",
            completed(&outcomes),
            by_the_end,
        ));
    }
    lines
}

fn stage(fleet: FleetDescription) -> Trial {
    Trial::hour(fleet).promoting(Ends::WhenShown)
}

fn percent(case: &str, what: &str, share: Share, figures: Pair) -> Option<Line> {
    let (before, now) = figures?;
    let before = Some(before).filter(|before| !before.is_nan());
    let published = Published { before, now };
    Some(Line::percent(
        format!("{case}: {what}"),
        share,
        published,
        KNOWN,
    ))
}
