//! Latency quantiles from classic histograms: judged on tail counts, never on the estimated
//! quantile, and shown with the bracket of buckets that the data can resolve.

use crate::interval::{Confidence, Interval};
use crate::pipeline::Condition;
use crate::series::{ArmCount, PairedHistogram, Populations};
use crate::special::{Tail, normal_quantile, normal_tails};

use super::limit::{Claim, Claims, Limit, Scale};
use super::model::ArmReport;

/// Observations beyond a bound that the control must have before the distance between two of
/// its tail shares is trusted. Source: the project's statistics design, section 7.
const CONTROL_TAIL_NEEDED: f64 = 500.0;

/// Sums of a histogram over a window: for each finite bound the observations at or below it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowHistogram {
    /// Finite upper bounds, ascending.
    bounds: Vec<f64>,
    control: ArmHistogram,
    canary: ArmHistogram,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct ArmHistogram {
    cumulative: Vec<f64>,
    total: f64,
}

impl ArmHistogram {
    /// Observations beyond the bound of an index.
    fn tail(&self, index: usize) -> ArmCount {
        let below = self.cumulative.get(index).copied().unwrap_or(self.total);
        ArmCount {
            events: (self.total - below).max(0.0),
            exposure: self.total,
        }
    }

    fn tail_share(&self, index: usize) -> f64 {
        let tail = self.tail(index);
        if tail.exposure > 0.0 {
            tail.events / tail.exposure
        } else {
            0.0
        }
    }
}

impl WindowHistogram {
    /// Sums the rows of the grid intervals from `from_interval` on.
    pub(super) fn since(histogram: &PairedHistogram, from_interval: usize) -> Self {
        let columns = histogram.upper_bounds.len();
        let mut sums = Populations {
            control: vec![0.0; columns],
            canary: vec![0.0; columns],
        };
        for (row, (first, _)) in histogram.spans.iter().enumerate() {
            if *first < from_interval {
                continue;
            }
            for (sum, value) in sums.control.iter_mut().zip(histogram.control.row(row)) {
                *sum += value;
            }
            for (sum, value) in sums.canary.iter_mut().zip(histogram.canary.row(row)) {
                *sum += value;
            }
        }
        let finite = histogram
            .upper_bounds
            .iter()
            .filter(|bound| bound.is_finite())
            .count();
        let arm = |mut cumulative: Vec<f64>| {
            let total = cumulative.last().copied().unwrap_or(0.0);
            cumulative.truncate(finite);
            ArmHistogram { cumulative, total }
        };
        Self {
            bounds: histogram
                .upper_bounds
                .iter()
                .copied()
                .take(finite)
                .collect(),
            control: arm(sums.control),
            canary: arm(sums.canary),
        }
    }

    /// All observations of both populations.
    pub(super) fn totals(&self) -> Populations<f64> {
        Populations {
            control: self.control.total,
            canary: self.canary.total,
        }
    }

    fn tails(&self, index: usize) -> Populations<ArmCount> {
        Populations {
            control: self.control.tail(index),
            canary: self.canary.tail(index),
        }
    }

    /// What a report shows of both populations: the quantile, its interval and its bracket.
    pub(super) fn reports(
        &self,
        quantile: f64,
        confidence: Confidence,
    ) -> Populations<Option<ArmReport>> {
        let arms = Populations {
            control: &self.control,
            canary: &self.canary,
        };
        arms.map(|arm| self.report(arm, quantile, confidence))
    }

    fn report(
        &self,
        arm: &ArmHistogram,
        quantile: f64,
        confidence: Confidence,
    ) -> Option<ArmReport> {
        if arm.total <= 0.0 {
            return None;
        }
        let beyond = 1.0 - quantile;
        let intervals: Vec<Option<Interval>> = (0..self.bounds.len())
            .map(|index| Scale::Share.interval(arm.tail(index), confidence))
            .collect();
        let last_surely_below = intervals
            .iter()
            .rposition(|interval| interval.is_some_and(|tail| tail.lower() > beyond));
        let first_surely_above = intervals
            .iter()
            .position(|interval| interval.is_some_and(|tail| tail.upper() < beyond));
        let lower = last_surely_below
            .and_then(|index| self.bounds.get(index))
            .copied();
        let upper = first_surely_above
            .and_then(|index| self.bounds.get(index))
            .copied();
        let holder = (0..self.bounds.len()).find(|index| arm.tail_share(*index) <= beyond);
        Some(ArmReport {
            events: None,
            total: Some(arm.total),
            estimate: holder.and_then(|index| self.interpolated_quantile(arm, index, beyond)),
            interval: Interval::new(lower.unwrap_or(0.0), upper.unwrap_or(f64::INFINITY)),
            bracket: self.bracket(holder),
        })
    }

    /// The bounds of the bucket with an index; beyond the last bound when there is none.
    fn bracket(&self, index: Option<usize>) -> Option<Interval> {
        let bound = |index: usize| self.bounds.get(index).copied();
        match index {
            Some(0) => Interval::new(0.0_f64.min(bound(0)?), bound(0)?),
            Some(index) => Interval::new(bound(index - 1)?, bound(index)?),
            None => Interval::new(self.bounds.last().copied()?, f64::INFINITY),
        }
    }

    /// Straight-line interpolation inside a bucket, as `histogram_quantile` does it: for display.
    fn interpolated_quantile(&self, arm: &ArmHistogram, index: usize, beyond: f64) -> Option<f64> {
        let bracket = self.bracket(Some(index))?;
        let share_before = if index == 0 {
            1.0
        } else {
            arm.tail_share(index - 1)
        };
        let share_at = arm.tail_share(index);
        if share_before <= share_at {
            return Some(bracket.upper());
        }
        let part = (share_before - beyond) / (share_before - share_at);
        Some(bracket.lower() + (bracket.upper() - bracket.lower()) * part.clamp(0.0, 1.0))
    }

    /// The claims of a condition on a quantile, or why there are none.
    pub(super) fn claims(
        &self,
        condition: &Condition,
        quantile: f64,
        promote_ratio: f64,
    ) -> Result<Claims, String> {
        match *condition {
            Condition::Absolute { comparison, limit } => {
                Ok(self.absolute_claims(comparison.wants_less(), limit, quantile))
            }
            Condition::Relative {
                comparison,
                ratio,
                offset,
            } if comparison.wants_less() => {
                self.relative_claims(quantile, ratio, promote_ratio, offset)
            }
            Condition::Relative { .. } | Condition::Within { .. } => {
                Err("a quantile can be compared with the baseline by < or <= only".to_owned())
            }
        }
    }

    /// `latency_p99 < limit`: the share of requests beyond a bound is held against `1 - q`. A
    /// bound at or above the limit can show that the quantile is above, one at or below it that
    /// it is below; where no bound equals the limit, the values between cannot be decided.
    fn absolute_claims(&self, wants_less: bool, limit: f64, quantile: f64) -> Claims {
        let (below, above) = self.bounds_around(limit);
        let beyond = 1.0 - quantile;
        let claim = |index: Option<usize>| {
            index.map(|index| Claim {
                limit: Limit::absolute(wants_less, beyond),
                totals: self.tails(index),
            })
        };
        let (violation, compliance) = if wants_less {
            (above, below)
        } else {
            (below, above)
        };
        Claims {
            scale: Scale::Share,
            violation: claim(violation),
            compliance: claim(compliance),
        }
    }

    /// The index of the last bound at or below a limit and of the first at or above it.
    fn bounds_around(&self, limit: f64) -> (Option<usize>, Option<usize>) {
        // A limit written as 0.3 and a bound of milliseconds scaled to 0.3 differ by an ulp.
        let slack = limit.abs() * 1e-12;
        (
            self.bounds
                .iter()
                .rposition(|bound| *bound <= limit + slack),
            self.bounds.iter().position(|bound| *bound >= limit - slack),
        )
    }

    /// What the buckets can decide of an absolute limit, when no bound equals it.
    pub(super) fn undecidable_between(&self, limit: f64) -> Option<Interval> {
        let (below, above) = self.bounds_around(limit);
        if below.is_some() && below == above {
            return None;
        }
        let bound = |index: Option<usize>| index.and_then(|index| self.bounds.get(index)).copied();
        Interval::new(
            bound(below).unwrap_or(0.0),
            bound(above).unwrap_or(f64::INFINITY),
        )
    }

    /// `latency_p99 < baseline * r + d`: at the bound whose control tail is nearest to `1 - q`
    /// the share of slow canary requests is held against the share of control requests beyond
    /// `(bound - d) / r`, which is the control's share at the bound times a ratio read off the
    /// control's own histogram.
    fn relative_claims(
        &self,
        quantile: f64,
        ratio: f64,
        promote_ratio: f64,
        offset: f64,
    ) -> Result<Claims, String> {
        let index = self.bound_nearest(1.0 - quantile).ok_or_else(|| {
            format!(
                "the control has fewer than {CONTROL_TAIL_NEEDED} requests beyond every bucket \
                 bound, too few to compare tails"
            )
        })?;
        let totals = self.tails(index);
        let claim = |factor: f64| {
            let limit = self.tail_ratio(index, factor, offset)?;
            Some(Claim {
                limit: Limit::relative(true, limit, 0.0),
                totals,
            })
        };
        let compliance = claim(promote_ratio).filter(|_| {
            // Beyond half of all requests no canary could be: it would prove compliance of
            // anything.
            self.bounds.get(index).is_some_and(|bound| {
                self.control_tail_share_at((bound - offset) / promote_ratio)
                    .is_some_and(|share| share <= 0.5)
            })
        });
        Ok(Claims {
            scale: Scale::Share,
            violation: claim(ratio),
            compliance,
        })
    }

    /// The bound whose control tail share is nearest to a share on a logarithmic scale, among
    /// those with enough control requests beyond.
    fn bound_nearest(&self, share: f64) -> Option<usize> {
        let mut nearest: Option<(usize, f64)> = None;
        for index in 0..self.bounds.len() {
            let tail = self.control.tail(index);
            if tail.events < CONTROL_TAIL_NEEDED {
                continue;
            }
            let distance = libm::log(tail.events / tail.exposure / share).abs();
            if nearest.is_none_or(|(_, best)| distance < best) {
                nearest = Some((index, distance));
            }
        }
        nearest.map(|(index, _)| index)
    }

    /// `S((bound - offset) / factor) / S(bound)`, with S the control's tail share.
    fn tail_ratio(&self, index: usize, factor: f64, offset: f64) -> Option<f64> {
        let bound = self.bounds.get(index)?;
        let share = self.control.tail_share(index);
        let wider = self.control_tail_share_at((bound - offset) / factor)?;
        (share > 0.0).then(|| wider / share)
    }

    fn control_tail_share_at(&self, at: f64) -> Option<f64> {
        let shares: Vec<f64> = (0..self.bounds.len())
            .map(|index| self.control.tail_share(index))
            .collect();
        interpolated_tail_share(&self.bounds, &shares, at)
    }
}

/// Returns the share of observations beyond `at`, between two bounds of a histogram: straight
/// line interpolation of the normal quantile against the logarithm of the bound, which is exact
/// for log-normal latencies.
///
/// With `b_i <= at < b_{i+1}` and `z = quantile(1 - S)`:
/// `lambda = ln(b_{i+1} / at) / ln(b_{i+1} / b_i)`,
/// `S(at) = 1 - cdf(lambda * z_i + (1 - lambda) * z_{i+1})`.
///
/// Nothing outside the bounds, or where a share is 0 or 1 without `at` being a bound.
/// Source: the project's statistics design, section 7.
fn interpolated_tail_share(bounds: &[f64], tail_shares: &[f64], at: f64) -> Option<f64> {
    let upper = bounds.iter().position(|bound| *bound >= at)?;
    let (upper_bound, upper_share) = (*bounds.get(upper)?, *tail_shares.get(upper)?);
    if upper_bound <= at {
        return Some(upper_share);
    }
    let lower = upper.checked_sub(1)?;
    let (lower_bound, lower_share) = (*bounds.get(lower)?, *tail_shares.get(lower)?);
    let inside = |share: f64| share > 0.0 && share < 1.0;
    if !(lower_bound > 0.0 && inside(lower_share) && inside(upper_share)) {
        return None;
    }
    let lambda = libm::log(upper_bound / at) / libm::log(upper_bound / lower_bound);
    let z_lower = normal_quantile(lower_share, Tail::Upper).ok()?;
    let z_upper = normal_quantile(upper_share, Tail::Upper).ok()?;
    let z = lambda * z_lower + (1.0 - lambda) * z_upper;
    normal_tails(z).ok().map(|tails| tails.upper)
}
