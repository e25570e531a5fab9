//! One look at a gauge: the interval that is shown, and a test that may not be repeated.
//!
//! Source: docs/design/gauges.md, "9. Display, single look, kill switch".

use super::evidence::mixture_log_evidence;
use super::spread::GaugeSpread;
use crate::special::{Tail, student_t_quantile};

/// Doublings and halvings of the width that is looked for.
const MOST_DOUBLINGS: u32 = 20;
const HALVINGS: u32 = 100;

/// Canary over control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeRatio {
    /// Its lower end: never below 0.
    pub lower: f64,
    /// The ratio of a typical sample.
    pub estimate: f64,
    /// Its upper end.
    pub upper: f64,
}

/// Returns `exp(mean ± x sqrt V)` with the smallest `x` at which evidence reaches `ln(2 / (1 - confidence) + 1)`, so
/// that it holds however often one looks. `spread` is that of the limit of 1 times the control.
///
/// ```
/// use serinus_analysis::proof::gauge::ratio_interval;
///
/// let found = ratio_interval((0.0, 0.01, 30.0), 0.99);
/// assert!((found.lower - 0.6740375326550604).abs() < 1e-9);
/// assert!((found.upper - 1.4835969090044).abs() < 1e-9);
/// ```
pub fn ratio_interval(
    (mean, variance, degrees_of_freedom): (f64, f64, f64),
    confidence: f64,
) -> GaugeRatio {
    /// No float leaves that is not finite.
    const MOST: f64 = 700.0;
    let need = libm::log(2.0 / (1.0 - confidence) + 1.0);
    let deviation = libm::sqrt(variance.max(0.0));
    let is_short =
        |x: f64| mixture_log_evidence(x * deviation, variance, degrees_of_freedom) < need;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..MOST_DOUBLINGS {
        if !is_short(high) {
            break;
        }
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if is_short(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let at = |logarithm: f64| libm::exp(logarithm.clamp(-MOST, MOST));
    GaugeRatio {
        lower: at(mean - high * deviation),
        estimate: at(mean),
        upper: at(mean + high * deviation),
    }
}

/// What a single look says of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeLook {
    /// Beyond it.
    Violated,
    /// Within it.
    Kept,
    /// Neither is shown.
    Open,
}

/// Tests a mean at a single look, by Student's t at the degrees of freedom of its variance: violated if all of
/// `mean ± t sqrt V` is above 0, kept if all of it is below. `spread` is that of a violation.
pub fn single_look(spread: &GaugeSpread, confidence: f64) -> GaugeLook {
    let tail = 0.5 * (1.0 - confidence);
    let Ok(t) = student_t_quantile(tail, Tail::Upper, spread.degrees_of_freedom) else {
        return GaugeLook::Open;
    };
    let width = t * spread.standard_deviation();
    if spread.mean - width > 0.0 {
        GaugeLook::Violated
    } else if spread.mean + width < 0.0 {
        GaugeLook::Kept
    } else {
        GaugeLook::Open
    }
}
