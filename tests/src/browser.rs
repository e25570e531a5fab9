//! A headless Chromium, driven through ChromeDriver by the little of WebDriver that tests need.
//!
//! Written here because the clients on offer bring a second HTTP stack for five calls.
//!
//! Source: W3C, "WebDriver", <https://www.w3.org/TR/webdriver2/>.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::{free_port, http_client, wait_until};
use crate::process::{ChildProcess, find_program};

/// How long ChromeDriver and Chromium may take to start.
const START_BOUND: Duration = Duration::from_mins(1);

/// How long the browser may take to close.
const CLOSE_BOUND: Duration = Duration::from_secs(10);

/// No sandbox, because tests run as root in containers; and nothing that calls home.
const CHROMIUM_ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,2000",
];

/// A browser with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    client: reqwest::Client,
    port: u16,
    session: String,
    // Dropped in this order: the driver ends after the session, the profile after both.
    _driver: ChildProcess,
    profile: TempDir,
}

impl Browser {
    /// Starts a browser.
    ///
    /// # Errors
    ///
    /// When Chromium or ChromeDriver are not installed or do not start.
    pub async fn start() -> anyhow::Result<Self> {
        let chromium = find_program("chromium")?;
        let port = free_port()?;
        let mut driver = ChildProcess::start(
            "chromedriver",
            Command::new(find_program("chromedriver")?).arg(format!("--port={port}")),
        )?;
        let client = http_client()?;
        let status_url = format!("http://127.0.0.1:{port}/status");
        wait_until("ChromeDriver is ready", START_BOUND, async || {
            driver.check_running()?;
            let answer = client.get(&status_url).send().await;
            Ok(answer
                .is_ok_and(|response| response.status().is_success())
                .then_some(()))
        })
        .await?;

        let profile = tempfile::tempdir()?;
        let mut arguments = CHROMIUM_ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
        }}});
        let url = format!("http://127.0.0.1:{port}/session");
        let request = client.post(url).timeout(START_BOUND).json(&capabilities);
        let created = value_of(request).await.with_context(|| driver.log_tail())?;
        let session = created
            .pointer("/sessionId")
            .and_then(Value::as_str)
            .context("a session without an id")?
            .to_owned();
        Ok(Self {
            client,
            port,
            session,
            _driver: driver,
            profile,
        })
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// When it cannot be loaded.
    pub async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.command("url", &json!({"url": url})).await?;
        Ok(())
    }

    /// Runs the body of a JavaScript function and returns what it returns.
    ///
    /// # Errors
    ///
    /// When the script throws.
    pub async fn execute(&self, script: &str) -> anyhow::Result<Value> {
        let body = json!({"script": script, "args": []});
        self.command("execute/sync", &body).await
    }

    /// Waits until a script returns something else than null and false, and returns that.
    ///
    /// # Errors
    ///
    /// When it does not within the bound.
    pub async fn wait_for(
        &self,
        what: &str,
        bound: Duration,
        script: &str,
    ) -> anyhow::Result<Value> {
        wait_until(what, bound, async || {
            let value = self.execute(script).await?;
            let is_nothing = value.is_null() || value == Value::Bool(false);
            Ok((!is_nothing).then_some(value))
        })
        .await
    }

    /// Waits until an element is there, scrolls to it and clicks on it, as a person does: an
    /// element that is covered by another cannot be clicked.
    ///
    /// # Errors
    ///
    /// When it is not there within the bound, or something covers it.
    pub async fn click(&self, css_selector: &str, bound: Duration) -> anyhow::Result<()> {
        let find = json!({"using": "css selector", "value": css_selector});
        let element = wait_until(css_selector, bound, async || {
            let found = self.command("elements", &find).await?;
            let first = found.pointer("/0").and_then(Value::as_object);
            let id = first.and_then(|fields| fields.values().next());
            Ok(id.and_then(Value::as_str).map(str::to_owned))
        })
        .await?;
        self.command(&format!("element/{element}/click"), &json!({}))
            .await
            .with_context(|| format!("cannot click on {css_selector}"))?;
        Ok(())
    }

    /// Saves what the window shows as a PNG file.
    ///
    /// # Errors
    ///
    /// When it cannot be taken or written.
    pub async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let request = self.client.get(self.session_url("screenshot"));
        let encoded = value_of(request).await?;
        let text = encoded.as_str().context("a screenshot that is no text")?;
        std::fs::write(file, BASE64.decode(text)?)?;
        Ok(())
    }

    /// The folder of the profile, removed with the browser.
    pub fn profile_folder(&self) -> &Path {
        self.profile.path()
    }

    async fn command(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        value_of(self.client.post(self.session_url(path)).json(body)).await
    }

    fn session_url(&self, path: &str) -> String {
        format!(
            "http://127.0.0.1:{}/session/{}/{path}",
            self.port, self.session
        )
    }
}

impl Drop for Browser {
    /// Closes the session, and with it all processes of the browser. By hand, because there may
    /// be no runtime any more.
    fn drop(&mut self) {
        let close = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(CLOSE_BOUND))?;
            write!(
                stream,
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                self.session, self.port
            )?;
            stream.read_exact(&mut [0; 12])
        };
        // Without an answer the driver is killed next, and its browser ends with it.
        let _ = close();
    }
}

/// Sends a command and returns the `value` of its answer.
async fn value_of(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let mut answer: Value = request.send().await?.json().await?;
    if let Some(error) = answer.pointer("/value/error") {
        let message = answer
            .pointer("/value/message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        bail!("the browser says {error}: {message}");
    }
    Ok(answer
        .pointer_mut("/value")
        .map_or(Value::Null, Value::take))
}
