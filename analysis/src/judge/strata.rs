//! Populations with other mixes of requests: compared within strata, each value of a label by itself.
//!
//! A canary that gets more of an endpoint that fails more often is worse as a whole though every endpoint
//! is as good. Within a stratum the mix cannot matter: what an interval proves is the sum of what its
//! strata prove.
//!
//! Source: docs/design/statistics.md, "4.8 Strata".

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::interval::{Confidence, Count, proportion_ratio};
use crate::pipeline::{Check, Dimension, Limit};
use crate::populations::OtherMix;
use crate::sequential::{IntervalCounts, on_every_interval};
use crate::series::{Apart, ArmCount, PairedCounts, PairedInterval, Populations};
use crate::text;

/// Events of both populations together from which on a stratum proves something. Rarer ones prove nothing:
/// together they would be a mix themselves. Asked before each interval, of the intervals before, so that what
/// an interval proved never changes.
const FEWEST_EVENTS: f64 = 5.0;

/// The most strata that prove something: the first ones to have had their events, which are the most frequent
/// ones. The others prove nothing, as rare ones do.
const MOST_STRATA: usize = 64;

/// The most of the canary's requests that may be of a stratum that the control has none of.
const MOST_UNMATCHED: f64 = 0.01;

/// The counts of a check that is compared within strata.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strata {
    /// By name, both populations in each of the joined intervals.
    all: Vec<(String, Vec<PairedInterval>)>,
    /// The places of those that prove something as soon as they have had their events, in the order in
    /// which they had them; never none.
    proving: Vec<usize>,
    /// Whether some values are not among them, because there are too many.
    is_cut: bool,
}

impl Strata {
    /// The strata of counts; nothing where there are none.
    pub(super) fn of(counts: &PairedCounts) -> Option<Self> {
        if !counts.has_strata() {
            return None;
        }
        let Populations { control, canary } = &counts.strata;
        let names: BTreeSet<&String> = control.names.iter().chain(&canary.names).collect();
        let of_name = |name: &String| {
            let (control, canary) = (Rows::of(control, name), Rows::of(canary, name));
            let rows = counts.intervals.iter().enumerate();
            let intervals = rows.map(|(row, interval)| PairedInterval {
                control: control.at(row),
                canary: canary.at(row),
                ..*interval
            });
            (name.clone(), intervals.collect())
        };
        let all: Vec<_> = names.into_iter().map(of_name).collect();
        Some(Self {
            proving: proving(&all),
            is_cut: control.is_full() || canary.is_full(),
            all,
        })
    }

    /// Those that prove something as soon as they have had their events.
    fn proving(&self) -> impl Iterator<Item = &(String, Vec<PairedInterval>)> {
        self.proving.iter().filter_map(|place| self.all.get(*place))
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.proving().map(|(name, _)| name.clone()).collect()
    }

    /// How many pairs of counts there are for each interval of the grid.
    pub(super) fn per_interval(&self) -> usize {
        self.proving.len()
    }

    /// The pairs of counts of each interval of the grid, one after the other: each stratum by itself.
    pub(super) fn on_every_interval(&self, intervals: usize) -> Vec<IntervalCounts> {
        let dense: Vec<Vec<IntervalCounts>> = self
            .proving()
            .map(|(_, joined)| on_every_interval(joined, intervals))
            .collect();
        let mut seen = vec![0.0; dense.len()];
        let mut pairs = Vec::with_capacity(intervals.saturating_mul(self.per_interval()));
        for interval in 0..intervals {
            for (stratum, seen) in dense.iter().zip(&mut seen) {
                let counts = stratum.get(interval).copied().unwrap_or_default();
                if *seen >= FEWEST_EVENTS {
                    pairs.push(counts);
                } else {
                    pairs.push(IntervalCounts::default());
                }
                *seen += counts.control.events + counts.canary.events;
            }
        }
        pairs
    }

    /// The sums of both populations, the control's as if it had the canary's mix: the events of each
    /// stratum for as many requests as the canary's share of it. Only what both have is compared.
    pub(super) fn at_the_canarys_mix(&self) -> Populations<ArmCount> {
        let mut sums = Populations::<ArmCount>::default();
        let mut control_exposure = 0.0;
        for (_, intervals) in &self.all {
            let totals = together(intervals);
            if totals.control.exposure <= 0.0 || totals.canary.exposure <= 0.0 {
                continue;
            }
            sums.control.events += rate(totals.control) * totals.canary.exposure;
            sums.control.exposure += totals.canary.exposure;
            control_exposure += totals.control.exposure;
            sums.canary = sums.canary.and(totals.canary);
        }
        // As many requests as the control has had.
        let scale = if sums.control.exposure > 0.0 {
            control_exposure / sums.control.exposure
        } else {
            0.0
        };
        sums.control.events *= scale;
        sums.control.exposure *= scale;
        sums
    }

    /// Why strata do not compare both populations; nothing where they do.
    pub(super) fn wrong(&self) -> Option<String> {
        if self.is_cut {
            return Some(format!(
                "the label that strata names has {} values or more: it tells requests apart, and no \
                 kinds of requests; name one with fewer (a route in place of a path), or leave strata out",
                self.all.len()
            ));
        }
        let totals = || self.all.iter().map(|(name, one)| (name, alone(one)));
        let all: f64 = totals().map(|(_, one)| one.canary.exposure).sum();
        let is_missed = |one: &Populations<ArmCount>| {
            one.control.exposure <= 0.0
                && (one.canary.events >= FEWEST_EVENTS
                    || one.canary.exposure > MOST_UNMATCHED * all)
        };
        let is_outcome = |one: &Populations<ArmCount>| {
            let is_all = |arm: ArmCount| arm.exposure > 0.0 && arm.events >= 0.999 * arm.exposure;
            is_all(one.control) && is_all(one.canary)
        };
        if let Some((name, one)) = totals().find(|(_, one)| is_missed(one)) {
            return Some(format!(
                "the control has no requests of {name}, of which the canary has {} with {} events: \
                 there is nothing to compare them with",
                text::count(one.canary.exposure.round()),
                text::count(one.canary.events.round())
            ));
        }
        totals().find(|(_, one)| is_outcome(one)).map(|(name, _)| {
            format!(
                "every request of {name} is an event in both: this label tells how requests ended, \
                 and no kinds of requests"
            )
        })
    }

    /// A stratum that is shown by itself to be beyond a factor of the control's, and how far it is: the
    /// others must not make up for it.
    pub(super) fn beyond(&self, factor: f64, confidence: Confidence) -> Option<String> {
        let ratios = self.all.iter().filter_map(|(name, intervals)| {
            let Populations { control, canary } = together(intervals);
            let count = |arm: ArmCount| Count::new(arm.events, arm.exposure).ok();
            let ratio = proportion_ratio(count(canary)?, count(control)?, confidence)?;
            (ratio.interval.lower() > factor).then(|| {
                let times = ratio.value.map_or_else(|| "more".to_owned(), text::digits);
                format!(
                    "{name} alone has {times} times the control's, which the others make up for"
                )
            })
        });
        ratios.into_iter().next()
    }

    /// What is told of the comparison.
    pub(super) fn told(&self) -> String {
        let worst = self.worst().map_or_else(String::new, |worst| {
            let name = if worst.name.is_empty() {
                "none"
            } else {
                worst.name
            };
            match worst.ratio() {
                Some(ratio) => format!(", {name} has {} times the control's", text::digits(ratio)),
                None => format!(
                    ", {name} has {} events and the control none",
                    text::count(worst.arms.canary.events.round())
                ),
            }
        });
        let proving = self.proving.len();
        let others = match self.all.len().saturating_sub(proving) {
            0 => String::new(),
            others => format!(" (the most frequent ones; the {others} others prove nothing)"),
        };
        format!(
            "compared within each of {proving} strata{others}, the control at the canary's mix{worst}"
        )
    }

    /// The stratum in which the canary is worst, of those with enough events to tell. One in which only the
    /// canary has events is worse than any in which both have; of several of them the one with the highest
    /// rate is.
    fn worst(&self) -> Option<Worst<'_>> {
        let known = self.all.iter().filter_map(|(name, intervals)| {
            let arms = together(intervals);
            let is_known = arms.control.events + arms.canary.events >= FEWEST_EVENTS
                && arms.control.exposure > 0.0
                && arms.canary.exposure > 0.0;
            is_known.then_some(Worst { name, arms })
        });
        known.max_by(|one, other| {
            let rates = rate(one.arms.canary).total_cmp(&rate(other.arms.canary));
            match (one.ratio(), other.ratio()) {
                (Some(one), Some(other)) => one.total_cmp(&other),
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (None, None) => rates,
            }
        })
    }
}

/// A stratum with what both populations had in it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Worst<'a> {
    name: &'a str,
    arms: Populations<ArmCount>,
}

impl Worst<'_> {
    /// How many times the control's rate the canary's is; nothing where the control has no events.
    fn ratio(&self) -> Option<f64> {
        let Populations { control, canary } = self.arms;
        (control.events > 0.0).then(|| rate(canary) / rate(control))
    }
}

/// Which strata prove something: the first to have had their events. Asked of the intervals in their order, so
/// that one that has proved something goes on, whatever comes later.
fn proving(all: &[(String, Vec<PairedInterval>)]) -> Vec<usize> {
    let had_events_at = |intervals: &[PairedInterval]| {
        let mut seen = 0.0;
        let position = intervals.iter().position(|one| {
            seen += one.control.events + one.canary.events;
            seen >= FEWEST_EVENTS
        });
        position.unwrap_or(usize::MAX)
    };
    let mut order: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .map(|(place, (_, intervals))| (had_events_at(intervals), place))
        .collect();
    order.sort_unstable();
    if order.len() > MOST_STRATA {
        // Those that have had theirs, so that no place is taken by what proves nothing.
        let had = order.iter().filter(|(at, _)| *at < usize::MAX).count();
        order.truncate(had.clamp(1, MOST_STRATA));
    }
    order.into_iter().map(|(_, place)| place).collect()
}

/// Events for each request.
fn rate(arm: ArmCount) -> f64 {
    arm.events / arm.exposure
}

/// Why a comparison of the whole would mislead: the populations get other mixes of requests, and at the
/// canary's mix the control would be on the other side of the limit.
pub(super) fn misled(
    check: &Check,
    mix: &OtherMix,
    totals: Populations<ArmCount>,
) -> Option<String> {
    let (control, canary) = (rate(totals.control), rate(totals.canary));
    let is_kept = |control: f64| match check.limit {
        Limit::AtMost { ratio, offset } => canary <= ratio.unwrap_or(0.0) * control + offset,
        Limit::AtLeast { ratio, offset } => canary >= ratio.unwrap_or(0.0) * control + offset,
        Limit::Within { tolerance } => {
            (control * (1.0 - tolerance)..=control * (1.0 + tolerance)).contains(&canary)
        }
    };
    if is_kept(control) == is_kept(control * mix.factor) {
        return None;
    }
    let value = if mix.value.is_empty() {
        "\"\""
    } else {
        &mix.value
    };
    let share = |share: f64| text::value(share, Dimension::Fraction);
    Some(format!(
        "the canary gets another mix of {}: {value} is {} of its requests and {} of the control's, \
         which alone makes {} times the events; compare within: strata: {}",
        mix.label,
        share(mix.shares.canary),
        share(mix.shares.control),
        text::digits(mix.factor),
        mix.label
    ))
}

/// The sums of all intervals.
fn alone(intervals: &[PairedInterval]) -> Populations<ArmCount> {
    let nothing = Populations::<ArmCount>::default();
    intervals.iter().fold(nothing, |sums, one| Populations {
        control: sums.control.and(one.control),
        canary: sums.canary.and(one.canary),
    })
}

/// The sums of the intervals in which both populations had traffic.
fn together(intervals: &[PairedInterval]) -> Populations<ArmCount> {
    let mut sums = Populations::<ArmCount>::default();
    for one in intervals {
        if one.control.exposure > 0.0 && one.canary.exposure > 0.0 {
            sums.control = sums.control.and(one.control);
            sums.canary = sums.canary.and(one.canary);
        }
    }
    sums
}

/// What one name has, by row.
struct Rows<'a> {
    apart: &'a Apart<ArmCount>,
    place: Option<u32>,
}

impl<'a> Rows<'a> {
    fn of(apart: &'a Apart<ArmCount>, name: &String) -> Self {
        let place = apart.names.binary_search(name).ok();
        Self {
            apart,
            place: place.and_then(|place| u32::try_from(place).ok()),
        }
    }

    fn at(&self, row: usize) -> ArmCount {
        let found = self.place.and_then(|place| {
            let had = self.apart.rows.get(row)?;
            let index = had.binary_search_by_key(&place, |(place, _)| *place).ok()?;
            had.get(index)
        });
        found.map(|(_, count)| *count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(events: f64, exposure: f64) -> ArmCount {
        ArmCount { events, exposure }
    }

    /// Two routes, of which the second fails ten times as often; the canary gets nine tenths of it, the
    /// control one tenth. `worse`: how many times as often the canary fails on the second.
    fn of_other_mixes(intervals: usize, worse: f64) -> PairedCounts {
        let arms = Populations {
            control: [count(9.0, 900.0), count(10.0, 100.0)],
            canary: [count(1.0, 100.0), count(90.0 * worse, 900.0)],
        };
        let sum = |[one, other]: [ArmCount; 2]| one.and(other);
        let apart = |[one, other]: [ArmCount; 2]| Apart {
            names: vec!["/cart".to_owned(), "/pay".to_owned()],
            rows: vec![vec![(0, one), (1, other)]; intervals],
        };
        PairedCounts {
            intervals: (0..intervals)
                .map(|first| PairedInterval {
                    first,
                    length: 1,
                    control: sum(arms.control),
                    canary: sum(arms.canary),
                })
                .collect(),
            strata: arms.map(apart),
            ..PairedCounts::default()
        }
    }

    #[test]
    fn at_the_canarys_mix_the_control_is_as_good() {
        let strata = Strata::of(&of_other_mixes(3, 1.0)).unwrap();
        let Populations { control, canary } = strata.at_the_canarys_mix();
        assert!((rate(control) - rate(canary)).abs() < 1e-12);
        assert!((control.exposure - 3_000.0).abs() < 1e-9);
        assert_eq!(strata.worst().unwrap().ratio(), Some(1.0));
        let worse = Strata::of(&of_other_mixes(3, 2.0)).unwrap();
        assert!(
            worse.told().ends_with("/pay has 2 times the control's"),
            "{}",
            worse.told()
        );
    }

    #[test]
    fn a_stratum_in_which_only_the_canary_fails_is_told_first() {
        let mut counts = of_other_mixes(3, 5.0);
        for row in &mut counts.strata.control.rows {
            row[0].1.events = 0.0;
        }
        for row in &mut counts.strata.canary.rows {
            row[0].1.events = 40.0;
        }
        let told = Strata::of(&counts).unwrap().told();
        assert!(
            told.ends_with("/cart has 120 events and the control none"),
            "{told}"
        );
    }

    /// So many routes in as many requests, of which the last ones fail and are asked for most.
    fn of_many_routes(routes: u32) -> PairedCounts {
        let names: Vec<String> = (0..routes).map(|route| format!("/{route:03}")).collect();
        let of = |route: u32| count(f64::from(route / 20), f64::from(100 * (1 + route)));
        let row: Vec<_> = (0..routes).map(|route| (route, of(route))).collect();
        let apart = Apart {
            names,
            rows: vec![row; 4],
        };
        PairedCounts {
            strata: Populations {
                control: apart.clone(),
                canary: apart,
            },
            ..of_other_mixes(4, 1.0)
        }
    }

    #[test]
    fn of_many_values_the_most_frequent_ones_are_strata_and_this_is_told() {
        let strata = Strata::of(&of_many_routes(100)).unwrap();
        assert_eq!(strata.wrong(), None);
        assert_eq!(strata.per_interval(), 64);
        let names = strata.names();
        assert!(
            names.iter().all(|name| name.as_str() >= "/020"),
            "{names:?}"
        );
        assert!(names.contains(&"/099".to_owned()), "{names:?}");
        let told = strata.told();
        assert!(
            told.starts_with(
                "compared within each of 64 strata (the most frequent ones; the 36 others prove nothing)"
            ),
            "{told}"
        );
    }

    #[test]
    fn what_a_stratum_has_proved_stays_proved_whatever_values_come_later() {
        let many = of_many_routes(100);
        let early = PairedCounts {
            intervals: many.intervals[..2].to_vec(),
            ..many.clone()
        };
        let (early, late) = (Strata::of(&early).unwrap(), Strata::of(&many).unwrap());
        assert!(late.names().starts_with(&early.names()));
    }

    #[test]
    fn a_label_with_very_many_values_is_no_kind_of_request_and_what_to_do_is_told() {
        let why = Strata::of(&of_many_routes(400)).unwrap().wrong().unwrap();
        assert!(why.contains("400 values or more"), "{why}");
        assert!(why.contains("name one with fewer"), "{why}");
    }

    #[test]
    fn a_stratum_proves_nothing_until_it_has_had_its_events() {
        let mut counts = of_other_mixes(2, 1.0);
        for row in &mut counts.strata.control.rows {
            row[0].1.events = 1.0;
        }
        let strata = Strata::of(&counts).unwrap();
        let pairs = strata.on_every_interval(2);
        assert_eq!(pairs.len(), 2 * strata.per_interval());
        // At first nothing is known of any; then the second route has had its events.
        assert_eq!(pairs[..2], [IntervalCounts::default(); 2]);
        let had: Vec<ArmCount> = pairs[2..].iter().map(|pair| pair.canary).collect();
        assert_eq!(had, [count(90.0, 900.0), ArmCount::default()]);
    }

    #[test]
    fn what_the_control_has_none_of_cannot_be_compared() {
        let mut counts = of_other_mixes(3, 1.0);
        assert_eq!(Strata::of(&counts).unwrap().wrong(), None);
        for row in &mut counts.strata.control.rows {
            row.pop();
        }
        let told = Strata::of(&counts).unwrap().wrong().unwrap();
        assert!(
            told.starts_with("the control has no requests of /pay"),
            "{told}"
        );
    }

    #[test]
    fn a_label_that_tells_how_requests_ended_makes_no_strata() {
        let mut counts = of_other_mixes(3, 1.0);
        for row in counts
            .strata
            .control
            .rows
            .iter_mut()
            .chain(&mut counts.strata.canary.rows)
        {
            row[1].1.events = row[1].1.exposure;
        }
        let told = Strata::of(&counts).unwrap().wrong().unwrap();
        assert!(told.contains("tells how requests ended"), "{told}");
    }

    #[test]
    fn a_stratum_that_is_broken_is_not_made_up_for() {
        let strata = Strata::of(&of_other_mixes(3, 5.0)).unwrap();
        let confidence = Confidence::new(0.99).unwrap();
        let told = strata.beyond(1.5, confidence).unwrap();
        assert!(told.starts_with("/pay alone has 5 times"), "{told}");
        let as_good = Strata::of(&of_other_mixes(3, 1.0)).unwrap();
        assert_eq!(as_good.beyond(1.5, confidence), None);
    }

    #[test]
    fn counts_without_strata_have_none() {
        let counts = PairedCounts {
            strata: Populations::default(),
            ..of_other_mixes(1, 1.0)
        };
        assert_eq!(Strata::of(&counts), None);
    }
}
