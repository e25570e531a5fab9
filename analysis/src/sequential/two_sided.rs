//! Evidence that a canary differs in either direction, and the test of the traffic split.

use super::SequentialError;
use super::counts::IntervalCounts;
use super::evidence::{EvidenceConfig, add_relative, relative_effects};
use super::increment::Effect;
use super::limit::{ErrorRate, RelativeLimit, Side};
use super::log_space::log_mean_exp;
use super::mixture::{StartMixture, StartNoise};
use super::noise::NoiseState;
use crate::series::{ArmCount, Populations};

/// Evidence that the canary is outside `control * (1 - t)` to `control * (1 + t)`, or any two lines: the
/// mean of the evidence for each side.
///
/// Source: the mean of e-values is an e-value under any dependence (V. Vovk and R. Wang, "E-values",
/// Annals of Statistics 49 (2021), proposition 3.1).
#[derive(Debug, Clone, PartialEq)]
pub struct TwoSidedEvidence {
    effects: [Effect; 9],
    above: RelativeLimit,
    below: RelativeLimit,
    noise: StartNoise,
    mixture_above: StartMixture,
    mixture_below: StartMixture,
    log_evidence_above: f64,
    log_evidence_below: f64,
}

impl TwoSidedEvidence {
    /// Returns the evidence for a tolerated deviation of `tolerance`: 0.1 for 10 % in each direction.
    ///
    /// # Errors
    ///
    /// [`SequentialError::Tolerance`] unless `0 < tolerance < 1`.
    pub fn new(tolerance: f64, config: &EvidenceConfig) -> Result<Self, SequentialError> {
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return Err(SequentialError::Tolerance { tolerance });
        }
        Self::between(1.0 - tolerance, 1.0 + tolerance, config)
    }

    /// Returns the evidence for a ratio outside `lower` to `upper`.
    fn between(lower: f64, upper: f64, config: &EvidenceConfig) -> Result<Self, SequentialError> {
        let effects = relative_effects();
        let longest = config.longest_rollout_intervals;
        let noise = NoiseState::relative(config.history.clone());
        Ok(Self {
            effects,
            above: RelativeLimit::new(upper, 0.0, Side::Above)?,
            below: RelativeLimit::new(lower, 0.0, Side::Below)?,
            noise: StartNoise::new(noise, longest),
            mixture_above: StartMixture::new(effects.len(), longest),
            mixture_below: StartMixture::new(effects.len(), longest),
            log_evidence_above: 0.0,
            log_evidence_below: 0.0,
        })
    }

    /// Adds the next interval and returns `ln E` after it.
    pub fn push(&mut self, counts: &IntervalCounts) -> f64 {
        self.noise.push(|noise| noise.push(counts));
        add_relative(&mut self.mixture_above, &self.effects, counts, &self.above);
        add_relative(&mut self.mixture_below, &self.effects, counts, &self.below);
        let dispersions = self.noise.dispersions();
        let divisor = self.noise.breaker_divisor();
        self.log_evidence_above = self.mixture_above.log_evidence(dispersions, divisor);
        self.log_evidence_below = self.mixture_below.log_evidence(dispersions, divisor);
        self.log_evidence()
    }

    /// Returns `ln E` after every interval of a rollout, by the same code as [`Self::push`].
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn replay(
        tolerance: f64,
        config: &EvidenceConfig,
        intervals: &[IntervalCounts],
    ) -> Result<Vec<f64>, SequentialError> {
        let mut evidence = Self::new(tolerance, config)?;
        Ok(intervals
            .iter()
            .map(|counts| evidence.push(counts))
            .collect())
    }

    /// `ln E`: the mean of both sides; 0 before the first interval.
    pub fn log_evidence(&self) -> f64 {
        log_mean_exp(&[self.log_evidence_above, self.log_evidence_below])
    }

    /// `ln E` of one side.
    pub fn log_evidence_of(&self, side: Side) -> f64 {
        match side {
            Side::Above => self.log_evidence_above,
            Side::Below => self.log_evidence_below,
        }
    }

    /// The noise, for the evidence of compliance.
    pub fn noise(&self) -> &NoiseState {
        self.noise.noise()
    }
}

/// Evidence that the traffic is not split as configured: that the canary gets more than 1.25 or less
/// than 0.8 times its share.
///
/// The requests are the events and the configured shares the exposures; the noise is that without
/// history. A test of the exact share must not be used: a harmless 1.05 % instead of 1 % would be
/// found within 29 intervals. To be begun again when the configured shares change.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitEvidence {
    evidence: TwoSidedEvidence,
}

impl SplitEvidence {
    /// The ratios to the configured share that are tolerated.
    pub const TOLERATED: (f64, f64) = (0.8, 1.25);

    /// Returns the evidence before the first interval.
    ///
    /// # Errors
    ///
    /// Never in practice: the tolerated ratios are valid limits.
    pub fn new(longest_rollout_intervals: usize) -> Result<Self, SequentialError> {
        let (lower, upper) = Self::TOLERATED;
        let config = EvidenceConfig {
            longest_rollout_intervals,
            history: None,
        };
        let evidence = TwoSidedEvidence::between(lower, upper, &config)?;
        Ok(Self { evidence })
    }

    /// Adds an interval in which the canary got `canary_requests` and the control `control_requests`,
    /// when the canary's share should have been `canary_share` (0 to 1), and returns `ln E`. At a share
    /// of 0 or 1 there is nothing to compare.
    pub fn push(&mut self, canary_requests: f64, control_requests: f64, canary_share: f64) -> f64 {
        self.evidence.push(&Populations {
            canary: ArmCount {
                events: canary_requests,
                exposure: canary_share,
            },
            control: ArmCount {
                events: control_requests,
                exposure: 1.0 - canary_share,
            },
        })
    }

    /// `ln E` after the newest interval.
    pub fn log_evidence(&self) -> f64 {
        self.evidence.log_evidence()
    }

    /// `ln E` of too much ([`Side::Above`]) or too little traffic.
    pub fn log_evidence_of(&self, side: Side) -> f64 {
        self.evidence.log_evidence_of(side)
    }

    /// Whether the split is now shown to be wrong: `E >= 1001`.
    pub fn is_mismatch(&self) -> bool {
        self.log_evidence() >= ErrorRate::SPLIT.log_threshold()
    }
}
