//! The one composition root: `serve`, the demo and the tests start the same service, with other
//! arguments; the commands that ask once take its engine alone.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serinus_openapi::analysis::timestamp;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Access;
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::clock_watch;
use crate::config::{ConfigError, LogArguments, LogFormat, SourceArguments, load_sources};
use crate::engine::Engine;
use crate::host::KnownHosts;
use crate::http::server::{self, ServerLimits, Stop};
use crate::http::{App, CheckFunction, Limits, Unwell, router};
use crate::metrics::Metrics;
use crate::pipelines::Folder;
use crate::prometheus::{Room, Sources, install_crypto_provider};
use crate::rollouts::{self, RolloutError, Rollouts};
use crate::store::{Retention, RolloutId, Store, StoreError, StoreLoss, StoreUrl, Use};
use crate::telemetry::{self, TelemetryError};
use crate::time::UnixMillis;
use crate::watched::BackgroundTask;

/// How long judgements that run are given to end.
const WORKER_GRACE: Duration = Duration::from_secs(5);

/// Everything that a service is put together from.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What tells the time to everything in it.
    pub(crate) clock: SharedClock,
    /// Where data comes from.
    pub(crate) sources: Sources,
    /// The pipelines of the folder.
    pub(crate) pipelines: Folder,
    /// Where rollouts are remembered.
    pub(crate) store: StoreUrl,
    /// Whether other processes use the same store.
    pub(crate) is_store_shared: bool,
    /// What is kept of rollouts that are over.
    pub(crate) retention: Retention,
    /// The ids of the first rollouts.
    pub(crate) first_ids: Vec<RolloutId>,
    /// Who may ask.
    pub(crate) access: Access,
    /// The hosts by which everybody may ask, where no tokens are needed.
    pub(crate) hosts: KnownHosts,
    /// What may be asked.
    pub(crate) limits: Limits,
    /// The room for the answers of all sources together.
    pub(crate) room: Arc<Room>,
    /// Where clients reach the service, when it is not where it listens.
    pub(crate) public_url: Option<String>,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(StoreError),
    /// What the store holds of rollouts cannot be read.
    #[error(transparent)]
    Rollouts(RolloutError),
    /// What the store holds of pipelines cannot be read.
    #[error(transparent)]
    Pipelines(StoreError),
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}; choose another address with --listen")]
pub(crate) struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

impl ListenError {
    /// Whether somebody else listens there.
    pub(crate) fn is_taken(&self) -> bool {
        self.error.kind() == io::ErrorKind::AddrInUse
    }
}

/// Binds the address that a service listens on.
///
/// # Errors
///
/// [`ListenError`] says what to change.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let bound = server::listen(address);
    bound.map_err(|error| ListenError { address, error })
}

impl Parts {
    /// Returns the parts of a service that everybody may ask, which knows no pipelines and forgets
    /// no rollouts.
    pub(crate) fn new(clock: SharedClock, sources: Sources, store: StoreUrl) -> Self {
        Self {
            clock,
            sources,
            pipelines: Folder::none(),
            store,
            is_store_shared: false,
            retention: Retention {
                closed_for_ms: i64::MAX,
                most_closed: u64::MAX,
            },
            first_ids: Vec::new(),
            access: Access::Everybody,
            hosts: KnownHosts::default(),
            limits: Limits::default(),
            room: Room::unlimited(),
            public_url: None,
        }
    }

    /// Opens the store and puts the parts together. Nothing runs yet.
    pub(crate) async fn assemble(self) -> Result<App, BootError> {
        let metrics = Arc::new(Metrics::new());
        self.sources.measured_by(&metrics);
        self.sources.tell_the_time_to(&self.clock);
        let clock = Arc::clone(&self.clock);
        let engine = Arc::new(Engine::new(self.clock, self.sources, self.room));
        let usage = if self.is_store_shared {
            Use::Shared
        } else {
            Use::Alone
        };
        let opened = Store::open(&self.store, usage).await;
        let store = opened.map_err(BootError::Store)?;
        if let Some(parted) = store.parted(clock.now()) {
            tracing::warn!(store = %self.store, "{parted}");
        }
        let settings = rollouts::Settings {
            is_store_shared: self.is_store_shared,
            ..rollouts::Settings::default()
        };
        let rollouts = Rollouts::new(store.clone(), Arc::clone(&engine), settings)
            .with_metrics(Arc::clone(&metrics))
            .with_first_ids(self.first_ids);
        let (pipelines, rollouts) = (Arc::new(self.pipelines), Arc::new(rollouts));
        let app = App::new(engine, pipelines, rollouts, self.limits, self.public_url)
            .with_access(self.access)
            .with_hosts(self.hosts)
            .with_metrics(metrics)
            // Not required: with a store that fails gates hold, and a load balancer that took the
            // process away would make callers fail instead. One that is lost is another matter.
            .with_check("store", false, store_check(store, clock));
        Ok(app)
    }
}

/// A service whose rollouts are judged.
#[derive(Debug)]
pub(crate) struct Service {
    app: Arc<App>,
    background: TaskTracker,
    stop_working: CancellationToken,
}

impl Service {
    /// Puts the parts together, goes on with what the store holds, and judges from now on.
    ///
    /// # Errors
    ///
    /// [`BootError`] says what of the store cannot be used.
    pub(crate) async fn start(parts: Parts) -> Result<Self, BootError> {
        let (store, retention) = (parts.store.clone(), parts.retention);
        let app = Arc::new(parts.assemble().await?);
        let rollouts = app.rollouts();
        let count = rollouts.resume().await.map_err(BootError::Rollouts)?;
        tracing::info!(count, %store, "going on with {count} open rollouts");
        let stop_working = CancellationToken::new();
        let background = start_background(&app, retention, &stop_working);
        let put = app.pipelines().load().await.map_err(BootError::Pipelines)?;
        tracing::info!(pipelines.put = put, "{put} pipelines were put over HTTP");
        Ok(Self {
            app,
            background,
            stop_working,
        })
    }

    /// The rollouts that are judged.
    pub(crate) fn rollouts(&self) -> &Arc<Rollouts> {
        self.app.rollouts()
    }

    /// Answers on `listener` until told to stop, then ends in order: no more requests, no more
    /// judgements, no more store.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        limits: ServerLimits,
        stop: impl Future<Output = Stop>,
    ) {
        let store = self.rollouts().store().clone();
        let routes = router(Arc::clone(&self.app));
        server::serve(listener, routes, self.app, limits, stop).await;
        self.stop_working.cancel();
        // What is judged now is recorded, or judged again by the next process.
        let _ = tokio::time::timeout(WORKER_GRACE, self.background.wait()).await;
        store.close().await;
    }
}

/// Starts what runs beside the requests, each watched.
fn start_background(app: &Arc<App>, retention: Retention, stop: &CancellationToken) -> TaskTracker {
    let tracker = TaskTracker::new();
    let keep = |task: BackgroundTask, start: Start| {
        let (app, stop) = (Arc::clone(app), stop.clone());
        tracker.spawn(async move {
            let run = || start(Arc::clone(&app), stop.clone());
            app.tasks().keep(task, &stop, run).await;
        });
    };
    keep(
        BackgroundTask::Worker,
        Box::new(|app, stop| Arc::clone(app.rollouts()).work(stop).boxed()),
    );
    keep(
        BackgroundTask::Housekeeping,
        Box::new(move |app, stop| {
            let rollouts = Arc::clone(app.rollouts());
            rollouts.keep_house(retention, stop).boxed()
        }),
    );
    keep(
        BackgroundTask::Clock,
        Box::new(|app, stop| {
            let watching = clock_watch::watch(Arc::clone(app.engine()), Arc::clone(app.metrics()));
            until(stop, watching).boxed()
        }),
    );
    keep(
        BackgroundTask::Tidying,
        Box::new(|app, stop| until(stop, async move { app.keep_tidy().await }).boxed()),
    );
    tracker.close();
    tracker
}

/// Starts a task of the background.
type Start = Box<dyn Fn(Arc<App>, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = task => {}
    }
}

/// Whether the store is the one that was opened, and can be read and written. Its files are looked
/// at each time, the rest once in a while however often it is asked.
fn store_check(store: Store, clock: SharedClock) -> CheckFunction {
    const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
    type Seen = Option<(tokio::time::Instant, Result<(), String>)>;
    let seen: Arc<tokio::sync::Mutex<Seen>> = Arc::default();
    let lost = |loss: StoreLoss| Unwell {
        message: loss.to_string(),
        is_grave: true,
    };
    Box::new(move || {
        let (store, clock, seen) = (store.clone(), Arc::clone(&clock), Arc::clone(&seen));
        Box::pin(async move {
            let mut seen = seen.lock().await;
            store.look().map_err(lost)?;
            let known = seen
                .take()
                .filter(|(at, _)| at.elapsed() < LOOKED_AT_EVERY && !store.was_changed());
            let (at, result) = match known {
                Some(known) => known,
                None => match store.check().await {
                    Err(StoreError::Lost { loss, .. }) => return Err(lost(loss)),
                    checked => (
                        tokio::time::Instant::now(),
                        checked.map_err(|error| error.to_string()),
                    ),
                },
            };
            *seen = Some((at, result.clone()));
            result?;
            match store.parted(clock.now()) {
                Some(parted) => Err(parted.to_string().into()),
                None => Ok(()),
            }
        })
    })
}

/// Refuses a clock before 1970: the HTTP server writes a date into every answer, and has none for it.
fn check_clock(now: UnixMillis) -> io::Result<()> {
    if now >= UnixMillis::default() {
        return Ok(());
    }
    let shown = timestamp(now.get());
    Err(io::Error::other(format!(
        "the clock of this machine shows {shown}, before 1970: set it right, then start again"
    )))
}

/// Runs a command that serves. What is still running at its end has been given its time.
///
/// # Errors
///
/// What the command fails with, or why it has no time or no threads to run on.
pub(crate) fn run_serving<T, E>(command: impl Future<Output = Result<T, E>>) -> Result<T, E>
where
    E: From<io::Error>,
{
    check_clock(SystemClock.now())?;
    install_crypto_provider();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(server::read_date_once)
        .build()?;
    let result = runtime.block_on(command);
    runtime.shutdown_background();
    result
}

/// Returns what a command that asks once runs on: this thread.
///
/// # Errors
///
/// What the system refuses.
pub(crate) fn runtime_of_a_command() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Returns the engine of a command that asks the sources without a service.
///
/// # Errors
///
/// [`ConfigError`] says what of the sources to change.
pub(crate) fn engine_of_a_command(sources: SourceArguments) -> Result<Engine, ConfigError> {
    install_crypto_provider();
    let sources = load_sources(sources)?;
    Ok(Engine::new(
        Arc::new(SystemClock),
        sources,
        Room::unlimited(),
    ))
}

/// Starts the log of a command that asks once: warnings only, since its answer tells what matters.
///
/// # Errors
///
/// The filter cannot be read.
pub(crate) fn start_log_of_a_command(log: &LogArguments) -> Result<(), TelemetryError> {
    telemetry::start(
        log.format.log_format.unwrap_or(LogFormat::Text),
        log.filter.log.as_deref().unwrap_or("warn"),
    )
}

#[cfg(test)]
mod tests;
