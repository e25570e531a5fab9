//! Helpers for the integration tests: a real Prometheus and a real VictoriaMetrics, an exporter of
//! known truth, a Prometheus that misbehaves on demand, the real binary, a browser.
//!
//! They share nothing with Serinus but the wire, so that a mistake in one cannot hide a mistake
//! in the other. Each listens on a free loopback port, keeps its files in a temporary folder,
//! waits until it is ready with a bound, and ends what it started, by its own process id, when
//! it is dropped.

mod browser;
pub mod callers;
mod exposition;
mod fault_proxy;
mod faulty;
mod fleet;
mod instant;
mod listening;
mod native;
mod network;
mod process;
mod prometheus;
mod query_api;
mod scripted;
mod secrets;
mod serinus;
mod source;
mod source_kind;
mod victoria;

pub use browser::Browser;
pub use exposition::{ExposedCanary, Exposition};
pub use fault_proxy::{FaultProxy, ProxyFault};
pub use faulty::{Fault, FaultyUpstream};
pub use fleet::{
    HistogramSeries, Miss, Monitors, PodId, PodPlan, ToldStart, TrackTruth, TruthFleet, Window,
};
pub use instant::instant_source;
pub use native::{CLASSIC_NAME, NATIVE_NAME, NativePlan, NativePod};
pub use network::{free_port, http_client, now_ms, wait_until};
pub use process::{ChildProcess, CommandOutput, run_command};
pub use prometheus::RealPrometheus;
pub use query_api::QueryApi;
pub use scripted::{Received, Scripted, ScriptedServer};
pub use serinus::{Reply, SerinusProcess, ServeOptions, repository_path, serinus_binary};
pub use source::RealSource;
pub use source_kind::SourceKind;
pub use victoria::RealVictoriaMetrics;
