//! Latency quantiles: `latency_p99 < baseline * 1.2` unless it says otherwise, promoted below `baseline * 2`, one
//! stage of 30 minutes that lasts at most 60, intervals of 30 s, 2 minutes of warm-up, a canary with 5 %.

mod alike;
mod buckets;
mod further;
mod infinite;
mod laws;
mod limits;
mod noise;
mod pods;
mod short_stages;
mod stages;
mod traffic;

pub(super) use buckets::lines as of_buckets;
pub(super) use further::lines as of_further_laws;
pub(super) use infinite::lines as of_infinite_data;
pub(super) use laws::lines as of_laws;
pub(super) use limits::lines as of_limits;
pub(super) use noise::lines as of_noise;
pub(super) use pods::lines as of_pods;
pub(super) use short_stages::lines as of_short_stages;
pub(super) use stages::lines as of_stages;
pub(super) use traffic::lines as of_traffic;

/// What is simulated.
pub(super) mod titles {
    pub(in super::super) const INFINITE_DATA: &str =
        "Latency with infinite data: the share of laws and of their positions among the buckets, %";
    pub(in super::super) const LAWS: &str = "Laws of latency: `latency_p99 < baseline * 1.2`, 500 rps, 5 %, a stage of 30 minutes that lasts at most 60";
    pub(in super::super) const NOISE: &str = "Noise of latency: `latency_p99 < baseline * 1.2`, 500 rps, 5 %, a stage of 30 minutes that lasts at most 60";
    pub(in super::super) const TRAFFIC: &str =
        "Latency by traffic, ln.8, limit 1.2, a stage of 30 minutes that lasts at most 60";
    pub(in super::super) const SHORT_STAGES: &str =
        "Latency in short stages, ln.8, `latency_p99 < baseline * 1.2`";
    pub(in super::super) const LIMITS: &str = "Other limits of latency, ln.8, p99, 100 rps, 5 %; of an absolute one the control is at half";
    pub(in super::super) const BUCKETS: &str =
        "Other buckets of latency, p99, limit 1.2, 100 rps, 5 %";
    pub(in super::super) const STAGES: &str = "Latency through stages of 5, 25 and 50 % of 30 minutes, each of which the clock ends; p99, limit 1.2";
    pub(in super::super) const PODS: &str = "Latency among pods that differ, rolled back within an hour; control pods : canary pods; p99, limit 1.2, ln.8";
    pub(in super::super) const FURTHER_LAWS: &str =
        "Laws of latency on which nothing was chosen, 100 rps, 5 %, p99, limit 1.2; no target";
}
