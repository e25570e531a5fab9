//! Evidence that may be looked at after every interval.
//!
//! An ordinary test is right in 99 % of cases if it is looked at once. Looked at after each of 480
//! intervals it rolls back good canaries in 7 % of rollouts with ideal data and in up to 88 % with
//! noisy data. Here proof is measured as evidence `E`, an e-value: it starts at 1, and as long as the
//! canary keeps its limit the chance that it *ever* reaches `1 / alpha` is at most `alpha` (Ville's
//! inequality). A violation makes it grow exponentially. Everything is computed as `ln E`.
//!
//! Two questions are asked about a limit, and both may stay open: is there proof that the canary is
//! beyond it ([`RelativeEvidence`], [`AbsoluteEvidence`]: since the rollout began, over all effect
//! sizes and start times), and is there proof that it is within it ([`RelativeCompliance`],
//! [`AbsoluteCompliance`]: in this stage, now). Noise that belongs to one population is measured by
//! [`NoiseState`] and divides the evidence.
//!
//! No crate has this. The pieces are from J. Ville, "Étude critique de la notion de collectif" (1939);
//! A. Wald, "Sequential analysis" (1947); A. Ramdas, P. Grünwald, V. Vovk and G. Shafer,
//! "Game-theoretic statistics and safe anytime-valid inference", Statistical Science 38 (2023);
//! S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric, nonasymptotic
//! confidence sequences", Annals of Statistics 49 (2021); V. Vovk and R. Wang, "E-values:
//! calibration, combination and applications", Annals of Statistics 49 (2021).
//!
//! What is proven: with failures that are independent of each other given the environment, at most
//! `alpha` of the rollouts of a good canary are ever rolled back, whatever the dispersion is taken to
//! be, because the thresholds are `ln(1 / alpha + 1)` and not `ln(1 / alpha)`. What is calibrated by
//! simulation only: noise within one population, and gauges.

mod compliance;
mod counts;
mod dispersion;
mod evidence;
mod gauge;
mod growth;
mod history;
mod increment;
mod limit;
mod log_space;
mod mixture;
mod multiplicity;
mod noise;
mod ratio;
mod two_sided;

pub use compliance::{
    AbsoluteCompliance, FEWEST_STAGE_INTERVALS, RelativeCompliance, default_promotion_ratio,
};
pub use counts::{IntervalCounts, on_every_interval};
pub(crate) use counts::{is_comparable, is_usable};
pub use dispersion::Dispersion;
pub use evidence::{AbsoluteEvidence, EvidenceConfig, RelativeEvidence, first_crossing};
pub use gauge::{
    BLOCK_LENGTHS, FEWEST_GAUGE_INTERVALS, block_means, gauge_log_evidence, gauge_may_roll_back,
    integrated_autocorrelation_time, mean_margin, normal_mixture_log_evidence,
    smallest_gauge_log_evidence,
};
pub use growth::{absolute_growth, offset_growth};
pub use history::{BlockDispersion, NoiseHistory};
pub(crate) use increment::{Comparison, Effect};
pub use increment::{absolute_increment, relative_increment};
pub use limit::{AbsoluteLimit, CountLaw, ErrorRate, RelativeLimit, Side};
pub use log_space::{deflate, log_mean_exp, log_sum_exp};
pub use multiplicity::{
    WeightedEvidence, adjusted_log_evidence, combined_log_evidence, false_discovery_list,
};
pub use noise::NoiseState;
pub use ratio::ratio_interval;
pub use two_sided::{SplitEvidence, TwoSidedEvidence};

/// Why a sequential test cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SequentialError {
    /// A relative limit with a ratio or an offset that is not usable.
    #[error(
        "cannot test the limit baseline * {ratio} + {offset}: the ratio must be between 1e-6 and \
         1e6, or 0 with a positive offset, and the offset at most 1e30 in size"
    )]
    RelativeLimit {
        /// The factor of the control's metric.
        ratio: f64,
        /// What is added.
        offset: f64,
    },
    /// An absolute limit outside its range.
    #[error(
        "cannot test the limit {limit}: a share must be between 0 and 1, both excluded, a rate \
         between 1e-30 and 1e30"
    )]
    AbsoluteLimit {
        /// The limit.
        limit: f64,
    },
    /// A limit that no canary can be shown to keep.
    #[error(
        "cannot show that a canary keeps the limit baseline * {ratio} + {offset}: a perfect canary \
         sits on it; move the ratio away from 1"
    )]
    NeverCompliant {
        /// The factor of the control's metric.
        ratio: f64,
        /// What is added.
        offset: f64,
    },
    /// An error rate outside its range.
    #[error("cannot promise an error rate of {rate}: it must be between 0 and 1, both excluded")]
    ErrorRate {
        /// The rate.
        rate: f64,
    },
    /// A history that does not describe noise.
    #[error(
        "cannot use the noise history: its mean exposure, dispersions and degrees of freedom must \
         be positive and finite, its block lengths ascending powers of two up to 64"
    )]
    History,
    /// A tolerated deviation outside its range.
    #[error(
        "cannot test for a deviation of {tolerance}: it must be between 0 and 1, both excluded"
    )]
    Tolerance {
        /// The deviation.
        tolerance: f64,
    },
}
