//! C9: planned and simulated medians, in intervals.

use super::super::executor::Executor;
use super::super::laws::FleetDescription;
use super::super::trial::{Ends, RampStage, Trial};
use super::bench::{Bench, delays};
use super::line::{Known, Line, Target, Unit};
use crate::proof::{Counted, Expected, FEWEST_INTERVALS, Kept, Line as Beyond};
use crate::sequential::{ErrorRate, IntervalCounts, RelativeLimit, Side};
use crate::series::ArmCount;

const KNOWN: Known = Known {
    replicates: 300.0,
    rounding: 0.5,
};
/// The longest that is simulated.
const INTERVALS: usize = 480;
/// The failure rate.
const RATE: f64 = 0.01;
const INTERVAL_SECONDS: f64 = 30.0;
/// Plans are right within a quarter of what is simulated.
const QUARTER: f64 = 0.25;

/// Requests per second, the canary's share, then how many times the failures with the planned and the simulated
/// median.
struct Cell((f64, f64), &'static [(f64, f64, f64)]);

#[rustfmt::skip]
const CELLS: [Cell; 5] = [
    Cell((20.0, 0.05), &[(2.0, 109., 104.), (3.0, 33., 39.), (5.0, 13., 15.)]),
    Cell((50.0, 0.05), &[(1.5, 193., 187.), (2.0, 47., 46.), (3.0, 16., 16.), (5.0, 8., 8.)]),
    Cell((500.0, 0.05), &[(1.5, 32., 31.5), (2.0, 13., 13.), (3.0, 7., 8.), (5.0, 5., 5.)]),
    Cell((5000.0, 0.05), &[(1.5, 20., 19.), (2.0, 10., 11.), (3.0, 6., 6.)]),
    Cell((100.0, 0.5), &[(1.5, 35., 33.), (2.0, 15., 15.), (3.0, 9., 10.), (5.0, 7., 9.)]),
];

/// Requests per second, the planned and the simulated median of a good canary, and when nine of ten are promoted.
const PROMOTIONS: [(f64, f64, f64, f64); 4] = [
    (20.0, 51.0, 46.0, 119.0),
    (50.0, 23.0, 23.5, 46.0),
    (500.0, 8.0, 8.0, 10.0),
    (5000.0, 7.0, 7.0, 7.0),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Cell((traffic, share), canaries) in CELLS {
        for &(times, planned, simulated) in canaries {
            let fleet = FleetDescription::good(traffic, RATE).times(times);
            let outcomes = bench.run(&Trial::hour(fleet).over(share, INTERVALS));
            let case = format!("{traffic} rps 1 %, share {} %, x{times}", 100.0 * share);
            let simulated = Line::median_of(
                format!("{case}: rolled back"),
                &delays(&outcomes, 0),
                (Unit::Intervals, 1.0),
                simulated.into(),
                KNOWN,
            );
            let plan = planned_rollback(traffic, share, times);
            lines.push(plan_beside(&simulated, plan, planned));
            lines.push(simulated);
        }
    }
    for (traffic, planned, simulated, nine_of_ten) in PROMOTIONS {
        let fleet = FleetDescription::good(traffic, RATE);
        let stage = RampStage {
            share: 0.05,
            least: FEWEST_INTERVALS,
            most: INTERVALS,
            held: 0,
        };
        let trial = Trial {
            ramp: vec![stage],
            ends: Ends::WhenShown,
            ..Trial::hour(fleet)
        };
        let outcomes = bench.run(&trial);
        let mut times: Vec<Option<usize>> = outcomes.iter().map(|one| one.completed_at).collect();
        let case = format!("{traffic} rps 1 %, good");
        let unit = (Unit::Intervals, 1.0);
        let quantity = format!("{case}: promoted");
        let simulated = Line::median_of(quantity, &times, unit, simulated.into(), KNOWN);
        lines.push(plan_beside(&simulated, planned_promotion(traffic), planned));
        lines.push(simulated);
        times.sort_unstable_by_key(|time| time.unwrap_or(usize::MAX));
        let ninth = times.get(times.len() * 9 / 10).copied().flatten();
        lines.push(Line {
            quantity: format!("{case}: nine of ten promoted"),
            unit: Unit::Intervals,
            before: None,
            measured: ninth.map(|at| at as f64),
            standard_error: None,
            target: Target::Near {
                value: nine_of_ten,
                tolerance: (QUARTER * nine_of_ten).max(1.0),
            },
            detail: String::new(),
        });
    }
    lines
}

/// The planned median, which must be near the design's, and within a quarter of what was simulated.
fn plan_beside(simulated: &Line, plan: Option<usize>, published: f64) -> Line {
    let measured = plan.map(|plan| plan as f64);
    let detail = match (measured, simulated.measured) {
        (Some(planned), Some(simulated)) => {
            let off = 100.0 * (planned / simulated - 1.0);
            format!("{off:+.0} % of the simulated median")
        }
        _ => String::new(),
    };
    Line {
        quantity: format!("{}, planned", simulated.quantity),
        unit: Unit::Intervals,
        before: None,
        measured,
        standard_error: None,
        target: Target::Near {
            value: published,
            tolerance: 0.0,
        },
        detail,
    }
}

fn expected(traffic: f64, share: f64, times: f64) -> Expected {
    let all = traffic * INTERVAL_SECONDS;
    let arm = |exposure: f64, times: f64| ArmCount {
        events: times * RATE * exposure,
        exposure,
    };
    Expected {
        counts: IntervalCounts {
            canary: arm(all * share, times),
            control: arm(all * (1.0 - share), 1.0),
        },
        counted: Counted::Events,
        interval_seconds: INTERVAL_SECONDS,
    }
}

fn planned_rollback(traffic: f64, share: f64, times: f64) -> Option<usize> {
    let expected = expected(traffic, share, times);
    let limit = RelativeLimit::new(1.1, 0.0, Side::Above).ok()?;
    let noise = expected.assumed_noise(None);
    expected.intervals_to_roll_back(&Beyond::Relative(limit), &noise, ErrorRate::ROLLBACK)
}

fn planned_promotion(traffic: f64) -> Option<usize> {
    let expected = expected(traffic, 0.05, 1.0);
    let limit = RelativeLimit::new(2.0, 0.001, Side::Below).ok()?;
    let noise = expected.assumed_noise(None);
    expected.intervals_to_promote(&Kept::Relative(limit), &noise, ErrorRate::PROMOTION)
}
