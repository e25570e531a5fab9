//! A share of requests: events among all, two counters of the same targets.

use super::counting::{Counter, count};
use super::ledger::{Group, Ledger, group};
use super::{
    ArmCount, Grid, Heartbeats, PairedCounts, PairedInterval, Populations, Sampling, Series,
};
use std::borrow::Borrow;

use ndarray::{Array2, Axis};

/// Counts events and all requests of both populations on the grid.
///
/// What counts is said in [`super`]. A series may be among both: events that are some of the total's
/// series need not be read again.
///
/// An interval in which a population had more events than requests is joined to the next.
pub fn proportion<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    events: Populations<&[S]>,
    total: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> PairedCounts {
    let arm = |events, total, heartbeats| Arm::count((grid, sampling), events, total, heartbeats);
    let control = arm(events.control, total.control, heartbeats.control);
    let canary = arm(events.canary, total.canary, heartbeats.canary);
    let ledgers = Populations {
        control: &control.ledger,
        canary: &canary.ledger,
    };
    let (groups, quality) = group(grid, ledgers, |group| {
        [&control, &canary].into_iter().all(|arm| {
            let sums = arm.sum(group);
            sums.events <= sums.exposure
        })
    });
    PairedCounts {
        intervals: groups
            .into_iter()
            .map(|group| PairedInterval {
                first: group.first,
                length: group.length,
                control: control.sum(group),
                canary: canary.sum(group),
            })
            .collect(),
        quality,
    }
}

/// The columns of a proportion's counts.
const TOTAL: usize = 0;
const EVENTS: usize = 1;

/// One population's counts by interval.
struct Arm {
    counts: Array2<f64>,
    ledger: Ledger,
}

impl Arm {
    fn count<S: Borrow<Series>>(
        on: (&Grid, Sampling),
        events: &[S],
        total: &[S],
        heartbeats: &Heartbeats,
    ) -> Self {
        let all = || events.iter().chain(total).map(Borrow::borrow);
        let heartbeats = heartbeats.known_by(on.1, all());
        let mut ledger = Ledger::new(on.0, on.1, &heartbeats);
        let counters = |series, column| {
            let all: std::slice::Iter<'_, S> = series;
            all.map(move |one| Counter {
                series: one.borrow(),
                column,
            })
        };
        let counters = counters(total.iter(), TOTAL).chain(counters(events.iter(), EVENTS));
        let counts = count(on, counters, 2, &heartbeats, &mut ledger);
        Self { counts, ledger }
    }

    fn sum(&self, group: Group) -> ArmCount {
        let sum = |column| group.sum(&self.counts.index_axis(Axis(1), column));
        ArmCount {
            events: sum(EVENTS),
            exposure: sum(TOTAL),
        }
    }
}
