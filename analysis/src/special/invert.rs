//! Inverts a monotone probability on logarithmic scales.

use super::SpecialError;

/// Bound on the steps. Bisection alone ends after some 65.
const MAX_STEPS: u32 = 200;

/// The logarithms of all positive doubles lie between these.
const LN_SMALLEST: f64 = -745.0;
const LN_LARGEST: f64 = 709.7;

/// A bracket that has shrunk to one of these ends holds no point.
const AT_THE_END: f64 = 1e-9;

/// A probability at a point: its logarithm and the derivative of that by the point's logarithm.
pub(super) struct Point {
    pub(super) ln_value: f64,
    pub(super) slope: f64,
}

/// Returns the point at which the probability's logarithm is `target`, by Newton's method on
/// logarithms, with bisection where a step would leave the bracket. `start` is the logarithm of a first
/// guess; 0 or infinity when the point is beyond the positive doubles.
pub(super) fn invert(
    function: &'static str,
    target: f64,
    start: f64,
    is_increasing: bool,
    at: impl Fn(f64) -> Result<Point, SpecialError>,
) -> Result<f64, SpecialError> {
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
            return Ok(if high < LN_SMALLEST + AT_THE_END {
                0.0
            } else if low > LN_LARGEST - AT_THE_END {
                f64::INFINITY
            } else {
                libm::exp(current)
            });
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
