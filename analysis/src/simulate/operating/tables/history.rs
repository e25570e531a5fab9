//! C8: what noise that was measured before does.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Ends, HistoryDescription, Outcome, Trial};
use super::bench::{Bench, completed, found, minutes};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
const PODS: usize = 4;
/// Intervals of four hours and of a day.
const FOUR_HOURS: usize = 480;
const DAY: usize = 2880;

/// Hours, minutes of the incident; of version 1 and of version 2 what is promoted of x1, found of x2.2 and of x5.
struct Incident(usize, usize, [f64; 3], [f64; 3], Option<f64>);

const INCIDENTS: [Incident; 5] = [
    Incident(FOUR_HOURS, 5, [0.0; 3], [100.0; 3], Some(2.5)),
    Incident(FOUR_HOURS, 30, [0.0; 3], [100.0, 99.0, 100.0], Some(3.0)),
    Incident(DAY, 30, [0.0; 3], [100.0; 3], Some(2.5)),
    Incident(FOUR_HOURS, 0, [100.0; 3], [100.0; 3], None),
    Incident(DAY, 0, [100.0; 3], [100.0; 3], None),
];

/// Without history, with that of version 1, and with that of version 2: false, x2.2 found at 30 minutes, good ones
/// promoted at 30 minutes.
struct Cell((f64, &'static str, ArmLaw), [f64; 3], [f64; 3], [f64; 3]);

#[rustfmt::skip]
const CELLS: [Cell; 7] = [
    Cell((500.0, "iid", ArmLaw::INDEPENDENT), [0., 100., 100.], [0., 100., 100.], [0., 100., 100.]),
    Cell((500.0, "b.5", ArmLaw::white(0.5)), [0., 86., 91.], [0., 64., 89.], [0., 85., 97.]),
    Cell((500.0, "AR(.8) .3", ArmLaw::DRIFT), [3.8, 94., 82.], [0., 22., 46.], [0., 55., 78.]),
    Cell((500.0, "AR(.95) .3", ArmLaw::SLOW_DRIFT), [21., 93., 73.], [0., 5., 10.], [0., 21., 34.]),
    Cell((500.0, "c10/90", ArmLaw::clusters(10.0, 90.0)), [0.2, 48., 27.], [0., 60., 75.], [0.7, 87., 87.]),
    Cell((500.0, "c10/180", ArmLaw::clusters(10.0, 180.0)), [2., 80., 44.], [0., 56., 78.], [1.3, 86., 92.]),
    Cell((50.0, "AR(.8) .3", ArmLaw::DRIFT), [0.5, 69., 54.], [0., 11., 22.], [0., 27., 45.]),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = after_an_incident(bench);
    lines.extend(by_law(bench));
    lines
}

/// A history in which the pod that plays the canary had an incident.
fn after_an_incident(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Incident(intervals, length, before, now, median) in INCIDENTS {
        let history = HistoryDescription {
            intervals,
            pods: PODS,
            incident: 2 * length,
        };
        let incident = match length {
            0 => "no incident".to_owned(),
            _ => format!("incident of {length} min"),
        };
        let case = format!("100 rps .5 %, history {} h, {incident}", intervals / 120);
        for (place, times) in [1.0, 2.2, 5.0].into_iter().enumerate() {
            let fleet = FleetDescription::good(100.0, 0.005).times(times);
            let trial = Trial {
                history: Some(history),
                ..Trial::hour(fleet).promoting(Ends::WhenShown)
            };
            let outcomes = bench.run(&trial);
            let (what, share) = match place {
                0 => ("promoted", completed(&outcomes)),
                _ => ("found", found(&outcomes)),
            };
            let at = |figures: [f64; 3]| figures.get(place).copied();
            let Some(now) = at(now) else { continue };
            let published = Published {
                before: at(before),
                now,
            };
            let quantity = format!("{case}, x{times}: {what}");
            lines.push(Line::percent(quantity, share, published, KNOWN));
            if let (2, Some(median)) = (place, median) {
                let quantity = format!("{case}, x{times}: median");
                lines.push(minutes(quantity, &outcomes, 0, median, KNOWN));
            }
        }
    }
    lines
}

/// A history of the same law.
fn by_law(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((traffic, name, law), none, before, now) in CELLS {
        let good = FleetDescription::good(traffic, 0.01).by(Law::Apart(law));
        let history = HistoryDescription {
            intervals: FOUR_HOURS,
            pods: PODS,
            incident: 0,
        };
        let case = format!("{traffic} rps 1 %, {name}");
        for (history, before, now, with) in [
            (None, None, none, "no history"),
            (Some(history), Some(before), now, "4 h, 1 pod of 4"),
        ] {
            let trial = |fleet| Trial {
                history,
                ..Trial::hour(fleet)
            };
            let by_30 = |at: Option<usize>| at.is_some_and(|at| at <= 60);
            let of_good = bench.run(&trial(good));
            let of_bad = bench.run(&trial(good.times(2.2)));
            let passing = bench.run(&trial(good).promoting(Ends::WhenShown));
            let shares = [
                ("false in 60", found(&of_good)),
                (
                    "x2.2 found at 30",
                    Share::counted(&of_bad, |one: &Outcome| by_30(one.rolled_back_at)),
                ),
                (
                    "promoted at 30",
                    Share::counted(&passing, |one: &Outcome| by_30(one.completed_at)),
                ),
            ];
            for (place, ((what, share), now)) in shares.into_iter().zip(now).enumerate() {
                let before = before.and_then(|before: [f64; 3]| before.get(place).copied());
                let quantity = format!("{case}, {with}: {what}");
                let published = Published { before, now };
                lines.push(Line::percent(quantity, share, published, KNOWN));
            }
        }
    }
    lines
}
