//! How often the same question is sent: again where that helps, and not beyond its deadline.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::SourceFault;

/// Most tries after the first.
const MAX_RETRIES: u32 = 2;

/// Mean pause before the first retry; it doubles for the next.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// One try that failed.
pub(super) struct Failure {
    pub(super) fault: SourceFault,
    /// Whether the same question is sent once more within its time. That is less than a fault that
    /// is transient: what took too long, or broke off, would only take as long again.
    pub(super) may_be_retried: bool,
}

impl Failure {
    /// One that another try would not change.
    pub(super) fn lasting(fault: SourceFault) -> Self {
        Self {
            fault,
            may_be_retried: false,
        }
    }
}

/// The tries of one question.
pub(super) struct Tries {
    deadline: Instant,
    earlier: Option<SourceFault>,
    retries: u32,
}

impl Tries {
    /// None was made yet.
    pub(super) fn until(deadline: Instant) -> Self {
        Self {
            deadline,
            earlier: None,
            retries: 0,
        }
    }

    /// Waits until it is time for another try.
    ///
    /// # Errors
    ///
    /// The fault, where there is none.
    pub(super) async fn again_after(&mut self, failure: Failure) -> Result<(), SourceFault> {
        let pause = pause_before(self.retries);
        let has_time = Instant::now() + pause < self.deadline;
        if !failure.may_be_retried || self.retries == MAX_RETRIES || !has_time {
            return Err(failure.fault);
        }
        self.earlier = Some(failure.fault);
        self.retries += 1;
        sleep(pause).await;
        Ok(())
    }

    /// The fault of a question whose time is over: that of an earlier try says more.
    pub(super) fn over(self, slow: impl FnOnce() -> SourceFault) -> SourceFault {
        self.earlier.unwrap_or_else(slow)
    }
}

/// The pause before a retry: doubling, and between half and one and a half of its mean, so that
/// many callers do not come back at the same time.
fn pause_before(retry: u32) -> Duration {
    // A hasher with fresh keys of the process is random enough for this and needs no generator;
    // no verdict depends on it.
    let random = RandomState::new().hash_one(retry);
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    RETRY_PAUSE
        .saturating_mul(1 << retry.min(8))
        .mul_f64(0.5 + share)
}
