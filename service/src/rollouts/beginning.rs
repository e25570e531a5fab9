//! When a stage begins: the one rule about a `start` that somebody gives.
//! Source: docs/design/gate.md, "When a stage begins".
//!
//! What is recorded as the beginning of a stage is a [`StageStart`], and only this file makes one.

use serinus_analysis::pipeline::Stage;
use serinus_openapi::analysis::timestamp;

use crate::time::UnixMillis;

/// How far ahead of this clock a start may lie: callers' clocks differ. It then counts as now.
const MOST_AHEAD_MS: i64 = 30_000;
/// How much longer ago than the stage may last it may have begun.
const MOST_LATE_MS: i64 = 24 * 60 * 60 * 1_000;
const MILLISECONDS_PER_MINUTE: f64 = 60_000.0;

/// When a stage begins, by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StageStart(UnixMillis);

/// A stage that has begun before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Earlier<'a> {
    /// Its id.
    pub stage: &'a str,
    /// When it began.
    pub started: UnixMillis,
    /// Where the data ends that it passed by; its beginning while it has not.
    pub judged_until: UnixMillis,
}

/// Why a stage cannot begin when it is said to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidStart(String);

impl StageStart {
    /// Where the data ends that the stage before was judged by, so that no interval is judged twice
    /// and none is left out, whenever this is computed.
    pub(super) fn after_judged(end: UnixMillis) -> Self {
        Self(end)
    }

    /// In this moment: somebody says so now.
    pub(super) fn now(now: UnixMillis) -> Self {
        Self(now)
    }

    /// The moment.
    pub(super) fn at(self) -> UnixMillis {
        self.0
    }
}

/// Looks at the `start` that is given for a stage; without one it begins now. `earlier` are the
/// stages of the rollout that have begun, in their order.
///
/// # Errors
///
/// [`InvalidStart`] says what to give.
pub(super) fn check_start(
    given: Option<UnixMillis>,
    stage: &Stage,
    earlier: &[Earlier<'_>],
    now: UnixMillis,
) -> Result<StageStart, InvalidStart> {
    let Some(given) = given else {
        return Ok(StageStart::now(now));
    };
    let wrong = |what: &str| {
        let give = "give the moment when its traffic was moved, or leave `start` out";
        Err(InvalidStart(format!(
            "start {} of {} {what}: {give}",
            told(given),
            stage.id
        )))
    };
    if is_ahead(given, now) {
        let what = format!("lies in the future, it is {} here", told(now));
        return wrong(&what);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "durations are bounded by the pipeline"
    )]
    let longest_ms = (stage.max_duration_minutes * MILLISECONDS_PER_MINUTE) as i64;
    if now.since(given) > longest_ms.saturating_add(MOST_LATE_MS) {
        return wrong("lies longer ago than the stage's max_duration_minutes and a day");
    }
    if let Some(same) = earlier.iter().find(|one| one.started == given) {
        let stage = same.stage;
        return wrong(&format!(
            "is that of {stage} too, and every stage has its own"
        ));
    }
    if earlier.first().is_some_and(|first| given < first.started) {
        return wrong("lies before the rollout began");
    }
    // What was judged ahead of time was judged by a clock that was.
    let judged_until = |before: &Earlier<'_>| before.judged_until.min(now);
    if let Some(before) = earlier.last().filter(|one| given < judged_until(one)) {
        let (stage, until) = (before.stage, told(before.judged_until));
        return wrong(&format!(
            "lies within what {stage} was judged by, until {until}"
        ));
    }
    Ok(StageStart(given.min(now)))
}

/// Whether a moment lies in the future, by more than clocks differ.
pub(super) fn is_ahead(moment: UnixMillis, now: UnixMillis) -> bool {
    moment.since(now) > MOST_AHEAD_MS
}

fn told(at: UnixMillis) -> String {
    timestamp(at.get()).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
