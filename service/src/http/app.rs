//! What the handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::Engine;
use crate::pipelines::Folder;
use crate::rollouts::{Rollouts, new_id};

/// What a client may ask of the server. All have defaults.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest accepted body, in bytes.
    pub body_bytes: usize,
    /// Longest time that a body may take to arrive.
    pub body_time: Duration,
    /// Longest time that an analysis may take, waiting for its turn included. Callers of a gate
    /// give up at 10 s and read that as an error; what is not ready by then is a `hold`.
    pub analysis_time: Duration,
    /// Most analyses that run at the same time. More wait for their turn.
    pub concurrent_analyses: usize,
    /// Longest time that a gate waits for the first judgement of a stage.
    pub gate_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_time: Duration::from_secs(10),
            // Half a second less than the 8 s promised, to write the answer.
            analysis_time: Duration::from_millis(7_500),
            concurrent_analyses: 64,
            gate_wait: Duration::from_millis(1_800),
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    engine: Arc<Engine>,
    pipelines: Arc<Folder>,
    rollouts: Arc<Rollouts>,
    limits: Limits,
    public_url: Option<String>,
    analysis_turns: Semaphore,
    is_draining: AtomicBool,
}

impl App {
    /// Returns the shared part of a server.
    pub fn new(
        engine: Arc<Engine>,
        pipelines: Arc<Folder>,
        rollouts: Arc<Rollouts>,
        limits: Limits,
        public_url: Option<String>,
    ) -> Self {
        Self {
            engine,
            pipelines,
            rollouts,
            analysis_turns: Semaphore::new(limits.concurrent_analyses.max(1)),
            limits,
            public_url,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Makes the analyses.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The pipelines known by name.
    pub fn pipelines(&self) -> &Arc<Folder> {
        &self.pipelines
    }

    /// The rollouts.
    pub fn rollouts(&self) -> &Arc<Rollouts> {
        &self.rollouts
    }

    /// What a client may ask.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where clients reach the server, when it is not where it listens.
    pub fn public_url(&self) -> Option<&str> {
        self.public_url.as_deref()
    }

    /// The turns of the analyses.
    pub(super) fn analysis_turns(&self) -> &Semaphore {
        &self.analysis_turns
    }

    /// Says that the server is about to stop: `/readyz` answers 503 from now on.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns a new id for a request: a UUID of version 7, which sorts by time.
    pub(super) fn new_request_id(&self) -> String {
        new_id(self.engine.clock().now_ms()).to_string()
    }
}
