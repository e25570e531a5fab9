//! Populations with other mixes of requests: compared within strata, each value of a label by itself.
//!
//! A canary that gets more of an endpoint that fails more often is worse as a whole though every endpoint
//! is as good. Within a stratum the mix cannot matter: what an interval proves is the sum of what its
//! strata prove.
//!
//! Source: docs/design/statistics.md, "4.8 Strata".

use std::collections::BTreeSet;

use crate::pipeline::{Check, Dimension, Limit};
use crate::populations::OtherMix;
use crate::sequential::{IntervalCounts, on_every_interval};
use crate::series::{Apart, ArmCount, PairedCounts, PairedInterval, Populations};
use crate::text;

/// Events of both populations together from which on a stratum stands by itself; those that are rarer are
/// one stratum together. Asked before each interval, of the intervals before, so that what an interval
/// proved never changes.
const FEWEST_EVENTS: f64 = 5.0;

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

    /// How many pairs of counts there are for each interval of the grid.
    pub(super) fn per_interval(&self) -> usize {
        self.all.len() + 1
    }

    /// The pairs of counts of each interval of the grid, one after the other: each stratum by itself, and
    /// all that are rare together.
    pub(super) fn on_every_interval(&self, intervals: usize) -> Vec<IntervalCounts> {
        let dense: Vec<Vec<IntervalCounts>> = self
            .all
            .iter()
            .map(|(_, joined)| on_every_interval(joined, intervals))
            .collect();
        let mut seen = vec![0.0; dense.len()];
        let mut pairs = Vec::with_capacity(intervals.saturating_mul(self.per_interval()));
        for interval in 0..intervals {
            let mut rare = IntervalCounts::default();
            for (stratum, seen) in dense.iter().zip(&mut seen) {
                let counts = stratum.get(interval).copied().unwrap_or_default();
                if *seen >= FEWEST_EVENTS {
                    pairs.push(counts);
                } else {
                    pairs.push(IntervalCounts::default());
                    rare.control = rare.control.and(counts.control);
                    rare.canary = rare.canary.and(counts.canary);
                }
                *seen += counts.control.events + counts.canary.events;
            }
            pairs.push(rare);
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
    fn a_stratum_is_with_the_rare_ones_until_it_has_had_its_events() {
        let mut counts = of_other_mixes(2, 1.0);
        for row in &mut counts.strata.control.rows {
            row[0].1.events = 1.0;
        }
        let strata = Strata::of(&counts).unwrap();
        let pairs = strata.on_every_interval(2);
        assert_eq!(pairs.len(), 2 * strata.per_interval());
        // At first nothing is known of any.
        assert_eq!(pairs[0], IntervalCounts::default());
        assert_eq!(pairs[2].canary, count(91.0, 1_000.0));
        // The second route has had its events then; the first has had two.
        assert_eq!(pairs[3], IntervalCounts::default());
        assert_eq!(pairs[4].canary, count(90.0, 900.0));
        assert_eq!(pairs[5].canary, count(1.0, 100.0));
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
