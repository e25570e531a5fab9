//! How far a value lies beyond its limit, and which limit that is.
//!
//! Source: docs/design/gauges.md, "2. Excess".

use crate::sequential::Side;

/// A tenfold excess is as far as is counted: a spike counts as ten.
pub const MOST_EXCESS: f64 = std::f64::consts::LN_10;
/// A limit within so many times the control asks for measured pods: one pod differs by as much from another.
const LEAST_RATIO: f64 = 1.25;
/// From so many degrees of freedom on the control's pods are measured.
pub(super) const ENOUGH_DEGREES_OF_FREEDOM: usize = 4;
/// Where the control breaks an absolute limit as well, the canary is judged at so many times the control.
const SHARED: f64 = 1.25;
/// From here on a share that is better higher is judged as its complement.
const NEAR_ONE: f64 = 0.8;

/// Returns the logarithm of how many times its limit a value is: `ln(value / limit)` of positive values, at
/// most [`MOST_EXCESS`] either way.
///
/// `sign(c - l) min(ln 10, ln_1p(|c - l| / min(|c|, |l|)))`; `± ln 10` where one is 0 or the signs differ, 0
/// where both are the same or one is not a number.
///
/// ```
/// use serinus_analysis::proof::gauge::excess;
///
/// assert!((excess(2.0, 1.0) - 0.6931471805599453).abs() < 1e-15);
/// assert!((excess(-5.0, -10.0) - 0.6931471805599453).abs() < 1e-15);
/// assert!((excess(1.0, 0.0) - 2.302585092994046).abs() < 1e-15);
/// assert_eq!(excess(0.0, 0.0), 0.0);
/// ```
pub fn excess(value: f64, limit: f64) -> f64 {
    let beyond = value - limit;
    if beyond.is_nan() || beyond == 0.0 {
        return 0.0;
    }
    let smaller = value.abs().min(limit.abs());
    let is_of_one_sign = (value < 0.0) == (limit < 0.0);
    let size = if smaller > 0.0 && is_of_one_sign {
        libm::log1p(beyond.abs() / smaller).min(MOST_EXCESS)
    } else {
        MOST_EXCESS
    };
    size.copysign(beyond)
}

/// Whether a value breaks a limit whose bad side this is.
pub fn is_beyond(value: f64, limit: f64, bad: Side) -> bool {
    match bad {
        Side::Above => value > limit,
        Side::Below => value < limit,
    }
}

/// The absolute limit that a canary violates at a sample: where the control breaks it as well, 1.25 times the
/// control, on the looser side. What both do is the environment's.
pub fn limit_beside(control: Option<f64>, limit: f64, bad: Side) -> f64 {
    match control {
        Some(control) if is_beyond(control, limit, bad) => match bad {
            Side::Above => (SHARED * control).max(control / SHARED),
            Side::Below => (SHARED * control).min(control / SHARED),
        },
        _ => limit,
    }
}

/// The ratio that a rollback is judged at: a limit within 1.25 times the control needs pods that were measured.
/// `degrees_of_freedom` are those of the pods of all samples so far.
pub fn voting_ratio(ratio: f64, bad: Side, degrees_of_freedom: usize) -> f64 {
    if degrees_of_freedom >= ENOUGH_DEGREES_OF_FREEDOM {
        ratio
    } else {
        wide_ratio(ratio, bad)
    }
}

/// The ratio itself, or 1.25 (0.8 where more is better) if it is within.
pub(super) fn wide_ratio(ratio: f64, bad: Side) -> f64 {
    match bad {
        Side::Above => ratio.max(LEAST_RATIO),
        Side::Below => ratio.min(1.0 / LEAST_RATIO),
    }
}

/// Factor of the control by which less load may raise the use per request: `max(1, load_y / load_x)`. An
/// identical pod with a part of its use that does not depend on load uses no more. Loads are requests per pod in
/// the sample; 1 where they are not known.
///
/// ```
/// use serinus_analysis::proof::gauge::load_factor;
///
/// let limit = 1.3 * 0.01 * load_factor(20.0, 90.0);
/// assert!((limit - 0.0585).abs() < 1e-15);
/// assert_eq!(load_factor(30.0, 9.0), 1.0);
/// ```
///
/// Source: docs/design/gauges.md, "8. Work per request".
pub fn load_factor(canary: f64, control: f64) -> f64 {
    /// Beyond it nothing is comparable.
    const MOST: f64 = 1e6;
    let factor = control / canary;
    if factor.is_finite() && canary > 0.0 {
        factor.clamp(1.0, MOST)
    } else {
        1.0
    }
}

/// What a gauge is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeUnit {
    /// A share between 0 and 1.
    Fraction,
    /// Whole things: whole values are counts.
    Number,
    /// Anything else.
    Other,
}

/// Whether a gauge is judged as its complement: a share near 1 of which more is better, by its absolute limit or
/// by the mean of the control's samples so far. A quarter of a success rate is not what pods differ by, a
/// quarter of its failures is.
pub fn is_near_one(unit: GaugeUnit, bad: Side, level: Option<f64>) -> bool {
    let is_near = level.is_some_and(|level| level >= NEAR_ONE);
    unit == GaugeUnit::Fraction && bad == Side::Below && is_near
}

/// Whether values are judged as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Direct,
    /// `1 - value`.
    Failures,
}

impl Form {
    pub(super) fn of(self, value: f64) -> f64 {
        match self {
            Self::Direct => value,
            Self::Failures => 1.0 - value,
        }
    }
}

/// The offset of a relative limit on the complement: `v > r y + d` is `1 - v < r (1 - y) + (1 - r - d)`.
pub fn complement_offset(ratio: f64, offset: f64) -> f64 {
    1.0 - ratio - offset
}
