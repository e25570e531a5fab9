//! What counts prove over a whole rollout, in whatever order it is looked at.
//!
//! An ordinary test is right in 99 % of cases if it is looked at once. Here proof is measured as evidence `E`,
//! an e-value: it starts at 1, and as long as the canary keeps its limit the chance that it *ever* reaches
//! `1 / alpha` is at most `alpha` (J. Ville, "Étude critique de la notion de collectif" (1939)). A violation
//! makes it grow exponentially. Everything is computed as `ln E`.
//!
//! * [`Stream`]: evidence that a canary is beyond a limit, through all stages, from many starts ([`Schedule`]).
//! * [`Promotion`]: what one stage shows of a canary that keeps its limit, and what forbids its promotion.
//! * noise: how much more counts vary than independent events would, in blocks of intervals; what was
//!   [measured before](PastNoise); how much [`Pods`] of one version differ.
//! * planning: how long it takes to decide.
//!
//! What is proven: with events that are independent given the environment, at most `alpha` of the rollouts of a
//! good canary are ever rolled back, whatever the dispersion is taken to be, because the thresholds are
//! `ln(1 / alpha + 1)`: every cut, every dispersion of at least 1, every deflation only lowers `E <= 1 + M`,
//! where `M` is the exact mixture. What is measured by simulation only: noise within one population.
//!
//! Source: docs/design/counts.md, "The method of counts".

mod assumed;
mod dispersion;
mod environment;
pub mod gauge;
mod lane;
mod line;
mod noise;
mod past_noise;
mod plan;
mod pods;
mod promotion;
mod quantile;
mod rollout;
mod settings;
mod starts;
mod stream;
mod twofold;

pub use assumed::{
    Counted, assumed_variation, cap_without_noise, default_interval_seconds, is_finer_than_scrapes,
};
pub use dispersion::Noisiest;
pub use environment::is_beyond_a_broken_control;
pub use lane::Interval;
pub use line::Line;
pub use past_noise::{PastNoise, winsor_factor};
pub(crate) use plan::nearest;
pub use plan::{
    Expected, ExpectedNoise, NINE_OF_TEN, evidence_to_roll_back, growth_of_compliance,
    growth_of_violation,
};
pub use pods::{Drawn, PodPlace, Pods, Spread, differing_pods};
pub use promotion::{FEWEST_INTERVALS, Kept, Promotion, VETO};
pub use quantile::{
    AbsolutePlaces, DecidedAfter, KeptBeyond, Law, Laws, Place, PlannedQuantile, Quantile,
    QuantileEstimate, QuantileLimit, ReadAt, Resolution, SlowShare, Tails, Window, bounds_to_add,
    decided_at, is_narrow, quantile_estimate, quantile_increment, quantile_ratio, resolution,
};
pub use rollout::{Input, Member, Rollout, stream_weights};
pub use settings::Settings;
pub use starts::{Schedule, Start};
pub use stream::{PodSquares, Stream};
