//! A control that breaks an absolute limit itself: then the environment is to blame, as long as that lasts.

use super::line::{BESIDE_A_BROKEN_CONTROL, is_visibly_beyond};
use crate::sequential::{AbsoluteLimit, IntervalCounts};
use crate::series::ArmCount;
use crate::special::regularized_beta;

/// The newest intervals that are also looked at together.
const NEWEST: usize = 8;
/// How sure a kill switch must be that the canary is worse than a control which breaks the limit too.
const LEVEL: f64 = 1e-5;

/// The newest intervals of a control.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Environment {
    newest: [ArmCount; NEWEST],
    place: usize,
}

impl Environment {
    /// Adds an interval, and says whether the control is visibly beyond the limit: in it, or in the newest
    /// eight together.
    ///
    /// Source: docs/design/counts.md, "7. Absolute limits and the environment".
    pub(super) fn push(&mut self, limit: &AbsoluteLimit, control: ArmCount) -> bool {
        if let Some(slot) = self.newest.get_mut(self.place) {
            *slot = control;
        }
        self.place = (self.place + 1) % NEWEST;
        let nothing = ArmCount::default();
        let together = self.newest.iter().fold(nothing, |sum, one| sum.and(*one));
        is_visibly_beyond(limit, control) || is_visibly_beyond(limit, together)
    }
}

/// Whether counts in which both populations break an absolute limit show for sure that the canary fails more
/// than 1.25 times as often as the control: the exact tail of the binomial law of its events, given all.
///
/// Source: docs/design/counts.md, "7. Absolute limits and the environment".
///
/// ```
/// use serinus_analysis::proof::is_beyond_a_broken_control;
/// use serinus_analysis::series::{ArmCount, Populations};
///
/// let of = |events| Populations {
///     control: ArmCount { events: 1710.0, exposure: 28_500.0 },
///     canary: ArmCount { events, exposure: 1500.0 },
/// };
/// assert!(is_beyond_a_broken_control(&of(900.0)));
/// assert!(!is_beyond_a_broken_control(&of(120.0)));
/// ```
pub fn is_beyond_a_broken_control(counts: &IntervalCounts) -> bool {
    let IntervalCounts { control, canary } = counts;
    let weighted = BESIDE_A_BROKEN_CONTROL * canary.exposure;
    let share = weighted / (weighted + control.exposure);
    let (events, others) = (libm::round(canary.events), libm::round(control.events));
    if events <= 0.0 || !share.is_finite() {
        return false;
    }
    // P(X >= x) = I_p(x, n - x + 1)
    regularized_beta(events, others + 1.0, share, 1.0 - share)
        .is_ok_and(|tails| tails.lower <= LEVEL)
}
