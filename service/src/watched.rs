//! Background tasks, which must not end: one that does is started again, and everybody can see it.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How long after its end a task is started again: one that ends at once must not keep a processor
/// busy, nor fill a log.
const STARTED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long a task that was started again has to run to be well.
const WELL_AFTER: Duration = Duration::from_secs(30);

/// A task that runs as long as the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum BackgroundTask {
    /// Takes connections.
    Connections,
    /// Judges the rollouts that are due.
    Worker,
    /// Looks for rollouts of other processes, and forgets old ones.
    Housekeeping,
    /// Forgets clients that are quiet.
    Tidying,
    /// Looks whether the clock jumps.
    Clock,
}

impl BackgroundTask {
    /// Its word in the log, in `/readyz` and as a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Worker => "worker",
            Self::Housekeeping => "housekeeping",
            Self::Tidying => "tidying",
            Self::Clock => "clock",
        }
    }

    /// What does not happen without it.
    const fn left_undone(self) -> &'static str {
        match self {
            Self::Connections => "no connection is taken",
            Self::Worker => "no rollout is judged but by polls",
            Self::Housekeeping => "nothing old is forgotten",
            Self::Tidying => "clients are remembered for longer than needed",
            Self::Clock => "a clock that jumps is not noticed",
        }
    }
}

/// When a task ended last, and how often.
#[derive(Debug, Clone, Copy)]
struct Ended {
    at: Instant,
    times: u64,
}

/// The tasks that run as long as the service, and how they are.
pub(crate) struct WatchedTasks {
    ended: Mutex<BTreeMap<BackgroundTask, Ended>>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for WatchedTasks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("WatchedTasks")
            .field("ended", &*self.ended())
            .finish_non_exhaustive()
    }
}

impl WatchedTasks {
    /// None yet.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            ended: Mutex::default(),
            metrics,
        }
    }

    /// Runs a task until it is stopped: whenever it ends or panics before, it is started again.
    pub(crate) async fn keep<Run>(
        &self,
        task: BackgroundTask,
        stop: &CancellationToken,
        mut start: impl FnMut() -> Run,
    ) where
        Run: Future<Output = ()>,
    {
        loop {
            // What a task that panics leaves half done, its next run finds: they share only what is
            // behind locks and in the store.
            let run = AssertUnwindSafe(async { start().await }).catch_unwind();
            let ended = run.await;
            if stop.is_cancelled() {
                return;
            }
            let why = match ended {
                Ok(()) => "it ended by itself".to_owned(),
                Err(panic) => format!("it panicked: {}", message_of(&*panic)),
            };
            self.note(task, &why);
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(STARTED_AGAIN_AFTER) => {}
            }
        }
    }

    fn note(&self, task: BackgroundTask, why: &str) {
        let name = task.name();
        self.metrics.task_restarted(name);
        tracing::error!(
            task.name = name,
            task.ended = why,
            "the background task {name} is started again: {why}"
        );
        let mut ended = self.ended();
        let times = ended.get(&task).map_or(1, |before| before.times + 1);
        let at = Instant::now();
        ended.insert(task, Ended { at, times });
    }

    /// What is wrong, for `/readyz`: nothing once every task has run well for a while.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem_at(Instant::now())
    }

    // Why it ended is in the log: here it would be open to everybody.
    fn problem_at(&self, now: Instant) -> Option<String> {
        let ended = self.ended();
        let failing = ended
            .iter()
            .filter(|(_, ended)| now.saturating_duration_since(ended.at) < WELL_AFTER);
        let told: Vec<String> = failing
            .map(|(task, ended)| {
                let times = match ended.times {
                    1 => "once".to_owned(),
                    times => format!("{times} times"),
                };
                let (name, left_undone) = (task.name(), task.left_undone());
                format!("{name} ended {times}, and meanwhile {left_undone}")
            })
            .collect();
        (!told.is_empty()).then(|| {
            let told = told.join("; ");
            format!("background tasks end and are started again: {told}; the log says why")
        })
    }

    fn ended(&self) -> MutexGuard<'_, BTreeMap<BackgroundTask, Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic says.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn watched() -> WatchedTasks {
        WatchedTasks::new(Arc::new(Metrics::new()))
    }

    /// A worker that panicked was gone for good, and nothing told.
    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_told_until_it_has_run_well() {
        let tasks = watched();
        assert_eq!(tasks.problem(), None);
        let stop = CancellationToken::new();
        let runs = AtomicUsize::new(0);
        let kept = tasks.keep(BackgroundTask::Worker, &stop, || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            let stop = stop.clone();
            async move {
                assert!(run > 0, "the first run fails");
                stop.cancel();
            }
        });
        tokio::time::timeout(Duration::from_secs(10), kept)
            .await
            .unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        let problem = tasks.problem().unwrap();
        assert!(
            problem.contains("worker ended once, and meanwhile no rollout is judged"),
            "{problem}"
        );
        assert_eq!(tasks.problem_at(Instant::now() + WELL_AFTER), None);
    }

    #[tokio::test]
    async fn a_task_that_ends_because_it_was_stopped_is_well() {
        let tasks = watched();
        let stop = CancellationToken::new();
        tasks
            .keep(BackgroundTask::Clock, &stop, || async { stop.cancel() })
            .await;
        assert_eq!(tasks.problem(), None);
    }

    #[test]
    fn a_panic_is_told_by_its_message() {
        let caught = std::panic::catch_unwind(|| panic!("on {}", "purpose")).unwrap_err();
        assert_eq!(message_of(&*caught), "on purpose");
        assert_eq!(message_of(&5), "no message");
    }
}
