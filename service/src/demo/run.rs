//! `serinus demo`: the fleet, a Serinus on it that is started as `serve` starts one, the play through
//! the gate, and Swagger UI with the trail of both rollouts.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::simulate::SimulationError;
use serinus_fleet::{CHECKOUT, Fleet, PAYMENTS, VirtualClock};
use serinus_openapi::analysis::Verdict;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::caller::{CallError, Caller};
use super::closing;
use super::folder::{DemoFolder, played_pipeline};
use super::play::{Ending, PlayError, Stageplay};
use super::screen::{BOLD, Screen};
use crate::boot::{BootError, ListenError, Parts, Service, listen};
use crate::clock::SharedClock;
use crate::host::KnownHosts;
use crate::http::server::{ServerLimits, Stop, stop_signal};
use crate::pipelines::{Folder, FolderError};
use crate::prometheus::{SourceConfig, Sources, SourcesError};
use crate::rollouts::Rollouts;
use crate::store::{RolloutId, StoreError};

/// When the play begins, on the fleet's clock: Monday, 2 November 2026, 08:00 UTC. Always the
/// same, so that the same seed gives the same verdicts.
const START_MS: i64 = 1_793_606_400_000;
/// The ids of the rollouts, in the order of their start: known beforehand, so that the examples of
/// the OpenAPI document and of the README find the bad one, and the one that stays open.
const ROLLOUT_IDS: [RolloutId; 3] = [
    RolloutId::new(Uuid::from_u128(0x0198_f0c2_7a54_7c3e_9d8a_0123_4567_89aa)),
    RolloutId::new(Uuid::from_u128(0x0198_f0c2_7a54_7c3e_9d8a_0123_4567_89ab)),
    RolloutId::new(Uuid::from_u128(0x0198_f0c2_7a54_7c3e_9d8a_0123_4567_89ac)),
];
/// How the demo runs.
#[derive(Debug, Clone)]
pub(crate) struct DemoOptions {
    /// End after the play, instead of leaving Swagger UI up.
    pub(crate) once: bool,
    /// Seed of the fleet.
    pub(crate) seed: u64,
    /// How often a gate is asked in the duration of its stage; every minute when not said.
    pub(crate) polls_per_stage: Option<u32>,
    /// Where Serinus listens.
    pub(crate) listen: SocketAddr,
    /// Listen on a free port when that address is taken: nobody asked for it.
    pub(crate) takes_a_free_port: bool,
    /// The hosts that it is known by.
    pub(crate) hosts: KnownHosts,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A socket or a file.
    #[error("cannot start the demo: {0}")]
    Io(#[from] io::Error),
    /// The address is taken.
    #[error(transparent)]
    Listen(#[from] ListenError),
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
    /// The pipeline that is played.
    #[error("cannot read the demo's pipeline: {0}")]
    Pipeline(String),
    /// The play.
    #[error("{0}")]
    Play(String),
}

impl From<PlayError> for DemoError {
    fn from(error: PlayError) -> Self {
        Self::Play(error.to_string())
    }
}

impl From<CallError> for DemoError {
    fn from(error: CallError) -> Self {
        Self::Play(error.to_string())
    }
}

/// Runs the demo and returns whether it ended as it should: promote for the good canary,
/// rollback for the bad one.
///
/// # Errors
///
/// [`DemoError`] says what is missing.
pub(crate) async fn run(options: DemoOptions, mut screen: Screen) -> Result<bool, DemoError> {
    let interrupted = stop_signal(Duration::ZERO)?;
    tokio::pin!(interrupted);
    let stage = Stage::set(&options, &mut screen).await?;
    let stageplay = stage.stageplay(options.polls_per_stage)?;
    screen.say_headed((BOLD, &title()), "", 0);
    screen.say(&opening(), 0);
    screen.pause();
    screen.head();
    let endings = tokio::select! {
        endings = stageplay.play(&mut screen) => endings?,
        _ = &mut interrupted => {
            screen.pause();
            screen.say("stopped", 0);
            stage.clear().await;
            return Ok(true);
        }
    };
    closing::tell_endings(&mut screen, &stageplay, &endings).await?;
    if !options.once {
        // From here on the fleet lives as fast as the person who explores it.
        stage.clock.set_speed(1.0);
        let places = closing::Places {
            program: &program(),
            server: &stage.server_url,
            fleet: &stage.fleet_url,
            store: &stage.folder.store(),
        };
        closing::tell_what_to_try(&mut screen, &stageplay.caller, places).await?;
        interrupted.await;
        screen.pause();
        screen.say(
            "stopped: the store and the pipelines of the demo are removed",
            0,
        );
    }
    stage.clear().await;
    Ok(ended_as_expected(&endings))
}

fn title() -> String {
    format!(
        "serinus {}: two services roll out a new version",
        env!("CARGO_PKG_VERSION")
    )
}

fn opening() -> String {
    format!(
        "{CHECKOUT} a good one, {PAYMENTS} a bad one, through pipelines/canary_pipeline.yaml. The \
         fleet is simulated, behind the HTTP API of a Prometheus; Serinus judges every 30 s of its \
         clock, which runs two days in about a minute."
    )
}

/// What the play needs: a fleet that answers, and a service that reads it.
struct Stage {
    clock: Arc<VirtualClock>,
    fleet: Arc<Fleet>,
    fleet_url: String,
    rollouts: Arc<Rollouts>,
    server_url: String,
    tasks: TaskTracker,
    cancel: CancellationToken,
    // The files in it live as long as the service.
    folder: DemoFolder,
}

impl Stage {
    async fn set(options: &DemoOptions, screen: &mut Screen) -> Result<Self, DemoError> {
        // First of all: what fails here fails before anything was started.
        let listener = bind(options, screen)?;
        let server_url = format!("http://{}", listener.local_addr()?);
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
        let store = folder.store().parse()?;
        let service = Service::start(Parts {
            pipelines: Folder::open(&folder.pipelines())?,
            first_ids: ROLLOUT_IDS.to_vec(),
            hosts: options.hosts.clone(),
            ..Parts::new(Arc::clone(&clock) as SharedClock, sources, store)
        })
        .await?;
        let rollouts = Arc::clone(service.rollouts());
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
            tasks,
            cancel,
            folder,
        })
    }

    fn stageplay(&self, polls_per_stage: Option<u32>) -> Result<Stageplay, DemoError> {
        let pipeline = played_pipeline().map_err(DemoError::Pipeline)?;
        let client = reqwest::Client::builder();
        Ok(Stageplay {
            fleet: Arc::clone(&self.fleet),
            clock: Arc::clone(&self.clock),
            caller: Caller {
                client: client.timeout(Duration::from_secs(30)).build()?,
                server: self.server_url.clone(),
                pipeline: pipeline.name.clone(),
            },
            pipeline,
            rollouts: Arc::clone(&self.rollouts),
            polls_per_stage,
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

/// Binds the address, or a free port beside it, which is said.
fn bind(options: &DemoOptions, screen: &mut Screen) -> Result<TcpListener, DemoError> {
    let address = options.listen;
    match listen(address) {
        Err(error) if error.is_taken() && options.takes_a_free_port => {
            let free = listen(SocketAddr::new(address.ip(), 0))?;
            let told = format!(
                "{address} is taken: listening on {} instead; --listen chooses another",
                free.local_addr()?
            );
            screen.say(&told, 0);
            Ok(free)
        }
        bound => Ok(bound?),
    }
}

fn ended_as_expected(endings: &[Ending]) -> bool {
    let ended = |service: &str, verdict: Verdict| {
        endings
            .iter()
            .any(|ending| ending.version.service == service && ending.verdict == verdict)
    };
    ended(CHECKOUT, Verdict::Promote) && ended(PAYMENTS, Verdict::Rollback)
}

/// This program, as it was called.
fn program() -> String {
    let called = std::env::args().next();
    called.unwrap_or_else(|| "serinus".to_owned())
}

#[cfg(test)]
mod tests {
    use serinus_openapi::examples;

    use super::*;

    #[test]
    fn the_examples_name_the_rollouts_that_are_rolled_back_and_left_open() {
        assert_eq!(ROLLOUT_IDS[1].to_string(), examples::ROLLOUT_ID);
        assert_eq!(ROLLOUT_IDS[2].to_string(), examples::OPEN_ROLLOUT_ID);
    }
}
