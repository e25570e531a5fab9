//! What a check looks at, as numbers per interval: how fast its evidence will grow.

use crate::sequential::{
    ErrorRate, IntervalCounts, NoiseHistory, Pace, assumed_dispersion, nearest_in_logarithm,
    tail_at,
};
use crate::series::ArmCount;

use crate::judge::growth::{Claimed, growth};
use crate::judge::limit::{Scale, estimate};
use crate::pipeline::Limit;

/// How many times as bad a canary may be, at most, in a search for what is seen.
const LARGEST_FACTOR: f64 = 100.0;
/// The canary's largest share, in a search for what would be enough: beyond, the control starves.
const LARGEST_SHARE: f64 = 0.5;
/// A share above this is one of successes: of it the rest gets worse.
const MOSTLY: f64 = 0.5;

/// What a canary does that is so many times as bad.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Truth {
    /// More events (or fewer, where more is better) than this share or rate.
    Rate(f64),
    /// So many times slower: the tail shares of the whole service at its histogram's bounds, of
    /// which one is looked at.
    Slower {
        bounds: Vec<f64>,
        tails: Vec<f64>,
        index: usize,
    },
}

/// Where the dispersion comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum LineNoise {
    /// What is assumed without history.
    Assumed,
    /// What the caller says.
    Given(f64),
    /// What two parts of the service showed against each other.
    Measured(NoiseHistory),
}

/// One limit that the evidence is about, on counts of the whole service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) limit: Limit,
    pub(super) scale: Scale,
    /// What the whole service does in an interval.
    pub(super) whole: ArmCount,
    pub(super) truth: Truth,
    pub(super) noise: LineNoise,
}

impl Line {
    /// The events per exposure of a canary that is `factor` times as bad; nothing when there is no
    /// such canary, as with more failures than requests.
    fn canary_rate(&self, factor: f64) -> Option<f64> {
        match &self.truth {
            Truth::Rate(base) => {
                let rate = match (self.limit, self.scale) {
                    (Limit::AtLeast { .. }, Scale::Share) if *base > MOSTLY => {
                        1.0 - (1.0 - base) * factor
                    }
                    (Limit::AtLeast { .. }, Scale::Share | Scale::Rate) => base / factor,
                    (Limit::AtMost { .. } | Limit::Within { .. }, Scale::Share | Scale::Rate) => {
                        base * factor
                    }
                };
                let is_share = (0.0..=1.0).contains(&rate);
                (self.scale == Scale::Rate || is_share).then_some(rate)
            }
            Truth::Slower {
                bounds,
                tails,
                index,
            } => {
                let slower = bounds.get(*index)? / factor;
                // Below the first bound at least its tail is slower.
                tail_at(bounds, tails, slower).or_else(|| {
                    let (bound, tail) = bounds
                        .iter()
                        .zip(tails)
                        .find(|(bound, tail)| **bound > 0.0 && **tail > 0.0)?;
                    (slower < *bound).then_some(*tail)
                })
            }
        }
    }

    /// The largest factor for which there is a canary.
    fn largest_factor(&self) -> f64 {
        let most = match (&self.truth, self.scale) {
            (Truth::Rate(base), Scale::Share) => match self.limit {
                Limit::AtLeast { .. } if *base > MOSTLY => 1.0 / (1.0 - base),
                Limit::AtLeast { .. } => LARGEST_FACTOR,
                Limit::AtMost { .. } | Limit::Within { .. } => 1.0 / base,
            },
            _ => LARGEST_FACTOR,
        };
        most.min(LARGEST_FACTOR)
    }

    fn expected(&self, share: f64, canary_rate: f64) -> IntervalCounts {
        let rate = estimate(self.whole).unwrap_or(0.0);
        let arm = |share: f64, rate: f64| ArmCount {
            events: self.whole.exposure * share * rate,
            exposure: self.whole.exposure * share,
        };
        IntervalCounts {
            control: arm(1.0 - share, rate),
            canary: arm(share, canary_rate),
        }
    }

    /// What the evidence will be divided by at this share of the traffic.
    pub(super) fn dispersion(&self, share: f64) -> f64 {
        let ArmCount { events, exposure } = self.whole;
        let (effective_exposure, event_variance) = match self.limit {
            Limit::AtMost {
                ratio: None,
                offset,
            }
            | Limit::AtLeast {
                ratio: None,
                offset,
            } => (exposure * share, exposure * share * offset / 2.0),
            Limit::AtMost { .. } | Limit::AtLeast { .. } | Limit::Within { .. } => {
                let spread = share * (1.0 - share);
                (exposure * spread, events * spread)
            }
        };
        match &self.noise {
            LineNoise::Assumed => assumed_dispersion(event_variance),
            LineNoise::Given(value) => value.max(1.0),
            LineNoise::Measured(history) => {
                history.expected_dispersion(effective_exposure, event_variance)
            }
        }
    }

    fn growth_when_broken(&self, share: f64, factor: f64) -> Option<f64> {
        let expected = self.expected(share, self.canary_rate(factor)?);
        growth(self.limit, Claimed::Broken, self.scale, &expected)
    }

    /// For a canary that is as good as the service is today.
    fn growth_when_kept(&self, share: f64) -> Option<f64> {
        let expected = self.expected(share, estimate(self.whole)?);
        growth(self.limit, Claimed::Kept, self.scale, &expected)
    }
}

/// Everything that one check's evidence is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    /// Each gives evidence that the limit is broken, of which the mean counts.
    pub(super) violation: Vec<Line>,
    /// Each must be shown to be kept.
    pub(super) compliance: Vec<Line>,
    /// Intervals at the stage's start that are left out.
    pub(super) warm_up_intervals: f64,
    /// Intervals before which there is no evidence, because too little is known of the control.
    pub(super) blind_intervals: f64,
    /// The threshold of a line that decides alone.
    pub(super) rollback: ErrorRate,
    pub(super) promotion: ErrorRate,
}

impl Subject {
    /// Intervals after the stage's start until a canary that is `factor` times as bad is rolled back
    /// for this check alone.
    pub(super) fn intervals_to_roll_back(&self, share: f64, factor: f64) -> Option<f64> {
        self.violation
            .iter()
            .filter_map(|line| {
                let pace = self.pace(line, share);
                Some(pace.intervals_to_roll_back(line.growth_when_broken(share, factor)?))
            })
            .reduce(f64::min)
            .map(|intervals| self.after_the_start(intervals))
    }

    /// Intervals after the stage's start until a canary that is as good as the service is today is
    /// shown to be within the limit of a promotion; nothing when it never is.
    pub(super) fn intervals_to_promote(&self, share: f64) -> Option<f64> {
        let each: Option<Vec<f64>> = self
            .compliance
            .iter()
            .map(|line| {
                let pace = self.pace(line, share);
                Some(pace.intervals_to_promote(line.growth_when_kept(share)?))
            })
            .collect();
        each?
            .into_iter()
            .reduce(f64::max)
            .map(|intervals| self.after_the_start(intervals))
    }

    /// The smallest factor that is seen within so many intervals.
    pub(super) fn smallest_factor_seen(&self, share: f64, intervals: f64) -> Option<f64> {
        let largest = self
            .violation
            .iter()
            .map(Line::largest_factor)
            .reduce(f64::min)?;
        nearest_in_logarithm(1.0, largest, |factor| {
            self.intervals_to_roll_back(share, factor)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    /// The smallest share of the traffic, from `share` to a half, with which a promotion takes no more
    /// than so many intervals.
    pub(super) fn share_to_promote(&self, share: f64, intervals: f64) -> Option<f64> {
        nearest_in_logarithm(share, LARGEST_SHARE, |share| {
            self.intervals_to_promote(share)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    /// The `promote_ratio` nearest to the one that is asked for, with which a promotion takes no more
    /// than so many intervals; nothing where there is no single one.
    pub(super) fn ratio_to_promote(&self, share: f64, intervals: f64) -> Option<f64> {
        let [line] = self.compliance.as_slice() else {
            return None;
        };
        if matches!(line.truth, Truth::Slower { .. }) {
            return None;
        }
        let (ratio, extreme) = match line.limit {
            Limit::AtMost {
                ratio: Some(ratio), ..
            } => (ratio, LARGEST_FACTOR),
            Limit::AtLeast {
                ratio: Some(ratio), ..
            } => (ratio, 1.0 / LARGEST_FACTOR),
            _ => return None,
        };
        nearest_in_logarithm(ratio, extreme, |wider| {
            let limit = match line.limit {
                Limit::AtMost { offset, .. } => Limit::relative(true, wider, offset),
                Limit::AtLeast { offset, .. } => Limit::relative(false, wider, offset),
                other @ Limit::Within { .. } => other,
            };
            let moved = Self {
                compliance: vec![Line {
                    limit,
                    ..line.clone()
                }],
                violation: Vec::new(),
                ..*self
            };
            moved
                .intervals_to_promote(share)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    fn pace(&self, line: &Line, share: f64) -> Pace {
        Pace::new(line.dispersion(share), self.rollback, self.promotion)
    }

    fn after_the_start(&self, intervals: f64) -> f64 {
        self.warm_up_intervals + intervals.max(self.blind_intervals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of docs/design/statistics.md, "12. Planning": 100 requests/s, 10 %,
    /// intervals of 30 s, one request in a thousand fails, r = 1.25.
    fn worked_example(promote_ratio: f64) -> Subject {
        let line = |ratio: f64| Line {
            limit: Limit::relative(true, ratio, 0.0),
            scale: Scale::Share,
            whole: ArmCount {
                events: 3.0,
                exposure: 3_000.0,
            },
            truth: Truth::Rate(0.001),
            noise: LineNoise::Given(1.0),
        };
        Subject {
            violation: vec![line(1.25)],
            compliance: vec![line(promote_ratio)],
            warm_up_intervals: 0.0,
            blind_intervals: 0.0,
            rollback: ErrorRate::ROLLBACK,
            promotion: ErrorRate::PROMOTION,
        }
    }

    #[test]
    fn the_worked_example_of_the_design_is_met() {
        let subject = worked_example(2.0);
        for (factor, expected) in [(2.0, 196.9), (3.0, 44.5), (5.0, 13.5)] {
            let intervals = subject.intervals_to_roll_back(0.1, factor).unwrap();
            assert!((intervals - expected).abs() < 0.05, "{intervals}");
        }
        assert_eq!(subject.intervals_to_roll_back(0.1, 1.25), None);
        let detectable = subject.smallest_factor_seen(0.1, 120.0).unwrap();
        assert!((detectable - 2.2366).abs() < 5e-5, "{detectable}");
        for (ratio, expected) in [(2.0, 52.4), (1.5, 165.3)] {
            let intervals = worked_example(ratio).intervals_to_promote(0.1).unwrap();
            assert!((intervals - expected).abs() < 0.05, "{intervals}");
        }
    }

    #[test]
    fn what_is_said_to_be_enough_is_enough() {
        let subject = worked_example(1.5);
        let share = subject.share_to_promote(0.1, 80.0).unwrap();
        assert!(share > 0.1 && share < 0.5, "{share}");
        let intervals = subject.intervals_to_promote(share).unwrap();
        assert!((intervals - 80.0).abs() < 1e-6, "{intervals}");
        let ratio = subject.ratio_to_promote(0.1, 60.0).unwrap();
        let intervals = worked_example(ratio).intervals_to_promote(0.1).unwrap();
        assert!((intervals - 60.0).abs() < 1e-6, "{intervals}");
        assert_eq!(subject.share_to_promote(0.1, 7.0), None);
    }

    #[test]
    fn a_warm_up_and_an_unknown_control_delay() {
        let mut subject = worked_example(2.0);
        subject.warm_up_intervals = 4.0;
        subject.blind_intervals = 100.0;
        let seen = |factor| subject.intervals_to_roll_back(0.1, factor).unwrap();
        assert!((seen(5.0) - 104.0).abs() < 1e-9);
        assert!((seen(2.0) - 200.9).abs() < 0.05);
    }

    #[test]
    fn there_is_no_canary_with_more_failures_than_requests() {
        let mut subject = worked_example(2.0);
        for line in &mut subject.violation {
            line.whole.events = 1_200.0;
            line.truth = Truth::Rate(0.4);
        }
        assert!(subject.intervals_to_roll_back(0.1, 2.0).is_some());
        assert_eq!(subject.intervals_to_roll_back(0.1, 3.0), None);
        assert!(subject.smallest_factor_seen(0.1, 500.0).unwrap() < 2.5);
    }

    #[test]
    fn fewer_successes_are_more_failures() {
        let mut line = worked_example(2.0).violation.remove(0);
        line.limit = Limit::absolute(false, 0.99);
        line.truth = Truth::Rate(0.99);
        let near = |rate: Option<f64>, expected: f64| (rate.unwrap() - expected).abs() < 1e-12;
        assert!(near(line.canary_rate(2.0), 0.98));
        line.truth = Truth::Rate(0.03);
        assert!(near(line.canary_rate(2.0), 0.015));
    }

    #[test]
    fn a_slower_canary_has_the_tail_of_an_earlier_bound() {
        let mut line = worked_example(2.0).violation.remove(0);
        line.truth = Truth::Slower {
            bounds: vec![0.1, 0.2, 0.4],
            tails: vec![0.5, 0.1, 0.01],
            index: 2,
        };
        assert_eq!(line.canary_rate(1.0), Some(0.01));
        assert_eq!(line.canary_rate(2.0), Some(0.1));
        let between = line.canary_rate(1.5).unwrap();
        assert!(between > 0.01 && between < 0.1, "{between}");
        assert_eq!(line.canary_rate(10.0), Some(0.5), "at least");
    }

    #[test]
    fn a_measured_noise_is_scaled_up_but_never_down() {
        let mut line = worked_example(2.0).violation.remove(0);
        let block = crate::sequential::BlockDispersion {
            block_length: 1,
            dispersion: 3.0,
            degrees_of_freedom: 100.0,
        };
        let history = NoiseHistory::new(270.0, vec![block]).unwrap();
        line.noise = LineNoise::Measured(history);
        assert!((line.dispersion(0.1) - 3.0).abs() < 1e-9, "as measured");
        assert!((line.dispersion(0.01) - 3.0).abs() < 1e-9);
        let doubled = 1.0 + 2.0 * 750.0 / 270.0;
        assert!((line.dispersion(0.5) - doubled).abs() < 1e-9);
        line.noise = LineNoise::Assumed;
        assert!((line.dispersion(0.1) - (1.0 + 0.72 * 3.0 * 0.09)).abs() < 1e-12);
    }
}
