//! The four services of the fleet.
//!
//! A large site, so that a stage at 0.01 % of the traffic still sees tens of thousands of canary
//! requests an hour: with fewer, no method could tell 0.02 % of errors from 0.1 %.

use serinus_analysis::simulate::{LatencyLaw, Multipliers, ServiceDescription, Track};

/// The service whose canary is good; whoever plays a rollout moves its traffic.
pub const CHECKOUT: &str = "checkout";
/// The service whose canary is bad; whoever plays a rollout moves its traffic.
pub const PAYMENTS: &str = "payments";
/// A service with a good canary at a steady share, to explore.
pub const CATALOG: &str = "catalog";
/// A service with a bad canary at a steady share, to explore.
pub const BILLING: &str = "billing";

/// The names of all services.
pub const SERVICES: [&str; 4] = [CHECKOUT, PAYMENTS, CATALOG, BILLING];

/// The traffic share of the canaries of [`CATALOG`] and [`BILLING`], in percent.
pub const STEADY_SHARE_PERCENT: f64 = 10.0;

/// The label by which Argo Rollouts tells the pods of two versions apart, as a scrape keeps it.
pub const TEMPLATE_HASH_LABEL: &str = "rollouts_pod_template_hash";

/// The hashes of the versions, stable and canary, of each of [`SERVICES`].
const TEMPLATE_HASHES: [(&str, &str); SERVICES.len()] = [
    ("5c8f7", "6d4f9"),
    ("7b9d5", "84cd6"),
    ("6f5d4", "75b98"),
    ("58db6", "9c7f8"),
];

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// The median and the standard deviation of the logarithm of latencies: p99 is
/// `0.031 s * exp(2.326 * 0.6) = 0.125 s`, in the histogram's bucket from 0.12 s to 0.13 s.
const LATENCY: (f64, f64) = (0.031, 0.6);

/// A canary that is a little better than its control. Not the same: the checks of the first
/// pipeline such as `customer_complaints < baseline` ask for better, and equal never is.
const GOOD: Multipliers = Multipliers {
    error: 0.75,
    latency: 0.98,
    cpu: 1.02,
    memory: 1.04,
    conversion: 1.003,
    complaint: 0.75,
    queue_depth: 1.0,
};

/// A canary that passes absolute limits (0.054 % of errors, p99 of 165 ms) and is much worse
/// than its control all the same.
const BAD: Multipliers = Multipliers {
    error: 3.6,
    latency: 1.32,
    cpu: 1.15,
    memory: 1.1,
    conversion: 0.96,
    complaint: 1.8,
    queue_depth: 1.4,
};

/// A service as the fleet starts it.
#[derive(Debug, Clone)]
pub(super) struct FleetService {
    pub(super) description: ServiceDescription,
    /// The canary's share at the start of the history, in percent.
    pub(super) share_percent: f64,
}

/// Returns the hash of the version that a population of a service runs; empty for a service that
/// there is none of, as a label that is not there.
pub fn template_hash(service: &str, track: Track) -> &'static str {
    SERVICES
        .iter()
        .zip(TEMPLATE_HASHES)
        .find(|(name, _)| **name == service)
        .map_or("", |(_, (stable, canary))| match track {
            Track::Stable => stable,
            Track::Canary => canary,
        })
}

/// Returns the services, in the order of [`SERVICES`].
pub(super) fn fleet_services() -> Vec<FleetService> {
    let profiles = [
        (CHECKOUT, 120_000.0, 0.0002, GOOD, 0.0),
        (PAYMENTS, 200_000.0, 0.000_15, BAD, 0.0),
        (CATALOG, 100_000.0, 0.0002, GOOD, STEADY_SHARE_PERCENT),
        (BILLING, 100_000.0, 0.000_15, BAD, STEADY_SHARE_PERCENT),
    ];
    profiles
        .into_iter()
        .enumerate()
        .filter_map(|(index, (name, rate, errors, canary, share_percent))| {
            Some(FleetService {
                description: ServiceDescription {
                    name: name.to_owned(),
                    network: format!("10.{index}"),
                    requests_per_second: rate,
                    daily_amplitude: 0.25,
                    // One in each region, on both sides: a stage can look at one region alone.
                    control_pods: 3,
                    canary_pods: 3,
                    error_probability: errors,
                    not_found_probability: 0.002,
                    latency: LatencyLaw::new(LATENCY.0, LATENCY.1)?,
                    cpu_cores: 0.35,
                    memory_bytes: 400.0 * MEBIBYTE,
                    conversion_probability: 0.03,
                    complaint_probability: 0.0001,
                    queue_depth: 12.0,
                    canary,
                },
                share_percent,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_there_with_pods_in_every_region() {
        let services = fleet_services();
        let names: Vec<&str> = services
            .iter()
            .map(|service| service.description.name.as_str())
            .collect();
        assert_eq!(names, SERVICES);
        for service in &services {
            assert!(service.description.control_pods >= 3);
            assert!(service.description.canary_pods >= 3);
        }
    }

    #[test]
    fn p99_lies_where_the_histogram_is_narrow() {
        let law = LatencyLaw::new(LATENCY.0, LATENCY.1).unwrap();
        assert!(law.cumulative_probability(0.12) < 0.99);
        assert!(law.cumulative_probability(0.13) > 0.99);
        let good = law.scaled(GOOD.latency).unwrap();
        assert!(good.cumulative_probability(0.12) < 0.99);
        assert!(good.cumulative_probability(0.13) > 0.99);
        let bad = law.scaled(BAD.latency).unwrap();
        assert!(bad.cumulative_probability(0.16) < 0.99);
        assert!(bad.cumulative_probability(0.18) > 0.99);
    }
}
