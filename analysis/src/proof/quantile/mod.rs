//! Where a quantile of latencies lies, and who is slower: from the buckets of histograms to counts.
//!
//! `latency_q < r * baseline + d` says that the share of the canary's requests slower than `r a + d` is at most
//! the share `theta = 1 - q` of the control's that are slower than its quantile `a`. So an interval becomes
//! four counts, `x` of `n` and `y` of `m`, and a latency check is a stream of counts with other increments.
//! Places are read from what came before an interval: its own counts never choose their own place.
//!
//! Source: docs/design/latency.md, "1. The claim".

mod absolute;
mod advice;
mod increment;
mod law;
mod places;
mod plan;
mod shown;
mod window;

pub use absolute::{AbsolutePlaces, decided_at};
pub use advice::{Resolution, bounds_to_add, is_narrow, resolution};
pub use increment::{SlowShare, quantile_increment};
pub use law::{Law, Place, Quantile, Tails};
pub use places::{KeptBeyond, Laws, QuantileLimit, ReadAt};
pub use plan::{DecidedAfter, PlannedQuantile};
pub use shown::{QuantileEstimate, quantile_estimate, quantile_ratio};
pub use window::Window;

use super::noise::Residual;
use crate::sequential::IntervalCounts;

/// What the variance of an interval's slow requests would be, were they independent:
/// `(1 - theta) (x + y) phi (1 - phi)`, `phi` the canary's share of the requests.
pub(super) fn event_variance(counts: &IntervalCounts, slow: SlowShare) -> f64 {
    let (n, m) = (counts.canary.exposure, counts.control.exposure);
    let part = n / (n + m);
    slow.rest() * (counts.canary.events + counts.control.events) * part * (1.0 - part)
}

/// What an interval adds to the noise of both populations' difference.
pub(super) fn residual(counts: &IntervalCounts, slow: SlowShare) -> Residual {
    let (x, n) = (counts.canary.events, counts.canary.exposure);
    let (y, m) = (counts.control.events, counts.control.exposure);
    let odds = n / m;
    Residual {
        deviation: x - odds * y,
        variance: slow.rest() * (x + odds * odds * y),
        exposure: n,
        weight: n * (n + m) / m,
        at_the_rate: 0.0,
    }
}
