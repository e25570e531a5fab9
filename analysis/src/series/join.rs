//! Puts together what was counted of consecutive parts of a grid, each from samples of its own.
//!
//! Each part is counted on a wider grid than its own, so that what happened shortly before it is
//! known: an increment that spans its beginning then is a row that ends in it. A row belongs to
//! the part in which it ends. Of a row that reaches back over what was told before (a scrape was
//! missed at the end of a part, which nobody knew of by then), only the rest is told.

use std::collections::BTreeSet;
use std::ops::Range;

use ndarray::{Array2, ArrayView1, Axis};

use super::apart::{Made, MadeOf, few_lives};
use super::{
    Apart, ArmCount, BucketLayout, DataQuality, FiniteSeries, LeftOutSeries, Lives, Members,
    OtherBuckets, PairedCounts, PairedGauge, PairedHistogram, PairedInterval, PodBuckets, PodLife,
    Populations,
};

/// Where a part lies in the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index, in the whole, of the first interval that the part was counted on.
    pub counted_from: usize,
    /// The intervals of the whole that are the part's own.
    pub own: Range<usize>,
}

/// A part with its place. Parts come in the order of time.
pub type Placed<'a, T> = (&'a Place, &'a T);

/// A row that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    /// The numbers, in its part, of the rows whose counts it sums.
    rows: Range<usize>,
    /// The intervals of the whole that it tells of.
    intervals: Range<usize>,
    /// The rows of the whole that told a part of its counts before.
    told: Range<usize>,
}

/// Chooses the rows of consecutive parts.
#[derive(Debug, Default)]
struct Joiner {
    /// The intervals of the rows so far.
    rows: Vec<Range<usize>>,
}

impl Joiner {
    /// The rows of a part, given the first interval and the number of intervals of each, that
    /// belong to it. One that cannot be divided is left out.
    fn choose(
        &mut self,
        place: &Place,
        spans: impl Iterator<Item = (usize, usize)>,
    ) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        let mut starts = Vec::new();
        for (row, (first, length)) in spans.enumerate() {
            let first = place.counted_from.saturating_add(first);
            let end = first.saturating_add(length);
            starts.push(first);
            if end <= place.own.start || end > place.own.end {
                continue;
            }
            if let Some((summed_from, from)) = self.begins(&starts) {
                let told = self.rows.partition_point(|told| told.end <= from)..self.rows.len();
                let intervals = self.told_until().max(from)..end;
                self.rows.push(intervals.clone());
                chosen.push(Chosen {
                    rows: summed_from..row + 1,
                    intervals,
                    told,
                });
            }
        }
        chosen
    }

    /// The row, and its first interval, from which on the part's rows must be summed so that what
    /// was told of them before can be taken away: the last from which on all or nothing was told.
    fn begins(&self, starts: &[usize]) -> Option<(usize, usize)> {
        starts.iter().enumerate().rev().find_map(|(row, start)| {
            let told = self.rows.partition_point(|told| told.end <= *start);
            let mut until = *start;
            let is_all = self.rows.get(told..)?.iter().all(|told| {
                let follows = told.start == until;
                until = told.end;
                follows
            });
            is_all.then_some((row, *start))
        })
    }

    /// The end of what is told.
    fn told_until(&self) -> usize {
        self.rows.last().map_or(0, |row| row.end)
    }

    /// The quality of the whole. What was put right is told by each part for all that it was
    /// counted on, so the sums count it again where parts overlap.
    fn quality<'a>(
        &self,
        parts: impl Iterator<Item = (&'a Place, &'a DataQuality)>,
    ) -> DataQuality {
        let mut whole = DataQuality {
            no_event_series: true,
            no_canary_event_series: true,
            joined_intervals: self.rows.iter().map(|row| row.len() - 1).sum(),
            ..DataQuality::default()
        };
        let mut end = 0;
        for (place, part) in parts {
            whole.rejected_samples += part.rejected_samples;
            whole.resets += part.resets;
            whole.births += part.births;
            whole.more_events_than_total += own_part(place, part.more_events_than_total);
            whole.repaired_buckets += part.repaired_buckets;
            whole.control_series = whole.control_series.max(part.control_series);
            whole.canary_series = whole.canary_series.max(part.canary_series);
            whole.no_event_series &= part.no_event_series;
            whole.no_canary_event_series &= part.no_canary_event_series;
            whole.missed_scrapes |= part.missed_scrapes;
            whole.falls = Populations {
                control: whole.falls.control.and(part.falls.control),
                canary: whole.falls.canary.and(part.falls.canary),
            };
            whole.copied_by = whole.copied_by.or(part.copied_by);
            whole.summed |= part.summed;
            whole.held_back_intervals = part.held_back_intervals;
            end = place.own.end;
        }
        let open = end.saturating_sub(self.told_until());
        whole.held_back_intervals = whole.held_back_intervals.min(open);
        let covered: usize = self.rows.iter().map(ExactSizeIterator::len).sum();
        whole.missing_intervals = end.saturating_sub(covered + whole.held_back_intervals);
        whole
    }
}

/// Of what a part found in the intervals that it was counted on, about as much as its own ones have:
/// the others are another part's as well.
fn own_part(place: &Place, found: usize) -> usize {
    let counted = place.own.end.saturating_sub(place.counted_from);
    (found * place.own.len()).div_ceil(counted.max(1))
}

impl ArmCount {
    /// The sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            exposure: self.exposure + other.exposure,
        }
    }

    /// The rest of a count, of which a part was told before.
    pub(crate) fn less(self, told: Self) -> Self {
        Self {
            events: (self.events - told.events).max(0.0),
            exposure: (self.exposure - told.exposure).max(0.0),
        }
    }
}

impl PairedCounts {
    /// Puts parts together.
    #[must_use]
    pub fn join(parts: &[Placed<'_, Self>]) -> Self {
        let mut joiner = Joiner::default();
        let mut intervals: Vec<PairedInterval> = Vec::new();
        let mut rows = Vec::new();
        for (place, part) in parts {
            let spans = part.intervals.iter().map(|one| (one.first, one.length));
            let chosen = joiner.choose(place, spans);
            let of_part = chosen
                .iter()
                .map(|one| (one.rows.clone(), one.told.clone()));
            rows.push((*part, of_part.collect::<Vec<Made>>()));
            for chosen in chosen {
                let mut interval = PairedInterval {
                    first: chosen.intervals.start,
                    length: chosen.intervals.len(),
                    control: ArmCount::default(),
                    canary: ArmCount::default(),
                };
                for found in part.intervals.get(chosen.rows).unwrap_or_default() {
                    interval.control = interval.control.and(found.control);
                    interval.canary = interval.canary.and(found.canary);
                }
                for told in intervals.get(chosen.told).unwrap_or_default() {
                    interval.control = interval.control.less(told.control);
                    interval.canary = interval.canary.less(told.canary);
                }
                intervals.push(interval);
            }
        }
        let pods = join_apart(&rows, |part| &part.pods, ArmCount::and, ArmCount::less);
        let strata = join_apart(&rows, |part| &part.strata, ArmCount::and, ArmCount::less);
        let nothing = Members::default();
        let members = parts
            .iter()
            .fold(nothing, |sum, (_, part)| sum.and(&part.members));
        let beyond = parts.iter().map(|(_, part)| &part.beyond_total);
        let beyond_total =
            beyond.fold(Populations::default(), |sum: Populations<ArmCount>, one| {
                Populations {
                    control: sum.control.and(one.control),
                    canary: sum.canary.and(one.canary),
                }
            });
        let qualities = parts.iter().map(|(place, part)| (*place, &part.quality));
        Self {
            intervals,
            pods,
            strata,
            beyond_total,
            members,
            seen: Populations {
                control: seen(parts, |part| &part.seen.control),
                canary: seen(parts, |part| &part.seen.canary),
            },
            lives: lives(parts.iter().map(|(_, part)| &part.lives)),
            quality: joiner.quality(qualities),
        }
    }
}

/// In which intervals a population was seen.
fn seen(parts: &[Placed<'_, PairedCounts>], of: fn(&PairedCounts) -> &Vec<bool>) -> Vec<bool> {
    let own = parts.iter().flat_map(|(place, part)| {
        let from = place.own.start.saturating_sub(place.counted_from);
        let until = place.own.end.saturating_sub(place.counted_from);
        of(part).get(from..until).unwrap_or_default()
    });
    own.copied().collect()
}

/// When the pods of all parts began.
fn lives<'a>(parts: impl Iterator<Item = &'a Populations<Lives>>) -> Populations<Lives> {
    let mut lives = Populations::<Lives>::default();
    for part in parts {
        for (pod, life) in &part.control {
            PodLife::note(&mut lives.control, pod, *life);
        }
        for (pod, life) in &part.canary {
            PodLife::note(&mut lives.canary, pod, *life);
        }
    }
    Populations {
        control: few_lives(lives.control),
        canary: few_lives(lives.canary),
    }
}

impl PairedHistogram {
    /// Puts parts together.
    ///
    /// The bounds are those that every part has, as they are those that every target has all the
    /// time; a part without rows says nothing about them. Of native histograms each part has the
    /// bounds around its own observations: one beyond them is known there as well, as long as
    /// nothing was observed beyond.
    #[must_use]
    pub fn join(parts: &[Placed<'_, Self>], is_native: bool) -> Self {
        let is_sparse = parts.iter().any(|(_, part)| part.buckets.is_sparse);
        let bounds = common_bounds(parts, is_native || is_sparse);
        let mut joiner = Joiner::default();
        let mut spans = Vec::new();
        let mut control = Array2::<f64>::zeros((0, bounds.len()));
        let mut canary = control.clone();
        let mut made: Vec<Vec<Made>> = Vec::new();
        for (place, part) in parts {
            let chosen = joiner.choose(place, part.spans.iter().copied());
            let of_part = chosen.iter();
            let of_part = of_part.map(|one| (one.rows.clone(), one.told.clone()));
            made.push(of_part.collect());
            for chosen in chosen {
                spans.push((chosen.intervals.start, chosen.intervals.len()));
                for (rows, counts) in [(&mut control, &part.control), (&mut canary, &part.canary)] {
                    let mut sums = vec![0.0; bounds.len()];
                    for row in chosen.rows.clone() {
                        let counts = part.counts_at(&bounds, counts, row);
                        for (sum, count) in sums.iter_mut().zip(counts) {
                            *sum += count;
                        }
                    }
                    for told in chosen.told.clone() {
                        for (sum, told) in sums.iter_mut().zip(rows.row(told)) {
                            *sum = (*sum - told).max(0.0);
                        }
                    }
                    // As many columns as bounds, always.
                    let _ = rows.push(Axis(0), ArrayView1::from(&sums));
                }
            }
        }
        let qualities = parts.iter().map(|(place, part)| (*place, &part.quality));
        Self {
            spans,
            control,
            canary,
            pods: join_buckets(parts, &bounds, made),
            lives: lives(parts.iter().map(|(_, part)| &part.lives)),
            buckets: BucketLayout {
                is_sparse,
                own_bounds: Populations {
                    control: newest_bounds(parts, |of| &of.control),
                    canary: newest_bounds(parts, |of| &of.canary),
                },
                other_targets: Populations {
                    control: other_targets(parts, |of| &of.control),
                    canary: other_targets(parts, |of| &of.canary),
                },
            },
            upper_bounds: bounds,
            quality: joiner.quality(qualities),
        }
    }

    /// The counts of a row at bounds that are known here.
    fn counts_at(&self, bounds: &[f64], counts: &Array2<f64>, row: usize) -> Vec<f64> {
        bounds
            .iter()
            .map(|bound| match self.place_of(*bound) {
                BoundPlace::At(column) => counts.get((row, column)).copied().unwrap_or(0.0),
                BoundPlace::Below => 0.0,
                BoundPlace::Above | BoundPlace::Between => {
                    let all = self.upper_bounds.len().saturating_sub(1);
                    counts.get((row, all)).copied().unwrap_or(0.0)
                }
            })
            .collect()
    }

    fn place_of(&self, bound: f64) -> BoundPlace {
        let bounds = &self.upper_bounds;
        let column = bounds.partition_point(|upper| upper.total_cmp(&bound).is_lt());
        let finite = bounds.len().saturating_sub(1);
        match bounds.get(column) {
            Some(upper) if upper.total_cmp(&bound).is_eq() => BoundPlace::At(column),
            _ if column == 0 && finite > 0 => BoundPlace::Below,
            _ if column >= finite => BoundPlace::Above,
            _ => BoundPlace::Between,
        }
    }

    /// Whether the counts at a bound are known: it is one of the bounds, or (`is_native`) nothing
    /// was observed between the bounds and it.
    fn knows(&self, bound: f64, is_native: bool) -> bool {
        let all = self.upper_bounds.len().saturating_sub(1);
        let is_same = |one: Option<usize>, other: usize| {
            [&self.control, &self.canary].into_iter().all(|counts| {
                counts.rows().into_iter().all(|row| {
                    let one = one.map_or(Some(0.0), |column| row.get(column).copied());
                    one == row.get(other).copied()
                })
            })
        };
        match self.place_of(bound) {
            BoundPlace::At(_) => true,
            BoundPlace::Between => false,
            BoundPlace::Below => is_native && is_same(None, 0),
            BoundPlace::Above => is_native && is_same(all.checked_sub(1), all),
        }
    }
}

/// Where a bound lies among those of a histogram.
enum BoundPlace {
    /// It is this one.
    At(usize),
    /// Below all finite ones.
    Below,
    /// Above all finite ones, or there are none.
    Above,
    /// Between two of them.
    Between,
}

/// The bounds at which every part with rows can be told, ascending, the infinite one last.
fn common_bounds(parts: &[Placed<'_, PairedHistogram>], is_native: bool) -> Vec<f64> {
    let telling = || {
        let parts = parts.iter().map(|(_, part)| *part);
        parts.filter(|part| !part.spans.is_empty())
    };
    let mut bounds: Vec<f64> = telling()
        .flat_map(|part| part.upper_bounds.iter().copied())
        .chain([f64::INFINITY])
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup_by(|a, b| a.total_cmp(b).is_eq());
    bounds.retain(|bound| telling().all(|part| part.knows(*bound, is_native)));
    bounds
}

/// The newest bounds of a population that are known.
fn newest_bounds(
    parts: &[Placed<'_, PairedHistogram>],
    of: impl Fn(&Populations<Vec<f64>>) -> &Vec<f64>,
) -> Vec<f64> {
    let bounds = parts
        .iter()
        .rev()
        .map(|(_, part)| of(&part.buckets.own_bounds));
    let mut known = bounds.filter(|bounds| !bounds.is_empty());
    known.next().cloned().unwrap_or_default()
}

/// The targets that had other buckets in any part, each once.
fn other_targets(
    parts: &[Placed<'_, PairedHistogram>],
    of: impl Fn(&Populations<Vec<OtherBuckets>>) -> &Vec<OtherBuckets>,
) -> Vec<OtherBuckets> {
    let all = parts
        .iter()
        .flat_map(|(_, part)| of(&part.buckets.other_targets));
    all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

impl PairedGauge {
    /// Puts parts together.
    #[must_use]
    pub fn join(parts: &[Placed<'_, Self>]) -> Self {
        let mut joined = Self::default();
        let mut rows = Vec::new();
        for (place, part) in parts {
            let own = place.own.clone().map(|index| {
                let index = index.checked_sub(place.counted_from).unwrap_or(usize::MAX);
                (index..index.saturating_add(1), 0..0)
            });
            rows.push((*part, own.collect::<Vec<Made>>()));
            for index in place.own.clone() {
                let index = index.checked_sub(place.counted_from);
                let found = index.and_then(|index| part.intervals.get(index));
                let found = found.copied().unwrap_or_default();
                let is_missing = found.control.is_none() && found.canary.is_none();
                joined.quality.missing_intervals += usize::from(is_missing);
                joined.intervals.push(found);
                let behind = index.and_then(|index| part.behind.get(index));
                joined.behind.push(behind.copied().unwrap_or_default());
                let load = index.and_then(|index| part.loads.get(index));
                joined.loads.push(load.copied().unwrap_or_default());
            }
            let quality = &mut joined.quality;
            quality.rejected_samples += part.quality.rejected_samples;
            quality.control_series = quality.control_series.max(part.quality.control_series);
            quality.canary_series = quality.canary_series.max(part.quality.canary_series);
            let left_out = &mut joined.left_out;
            add_left_out(&mut left_out.control, place, &part.left_out.control);
            add_left_out(&mut left_out.canary, place, &part.left_out.canary);
        }
        let is_told = |load: &Populations<Option<f64>>| load.control.or(load.canary).is_some();
        if !joined.loads.iter().any(is_told) {
            joined.loads = Vec::new();
        }
        // A row is one of a part, always.
        joined.pods = join_apart(&rows, |part| &part.pods, |value, _| value, |value, _| value);
        joined.lives = lives(parts.iter().map(|(_, part)| &part.lives));
        // The first that knows it: what was judged must not be judged otherwise.
        joined.scrape_ms = parts.iter().find_map(|(_, part)| part.scrape_ms);
        joined.bare_series = parts
            .iter()
            .map(|(_, part)| part.bare_series)
            .max()
            .unwrap_or(0);
        joined.finite = Populations {
            control: finite(parts.iter().map(|(_, part)| part.finite.control)),
            canary: finite(parts.iter().map(|(_, part)| part.finite.canary)),
        };
        joined
    }
}

/// Puts together what each pod had in the rows that were made of each part, by bucket.
fn join_buckets(
    parts: &[Placed<'_, PairedHistogram>],
    bounds: &[f64],
    made: Vec<Vec<Made>>,
) -> Populations<Apart<PodBuckets>> {
    let at_bounds = parts.iter().map(|(_, part)| {
        let pods = part.pods.as_ref();
        pods.map(|pods| pods.at_bounds(&part.upper_bounds, bounds))
    });
    let parts: Vec<_> = at_bounds.collect();
    let rows: Vec<_> = parts.iter().zip(made).collect();
    let and = |one: PodBuckets, other: PodBuckets| one.and(&other);
    let less = |one: PodBuckets, told: PodBuckets| one.less(&told);
    join_apart(&rows, |pods| pods, and, less)
}

/// Puts together what each pod or stratum had in the rows that were made of each part.
fn join_apart<P, T: Clone>(
    parts: &[(&P, Vec<Made>)],
    of: fn(&P) -> &Populations<Apart<T>>,
    add: fn(T, T) -> T,
    take_away: fn(T, T) -> T,
) -> Populations<Apart<T>> {
    let join = |of_population: fn(&Populations<Apart<T>>) -> &Apart<T>| {
        let made = parts.iter().map(|(part, rows)| MadeOf {
            part: of_population(of(part)),
            rows,
        });
        Apart::join(&made.collect::<Vec<_>>(), add, take_away)
    };
    Populations {
        control: join(|pods| &pods.control),
        canary: join(|pods| &pods.canary),
    }
}

/// Adds what a part left out in its own intervals.
fn add_left_out(joined: &mut Vec<LeftOutSeries>, place: &Place, part: &[LeftOutSeries]) {
    for one in part {
        let intervals = one.intervals.iter().map(|index| place.counted_from + index);
        let own: Vec<usize> = intervals
            .filter(|index| place.own.contains(index))
            .collect();
        if own.is_empty() {
            continue;
        }
        let is_same =
            |known: &&mut LeftOutSeries| known.labels == one.labels && known.why == one.why;
        match joined.iter_mut().find(is_same) {
            Some(known) => known.intervals.extend(own),
            None => joined.push(LeftOutSeries {
                intervals: own,
                ..one.clone()
            }),
        }
    }
}

/// How many series are numbers over all parts. A part of which none is tells only that nothing is
/// known of its time, as long as others have some: a service that is idle for a while.
fn finite(parts: impl Iterator<Item = FiniteSeries> + Clone) -> FiniteSeries {
    let sum = |all: FiniteSeries, part: FiniteSeries| FiniteSeries {
        seen: all.seen + part.seen,
        not_finite: all.not_finite + part.not_finite,
    };
    let telling = parts.clone().filter(|part| part.not_finite < part.seen);
    let known = telling.fold(FiniteSeries::default(), sum);
    if known.seen > 0 {
        known
    } else {
        parts.fold(FiniteSeries::default(), sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(first: usize, length: usize, events: f64) -> PairedInterval {
        let count = ArmCount {
            events,
            exposure: 100.0,
        };
        PairedInterval {
            first,
            length,
            control: count,
            canary: count,
        }
    }

    fn counts(intervals: &[PairedInterval]) -> PairedCounts {
        PairedCounts {
            intervals: intervals.to_vec(),
            ..PairedCounts::default()
        }
    }

    /// Two parts of four intervals, the second counted from two intervals before it.
    fn places() -> [Place; 2] {
        [
            Place {
                counted_from: 0,
                own: 0..4,
            },
            Place {
                counted_from: 2,
                own: 4..8,
            },
        ]
    }

    fn spans(whole: &PairedCounts) -> Vec<(usize, usize)> {
        let spans = whole.intervals.iter().map(|one| (one.first, one.length));
        spans.collect()
    }

    fn canary_events(whole: &PairedCounts) -> Vec<f64> {
        let events = whole.intervals.iter().map(|one| one.canary.events);
        events.collect()
    }

    #[test]
    fn a_row_belongs_to_the_part_in_which_it_ends() {
        let [first, second] = places();
        let one = counts(&[
            interval(0, 1, 1.0),
            interval(1, 1, 2.0),
            interval(2, 1, 3.0),
        ]);
        // Interval 3 was open in the first part, and is closed by the second.
        let two = counts(&[
            interval(0, 1, 3.0),
            interval(1, 2, 9.0),
            interval(3, 1, 4.0),
        ]);
        let whole = PairedCounts::join(&[(&first, &one), (&second, &two)]);
        assert_eq!(spans(&whole), [(0, 1), (1, 1), (2, 1), (3, 2), (5, 1)]);
        assert_eq!(canary_events(&whole), [1.0, 2.0, 3.0, 9.0, 4.0]);
        assert_eq!(whole.quality.joined_intervals, 1);
        assert_eq!(whole.quality.missing_intervals, 2);
    }

    #[test]
    fn of_a_row_that_reaches_back_the_rest_is_told() {
        let [first, second] = places();
        let one = counts(&[interval(2, 1, 1.0), interval(3, 1, 2.0)]);
        let mut two = counts(&[interval(0, 4, 9.0), interval(4, 1, 4.0)]);
        two.intervals[0].control.exposure = 500.0;
        let whole = PairedCounts::join(&[(&first, &one), (&second, &two)]);
        assert_eq!(spans(&whole), [(2, 1), (3, 1), (4, 2), (6, 1)]);
        assert_eq!(canary_events(&whole), [1.0, 2.0, 6.0, 4.0]);
        let rest = ArmCount {
            events: 6.0,
            exposure: 300.0,
        };
        assert_eq!(whole.intervals[2].control, rest);
    }

    #[test]
    fn rows_are_joined_back_to_where_both_parts_begin_one() {
        let [first, second] = places();
        let one = counts(&[interval(2, 2, 1.0)]);
        let two = counts(&[
            interval(0, 1, 0.5),
            interval(1, 2, 9.0),
            interval(3, 1, 4.0),
        ]);
        let whole = PairedCounts::join(&[(&first, &one), (&second, &two)]);
        assert_eq!(spans(&whole), [(2, 2), (4, 1), (5, 1)]);
        assert_eq!(canary_events(&whole), [1.0, 8.5, 4.0]);
    }

    #[test]
    fn what_cannot_be_divided_is_left_out() {
        let [first, second] = places();
        let one = counts(&[interval(1, 3, 1.0)]);
        let two = counts(&[
            interval(0, 1, 0.5),
            interval(1, 2, 9.0),
            interval(3, 1, 4.0),
        ]);
        let whole = PairedCounts::join(&[(&first, &one), (&second, &two)]);
        assert_eq!(spans(&whole), [(1, 3), (5, 1)]);
    }

    #[test]
    fn intervals_held_back_at_the_end_are_not_missing() {
        let [first, second] = places();
        let mut two = counts(&[interval(2, 1, 1.0), interval(3, 1, 1.0)]);
        two.quality.held_back_intervals = 2;
        let whole = PairedCounts::join(&[(&first, &counts(&[])), (&second, &two)]);
        assert_eq!(whole.quality.held_back_intervals, 2);
        assert_eq!(whole.quality.missing_intervals, 4);
    }

    fn histogram(bounds: &[f64], rows: &[&[f64]]) -> PairedHistogram {
        let mut counts = Array2::zeros((0, bounds.len()));
        for row in rows {
            counts.push(Axis(0), ArrayView1::from(*row)).unwrap();
        }
        PairedHistogram {
            upper_bounds: bounds.to_vec(),
            spans: (0..rows.len()).map(|row| (row, 1)).collect(),
            control: counts.clone(),
            canary: counts,
            ..PairedHistogram::default()
        }
    }

    fn side_by_side() -> [Place; 2] {
        [0..1, 1..2].map(|own: Range<usize>| Place {
            counted_from: own.start,
            own,
        })
    }

    #[test]
    fn a_classic_histogram_keeps_the_bounds_that_all_parts_have() {
        let [first, second] = side_by_side();
        let one = histogram(&[1.0, 2.0, f64::INFINITY], &[&[1.0, 2.0, 2.0]]);
        let two = histogram(&[1.0, 3.0, f64::INFINITY], &[&[4.0, 5.0, 6.0]]);
        let whole = PairedHistogram::join(&[(&first, &one), (&second, &two)], false);
        assert_eq!(whole.upper_bounds, [1.0, f64::INFINITY]);
        assert_eq!(whole.canary, ndarray::array![[1.0, 2.0], [4.0, 6.0]]);
        assert_eq!(whole.spans, [(0, 1), (1, 1)]);
        let nothing = histogram(&[f64::INFINITY], &[]);
        let whole = PairedHistogram::join(&[(&first, &one), (&second, &nothing)], false);
        assert_eq!(
            (whole.upper_bounds, whole.canary),
            (one.upper_bounds.clone(), one.canary.clone())
        );
        assert_eq!(whole.quality.missing_intervals, 1);
    }

    #[test]
    fn a_native_histogram_is_known_where_nothing_was_observed() {
        let [first, second] = side_by_side();
        let one = histogram(&[1.0, 2.0, f64::INFINITY], &[&[0.0, 2.0, 2.0]]);
        let two = histogram(&[2.0, 4.0, f64::INFINITY], &[&[0.0, 6.0, 6.0]]);
        let whole = PairedHistogram::join(&[(&first, &one), (&second, &two)], true);
        assert_eq!(whole.upper_bounds, [1.0, 2.0, 4.0, f64::INFINITY]);
        let rows = ndarray::array![[0.0, 2.0, 2.0, 2.0], [0.0, 0.0, 6.0, 6.0]];
        assert_eq!(whole.control, rows);
        // Below 2 there are observations that may lie anywhere.
        let zeros = histogram(&[2.0, 4.0, f64::INFINITY], &[&[3.0, 6.0, 6.0]]);
        let whole = PairedHistogram::join(&[(&first, &one), (&second, &zeros)], true);
        assert_eq!(whole.upper_bounds, [2.0, 4.0, f64::INFINITY]);
        // Some lie beyond all finite bounds.
        let beyond = histogram(&[2.0, f64::INFINITY], &[&[0.0, 6.0]]);
        let whole = PairedHistogram::join(&[(&first, &two), (&second, &beyond)], true);
        assert_eq!(whole.upper_bounds, [2.0, f64::INFINITY]);
    }

    #[test]
    fn a_gauge_is_taken_interval_by_interval() {
        let value = |value| Populations {
            control: None,
            canary: value,
        };
        let part = |values: &[Option<f64>]| PairedGauge {
            intervals: values.iter().map(|one| value(*one)).collect(),
            ..PairedGauge::default()
        };
        let [first, second] = places();
        let one = part(&[Some(1.0), None, Some(3.0), Some(4.0)]);
        let two = part(&[None, None, Some(5.0), Some(6.0), None, Some(8.0)]);
        let whole = PairedGauge::join(&[(&first, &one), (&second, &two)]);
        let values: Vec<_> = whole.intervals.iter().map(|one| one.canary).collect();
        let all = [1.0, 0.0, 3.0, 4.0, 5.0, 6.0, 0.0, 8.0].map(|one| (one > 0.0).then_some(one));
        assert_eq!(values, all);
        assert_eq!(whole.quality.missing_intervals, 2);
    }
}
