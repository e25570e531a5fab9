//! Latency quantiles from classic histograms: judged on tail counts at bucket bounds, never on
//! the estimated quantile, and shown with the bracket of buckets that the data can resolve.

use crate::interval::{Confidence, Interval};
use crate::pipeline::Limit;
use crate::sequential::{
    IntervalCounts, NoiseHistory, TailMargin, absolute_bounds, choose_bounds, strict_margin,
    tail_margin,
};
use crate::series::{ArmCount, PairedHistogram, Populations};

use super::evidence::Held;
use super::limit::{Claim, Claims, Plannable, Scale};
use super::model::ArmReport;
use super::warm_up::LookedAt;

/// Observations beyond the quantile that the control must have before its tail shares are trusted.
/// Source: docs/design/statistics.md, "7. Latency quantiles".
pub(crate) const CONTROL_TAIL_NEEDED: f64 = 500.0;
/// Observations beyond the quantile after which it is settled how tails are compared. They tell the
/// control's traffic, and roughly where its quantile lies.
const CONTROL_TAIL_TO_SETTLE: f64 = 5.0;
/// The part of a stage within which the control must have its tail; else bounds apart are compared.
const WAITING_SHARE: f64 = 0.5;

/// A histogram and the part of its window that is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency<'a> {
    histogram: &'a PairedHistogram,
    quantile: f64,
    looked_at: LookedAt<'a>,
    /// Rows that end before this grid interval are left out.
    from_interval: usize,
    /// Rows that reach beyond the start of this one, too.
    until_interval: usize,
    /// The longest that the stage lasts.
    longest_intervals: usize,
}

/// A limit on the tail shares at one bound.
#[derive(Debug, Clone, Copy, PartialEq)]
struct BoundLimit {
    /// The canary's bound.
    index: usize,
    /// The control's: the same, or a lower one where bounds apart are compared.
    control_index: usize,
    limit: Limit,
    /// What the bounds were chosen on is left out of what they are held against.
    from_interval: usize,
}

/// The limits that a condition becomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BoundLimits {
    violation: Vec<BoundLimit>,
    compliance: Vec<BoundLimit>,
    /// What the buckets cannot decide, for the reader.
    pub(crate) blind: Option<Interval>,
    /// The first interval at whose end the limits were known.
    pub(crate) known_from: usize,
    /// Whether bounds apart are compared, because the control has too little traffic.
    pub(crate) is_strict: bool,
}

impl BoundLimits {
    /// The indices of the bounds at which a violation is looked for, in the order of the limits.
    pub(crate) fn violation_bounds(&self) -> impl Iterator<Item = usize> {
        self.violation.iter().map(|one| one.index)
    }

    /// Whether any data could break the condition.
    pub(crate) fn can_be_broken(&self) -> bool {
        !self.violation.is_empty()
    }

    /// Whether any data could show that the condition is kept.
    pub(crate) fn can_be_kept(&self) -> bool {
        !self.compliance.is_empty()
    }
}

/// One population's observations at or below each finite bound, and all of them.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    cumulative: Vec<f64>,
    total: f64,
}

impl Sums {
    fn tail(&self, index: usize) -> ArmCount {
        let below = self.cumulative.get(index).copied().unwrap_or(self.total);
        ArmCount {
            events: (self.total - below).max(0.0),
            exposure: self.total,
        }
    }

    fn tail_shares(&self) -> Vec<f64> {
        let share = |index| {
            let tail = self.tail(index);
            if tail.exposure > 0.0 {
                tail.events / tail.exposure
            } else {
                0.0
            }
        };
        (0..self.cumulative.len()).map(share).collect()
    }
}

impl<'a> Latency<'a> {
    /// Looks at a part of the rows of a histogram.
    pub(crate) fn new(
        histogram: &'a PairedHistogram,
        quantile: f64,
        looked_at: LookedAt<'a>,
    ) -> Self {
        Self {
            histogram,
            quantile,
            looked_at,
            from_interval: 0,
            until_interval: usize::MAX,
            longest_intervals: usize::MAX,
        }
    }

    /// Says how many intervals the stage has at most: with little traffic a comparison must not
    /// wait for what will not come.
    pub(crate) fn lasting(self, longest_intervals: usize) -> Self {
        Self {
            longest_intervals,
            ..self
        }
    }

    /// Looks at no row that ends before one grid interval, nor at any that ends after the start of
    /// another: at the newest of what was known there.
    pub(crate) fn between(self, from_interval: usize, until_interval: usize) -> Self {
        Self {
            from_interval,
            until_interval,
            ..self
        }
    }

    pub(crate) fn finite_bounds(&self) -> &'a [f64] {
        let finite = self
            .histogram
            .upper_bounds
            .iter()
            .take_while(|bound| bound.is_finite());
        self.histogram
            .upper_bounds
            .get(..finite.count())
            .unwrap_or_default()
    }

    /// The rows looked at: index, first grid interval and number of intervals.
    fn spans(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let spans = &self.histogram.spans;
        let ends_by =
            |interval: usize| move |(first, length): &(usize, usize)| first + length <= interval;
        let from = spans.partition_point(ends_by(self.from_interval));
        let until = spans.partition_point(ends_by(self.until_interval));
        (from..)
            .zip(spans.get(from..until).unwrap_or_default())
            .map(|(row, (first, length))| (row, *first, *length))
            .filter(move |(_, first, length)| self.looked_at.keeps(*first, *length))
    }

    /// The rows looked at: the last grid interval that each covers, control and canary.
    fn rows(&self) -> impl Iterator<Item = (usize, Populations<Row<'a>>)> + '_ {
        let histogram = self.histogram;
        self.spans().map(move |(row, first, length)| {
            let rows = Populations {
                control: histogram.control.row(row),
                canary: histogram.canary.row(row),
            };
            (first + length - 1, rows)
        })
    }

    /// The sums over the window. `together` leaves out the rows in which one population has no
    /// requests: they would compare different times.
    fn sums(&self, together: bool) -> Populations<Sums> {
        let zero = || Sums {
            cumulative: vec![0.0; self.finite_bounds().len()],
            total: 0.0,
        };
        let mut sums = Populations {
            control: zero(),
            canary: zero(),
        };
        for (_, rows) in self.rows() {
            if together && (total(&rows.control) <= 0.0 || total(&rows.canary) <= 0.0) {
                continue;
            }
            add(&mut sums.control, &rows.control);
            add(&mut sums.canary, &rows.canary);
        }
        sums
    }

    /// All requests of both populations.
    pub(crate) fn totals(&self) -> Populations<f64> {
        self.sums(false).map(|sums| sums.total)
    }

    /// The requests of both populations in the intervals in which both had some.
    pub(crate) fn totals_together(&self) -> Populations<f64> {
        self.sums(true).map(|sums| sums.total)
    }

    /// The control's tail shares over the whole window.
    pub(crate) fn control_tails(&self) -> Vec<f64> {
        self.sums(false).control.tail_shares()
    }

    /// The control's tail shares over its first intervals, until enough of its requests lie
    /// beyond the quantile, and the last of these intervals. Frozen there: what comes later must
    /// not move the limits.
    fn frozen_control_tails(&self, needed_beyond: f64) -> Option<(usize, Vec<f64>)> {
        let mut sums = Sums {
            cumulative: vec![0.0; self.finite_bounds().len()],
            total: 0.0,
        };
        for (last, rows) in self.rows() {
            add(&mut sums, &rows.control);
            if sums.total * (1.0 - self.quantile) >= needed_beyond {
                return Some((last, sums.tail_shares()));
            }
        }
        None
    }

    /// The limits at the bounds for a limit of the quantile and the one of a promotion, or why there
    /// are none.
    pub(crate) fn limits(&self, limit: Limit, promotion: Limit) -> Result<BoundLimits, String> {
        match limit {
            Limit::AtMost {
                ratio: None,
                offset,
            } => Ok(self.absolute_limits(true, offset)),
            Limit::AtLeast {
                ratio: None,
                offset,
            } => Ok(self.absolute_limits(false, offset)),
            Limit::AtMost {
                ratio: Some(ratio),
                offset,
            } => {
                let promoted = match promotion {
                    Limit::AtMost {
                        ratio: Some(promoted),
                        ..
                    } => promoted,
                    Limit::AtMost { ratio: None, .. }
                    | Limit::AtLeast { .. }
                    | Limit::Within { .. } => ratio,
                };
                self.relative_limits(ratio, promoted, offset)
            }
            Limit::AtLeast { ratio: Some(_), .. } | Limit::Within { .. } => {
                Err("a quantile can be compared with the baseline by < or <= only".to_owned())
            }
        }
    }

    /// `latency_p99 < limit`: the share of requests beyond a bound is held against `1 - q`. A
    /// bound at or above the limit can show that the quantile is above, one at or below it that
    /// it is below; where no bound equals the limit, the values between cannot be decided.
    fn absolute_limits(&self, wants_less: bool, limit: f64) -> BoundLimits {
        let bounds = self.finite_bounds();
        // A limit written as 0.3 and a bound of milliseconds scaled to 0.3 differ by an ulp.
        let near = bounds
            .iter()
            .copied()
            .find(|bound| (bound - limit).abs() <= limit.abs() * 1e-12);
        let around = absolute_bounds(bounds, near.unwrap_or(limit));
        let (below, above) = (around.for_compliance, around.for_violation);
        let at = |index: Option<usize>| -> Vec<BoundLimit> {
            let limit = Limit::absolute(wants_less, slow_share(self.quantile));
            index
                .map(|index| BoundLimit {
                    index,
                    control_index: index,
                    limit,
                    from_interval: 0,
                })
                .into_iter()
                .collect()
        };
        let (violation, compliance) = if wants_less {
            (above, below)
        } else {
            (below, above)
        };
        let bound = |index: Option<usize>| index.and_then(|index| bounds.get(index)).copied();
        let blind = if below.is_some() && below == above {
            None
        } else {
            Interval::new(
                bound(below).unwrap_or(0.0),
                bound(above).unwrap_or(f64::INFINITY),
            )
        };
        BoundLimits {
            violation: at(violation),
            compliance: at(compliance),
            blind,
            ..BoundLimits::default()
        }
    }

    /// `latency_p99 < baseline * r + d`: at bounds near the quantile the share of slow canary
    /// requests is held against the share of control requests slower than `(bound - d) / r`, which
    /// is the control's share at the bound times a ratio read off the control's own histogram.
    fn relative_limits(
        &self,
        ratio: f64,
        promote_ratio: f64,
        offset: f64,
    ) -> Result<BoundLimits, String> {
        let too_few = |needed: f64| {
            format!(
                "the control has fewer than {needed} requests beyond its quantile yet, too few to \
                 compare tails"
            )
        };
        let (settled, rough_tails) = self
            .frozen_control_tails(CONTROL_TAIL_TO_SETTLE)
            .ok_or_else(|| too_few(CONTROL_TAIL_TO_SETTLE))?;
        if !self.will_know_the_tail(settled) {
            return self.strict_limits(settled, &rough_tails, ratio, offset);
        }
        let (known_from, tails) = self
            .frozen_control_tails(CONTROL_TAIL_NEEDED)
            .ok_or_else(|| too_few(CONTROL_TAIL_NEEDED))?;
        let bounds = self.finite_bounds();
        let mut limits = BoundLimits {
            known_from,
            ..BoundLimits::default()
        };
        for index in choose_bounds(bounds, &tails, self.quantile) {
            let margin = |factor: f64| {
                let bound = bounds.get(index)?;
                // b / ((b - d) / r), the ratio of latencies at this bound.
                let at_bound = bound * factor / (bound - offset);
                tail_margin(bounds, &tails, index, at_bound)
            };
            let limit = |ratio| BoundLimit {
                index,
                control_index: index,
                limit: Limit::relative(true, ratio, 0.0),
                from_interval: 0,
            };
            if let Some(margin) = margin(ratio) {
                limits.violation.push(limit(margin.ratio));
            }
            if let Some(margin) = margin(promote_ratio).filter(TailMargin::can_show_compliance) {
                limits.compliance.push(limit(margin.ratio));
            }
        }
        if limits.violation.is_empty() {
            return Err("the buckets near the quantile are too wide to compare tails".to_owned());
        }
        self.nearest_first(&tails, &mut limits);
        Ok(limits)
    }

    /// A single look takes one bound: the first is the one nearest to the quantile.
    fn nearest_first(&self, control_tails: &[f64], limits: &mut BoundLimits) {
        let nearness = |one: &BoundLimit| {
            let share = control_tails.get(one.control_index).copied();
            libm::fabs(libm::log(share.unwrap_or(0.0) / (1.0 - self.quantile)))
        };
        for list in [&mut limits.violation, &mut limits.compliance] {
            list.sort_by(|a, b| nearness(a).total_cmp(&nearness(b)));
        }
    }

    /// Whether the control's tail will be known in good time, at the traffic that it had up to the
    /// end of an interval.
    fn will_know_the_tail(&self, settled: usize) -> bool {
        let settling = self.between(self.from_interval, settled + 1);
        let beyond = settling.totals().control * (1.0 - self.quantile);
        let looked_at: usize = settling.spans().map(|(_, _, length)| length).sum();
        let intervals = CONTROL_TAIL_NEEDED / beyond * looked_at as f64;
        intervals <= WAITING_SHARE * self.longest_intervals as f64
    }

    /// `latency_p99 < baseline * r + d` where the control's traffic is too little to read a margin off
    /// its histogram: the share of canary requests slower than the first bound from `r * bound + d`
    /// on is held against the share of control requests slower than `bound`. Exact for any law of
    /// latencies, and no more than the buckets resolve. It shows no limit to be kept.
    fn strict_limits(
        &self,
        settled: usize,
        control_tails: &[f64],
        ratio: f64,
        offset: f64,
    ) -> Result<BoundLimits, String> {
        let bounds = self.finite_bounds();
        let apart = |control_index: usize| {
            let bound = bounds.get(control_index)?;
            let margin = strict_margin(bounds, control_index, (ratio * bound + offset) / bound)?;
            Some(BoundLimit {
                index: margin.canary_bound,
                control_index,
                limit: Limit::relative(true, 1.0, 0.0),
                from_interval: settled + 1,
            })
        };
        let mut limits = BoundLimits {
            violation: choose_bounds(bounds, control_tails, self.quantile)
                .into_iter()
                .filter_map(apart)
                .collect(),
            known_from: settled,
            is_strict: true,
            ..BoundLimits::default()
        };
        if limits.violation.is_empty() {
            return Err("no bucket lies beyond the limit of those near the quantile".to_owned());
        }
        self.nearest_first(control_tails, &mut limits);
        Ok(limits)
    }

    /// The claims of a single look, at the bound nearest to the quantile.
    pub(crate) fn claims(&self, limits: &BoundLimits) -> Claims {
        let nearest = |list: &[BoundLimit]| list.first().map(|one| self.claim(one));
        Claims {
            scale: Scale::Share,
            violation: nearest(&limits.violation),
            compliance: nearest(&limits.compliance),
        }
    }

    /// The claims at every bound: what the sequential method decides on.
    pub(crate) fn plannable(&self, limits: &BoundLimits) -> Plannable {
        let claims = |list: &[BoundLimit]| list.iter().map(|one| self.claim(one)).collect();
        Plannable {
            violation: claims(&limits.violation),
            compliance: claims(&limits.compliance),
        }
    }

    fn claim(&self, one: &BoundLimit) -> Claim {
        let from = self.from_interval.max(one.from_interval);
        let sums = self
            .between(from, self.until_interval)
            .sums(one.limit.needs_control());
        Claim {
            limit: one.limit,
            totals: Populations {
                control: sums.control.tail(one.control_index),
                canary: sums.canary.tail(one.index),
            },
        }
    }

    /// How many times as much of the control it takes until a relative limit can be stated.
    pub(crate) fn factor_to_state_limits(&self) -> Option<f64> {
        let seen = self.totals().control * (1.0 - self.quantile);
        let needed = if self.will_know_the_tail(usize::MAX - 1) {
            CONTROL_TAIL_NEEDED
        } else {
            CONTROL_TAIL_TO_SETTLE
        };
        (seen > 0.0 && seen < needed).then(|| needed / seen)
    }

    /// The tail counts of every interval, at every bound: for the violation and for compliance.
    /// `history` gives the noise before the rollout of the counts above a bound that a limit is held
    /// against, where it is known.
    pub(crate) fn held<'h>(
        &self,
        limits: &BoundLimits,
        intervals: usize,
        history: impl Fn(f64, Limit) -> Option<&'h NoiseHistory>,
    ) -> (Vec<Held<'h>>, Vec<Held<'h>>) {
        let bounds = self.finite_bounds();
        let held = |list: &[BoundLimit]| {
            let of = |one: &BoundLimit| Held {
                per_interval: 1,
                limit: one.limit,
                intervals: self.tail_intervals(one, intervals),
                history: bounds
                    .get(one.control_index)
                    .and_then(|bound| history(*bound, one.limit)),
            };
            list.iter().map(of).collect()
        };
        (held(&limits.violation), held(&limits.compliance))
    }

    fn tail_intervals(&self, one: &BoundLimit, intervals: usize) -> Vec<IntervalCounts> {
        let mut counts = vec![IntervalCounts::default(); intervals];
        for (last, rows) in self.rows().filter(|(last, _)| *last >= one.from_interval) {
            if let Some(slot) = counts.get_mut(last) {
                slot.control = row_tail(&rows.control, one.control_index);
                slot.canary = row_tail(&rows.canary, one.index);
            }
        }
        counts
    }

    /// What a report shows of both populations: the quantile, its interval and its bracket.
    pub(crate) fn reports(&self, confidence: Confidence) -> Populations<Option<ArmReport>> {
        self.sums(false).map(|sums| self.report(&sums, confidence))
    }

    fn report(&self, sums: &Sums, confidence: Confidence) -> Option<ArmReport> {
        if sums.total <= 0.0 {
            return None;
        }
        let bounds = self.finite_bounds();
        let beyond = 1.0 - self.quantile;
        let interval = |index| Scale::Share.interval(sums.tail(index), confidence);
        let surely_below = (0..bounds.len())
            .rposition(|index| interval(index).is_some_and(|tail| tail.lower() > beyond));
        let surely_above = (0..bounds.len())
            .position(|index| interval(index).is_some_and(|tail| tail.upper() < beyond));
        let bound = |index: Option<usize>| index.and_then(|index| bounds.get(index)).copied();
        let shares = sums.tail_shares();
        let holder = shares.iter().position(|share| *share <= beyond);
        let bracket = bracket(bounds, holder);
        Some(ArmReport {
            events: None,
            total: Some(sums.total),
            estimate: holder.and_then(|index| {
                let before = index
                    .checked_sub(1)
                    .and_then(|before| shares.get(before))
                    .copied();
                Some(interpolated(
                    bracket?,
                    before.unwrap_or(1.0),
                    *shares.get(index)?,
                    beyond,
                ))
            }),
            interval: Interval::new(
                bound(surely_below).unwrap_or(0.0),
                bound(surely_above).unwrap_or(f64::INFINITY),
            ),
            bracket,
        })
    }
}

/// The share of slow requests that a quantile leaves: what an absolute limit of it allows.
pub(crate) fn slow_share(quantile: f64) -> f64 {
    1.0 - quantile
}

type Row<'a> = ndarray::ArrayView1<'a, f64>;

fn total(row: &Row<'_>) -> f64 {
    row.last().copied().unwrap_or(0.0)
}

fn add(sums: &mut Sums, row: &Row<'_>) {
    for (sum, value) in sums.cumulative.iter_mut().zip(row) {
        *sum += value;
    }
    sums.total += total(row);
}

fn row_tail(row: &Row<'_>, index: usize) -> ArmCount {
    let exposure = total(row);
    let below = row.get(index).copied().unwrap_or(exposure);
    ArmCount {
        events: (exposure - below).max(0.0),
        exposure,
    }
}

/// The bounds of the bucket with an index; beyond the last bound when there is none.
fn bracket(bounds: &[f64], index: Option<usize>) -> Option<Interval> {
    match index {
        Some(0) => bounds
            .first()
            .and_then(|bound| Interval::new(bound.min(0.0), *bound)),
        Some(index) => Interval::new(*bounds.get(index - 1)?, *bounds.get(index)?),
        None => Interval::new(*bounds.last()?, f64::INFINITY),
    }
}

/// Straight-line interpolation inside a bucket, as `histogram_quantile` does it: for display.
fn interpolated(bracket: Interval, share_before: f64, share_at: f64, beyond: f64) -> f64 {
    if share_before <= share_at {
        return bracket.upper();
    }
    let part = (share_before - beyond) / (share_before - share_at);
    bracket.lower() + (bracket.upper() - bracket.lower()) * part.clamp(0.0, 1.0)
}
