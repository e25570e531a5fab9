//! What a simulated service is like.

use super::latency::LatencyLaw;

/// The distance between two scrapes of a pod, in milliseconds.
pub const SCRAPE_INTERVAL_MS: i64 = 15_000;

/// What the canary's numbers are multiplied by. All 1: the same version.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multipliers {
    /// Of the error probability.
    pub error: f64,
    /// Of every latency.
    pub latency: f64,
    /// Of the CPU use.
    pub cpu: f64,
    /// Of the memory.
    pub memory: f64,
    /// Of the conversion probability.
    pub conversion: f64,
    /// Of the complaint probability.
    pub complaint: f64,
    /// Of the queue's depth.
    pub queue_depth: f64,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            error: 1.0,
            latency: 1.0,
            cpu: 1.0,
            memory: 1.0,
            conversion: 1.0,
            complaint: 1.0,
            queue_depth: 1.0,
        }
    }
}

/// What a service is like.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceDescription {
    /// Its name, the value of the labels `job` and `service`.
    pub name: String,
    /// The first two numbers of its pods' addresses, such as `10.0`.
    pub network: String,
    /// Requests per second of control and canary together, averaged over a day.
    pub requests_per_second: f64,
    /// How much of the traffic the daily cycle adds and takes away, 0 to 1.
    pub daily_amplitude: f64,
    /// Pods of the control.
    pub control_pods: usize,
    /// Pods of the canary, while it has traffic.
    pub canary_pods: usize,
    /// The chance of a request to fail with a 5xx.
    pub error_probability: f64,
    /// The chance of any other request to be answered with a 404.
    pub not_found_probability: f64,
    /// How long requests take.
    pub latency: LatencyLaw,
    /// CPU cores in use by a pod.
    pub cpu_cores: f64,
    /// Memory in use by a pod, in bytes.
    pub memory_bytes: f64,
    /// The chance of a request to become an order.
    pub conversion_probability: f64,
    /// The chance of a request to become a complaint.
    pub complaint_probability: f64,
    /// The mean depth of a pod's queue.
    pub queue_depth: f64,
    /// How the canary differs.
    pub canary: Multipliers,
}
