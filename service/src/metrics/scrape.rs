//! What is, at the time of a scrape.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use serinus_analysis::judge::Verdict;

use super::labels::{Check, Class, Gate};
use super::process::ProcessFigures;

type FloatGauge = Gauge<f64, AtomicU64>;

/// The verdict of one rollout at its stage, for gates that read Prometheus.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GateGauge {
    /// The pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// The caller's key of the rollout.
    pub key: String,
    /// What a gate would answer: `promote` under a dry run.
    pub verdict: Verdict,
    /// When it was last computed, in seconds since 1970.
    pub evaluated_at_seconds: f64,
}

/// How many requests of one class are being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlightGauge {
    /// The class: `gate` or `other`.
    pub class: &'static str,
    /// How many.
    pub requests: usize,
}

/// What is, at the time of a scrape.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scrape {
    /// Whether `/readyz` says ready.
    pub is_ready: bool,
    /// The checks of `/readyz` by name, and whether each is well.
    pub checks: Vec<(String, bool)>,
    /// Requests being answered.
    pub in_flight: Vec<InFlightGauge>,
    /// Bytes of memory that answers of sources take.
    pub answer_memory_bytes: u64,
    /// Pipelines known.
    pub pipelines: usize,
    /// Open rollouts, and those closed within the last hour.
    pub gates: Vec<GateGauge>,
}

impl Scrape {
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let serinus = registry.sub_registry_with_prefix("serinus");
        serinus.register(
            "ready",
            "1 when /readyz says ready",
            ConstGauge::new(i64::from(self.is_ready)),
        );
        let checks = Family::<Check, Gauge>::default();
        for (check, is_ok) in &self.checks {
            checks
                .get_or_create(&Check {
                    check: check.clone(),
                })
                .set(i64::from(*is_ok));
        }
        serinus.register(
            "ready_check",
            "1 for each check of /readyz that is well",
            checks,
        );
        let in_flight = Family::<Class, Gauge>::default();
        for gauge in &self.in_flight {
            let class = gauge.class;
            in_flight
                .get_or_create(&Class { class })
                .set(as_i64(gauge.requests));
        }
        serinus.register(
            "http_requests_in_flight",
            "Requests being answered",
            in_flight,
        );
        serinus.register(
            "answer_memory_bytes",
            "Memory that answers of sources take",
            ConstGauge::new(i64::try_from(self.answer_memory_bytes).unwrap_or(i64::MAX)),
        );
        serinus.register(
            "pipelines",
            "Pipelines known",
            ConstGauge::new(as_i64(self.pipelines)),
        );
        self.register_gates(serinus);
        if let Some(figures) = ProcessFigures::read() {
            register_process(&mut registry, &figures);
        }
        registry
    }

    fn register_gates(&self, registry: &mut Registry) {
        let verdicts = Family::<Gate, Gauge>::default();
        let evaluated = Family::<Gate, FloatGauge>::default();
        for gauge in &self.gates {
            let gate = Gate {
                pipeline: gauge.pipeline.clone(),
                stage: gauge.stage.clone(),
                key: gauge.key.clone(),
            };
            let value = match gauge.verdict {
                Verdict::Promote => 1,
                Verdict::Hold => 0,
                Verdict::Rollback => -1,
            };
            verdicts.get_or_create(&gate).set(value);
            evaluated
                .get_or_create(&gate)
                .set(gauge.evaluated_at_seconds);
        }
        registry.register("verdict", "1 promote, 0 hold, -1 rollback", verdicts);
        registry.register(
            "evaluated_timestamp_seconds",
            "When the verdict was last computed",
            evaluated,
        );
    }
}

/// The names are those that every client library of Prometheus uses.
fn register_process(registry: &mut Registry, figures: &ProcessFigures) {
    registry.register(
        "process_resident_memory_bytes",
        "Resident memory",
        ConstGauge::new(figures.resident_bytes),
    );
    registry.register(
        "process_cpu_seconds",
        "Time on the processor, user and system",
        ConstCounter::new(figures.cpu_seconds),
    );
    registry.register(
        "process_threads",
        "Threads of the operating system",
        ConstGauge::new(figures.threads),
    );
    if let Some(open) = figures.open_files {
        registry.register(
            "process_open_fds",
            "Open file descriptors",
            ConstGauge::new(open),
        );
    }
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
