//! Latency quantiles as counts of slow requests.
//!
//! "The canary's latency is at most `r` times the control's" means: the share of canary requests slower
//! than a bound `b` is at most the share of control requests slower than `b / r`. The latter is a
//! multiple of the share slower than `b`, which is the ratio that [`super::RelativeEvidence`] then
//! tests. Estimated quantiles are never compared.

use crate::special::{Tail, normal_quantile, normal_tails};

/// Most bounds that a check looks at.
const MOST_BOUNDS: usize = 4;
/// The tails that bounds are chosen from, as multiples of `1 - quantile`.
const LEAST_TAIL: f64 = 0.3;
const MOST_TAIL: f64 = 5.0;
/// Above this tail of the control at `b / R` no canary could be beyond the bound.
const MOST_TAIL_FOR_COMPLIANCE: f64 = 0.5;

/// Returns the indices of the bounds to look at for a quantile (0.99 for p99): up to 4, evenly chosen
/// of those with a control tail share between `0.3 (1 - q)` and `5 (1 - q)`; without any, the one whose
/// tail is nearest to `1 - q` on a logarithmic scale. Infinite and non-positive bounds and tails are
/// left out; nothing remains if there is no other. To be frozen at the rollout's start.
///
/// `control_tails` holds the share of control requests slower than each bound.
///
/// ```
/// use serinus_analysis::sequential::choose_bounds;
///
/// let bounds = [0.1, 0.25, 0.5, 1.0, f64::INFINITY];
/// let tails = [0.126, 0.011, 0.0008, 0.00003, 0.0];
/// assert_eq!(choose_bounds(&bounds, &tails, 0.99), [1]);
/// assert_eq!(choose_bounds(&bounds, &tails, 0.95), [0]);
/// ```
pub fn choose_bounds(bounds: &[f64], control_tails: &[f64], quantile: f64) -> Vec<usize> {
    let wanted = 1.0 - quantile;
    if !(wanted > 0.0 && wanted < 1.0) {
        return Vec::new();
    }
    let usable = || {
        bounds
            .iter()
            .zip(control_tails)
            .enumerate()
            .filter(|(_, (bound, tail))| {
                **bound > 0.0 && bound.is_finite() && **tail > 0.0 && **tail < 1.0
            })
            .map(|(index, (_, tail))| (index, *tail))
    };
    let range = LEAST_TAIL * wanted..=MOST_TAIL * wanted;
    let near: Vec<usize> = usable()
        .filter(|(_, tail)| range.contains(tail))
        .map(|(index, _)| index)
        .collect();
    if near.is_empty() {
        let distance = |tail: f64| libm::fabs(libm::log(tail / wanted));
        return usable()
            .min_by(|(_, a), (_, b)| distance(*a).total_cmp(&distance(*b)))
            .map(|(index, _)| index)
            .into_iter()
            .collect();
    }
    if near.len() <= MOST_BOUNDS {
        return near;
    }
    (0..MOST_BOUNDS)
        .filter_map(|step| {
            near.get(step * (near.len() - 1) / (MOST_BOUNDS - 1))
                .copied()
        })
        .collect()
}

/// Returns the share of requests slower than `latency`, from the tail shares at bounds, by a straight
/// line in the normal quantile against `ln latency`.
///
/// With `b_i <= x < b_(i+1)` and `z = quantile of 1 - S`:
/// `lambda = ln(b_(i+1) / x) / ln(b_(i+1) / b_i)`, `S(x) = 1 - Phi(lambda z_i + (1 - lambda) z_(i+1))`.
///
/// A line in `ln S` would fire at the limit: its effective margin was 1.13 to 1.20 for one of 1.2.
/// Nothing below the first or from the last finite bound on, where a bound is not positive, or where
/// the share is only known to be above 0.
///
/// ```
/// use serinus_analysis::sequential::tail_at;
///
/// let tails = [0.1260293234207676, 0.010989608937089175];
/// let tail = tail_at(&[0.1, 0.25], &tails, 0.25 / 1.2).unwrap();
/// assert!((tail - 0.019564634469824534).abs() < 1e-14);
/// ```
pub fn tail_at(bounds: &[f64], control_tails: &[f64], latency: f64) -> Option<f64> {
    if !(latency > 0.0 && latency.is_finite()) {
        return None;
    }
    let above = bounds.iter().position(|bound| *bound > latency);
    let below = match above {
        Some(index) => index.checked_sub(1)?,
        None => bounds.len().checked_sub(1)?,
    };
    let lower_bound = *bounds.get(below)?;
    let lower_tail = share(*control_tails.get(below)?)?;
    if lower_bound >= latency {
        return Some(lower_tail);
    }
    let upper_bound = *bounds.get(above?)?;
    let upper_tail = share(*control_tails.get(above?)?)?;
    if lower_bound <= 0.0 || !upper_bound.is_finite() || upper_tail <= 0.0 {
        return None;
    }
    let lambda = libm::log(upper_bound / latency) / libm::log(upper_bound / lower_bound);
    let lower_quantile = normal_quantile(lower_tail, Tail::Upper).ok()?;
    let upper_quantile = normal_quantile(upper_tail, Tail::Upper).ok()?;
    let quantile = lambda * lower_quantile + (1.0 - lambda) * upper_quantile;
    Some(normal_tails(quantile).ok()?.upper)
}

fn share(value: f64) -> Option<f64> {
    (0.0..=1.0).contains(&value).then_some(value)
}

/// What a ratio of latencies is as a ratio of tail shares at a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailMargin {
    /// The bound `b`.
    pub bound: f64,
    /// Share of control requests slower than the bound, `S(b)`.
    pub tail_at_bound: f64,
    /// Share of control requests slower than the bound over the ratio, `S(b / r)`.
    pub tail_at_shifted: f64,
    /// `S(b / r) / S(b)`: the ratio of tail shares that evidence is computed for.
    pub ratio: f64,
    /// The smallest and largest ratio of latencies that it may be in truth, `b / b_(i+1)` and `b / b_i`:
    /// what the buckets resolve.
    pub resolution: (f64, f64),
}

impl TailMargin {
    /// Whether this bound may take part in showing compliance. With `S(b / R) > 0.5` no canary could be
    /// beyond it, so that it would prove compliance of anything.
    pub fn can_show_compliance(&self) -> bool {
        self.tail_at_shifted <= MOST_TAIL_FOR_COMPLIANCE
    }
}

/// Returns the margin at a bound, given by its index, for a ratio of latencies: with `r` for a
/// violation, with `R` for compliance. Nothing where the buckets do not allow it: see [`tail_at`].
pub fn tail_margin(
    bounds: &[f64],
    control_tails: &[f64],
    bound_index: usize,
    latency_ratio: f64,
) -> Option<TailMargin> {
    if !(latency_ratio > 0.0 && latency_ratio.is_finite()) {
        return None;
    }
    let bound = *bounds.get(bound_index)?;
    let tail_at_bound = *control_tails.get(bound_index)?;
    if !(tail_at_bound > 0.0 && tail_at_bound <= 1.0) {
        return None;
    }
    let shifted = bound / latency_ratio;
    let tail_at_shifted = tail_at(bounds, control_tails, shifted)?;
    let below = bounds.iter().rev().find(|other| **other <= shifted)?;
    // On a bound the resolution is exact.
    let above = if *below >= shifted {
        below
    } else {
        bounds.iter().find(|other| **other > shifted)?
    };
    Some(TailMargin {
        bound,
        tail_at_bound,
        tail_at_shifted,
        ratio: tail_at_shifted / tail_at_bound,
        resolution: (bound / above, bound / below),
    })
}

/// A comparison of two bounds without interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrictMargin {
    /// Index of the canary's bound: the smallest that is at least `r b`.
    pub canary_bound: usize,
    /// The canary's bound over `r b`: how much resolution is lost. 1 is none.
    pub loss: f64,
}

/// Returns the bound at which the canary's tail is to be compared, at a ratio of 1, with the control's
/// at the bound of this index. Exact for any law of latencies. Nothing when there is no such finite
/// bound.
///
/// ```
/// use serinus_analysis::sequential::strict_margin;
///
/// let margin = strict_margin(&[0.1, 0.25, 0.5], 0, 2.0).unwrap();
/// assert_eq!((margin.canary_bound, margin.loss), (1, 1.25));
/// assert_eq!(strict_margin(&[0.1, 0.25, 0.5], 2, 2.0), None);
/// ```
pub fn strict_margin(
    bounds: &[f64],
    control_bound: usize,
    latency_ratio: f64,
) -> Option<StrictMargin> {
    let wanted = bounds.get(control_bound)? * latency_ratio;
    if !(wanted > 0.0 && wanted.is_finite()) {
        return None;
    }
    let canary_bound = bounds.iter().position(|bound| *bound >= wanted)?;
    let loss = bounds.get(canary_bound)? / wanted;
    loss.is_finite()
        .then_some(StrictMargin { canary_bound, loss })
}

/// The bounds around an absolute limit of latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitBounds {
    /// Index of the largest bound at or below the limit, at which compliance can be shown.
    pub for_compliance: Option<usize>,
    /// Index of the smallest finite bound at or above the limit, at which a violation can be shown.
    pub for_violation: Option<usize>,
}

/// Returns the bounds at which `latency < limit` can be decided. If they differ, it is decidable only to
/// the bracket between them.
pub fn absolute_bounds(bounds: &[f64], limit: f64) -> LimitBounds {
    LimitBounds {
        for_compliance: bounds.iter().rposition(|bound| *bound <= limit),
        for_violation: bounds
            .iter()
            .position(|bound| *bound >= limit && bound.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_chosen_evenly() {
        let tails: Vec<f64> = (0..10).map(|step| 0.04 / 1.2_f64.powi(step)).collect();
        let bounds: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_eq!(choose_bounds(&bounds, &tails, 0.99), [0, 3, 6, 9]);
        assert_eq!(choose_bounds(&bounds, &tails, 0.999_9), [9]);
        assert_eq!(choose_bounds(&bounds, &[], 0.99), []);
        assert_eq!(choose_bounds(&bounds, &tails, f64::NAN), []);
        assert_eq!(choose_bounds(&bounds, &[0.0; 10], 0.99), []);
    }

    #[test]
    fn no_tail_is_made_up_outside_the_bounds() {
        let (bounds, tails) = ([0.1, 0.2, 0.4, f64::INFINITY], [0.5, 0.1, 0.01, 0.0]);
        assert_eq!(tail_at(&bounds, &tails, 0.05), None);
        assert_eq!(tail_at(&bounds, &tails, 0.5), None);
        assert_eq!(tail_at(&bounds, &tails, 0.4), Some(0.01));
        assert_eq!(tail_at(&bounds, &tails, f64::NAN), None);
        assert_eq!(tail_at(&bounds, &[0.5, 0.1, 0.0], 0.3), None);
        assert_eq!(tail_margin(&bounds, &tails, 0, 1.2), None);
        assert_eq!(tail_margin(&bounds, &tails, 3, 1.2), None);
        assert_eq!(tail_margin(&bounds, &tails, 9, 1.2), None);
    }

    #[test]
    fn the_resolution_is_that_of_the_bucket() {
        let (bounds, tails) = ([0.1, 0.2, 0.4], [0.6, 0.1, 0.01]);
        let margin = tail_margin(&bounds, &tails, 2, 1.5).unwrap();
        assert_eq!(margin.resolution, (1.0, 2.0));
        assert!(margin.can_show_compliance());
        let exact = tail_margin(&bounds, &tails, 2, 2.0).unwrap();
        assert_eq!(exact.resolution, (2.0, 2.0));
        assert!((exact.ratio - 10.0).abs() < 1e-12);
        assert!(
            !tail_margin(&bounds, &tails, 1, 2.0)
                .unwrap()
                .can_show_compliance()
        );
    }

    #[test]
    fn a_limit_between_two_bounds_is_decidable_to_the_bracket() {
        let bounds = [0.1, 0.25, f64::INFINITY];
        let between = absolute_bounds(&bounds, 0.2);
        assert_eq!(
            (between.for_compliance, between.for_violation),
            (Some(0), Some(1))
        );
        let on = absolute_bounds(&bounds, 0.25);
        assert_eq!((on.for_compliance, on.for_violation), (Some(1), Some(1)));
        let beyond = absolute_bounds(&bounds, 1.0);
        assert_eq!(
            (beyond.for_compliance, beyond.for_violation),
            (Some(1), None)
        );
    }
}
