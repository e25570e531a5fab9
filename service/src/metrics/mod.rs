//! What Serinus tells about itself, in the text format of OpenMetrics.
//!
//! The registry is a value: every server, and every test, has its own. Two kinds of figures: what
//! happened is counted where it happens ([`Metrics`]); what is, is read at the scrape
//! ([`Scrape`]), so that no copy of it can grow old.

mod labels;
mod process;
mod scrape;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use serinus_analysis::data::FaultCode;
use serinus_analysis::judge::{ReasonCode, Verdict};

use labels::{
    Jump, Query, Request, RequestTime, Source, StoreCall, StoreOperation, Task, VerdictLabel,
};
pub(crate) use scrape::{GateGauge, InFlightGauge, Scrape};

/// The media type of what [`Metrics::render`] writes.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds. A gate answers from memory; callers of an analysis give up at 10 s.
const REQUEST_BUCKETS: [f64; 14] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0,
];

/// Seconds. What a Prometheus takes, up to the longest time-out that can be configured.
const QUERY_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Seconds. A commit takes a fraction of a millisecond, on a tired disk seconds.
const STORE_BUCKETS: [f64; 11] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0,
];

/// Seconds behind the newest interval that could have been judged; a grid is often 30 s wide.
const LAG_BUCKETS: [f64; 9] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// How a query of a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskOutcome {
    /// With an answer of so many bytes, after decompression.
    Answered {
        /// Bytes of the body.
        bytes: u64,
    },
    /// With a fault.
    Failed(FaultCode),
    /// Whoever asked stopped waiting: mostly an analysis that ran out of its time.
    Abandoned,
}

/// Where a clock jumps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JumpDirection {
    /// To a later time.
    Ahead,
    /// To an earlier time.
    Back,
}

impl JumpDirection {
    const ALL: [Self; 2] = [Self::Ahead, Self::Back];

    /// The direction of a jump by so many milliseconds.
    pub(crate) const fn of(by_ms: i64) -> Self {
        if by_ms < 0 { Self::Back } else { Self::Ahead }
    }

    /// Its word in the log and as a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Back => "back",
        }
    }
}

/// What happened since the start. Its methods are cheap and may be called from anywhere.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Histograms<RequestTime>,
    verdicts: Family<VerdictLabel, Counter>,
    queries: Family<Query, Counter>,
    query_seconds: Histograms<Source>,
    query_bytes: Family<Source, Counter>,
    store_calls: Family<StoreCall, Counter>,
    store_seconds: Histograms<StoreOperation>,
    evaluation_lag: Histogram,
    clock_jumps: Family<Jump, Counter>,
    task_restarts: Family<Task, Counter>,
    judgement_panics: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Returns figures that start at nothing.
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("serinus");
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let build = [("version", env!("CARGO_PKG_VERSION")), ("profile", profile)];
        registry.register("build", "What runs here", Info::new(build.to_vec()));
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_BUCKETS)),
            verdicts: Family::default(),
            queries: Family::default(),
            query_seconds: Family::new_with_constructor(|| Histogram::new(QUERY_BUCKETS)),
            query_bytes: Family::default(),
            store_calls: Family::default(),
            store_seconds: Family::new_with_constructor(|| Histogram::new(STORE_BUCKETS)),
            evaluation_lag: Histogram::new(LAG_BUCKETS),
            clock_jumps: Family::default(),
            task_restarts: Family::default(),
            judgement_panics: Counter::default(),
            registry,
        };
        // From 0 on, so that the first one is an increase.
        for direction in JumpDirection::ALL.map(JumpDirection::name) {
            drop(metrics.clock_jumps.get_or_create(&Jump { direction }));
        }
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "http_requests",
            "Requests answered, by route template, method and status",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from the headers of a request to those of its answer",
            self.request_seconds.clone(),
        );
        registry.register(
            "verdicts",
            "Verdicts given by analyses and by evaluations of rollouts",
            self.verdicts.clone(),
        );
        registry.register(
            "source_queries",
            "Queries of a Prometheus, by how they ended: ok, a reason code, or abandoned",
            self.queries.clone(),
        );
        registry.register(
            "source_query_duration_seconds",
            "Time of a query of a Prometheus, its retries included",
            self.query_seconds.clone(),
        );
        registry.register(
            "source_answer_bytes",
            "Bytes read from a Prometheus, after decompression",
            self.query_bytes.clone(),
        );
        registry.register(
            "store_calls",
            "Calls of the store, by operation and by how they ended",
            self.store_calls.clone(),
        );
        registry.register(
            "store_call_duration_seconds",
            "Time of a call of the store",
            self.store_seconds.clone(),
        );
        registry.register(
            "evaluation_lag_seconds",
            "How far an evaluation was behind the newest interval that could be judged",
            self.evaluation_lag.clone(),
        );
        self.with_upkeep()
    }

    /// What is told of the service itself, where it had to help itself.
    fn with_upkeep(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "clock_jumps",
            "Jumps of this machine's clock by more than a minute, by direction: ahead or back",
            self.clock_jumps.clone(),
        );
        registry.register(
            "task_restarts",
            "Background tasks that ended or panicked and were started again",
            self.task_restarts.clone(),
        );
        registry.register(
            "judgement_panics",
            "Evaluations of rollouts that panicked, which is a mistake in Serinus",
            self.judgement_panics.clone(),
        );
        self
    }

    /// Counts a request. `route` is the template of the path, never the path itself.
    pub(crate) fn request(
        &self,
        route: &Arc<str>,
        method: &'static str,
        status: u16,
        took: Duration,
    ) {
        let request = Request {
            route: Arc::clone(route),
            method,
            status,
        };
        self.requests.get_or_create(&request).inc();
        let time = RequestTime {
            route: Arc::clone(route),
            method,
        };
        self.request_seconds
            .get_or_create(&time)
            .observe(took.as_secs_f64());
    }

    /// Counts a verdict that was given.
    pub(crate) fn verdict(&self, verdict: Verdict) {
        let verdict = verdict.name();
        self.verdicts.get_or_create(&VerdictLabel { verdict }).inc();
    }

    /// Counts a query of a source. `took` is its whole time, retries included.
    pub(crate) fn source_asked(&self, source: &str, took: Duration, outcome: AskOutcome) {
        let label = Source {
            source: source.to_owned(),
        };
        self.query_seconds
            .get_or_create(&label)
            .observe(took.as_secs_f64());
        let outcome = match outcome {
            AskOutcome::Answered { bytes } => {
                self.query_bytes.get_or_create(&label).inc_by(bytes);
                "ok"
            }
            AskOutcome::Failed(code) => ReasonCode::from(code).token(),
            AskOutcome::Abandoned => "abandoned",
        };
        let query = Query {
            source: label.source,
            outcome,
        };
        self.queries.get_or_create(&query).inc();
    }

    /// Counts a call of the store. `operation` is one of a fixed few.
    pub(crate) fn store_took(&self, operation: &'static str, took: Duration, is_ok: bool) {
        let outcome = if is_ok { "ok" } else { "failed" };
        self.store_calls
            .get_or_create(&StoreCall { operation, outcome })
            .inc();
        self.store_seconds
            .get_or_create(&StoreOperation { operation })
            .observe(took.as_secs_f64());
    }

    /// Notes how far an evaluation was behind the newest interval that could be judged.
    pub(crate) fn evaluation_lag(&self, behind: Duration) {
        self.evaluation_lag.observe(behind.as_secs_f64());
    }

    /// Counts a jump of the clock.
    pub(crate) fn clock_jumped(&self, direction: JumpDirection) {
        let direction = direction.name();
        self.clock_jumps.get_or_create(&Jump { direction }).inc();
    }

    /// Counts a background task that is started again, one of a fixed few.
    pub(crate) fn task_restarted(&self, task: &'static str) {
        self.task_restarts.get_or_create(&Task { task }).inc();
    }

    /// Counts an evaluation that panicked.
    pub(crate) fn judgement_panicked(&self) {
        self.judgement_panics.inc();
    }

    /// Writes everything down: what was counted, and what is.
    ///
    /// # Errors
    ///
    /// A figure cannot be written, which would be a mistake in this module.
    pub(crate) fn render(&self, scrape: &Scrape) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &scrape.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
