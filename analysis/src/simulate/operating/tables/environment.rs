//! C3: an absolute limit of 1 %, and incidents that both populations share.

use super::super::executor::Executor;
use super::super::laws::{Fault, FleetDescription, Law};
use super::super::measured::Share;
use super::super::trial::{Ends, Judged, Outcome, Trial};
use super::bench::{Bench, found, minutes};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
const TRAFFIC: [f64; 3] = [20.0, 100.0, 500.0];
const HALF_AN_HOUR: usize = 60;
/// Five minutes with 6 %, ten minutes after the beginning.
const INCIDENT: Law = Law::Incident {
    first: 20,
    end: 30,
    rate: 0.06,
};

type ByTraffic = [(f64, f64); 3];

/// What the control fails and the canary, from an interval on; found and after how many minutes, by traffic.
struct Bad(
    &'static str,
    f64,
    Fault,
    usize,
    Option<ByTraffic>,
    Option<ByTraffic>,
);

fn bad() -> [Bad; 3] {
    [
        Bad(
            "canary 2 %, control .3 %",
            0.003,
            Fault::Times(2.0 / 0.3),
            0,
            Some([(90.0, 86.0), (100.0, 100.0), (100.0, 100.0)]),
            Some([(33.0, 36.0), (9.0, 9.5), (4.0, 4.0)]),
        ),
        Bad(
            "canary 3 %, control .8 %",
            0.008,
            Fault::Times(3.0 / 0.8),
            0,
            Some([(100.0, 99.5), (100.0, 100.0), (100.0, 100.0)]),
            Some([(11.5, 18.0), (3.5, 4.5), (2.0, 2.5)]),
        ),
        Bad(
            "control 1.3 %, canary 13 % from min 30",
            0.013,
            Fault::From(HALF_AN_HOUR, 10.0),
            0,
            Some([(18.0, 100.0), (1.0, 100.0), (4.0, 100.0)]),
            Some([(f64::NAN, 35.0), (f64::NAN, 33.0), (f64::NAN, 33.5)]),
        ),
    ]
}

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Bad(name, rate, fault, onset, shares, medians) in bad() {
        for (place, traffic) in TRAFFIC.into_iter().enumerate() {
            let fleet = FleetDescription::good(traffic, rate).with(fault);
            let outcomes = bench.run(&absolute(fleet));
            let at = |figures: Option<ByTraffic>| figures?.get(place).copied();
            let case = format!("{name}, {traffic} rps");
            if let Some(published) = at(shares) {
                let share = found(&outcomes);
                let quantity = format!("{case}: found");
                lines.push(Line::percent(quantity, share, published.into(), KNOWN));
            }
            if let Some((before, now)) = at(medians) {
                let quantity = format!("{case}: median");
                let mut line = minutes(quantity, &outcomes, onset, (before, now), KNOWN);
                line.before = line.before.filter(|before| !before.is_nan());
                lines.push(line);
            }
        }
    }
    for (name, rate, fault, law, figures) in [
        ("both 1.3 %", 0.013, Fault::Times(1.0), None, None),
        (
            "incident of 5 min at 6 %, both .3 %",
            0.003,
            Fault::Times(1.0),
            Some(INCIDENT),
            None,
        ),
        (
            "the same, then canary .9 %",
            0.003,
            Fault::From(30, 3.0),
            Some(INCIDENT),
            Some([14.0, 78.0, 100.0]),
        ),
    ] {
        for (place, traffic) in TRAFFIC.into_iter().enumerate() {
            // Version 1 had 0 to 8 % of the first two.
            let before = figures.and_then(|figures: [f64; 3]| figures.get(place).copied());
            let published = Published { before, now: 0.0 };
            let good = FleetDescription::good(traffic, rate).with(fault);
            let fleet = law.map_or(good, |law| good.by(law));
            let case = format!("{name}, {traffic} rps: false");
            lines.push(bench.false_rollbacks(case, &absolute(fleet), published, KNOWN));
        }
    }
    lines.extend(promoted(bench));
    lines
}

/// Promoted at 30 and by 60 minutes after an incident of 5 minutes.
fn promoted(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    let figures = [(39.0, 93.0), (99.0, 100.0), (100.0, 100.0)];
    for (traffic, (at_once, by_the_end)) in TRAFFIC.into_iter().zip(figures) {
        let good = FleetDescription::good(traffic, 0.003).by(INCIDENT);
        let outcomes = bench.run(&absolute(good).promoting(Ends::WhenShown));
        let by = |intervals| {
            let is_in_time = |one: &Outcome| one.completed_at.is_some_and(|at| at <= intervals);
            Share::counted(&outcomes, is_in_time)
        };
        for (minutes, now) in [(30, at_once), (60, by_the_end)] {
            let case =
                format!("good .3 % after the incident, {traffic} rps: promoted by {minutes}");
            let published = (0.0, now).into();
            lines.push(Line::percent(case, by(2 * minutes), published, KNOWN));
        }
        let at_the_limit = good.with(Fault::From(30, 10.0 / 3.0));
        let outcomes = bench.run(&absolute(at_the_limit).promoting(Ends::WhenShown));
        let share = Share::counted(&outcomes, |one| one.completed_at.is_some());
        let case = format!("canary at the limit after it, {traffic} rps: promoted");
        lines.push(Line::percent_at_most(case, share, 1.0));
    }
    lines
}

fn absolute(fleet: FleetDescription) -> Trial {
    Trial {
        judged: Judged::Absolute(0.01),
        ..Trial::hour(fleet)
    }
}
