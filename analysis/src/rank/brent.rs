//! A root finder with a bound.

/// Tolerance relative to the root: four times the distance of doubles.
const RELATIVE_TOLERANCE: f64 = 4.0 * f64::EPSILON;

/// Returns where `function` changes its sign between `lower` and `upper`, by Brent's method, to within
/// `tolerance`. `None` when the function has the same sign at both ends, gives nothing or NaN
/// somewhere, or after `max_steps`.
///
/// A jump over zero counts as a root. The steps are those of `brentq` in scipy, so that a root at a
/// jump, which is only known to the tolerance, is the same as in the reference values.
///
/// Source: R. P. Brent, "Algorithms for minimization without derivatives" (1973), chapter 4.
pub(crate) fn brent_root(
    function: impl Fn(f64) -> Option<f64>,
    lower: f64,
    upper: f64,
    tolerance: f64,
    max_steps: u32,
) -> Option<f64> {
    let evaluate = |x: f64| function(x).filter(|value| !value.is_nan());
    let (mut previous, mut current) = (lower, upper);
    let (mut at_previous, mut at_current) = (evaluate(previous)?, evaluate(current)?);
    if is_zero(at_previous) {
        return Some(previous);
    }
    if is_zero(at_current) {
        return Some(current);
    }
    if (at_previous < 0.0) == (at_current < 0.0) {
        return None;
    }
    // The other end of the bracket: the sign differs between it and `current`.
    let (mut other, mut at_other) = (previous, at_previous);
    let (mut step_before, mut step) = (current - previous, current - previous);
    for _ in 0..max_steps {
        if !is_zero(at_previous) && (at_previous < 0.0) != (at_current < 0.0) {
            (other, at_other) = (previous, at_previous);
            step = current - previous;
            step_before = step;
        }
        if at_other.abs() < at_current.abs() {
            (previous, current, other) = (current, other, current);
            (at_previous, at_current, at_other) = (at_current, at_other, at_current);
        }
        let resolution = 0.5 * (tolerance + RELATIVE_TOLERANCE * current.abs());
        let half = 0.5 * (other - current);
        if is_zero(at_current) || half.abs() < resolution {
            return Some(current);
        }
        let interpolated = if step_before.abs() > resolution && at_current.abs() < at_previous.abs()
        {
            let next = interpolate(
                (previous, at_previous),
                (current, at_current),
                (other, at_other),
            );
            let largest = step_before.abs().min(3.0 * half.abs() - resolution);
            (2.0 * next.abs() < largest).then_some(next)
        } else {
            None
        };
        (step_before, step) = match interpolated {
            Some(next) => (step, next),
            None => (half, half),
        };
        (previous, at_previous) = (current, at_current);
        current += if step.abs() > resolution {
            step
        } else {
            resolution.copysign(half)
        };
        at_current = evaluate(current)?;
    }
    None
}

/// The step from `current` to the root of the line through two points, or of the inverse parabola
/// through three.
fn interpolate(previous: (f64, f64), current: (f64, f64), other: (f64, f64)) -> f64 {
    let ((x0, f0), (x1, f1), (x2, f2)) = (previous, current, other);
    if (x0 - x2).abs() <= 0.0 {
        return -f1 * (x1 - x0) / (f1 - f0);
    }
    let slope_0 = (f0 - f1) / (x0 - x1);
    let slope_2 = (f2 - f1) / (x2 - x1);
    -f1 * (f2 * slope_2 - f0 * slope_0) / (slope_2 * slope_0 * (f2 - f0))
}

/// Whether the value is exactly zero.
fn is_zero(value: f64) -> bool {
    value.abs() <= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_smooth_root() {
        let root = brent_root(|x| Some(x * x * x - 2.0), 0.0, 2.0, 1e-14, 100).unwrap();
        assert!((root - 2.0_f64.cbrt()).abs() < 1e-14);
    }

    #[test]
    fn finds_a_jump() {
        let root = brent_root(
            |x| Some(if x < 0.3 { -1.0 } else { 5.0 }),
            -1.0,
            2.0,
            1e-9,
            100,
        );
        assert!((root.unwrap() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn an_end_that_is_a_root_is_found() {
        assert_eq!(brent_root(|x| Some(x - 1.0), 1.0, 2.0, 1e-9, 0), Some(1.0));
        assert_eq!(brent_root(|x| Some(x - 2.0), 1.0, 2.0, 1e-9, 0), Some(2.0));
    }

    #[test]
    fn nothing_without_a_change_of_sign_without_values_and_after_too_many_steps() {
        assert_eq!(
            brent_root(|x| Some(x * x + 1.0), -1.0, 1.0, 1e-9, 100),
            None
        );
        assert_eq!(brent_root(|_| None, -1.0, 1.0, 1e-9, 100), None);
        assert_eq!(brent_root(|_| Some(f64::NAN), -1.0, 1.0, 1e-9, 100), None);
        assert_eq!(brent_root(|x| Some(x - 0.3), -1.0, 1.0, 0.0, 1), None);
    }
}
