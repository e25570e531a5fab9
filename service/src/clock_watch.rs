//! Looks at the clock all the time, tells when it jumps, and asks what time it is where that is in
//! doubt.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::clock::{ClockNews, in_words};
use crate::engine::Engine;
use crate::metrics::{JumpDirection, Metrics};

/// How often it is looked at: a rollout that begins just after the machine has slept gets an old
/// date until then.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often the default source is asked while the time is in doubt.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// How often it is asked when it has never told: it may have no way to.
const ASK_SELDOM: Duration = Duration::from_secs(30);

/// How long it is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Looks for ever.
pub(crate) async fn watch(engine: Arc<Engine>, metrics: Arc<Metrics>) {
    let clock = Arc::clone(engine.clock());
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asked_at: Option<Instant> = None;
    loop {
        looks.tick().await;
        for news in clock.look() {
            tell(&news, &metrics);
            // What was read for a time that had not come is not what it will hold.
            if matches!(news, ClockNews::Settled { by_ms, .. } if by_ms < 0) {
                engine.forget();
            }
        }
        if clock.is_confirmed() {
            continue;
        }
        let every = match clock.doubt() {
            Some(_) => ASK_EVERY,
            None => ASK_SELDOM,
        };
        if asked_at.is_none_or(|at| at.elapsed() >= every) {
            asked_at = Some(Instant::now());
            // A source that does not answer is asked again.
            let _ = timeout(ANSWERS_WITHIN, engine.hear_the_time()).await;
        }
    }
}

fn tell(news: &ClockNews, metrics: &Metrics) {
    match *news {
        ClockNews::Jumped { by_ms } => {
            let (seconds, direction) = (by_ms.unsigned_abs() / 1_000, JumpDirection::of(by_ms));
            metrics.clock_jumped(direction);
            let direction = direction.name();
            tracing::warn!(
                clock.jump_seconds = seconds,
                clock.direction = direction,
                "the clock of this machine jumped {seconds} s {direction}: rollouts are judged on by \
                 the monotonic clock until it is known which time is right"
            );
        }
        ClockNews::Settled {
            by_ms: 0,
            wall_ahead_ms: 0,
        } => tracing::info!("the clock of this machine is right again"),
        ClockNews::Settled {
            by_ms,
            wall_ahead_ms,
        } => {
            let moved = match by_ms {
                0 => "stays as it was".to_owned(),
                _ => format!("moves {}", in_words(by_ms)),
            };
            let wrong = match wall_ahead_ms {
                0 => "is right".to_owned(),
                _ => format!("is {}: set it right", in_words(wall_ahead_ms)),
            };
            tracing::warn!(
                clock.moved_seconds = by_ms / 1_000,
                clock.wrong_seconds = wall_ahead_ms / 1_000,
                "the default source says what time it is: the time of rollouts {moved}, and the clock \
                 of this machine {wrong}"
            );
        }
    }
}
