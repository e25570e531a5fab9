//! What the handlers share.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::admission::Admission;
use super::checks::{CheckFunction, RegisteredCheck};
use super::limits::Limits;
use super::streams::Streams;
use crate::access::Access;
use crate::engine::Engine;
use crate::host::KnownHosts;
use crate::metrics::Metrics;
use crate::pipelines::{Catalogue, Folder};
use crate::rollouts::Rollouts;
use crate::watched::WatchedTasks;

/// How often what need not be remembered is forgotten.
const TIDY_INTERVAL: Duration = Duration::from_mins(1);

/// What the handlers share.
pub(crate) struct App {
    engine: Arc<Engine>,
    pipelines: Catalogue,
    rollouts: Arc<Rollouts>,
    limits: Limits,
    public_url: Option<String>,
    analysis_turns: Semaphore,
    is_draining: AtomicBool,
    access: Access,
    hosts: KnownHosts,
    admission: Admission,
    streams: Streams,
    metrics: Arc<Metrics>,
    checks: Vec<RegisteredCheck>,
    tasks: WatchedTasks,
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("App")
            .field("engine", &self.engine)
            .field("limits", &self.limits)
            .field("public_url", &self.public_url)
            .field("is_draining", &self.is_draining)
            .field("access", &self.access)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Returns the shared part of a server that everybody may ask, with figures of its own.
    pub(crate) fn new(
        engine: Arc<Engine>,
        folder: Arc<Folder>,
        rollouts: Arc<Rollouts>,
        limits: Limits,
        public_url: Option<String>,
    ) -> Self {
        let metrics = Arc::new(Metrics::new());
        Self {
            engine,
            pipelines: Catalogue::new(folder, rollouts.store().clone(), rollouts.is_store_shared()),
            rollouts,
            admission: Admission::new(&limits),
            streams: Streams::default(),
            analysis_turns: Semaphore::new(limits.concurrent_analyses.max(1)),
            limits,
            public_url,
            is_draining: AtomicBool::new(false),
            access: Access::Everybody,
            hosts: KnownHosts::default(),
            tasks: WatchedTasks::new(Arc::clone(&metrics)),
            metrics,
            checks: Vec::new(),
        }
    }

    /// Says who may ask.
    #[must_use]
    pub(crate) fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Says by which hosts everybody may ask, where no tokens are needed.
    #[must_use]
    pub(crate) fn with_hosts(mut self, hosts: KnownHosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Counts into these figures, which others count into as well.
    #[must_use]
    pub(crate) fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.tasks = WatchedTasks::new(Arc::clone(&metrics));
        self.metrics = metrics;
        self
    }

    /// Adds a check to `/readyz`. Where it is required and not well, `/readyz` answers 503.
    #[must_use]
    pub(crate) fn with_check(
        mut self,
        name: &'static str,
        is_required: bool,
        ask: CheckFunction,
    ) -> Self {
        self.checks
            .push(RegisteredCheck::new(name, is_required, ask));
        self
    }

    /// Who may ask.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The hosts by which everybody may ask.
    pub(super) fn hosts(&self) -> &KnownHosts {
        &self.hosts
    }

    /// What happened.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// How much may be asked.
    pub(super) fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The event streams.
    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// The checks that others added to `/readyz`.
    pub(super) fn checks(&self) -> &[RegisteredCheck] {
        &self.checks
    }

    /// The tasks that run as long as the service.
    pub(crate) fn tasks(&self) -> &WatchedTasks {
        &self.tasks
    }

    /// Forgets now and then what need not be remembered.
    pub(crate) async fn keep_tidy(&self) {
        loop {
            tokio::time::sleep(TIDY_INTERVAL).await;
            self.admission.forget_the_quiet();
        }
    }

    /// Makes the analyses.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The pipelines known by name.
    pub(crate) fn pipelines(&self) -> &Catalogue {
        &self.pipelines
    }

    /// The rollouts.
    pub(crate) fn rollouts(&self) -> &Arc<Rollouts> {
        &self.rollouts
    }

    /// What a client may ask.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where clients reach the server, when it is not where it listens.
    pub(crate) fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref()
    }

    /// The turns of the analyses.
    pub(super) fn analysis_turns(&self) -> &Semaphore {
        &self.analysis_turns
    }

    /// Says that the server is about to stop: `/readyz` answers 503 from now on.
    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns a new id for a request: a UUID of version 7, which sorts by time.
    ///
    /// It only has to be another one for every request, so its bits come from the hasher's keys,
    /// which are drawn once for each thread and then counted on: asking the system for some would
    /// cost a tenth of what a gate does.
    pub(super) fn new_request_id(&self) -> String {
        let now_ms = u64::try_from(self.engine.clock().now_ms()).unwrap_or(0);
        let drawn = [(); 2].map(|()| RandomState::new().hash_one(now_ms).to_le_bytes());
        let mut bits = [0; 10];
        for (bit, drawn) in bits.iter_mut().zip(drawn.as_flattened()) {
            *bit = *drawn;
        }
        let id = uuid::Builder::from_unix_timestamp_millis(now_ms, &bits);
        id.into_uuid().to_string()
    }
}
