//! `serinus demo`: the fleet, a real Serinus on it with its store in a folder that goes with it, the
//! play through the gate, and Swagger UI with the trail of both rollouts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::pipeline::{Pipeline, parse};
use serinus_analysis::simulate::SimulationError;
use serinus_fleet::{CHECKOUT, Fleet, PAYMENTS, VirtualClock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::play::{Ending, PlayError, Stageplay};
use super::table::Table;
use crate::boot::{BootError, Parts, Service};
use crate::clock::SharedClock;
use crate::host::KnownHosts;
use crate::http::server::{ServerLimits, Stop, stop_signal};
use crate::pipelines::{Folder, FolderError};
use crate::prometheus::{SourceConfig, Sources, SourcesError};
use crate::rollouts::Rollouts;
use crate::store::{RolloutId, StoreError, StoreUrl};

/// When the play begins, on the fleet's clock: Monday, 2 November 2026, 08:00 UTC. Always the
/// same, so that the same seed gives the same verdicts.
const START_MS: i64 = 1_793_606_400_000;
/// The pipelines that the demo knows, as they are shipped.
const PIPELINES: [(&str, &str); 2] = [
    (
        "canary_pipeline.yaml",
        include_str!("../../../pipelines/canary_pipeline.yaml"),
    ),
    (
        "checkout.yaml",
        include_str!("../../../pipelines/checkout.yaml"),
    ),
];
/// The one that is played: the first one, to the letter.
const PLAYED: &str = "canary_pipeline";
/// The ids of the rollouts that are played, in the order of their start: known beforehand, so that
/// the examples of the OpenAPI document and of the README find the bad one.
const ROLLOUT_IDS: [RolloutId; 2] = [
    RolloutId::new(Uuid::from_u128(0x0198_f0c2_7a54_7c3e_9d8a_0123_4567_89aa)),
    RolloutId::new(Uuid::from_u128(0x0198_f0c2_7a54_7c3e_9d8a_0123_4567_89ab)),
];

/// How the demo runs.
#[derive(Debug, Clone)]
pub(crate) struct DemoOptions {
    /// End after the play, instead of leaving Swagger UI up.
    pub(crate) once: bool,
    /// Seed of the fleet.
    pub(crate) seed: u64,
    /// Where Serinus listens; a free port instead when it is taken.
    pub(crate) listen: SocketAddr,
    /// The hosts that it is known by.
    pub(crate) hosts: KnownHosts,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A socket or a file.
    #[error("cannot start the demo: {0}")]
    Io(#[from] std::io::Error),
    /// The fleet.
    #[error("cannot start the fleet: {0}")]
    Fleet(#[from] SimulationError),
    /// The client of the fleet.
    #[error("cannot reach the fleet: {0}")]
    Source(#[from] SourcesError),
    /// The address of the fleet.
    #[error("cannot reach the fleet: {0}")]
    Address(String),
    /// The folder of pipelines.
    #[error("cannot read the demo's pipelines: {0}")]
    Folder(#[from] FolderError),
    /// The store.
    #[error("cannot open the demo's store: {0}")]
    Store(#[from] StoreError),
    /// The service.
    #[error("cannot open the demo's store: {0}")]
    Boot(#[from] BootError),
    /// The HTTP client.
    #[error("cannot ask for verdicts: {0}")]
    Client(#[from] reqwest::Error),
    /// The play.
    #[error("{0}")]
    Play(String),
}

impl From<PlayError> for DemoError {
    fn from(error: PlayError) -> Self {
        Self::Play(error.to_string())
    }
}

/// Runs the demo and returns whether it ended as it should: promote for the good canary,
/// rollback for the bad one. Rows and the places to look at are written to `out`.
///
/// # Errors
///
/// [`DemoError`] says what is missing.
pub(crate) async fn run(
    options: DemoOptions,
    out: fn() -> Box<dyn std::io::Write + Send>,
) -> Result<bool, DemoError> {
    let interrupted = stop_signal(Duration::ZERO)?;
    let stage = Stage::set(&options).await?;
    let stageplay = stage.stageplay()?;
    let told = |text: &str| write_line(out(), text);
    told(&format!(
        "serinus {}: {CHECKOUT} rolls out a good canary, {PAYMENTS} a bad one, two days in a minute\n",
        env!("CARGO_PKG_VERSION")
    ));
    tokio::pin!(interrupted);
    let mut table = Table::new(out());
    let endings = tokio::select! {
        endings = stageplay.play(&mut table) => endings?,
        _ = &mut interrupted => {
            stage.clear().await;
            return Ok(true);
        }
    };
    told(&summary(&endings));
    if !options.once {
        // From here on the fleet lives as fast as the person who explores it.
        stage.clock.set_speed(1.0);
        told(&format!(
            "{}\nSwagger UI: {}/docs  (\"Try it out\": the examples run as they stand, those of \
             rollouts on these two)\nPrometheus API of the fleet: {}\nCtrl-C ends the demo",
            trails(&endings, &stage.store_url),
            stage.server_url,
            stage.fleet_url
        ));
        interrupted.await;
    }
    stage.clear().await;
    Ok(ended_as_expected(&endings))
}

/// What the play needs: a fleet that answers, and a service that reads it.
struct Stage {
    clock: Arc<VirtualClock>,
    fleet: Arc<Fleet>,
    fleet_url: String,
    rollouts: Arc<Rollouts>,
    server_url: String,
    store_url: StoreUrl,
    tasks: TaskTracker,
    cancel: CancellationToken,
    // Held so that the files in it live as long as the service.
    _folder: DemoFolder,
}

impl Stage {
    async fn set(options: &DemoOptions) -> Result<Self, DemoError> {
        let clock = Arc::new(VirtualClock::new(START_MS, 0.0));
        let fleet = Arc::new(Fleet::new(options.seed, Arc::clone(&clock))?);
        let tasks = TaskTracker::new();
        let cancel = CancellationToken::new();
        let fleet_listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let fleet_url = format!("http://{}", fleet_listener.local_addr()?);
        tasks.spawn(Arc::clone(&fleet).serve(fleet_listener, cancel.clone()));

        let folder = DemoFolder::create()?;
        let source = SourceConfig::new(fleet_url.parse().map_err(DemoError::Address)?);
        let sources = Sources::new(BTreeMap::from([("default".to_owned(), source)]), None)?;
        let store_url = folder.store()?;
        let service = Service::start(Parts {
            pipelines: Folder::open(&folder.pipelines())?,
            first_ids: ROLLOUT_IDS.to_vec(),
            hosts: options.hosts.clone(),
            ..Parts::new(
                Arc::clone(&clock) as SharedClock,
                sources,
                store_url.clone(),
            )
        })
        .await?;
        let rollouts = Arc::clone(service.rollouts());
        let listener = bind(options.listen).await?;
        let server_url = format!("http://{}", listener.local_addr()?);
        let limits = ServerLimits {
            grace: Duration::from_secs(1),
            ..ServerLimits::default()
        };
        tasks.spawn(service.serve(listener, limits, end_of(cancel.clone())));
        Ok(Self {
            clock,
            fleet,
            fleet_url,
            rollouts,
            server_url,
            store_url,
            tasks,
            cancel,
            _folder: folder,
        })
    }

    fn stageplay(&self) -> Result<Stageplay, DemoError> {
        Ok(Stageplay {
            fleet: Arc::clone(&self.fleet),
            clock: Arc::clone(&self.clock),
            pipeline: played_pipeline()?,
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()?,
            server: self.server_url.clone(),
            rollouts: Arc::clone(&self.rollouts),
        })
    }

    /// Ends the fleet and the service, and waits for them.
    async fn clear(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Stops the service when the demo ends.
async fn end_of(demo: CancellationToken) -> Stop {
    demo.cancelled_owned().await;
    Stop {
        reason: "the demo's end",
        drain_delay: Duration::ZERO,
        hurry: Box::pin(std::future::pending()),
    }
}

fn played_pipeline() -> Result<Pipeline, DemoError> {
    let text = PIPELINES
        .iter()
        .find(|(file, _)| file.starts_with(PLAYED))
        .map(|(_, text)| *text);
    parse(text.unwrap_or_default(), PLAYED).map_err(|diagnostics| {
        let messages: Vec<String> = diagnostics
            .into_iter()
            .map(|diagnostic| diagnostic.message)
            .collect();
        DemoError::Play(format!(
            "cannot read the demo's pipeline: {}",
            messages.join("; ")
        ))
    })
}

/// Binds the address, or a free port beside it when the address is taken.
async fn bind(listen: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(listen).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((listen.ip(), 0)).await
        }
        bound => bound,
    }
}

fn ended_as_expected(endings: &[Ending]) -> bool {
    let ended = |service: &str, verdict: &str| {
        endings
            .iter()
            .any(|ending| ending.service == service && ending.verdict == verdict)
    };
    ended(CHECKOUT, "promote") && ended(PAYMENTS, "rollback")
}

fn summary(endings: &[Ending]) -> String {
    let mut text = String::new();
    for ending in endings {
        let what = match ending.verdict.as_str() {
            "promote" => format!(
                "promoted through every stage, the last was {}",
                ending.stage
            ),
            "rollback" => format!(
                "rolled back at {} to {} % of the traffic: {}",
                ending.stage, ending.rollback_to_percent, ending.reason
            ),
            _ => format!("still held at {}: {}", ending.stage, ending.reason),
        };
        let (service, key, verdict) = (ending.service, &ending.key, &ending.verdict);
        let _ = write!(text, "\n{service} {key}: {verdict} - {what}");
    }
    text
}

/// Where each decision can be looked at, and computed again.
fn trails(endings: &[Ending], store: &StoreUrl) -> String {
    let mut text = "\nWhat was decided, when, why and from which data:".to_owned();
    for ending in endings {
        let (service, url) = (ending.service, &ending.status_url);
        let _ = write!(text, "\n  {service:<9} {url}/events");
    }
    if let Some(id) = ROLLOUT_IDS.last() {
        let _ = write!(
            text,
            "\nThe decisions of {PAYMENTS}, computed again: serinus replay {id} --store {store}"
        );
    }
    text
}

fn write_line(mut out: Box<dyn std::io::Write + Send>, text: &str) {
    // A reader that went away is no reason to stop.
    let _ = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"));
}

/// The folder of the demo's pipelines and of its store, which goes with the demo.
struct DemoFolder {
    path: PathBuf,
}

impl DemoFolder {
    fn create() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("serinus-demo-{}", std::process::id()));
        let folder = Self { path };
        std::fs::create_dir_all(folder.pipelines())?;
        for (file, text) in PIPELINES {
            std::fs::write(folder.pipelines().join(file), text)?;
        }
        Ok(folder)
    }

    fn pipelines(&self) -> PathBuf {
        self.path.join("pipelines")
    }

    /// Where the store is; a file of a demo that had this number before and was killed is not it.
    fn store(&self) -> Result<StoreUrl, DemoError> {
        for file in ["serinus.db", "serinus.db-wal", "serinus.db-shm"] {
            match std::fs::remove_file(self.path.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        let url = format!("sqlite:{}", self.path.join("serinus.db").display());
        Ok(url.parse()?)
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which clears its temporary files.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use serinus_openapi::examples;

    use super::*;

    #[test]
    fn the_examples_name_the_rollout_that_is_rolled_back() {
        assert_eq!(ROLLOUT_IDS[1].to_string(), examples::ROLLOUT_ID);
    }
}
