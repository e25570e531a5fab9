//! What two regions did, put together: their sums, and each region a stratum of them. Regions are read
//! from servers of their own, so that a scrape is missed in one and not in the other.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis};

use super::apart::MadeOf;
use super::model::both_lives;
use super::{
    Apart, ArmCount, BucketLayout, DataQuality, FiniteSeries, PairedCounts, PairedGauge,
    PairedHistogram, PairedInterval, PodBuckets, Populations,
};

/// A row that two divisions of the grid have in common: its intervals, and the rows of both that it adds up.
type CommonRow = (Range<usize>, [Range<usize>; 2]);

/// The finest rows that two divisions of the grid have in common.
fn common_rows(one: &[(usize, usize)], other: &[(usize, usize)]) -> Vec<CommonRow> {
    let mut all: Vec<Range<usize>> = Vec::new();
    let spans = one
        .iter()
        .chain(other)
        .map(|(first, length)| *first..first + length);
    let mut spans: Vec<Range<usize>> = spans.collect();
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    for span in spans {
        match all.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    let within = |rows: &[(usize, usize)], span: &Range<usize>| {
        let from = rows.partition_point(|(first, _)| *first < span.start);
        let until = rows.partition_point(|(first, _)| *first < span.end);
        from..until
    };
    let rows = all.into_iter().map(|span| {
        let of = [within(one, &span), within(other, &span)];
        (span, of)
    });
    rows.collect()
}

/// The quality of both.
fn quality(one: &DataQuality, other: &DataQuality) -> DataQuality {
    DataQuality {
        missing_intervals: one.missing_intervals.max(other.missing_intervals),
        joined_intervals: one.joined_intervals.max(other.joined_intervals),
        rejected_samples: one.rejected_samples + other.rejected_samples,
        resets: one.resets + other.resets,
        births: one.births + other.births,
        more_events_than_total: one.more_events_than_total.max(other.more_events_than_total),
        held_back_intervals: one.held_back_intervals.max(other.held_back_intervals),
        repaired_buckets: one.repaired_buckets + other.repaired_buckets,
        control_series: one.control_series + other.control_series,
        canary_series: one.canary_series + other.canary_series,
        no_event_series: one.no_event_series && other.no_event_series,
        no_canary_event_series: one.no_canary_event_series && other.no_canary_event_series,
        falls: Populations {
            control: one.falls.control.and(other.falls.control),
            canary: one.falls.canary.and(other.falls.canary),
        },
        copied_by: one.copied_by.or(other.copied_by),
        summed: one.summed || other.summed,
        missed_scrapes: one.missed_scrapes || other.missed_scrapes,
    }
}

impl PairedCounts {
    /// The same as a stratum of this name; within it each of its own strata.
    #[must_use]
    pub fn of_stratum(mut self, name: &str) -> Self {
        let whole = |of: fn(&PairedInterval) -> ArmCount| Apart {
            names: vec![name.to_owned()],
            rows: self
                .intervals
                .iter()
                .map(|one| vec![(0, of(one))])
                .collect(),
        };
        self.strata = if self.has_strata() {
            let within = |strata: Apart<ArmCount>| Apart {
                names: strata
                    .names
                    .iter()
                    .map(|own| format!("{name} {own}"))
                    .collect(),
                rows: strata.rows,
            };
            self.strata.map(within)
        } else {
            Populations {
                control: whole(|one| one.control),
                canary: whole(|one| one.canary),
            }
        };
        self
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let spans = |counts: &Self| -> Vec<(usize, usize)> {
            let intervals = counts.intervals.iter();
            intervals.map(|one| (one.first, one.length)).collect()
        };
        let rows = common_rows(&spans(self), &spans(other));
        let intervals = rows.iter().map(|row| summed(self, other, row));
        let apart = |one: &Apart<ArmCount>, other: &Apart<ArmCount>| {
            side_by_side((one, other), &rows, ArmCount::and)
        };
        let both = |one: &Populations<Apart<ArmCount>>, other: &Populations<Apart<ArmCount>>| {
            Populations {
                control: apart(&one.control, &other.control),
                canary: apart(&one.canary, &other.canary),
            }
        };
        Self {
            intervals: intervals.collect(),
            pods: both(&self.pods, &other.pods),
            strata: both(&self.strata, &other.strata),
            members: self.members.and(&other.members),
            seen: Populations {
                control: seen_in_both(&self.seen.control, &other.seen.control),
                canary: seen_in_both(&self.seen.canary, &other.seen.canary),
            },
            lives: Populations {
                control: both_lives(&self.lives.control, &other.lives.control),
                canary: both_lives(&self.lives.canary, &other.lives.canary),
            },
            beyond_total: Populations {
                control: self.beyond_total.control.and(other.beyond_total.control),
                canary: self.beyond_total.canary.and(other.beyond_total.canary),
            },
            quality: quality(&self.quality, &other.quality),
        }
    }
}

/// What both did in one row.
fn summed(
    one: &PairedCounts,
    other: &PairedCounts,
    (span, [of_one, of_other]): &CommonRow,
) -> PairedInterval {
    let parts = [(one, of_one), (other, of_other)];
    let all = parts.iter().flat_map(|(counts, rows)| {
        let found = counts.intervals.get((*rows).clone());
        found.unwrap_or_default()
    });
    let nothing = PairedInterval {
        first: span.start,
        length: span.len(),
        control: ArmCount::default(),
        canary: ArmCount::default(),
    };
    all.fold(nothing, |sum, one| PairedInterval {
        control: sum.control.and(one.control),
        canary: sum.canary.and(one.canary),
        ..sum
    })
}

/// What the pods, or strata, of two have in their common rows.
fn side_by_side<T: Clone>(
    (one, other): (&Apart<T>, &Apart<T>),
    rows: &[CommonRow],
    add: fn(T, T) -> T,
) -> Apart<T> {
    let of = |part, side: fn(&CommonRow) -> &Range<usize>| {
        let made: Vec<_> = rows.iter().map(|row| (side(row).clone(), 0..0)).collect();
        Apart::join(&[MadeOf { part, rows: &made }], add, |sum, _| sum)
    };
    let one = of(one, |(_, [rows, _])| rows);
    one.beside(&of(other, |(_, [_, rows])| rows), add)
}

impl PairedHistogram {
    /// Both together, at the bounds that both have.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let bounds: Vec<f64> = self
            .upper_bounds
            .iter()
            .filter(|bound| {
                other
                    .upper_bounds
                    .iter()
                    .any(|one| one.total_cmp(bound).is_eq())
            })
            .copied()
            .collect();
        let rows = common_rows(&self.spans, &other.spans);
        let sums = |of: fn(&Self) -> &Array2<f64>| {
            let mut sums = Array2::zeros((rows.len(), bounds.len()));
            for (index, (_, [of_one, of_other])) in rows.iter().enumerate() {
                for (histogram, rows) in [(self, of_one), (other, of_other)] {
                    for row in rows.clone() {
                        histogram.add_row(of(histogram), row, &bounds, &mut sums, index);
                    }
                }
            }
            sums
        };
        let pods = |of: fn(&Self) -> &Apart<PodBuckets>| {
            let one = of(self).at_bounds(&self.upper_bounds, &bounds);
            let other = of(other).at_bounds(&other.upper_bounds, &bounds);
            side_by_side((&one, &other), &rows, |one, other| one.and(&other))
        };
        Self {
            spans: rows
                .iter()
                .map(|(span, _)| (span.start, span.len()))
                .collect(),
            control: sums(|one| &one.control),
            canary: sums(|one| &one.canary),
            pods: Populations {
                control: pods(|one| &one.pods.control),
                canary: pods(|one| &one.pods.canary),
            },
            lives: Populations {
                control: both_lives(&self.lives.control, &other.lives.control),
                canary: both_lives(&self.lives.canary, &other.lives.canary),
            },
            upper_bounds: bounds,
            buckets: BucketLayout {
                is_sparse: self.buckets.is_sparse || other.buckets.is_sparse,
                ..self.buckets.clone()
            },
            quality: quality(&self.quality, &other.quality),
        }
    }

    fn add_row(
        &self,
        counts: &Array2<f64>,
        row: usize,
        bounds: &[f64],
        sums: &mut Array2<f64>,
        index: usize,
    ) {
        if row >= counts.nrows() || index >= sums.nrows() {
            return;
        }
        let counts = counts.index_axis(Axis(0), row);
        let of_bound: BTreeMap<u64, f64> = self
            .upper_bounds
            .iter()
            .zip(counts)
            .map(|(bound, count)| (bound.to_bits(), *count))
            .collect();
        let mut sums = sums.index_axis_mut(Axis(0), index);
        for (sum, bound) in sums.iter_mut().zip(bounds) {
            *sum += of_bound.get(&bound.to_bits()).copied().unwrap_or(0.0);
        }
    }
}

/// The mean over the series of both, and how many there are.
fn mean(one: (Option<f64>, u32), other: (Option<f64>, u32)) -> (Option<f64>, u32) {
    let all = [one, other].into_iter();
    let known = all.filter_map(|(value, behind)| Some((value?, behind)));
    let (sum, behind) = known.fold((0.0, 0_u32), |(sum, all), (value, behind)| {
        (sum + value * f64::from(behind), all.saturating_add(behind))
    });
    ((behind > 0).then(|| sum / f64::from(behind)), behind)
}

impl PairedGauge {
    /// Both together: the means over the series of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let length = self.intervals.len().max(other.intervals.len());
        let mut both = Self::default();
        for index in 0..length {
            let at = |gauge: &Self| {
                let values = gauge.intervals.get(index).copied().unwrap_or_default();
                let behind = gauge.behind.get(index).copied().unwrap_or_default();
                (values, behind)
            };
            let (one, other) = (at(self), at(other));
            let control = mean(
                (one.0.control, one.1.control),
                (other.0.control, other.1.control),
            );
            let canary = mean(
                (one.0.canary, one.1.canary),
                (other.0.canary, other.1.canary),
            );
            both.intervals.push(Populations {
                control: control.0,
                canary: canary.0,
            });
            both.behind.push(Populations {
                control: control.1,
                canary: canary.1,
            });
        }
        let pods = |one: &Apart<f64>, other: &Apart<f64>| one.beside(other, |value, _| value);
        both.pods = Populations {
            control: pods(&self.pods.control, &other.pods.control),
            canary: pods(&self.pods.canary, &other.pods.canary),
        };
        both.lives = Populations {
            control: both_lives(&self.lives.control, &other.lives.control),
            canary: both_lives(&self.lives.canary, &other.lives.canary),
        };
        both.scrape_ms = self.scrape_ms.or(other.scrape_ms);
        both.bare_series = self.bare_series + other.bare_series;
        let finite = |one: FiniteSeries, other: FiniteSeries| FiniteSeries {
            seen: one.seen + other.seen,
            not_finite: one.not_finite + other.not_finite,
        };
        both.finite = Populations {
            control: finite(self.finite.control, other.finite.control),
            canary: finite(self.finite.canary, other.finite.canary),
        };
        both.left_out = Populations {
            control: [
                self.left_out.control.clone(),
                other.left_out.control.clone(),
            ]
            .concat(),
            canary: [self.left_out.canary.clone(), other.left_out.canary.clone()].concat(),
        };
        both.quality = quality(&self.quality, &other.quality);
        both
    }
}

/// In which intervals a population was seen in both of two regions.
fn seen_in_both(one: &[bool], other: &[bool]) -> Vec<bool> {
    if one.is_empty() || other.is_empty() {
        return [one, other].concat();
    }
    let both = one.iter().zip(other);
    both.map(|(one, other)| *one && *other).collect()
}
