//! A real VictoriaMetrics, as Debian packages it: a second source with the API of Prometheus, which
//! answers some questions in another way. It moves the ends of a range query, shows a marker of
//! staleness as `NaN`, and tells of a sample a moment after it was scraped.

use std::process::Command;

use tempfile::TempDir;

use crate::listening::start_listening;
use crate::network::http_client;
use crate::process::{ChildProcess, find_program};
use crate::query_api::QueryApi;
use crate::source_kind::SourceKind;

/// A running VictoriaMetrics with its own port and data folder.
#[derive(Debug)]
pub struct RealVictoriaMetrics {
    url: String,
    api: QueryApi,
    client: reqwest::Client,
    // Ended before its folder goes.
    _process: ChildProcess,
    _folder: TempDir,
}

impl RealVictoriaMetrics {
    /// Starts VictoriaMetrics with the given configuration of scrapes, in the form of Prometheus,
    /// and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When the program is not installed, refuses the configuration, or is not ready in time.
    pub async fn start(configuration: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = find_program("victoria-metrics")?;
        let scrapes = folder.path().join("scrapes.yml");
        std::fs::write(&scrapes, configuration)?;
        let data = folder.path().join("data");
        let client = http_client()?;
        let launch = |port: u16| {
            ChildProcess::start(
                "victoria-metrics",
                Command::new(&program)
                    .arg(format!("-promscrape.config={}", scrapes.display()))
                    .arg(format!("-storageDataPath={}", data.display()))
                    .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                    // As soon as Prometheus sees a change of the targets.
                    .arg("-promscrape.fileSDCheckInterval=1s")
                    // It hides what is younger than 30 s if nothing is said; tests are shorter.
                    .arg("-search.latencyOffset=0s")
                    .arg("-retentionPeriod=15d")
                    // It would take 60 % of the machine's memory for its caches.
                    .arg("-memory.allowedBytes=64MB"),
            )
        };
        let (url, process) = start_listening(&client, "/health", launch).await?;
        Ok(Self {
            api: QueryApi::new(SourceKind::VictoriaMetrics.name(), &url, &client),
            url,
            client,
            _process: process,
            _folder: folder,
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it answers.
    pub fn api(&self) -> &QueryApi {
        &self.api
    }

    /// Makes all that was scraped visible to queries.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn flush(&self) -> anyhow::Result<()> {
        let url = format!("{}/internal/force_flush", self.url);
        self.client.get(url).send().await?.error_for_status()?;
        Ok(())
    }
}
