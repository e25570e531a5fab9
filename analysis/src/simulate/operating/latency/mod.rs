//! Latency quantiles: laws whose truth is known, seen through the buckets of a histogram, and judged by the code that
//! judges real ones.
//!
//! The requests of an interval are Poisson numbers by bucket, which is to say: a Poisson number of requests, each in
//! a bucket by chance. They are read as the judge reads them, [`crate::judge::quantile::Reader`], and go through the
//! stages as counts do.

mod buckets;
mod drift;
mod fleet;
mod infinite;
mod law;
mod server;
#[cfg(test)]
mod tests;
mod trial;

pub use buckets::Buckets;
pub use drift::Drift;
pub use fleet::{Disturbance, LatencyFleet, LatencyFleetDescription, Rows};
pub use infinite::{InfiniteData, Told};
pub use law::{Latencies, Part, Shape};
pub use server::{PodSpeed, Servers};
pub use trial::{JudgedQuantile, LatencyTrial};
