//! The real binary, as a user runs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::network::{free_port, http_client, wait_until};
use crate::process::ChildProcess;
use crate::secrets::line_with_token;

/// How long the service may take to become ready; the promise is far less, and has a test.
const READY_BOUND: Duration = Duration::from_secs(20);

/// How long the play of the demo may take, on a machine that does other things too.
const PLAY_BOUND: Duration = Duration::from_mins(2);

/// Names the binary to test, where it is not the one that lies beside the tests.
const BINARY_VARIABLE: &str = "SERINUS_BIN";

/// Returns the path of the binary: the one that `SERINUS_BIN` names, or the one that cargo put
/// into the same target folder as the running test.
///
/// # Errors
///
/// When there is none; the text says how to build it.
pub fn serinus_binary() -> anyhow::Result<PathBuf> {
    if let Some(named) = std::env::var_os(BINARY_VARIABLE) {
        let path = PathBuf::from(named);
        if path.is_file() {
            return Ok(path);
        }
        bail!(
            "{BINARY_VARIABLE} names {}, which is no file",
            path.display()
        );
    }
    // target/debug/deps/integration-0123456789abcdef
    let test = std::env::current_exe()?;
    let profile_folder = test
        .parent()
        .and_then(Path::parent)
        .with_context(|| format!("{} lies in no target folder", test.display()))?;
    let path = profile_folder.join("serinus");
    if !path.is_file() {
        bail!(
            "there is no {}; build it with `cargo build --package serinus`, or run `make test`, \
             which does",
            path.display()
        );
    }
    Ok(path)
}

/// Returns a path inside the repository.
pub fn repository_path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What a server is started with, beside where it listens.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The Prometheus.
    pub prometheus_url: String,
    /// The folder of pipelines.
    pub pipelines: PathBuf,
    /// A store file of the caller's; else one in the process's own folder.
    pub store: Option<PathBuf>,
    /// Whether another process uses the same store.
    pub is_store_shared: bool,
    /// The port to listen on; else a free one.
    pub port: Option<u16>,
    /// Where clients are told to find it.
    pub public_url: Option<String>,
}

/// What is logged where a test does not say: as much as may be, since no token may be in any of it.
const LOG_FILTER: &str = "debug";

/// A running `serinus serve` or `serinus demo`. When it is dropped, no token may be in its log.
#[derive(Debug)]
pub struct SerinusProcess {
    url: String,
    client: reqwest::Client,
    process: ChildProcess,
    // Held so that its working folder lives as long as the process.
    _folder: TempDir,
}

impl SerinusProcess {
    /// Starts `serinus serve` on that Prometheus with an empty folder of pipelines.
    ///
    /// # Errors
    ///
    /// When the binary is missing, ends early, or is not ready in time.
    pub async fn serve(prometheus_url: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let pipelines = folder.path().join("pipelines");
        std::fs::create_dir(&pipelines)?;
        Self::serve_pipelines(prometheus_url, &pipelines).await
    }

    /// Starts `serinus serve` on that Prometheus and that folder of pipelines.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`].
    pub async fn serve_pipelines(prometheus_url: &str, pipelines: &Path) -> anyhow::Result<Self> {
        Self::serve_with(&ServeOptions {
            prometheus_url: prometheus_url.to_owned(),
            pipelines: pipelines.to_owned(),
            ..ServeOptions::default()
        })
        .await
    }

    /// Starts `serinus serve` with those options.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`].
    pub async fn serve_with(options: &ServeOptions) -> anyhow::Result<Self> {
        let mut command = Command::new(serinus_binary()?);
        command
            .arg("serve")
            .arg("--prometheus")
            .arg(&options.prometheus_url)
            .arg("--pipelines")
            .arg(&options.pipelines);
        if let Some(store) = &options.store {
            command
                .arg("--store")
                .arg(format!("sqlite:{}", store.display()));
        }
        if options.is_store_shared {
            command.arg("--shared-store");
        }
        if let Some(url) = &options.public_url {
            command.arg("--public-url").arg(url);
        }
        Self::start_on(command, options.port).await
    }

    /// Starts `serinus serve` with those arguments beside the address.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`].
    pub async fn serve_with_arguments(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(serinus_binary()?);
        command.arg("serve").args(arguments);
        Self::start(command).await
    }

    /// Starts `serinus` with those arguments and variables beside the address, as a container does.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`].
    pub async fn serve_with_environment(
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(serinus_binary()?);
        command
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)));
        Self::start(command).await
    }

    /// Starts `serinus demo`, which stays up, and waits until its play is over.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`], and when the play does not end in time.
    pub async fn demo() -> anyhow::Result<Self> {
        let mut demo = Self::demo_that_plays().await?;
        wait_until("the play is over", PLAY_BOUND, async || {
            demo.process.check_running()?;
            Ok(demo.log().contains("Ctrl-C ends the demo").then_some(()))
        })
        .await
        .with_context(|| demo.process.log_tail())?;
        Ok(demo)
    }

    /// Starts `serinus demo`, whose play goes on.
    ///
    /// # Errors
    ///
    /// As [`SerinusProcess::serve`].
    pub async fn demo_that_plays() -> anyhow::Result<Self> {
        let mut command = Command::new(serinus_binary()?);
        command.arg("demo");
        Self::start(command).await
    }

    async fn start(command: Command) -> anyhow::Result<Self> {
        Self::start_on(command, None).await
    }

    async fn start_on(mut command: Command, port: Option<u16>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = match port {
            Some(port) => port,
            None => free_port()?,
        };
        let url = format!("http://127.0.0.1:{port}");
        command
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("SERINUS_LOG", LOG_FILTER)
            .current_dir(folder.path())
            // What it leaves behind when it is killed goes with it.
            .env("TMPDIR", folder.path());
        let mut process = ChildProcess::start("serinus", &mut command)?;
        let client = http_client()?;
        let ready_url = format!("{url}/readyz");
        wait_until("serinus is ready", READY_BOUND, async || {
            process.check_running()?;
            let answer = client.get(&ready_url).send().await;
            Ok(answer
                .is_ok_and(|response| response.status().is_success())
                .then_some(()))
        })
        .await
        .with_context(|| process.log_tail())?;
        Ok(Self {
            url,
            client,
            process,
            _folder: folder,
        })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port it listens on.
    ///
    /// # Errors
    ///
    /// Never, as long as the address ends in one.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.url.rsplit(':').next().unwrap_or_default().parse()?)
    }

    /// The process.
    pub fn process(&mut self) -> &mut ChildProcess {
        &mut self.process
    }

    /// Everything that the service has printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A request to the service.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Sends JSON and returns the status and the answer as JSON.
    ///
    /// # Errors
    ///
    /// When the answer is no JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        let request = self.request(reqwest::Method::POST, path).json(body);
        Reply::read(request).await
    }

    /// Asks for a path and returns the status and the answer as JSON.
    ///
    /// # Errors
    ///
    /// When the answer is no JSON.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        Reply::read(self.request(reqwest::Method::GET, path)).await
    }
}

impl Drop for SerinusProcess {
    fn drop(&mut self) {
        self.process.kill();
        let log = self.log();
        if let Some(line) = line_with_token(&log) {
            // A test that fails already says why, and a second panic would hide it.
            assert!(
                std::thread::panicking(),
                "a token is in the log of Serinus: {line}"
            );
        }
    }
}

/// An answer in JSON.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub content_type: String,
    /// The body.
    pub body: Value,
}

impl Reply {
    /// Sends a request and reads its answer.
    ///
    /// # Errors
    ///
    /// When there is no answer or it is no JSON.
    pub async fn read(request: reqwest::RequestBuilder) -> anyhow::Result<Self> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let text = response.text().await?;
        let body = serde_json::from_str(&text)
            .with_context(|| format!("status {status} without JSON: {text}"))?;
        Ok(Self {
            status,
            content_type,
            body,
        })
    }

    /// The text at a JSON pointer; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The number at a JSON pointer.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn number(&self, pointer: &str) -> anyhow::Result<f64> {
        self.body
            .pointer(pointer)
            .and_then(Value::as_f64)
            .with_context(|| format!("no number at {pointer} of {}", self.body))
    }
}
