//! What a simulated process counts, and the series in which it shows it.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Value, seconds};
use super::plan::{HistogramSeries, PodPlan, ToldStart};

/// The upper bounds of the latency histogram in seconds; the last, infinite one is implied.
const LATENCY_BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The bound in seconds up to which a request is fast. One of [`LATENCY_BOUNDS`].
pub(super) const FAST_BOUND: f64 = 0.05;

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

/// What a process has counted since it was started, whether or not its series still show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// All requests.
    pub(super) requests: u64,
    /// Those with a 5xx answer.
    pub(super) errors: u64,
    /// Those that took at most [`FAST_BOUND`].
    pub(super) fast: u64,
}

/// The requests of one status code.
#[derive(Debug, Clone, PartialEq, Default)]
struct OfCode {
    count: u64,
    latency_buckets: [u64; LATENCY_BOUNDS.len()],
    latency_seconds: f64,
    /// When the first was counted.
    created_ms: i64,
}

impl OfCode {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.latency_seconds += other.latency_seconds;
        for (mine, others) in self.latency_buckets.iter_mut().zip(other.latency_buckets) {
            *mine += others;
        }
    }

    fn fast(&self) -> u64 {
        let index = LATENCY_BOUNDS.partition_point(|bound| *bound < FAST_BOUND);
        self.latency_buckets.get(index).copied().unwrap_or_default()
    }
}

/// The counters of one process; a new process has new ones.
#[derive(Debug, Default)]
pub(super) struct Counters {
    created_ms: i64,
    by_code: BTreeMap<u16, OfCode>,
    /// Errors whose series are shown no more.
    forgotten: OfCode,
}

impl Counters {
    /// The counters of a process that starts then.
    pub(super) fn new(created_ms: i64) -> Self {
        Self {
            created_ms,
            ..Self::default()
        }
    }

    /// The counters of a process that starts then, and has counted as much as another since.
    pub(super) fn overtaking(other: &Self, created_ms: i64) -> Self {
        let mut counters = Self::new(created_ms);
        counters.by_code.clone_from(&other.by_code);
        for of_code in counters.by_code.values_mut() {
            of_code.created_ms = created_ms;
        }
        counters
    }

    /// Counts requests. A status code's series is there from its first request on, never before,
    /// as with the client libraries.
    pub(super) fn serve(&mut self, count: u64, at_ms: i64, plan: &PodPlan, random: &mut Random) {
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
            self.count_one(code, latency_seconds(plan, random), at_ms);
        }
    }

    /// Counts one error.
    pub(super) fn count_error(&mut self, at_ms: i64) {
        self.count_one(500, 0.02, at_ms);
    }

    fn count_one(&mut self, code: u16, latency_seconds: f64, at_ms: i64) {
        let of_code = self.by_code.entry(code).or_insert_with(|| OfCode {
            created_ms: at_ms,
            ..OfCode::default()
        });
        of_code.count += 1;
        of_code.latency_seconds += latency_seconds;
        for (bound, bucket) in LATENCY_BOUNDS.iter().zip(&mut of_code.latency_buckets) {
            *bucket += u64::from(latency_seconds <= *bound);
        }
    }

    /// Shows the series of errors from a code on no more; the next error begins them anew.
    pub(super) fn forget_errors(&mut self, from_code: u16) {
        for of_code in self.by_code.split_off(&from_code.max(500)).values() {
            self.forgotten.add(of_code);
        }
    }

    /// Whether the series of 503 is shown.
    pub(super) fn shows_503(&self) -> bool {
        self.by_code.contains_key(&503)
    }

    /// What was counted.
    pub(super) fn counts(&self) -> Counts {
        let errors = self.by_code.range(500..).map(|(_, of_code)| of_code.count);
        let all = self.all();
        Counts {
            requests: all.count,
            errors: errors.sum::<u64>() + self.forgotten.count,
            fast: all.fast(),
        }
    }

    /// All requests of the process.
    fn all(&self) -> OfCode {
        let mut all = OfCode {
            created_ms: self.created_ms,
            ..self.forgotten.clone()
        };
        for of_code in self.by_code.values() {
            all.add(of_code);
        }
        all
    }

    /// All series but those that tell when the process was started and which scrape it is.
    pub(super) fn exposition(&self, plan: &PodPlan) -> Exposition {
        let tells_created = plan.told_start == ToldStart::Created;
        let mut shown = Exposition::default();
        shown.family("http_requests_total", "counter");
        for (code, of_code) in &self.by_code {
            let labels = [("code", &*code.to_string())];
            shown.series(
                "http_requests_total",
                &labels,
                Value::Counter(of_code.count),
            );
        }
        if tells_created {
            shown.family("http_requests_created", "gauge");
            for (code, of_code) in &self.by_code {
                let labels = [("code", &*code.to_string())];
                shown.series(
                    "http_requests_created",
                    &labels,
                    seconds(of_code.created_ms),
                );
            }
        }
        let histograms: Vec<(Option<String>, OfCode)> = match plan.histogram {
            HistogramSeries::OfProcess => vec![(None, self.all())],
            HistogramSeries::ByCode => self
                .by_code
                .iter()
                .map(|(code, of_code)| (Some(code.to_string()), of_code.clone()))
                .collect(),
        };
        shown.family("http_request_duration_seconds", "histogram");
        for (code, histogram) in &histograms {
            show_histogram(&mut shown, code.as_deref(), histogram);
        }
        if tells_created {
            let name = "http_request_duration_seconds_created";
            shown.family(name, "gauge");
            for (code, histogram) in &histograms {
                let labels: Vec<_> = code.iter().map(|code| ("code", &**code)).collect();
                shown.series(name, &labels, seconds(histogram.created_ms));
            }
        }
        shown
    }
}

fn show_histogram(shown: &mut Exposition, code: Option<&str>, histogram: &OfCode) {
    let labels: Vec<_> = code.iter().map(|code| ("code", *code)).collect();
    let bounds = LATENCY_BOUNDS.iter().map(ToString::to_string);
    let bounds = bounds.chain(["+Inf".to_owned()]);
    let counts = histogram.latency_buckets.iter().copied();
    for (bound, count) in bounds.zip(counts.chain([histogram.count])) {
        let with_bound = [&labels[..], &[("le", &*bound)]].concat();
        let name = "http_request_duration_seconds_bucket";
        shown.series(name, &with_bound, Value::Counter(count));
    }
    shown.series(
        "http_request_duration_seconds_sum",
        &labels,
        Value::Other(histogram.latency_seconds.to_string()),
    );
    shown.series(
        "http_request_duration_seconds_count",
        &labels,
        Value::Counter(histogram.count),
    );
}

/// A latency from an exponential distribution with the plan's mean.
fn latency_seconds(plan: &PodPlan, random: &mut Random) -> f64 {
    -plan.mean_latency_seconds * (1.0 - random.unit()).ln()
}

/// A number of requests between the least and the most of a second, for that long. `carried` is the
/// part of a request that is left over.
pub(super) fn requests_within(
    milliseconds: i64,
    plan: &PodPlan,
    carried: &mut f64,
    random: &mut Random,
) -> u64 {
    let (least, most) = plan.requests_per_second;
    let spread = f64::from(most.saturating_sub(least));
    let a_second = f64::from(least) + spread * random.unit();
    let expected = *carried + a_second * milliseconds.max(0) as f64 / 1_000.0;
    *carried = expected.fract();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and far below 2^53"
    )]
    let count = expected.trunc() as u64;
    count
}
