//! A real Prometheus, as Debian packages it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::network::{free_port, http_client, wait_until};
use crate::process::{ChildProcess, find_program};

/// How long Prometheus may take to become ready.
const READY_BOUND: Duration = Duration::from_secs(30);

/// How often a start is tried: another process may take the port between the choice and the use.
const START_ATTEMPTS: usize = 3;

/// A running Prometheus with its own port and data folder.
#[derive(Debug)]
pub struct RealPrometheus {
    url: String,
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
        for attempt in 1..=START_ATTEMPTS {
            let port = free_port()?;
            let url = format!("http://127.0.0.1:{port}");
            let mut process = launch(&program, &folder, port, more_arguments)?;
            let ready_url = format!("{url}/-/ready");
            let ready = wait_until("Prometheus is ready", READY_BOUND, async || {
                process.check_running()?;
                let answer = client.get(&ready_url).send().await;
                Ok(answer
                    .is_ok_and(|response| response.status().is_success())
                    .then_some(()))
            })
            .await;
            match ready {
                Ok(()) => {
                    return Ok(Self {
                        url,
                        client,
                        process,
                        folder,
                        more_arguments: more_arguments.iter().map(ToString::to_string).collect(),
                    });
                }
                Err(error) if attempt == START_ATTEMPTS || !is_port_clash(&process) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        bail!("no attempt to start Prometheus was made")
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
        let ready_url = format!("{}/-/ready", self.url);
        wait_until("Prometheus is ready again", READY_BOUND, async || {
            self.process.check_running()?;
            let answer = self.client.get(&ready_url).send().await;
            Ok(answer
                .is_ok_and(|response| response.status().is_success())
                .then_some(()))
        })
        .await
    }

    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Evaluates a query at one instant and returns `data.result`.
    ///
    /// # Errors
    ///
    /// When Prometheus does not answer or refuses the query.
    pub async fn query(&self, promql: &str, at_ms: i64) -> anyhow::Result<Vec<Value>> {
        let time = seconds(at_ms);
        let response = self
            .client
            .post(format!("{}/api/v1/query", self.url))
            .form(&[("query", promql), ("time", &time)])
            .send()
            .await?;
        let answer: Value = response.json().await?;
        if answer.pointer("/status").and_then(Value::as_str) != Some("success") {
            bail!("Prometheus refuses {promql:?}: {answer}");
        }
        answer
            .pointer("/data/result")
            .and_then(Value::as_array)
            .cloned()
            .with_context(|| format!("no result in {answer}"))
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

/// Formats milliseconds as the decimal seconds that Prometheus reads.
fn seconds(milliseconds: i64) -> String {
    format!(
        "{}.{:03}",
        milliseconds.div_euclid(1_000),
        milliseconds.rem_euclid(1_000)
    )
}

fn is_port_clash(process: &ChildProcess) -> bool {
    process.log().contains("address already in use")
}
