//! What a check of a quantile looks at: the buckets of the whole service.

use crate::judge::quantile::{Asked, Known, blind_spot, listed, quantile_name};
use crate::pipeline::Dimension;
use crate::proof::{
    Counted, Expected, ExpectedNoise, Kept, KeptBeyond, Law, PlannedQuantile, Tails, bounds_to_add,
    decided_at, is_narrow,
};
use crate::sequential::{ErrorRate, IntervalCounts};
use crate::series::{ArmCount, Populations};
use crate::text;

use super::line_noise::LineNoise;

/// A quantile of the whole service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QuantileLine {
    /// The finite bounds.
    pub(super) bounds: Vec<f64>,
    /// All requests, by bucket.
    pub(super) tails: Tails,
    /// What breaks the check.
    pub(super) asked: Asked,
    /// What a promotion must show beside the control's.
    pub(super) kept: Option<KeptBeyond>,
    pub(super) interval_seconds: f64,
    /// Requests of the whole service in an interval.
    pub(super) requests: f64,
    /// Whether the control excuses what it does itself.
    pub(super) has_control: bool,
    pub(super) noise: LineNoise,
}

impl QuantileLine {
    fn law(&self) -> Law<'_> {
        Law::of(&self.tails, &self.bounds)
    }

    /// The quantile of the service today; nothing beyond the last bound.
    pub(super) fn quantile(&self) -> Option<f64> {
        let at = self.law().quantile(self.asked.slow().value()).at;
        at.is_finite().then_some(at)
    }

    /// What the buckets cannot tell of it, and which bounds would; nothing where they tell all.
    pub(super) fn advice(&self, dimension: Dimension) -> Option<String> {
        let slow = self.asked.slow();
        let found = self.law().quantile(slow.value());
        let known = Known::of(found, &self.bounds);
        if let Some(blind) = blind_spot(&self.bounds, known, self.asked, dimension) {
            return Some(blind);
        }
        let (Asked::Relative { limit, .. }, Some(Known::At(_))) = (self.asked, known) else {
            return None;
        };
        if is_narrow(&self.tails, &self.bounds, slow.value()) {
            return Some(format!(
                "the buckets are narrow around its {}: nearly all requests are in two of them, so that a canary a few \
                 per cent slower can read as twice as slow; add bounds there",
                quantile_name(slow)
            ));
        }
        let added = bounds_to_add(&self.bounds, found.at, limit);
        (!added.is_empty()).then(|| {
            format!(
                "the {}, {}, and its limit are read between bounds; exact with {} among them",
                quantile_name(slow),
                text::value(found.at, dimension),
                listed(&added, dimension)
            )
        })
    }

    fn requests_at(&self, share: f64) -> Populations<f64> {
        Populations {
            control: self.requests * (1.0 - share),
            canary: self.requests * share,
        }
    }

    /// Requests slower than a latency, where a canary is so many times as slow.
    fn expected(&self, share: f64, at: f64, factor: f64) -> Expected {
        let law = self.law();
        let requests = self.requests_at(share);
        let arm = |requests: f64, at: f64| ArmCount {
            events: requests * law.share_beyond(at),
            exposure: requests,
        };
        Expected {
            counts: IntervalCounts {
                control: arm(requests.control, at),
                canary: arm(requests.canary, at / factor),
            },
            counted: Counted::Events,
            interval_seconds: self.interval_seconds,
        }
    }

    fn noise_of(&self, expected: &Expected) -> ExpectedNoise {
        let absolute = match self.asked {
            Asked::Relative { .. } => None,
            Asked::Absolute { slow, .. } => Some(slow.value()),
        };
        match &self.noise {
            LineNoise::Assumed => expected.assumed_noise(absolute),
            LineNoise::Given(value) => ExpectedNoise::measured(*value),
            LineNoise::Measured(past) => expected.noise_of_the_past(past, absolute),
        }
    }

    fn planned(&self, share: f64) -> PlannedQuantile<'_> {
        let noise = match &self.noise {
            LineNoise::Assumed => None,
            LineNoise::Given(_) | LineNoise::Measured(_) => {
                let at = self.law().quantile(self.asked.slow().value()).at;
                Some(self.noise_of(&self.expected(share, at, 1.0)))
            }
        };
        PlannedQuantile {
            law: self.law(),
            slow: self.asked.slow(),
            requests: self.requests_at(share),
            interval_seconds: self.interval_seconds,
            noise,
        }
    }

    /// What the evidence of a canary as good as the service is divided by at first.
    pub(super) fn dispersion(&self, share: f64) -> f64 {
        let at = match self.asked {
            Asked::Relative { slow, .. } => self.law().quantile(slow.value()).at,
            Asked::Absolute { limit, .. } => limit,
        };
        self.noise_of(&self.expected(share, at, 1.0)).dispersion()
    }

    /// For a canary that is so many times as slow.
    pub(super) fn intervals_to_roll_back(
        &self,
        share: f64,
        factor: f64,
        rate: ErrorRate,
    ) -> Option<usize> {
        match self.asked {
            Asked::Relative { limit, .. } => {
                let planned = self.planned(share);
                planned.to_roll_back(limit, factor, rate).intervals()
            }
            Asked::Absolute {
                wants_less, limit, ..
            } => {
                let around = decided_at(&self.bounds, limit);
                let at = if wants_less { around.0 } else { around.1 }?;
                let factor = if wants_less { factor } else { 1.0 / factor };
                let expected = self.expected(share, at, factor);
                let line = self.asked.line(self.has_control)?;
                expected.intervals_to_roll_back(&line, &self.noise_of(&expected), rate)
            }
        }
    }

    /// For a canary that is as good as the service is today.
    pub(super) fn intervals_to_promote(&self, share: f64, rate: ErrorRate) -> Option<usize> {
        match self.asked {
            Asked::Relative { limit, .. } => {
                let kept = self.kept.unwrap_or(limit);
                let planned = self.planned(share);
                planned.to_promote(limit, kept, rate).intervals()
            }
            Asked::Absolute {
                wants_less, kept, ..
            } => {
                let around = decided_at(&self.bounds, kept);
                let at = if wants_less { around.1 } else { around.0 }?;
                let expected = self.expected(share, at, 1.0);
                let kept: Kept = self.asked.kept()?;
                expected.intervals_to_promote(&kept, &self.noise_of(&expected), rate)
            }
        }
    }
}
