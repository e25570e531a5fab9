//! How often a method of judging is wrong, and how long it takes to be right.
//!
//! A [`Scenario`] is a law of rollouts whose truth is known: base rate, traffic, noise, and the ratio
//! of the canary's failures to the control's. An [`Experiment`] lets a [`Method`] judge many rollouts
//! of it, [`measure`] counts: it compares methods. A [`Trial`] is one check of a rollout by a law of
//! [`laws`], through stages that its own evidence ends. Both are judged by the very code that judges
//! real rollouts, [`crate::proof`]. [`Row`] holds the tables that the documentation reports, made of
//! trials.
//!
//! A replicate is a pure function of (seed, scenario, index): each has random numbers of its own, and
//! methods that are compared see the same rollouts. So the results do not depend on the number of
//! threads; how the work is spread is the caller's [`Executor`].

mod error;
mod executor;
mod experiment;
mod fixed_horizon;
mod gauges;
mod latency;
pub mod laws;
mod looks;
mod measured;
mod method;
mod noise;
mod replay;
mod scenario;
mod tables;
#[cfg(test)]
mod tests;
mod trial;
mod walk;

pub use error::OperatingError;
pub use executor::{Executor, OneThread};
pub use experiment::{Experiment, Outcome, Promotion, measure};
pub use fixed_horizon::fixed_horizon_intervals;
pub use gauges::{
    Bursts, CanaryChange, FurtherGaugeLaw, GaugeLaw, GaugeLooks, GaugeOutcome, GaugeProcess,
    GaugeTrial, GaugeValues, JudgedGauge, Phase, PodLaw, PodValues, SharedChange,
};
pub use latency::{
    Buckets, Disturbance, Drift, InfiniteData, JudgedQuantile, Latencies, LatencyFleet,
    LatencyFleetDescription, LatencyTrial, Part, PodSpeed, Rows, Servers, Shape, Told,
};
pub use looks::Looks;
pub use measured::{Characteristics, Share, median};
pub use method::Method;
pub use noise::{NoiseLaw, RateProcess};
pub use scenario::{
    HistoryWindow, INTERVALS_PER_HOUR, Rollout, Scenario, ScenarioDescription, StageDescription,
};
pub use tables::{Line, Row, Target, Unit};
pub use trial::{
    Ends, HistoryDescription, Judged, Outcome as TrialOutcome, PodSpread, RampStage, Trial,
};
