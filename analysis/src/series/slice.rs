//! A part of what was counted, as if nothing else had been read.

use ndarray::{Array2, Axis, Slice};

use super::{DataQuality, LeftOutSeries, PairedCounts, PairedGauge, PairedHistogram, Populations};

/// The rows whose intervals all lie in `[first, first + length)`, given the first interval and the
/// number of intervals of each row. What an interval that a missed scrape joined to one outside has
/// counted cannot be divided.
fn rows_inside(
    spans: impl Iterator<Item = (usize, usize)>,
    first: usize,
    length: usize,
) -> std::ops::Range<usize> {
    let end = first.saturating_add(length);
    let mut inside = 0..0;
    for (row, (from, count)) in spans.enumerate() {
        if from >= first && from.saturating_add(count) <= end {
            if inside.is_empty() {
                inside.start = row;
            }
            inside.end = row + 1;
        }
    }
    inside
}

/// What is known of the quality of a part: which intervals are missing and joined follows from the
/// rows; what was put right is not told by interval, and belongs to the whole.
fn quality_of_part(
    whole: DataQuality,
    length: usize,
    spans: impl Iterator<Item = (usize, usize)>,
) -> DataQuality {
    let mut covered = 0;
    let mut joined = 0;
    for (_, count) in spans {
        covered += count;
        joined += count.saturating_sub(1);
    }
    DataQuality {
        missing_intervals: length.saturating_sub(covered),
        joined_intervals: joined,
        held_back_intervals: 0,
        ..whole
    }
}

impl PairedCounts {
    /// The counts of `length` grid intervals from the one at index `first` on, which becomes
    /// interval 0. Intervals that were joined across the part's edges are left out.
    #[must_use]
    pub fn slice(&self, first: usize, length: usize) -> Self {
        let spans = |one: &super::PairedInterval| (one.first, one.length);
        let inside = rows_inside(self.intervals.iter().map(spans), first, length);
        let mut intervals = self
            .intervals
            .get(inside.clone())
            .unwrap_or_default()
            .to_vec();
        for interval in &mut intervals {
            interval.first -= first;
        }
        let quality = quality_of_part(self.quality, length, intervals.iter().map(spans));
        Self {
            intervals,
            pods: self.pods.as_ref().map(|pods| pods.slice(inside.clone())),
            strata: self
                .strata
                .as_ref()
                .map(|strata| strata.slice(inside.clone())),
            beyond_total: self.beyond_total,
            members: self.members.clone(),
            lives: self.lives.clone(),
            seen: self.seen.as_ref().map(|seen| {
                let from = first.min(seen.len());
                let until = first.saturating_add(length).min(seen.len());
                seen.get(from..until).unwrap_or_default().to_vec()
            }),
            quality,
        }
    }
}

impl PairedHistogram {
    /// As [`PairedCounts::slice`].
    #[must_use]
    pub fn slice(&self, first: usize, length: usize) -> Self {
        let inside = rows_inside(self.spans.iter().copied(), first, length);
        let spans: Vec<(usize, usize)> = self
            .spans
            .get(inside.clone())
            .unwrap_or_default()
            .iter()
            .map(|(from, count)| (from - first, *count))
            .collect();
        let rows = |counts: &Array2<f64>| {
            let end = inside.end.min(counts.nrows());
            let rows = Slice::from(inside.start.min(end)..end);
            counts.slice_axis(Axis(0), rows).to_owned()
        };
        Self {
            upper_bounds: self.upper_bounds.clone(),
            control: rows(&self.control),
            canary: rows(&self.canary),
            pods: self.pods.as_ref().map(|pods| pods.slice(inside.clone())),
            lives: self.lives.clone(),
            buckets: self.buckets.clone(),
            quality: quality_of_part(self.quality, length, spans.iter().copied()),
            spans,
        }
    }
}

impl PairedGauge {
    /// As [`PairedCounts::slice`].
    #[must_use]
    pub fn slice(&self, first: usize, length: usize) -> Self {
        let intervals: Vec<_> = self
            .intervals
            .iter()
            .skip(first)
            .take(length)
            .copied()
            .collect();
        let is_missing =
            |pair: &&Populations<Option<f64>>| pair.control.is_none() && pair.canary.is_none();
        let left_out = |all: &[LeftOutSeries]| {
            let part = all.iter().map(|one| LeftOutSeries {
                intervals: one
                    .intervals
                    .iter()
                    .filter_map(|interval| interval.checked_sub(first))
                    .filter(|interval| *interval < length)
                    .collect(),
                ..one.clone()
            });
            part.filter(|one| !one.intervals.is_empty()).collect()
        };
        Self {
            quality: DataQuality {
                missing_intervals: intervals.iter().filter(is_missing).count(),
                ..self.quality
            },
            intervals,
            pods: self
                .pods
                .as_ref()
                .map(|pods| pods.slice(first..first.saturating_add(length))),
            lives: self.lives.clone(),
            scrape_ms: self.scrape_ms,
            bare_series: self.bare_series,
            loads: self
                .loads
                .iter()
                .skip(first)
                .take(length)
                .copied()
                .collect(),
            behind: self
                .behind
                .iter()
                .skip(first)
                .take(length)
                .copied()
                .collect(),
            left_out: Populations {
                control: left_out(&self.left_out.control),
                canary: left_out(&self.left_out.canary),
            },
            // Which series are numbers is told of the whole.
            finite: self.finite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{ArmCount, PairedInterval};

    fn interval(first: usize, length: usize) -> PairedInterval {
        let count = ArmCount {
            events: first as f64,
            exposure: 100.0,
        };
        PairedInterval {
            first,
            length,
            control: count,
            canary: count,
        }
    }

    #[test]
    fn a_part_begins_with_its_own_first_interval() {
        let whole = PairedCounts {
            intervals: (0..10).map(|first| interval(first, 1)).collect(),
            ..PairedCounts::default()
        };
        let part = whole.slice(4, 3);
        let firsts: Vec<(usize, f64)> = part
            .intervals
            .iter()
            .map(|one| (one.first, one.canary.events))
            .collect();
        assert_eq!(firsts, [(0, 4.0), (1, 5.0), (2, 6.0)]);
        assert_eq!(part.quality, DataQuality::default());
        assert_eq!(whole.slice(0, 10), whole);
        assert_eq!(whole.slice(20, 3).intervals, []);
        assert_eq!(whole.slice(20, 3).quality.missing_intervals, 3);
    }

    #[test]
    fn what_was_joined_across_an_edge_is_left_out() {
        let whole = PairedCounts {
            intervals: vec![
                interval(0, 3),
                interval(3, 1),
                interval(4, 2),
                interval(6, 1),
            ],
            ..PairedCounts::default()
        };
        let part = whole.slice(2, 3);
        assert_eq!(part.intervals.len(), 1);
        assert_eq!(part.quality.missing_intervals, 2);
        let joined = whole.slice(3, 4);
        assert_eq!(joined.intervals.len(), 3);
        assert_eq!(joined.quality.joined_intervals, 1);
        assert_eq!(joined.quality.missing_intervals, 0);
    }

    #[test]
    fn a_histogram_keeps_its_rows_and_bounds() {
        let rows = Array2::from_shape_fn((4, 2), |(row, column)| (10 * row + column) as f64);
        let whole = PairedHistogram {
            upper_bounds: vec![1.0, f64::INFINITY],
            spans: vec![(0, 1), (1, 1), (3, 1), (4, 1)],
            control: rows.clone(),
            canary: rows,
            ..PairedHistogram::default()
        };
        let part = whole.slice(1, 3);
        assert_eq!(part.spans, [(0, 1), (2, 1)]);
        assert_eq!(part.canary, ndarray::array![[10.0, 11.0], [20.0, 21.0]]);
        assert_eq!(part.quality.missing_intervals, 1);
        assert_eq!(whole.slice(9, 1).control.nrows(), 0);
    }

    #[test]
    fn a_gauge_is_cut_where_it_is() {
        let pair = |value| Populations {
            control: None,
            canary: value,
        };
        let whole = PairedGauge {
            intervals: vec![pair(Some(1.0)), pair(None), pair(Some(3.0))],
            ..PairedGauge::default()
        };
        let part = whole.slice(1, 5);
        assert_eq!(part.intervals, [pair(None), pair(Some(3.0))]);
        assert_eq!(part.quality.missing_intervals, 1);
    }
}
