//! When a stage begins: the one rule about a `start` that somebody gives.
//!
//! What is recorded as the beginning of a stage is a [`StageStart`], and only this file makes one:
//! a way in that takes a `start` has to name the [`StartRule`] that it is held to.

use serinus_analysis::pipeline::{Pipeline, Stage};

use crate::engine::{self, AnalysisError};
use crate::time::UnixMillis;

/// To which rule a `start` is held.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StartRule<'a> {
    /// A window that begins there can be judged now. For the stage that a rollout is started at,
    /// by whomever.
    CanBeJudged(&'a Pipeline, &'a Stage),
    /// It does not lie in the future. For a stage that a rollout is moved to.
    NotInTheFuture,
    /// As it is given. For a later stage whose gate is asked.
    AsGiven,
}

/// When a stage begins, by the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StageStart(UnixMillis);

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

/// Looks at the `start` that a caller gives; without one the stage begins now.
///
/// # Errors
///
/// [`AnalysisError::Window`] says what to give.
pub(super) fn check_start(
    given: Option<UnixMillis>,
    now: UnixMillis,
    rule: StartRule<'_>,
) -> Result<StageStart, AnalysisError> {
    let start = given.unwrap_or(now);
    match rule {
        StartRule::CanBeJudged(pipeline, stage) => {
            engine::check_open_window(start.get(), now.get(), &pipeline.analysis, stage)?;
        }
        StartRule::NotInTheFuture if start > now => return Err(engine::in_the_future("start")),
        StartRule::NotInTheFuture | StartRule::AsGiven => {}
    }
    Ok(StageStart(start))
}
