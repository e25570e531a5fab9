//! When a rollout is judged, and up to where: on the grid, once an interval is sealed.

use std::time::Duration;

use serinus_analysis::data::Purpose;
use serinus_analysis::pipeline::{MOST_INTERVALS, Pipeline};
use serinus_analysis::series::Grid;

use super::judgement::Judgement;
use super::live::{Live, Watched};
use crate::time::UnixMillis;

const MILLISECONDS_PER_SECOND: i64 = 1_000;

/// How soon it is tried again when a source or the store failed.
pub(super) const RETRY_MS: i64 = 5_000;

fn interval_ms(pipeline: &Pipeline) -> i64 {
    i64::from(pipeline.analysis.interval_seconds).max(1) * MILLISECONDS_PER_SECOND
}

fn lag_ms(pipeline: &Pipeline) -> i64 {
    i64::from(pipeline.analysis.lag_seconds) * MILLISECONDS_PER_SECOND
}

/// When the newest interval is sealed that ends at or before a time: late samples may still
/// arrive for what is younger than the lag.
pub(super) fn sealed_end(pipeline: &Pipeline, now: UnixMillis) -> UnixMillis {
    let interval_ms = interval_ms(pipeline);
    let sealed = now.minus(lag_ms(pipeline)).get();
    UnixMillis::new(sealed.div_euclid(interval_ms) * interval_ms)
}

/// When the next interval is sealed.
pub(super) fn next_due(pipeline: &Pipeline, now: UnixMillis) -> UnixMillis {
    sealed_end(pipeline, now).plus(interval_ms(pipeline) + lag_ms(pipeline))
}

/// The newest intervals that are looked at of a stage that has more than are kept: eight hours of
/// the usual 30 s, so that a service that was away for a night has missed nothing.
const NEWEST_INTERVALS: i64 = 960;

/// What is looked at of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LookedAt {
    /// From when on.
    pub start: UnixMillis,
    /// Up to where, once a whole interval is sealed. Without one the analysis itself says that the
    /// stage has only just started.
    pub end: Option<UnixMillis>,
    /// What for.
    pub purpose: Purpose,
}

impl LookedAt {
    /// Whether a judgement says all that there is to say. One that reaches further was made by a
    /// clock that was ahead: what it saw was not all there yet.
    pub(super) fn is_reached_by(&self, judgement: &Judgement, sealed_end: UnixMillis) -> bool {
        match self.end {
            Some(end) => judgement.end_ms == end,
            None => judgement.end_ms >= sealed_end,
        }
    }
}

/// What is looked at of a stage up to the newest sealed interval.
/// Source: docs/design/gate.md, "Nobody looks away".
pub(super) fn looked_at(
    pipeline: &Pipeline,
    watched: &Watched<'_>,
    sealed_end: UnixMillis,
) -> LookedAt {
    let interval_ms = interval_ms(pipeline);
    let started = watched.started;
    let intervals = Grid::covering(started.get(), sealed_end.get(), interval_ms).intervals();
    let end = (intervals > 0).then_some(sealed_end);
    if intervals > MOST_INTERVALS {
        return LookedAt {
            start: sealed_end.minus(NEWEST_INTERVALS.saturating_mul(interval_ms)),
            end,
            purpose: Purpose::KillSwitches,
        };
    }
    let purpose = if watched.counts_only_what_is_wrong {
        Purpose::AfterPassing
    } else {
        Purpose::Decide
    };
    LookedAt {
        start: started,
        end,
        purpose,
    }
}

/// How long after its newest interval was sealed a judgement was made.
pub(super) fn behind(pipeline: &Pipeline, judgement: &Judgement) -> Duration {
    let behind_ms = judgement.made_ms.since(judgement.end_ms) - lag_ms(pipeline);
    Duration::from_millis(u64::try_from(behind_ms).unwrap_or(0))
}

/// How long after an interval is sealed a rollout is judged, where `open` are: not all at once, and
/// not much later than it was this time, so that no two judgements are far more than an interval
/// apart while many rollouts are started.
pub(super) fn spread_ms(live: &Live, open: usize, now: UnixMillis) -> i64 {
    /// Time that one judgement is given, so that few rollouts are judged at once.
    const TURN_MS: i64 = 20;
    /// How much later it may be judged than in the interval before.
    const MOST_LATER_MS: i64 = 2_000;
    let open = i64::try_from(open).unwrap_or(i64::MAX);
    let interval_ms = interval_ms(&live.pipeline);
    let width_ms = open.saturating_mul(TURN_MS).clamp(1, interval_ms);
    let id = live.id.uuid();
    let place = i64::from(id.as_fields().2) << 8 | i64::from(id.as_bytes()[15]);
    let this_time_ms = now.since(next_due(&live.pipeline, now).minus(interval_ms));
    (place % width_ms).min(this_time_ms + MOST_LATER_MS)
}
