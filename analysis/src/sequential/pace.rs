//! How long it takes to decide, and what a stage can see.
//!
//! Calibrated by simulation: with history the predictions were within 25 % of simulated medians of at
//! least 8 intervals; without it 4 to 6 intervals are to be added.

use super::compliance::FEWEST_STAGE_INTERVALS;
use super::growth::{ExpectedTraffic, relative_growth};
use super::limit::{ErrorRate, Side};

/// Degrees of freedom of the dispersion at the time of a decision, for the cost of the deflation.
const TYPICAL_DEGREES_OF_FREEDOM: f64 = 40.0;
/// What the mixture over effects and starts costs, in `ln E`.
const MIXTURE_COST_OF_ROLLBACK: f64 = 4.4;
const MIXTURE_COST_OF_PROMOTION: f64 = 0.8;
/// Ratios between which a detectable one is looked for.
const LARGEST_RATIO: f64 = 100.0;
const SMALLEST_RATIO: f64 = 0.01;
/// Halvings of the logarithm of a ratio: to the last bits.
const BISECTIONS: u32 = 60;

/// Returns the sum of growth over dispersion that a rollback takes, all costs included:
/// `20 expm1(ln(1 / alpha + 1) / 20) + 4.4`.
pub fn evidence_needed_to_roll_back(error_rate: ErrorRate) -> f64 {
    inflated_threshold(error_rate) + MIXTURE_COST_OF_ROLLBACK
}

/// The same for a promotion: `20 expm1(ln(1 / beta + 1) / 20) + 0.8`.
pub fn evidence_needed_to_promote(error_rate: ErrorRate) -> f64 {
    inflated_threshold(error_rate) + MIXTURE_COST_OF_PROMOTION
}

/// The evidence that is deflated to the threshold.
fn inflated_threshold(error_rate: ErrorRate) -> f64 {
    let half = 0.5 * TYPICAL_DEGREES_OF_FREEDOM;
    half * libm::expm1(error_rate.log_threshold() / half)
}

/// How long evidence that grows at a known speed takes to decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    dispersion: f64,
    needed_to_roll_back: f64,
    needed_to_promote: f64,
}

impl Pace {
    /// Returns the pace of evidence that is divided by this dispersion (taken as at least 1).
    pub fn new(dispersion: f64, rollback: ErrorRate, promotion: ErrorRate) -> Self {
        Self {
            dispersion: if dispersion.is_finite() {
                dispersion.max(1.0)
            } else {
                1.0
            },
            needed_to_roll_back: evidence_needed_to_roll_back(rollback),
            needed_to_promote: evidence_needed_to_promote(promotion),
        }
    }

    /// Returns after how many intervals a canary is rolled back: `1 + need D / growth`.
    pub fn intervals_to_roll_back(&self, growth: f64) -> f64 {
        1.0 + self.needed_to_roll_back * self.dispersion / growth
    }

    /// Returns after how many intervals a limit is shown to be kept: `max(8, need D / growth)`.
    pub fn intervals_to_promote(&self, growth: f64) -> f64 {
        let needed = self.needed_to_promote * self.dispersion / growth;
        needed.max(FEWEST_STAGE_INTERVALS as f64)
    }

    /// Returns how many times the traffic would suffice to roll back within so many intervals;
    /// nothing when no traffic would.
    pub fn traffic_factor_to_roll_back(&self, growth: f64, intervals: f64) -> Option<f64> {
        self.traffic_factor(self.needed_to_roll_back, growth, intervals - 1.0)
    }

    /// Returns how many times the traffic would suffice for a promotion within so many intervals;
    /// below 1 when there is more than enough. Nothing when no traffic would: the noise grows with
    /// it, and a stage has to last 8 intervals.
    pub fn traffic_factor_to_promote(&self, growth: f64, intervals: f64) -> Option<f64> {
        if intervals < FEWEST_STAGE_INTERVALS as f64 {
            return None;
        }
        self.traffic_factor(self.needed_to_promote, growth, intervals)
    }

    /// Growth is proportional to traffic, and so is the dispersion less 1:
    /// `need (1 + (D - 1) f) = intervals growth f`.
    fn traffic_factor(&self, needed: f64, growth: f64, intervals: f64) -> Option<f64> {
        let gain = intervals * growth - needed * (self.dispersion - 1.0);
        (gain > 0.0).then(|| needed / gain)
    }
}

/// The predictions for one check relative to the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prospect {
    traffic: ExpectedTraffic,
    pace: Pace,
    better_below: bool,
}

impl Prospect {
    /// Returns the plan for a metric of which less is better. `dispersion` is that of single intervals
    /// in the history (taken as at least 1); without one that of
    /// [`ExpectedTraffic::assumed_dispersion`].
    pub fn new(
        traffic: ExpectedTraffic,
        dispersion: Option<f64>,
        rollback: ErrorRate,
        promotion: ErrorRate,
    ) -> Self {
        let dispersion = dispersion
            .filter(|value| value.is_finite())
            .unwrap_or_else(|| traffic.assumed_dispersion());
        Self {
            traffic,
            pace: Pace::new(dispersion, rollback, promotion),
            better_below: true,
        }
    }

    /// The same plan for a metric of which more is better.
    #[must_use]
    pub fn where_more_is_better(mut self) -> Self {
        self.better_below = false;
        self
    }

    /// The bad side of a limit.
    fn bad_side(&self) -> Side {
        if self.better_below {
            Side::Above
        } else {
            Side::Below
        }
    }

    /// Returns after how many intervals a canary with this ratio to the control is rolled back, at the
    /// limit `ratio`: `1 + need D / growth`. Nothing when it is within the limit.
    pub fn intervals_to_roll_back(&self, ratio: f64, true_ratio: f64) -> Option<f64> {
        let growth = relative_growth(&self.traffic, self.bad_side(), ratio, true_ratio)?;
        Some(self.pace.intervals_to_roll_back(growth))
    }

    /// Returns after how many intervals a canary with this ratio to the control (1 for one that is as
    /// good) is shown to be within `ratio`: `max(8, need D / growth)`. Nothing when it is not within.
    pub fn intervals_to_promote(&self, ratio: f64, true_ratio: f64) -> Option<f64> {
        let side = self.bad_side().opposite();
        let growth = relative_growth(&self.traffic, side, ratio, true_ratio)?;
        Some(self.pace.intervals_to_promote(growth))
    }

    /// Returns the smallest ratio to the control that a stage of so many intervals detects, up to 100
    /// (where more is better the largest, down to 0.01). Nothing when it detects none.
    pub fn detectable_ratio(&self, ratio: f64, stage_intervals: f64) -> Option<f64> {
        let extreme = if self.better_below {
            LARGEST_RATIO
        } else {
            SMALLEST_RATIO
        };
        let is_detected = |true_ratio| {
            self.intervals_to_roll_back(ratio, true_ratio)
                .is_some_and(|intervals| intervals <= stage_intervals)
        };
        nearest_in_logarithm(ratio, extreme, is_detected)
    }

    /// Returns the tightest limit that a canary as good as the control is shown to keep in a stage of so
    /// many intervals, up to 100 (where more is better the largest, down to 0.01). Nothing when there is
    /// none.
    pub fn provable_ratio(&self, stage_intervals: f64) -> Option<f64> {
        let extreme = if self.better_below {
            LARGEST_RATIO
        } else {
            SMALLEST_RATIO
        };
        let is_shown = |ratio| {
            self.intervals_to_promote(ratio, 1.0)
                .is_some_and(|intervals| intervals <= stage_intervals)
        };
        nearest_in_logarithm(1.0, extreme, is_shown)
    }

    /// Returns how many times the traffic would suffice for a promotion of a canary as good as the
    /// control within so many intervals; below 1 when there is more than enough. Nothing when no traffic
    /// would: the noise grows with it, and a stage has to last 8 intervals.
    pub fn traffic_factor_to_promote(&self, ratio: f64, stage_intervals: f64) -> Option<f64> {
        let side = self.bad_side().opposite();
        let growth = relative_growth(&self.traffic, side, ratio, 1.0)?;
        self.pace.traffic_factor_to_promote(growth, stage_intervals)
    }

    /// Returns how many times the traffic would suffice to roll back a canary with this ratio to the
    /// control within so many intervals; nothing when no traffic would.
    pub fn traffic_factor_to_roll_back(
        &self,
        ratio: f64,
        true_ratio: f64,
        stage_intervals: f64,
    ) -> Option<f64> {
        let growth = relative_growth(&self.traffic, self.bad_side(), ratio, true_ratio)?;
        self.pace
            .traffic_factor_to_roll_back(growth, stage_intervals)
    }

    /// The dispersion that is planned with.
    pub fn dispersion(&self) -> f64 {
        self.pace.dispersion
    }

    /// The canary's exposure (requests, for a share) in so many intervals.
    pub fn canary_exposure_in(&self, intervals: f64) -> f64 {
        self.traffic.canary_exposure() * intervals
    }
}

/// Returns the ratio nearest to `from` for which a monotone condition holds, between it and `to`, by
/// bisection of the logarithm; nothing when it does not even hold at `to`.
pub fn nearest_in_logarithm(from: f64, to: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if from.is_nan() || from <= 0.0 || !holds(to) {
        return None;
    }
    let (mut fails, mut works) = (libm::log(from), libm::log(to));
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (fails + works);
        if holds(libm::exp(middle)) {
            works = middle;
        } else {
            fails = middle;
        }
    }
    Some(libm::exp(works))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Prospect {
        let traffic = ExpectedTraffic::new(300.0, 2700.0, 0.001).unwrap();
        Prospect::new(
            traffic,
            Some(1.0),
            ErrorRate::ROLLBACK,
            ErrorRate::PROMOTION,
        )
    }

    #[test]
    fn the_example_of_the_design_is_met() {
        let plan = plan();
        for (true_ratio, expected) in [(2.0, 196.9), (3.0, 44.5), (5.0, 13.5)] {
            let intervals = plan.intervals_to_roll_back(1.25, true_ratio).unwrap();
            assert!((intervals - expected).abs() < 0.05, "{intervals}");
        }
        for (ratio, expected) in [(2.0, 52.4), (1.5, 165.3)] {
            let intervals = plan.intervals_to_promote(ratio, 1.0).unwrap();
            assert!((intervals - expected).abs() < 0.05, "{intervals}");
        }
        let detectable = plan.detectable_ratio(1.25, 120.0).unwrap();
        assert!((detectable - 2.2366).abs() < 5e-5, "{detectable}");
        let needed = evidence_needed_to_roll_back(ErrorRate::ROLLBACK);
        assert!((needed - 9.591_038_076_893_295).abs() < 1e-12);
        let needed = evidence_needed_to_promote(ErrorRate::PROMOTION);
        assert!((needed - 4.088_470_166_104_487).abs() < 1e-12);
    }

    #[test]
    fn a_plan_and_its_inverse_agree() {
        let plan = plan();
        let provable = plan.provable_ratio(60.0).unwrap();
        let intervals = plan.intervals_to_promote(provable, 1.0).unwrap();
        assert!((intervals - 60.0).abs() < 1e-6);
        let factor = plan.traffic_factor_to_promote(1.5, 60.0).unwrap();
        let more = ExpectedTraffic::new(300.0 * factor, 2700.0 * factor, 0.001).unwrap();
        let enough = Prospect::new(more, None, ErrorRate::ROLLBACK, ErrorRate::PROMOTION);
        let enough = Prospect {
            pace: plan.pace,
            ..enough
        };
        assert!((enough.intervals_to_promote(1.5, 1.0).unwrap() - 60.0).abs() < 1e-9);
        let factor = plan.traffic_factor_to_roll_back(1.25, 2.0, 98.0).unwrap();
        assert!((factor - 195.878_559 / 97.0).abs() < 1e-6);
        assert_eq!(plan.traffic_factor_to_promote(1.5, 7.0), None);
    }

    #[test]
    fn what_cannot_be_seen_is_not_promised() {
        let plan = plan();
        assert_eq!(plan.intervals_to_roll_back(1.25, 1.25), None);
        assert_eq!(plan.intervals_to_roll_back(1.25, f64::NAN), None);
        assert_eq!(plan.intervals_to_promote(1.0, 1.0), None);
        assert_eq!(plan.detectable_ratio(1.25, 1.0), None);
        assert_eq!(plan.detectable_ratio(f64::NAN, 100.0), None);
        assert!(ExpectedTraffic::new(0.0, 1.0, 0.1).is_err());
        assert!(ExpectedTraffic::new(1.0, 1.0, f64::NAN).is_err());
    }

    #[test]
    fn where_more_is_better_a_loss_is_detected() {
        let plan = plan().where_more_is_better();
        assert_eq!(plan.intervals_to_roll_back(0.95, 1.0), None);
        let ratio = plan.detectable_ratio(0.95, 1000.0).unwrap();
        assert!(ratio > 0.01 && ratio < 0.95);
        let intervals = plan.intervals_to_roll_back(0.95, ratio).unwrap();
        assert!((intervals - 1000.0).abs() < 1e-6);
        assert!(plan.intervals_to_promote(0.5, 1.0).is_some());
    }
}
