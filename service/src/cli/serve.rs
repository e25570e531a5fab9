//! `serinus serve`.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Failure;
use crate::access::{Access, TokensFile};
use crate::clock::SystemClock;
use crate::config::{Config, ServeArguments};
use crate::engine::Engine;
use crate::http::server::{ServerLimits, serve, stop_signal};
use crate::http::{App, CheckFunction, GateGauges, Limits, router};
use crate::metrics::Metrics;
use crate::pipelines::Folder;
use crate::prometheus::{Sources, install_crypto_provider};
use crate::rollouts::{self, Rollouts};
use crate::store::{Retention, Store, StoreClaim};
use crate::telemetry;

const MILLISECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

/// Most rollouts that are over which the store keeps.
const MOST_CLOSED: u64 = 100_000;

/// How long judgements that run are given to end.
const WORKER_GRACE: Duration = Duration::from_secs(5);

const AFTER_HELP: &str = "\
Examples:
  serinus serve --prometheus http://prometheus:9090 --pipelines ./pipelines
  serinus serve --config serinus.yaml
  SERINUS_LISTEN=0.0.0.0:8080 SERINUS_TOKENS_FILE=tokens.yaml SERINUS_LOG_FORMAT=json serinus serve

The file says the same things, and what a flag cannot:
  listen: 0.0.0.0:8080
  tokens_file: /etc/serinus/tokens.yaml
  pipelines: /etc/serinus/pipelines
  default_source: eu
  sources:
    eu: {url: http://prometheus.eu:9090}
    us: {url: https://mimir.us/prometheus, headers: {X-Scope-OrgID: team}, bearer_token_file: /run/token}

The tokens file is a list of {name, sha256, scopes}, and is read again when it changes; `serinus
token` makes the entries. Without it everybody may ask everything, and only addresses of this machine
are listened on unless --insecure is given.

A flag counts before a variable, a variable before the file, the file before the default.
SIGTERM: /readyz answers 503, requests are served for the drain time, running answers are finished.
SIGINT (Ctrl-C): the same without the drain time; once more ends at once.

Exit codes: 0 stopped by a signal, 1 could not start, 2 usage.";

/// Serve the HTTP API; /docs shows it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: ServeArguments,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Failure> {
    let config = Config::load(arguments.settings)?;
    telemetry::start(config.log_format, &config.log)?;
    install_crypto_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let result = runtime.block_on(serve_until_stopped(config));
    // What is still running after the grace has been given its time.
    runtime.shutdown_background();
    result
}

async fn serve_until_stopped(config: Config) -> Result<u8, Failure> {
    let stop = stop_signal(Duration::from_secs(config.drain_seconds))?;
    // Until the process ends, whatever ends it.
    let _claim = StoreClaim::new(&config.store, config.is_store_shared)
        .map_err(|error| Failure(format!("cannot open the store {}: {error}", config.store)))?;
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        Failure(format!(
            "cannot listen on {}: {error}; choose another address with --listen",
            config.listen
        ))
    })?;
    let listen = listener.local_addr()?;
    let named: Vec<_> = config
        .sources
        .iter()
        .map(|(name, source)| format!("{name}={}", source.url))
        .collect();
    let sources = Sources::new(config.sources, config.default_source.as_deref())?;
    let access = match &config.tokens_file {
        Some(path) => Access::Tokens(Arc::new(TokensFile::open(path)?)),
        None => Access::Everybody,
    };
    let metrics = Arc::new(Metrics::new());
    sources.measured_by(&metrics);
    let folder = match &config.pipelines {
        Some(path) => Folder::open(path)?,
        None => Folder::none(),
    };
    let pipelines = Arc::new(folder);
    log_start(config.public_url.as_deref(), listen, &named, &pipelines);
    let limits = Limits {
        body_bytes: config.max_body_bytes,
        requests_per_second: config.rate_limit_per_second,
        burst_requests: config.rate_limit_burst,
        requests_in_flight: config.max_requests_in_flight,
        gates_in_flight: config.max_requests_in_flight,
        ..Limits::default()
    };
    let engine = Arc::new(Engine::new(Arc::new(SystemClock), sources));
    let store = Store::open(&config.store).await.map_err(|error| {
        let store = &config.store;
        Failure(format!(
            "cannot open the store {store}: {error}; choose another place with --store"
        ))
    })?;
    let settings = rollouts::Settings {
        is_store_shared: config.is_store_shared,
        ..rollouts::Settings::default()
    };
    let rollouts = Arc::new(
        Rollouts::new(store.clone(), Arc::clone(&engine), settings)
            .with_metrics(Arc::clone(&metrics)),
    );
    let count = rollouts.resume().await?;
    tracing::info!(count, store = %config.store, "going on with {count} open rollouts");
    let stop_working = CancellationToken::new();
    let worker = TaskTracker::new();
    let retention = Retention {
        closed_for_ms: i64::from(config.keep_days) * MILLISECONDS_PER_DAY,
        most_closed: MOST_CLOSED,
    };
    worker.spawn(Arc::clone(&rollouts).work(retention, stop_working.clone()));
    worker.close();
    let gauged = Arc::clone(&rollouts);
    let app = App::new(engine, pipelines, rollouts, limits, config.public_url)
        .with_access(access)
        .with_metrics(metrics)
        // Not required: with a store that fails gates hold, and a load balancer that took the
        // process away would make callers fail instead.
        .with_check("store", false, store_check(&store))
        .with_gate_gauges(gate_gauges(&gauged));
    let count = app.pipelines().load().await?;
    tracing::info!(
        pipelines.put = count,
        "{count} pipelines were put over HTTP"
    );
    let app = Arc::new(app);
    let routes = router(Arc::clone(&app));
    let server_limits = ServerLimits {
        connections: config.max_connections,
        ..ServerLimits::default()
    };
    serve(listener, routes, app, server_limits, stop).await;
    stop_working.cancel();
    // What is judged now is recorded, or judged again by the next process.
    let _ = tokio::time::timeout(WORKER_GRACE, worker.wait()).await;
    store.close().await;
    Ok(0)
}

/// Whether the store can be written. Looked at once in a while however often it is asked.
fn store_check(store: &Store) -> CheckFunction {
    const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
    type Seen = Option<(tokio::time::Instant, Result<(), String>)>;
    let store = store.clone();
    let seen: Arc<tokio::sync::Mutex<Seen>> = Arc::default();
    Box::new(move || {
        let (store, seen) = (store.clone(), Arc::clone(&seen));
        Box::pin(async move {
            let mut seen = seen.lock().await;
            if let Some((at, result)) = &*seen
                && at.elapsed() < LOOKED_AT_EVERY
            {
                return result.clone();
            }
            let result = store.check().await.map_err(|error| error.to_string());
            *seen = Some((tokio::time::Instant::now(), result.clone()));
            result
        })
    })
}

fn gate_gauges(rollouts: &Arc<Rollouts>) -> GateGauges {
    let rollouts = Arc::clone(rollouts);
    Box::new(move || {
        let rollouts = Arc::clone(&rollouts);
        Box::pin(async move { rollouts.gauges() })
    })
}

fn log_start(
    public_url: Option<&str>,
    listen: std::net::SocketAddr,
    sources: &[String],
    pipelines: &Folder,
) {
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let known = pipelines.look();
    let base = public_url.map_or_else(|| format!("http://{listen}"), str::to_owned);
    let sources = sources.join(", ");
    tracing::info!(
        version,
        profile,
        listen = %listen,
        sources,
        pipelines.count = known.names().count(),
        "serinus {version} listens on {listen}, reads {sources}, explore it at {base}/docs"
    );
    known.log_problems();
}
