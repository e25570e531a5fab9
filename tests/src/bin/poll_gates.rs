//! A client that polls the gates of many rollouts, as that many deployments would.
//! `scripts/prove-load.py` runs it.
//!
//! ```text
//! poll_gates SECONDS EVERY_SECONDS AT_ONCE FILE
//! ```
//!
//! The file has a URL a line. Each is asked every so many seconds, all evenly spread, on connections
//! that are kept, for so many seconds; with 0 seconds each is asked once, as fast as they are
//! answered. At most so many are asked at the same time. Prints a line of JSON. The time of a poll
//! runs from when it was due, not from when it was sent: a server that is slow for one makes the
//! next ones wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use serinus_tests::http_client;
use tokio::sync::{Semaphore, mpsc};

/// What became of one poll.
struct Polled {
    took: Duration,
    /// The verdict, or what went wrong.
    told: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [seconds, every_seconds, at_once, file] = arguments.as_slice() else {
        bail!("usage: poll_gates SECONDS EVERY_SECONDS AT_ONCE FILE");
    };
    let seconds: f64 = seconds.parse()?;
    let every_seconds: f64 = every_seconds.parse()?;
    let turns = Arc::new(Semaphore::new(at_once.parse()?));
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let urls: Vec<Arc<str>> = text.lines().map(Arc::from).collect();
    let client = http_client()?;

    let polls = polls(seconds, every_seconds, urls.len());
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let began = Instant::now();
    let sending = async move {
        for (number, url) in urls.iter().cycle().take(polls).enumerate() {
            let due = began + pause(seconds, every_seconds, urls.len()).mul_f64(number as f64);
            tokio::time::sleep_until(due.into()).await;
            let turn = Arc::clone(&turns).acquire_owned().await;
            let due = if seconds > 0.0 { due } else { Instant::now() };
            let (client, url, sender) = (client.clone(), Arc::clone(url), sender.clone());
            tokio::spawn(async move {
                let told = poll(&client, &url).await;
                let polled = Polled {
                    took: due.elapsed(),
                    told: told.unwrap_or_else(|error| format!("failed: {error:#}")),
                };
                // Nobody listens only when the process ends.
                let _ = sender.send(polled);
                drop(turn);
            });
        }
    };
    let mut times = Vec::with_capacity(polls);
    let mut told = BTreeMap::<String, usize>::new();
    let receiving = async {
        while let Some(polled) = receiver.recv().await {
            times.push(polled.took);
            *told.entry(polled.told).or_default() += 1;
        }
    };
    tokio::join!(sending, receiving);
    let report = report(&mut times, &told, began.elapsed());
    #[expect(clippy::print_stdout, reason = "this is what it is run for")]
    {
        println!("{report}");
    }
    Ok(())
}

/// How many polls there are.
fn polls(seconds: f64, every_seconds: f64, urls: usize) -> usize {
    if seconds <= 0.0 {
        return urls;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of floats ends at the bounds"
    )]
    let rounds = (seconds / every_seconds * urls as f64) as usize;
    rounds
}

/// The time between two polls.
fn pause(seconds: f64, every_seconds: f64, urls: usize) -> Duration {
    if seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(every_seconds / urls.max(1) as f64)
}

async fn poll(client: &reqwest::Client, url: &str) -> anyhow::Result<String> {
    let response = client.get(url).send().await?;
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(&response.bytes().await?)?;
    match body.get("verdict").and_then(Value::as_str) {
        Some(verdict) if status == 200 => {
            let code = body.get("reason_code").and_then(Value::as_str);
            Ok(format!("{verdict} {}", code.unwrap_or_default()))
        }
        _ => bail!("status {status}: {body}"),
    }
}

fn report(times: &mut [Duration], told: &BTreeMap<String, usize>, took: Duration) -> Value {
    times.sort_unstable();
    let quantile = |per_mille: usize| {
        let index = (times.len() * per_mille).div_ceil(1_000).max(1) - 1;
        times.get(index).map(|time| time.as_secs_f64() * 1e3)
    };
    json!({
        "polls": times.len(),
        "seconds": took.as_secs_f64(),
        "p50_ms": quantile(500),
        "p99_ms": quantile(990),
        "p999_ms": quantile(999),
        "max_ms": quantile(1_000),
        "told": told,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_url_is_polled_at_its_interval() {
        assert_eq!(polls(180.0, 10.0, 1_000), 18_000);
        assert_eq!(pause(180.0, 10.0, 1_000), Duration::from_millis(10));
        assert_eq!(polls(0.0, 10.0, 7), 7);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_times() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let report = report(&mut times, &BTreeMap::new(), Duration::from_secs(1));
        assert_eq!(report["p50_ms"], 100.0);
        assert_eq!(report["p99_ms"], 198.0);
        assert_eq!(report["max_ms"], 200.0);
    }
}
