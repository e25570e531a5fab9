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
