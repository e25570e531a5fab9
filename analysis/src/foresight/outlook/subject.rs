//! What a check looks at, as numbers per interval: how fast its evidence will grow.

use super::latency::QuantileLine;
use super::line_noise::LineNoise;
use crate::judge::limit::{Scale, estimate};
use crate::judge::lines::{kept_of, lines_of};
use crate::pipeline::Limit;
use crate::proof::{Counted, Expected, ExpectedNoise, nearest};
use crate::sequential::{ErrorRate, IntervalCounts};
use crate::series::ArmCount;

/// How many times as bad a canary may be, at most, in a search for what is seen.
const LARGEST_FACTOR: f64 = 100.0;
/// The canary's largest share, in a search for what would be enough: beyond, the control starves.
const LARGEST_SHARE: f64 = 0.5;
/// A share above this is one of successes: of it the rest gets worse.
const MOSTLY: f64 = 0.5;

/// One limit that the evidence is about, on counts of the whole service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) limit: Limit,
    pub(super) scale: Scale,
    pub(super) counted: Counted,
    /// Whether the control excuses what it does itself.
    pub(super) has_control: bool,
    pub(super) interval_seconds: f64,
    /// What the whole service does in an interval.
    pub(super) whole: ArmCount,
    /// What a canary does more of (or less, where more is better) that is so many times as bad.
    pub(super) base: f64,
    pub(super) noise: LineNoise,
}

impl Line {
    /// The events per exposure of a canary that is `factor` times as bad; nothing when there is no
    /// such canary, as with more failures than requests.
    fn canary_rate(&self, factor: f64) -> Option<f64> {
        let base = self.base;
        let rate = match (self.limit, self.scale) {
            (Limit::AtLeast { .. }, Scale::Share) if base > MOSTLY => 1.0 - (1.0 - base) * factor,
            (Limit::AtLeast { .. }, Scale::Share | Scale::Rate) => base / factor,
            (Limit::AtMost { .. } | Limit::Within { .. }, Scale::Share | Scale::Rate) => {
                base * factor
            }
        };
        let is_share = (0.0..=1.0).contains(&rate);
        (self.scale == Scale::Rate || is_share).then_some(rate)
    }

    /// The largest factor for which there is a canary.
    fn largest_factor(&self) -> f64 {
        let most = match (self.limit, self.scale) {
            (Limit::AtLeast { .. }, Scale::Share) if self.base > MOSTLY => 1.0 / (1.0 - self.base),
            (Limit::AtMost { .. } | Limit::Within { .. }, Scale::Share) => 1.0 / self.base,
            (_, Scale::Share | Scale::Rate) => LARGEST_FACTOR,
        };
        most.min(LARGEST_FACTOR)
    }

    fn expected(&self, share: f64, canary_rate: f64) -> Expected {
        let rate = estimate(self.whole).unwrap_or(0.0);
        let arm = |share: f64, rate: f64| ArmCount {
            events: self.whole.exposure * share * rate,
            exposure: self.whole.exposure * share,
        };
        Expected {
            counts: IntervalCounts {
                control: arm(1.0 - share, rate),
                canary: arm(share, canary_rate),
            },
            counted: self.counted,
            interval_seconds: self.interval_seconds,
        }
    }

    fn noise_of(&self, expected: &Expected) -> ExpectedNoise {
        let absolute = self.limit.absolute_value();
        match &self.noise {
            LineNoise::Assumed => expected.assumed_noise(absolute),
            LineNoise::Given(value) => ExpectedNoise::measured(*value),
            LineNoise::Measured(past) => expected.noise_of_the_past(past, absolute),
        }
    }

    /// What the evidence of a canary as good as the service is divided by at first, at this share of the traffic.
    pub(super) fn dispersion(&self, share: f64) -> f64 {
        let rate = estimate(self.whole).unwrap_or(0.0);
        self.noise_of(&self.expected(share, rate)).dispersion()
    }

    /// For a canary that is so many times as bad.
    fn intervals_to_roll_back(&self, share: f64, factor: f64, rate: ErrorRate) -> Option<usize> {
        let expected = self.expected(share, self.canary_rate(factor)?);
        let noise = self.noise_of(&expected);
        let lines = lines_of(self.limit, self.scale, self.has_control)?;
        let needed = lines
            .iter()
            .filter_map(|line| expected.intervals_to_roll_back(line, &noise, rate));
        needed.min()
    }

    /// For a canary that is as good as the service is today.
    fn intervals_to_promote(&self, share: f64, rate: ErrorRate) -> Option<usize> {
        let expected = self.expected(share, estimate(self.whole)?);
        let noise = self.noise_of(&expected);
        let kept = kept_of(self.limit, self.scale);
        let needed = kept
            .iter()
            .map(|kept| expected.intervals_to_promote(kept, &noise, rate));
        let all: Option<Vec<usize>> = needed.collect();
        all?.into_iter().max()
    }
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Looked {
    /// Counts.
    Counts(Line),
    /// The buckets of a histogram.
    Quantile(QuantileLine),
}

impl Looked {
    /// What the evidence of a canary as good as the service is divided by at first, at this share of the traffic.
    pub(super) fn dispersion(&self, share: f64) -> f64 {
        match self {
            Self::Counts(line) => line.dispersion(share),
            Self::Quantile(line) => line.dispersion(share),
        }
    }

    /// Where that comes from.
    pub(super) fn noise(&self) -> &LineNoise {
        match self {
            Self::Counts(line) => &line.noise,
            Self::Quantile(line) => &line.noise,
        }
    }

    fn largest_factor(&self) -> f64 {
        match self {
            Self::Counts(line) => line.largest_factor(),
            Self::Quantile(_) => LARGEST_FACTOR,
        }
    }

    fn intervals_to_roll_back(&self, share: f64, factor: f64, rate: ErrorRate) -> Option<usize> {
        match self {
            Self::Counts(line) => line.intervals_to_roll_back(share, factor, rate),
            Self::Quantile(line) => line.intervals_to_roll_back(share, factor, rate),
        }
    }

    fn intervals_to_promote(&self, share: f64, rate: ErrorRate) -> Option<usize> {
        match self {
            Self::Counts(line) => line.intervals_to_promote(share, rate),
            Self::Quantile(line) => line.intervals_to_promote(share, rate),
        }
    }
}

/// Everything that one check's evidence is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Subject {
    /// Each gives evidence that the limit is broken, of which the mean counts.
    pub(super) violation: Vec<Looked>,
    /// Each must be shown to be kept.
    pub(super) compliance: Vec<Looked>,
    /// Intervals at the stage's start that are left out.
    pub(super) warm_up_intervals: f64,
    /// Fewest intervals that show that a canary is good.
    pub(super) fewest_intervals: f64,
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
            .filter_map(|line| line.intervals_to_roll_back(share, factor, self.rollback))
            .min()
            .map(|intervals| self.after_the_start(intervals as f64))
    }

    /// Intervals after the stage's start until a canary that is as good as the service is today is
    /// shown to be within the limit of a promotion; nothing when it never is.
    pub(super) fn intervals_to_promote(&self, share: f64) -> Option<f64> {
        let each: Option<Vec<usize>> = self
            .compliance
            .iter()
            .map(|line| line.intervals_to_promote(share, self.promotion))
            .collect();
        let slowest = each?.into_iter().max()? as f64;
        Some(self.after_the_start(slowest.max(self.fewest_intervals)))
    }

    /// The smallest factor that is seen within so many intervals.
    pub(super) fn smallest_factor_seen(&self, share: f64, intervals: f64) -> Option<f64> {
        let largest = self
            .violation
            .iter()
            .map(Looked::largest_factor)
            .reduce(f64::min)?;
        nearest(1.0, largest, |factor| {
            self.intervals_to_roll_back(share, factor)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    /// The smallest share of the traffic, from `share` to a half, with which a promotion takes no more
    /// than so many intervals.
    pub(super) fn share_to_promote(&self, share: f64, intervals: f64) -> Option<f64> {
        nearest(share, LARGEST_SHARE, |share| {
            self.intervals_to_promote(share)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    /// The `promote_ratio` nearest to the one that is asked for, with which a promotion takes no more
    /// than so many intervals; nothing where there is no single one.
    pub(super) fn ratio_to_promote(&self, share: f64, intervals: f64) -> Option<f64> {
        let [Looked::Counts(line)] = self.compliance.as_slice() else {
            return None;
        };
        let (ratio, extreme) = match line.limit {
            Limit::AtMost {
                ratio: Some(ratio), ..
            } => (ratio, LARGEST_FACTOR),
            Limit::AtLeast {
                ratio: Some(ratio), ..
            } => (ratio, 1.0 / LARGEST_FACTOR),
            _ => return None,
        };
        nearest(ratio, extreme, |wider| {
            let limit = match line.limit {
                Limit::AtMost { offset, .. } => Limit::relative(true, wider, offset),
                Limit::AtLeast { offset, .. } => Limit::relative(false, wider, offset),
                other @ Limit::Within { .. } => other,
            };
            let moved = Self {
                compliance: vec![Looked::Counts(Line {
                    limit,
                    ..line.clone()
                })],
                violation: Vec::new(),
                ..*self
            };
            moved
                .intervals_to_promote(share)
                .is_some_and(|needed| needed <= intervals)
        })
    }

    fn after_the_start(&self, intervals: f64) -> f64 {
        self.warm_up_intervals + intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::PastNoise;

    /// An example of docs/design/counts.md, "10. Planning": 100 requests/s, 5 %, intervals of 30 s, one request in
    /// two hundred fails, r = 1.1, and nothing is known of the noise.
    fn worked_example(promoted: Limit) -> Subject {
        let line = |limit: Limit| Line {
            limit,
            scale: Scale::Share,
            counted: Counted::Events,
            has_control: true,
            interval_seconds: 30.0,
            whole: ArmCount {
                events: 15.0,
                exposure: 3_000.0,
            },
            base: 0.005,
            noise: LineNoise::Assumed,
        };
        Subject {
            violation: vec![Looked::Counts(line(Limit::relative(true, 1.1, 0.0)))],
            compliance: vec![Looked::Counts(line(promoted))],
            warm_up_intervals: 0.0,
            fewest_intervals: 3.0,
            rollback: ErrorRate::ROLLBACK,
            promotion: ErrorRate::PROMOTION,
        }
    }

    fn line_of(subject: Subject) -> Line {
        let found = subject
            .violation
            .into_iter()
            .find_map(|looked| match looked {
                Looked::Counts(line) => Some(line),
                Looked::Quantile(_) => None,
            });
        found.unwrap()
    }

    fn twice() -> Limit {
        Limit::relative(true, 2.0, 0.001)
    }

    /// The intervals are those of the reference program of the design.
    #[test]
    fn the_worked_example_of_the_design_is_met() {
        let subject = worked_example(twice());
        for (factor, expected) in [(1.5, 193.0), (2.0, 47.0), (3.0, 16.0), (5.0, 8.0)] {
            let found = subject.intervals_to_roll_back(0.05, factor);
            assert_eq!(found, Some(expected), "x{factor}");
        }
        assert_eq!(subject.intervals_to_roll_back(0.05, 1.1), None);
        let smallest = subject.smallest_factor_seen(0.05, 47.0).unwrap();
        assert!(smallest > 1.9 && smallest <= 2.0, "{smallest}");
        assert_eq!(subject.intervals_to_promote(0.05), Some(21.0));
    }

    #[test]
    fn what_is_said_to_be_enough_is_enough_and_less_is_not() {
        let subject = worked_example(Limit::relative(true, 1.5, 0.0));
        let needed = |share: f64| subject.intervals_to_promote(share).unwrap();
        let share = subject.share_to_promote(0.05, 60.0).unwrap();
        assert!(share > 0.05 && share < 0.5, "{share}");
        assert!(needed(share) <= 60.0 && needed(0.98 * share) > 60.0);
        let ratio = subject.ratio_to_promote(0.05, 60.0).unwrap();
        let needed = |ratio: f64| {
            let subject = worked_example(Limit::relative(true, ratio, 0.0));
            subject.intervals_to_promote(0.05).unwrap()
        };
        assert!(needed(ratio) <= 60.0 && needed(0.98 * ratio) > 60.0);
        assert_eq!(subject.share_to_promote(0.05, 2.0), None);
    }

    #[test]
    fn a_warm_up_delays() {
        let mut subject = worked_example(twice());
        subject.warm_up_intervals = 4.0;
        let seen = |factor| subject.intervals_to_roll_back(0.05, factor);
        assert_eq!(seen(2.0), Some(51.0));
    }

    #[test]
    fn there_is_no_canary_with_more_failures_than_requests() {
        let mut subject = worked_example(twice());
        for looked in &mut subject.violation {
            if let Looked::Counts(line) = looked {
                line.whole.events = 1_200.0;
                line.base = 0.4;
            }
        }
        assert!(subject.intervals_to_roll_back(0.05, 2.0).is_some());
        assert_eq!(subject.intervals_to_roll_back(0.05, 3.0), None);
        assert!(subject.smallest_factor_seen(0.05, 500.0).unwrap() < 2.5);
    }

    #[test]
    fn fewer_successes_are_more_failures() {
        let mut line = line_of(worked_example(twice()));
        line.limit = Limit::absolute(false, 0.99);
        line.base = 0.99;
        let near = |rate: Option<f64>, expected: f64| (rate.unwrap() - expected).abs() < 1e-12;
        assert!(near(line.canary_rate(2.0), 0.98));
        line.base = 0.03;
        assert!(near(line.canary_rate(2.0), 0.015));
    }

    #[test]
    fn a_measured_noise_is_scaled_by_the_exposure() {
        let mut line = line_of(worked_example(twice()));
        let doubled = 1.0 + 2.0 * 750.0 / 270.0;
        // Of counts it is less at less traffic too, by the root.
        let past = PastNoise::new(270.0, vec![(1, 3.0, 100.0)]).unwrap();
        line.noise = LineNoise::Measured(past);
        assert!((line.dispersion(0.5) - doubled).abs() < 1e-9);
        let rare = 1.0 + 2.0 * libm::sqrt(3_000.0 * 0.01 * 0.99 / 270.0);
        assert!((line.dispersion(0.01) - rare).abs() < 1e-9);
        line.noise = LineNoise::Assumed;
        assert!((line.dispersion(0.1) - (1.0 + 0.72 * 15.0 * 0.09)).abs() < 1e-12);
    }
}
