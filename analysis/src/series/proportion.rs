//! A share of requests: events among all, two counters of the same targets.

use super::apart::few_lives;
use super::counting::{Counter, count};
use super::ledger::{Group, Ledger, group};
use super::{
    Apart, ArmCount, Grid, Heartbeats, Members, PairedCounts, PairedInterval, Populations,
    Sampling, Series,
};
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Counts events and all requests of both populations on the grid.
///
/// What counts is said in [`super`]. A series may be among both: events that are some of the total's
/// series need not be read again.
///
/// `strata` is the label by whose values the counts are told apart as well.
///
/// An interval in which a population had more events than requests is joined to the next.
pub fn proportion<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    events: Populations<&[S]>,
    total: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
    strata: Option<&str>,
) -> PairedCounts {
    let arm =
        |events, total, heartbeats| Arm::count((grid, sampling), events, total, heartbeats, strata);
    let control = arm(events.control, total.control, heartbeats.control);
    let canary = arm(events.canary, total.canary, heartbeats.canary);
    let ledgers = Populations {
        control: &control.ledger,
        canary: &canary.ledger,
    };
    let is_whole = |sums: ArmCount| sums.events <= sums.exposure;
    let (groups, quality) = group(grid, ledgers, |group| {
        is_whole(control.sum(group)) && is_whole(canary.sum(group))
    });
    let last = groups.last().map_or(0, |group| group.intervals().end);
    let rest = Group {
        first: last,
        length: grid.intervals().saturating_sub(last),
    };
    PairedCounts {
        beyond_total: beyond_total(Populations {
            control: control.sum(rest),
            canary: canary.sum(rest),
        }),
        members: Members::default(),
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
            control: apart(control.pods, &groups),
            canary: apart(canary.pods, &groups),
        },
        strata: Populations {
            control: apart(control.strata, &groups),
            canary: apart(canary.strata, &groups),
        },
        seen: Populations {
            control: control.ledger.seen(),
            canary: canary.ledger.seen(),
        },
        lives: Populations {
            control: few_lives(control.ledger.lives),
            canary: few_lives(canary.ledger.lives),
        },
        quality,
    }
}

/// What is left over at the end, where it has more events than requests.
fn beyond_total(rest: Populations<ArmCount>) -> Populations<ArmCount> {
    let exceeds = |arm: ArmCount| arm.events > arm.exposure;
    if exceeds(rest.control) || exceeds(rest.canary) {
        rest
    } else {
        Populations::default()
    }
}

/// The columns of a proportion's counts.
const TOTAL: usize = 0;
const EVENTS: usize = 1;

/// One population's counts by interval.
struct Arm {
    counts: Vec<ArmCount>,
    pods: BTreeMap<String, Vec<ArmCount>>,
    strata: BTreeMap<String, Vec<ArmCount>>,
    ledger: Ledger,
}

impl Arm {
    fn count<S: Borrow<Series>>(
        on: (&Grid, Sampling),
        events: &[S],
        total: &[S],
        heartbeats: &Heartbeats,
        strata: Option<&str>,
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
        let mut of_strata = BTreeMap::<&str, Vec<ArmCount>>::new();
        let nothing = counts.clone();
        count(on, counters, &heartbeats, &mut ledger, |one| {
            let add = |counts: &mut Vec<ArmCount>| {
                if let Some(sum) = counts.get_mut(one.interval) {
                    match one.column {
                        EVENTS => sum.events += one.count,
                        _ => sum.exposure += one.count,
                    }
                }
            };
            add(&mut counts);
            add(pods.entry(one.pod).or_insert_with(|| nothing.clone()));
            if let Some(label) = strata {
                // A label that is absent is empty, as in Prometheus.
                let value = one.labels.get(label).map_or("", String::as_str);
                add(of_strata.entry(value).or_insert_with(|| nothing.clone()));
            }
        });
        let named = |counts: BTreeMap<&str, Vec<ArmCount>>| {
            let counts = counts.into_iter();
            counts
                .map(|(name, counts)| (name.to_owned(), counts))
                .collect()
        };
        Self {
            counts,
            pods: named(pods),
            strata: named(of_strata),
            ledger,
        }
    }

    fn sum(&self, group: Group) -> ArmCount {
        sum(&self.counts, group)
    }
}

/// What each pod or stratum counted in each group. A group in which it counted nothing is none of it.
fn apart(counts: BTreeMap<String, Vec<ArmCount>>, groups: &[Group]) -> Apart<ArmCount> {
    let names = counts.into_iter().map(|(name, counts)| {
        let rows = groups.iter().map(|group| sum(&counts, *group));
        let had = rows
            .enumerate()
            .filter(|(_, count)| *count != ArmCount::default());
        (name, had.collect())
    });
    Apart::of_names(groups.len(), names.collect())
}

fn sum(counts: &[ArmCount], group: Group) -> ArmCount {
    let of_group = group.of(counts).iter();
    of_group.fold(ArmCount::default(), |sum, count| sum.and(*count))
}
