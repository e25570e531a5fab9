//! `serinus serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::Failure;
use crate::access::{Access, TokensFile};
use crate::boot::{self, BootError, Parts, Service};
use crate::clock::{KeptClock, SystemClock};
use crate::config::{Config, ServeArguments};
use crate::http::Limits;
use crate::http::server::{ServerLimits, stop_signal};
use crate::pipelines::{Folder, Known};
use crate::prometheus::{Room, Sources};
use crate::store::{Retention, StoreClaim};
use crate::telemetry;

const MILLISECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

/// Most rollouts that are over which the store keeps.
const MOST_CLOSED: u64 = 100_000;

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
token` makes the entries. Without it everybody may ask everything who asks by a name that the server
knows (its address, localhost, --public-url, --allowed-hosts), and only addresses of this machine are
listened on unless --insecure and --allowed-hosts are given.

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
    telemetry::start(config.settings.log_format, &config.settings.log)?;
    telemetry::log_panics();
    boot::run_serving(serve_until_stopped(config))
}

async fn serve_until_stopped(config: Config) -> Result<u8, Failure> {
    let settings = &config.settings;
    let stop = stop_signal(Duration::from_secs(settings.drain_seconds))?;
    // Until the process ends, whatever ends it.
    let _claim = StoreClaim::new(&config.store, settings.is_store_shared())
        .map_err(|error| Failure(format!("cannot open the store {}: {error}", config.store)))?;
    let listener = boot::listen(settings.listen)?;
    let listen = listener.local_addr()?;
    let parts = parts(&config)?;
    let known = parts.pipelines.look();
    let service = Service::start(parts).await.map_err(|error| match error {
        BootError::Store(error) => Failure(format!(
            "cannot open the store {}: {error}; choose another place with --store",
            config.store
        )),
        other => other.into(),
    })?;
    log_start(&config, listen, &known);
    let limits = ServerLimits {
        connections: settings.max_connections,
        ..ServerLimits::default()
    };
    service.serve(listener, limits, stop).await;
    Ok(0)
}

fn parts(config: &Config) -> Result<Parts, Failure> {
    let settings = &config.settings;
    let sources = Sources::new(config.sources.clone(), config.default_source.as_deref())?;
    let access = match &settings.tokens_file {
        Some(path) => Access::Tokens(Arc::new(TokensFile::open(path)?)),
        None => Access::Everybody,
    };
    let pipelines = match &settings.pipelines {
        Some(path) => Folder::open(path)?,
        None => Folder::none(),
    };
    let clock = Arc::new(KeptClock::new(Arc::new(SystemClock)));
    Ok(Parts {
        pipelines,
        is_store_shared: settings.is_store_shared(),
        retention: Retention {
            closed_for_ms: i64::from(settings.keep_days) * MILLISECONDS_PER_DAY,
            most_closed: MOST_CLOSED,
        },
        access,
        hosts: config.known_hosts(),
        limits: Limits {
            body_bytes: settings.max_body_bytes,
            requests_per_second: settings.rate_limit_per_second,
            burst_requests: settings.burst_requests(),
            requests_in_flight: settings.max_requests_in_flight,
            gates_in_flight: settings.max_requests_in_flight,
            ..Limits::default()
        },
        room: Room::new(settings.max_memory_bytes),
        public_url: settings.public_url.clone(),
        ..Parts::new(clock, sources, config.store.clone())
    })
}

fn log_start(config: &Config, listen: SocketAddr, known: &Known) {
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let base = config
        .settings
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{listen}"));
    let sources: Vec<_> = config
        .sources
        .iter()
        .map(|(name, source)| format!("{name}={}", source.url))
        .collect();
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
