//! Counting a query, whatever becomes of it, and telling what it says of its source.

use std::sync::Arc;

use tokio::time::Instant;

use super::SourceFault;
use super::health::Health;
use crate::metrics::{AskOutcome, Metrics};

/// A query that is being asked. Where nobody waits for its end any more, it is dropped with its
/// future, and counted as abandoned.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    source: &'a str,
    health: &'a Health,
    metrics: Option<&'a Arc<Metrics>>,
    started_at: Instant,
    outcome: AskOutcome,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        source: &'a str,
        health: &'a Health,
        metrics: Option<&'a Arc<Metrics>>,
    ) -> Self {
        Self {
            source,
            health,
            metrics,
            started_at: Instant::now(),
            outcome: AskOutcome::Abandoned,
        }
    }

    /// The query has ended so; of what was answered `bytes` says how long its body was.
    pub(super) fn ended<T>(
        mut self,
        result: Result<T, SourceFault>,
        bytes: impl FnOnce(&T) -> u64,
    ) -> Result<T, SourceFault> {
        self.outcome = match &result {
            Ok(answer) => AskOutcome::Answered {
                bytes: bytes(answer),
            },
            Err(fault) => AskOutcome::Failed(fault.code),
        };
        self.health.note(self.source, result.as_ref().err());
        result
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if self.outcome == AskOutcome::Abandoned {
            self.health
                .note_abandoned(self.source, self.started_at.elapsed());
        }
        if let Some(metrics) = self.metrics {
            metrics.source_asked(self.source, self.started_at.elapsed(), self.outcome);
        }
    }
}
