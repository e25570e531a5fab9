//! Inverts a monotone probability on logarithmic scales.

use super::SpecialError;

/// Bound on the steps. Bisection alone ends after some 65.
const MAX_STEPS: u32 = 200;

/// The logarithms of all positive doubles lie between these.
const LN_SMALLEST: f64 = -745.0;
const LN_LARGEST: f64 = 709.7;

/// A probability at a point: its logarithm and the derivative of that by the point's logarithm.
pub(super) struct Point {
    pub(super) ln_value: f64,
    pub(super) slope: f64,
}

/// Returns the logarithm of the point at which the probability's logarithm is `target`, by Newton's
/// method, with bisection where a step would leave the bracket. `None` when the point is smaller than
/// every positive double.
pub(super) fn invert(
    function: &'static str,
    target: f64,
    start: f64,
    is_increasing: bool,
    at: impl Fn(f64) -> Result<Point, SpecialError>,
) -> Result<Option<f64>, SpecialError> {
    let mut low = LN_SMALLEST;
    let mut high = LN_LARGEST;
    let mut current = if start > low && start < high {
        start
    } else {
        0.5 * (low + high)
    };
    for _ in 0..MAX_STEPS {
        let point = at(current)?;
        let excess = point.ln_value - target;
        if excess.is_nan() {
            return Err(SpecialError::OutsideDomain { function });
        }
        if (excess > 0.0) == is_increasing {
            high = current;
        } else {
            low = current;
        }
        let resolution = 2.0 * f64::EPSILON * current.abs().max(1.0);
        let newton = current - excess / point.slope;
        // Before the bracket is asked: at the end rounding may put the step just outside of it.
        if (newton - current).abs() <= resolution || high - low <= resolution {
            let is_below_all = high < LN_SMALLEST + 1e-9;
            return Ok((!is_below_all).then_some(current));
        }
        current = if newton > low && newton < high {
            newton
        } else {
            0.5 * (low + high)
        };
    }
    Err(SpecialError::NotConverged {
        function,
        iterations: MAX_STEPS,
    })
}
