//! A share of requests: events among all, two counters of the same targets.

use super::counting::{Counter, count};
use super::ledger::{Group, Ledger, group};
use super::{
    ArmCount, ByPod, Grid, Heartbeats, PairedCounts, PairedInterval, Populations, Sampling, Series,
};
use std::borrow::Borrow;
use std::collections::BTreeMap;

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
    let last = groups.last().map_or(0, |group| group.intervals().end);
    let rest = Group {
        first: last,
        length: grid.intervals().saturating_sub(last),
    };
    let rest = Populations {
        control: control.sum(rest),
        canary: canary.sum(rest),
    };
    let exceeds = |arm: ArmCount| arm.events > arm.exposure;
    let beyond_total = if exceeds(rest.control) || exceeds(rest.canary) {
        rest
    } else {
        Populations::default()
    };
    PairedCounts {
        beyond_total,
        intervals: groups
            .iter()
            .map(|&group| PairedInterval {
                first: group.first,
                length: group.length,
                control: control.sum(group),
                canary: canary.sum(group),
            })
            .collect(),
        pods: Populations {
            control: control.by_pod(&groups),
            canary: canary.by_pod(&groups),
        },
        quality,
    }
}

/// The columns of a proportion's counts.
const TOTAL: usize = 0;
const EVENTS: usize = 1;

/// One population's counts by interval.
struct Arm {
    counts: Vec<ArmCount>,
    pods: BTreeMap<String, Vec<ArmCount>>,
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
        let mut counts = vec![ArmCount::default(); on.0.intervals()];
        let mut pods = BTreeMap::<&str, Vec<ArmCount>>::new();
        count(on, counters, &heartbeats, &mut ledger, |one| {
            let of_pod = pods
                .entry(one.pod)
                .or_insert_with(|| vec![ArmCount::default(); counts.len()]);
            for counts in [&mut counts, of_pod] {
                if let Some(sum) = counts.get_mut(one.interval) {
                    match one.column {
                        EVENTS => sum.events += one.count,
                        _ => sum.exposure += one.count,
                    }
                }
            }
        });
        let pods = pods.into_iter();
        Self {
            counts,
            pods: pods.map(|(pod, counts)| (pod.to_owned(), counts)).collect(),
            ledger,
        }
    }

    fn sum(&self, group: Group) -> ArmCount {
        sum(&self.counts, group)
    }

    /// What each pod counted in each group. A group in which it counted nothing is none of it.
    fn by_pod(self, groups: &[Group]) -> ByPod<ArmCount> {
        let pods = self.pods.into_iter().map(|(pod, counts)| {
            let rows = groups.iter().map(|group| sum(&counts, *group));
            let had = rows
                .enumerate()
                .filter(|(_, count)| *count != ArmCount::default());
            (pod, had.collect())
        });
        ByPod::of_pods(groups.len(), pods.collect())
    }
}

fn sum(counts: &[ArmCount], group: Group) -> ArmCount {
    let of_group = group.of(counts).iter();
    of_group.fold(ArmCount::default(), |sum, count| sum.and(*count))
}
