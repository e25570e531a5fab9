//! What a simulated process counts, and how it writes it for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::plan::PodPlan;

/// The upper bounds of the latency histogram in seconds; the last, infinite one is implied.
const LATENCY_BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Random numbers from a seed: `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014), chosen because it is ten lines.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The counters of one process; a new process has new ones.
#[derive(Debug, Default)]
pub(super) struct Counters {
    by_code: BTreeMap<u16, u64>,
    latency_buckets: [u64; LATENCY_BOUNDS.len()],
    latency_seconds: f64,
}

impl Counters {
    /// Counts the requests of about one second. A status code's series is there from its first
    /// request on, never before, as with the client libraries.
    pub(super) fn serve_requests(&mut self, plan: &PodPlan, random: &mut Random) {
        let (least, most) = plan.requests_per_second;
        let spread = u64::from(most.saturating_sub(least)) + 1;
        let count = u64::from(least) + random.next() % spread;
        for _ in 0..count {
            let drawn = random.unit();
            let code = if drawn < plan.error_rate / 2.0 {
                500
            } else if drawn < plan.error_rate {
                503
            } else if drawn > 0.98 {
                404
            } else {
                200
            };
            self.count_one(code, latency_seconds(plan, random));
        }
    }

    /// Counts one error.
    pub(super) fn count_error(&mut self) {
        self.count_one(500, 0.02);
    }

    fn count_one(&mut self, code: u16, seconds: f64) {
        *self.by_code.entry(code).or_default() += 1;
        self.latency_seconds += seconds;
        for (bound, bucket) in LATENCY_BOUNDS.iter().zip(&mut self.latency_buckets) {
            *bucket += u64::from(seconds <= *bound);
        }
    }

    /// All requests.
    pub(super) fn requests(&self) -> u64 {
        self.by_code.values().sum()
    }

    /// The requests with a 5xx answer.
    pub(super) fn errors(&self) -> u64 {
        self.by_code
            .iter()
            .filter(|(code, _)| **code >= 500)
            .map(|(_, count)| count)
            .sum()
    }

    /// The text exposition format.
    pub(super) fn exposition(&self, process_start_ms: i64, scrape: u64) -> String {
        let mut text = String::from("# TYPE http_requests_total counter\n");
        // Writing to a string cannot fail.
        for (code, count) in &self.by_code {
            let _ = writeln!(text, "http_requests_total{{code=\"{code}\"}} {count}");
        }
        text.push_str("# TYPE http_request_duration_seconds histogram\n");
        for (bound, count) in LATENCY_BOUNDS.iter().zip(&self.latency_buckets) {
            let _ = writeln!(
                text,
                "http_request_duration_seconds_bucket{{le=\"{bound}\"}} {count}"
            );
        }
        let all = self.requests();
        let _ = write!(
            text,
            "http_request_duration_seconds_bucket{{le=\"+Inf\"}} {all}\n\
             http_request_duration_seconds_sum {}\n\
             http_request_duration_seconds_count {all}\n\
             # TYPE process_start_time_seconds gauge\n\
             process_start_time_seconds {}.{:03}\n\
             # TYPE truth_scrape gauge\n\
             truth_scrape {scrape}\n",
            self.latency_seconds,
            process_start_ms.div_euclid(1_000),
            process_start_ms.rem_euclid(1_000),
        );
        text
    }
}

/// A latency from an exponential distribution with the plan's mean.
fn latency_seconds(plan: &PodPlan, random: &mut Random) -> f64 {
    -plan.mean_latency_seconds * (1.0 - random.unit()).ln()
}
