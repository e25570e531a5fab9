//! Ports, deadlines and the HTTP client that all helpers share.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long to wait between two looks at something that is not ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Returns a loopback port that was free a moment ago.
///
/// # Errors
///
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
    Ok(listener.local_addr()?.port())
}

/// Returns a client that gives up after 30 seconds and never follows a redirect: what a machine
/// polls must not redirect.
///
/// # Errors
///
/// When the client cannot be built.
pub fn http_client() -> anyhow::Result<reqwest::Client> {
    install_tls();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot build an HTTP client")
}

/// Chooses the implementation of TLS for this process.
pub(crate) fn install_tls() {
    // An error means that another test of this process was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns the wall clock's time in milliseconds since 1970.
pub fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Asks again and again until the answer is `Ok(Some(value))`, and returns the value.
///
/// # Errors
///
/// The first error of the question, or a text that names `what` when the bound has passed.
pub async fn wait_until<T>(
    what: &str,
    bound: Duration,
    mut question: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = question().await? {
            return Ok(value);
        }
        if started.elapsed() > bound {
            bail!("waited {} s in vain: {what}", bound.as_secs_f64());
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
