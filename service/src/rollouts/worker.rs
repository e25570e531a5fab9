//! The worker: judges open rollouts on the grid, whether or not anyone polls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{RolloutError, Rollouts};
use crate::store::{Retention, RolloutState};
use crate::time::SteadyMillis;

/// How often the worker looks what is due. Short, so that few become due at once: judging many at
/// the same time keeps polls waiting.
const TICK: Duration = Duration::from_millis(50);

/// How often it looks for rollouts that another process has started, and forgets old ones.
const SWEEP: Duration = Duration::from_secs(30);

/// How often the store is told to forget what is older than it keeps.
const PRUNE: Duration = Duration::from_hours(1);

/// What is kept. What is forgotten is forgotten for ever: by a clock that may be far ahead, nothing
/// is too old.
fn kept(retention: Retention, may_go_by_age: bool) -> Retention {
    Retention {
        closed_for_ms: if may_go_by_age {
            retention.closed_for_ms
        } else {
            i64::MAX
        },
        ..retention
    }
}

impl Rollouts {
    /// Reads the open rollouts, so that they are judged. Called once at the start.
    ///
    /// # Errors
    ///
    /// [`RolloutError`] when the store cannot be read.
    pub(crate) async fn resume(&self) -> Result<usize, RolloutError> {
        let stored = self.store.open_rollouts().await?;
        let mut count = 0;
        for one in &stored {
            match self.memory.adopt(one) {
                Ok(_live) => count += 1,
                // One that cannot be read must not stop the others.
                Err(error) => tracing::error!(rollout.id = %one.id, error = %error, "{error}"),
            }
        }
        Ok(count)
    }

    /// Judges what is due until it is told to stop, then finishes what runs.
    pub(crate) async fn work(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            self.judge_what_is_due();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Looks for rollouts of other processes and forgets old ones until it is told to stop.
    pub(crate) async fn keep_house(self: Arc<Self>, retention: Retention, stop: CancellationToken) {
        let mut pruned_at: Option<Instant> = None;
        let mut went_by_age = false;
        loop {
            let may_go_by_age = self.engine.clock().is_confirmed();
            let is_due = pruned_at.is_none_or(|at| at.elapsed() >= PRUNE);
            if is_due || (may_go_by_age && !went_by_age) {
                pruned_at = Some(Instant::now());
                went_by_age = may_go_by_age;
                self.prune(&kept(retention, may_go_by_age)).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(SWEEP) => {}
            }
            self.sweep().await;
        }
    }

    fn judge_what_is_due(self: &Arc<Self>) {
        let now = self.engine.clock().steady();
        for live in self.memory.all() {
            let is_due = live.due() <= now;
            if is_due
                && !live.is_judging.load(Ordering::Relaxed)
                && live.present().state == RolloutState::Open
            {
                // Not again before this judgement is over and says when.
                live.judge_at(SteadyMillis::LATEST);
                self.begin_judging(&live);
            }
        }
    }

    async fn sweep(&self) {
        self.memory.forget_too_many();
        if self.settings.is_store_shared
            && let Err(error) = self.resume().await
        {
            tracing::warn!(error = %error, "cannot look for rollouts of other processes: {error}");
        }
    }

    async fn prune(&self, retention: &Retention) {
        let now = self.now();
        match self.store.prune(retention, now).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "forgot {count} rollouts that were over long ago"),
            Err(error) => tracing::warn!(error = %error, "cannot forget old rollouts: {error}"),
        }
        // What the store no longer knows must not be told from memory. What it forgets by number is
        // older than all that is kept here.
        self.memory
            .forget_over_since(now.minus(retention.closed_for_ms.max(0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_confirmed_makes_nothing_too_old() {
        let retention = Retention {
            closed_for_ms: 90,
            most_closed: 5,
        };
        assert_eq!(kept(retention, true), retention);
        let doubtful = kept(retention, false);
        assert_eq!(
            (doubtful.closed_for_ms, doubtful.most_closed),
            (i64::MAX, 5)
        );
    }
}
