//! A real Prometheus with a past and a future, and the real Serinus on it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::Value;
use serinus_tests::{
    RealPrometheus, Reply, SerinusProcess, ServeOptions, now_ms, repository_path, wait_until,
};
use tempfile::TempDir;

/// Seconds of samples before and after the start of a test: what is in the future is found when
/// its time has come.
const PAST_SECONDS: i64 = 120;
const FUTURE_SECONDS: i64 = 240;

/// Requests a second and track.
const RATE: i64 = 1_000;

/// How long a stage lasts that is over in a test, but for the interval in which it began.
pub(super) const STAGE: Duration = Duration::from_millis(6_800);

/// How long to wait for what comes within seconds.
const SOON: Duration = Duration::from_secs(30);

/// Every track has the same traffic, whatever share a stage has: the split is not looked at.
/// Stages are over after eight intervals of a second; one of an hour is not over in any test. No
/// pipeline says which pods are which: the callers do, or what is meant by default. One whose name
/// begins with `dry` is a dry run.
const PIPELINES: [(&str, &str); 7] = [
    (
        "checkout",
        "stage_1: {traffic_percent: 10, duration_minutes: 0.13, metrics: [error_rate < 5%]}\n  \
         stage_2: {traffic_percent: 50, duration_minutes: 0.13}",
    ),
    (
        "four",
        "s1: {traffic_percent: 1, duration_minutes: 0.13, metrics: [error_rate < 5%]}\n  \
         s2: {traffic_percent: 5, duration_minutes: 0.13}\n  \
         s3: {traffic_percent: 25, duration_minutes: 0.13}\n  \
         s4: {traffic_percent: 50, duration_minutes: 0.13}",
    ),
    (
        "slow",
        "stage_1: {traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < 5%]}",
    ),
    (
        "slow_first",
        "stage_1: {traffic_percent: 10, duration_minutes: 60, metrics: [error_rate < 5%]}\n  \
         stage_2: {traffic_percent: 50, duration_minutes: 0.13}",
    ),
    (
        "dry",
        "stage_1: {traffic_percent: 10, duration_minutes: 0.13, metrics: [error_rate < 5%]}\n  \
         stage_2: {traffic_percent: 50, duration_minutes: 0.13}",
    ),
    ("three", THREE_STAGES),
    ("dry_three", THREE_STAGES),
];

/// Three stages, the second a shadow stage, each with a check of its own, and with the intervals that
/// a verdict needs within its duration.
const THREE_STAGES: &str = "stage_1: {traffic_percent: 10, duration_minutes: 0.15, metrics: [error_rate < 5%]}\n  \
     stage_2: {traffic_percent: 25, duration_minutes: 0.15, shadow: true, metrics: [search_errors < 5%]}\n  \
     stage_3: {traffic_percent: 50, duration_minutes: 0.15, metrics: [payment_errors < 5%]}";

/// A track, its version, and its failures a second: of all requests, of searches, of payments.
type Track = (&'static str, &'static str, [i64; 3]);

/// What is deployed. A canary has the track of a default canary when it is fine, so that a caller may
/// say nothing of it.
const TRACKS: [Track; 5] = [
    ("stable", "stable", [10, 10, 10]),
    ("canary", "good", [10, 10, 10]),
    ("bad", "bad", [200, 10, 10]),
    ("bad_in_shadow", "bad_in_shadow", [10, 200, 10]),
    ("bad_in_last", "bad_in_last", [10, 10, 200]),
];

/// What is deployed in another namespace, where there is one: the same version, which is bad there.
const ELSEWHERE: [Track; 2] = [
    ("stable_elsewhere", "stable", [10, 10, 10]),
    ("canary_elsewhere", "good", [200, 10, 10]),
];

/// Where the tests deploy.
pub(super) const NAMESPACE: &str = "shop";

/// Where somebody else does, in the one test that looks at it.
pub(super) const ANOTHER_NAMESPACE: &str = "elsewhere";

/// Prometheus and Serinus.
pub(super) struct Bench {
    pub(super) prometheus: RealPrometheus,
    pub(super) serinus: SerinusProcess,
    options: ServeOptions,
    folder: TempDir,
}

impl Bench {
    /// One Serinus, with its own store file.
    pub(super) async fn start() -> anyhow::Result<Self> {
        Self::start_with(false, None, &history()).await
    }

    /// One Serinus that shares its store file.
    pub(super) async fn start_shared() -> anyhow::Result<Self> {
        Self::start_with(true, None, &history()).await
    }

    /// One Serinus that clients reach under a public name.
    pub(super) async fn start_public(url: &str) -> anyhow::Result<Self> {
        Self::start_with(false, Some(url.to_owned()), &history()).await
    }

    /// One Serinus, whose Prometheus knows two namespaces.
    pub(super) async fn start_beside_another_namespace() -> anyhow::Result<Self> {
        let elsewhere = ELSEWHERE.map(|track| (ANOTHER_NAMESPACE, track));
        let all: Vec<_> = here().chain(elsewhere).collect();
        Self::start_with(false, None, &history_of(&all)).await
    }

    async fn start_with(
        is_store_shared: bool,
        public_url: Option<String>,
        history: &str,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let prometheus = RealPrometheus::start_with_history("", history).await?;
        let pipelines = folder.path().join("pipelines");
        write_pipelines(&pipelines)?;
        let options = ServeOptions {
            prometheus_url: prometheus.url().to_owned(),
            pipelines,
            store: Some(folder.path().join("serinus.db")),
            is_store_shared,
            port: None,
            public_url,
        };
        let serinus = SerinusProcess::serve_with(&options).await?;
        Ok(Self {
            prometheus,
            serinus,
            options,
            folder,
        })
    }

    /// Another Serinus on the same store file.
    pub(super) async fn replica(&self) -> anyhow::Result<SerinusProcess> {
        ensure!(self.options.is_store_shared && self.folder.path().is_dir());
        SerinusProcess::serve_with(&self.options).await
    }

    /// Kills Serinus without a warning.
    pub(super) fn kill(&mut self) {
        self.serinus.process().kill();
    }

    /// Starts Serinus again, on the same port and store file.
    pub(super) async fn start_again(&mut self) -> anyhow::Result<()> {
        let options = ServeOptions {
            port: Some(self.serinus.port()?),
            ..self.options.clone()
        };
        self.serinus = SerinusProcess::serve_with(&options).await?;
        Ok(())
    }

    /// How many rollouts of a pipeline there are.
    pub(super) async fn rollouts(&self, pipeline: &str) -> anyhow::Result<usize> {
        let reply = self
            .serinus
            .get(&format!("/v1/rollouts?pipeline={pipeline}"))
            .await?;
        let listed = reply.body.pointer("/rollouts").and_then(Value::as_array);
        Ok(listed.context("no list")?.len())
    }

    /// All that is told of the newest rollout with a key.
    pub(super) async fn rollout(&self, pipeline: &str, key: &str) -> anyhow::Result<Reply> {
        let listed = self
            .serinus
            .get(&format!("/v1/rollouts?pipeline={pipeline}"))
            .await?;
        let all = listed.body.pointer("/rollouts").and_then(Value::as_array);
        let newest = all
            .into_iter()
            .flatten()
            .filter(|one| one["key"] == key)
            .max_by_key(|one| one["attempt"].as_i64());
        let id = newest.and_then(|one| one["rollout"].as_str());
        let id = id.with_context(|| format!("no {key} in {}", listed.body))?;
        self.serinus.get(&format!("/v1/rollouts/{id}")).await
    }

    /// The trail of a rollout, the oldest event first.
    pub(super) async fn trail(&self, rollout: &Reply) -> anyhow::Result<Vec<Value>> {
        let path = format!("/v1/rollouts/{}/events", rollout.text("/rollout"));
        let reply = self.serinus.get(&path).await?;
        let events = reply.body.pointer("/events").and_then(Value::as_array);
        Ok(events.context("no events")?.clone())
    }
}

/// How far each stage of a rollout is.
pub(super) fn stages(rollout: &Reply) -> Vec<(&str, &str)> {
    let listed = rollout.body.pointer("/stages").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(|stage| Some((stage["stage"].as_str()?, stage["state"].as_str()?)))
        .collect()
}

/// Asks a gate, and holds the answer against what every caller needs.
pub(super) async fn ask(
    serinus: &SerinusProcess,
    pipeline: &str,
    stage: &str,
    query: &str,
) -> anyhow::Result<Reply> {
    let path = format!("/v1/pipelines/{pipeline}/stages/{stage}/gate?{query}");
    let reply = Reply::read(serinus.request(Method::GET, &path)).await?;
    assert_gate(&reply);
    Ok(reply)
}

/// What every answer of a gate is.
pub(super) fn assert_gate(reply: &Reply) {
    let shown = format!("{} {}", reply.status, reply.body);
    assert_eq!(reply.status, 200, "{shown}");
    assert_eq!(reply.content_type, "application/json", "{shown}");
    let verdict = reply.text("/verdict");
    assert!(
        ["promote", "hold", "rollback"].contains(&verdict),
        "{shown}"
    );
    assert_eq!(reply.text("/gate/verdict"), verdict, "{shown}");
    for field in ["/gate/reason", "/progress", "/reason_code"] {
        assert!(!reply.text(field).is_empty(), "{field}: {shown}");
    }
    assert!(reply.body.to_string().len() <= 4_096, "{shown}");
}

/// Asks until the gate says what is looked for at the pointer.
pub(super) async fn ask_until(
    serinus: &SerinusProcess,
    (pipeline, stage, query): (&str, &str, &str),
    (pointer, expected): (&str, &str),
) -> anyhow::Result<Reply> {
    let what = format!("{pointer} becomes {expected}");
    wait_until(&what, SOON, async || {
        let reply = ask(serinus, pipeline, stage, query).await?;
        Ok((reply.text(pointer) == expected).then_some(reply))
    })
    .await
}

/// The time that many seconds ago, as requests carry it.
pub(super) fn seconds_ago(seconds: i64) -> String {
    let time = Utc::now() - TimeDelta::seconds(seconds);
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads a shipped manifest of one or more documents.
pub(super) fn manifest(path: &str) -> anyhow::Result<Vec<Value>> {
    let path = repository_path("examples").join(path);
    let text = std::fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    serde_saphyr::from_multiple(&text).with_context(|| path.display().to_string())
}

/// Reads a shipped manifest of one document.
pub(super) fn document(path: &str) -> anyhow::Result<Value> {
    let mut all = manifest(path)?;
    ensure!(all.len() == 1, "{path} has {} documents", all.len());
    all.pop().context("no document")
}

fn write_pipelines(folder: &PathBuf) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    let metrics: String = [("error_rate", 500), ("search_errors", 501), ("payment_errors", 502)]
        .map(|(name, code)| {
            format!(
                "  {name}: {{errors: 'http_requests_total{{code=\"{code}\"}}', total: http_requests_total}}\n"
            )
        })
        .concat();
    // What callers do is tried in seconds, in which no evidence over time could be gathered: that grows by six
    // nats a minute at most.
    for (name, stages) in PIPELINES {
        let is_dry = name.starts_with("dry");
        let text = format!(
            "name: {name}\ndry_run: {is_dry}\nmetrics:\n\
             {metrics}\
             analysis: {{method: wilson, interval: 1s, lag: 0s, split_check: off}}\ncanary_pipeline:\n  {stages}\n"
        );
        std::fs::write(Path::new(folder).join(format!("{name}.yaml")), text)?;
    }
    Ok(())
}

fn here() -> impl Iterator<Item = (&'static str, Track)> {
    TRACKS.into_iter().map(|track| (NAMESPACE, track))
}

fn history() -> String {
    history_of(&here().collect::<Vec<_>>())
}

/// Two samples a second of each track. Every label that a shipped manifest selects by has the name
/// of what is deployed there.
fn history_of(tracks: &[(&str, Track)]) -> String {
    let now = now_ms() / 1_000;
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for (namespace, (track, name, failures)) in tracks {
        let served = RATE - failures.iter().sum::<i64>();
        let rates = [200, 500, 501, 502]
            .into_iter()
            .zip([served].into_iter().chain(*failures));
        for (code, rate) in rates {
            for half in 0..2 * (PAST_SECONDS + FUTURE_SECONDS) {
                let value = half * rate / 2;
                let at = now - PAST_SECONDS + half / 2;
                let part = if half % 2 == 0 { "000" } else { "500" };
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "http_requests_total{{track=\"{track}\",rollouts_pod_template_hash=\"{name}\",\
                     version=\"{name}\",app=\"{name}\",namespace=\"{namespace}\",instance=\"{name}-1\",code=\"{code}\"}} \
                     {value} {at}.{part}"
                );
            }
        }
    }
    text.push_str("# EOF\n");
    text
}
