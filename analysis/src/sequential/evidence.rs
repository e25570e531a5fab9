//! Evidence that a canary is beyond its limit, since the rollout began.

use super::counts::IntervalCounts;
use super::counts::is_usable;
use super::dispersion::Dispersion;
use super::history::NoiseHistory;
use super::increment::{Comparison, Effect, LinearEffect};
use super::limit::{AbsoluteLimit, ErrorRate, RelativeLimit, Side};
use super::mixture::{StartMixture, StartNoise};
use super::noise::NoiseState;
use crate::series::ArmCount;

/// Effect sizes of evidence against a relative limit: from barely to a hundred times beyond it.
const RELATIVE_EFFECTS: [f64; 9] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];
/// Effect sizes above an absolute limit.
pub(super) const ABOVE_EFFECTS: [f64; 6] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0];
/// Effect sizes below an absolute limit: shares of it that are missing.
pub(super) const BELOW_EFFECTS: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];

/// The relative grid, with its logarithms.
pub(super) fn relative_effects() -> [Effect; 9] {
    RELATIVE_EFFECTS.map(Effect::new)
}

/// The grid for an absolute limit.
pub(super) fn absolute_effects(limit: &AbsoluteLimit) -> Vec<LinearEffect> {
    let sizes: &[f64] = match limit.side() {
        Side::Above => &ABOVE_EFFECTS,
        Side::Below => &BELOW_EFFECTS,
    };
    sizes
        .iter()
        .map(|&size| LinearEffect::new(limit, size))
        .collect()
}

/// What is fixed when a rollout begins.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceConfig {
    /// The longest that the rollout may take, in intervals. Regressions may begin at any time until
    /// then; afterwards evidence goes on, without new starts.
    pub longest_rollout_intervals: usize,
    /// The noise measured before the rollout, if it was.
    pub history: Option<NoiseHistory>,
}

/// Evidence that the canary is beyond a limit relative to the control.
///
/// Per interval and effect size `rho` in 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100 it adds
/// [`super::relative_increment`] to `L`. With starts `s` = 0, 8, 16, ... until the longest rollout ends,
/// weight 1/2 on the first and the rest spread evenly,
///
/// `ln E = lse(ln 0.9 + lse_s(deflate(lse_rho((L - L(s)) / D_s) - ln 9 + ln w_s, nu_s)), ln 0.1 + breaker)`
///
/// with the dispersion `(D_s, nu_s)` of [`NoiseState`], evidence 1 for starts to come, and a breaker
/// that finds crashes within two intervals without any estimate of noise:
/// `lse_rho(L / max(100, 16 bmax)) - ln 9`, where `bmax` is the most events expected of the canary in an
/// interval.
///
/// A violation is proven when `ln E` ever reaches [`ErrorRate::log_threshold`]. The evidence is a
/// function of the intervals only: polls do not change it, and replaying gives the same bytes.
///
/// Source: a mixture of likelihood ratios (H. Robbins, "Statistical methods related to the law of the
/// iterated logarithm", Annals of Mathematical Statistics 41 (1970)) over change points (A. Shiryaev,
/// "On optimum methods in quickest detection problems" (1963)).
///
/// ```
/// use serinus_analysis::sequential::*;
/// use serinus_analysis::series::ArmCount;
///
/// let limit = RelativeLimit::new(1.0, 0.0, Side::Above).unwrap();
/// let config = EvidenceConfig { longest_rollout_intervals: 16, history: None };
/// let mut evidence = RelativeEvidence::new(limit, &config);
/// let log_evidence = evidence.push(&IntervalCounts {
///     canary: ArmCount { events: 12.0, exposure: 1000.0 },
///     control: ArmCount { events: 27.0, exposure: 9000.0 },
/// });
/// assert!((log_evidence - 0.501000351).abs() < 1e-8);
/// assert!(log_evidence < ErrorRate::ROLLBACK.log_threshold());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeEvidence {
    limit: RelativeLimit,
    effects: [Effect; 9],
    noise: StartNoise,
    mixture: StartMixture,
    log_evidence: f64,
}

impl RelativeEvidence {
    /// Returns the evidence before the first interval: 1.
    pub fn new(limit: RelativeLimit, config: &EvidenceConfig) -> Self {
        let noise = NoiseState::relative(config.history.clone());
        let effects = relative_effects();
        Self {
            limit,
            effects,
            noise: StartNoise::new(noise, config.longest_rollout_intervals),
            mixture: StartMixture::new(effects.len(), config.longest_rollout_intervals),
            log_evidence: 0.0,
        }
    }

    /// Adds the next interval and returns `ln E` after it. One in which the populations cannot be
    /// compared is time without evidence.
    pub fn push(&mut self, counts: &IntervalCounts) -> f64 {
        self.noise.push(|noise| noise.push(counts));
        add_relative(&mut self.mixture, &self.effects, counts, &self.limit);
        self.log_evidence = self
            .mixture
            .log_evidence(self.noise.dispersions(), self.noise.breaker_divisor());
        self.log_evidence
    }

    /// Returns `ln E` after every interval of a rollout, by the same code as [`Self::push`].
    pub fn replay(
        limit: RelativeLimit,
        config: &EvidenceConfig,
        intervals: &[IntervalCounts],
    ) -> Vec<f64> {
        let mut evidence = Self::new(limit, config);
        intervals
            .iter()
            .map(|counts| evidence.push(counts))
            .collect()
    }

    /// `ln E` after the newest interval; 0 before the first.
    pub fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    /// The noise, for the evidence of compliance and for the ratio shown.
    pub fn noise(&self) -> &NoiseState {
        self.noise.noise()
    }

    /// The dispersion of the whole rollout.
    pub fn dispersion(&self) -> Dispersion {
        self.noise().dispersion(0)
    }

    /// The line that this is evidence for crossing.
    pub fn limit(&self) -> &RelativeLimit {
        &self.limit
    }
}

/// Adds an interval's increments for a grid of effects; zeros when it cannot be compared.
pub(super) fn add_relative(
    mixture: &mut StartMixture,
    effects: &[Effect],
    counts: &IntervalCounts,
    limit: &RelativeLimit,
) {
    let comparison = Comparison::new(counts, limit);
    mixture.add(effects.iter().map(|effect| {
        comparison
            .as_ref()
            .map_or(0.0, |counts| effect.increment(counts))
    }));
}

/// Evidence that one population is beyond an absolute limit.
///
/// As [`RelativeEvidence`], with [`super::absolute_increment`] for the effects 1.1, 1.25, 1.5, 2, 3, 5
/// above and 0.1, 0.25, 0.5, 0.75, 0.9 below the limit. The same evidence is to be computed for the
/// control: if it crosses too, the environment is to blame and not the canary.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsoluteEvidence {
    limit: AbsoluteLimit,
    effects: Vec<LinearEffect>,
    noise: StartNoise,
    mixture: StartMixture,
    log_evidence: f64,
}

impl AbsoluteEvidence {
    /// Returns the evidence before the first interval: 1.
    pub fn new(limit: AbsoluteLimit, config: &EvidenceConfig) -> Self {
        let noise = NoiseState::absolute(&limit, config.history.clone());
        let effects = absolute_effects(&limit);
        let mixture = StartMixture::new(effects.len(), config.longest_rollout_intervals);
        Self {
            limit,
            effects,
            noise: StartNoise::new(noise, config.longest_rollout_intervals),
            mixture,
            log_evidence: 0.0,
        }
    }

    /// Adds the next interval and returns `ln E` after it. One without usable counts is time without
    /// evidence.
    pub fn push(&mut self, count: &ArmCount) -> f64 {
        self.noise.push(|noise| noise.push_single(count));
        let usable = is_usable(count);
        self.mixture.add(
            self.effects
                .iter()
                .map(|effect| if usable { effect.increment(count) } else { 0.0 }),
        );
        self.log_evidence = self
            .mixture
            .log_evidence(self.noise.dispersions(), self.noise.breaker_divisor());
        self.log_evidence
    }

    /// Returns `ln E` after every interval of a rollout, by the same code as [`Self::push`].
    pub fn replay(
        limit: AbsoluteLimit,
        config: &EvidenceConfig,
        intervals: &[ArmCount],
    ) -> Vec<f64> {
        let mut evidence = Self::new(limit, config);
        intervals.iter().map(|count| evidence.push(count)).collect()
    }

    /// `ln E` after the newest interval; 0 before the first.
    pub fn log_evidence(&self) -> f64 {
        self.log_evidence
    }

    /// The noise, for the evidence of compliance.
    pub fn noise(&self) -> &NoiseState {
        self.noise.noise()
    }

    /// The dispersion of the whole rollout.
    pub fn dispersion(&self) -> Dispersion {
        self.noise().dispersion(0)
    }

    /// The line that this is evidence for crossing.
    pub fn limit(&self) -> &AbsoluteLimit {
        &self.limit
    }
}

/// Returns the index of the first interval at which `ln E` reached the threshold. Evidence for a
/// violation stays: what was proven once is proven, whatever comes later.
pub fn first_crossing(log_evidence_path: &[f64], error_rate: ErrorRate) -> Option<usize> {
    let threshold = error_rate.log_threshold();
    log_evidence_path
        .iter()
        .position(|&log_evidence| log_evidence >= threshold)
}
