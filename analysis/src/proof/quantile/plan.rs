//! How long a quantile takes to be decided.
//!
//! Source: docs/design/latency.md, "7. Planning and advice".

use super::super::assumed::{Counted, assumed_variation, cap, excess_of};
use super::super::dispersion::ASSUMED_DEGREES_OF_FREEDOM;
use super::super::line::QUANTILE_EFFECTS;
use super::super::plan::{ExpectedNoise, evidence_to_roll_back, first_interval, inflated};
use super::super::promotion::{FEWEST_INTERVALS, QUANTILE_KEPT_EFFECTS};
use super::increment::{SlowShare, quantile_increment};
use super::law::Law;
use super::places::{KeptBeyond, QuantileLimit, cleared_downwards, cleared_upwards};
use crate::sequential::{ErrorRate, IntervalCounts};
use crate::series::{ArmCount, Populations};

/// What the mixture over effects and starts costs, in `ln E`.
const MIXTURE_OF_PROMOTION: f64 = 1.2;

/// A quantile, and what comes in an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedQuantile<'a> {
    /// The control's law.
    pub law: Law<'a>,
    /// The share that is beyond the quantile.
    pub slow: SlowShare,
    /// Requests of both populations in an interval.
    pub requests: Populations<f64>,
    /// The length of an interval.
    pub interval_seconds: f64,
    /// The noise that was measured, if any was.
    pub noise: Option<ExpectedNoise>,
}

/// After how many intervals something is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedAfter {
    /// So many, in the median.
    Intervals(usize),
    /// It takes too many.
    Never,
    /// The buckets do not tell.
    BucketsCannot,
}

impl DecidedAfter {
    /// So many, where it is ever decided.
    pub fn intervals(self) -> Option<usize> {
        match self {
            Self::Intervals(intervals) => Some(intervals),
            Self::Never | Self::BucketsCannot => None,
        }
    }

    fn of(found: Option<usize>) -> Self {
        found.map_or(Self::Never, |intervals| Self::Intervals(intervals + 1))
    }
}

impl PlannedQuantile<'_> {
    fn first_bound(&self) -> f64 {
        self.law.bounds().first().copied().unwrap_or(0.0)
    }

    fn last_bound(&self) -> f64 {
        self.law.bounds().last().copied().unwrap_or(0.0)
    }

    /// The limit on the control's quantile, and what must be kept of it; nothing where the buckets do not tell.
    fn limits(&self, limit: QuantileLimit, kept: KeptBeyond) -> Option<(bool, f64, f64)> {
        let quantile = self.law.quantile(self.slow.value());
        let (bucket, at) = (quantile.place.bucket, quantile.at);
        let is_first = bucket == 0;
        if bucket >= self.law.bounds().len() || (is_first && limit.offset < self.first_bound()) {
            return None;
        }
        let high = if is_first { self.first_bound() } else { at };
        let low = if is_first { 0.0 } else { at };
        let beyond = limit.ratio * high + limit.offset;
        let within = kept.ratio * low + kept.offset;
        (beyond <= self.last_bound()).then_some((is_first, beyond, within))
    }

    /// After how many intervals a canary that is so many times as slow is rolled back.
    pub fn to_roll_back(
        &self,
        limit: QuantileLimit,
        times_as_slow: f64,
        rate: ErrorRate,
    ) -> DecidedAfter {
        let Some((false, beyond, _)) = self.limits(limit, limit) else {
            return DecidedAfter::BucketsCannot;
        };
        let at = cleared_upwards(self.law.bounds(), beyond);
        let slow = self.law.share_beyond(at / times_as_slow);
        let growth = if slow > self.slow.value() {
            self.growth(slow, &QUANTILE_EFFECTS)
        } else {
            0.0
        };
        let variation = assumed_variation(Counted::Events, self.interval_seconds);
        let most = cap(self.interval_seconds, variation, self.unsurprising());
        let noise = self.noise_of(slow);
        DecidedAfter::of(first_interval(1, growth.min(most), &noise, |known| {
            evidence_to_roll_back(rate, known)
        }))
    }

    /// After how many intervals a canary as good as the control is promoted.
    pub fn to_promote(
        &self,
        limit: QuantileLimit,
        kept: KeptBeyond,
        rate: ErrorRate,
    ) -> DecidedAfter {
        let Some((_, beyond, within)) = self.limits(limit, kept) else {
            return DecidedAfter::BucketsCannot;
        };
        if within < self.first_bound() || within > self.last_bound() {
            return DecidedAfter::BucketsCannot;
        }
        let bounds = self.law.bounds();
        let slow = self.law.share_beyond(cleared_downwards(bounds, within));
        let growth = if slow < self.slow.value() {
            self.growth(slow, &QUANTILE_KEPT_EFFECTS)
        } else {
            0.0
        };
        let noise = self.noise_of(self.law.share_beyond(cleared_upwards(bounds, beyond)));
        DecidedAfter::of(first_interval(FEWEST_INTERVALS, growth, &noise, |known| {
            inflated(rate, known) + MIXTURE_OF_PROMOTION
        }))
    }

    /// `ln E` of an interval in which so large a share of the canary's requests is slow.
    fn growth(&self, slow: f64, effects: &[f64]) -> f64 {
        let Populations { control, canary } = self.requests;
        let counts = IntervalCounts {
            canary: ArmCount {
                events: slow * canary,
                exposure: canary,
            },
            control: ArmCount {
                events: self.slow.value() * control,
                exposure: control,
            },
        };
        let each = effects
            .iter()
            .map(|effect| quantile_increment(&counts, self.slow, *effect));
        each.fold(f64::NEG_INFINITY, f64::max)
    }

    fn canary_part(&self) -> f64 {
        self.requests.canary / (self.requests.canary + self.requests.control)
    }

    /// Slow requests of the canary that would be no surprise in an interval.
    fn unsurprising(&self) -> f64 {
        let slow = self.requests.control * self.slow.value() + 0.5;
        self.slow.rest() * slow * self.canary_part()
    }

    fn noise_of(&self, slow: f64) -> ExpectedNoise {
        if let Some(measured) = self.noise {
            return measured;
        }
        let Populations { control, canary } = self.requests;
        let part = self.canary_part();
        let events = canary * slow + control * self.slow.value();
        let scatter = self.slow.rest() * events * part * (1.0 - part);
        let variation = assumed_variation(Counted::Events, self.interval_seconds);
        ExpectedNoise::seen(excess_of(variation, scatter), ASSUMED_DEGREES_OF_FREEDOM)
    }
}
