//! Populations with other mixes of requests: compared within strata, each value of a label by itself.
//!
//! A canary that gets more of an endpoint that fails more often is worse as a whole though every endpoint
//! is as good. Within a stratum the mix cannot matter: what an interval proves is the sum of what its
//! strata prove.
//!
//! Source: docs/design/statistics.md, "4.8 Strata".

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

/// The most of the canary's requests that may be of a stratum that the control has none of.
const MOST_UNMATCHED: f64 = 0.01;

/// The counts of a check that is compared within strata.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strata {
    /// By name, both populations in each of the joined intervals.
    all: Vec<(String, Vec<PairedInterval>)>,
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
        Some(Self {
            all: names.into_iter().map(of_name).collect(),
        })
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().map(|(name, _)| name.clone()).collect()
    }

    /// How many pairs of counts there are for each interval of the grid.
    pub(super) fn per_interval(&self) -> usize {
        self.all.len().max(1)
    }

    /// The pairs of counts of each interval of the grid, one after the other: each stratum by itself.
    pub(super) fn on_every_interval(&self, intervals: usize) -> Vec<IntervalCounts> {
        let dense: Vec<Vec<IntervalCounts>> = self
            .all
            .iter()
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
            let rate = totals.control.events / totals.control.exposure;
            sums.control.events += rate * totals.canary.exposure;
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
        let worst = self.worst().map_or_else(String::new, |(name, ratio)| {
            let name = if name.is_empty() { "none" } else { name };
            format!(", {name} has {} times the control's", text::digits(ratio))
        });
        format!(
            "compared within each of {} strata, the control at the canary's mix{worst}",
            self.all.len()
        )
    }

    /// The stratum with the largest ratio of those with enough events to tell, and the ratio.
    pub(super) fn worst(&self) -> Option<(&str, f64)> {
        let ratios = self.all.iter().filter_map(|(name, intervals)| {
            let Populations { control, canary } = together(intervals);
            let is_known = control.events + canary.events >= FEWEST_EVENTS;
            if !is_known
                || control.exposure <= 0.0
                || canary.exposure <= 0.0
                || control.events <= 0.0
            {
                return None;
            }
            let ratio = canary.events / canary.exposure / (control.events / control.exposure);
            Some((name.as_str(), ratio))
        });
        ratios.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

/// Why a comparison of the whole would mislead: the populations get other mixes of requests, and at the
/// canary's mix the control would be on the other side of the limit.
pub(super) fn misled(
    check: &Check,
    mix: &OtherMix,
    totals: Populations<ArmCount>,
) -> Option<String> {
    let rate = |arm: ArmCount| arm.events / arm.exposure;
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
        let rate = |arm: ArmCount| arm.events / arm.exposure;
        assert!((rate(control) - rate(canary)).abs() < 1e-12);
        assert!((control.exposure - 3_000.0).abs() < 1e-9);
        assert_eq!(strata.worst().map(|(_, ratio)| ratio), Some(1.0));
        let worse = Strata::of(&of_other_mixes(3, 2.0)).unwrap();
        assert_eq!(worse.worst(), Some(("/pay", 2.0)));
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
        assert_eq!(pairs[..3], [IntervalCounts::default(); 3]);
        assert_eq!(pairs[3].canary, count(90.0, 900.0));
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
