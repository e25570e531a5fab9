//! A way to Prometheus that goes wrong for a while, and the rollouts that are read over it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::{try_join, try_join_all};
use serde_json::{Value, json};
use serinus_tests::{FaultProxy, ProxyFault, SerinusProcess, now_ms};

use super::data::{GOOD, Story};
use super::watch::{Subject, Watched};
use super::{AFTER, INTERVAL_MS, JUDGED_WITHIN, QUERY_LIMIT, TOLD_WITHIN, pipeline};
use crate::contract::set;

/// How long a slow Prometheus takes.
pub(super) const SLOW: Duration = Duration::from_secs(20);

/// How long ago the stage began when its rollout is started: there is something to judge at once.
const OLD: Duration = Duration::from_secs(6);

/// From the start of the rollouts to the end of the least that a stage takes: eight intervals, the
/// lag, and what is spread.
pub(super) const STAGE: Duration = Duration::from_secs(19 - OLD.as_secs());

/// From the start of the rollouts to the faults that come in the middle of the stage.
const MIDDLE: Duration = Duration::from_secs(5);

/// From the start of the rollouts to when the bad canary turns bad: while the faults last.
const TURNS_BAD_AFTER: Duration = Duration::from_secs(5);

/// Each fault with the reason that its gates give; none where some requests pass.
const FAULTS: [(&str, ProxyFault, Option<&str>); 12] = [
    ("refused", ProxyFault::Refuse, Some("source_unavailable")),
    ("slow", ProxyFault::Slow(SLOW), Some("source_slow")),
    ("every-other-request", ProxyFault::EveryOtherRequest, None),
    ("flapping", ProxyFault::Flapping, None),
    (
        "server-error",
        ProxyFault::ServerError,
        Some("source_failed"),
    ),
    ("too-many", ProxyFault::TooManyRequests, Some("source_slow")),
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
pub(super) enum Begins {
    /// Before the rollouts do.
    Before,
    /// When they were judged already.
    InTheMiddle,
}

/// A way to Prometheus that goes wrong.
pub(super) struct Lane {
    pub(super) source: String,
    pub(super) proxy: FaultProxy,
    pub(super) fault: ProxyFault,
    code: Option<&'static str>,
    pub(super) begins: Begins,
}

/// The rollouts that were read over a lane, and when it was wrong.
pub(super) struct Played {
    pub(super) from: Instant,
    pub(super) until: Instant,
    pub(super) rollouts: Vec<Watched>,
}

/// When all happens, and to whom.
pub(super) struct Plan {
    pub(super) started: Instant,
    pub(super) lasts: Duration,
    start_ms: i64,
    /// The canary that turns bad.
    pub(super) bad: String,
}

impl Plan {
    /// Everything begins now.
    pub(super) fn new(story: Story, lasts: Duration) -> anyhow::Result<Self> {
        let (started, now_ms) = (Instant::now(), now_ms());
        let old_ms = i64::try_from(OLD.as_millis())?;
        let turns_bad_at = now_ms / 1_000 + i64::try_from(TURNS_BAD_AFTER.as_secs())?;
        Ok(Self {
            started,
            lasts,
            start_ms: (now_ms - old_ms).div_euclid(INTERVAL_MS) * INTERVAL_MS,
            bad: story.turning_after(turns_bad_at)?,
        })
    }

    /// Until when gates are polled: at least, and at most.
    pub(super) fn polls(&self) -> (Instant, Instant) {
        let over = self.started + MIDDLE + self.lasts;
        (
            over + AFTER,
            over.max(self.started + STAGE) + JUDGED_WITHIN + AFTER,
        )
    }

    pub(super) fn subject(&self, source: &str, canary: &str) -> Subject {
        Subject {
            pipeline: pipeline(),
            canary: canary.to_owned(),
            source: source.to_owned(),
            start_ms: self.start_ms,
        }
    }

    /// After the fault the rollout comes by itself to the verdict that it comes to without.
    pub(super) fn assert_went_on(
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

/// Every fault, once from the beginning and once from the middle on.
pub(super) async fn lanes(upstream: &str) -> anyhow::Result<Vec<Lane>> {
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

impl Lane {
    /// A pipeline of its own, which names the source.
    pub(super) fn pipeline(&self) -> Value {
        let mut own = pipeline();
        set(&mut own, "name", json!(self.source));
        set(&mut own, "source", json!(self.source));
        own
    }

    /// Starts a good and a bad rollout, and one by the first call of its gate, polls them to the
    /// end, and lets the fault come and go.
    pub(super) async fn play(
        &self,
        serinus: &SerinusProcess,
        plan: &Plan,
    ) -> anyhow::Result<Played> {
        let follow = async |canary: &str, name: &str, is_called: bool| {
            let mut subject = plan.subject(&self.source, canary);
            let name = format!("{}-{name}", self.source);
            let mut watched = if is_called {
                subject.pipeline = self.pipeline();
                subject.call(serinus, name).await?
            } else {
                subject.start(serinus, name).await?
            };
            watched.poll(serinus, plan.polls()).await?;
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
    pub(super) fn assert_held(&self, played: &Played, one: &Watched) -> anyhow::Result<()> {
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
    pub(super) async fn assert_judged_alike(
        &self,
        serinus: &SerinusProcess,
        one: &Watched,
        direct: &Watched,
    ) -> anyhow::Result<()> {
        one.judged_as_on(serinus, (serinus, "direct")).await?;
        let without = direct.recorded(serinus).await?;
        let end = without.pointer("/window/end").context("no window")?;
        let now = direct.subject.analysed(serinus, &self.source, end).await?;
        ensure!(now == without, "{}: {now:#}\nis not\n{without:#}", one.name);
        Ok(())
    }
}
