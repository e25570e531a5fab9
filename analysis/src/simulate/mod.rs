//! Simulated fleets whose truth is known: pods that serve traffic, fail, restart and are scraped.
//!
//! A fleet is a pure function of its seed, its description and the history of its traffic share.
//! Every random number is addressed by (seed, service, pod, scrape): the same seed gives the same
//! samples, however fast the clock runs and in whatever order somebody asks. The counts are drawn
//! exactly (Poisson, binomial, multinomial), never rounded from a normal curve, because a canary
//! is judged by a handful of errors.
//!
//! [`operating`] needs no fleet: it draws the counts of whole rollouts, thousands of them, and measures
//! how often a method of judging is wrong. [`rollout`] takes rollouts with several kinds of checks to
//! their end.

mod description;
mod latency;
pub mod operating;
mod pod;
mod random;
pub mod rollout;
mod sample;
mod service;
mod share;

pub use description::{Multipliers, SCRAPE_INTERVAL_MS, ServiceDescription};
pub use latency::{BUCKET_COUNT, BUCKET_UPPER_BOUNDS_SECONDS, LatencyLaw};
pub use pod::{PodCounters, PodIdentity, REGIONS, RESPONSE_CODES, Scrape, Track};
pub use random::{Random, RandomKey};
pub use sample::{binomial, multinomial, poisson};
pub use service::{ServiceSimulation, SimulationError};
pub use share::ShareHistory;
