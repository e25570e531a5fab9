//! A Prometheus that is down, slow, flapping or that answers garbage for a while: every gate answers
//! in time, holds and says why; afterwards the rollouts go on by themselves, and are judged as if
//! nothing had been.
//!
//! `make test` lets each fault last for seconds, `make prove-faults` for a whole minute.

mod data;
mod watch;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};
use serinus_tests::{FaultProxy, ProxyFault, RealPrometheus, SerinusProcess, now_ms};

use tempfile::TempDir;

use self::data::{GOOD, Story};
use self::watch::{Subject, Watched};
use crate::contract::{pipeline_with, set};

/// How long a fault lasts, in seconds, unless the variable says otherwise. More than the time
/// limits of a query (6 s) and of a judgement (7 s) together.
const DEFAULT_SECONDS: u64 = 16;

/// Names the number of seconds.
const SECONDS_VARIABLE: &str = "SERINUS_FAULT_SECONDS";

/// How long a slow Prometheus takes.
const SLOW: Duration = Duration::from_secs(20);

const INTERVAL_MS: i64 = 2_000;

/// How long ago the stage began when its rollout is started: there is something to judge at once.
const OLD: Duration = Duration::from_secs(6);

/// From the start of the rollouts to the end of the least that a stage takes: eight intervals, the
/// lag, and what is spread.
const STAGE: Duration = Duration::from_secs(19 - OLD.as_secs());

/// From the start of the rollouts to the faults that come in the middle of the stage.
const MIDDLE: Duration = Duration::from_secs(4);

/// From the start of the rollouts to when the bad canary turns bad: while the faults last.
const TURNS_BAD_AFTER: Duration = Duration::from_secs(6);

/// How soon a gate tells of a fault: the next interval, its lag, and asking.
const TOLD_WITHIN: Duration = Duration::from_secs(6);

/// How long a query that is not answered is waited for.
const QUERY_LIMIT: Duration = Duration::from_secs(6);

/// How soon after a fault a rollout that has its data is judged: the query that still hangs, the
/// pause before the next try, and asking.
const JUDGED_WITHIN: Duration = Duration::from_secs(15);

/// Rollouts that nobody polls, on the source that is slow: more than are judged at the same time.
const CROWD: usize = 24;

/// Each fault with the reason that its gates give; none where some requests pass.
const FAULTS: [(&str, ProxyFault, Option<&str>); 11] = [
    ("refused", ProxyFault::Refuse, Some("source_unavailable")),
    ("slow", ProxyFault::Slow(SLOW), Some("source_slow")),
    ("every-other-request", ProxyFault::EveryOtherRequest, None),
    ("every-other-second", ProxyFault::EveryOtherSecond, None),
    (
        "server-error",
        ProxyFault::ServerError,
        Some("source_failed"),
    ),
    ("html", ProxyFault::Html, Some("source_not_prometheus")),
    ("empty", ProxyFault::Empty, Some("source_not_prometheus")),
    (
        "other-shape",
        ProxyFault::OtherShape,
        Some("source_not_prometheus"),
    ),
    ("half", ProxyFault::HalfOfIt, Some("source_answer_cut")),
    ("cut", ProxyFault::Cut, Some("source_answer_cut")),
    ("nan", ProxyFault::NotANumber, Some("not_finite")),
];

/// What a gate may say while some requests fail and some do not.
const FLAPPING: [&str; 8] = [
    "still_collecting",
    "warming_up",
    "undecided",
    "partial_data",
    "source_failed",
    "source_answer_cut",
    "passed",
    "check_failed",
];

/// When a fault begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    /// Before the rollouts do.
    Before,
    /// When they were judged already.
    InTheMiddle,
}

/// A way to Prometheus that goes wrong.
struct Lane {
    source: String,
    proxy: FaultProxy,
    fault: ProxyFault,
    code: Option<&'static str>,
    begins: Begins,
}

/// The rollouts that were read over a lane, and when it was wrong.
struct Played {
    from: Instant,
    until: Instant,
    rollouts: Vec<Watched>,
}

/// When all happens, and to whom.
struct Plan {
    started: Instant,
    lasts: Duration,
    end: Instant,
    start_ms: i64,
    /// The canary that turns bad.
    bad: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_gate_holds_in_time_and_goes_on_as_if_nothing_had_been() -> anyhow::Result<()> {
    let lasts = fault_time()?;
    let story = Story::new(now_ms() / 1_000, i64::try_from(lasts.as_secs())? + 60);
    let prometheus = RealPrometheus::start_with_history("", &story.openmetrics()).await?;
    let lanes = lanes(prometheus.url()).await?;
    let crowded = FaultProxy::start(prometheus.url()).await?;
    let (serinus, _folder) = serve(&prometheus, &lanes, &crowded).await?;
    for lane in &lanes {
        if lane.begins == Begins::Before {
            lane.proxy.set(lane.fault).await?;
        }
    }
    crowded.set(ProxyFault::Slow(SLOW)).await?;

    let plan = Plan::new(story, lasts)?;
    let all = try_join_all(lanes.iter().map(|lane| lane.play(&serinus, &plan)));
    let direct = async {
        let of = async |canary: &str| {
            let subject = plan.subject("direct", canary);
            let mut one = subject.start(&serinus, format!("direct-{canary}")).await?;
            one.poll_until(&serinus, plan.end).await?;
            anyhow::Ok(one)
        };
        try_join(of(GOOD), of(&plan.bad)).await
    };
    let crowd = async {
        let starts = (0..CROWD).map(|one| {
            let subject = plan.subject("crowded", GOOD);
            subject.start(&serinus, format!("crowd-{one}"))
        });
        let crowd = try_join_all(starts).await?;
        tokio::time::sleep_until((plan.started + lasts).into()).await;
        crowded.set(ProxyFault::None).await?;
        anyhow::Ok(crowd)
    };
    let (played, ((good, bad), crowd)) = try_join(all, try_join(direct, crowd)).await?;

    for played in &played {
        played.report();
    }
    for (one, verdict) in [(&good, "promote"), (&bad, "rollback")] {
        let (given, at) = one.verdict()?;
        ensure!(given == verdict, "{} was given {given}", one.name);
        let took = at - plan.started;
        ensure!(took < STAGE + TOLD_WITHIN, "{} took {took:?}", one.name);
        one.judged_as_on(&serinus, "direct").await?;
    }
    for (lane, played) in lanes.iter().zip(&played) {
        for one in &played.rollouts {
            lane.assert_held(played, one)?;
            let direct = if one.subject.canary == GOOD {
                &good
            } else {
                &bad
            };
            plan.assert_went_on(played, one, direct)?;
            lane.assert_judged_alike(&serinus, one, direct).await?;
        }
    }
    for one in &crowd {
        one.judged_as_on(&serinus, "direct").await?;
    }
    Ok(())
}

impl Plan {
    /// Everything begins now.
    fn new(story: Story, lasts: Duration) -> anyhow::Result<Self> {
        let (started, now_ms) = (Instant::now(), now_ms());
        let old_ms = i64::try_from(OLD.as_millis())?;
        let turns_bad_at = now_ms / 1_000 + i64::try_from(TURNS_BAD_AFTER.as_secs())?;
        Ok(Self {
            started,
            lasts,
            end: started + MIDDLE + lasts.max(STAGE) + JUDGED_WITHIN + Duration::from_secs(2),
            start_ms: (now_ms - old_ms).div_euclid(INTERVAL_MS) * INTERVAL_MS,
            bad: story.turning_after(turns_bad_at)?,
        })
    }

    fn subject(&self, source: &str, canary: &str) -> Subject {
        Subject {
            pipeline: pipeline(),
            canary: canary.to_owned(),
            source: source.to_owned(),
            start_ms: self.start_ms,
        }
    }

    /// After the fault the rollout comes by itself to the verdict that it comes to without.
    fn assert_went_on(
        &self,
        played: &Played,
        one: &Watched,
        direct: &Watched,
    ) -> anyhow::Result<()> {
        let (verdict, at) = one.verdict()?;
        let (expected, _) = direct.verdict()?;
        ensure!(verdict == expected, "{} was given {verdict}", one.name);
        let has_data_at = played.until.max(self.started + STAGE);
        let took = at.saturating_duration_since(has_data_at);
        ensure!(took < JUDGED_WITHIN, "{} took {took:?}", one.name);
        Ok(())
    }
}

impl Played {
    /// Prints what was seen.
    fn report(&self) {
        for one in &self.rollouts {
            let after = match one.verdict() {
                Ok((verdict, at)) => {
                    let after = at.saturating_duration_since(self.until);
                    format!("{verdict} {:.1} s after", after.as_secs_f64())
                }
                Err(error) => error.to_string(),
            };
            println!(
                "{:<34} {:3} answers, slowest {:4} ms, meanwhile {:?}, {after}",
                one.name,
                one.polled.len(),
                one.slowest().as_millis(),
                one.codes(self.from, self.until),
            );
        }
    }
}

fn fault_time() -> anyhow::Result<Duration> {
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().context(SECONDS_VARIABLE)?,
        Err(_) => DEFAULT_SECONDS,
    };
    ensure!(
        seconds >= DEFAULT_SECONDS,
        "{SECONDS_VARIABLE} is too short"
    );
    Ok(Duration::from_secs(seconds))
}

/// Two checks on counts: one absolute, one against the control.
fn pipeline() -> Value {
    let mut pipeline = pipeline_with(
        &json!({"error_rate": {
            "errors": "http_requests_total{code=~\"5..\"}",
            "total": "http_requests_total",
        }}),
        &json!([
            "error_rate < 5%",
            {"check": "error_rate < baseline * 1.5", "promote_ratio": 2},
        ]),
        0.25,
    );
    let settings = json!({
        "method": "sequential", "interval": "2s", "lag": "1s", "split_check": "off",
    });
    set(&mut pipeline, "analysis", settings);
    pipeline
}

async fn lanes(upstream: &str) -> anyhow::Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for (name, fault, code) in FAULTS {
        for (begins, when) in [(Begins::Before, "before"), (Begins::InTheMiddle, "middle")] {
            lanes.push(Lane {
                source: format!("{name}-{when}"),
                proxy: FaultProxy::start(upstream).await?,
                fault,
                code,
                begins,
            });
        }
    }
    Ok(lanes)
}

/// One Serinus that reads every lane, and Prometheus itself. It knows a pipeline for each lane.
async fn serve(
    prometheus: &RealPrometheus,
    lanes: &[Lane],
    crowded: &FaultProxy,
) -> anyhow::Result<(SerinusProcess, TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut sources = vec![
        format!("direct={}", prometheus.url()),
        format!("crowded={}", crowded.url()),
    ];
    for lane in lanes {
        sources.push(format!("{}={}", lane.source, lane.proxy.url()));
        let file = folder.path().join(format!("{}.yaml", lane.source));
        std::fs::write(file, lane.pipeline().to_string())?;
    }
    let pipelines = folder.path().display().to_string();
    let serinus = SerinusProcess::serve_with_arguments(&[
        "--sources",
        &sources.join(","),
        "--default-source",
        "direct",
        "--pipelines",
        &pipelines,
        "--rate-limit-per-second",
        "0",
    ])
    .await?;
    Ok((serinus, folder))
}

impl Lane {
    /// A pipeline of its own, which names the source.
    fn pipeline(&self) -> Value {
        let mut own = pipeline();
        set(&mut own, "name", json!(self.source));
        set(&mut own, "source", json!(self.source));
        own
    }

    /// Starts a good and a bad rollout, and one by the first call of its gate, polls them to the
    /// end, and lets the fault come and go.
    async fn play(&self, serinus: &SerinusProcess, plan: &Plan) -> anyhow::Result<Played> {
        let follow = async |canary: &str, name: &str, is_called: bool| {
            let mut subject = plan.subject(&self.source, canary);
            let name = format!("{}-{name}", self.source);
            let mut watched = if is_called {
                subject.pipeline = self.pipeline();
                subject.call(serinus, name).await?
            } else {
                subject.start(serinus, name).await?
            };
            watched.poll_until(serinus, plan.end).await?;
            anyhow::Ok(watched)
        };
        let rollouts = try_join_all([
            follow(GOOD, "good", false),
            follow(&plan.bad, "bad", false),
            follow(GOOD, "called", true),
        ]);
        let fault = async {
            let mut from = plan.started;
            if self.begins == Begins::InTheMiddle {
                tokio::time::sleep_until((from + MIDDLE).into()).await;
                self.proxy.set(self.fault).await?;
                from = Instant::now();
            }
            let until = from + plan.lasts;
            tokio::time::sleep_until(until.into()).await;
            self.proxy.set(ProxyFault::None).await?;
            anyhow::Ok((from, until))
        };
        let ((from, until), rollouts) = try_join(fault, rollouts).await?;
        let is_wrong = self.proxy.spoiled() > 0 || self.fault == ProxyFault::Refuse;
        ensure!(is_wrong, "{}: nothing went wrong", self.source);
        Ok(Played {
            from,
            until,
            rollouts,
        })
    }

    /// While the fault lasts the gate holds, for the right reason.
    fn assert_held(&self, played: &Played, one: &Watched) -> anyhow::Result<()> {
        let time = (played.from, played.until);
        let Some(code) = self.code else {
            let codes = one.codes(played.from, played.until);
            let is_known = |code: &&str| FLAPPING.contains(code);
            ensure!(codes.keys().all(is_known), "{}: {codes:?}", one.name);
            return Ok(());
        };
        let before: &[&str] = match self.begins {
            Begins::Before => &["still_collecting"],
            Begins::InTheMiddle => &["warming_up", "undecided"],
        };
        if self.begins == Begins::InTheMiddle {
            // It was judged before, and will be again.
            let judged = one.code_before(played.from);
            ensure!(before.contains(&judged), "{} was {judged:?}", one.name);
        }
        let within = match self.fault {
            ProxyFault::Slow(_) => TOLD_WITHIN + QUERY_LIMIT,
            _ => TOLD_WITHIN,
        };
        one.holds_for(time, before, (code, within))
    }

    /// What was recorded is what the same window says where nothing was wrong, and what was recorded
    /// there is what this source says now.
    async fn assert_judged_alike(
        &self,
        serinus: &SerinusProcess,
        one: &Watched,
        direct: &Watched,
    ) -> anyhow::Result<()> {
        one.judged_as_on(serinus, "direct").await?;
        let without = direct.recorded(serinus).await?;
        let end = without.pointer("/window/end").context("no window")?;
        let now = direct.subject.analysed(serinus, &self.source, end).await?;
        ensure!(now == without, "{}: {now:#}\nis not\n{without:#}", one.name);
        Ok(())
    }
}
