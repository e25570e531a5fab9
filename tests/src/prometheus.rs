//! A real Prometheus, as Debian packages it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use serde_json::Value;
use tempfile::TempDir;

use crate::listening::{start_listening, wait_until_ready};
use crate::network::http_client;
use crate::process::{ChildProcess, find_program};
use crate::query_api::QueryApi;
use crate::source_kind::SourceKind;

/// Where it says that it is ready.
const READY_PATH: &str = "/-/ready";

/// A running Prometheus with its own port and data folder.
#[derive(Debug)]
pub struct RealPrometheus {
    url: String,
    api: QueryApi,
    client: reqwest::Client,
    process: ChildProcess,
    folder: TempDir,
    more_arguments: Vec<String>,
}

impl RealPrometheus {
    /// Starts Prometheus with the given configuration and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When the program is not installed, refuses the configuration, or is not ready in time.
    pub async fn start(configuration: &str) -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir()?, configuration, &[]).await
    }

    /// Starts a Prometheus that scrapes and keeps native histograms.
    ///
    /// # Errors
    ///
    /// As [`RealPrometheus::start`].
    pub async fn start_with_native_histograms(configuration: &str) -> anyhow::Result<Self> {
        let arguments = ["--enable-feature=native-histograms"];
        Self::start_in(tempfile::tempdir()?, configuration, &arguments).await
    }

    /// Starts Prometheus on a history given in the `OpenMetrics` text format (with timestamps in
    /// seconds, ended by `# EOF`), which it serves as if it had scraped it.
    ///
    /// # Errors
    ///
    /// As [`RealPrometheus::start`], or when the history cannot be read.
    pub async fn start_with_history(
        configuration: &str,
        openmetrics: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let history = folder.path().join("history.om");
        std::fs::write(&history, openmetrics)?;
        let output = tokio::process::Command::new(find_program("promtool")?)
            .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
            .arg(&history)
            .arg(folder.path().join("data"))
            .kill_on_drop(true)
            .output()
            .await?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            bail!("promtool refuses the history: {told}");
        }
        Self::start_in(folder, configuration, &[]).await
    }

    async fn start_in(
        folder: TempDir,
        configuration: &str,
        more_arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let program = find_program("prometheus")?;
        let configuration_file = folder.path().join("prometheus.yml");
        std::fs::write(&configuration_file, configuration)?;
        let client = http_client()?;
        let launch = |port: u16| launch(&program, &folder, port, more_arguments);
        let (url, process) = start_listening(&client, READY_PATH, launch).await?;
        Ok(Self {
            api: QueryApi::new(SourceKind::Prometheus.name(), &url, &client),
            url,
            client,
            process,
            folder,
            more_arguments: more_arguments.iter().map(ToString::to_string).collect(),
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it. Its data stays.
    pub fn stop(&mut self) {
        self.process.kill();
    }

    /// Starts it again, on the same port and data.
    ///
    /// # Errors
    ///
    /// When it is not ready in time.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let port = self.url.rsplit(':').next().unwrap_or_default().parse()?;
        let program = find_program("prometheus")?;
        self.process = launch(&program, &self.folder, port, &self.more_arguments)?;
        let ready_url = format!("{}{READY_PATH}", self.url);
        wait_until_ready(&self.client, &ready_url, &mut self.process).await
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What it answers.
    pub fn api(&self) -> &QueryApi {
        &self.api
    }

    /// Evaluates a query at one instant and returns `data.result`.
    ///
    /// # Errors
    ///
    /// As [`QueryApi::query`].
    pub async fn query(&self, promql: &str, at_ms: i64) -> anyhow::Result<Vec<Value>> {
        self.api.query(promql, at_ms).await
    }
}

fn launch(
    program: &Path,
    folder: &TempDir,
    port: u16,
    more_arguments: &[impl AsRef<OsStr>],
) -> anyhow::Result<ChildProcess> {
    let configuration_file = folder.path().join("prometheus.yml");
    ChildProcess::start(
        "prometheus",
        Command::new(program)
            .arg(format!("--config.file={}", configuration_file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg("--storage.tsdb.retention.time=15d")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn")
            .args(more_arguments),
    )
}
