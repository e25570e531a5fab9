//! What a simulated pod is to do.

use std::time::Duration;

use super::{AGAIN_JOB, JOB, POD_NAME_JOB};

/// How a scrape fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Miss {
    /// Status 500.
    ServerError,
    /// The connection breaks in the middle of the answer.
    ConnectionCut,
}

/// How a process tells when it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ToldStart {
    /// By `process_start_time_seconds`.
    ProcessStart,
    /// By a `_created` series beside each counter, as `OpenMetrics` has them, and by nothing else.
    Created,
    /// Not at all.
    Untold,
}

/// Who scrapes a pod, and which labels tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Monitors {
    /// One job; `instance` and `pod`.
    One,
    /// Two jobs, as where two monitors select the same pods: every series is there twice, and only
    /// `job` tells the copies apart.
    Two,
    /// One job that drops `instance`; `k8s_pod_name` alone, as of what a collector passes on.
    WithoutInstance,
}

impl Monitors {
    /// The jobs that scrape such a pod.
    pub(super) fn jobs(self) -> &'static [&'static str] {
        match self {
            Self::One => &[JOB],
            Self::Two => &[JOB, AGAIN_JOB],
            Self::WithoutInstance => &[POD_NAME_JOB],
        }
    }

    /// The label that has the pod's name.
    pub(super) fn name_label(self) -> &'static str {
        match self {
            Self::One | Self::Two => "pod",
            Self::WithoutInstance => "k8s_pod_name",
        }
    }
}

/// Which series the histogram of latencies has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistogramSeries {
    /// Those of the whole process.
    OfProcess,
    /// Those of each status code, which are forgotten with it.
    ByCode,
}

/// How a pod behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct PodPlan {
    /// The `track` label: `stable`, `canary`.
    pub track: String,
    /// The least and the most requests of a second.
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
    /// How a process tells when it was started.
    pub told_start: ToldStart,
    /// Who scrapes it.
    pub monitors: Monitors,
    /// The series of its histogram.
    pub histogram: HistogramSeries,
    /// How long ago the first process says that it was started. Later ones start when they do.
    pub age: Duration,
    /// How many requests the first process counted before.
    pub requests_before: u64,
    /// Whether a new process has counted as much as the one before when it is scraped first: no
    /// value falls, and only the told start shows the restart.
    pub restart_is_overtaken: bool,
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
            told_start: ToldStart::ProcessStart,
            monitors: Monitors::One,
            histogram: HistogramSeries::OfProcess,
            age: Duration::ZERO,
            requests_before: 0,
            restart_is_overtaken: false,
        }
    }
}
