//! Starts a program on a port of its own and waits until it answers there.

use std::time::Duration;

use crate::network::{free_port, wait_until};
use crate::process::ChildProcess;

/// How long a program may take to become ready.
const READY_BOUND: Duration = Duration::from_secs(30);

/// How often a start is tried: another process may take the port between the choice and the use.
const START_ATTEMPTS: usize = 3;

/// Starts a program on a free loopback port, and returns its base URL, without a slash at its end,
/// and its process, as soon as it is ready.
///
/// # Errors
///
/// When it cannot be started, ends early, or is not ready in time.
pub(crate) async fn start_listening(
    client: &reqwest::Client,
    ready_path: &str,
    launch: impl Fn(u16) -> anyhow::Result<ChildProcess>,
) -> anyhow::Result<(String, ChildProcess)> {
    let mut attempt = 1;
    loop {
        let port = free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let mut process = launch(port)?;
        match wait_until_ready(client, &format!("{url}{ready_path}"), &mut process).await {
            Ok(()) => return Ok((url, process)),
            Err(error) if attempt == START_ATTEMPTS || !is_port_clash(&process) => {
                return Err(error);
            }
            Err(_) => attempt += 1,
        }
    }
}

/// Waits until a process answers at the address at which it says that it is ready.
///
/// # Errors
///
/// When it ends early, or is not ready in time.
pub(crate) async fn wait_until_ready(
    client: &reqwest::Client,
    url: &str,
    process: &mut ChildProcess,
) -> anyhow::Result<()> {
    wait_until(&format!("{url} answers"), READY_BOUND, async || {
        process.check_running()?;
        let answer = client.get(url).send().await;
        Ok(answer
            .is_ok_and(|response| response.status().is_success())
            .then_some(()))
    })
    .await
}

fn is_port_clash(process: &ChildProcess) -> bool {
    process.log().contains("address already in use")
}
