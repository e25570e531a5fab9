//! A share of requests: events among all, two counters of the same targets.

use super::ledger::{Group, Ledger, group};
use super::walker::{Role, Siblings, count, step_ms};
use super::{ArmCount, Grid, Heartbeats, PairedCounts, PairedInterval, Populations, Series};

/// Counts events and all requests of both populations on the grid.
///
/// Each series is one target's counter (`sum by (instance, pod) (..)`), read at instants that
/// include the grid's boundaries, closer together than the scrapes (see
/// [`super::fine_step_ms`]). What counts is said in [`super`]; the counter of all requests tells
/// when a target was seen before its first event, and where there are no heartbeats also when its
/// process began anew.
///
/// An interval in which a population had more events than requests is joined to the next.
pub fn proportion(
    grid: &Grid,
    events: Populations<&[Series]>,
    total: Populations<&[Series]>,
    heartbeats: Populations<&Heartbeats>,
) -> PairedCounts {
    let step = step_ms(
        grid,
        [events.control, events.canary, total.control, total.canary]
            .into_iter()
            .flatten(),
    );
    let control = Arm::count(
        grid,
        step,
        events.control,
        total.control,
        heartbeats.control,
    );
    let canary = Arm::count(grid, step, events.canary, total.canary, heartbeats.canary);
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

/// One population's counts by interval.
struct Arm {
    events: Vec<f64>,
    total: Vec<f64>,
    ledger: Ledger,
}

impl Arm {
    fn count(
        grid: &Grid,
        step: i64,
        events: &[Series],
        total: &[Series],
        heartbeats: &Heartbeats,
    ) -> Self {
        let mut ledger = Ledger::new(grid, heartbeats);
        let mut siblings = Siblings::new();
        let leading = Role::Leading(&mut siblings);
        let total = count(grid, step, total, heartbeats, leading, &mut ledger);
        let following = Role::Following(&siblings);
        let events = count(grid, step, events, heartbeats, following, &mut ledger);
        Self {
            events,
            total,
            ledger,
        }
    }

    fn sum(&self, group: Group) -> ArmCount {
        ArmCount {
            events: group.sum(&self.events),
            exposure: group.sum(&self.total),
        }
    }
}
