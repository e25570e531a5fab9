//! What a simulated pod is to do.

/// How a pod behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PodPlan {
    /// The `track` label: `stable`, `canary`.
    pub track: String,
    /// The least and the most requests counted from one scrape to the next.
    pub requests_per_second: (u32, u32),
    /// The share of requests that fail.
    pub error_rate: f64,
    /// The mean of the exponentially distributed latency, in seconds.
    pub mean_latency_seconds: f64,
    /// Whether the very first scrape shows an error already: the first error of the process is
    /// the first sample of its series.
    pub error_before_first_scrape: bool,
    /// Whether Prometheus is told of the pod from the start.
    pub is_listed: bool,
}

impl PodPlan {
    /// Returns a healthy pod of that track: 10 to 30 requests a second, 1 % errors, 20 ms.
    pub fn healthy(track: &str) -> Self {
        Self {
            track: track.to_owned(),
            requests_per_second: (10, 30),
            error_rate: 0.01,
            mean_latency_seconds: 0.02,
            error_before_first_scrape: false,
            is_listed: true,
        }
    }
}
