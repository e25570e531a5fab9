//! The classification of Kayenta: an interval of the shift between two samples, by the Mann-Whitney
//! test.

use super::brent::brent_root;
use super::mann_whitney::{rank, sorted};
use crate::interval::{Confidence, Interval};
use crate::special::{Tail, normal_quantile};

/// Bound on the steps of the root finder, as in Kayenta.
const MAX_STEPS: u32 = 1001;

/// How Kayenta judges. The defaults are those that its judge really uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KayentaParameters {
    /// Confidence of the interval of the shift. Default 0.98.
    pub confidence: Confidence,
    /// The interval must lie further from zero than this part of the estimated shift. Default 0.25;
    /// finite, not negative.
    pub tolerance: f64,
    /// The canary's mean divided by the control's, from which on an increase matters. Default 1;
    /// finite, positive.
    pub allowed_increase: f64,
    /// The same ratio, up to which a decrease matters. Default 1; finite, positive.
    pub allowed_decrease: f64,
    /// How exactly the bounds and the estimate are found: in the metric's unit, or, with
    /// `relative_tolerance`, as a part of the range of possible shifts. Default 1e-4; finite,
    /// positive.
    pub root_tolerance: f64,
    /// Whether `root_tolerance` is relative. Default no, as in Kayenta, which is therefore blind for
    /// metrics on a small scale, such as error rates and seconds.
    pub relative_tolerance: bool,
}

impl Default for KayentaParameters {
    fn default() -> Self {
        Self {
            confidence: Confidence::KAYENTA,
            tolerance: 0.25,
            allowed_increase: 1.0,
            allowed_decrease: 1.0,
            root_tolerance: 1e-4,
            relative_tolerance: false,
        }
    }
}

impl KayentaParameters {
    /// Whether every number is in its domain.
    fn are_valid(&self) -> bool {
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        self.tolerance.is_finite()
            && self.tolerance >= 0.0
            && is_positive(self.allowed_increase)
            && is_positive(self.allowed_decrease)
            && is_positive(self.root_tolerance)
    }
}

/// Kayenta's classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankClass {
    /// The canary's values are larger.
    High,
    /// The canary's values are smaller.
    Low,
    /// Neither is shown.
    Pass,
    /// There is nothing to judge, or it cannot be computed.
    NoData(NoDataCause),
}

/// Why there is no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDataCause {
    /// The canary has no values.
    #[error("the canary has no values")]
    NoCanary,
    /// The control has no values.
    #[error("the control has no values")]
    NoControl,
    /// A value is NaN or infinite, or the values are too far apart for a double.
    #[error("a value is not finite")]
    NotFinite,
    /// Each side has one point, and they differ: there is no spread to compare with.
    #[error("each side is one point, so the spread is unknown")]
    NoSpread,
    /// A parameter is outside its domain.
    #[error("a parameter is outside its domain")]
    InvalidParameters,
    /// The root finder did not find a bound.
    #[error("the interval of the shift was not found after {MAX_STEPS} steps")]
    NotConverged,
}

impl NoDataCause {
    /// Whether there are values, of which Kayenta could not make a class: an error, and not missing data.
    pub fn is_error(self) -> bool {
        match self {
            Self::NoCanary | Self::NoControl => false,
            Self::NotFinite | Self::NoSpread | Self::InvalidParameters | Self::NotConverged => true,
        }
    }
}

/// What the classification rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KayentaReport {
    /// The class.
    pub class: RankClass,
    /// The estimated shift, canary less control, in the metric's unit. Nothing when the samples are
    /// the same, or there is no class.
    pub estimate: Option<f64>,
    /// The interval of the shift.
    pub interval: Option<Interval>,
    /// The canary's mean divided by the control's; nothing when one of them is zero.
    pub mean_ratio: Option<f64>,
}

/// Returns Kayenta's classification of the canary's values against the control's.
///
/// `W(mu) = (dz - sign(dz)/2) / deviation` is the Mann-Whitney statistic, with correction for
/// continuity and ties, of the canary's values less `mu` against the control's. On the range of
/// possible shifts, `min(canary) - max(control)` to `max(canary) - min(control)`, the bounds of the
/// interval are where W crosses `z` and `-z`, the normal quantiles of the confidence, and the estimate
/// is where it crosses 0. Then:
///
/// * `High` if `lower > tolerance |estimate|` and the ratio of the means is at least
///   `allowed_increase` or unknown;
/// * `Low` if `upper < -tolerance |estimate|` and the ratio is at most `allowed_decrease` or unknown;
/// * otherwise `Pass`, also when both sides hold the same values.
///
/// Two sides that are constant and differ get the noise of [`kayenta_noise`]. What has no spread even then, one value
/// a side, is an error.
///
/// Known weaknesses, kept because the answer shall be Kayenta's: the default root tolerance is
/// absolute, so that the unit of a metric matters; at a jump of W the interval is only known to that
/// tolerance; fewer than 5 values on a side give no real interval, and are judged all the same; values that are correlated over
/// time give many false alarms. Valid for a single look.
///
/// Source: `MannWhitney.scala` and `MannWhitneyClassifier.scala` of Spinnaker's Kayenta, after
/// `wilcox.test` of R; D. F. Bauer, "Constructing confidence sets using rank statistics", JASA 67
/// (1972), 687-690.
///
/// ```
/// use serinus_analysis::rank::{KayentaParameters, RankClass, kayenta_classification};
///
/// let canary = [10.0, 20.0, 30.0, 40.0];
/// let control = [1.0, 2.0, 3.0, 4.0];
/// let report = kayenta_classification(&canary, &control, &KayentaParameters::default());
/// assert_eq!(report.class, RankClass::High);
/// assert!((report.estimate.unwrap() - 22.5).abs() < 1e-3);
/// assert!((report.interval.unwrap().lower() - 6.0).abs() < 1e-3);
/// assert!((report.interval.unwrap().upper() - 39.0).abs() < 1e-3);
/// ```
pub fn kayenta_classification(
    canary: &[f64],
    control: &[f64],
    parameters: &KayentaParameters,
) -> KayentaReport {
    match classify_shift(canary, control, parameters) {
        Ok(report) => report,
        Err(cause) => KayentaReport {
            class: RankClass::NoData(cause),
            estimate: None,
            interval: None,
            mean_ratio: None,
        },
    }
}

/// [`kayenta_classification`], where what cannot be computed is an error.
fn classify_shift(
    canary: &[f64],
    control: &[f64],
    parameters: &KayentaParameters,
) -> Result<KayentaReport, NoDataCause> {
    if !parameters.are_valid() {
        return Err(NoDataCause::InvalidParameters);
    }
    if canary.is_empty() {
        return Err(NoDataCause::NoCanary);
    }
    if control.is_empty() {
        return Err(NoDataCause::NoControl);
    }
    let x = sorted(canary).ok_or(NoDataCause::NotFinite)?;
    let y = sorted(control).ok_or(NoDataCause::NotFinite)?;
    let (x_min, x_max) = ends(&x).ok_or(NoDataCause::NoCanary)?;
    let (y_min, y_max) = ends(&y).ok_or(NoDataCause::NoControl)?;
    let mean_ratio = mean_ratio(&x, &y);
    let is_one_value = x_min.min(y_min) >= x_max.max(y_max);
    if x == y || is_one_value {
        let class = RankClass::Pass;
        return Ok(KayentaReport {
            class,
            estimate: None,
            interval: None,
            mean_ratio,
        });
    }
    let (interval, estimate) = if x_min >= x_max && y_min >= y_max {
        shift(&noisy(&x), &noisy(&y), parameters)?
    } else {
        shift(&x, &y, parameters)?
    };
    let distance = parameters.tolerance * estimate.abs();
    let class = if interval.lower() > distance
        && mean_ratio.is_none_or(|ratio| ratio >= parameters.allowed_increase)
    {
        RankClass::High
    } else if interval.upper() < -distance
        && mean_ratio.is_none_or(|ratio| ratio <= parameters.allowed_decrease)
    {
        RankClass::Low
    } else {
        RankClass::Pass
    };
    Ok(KayentaReport {
        class,
        estimate: Some(estimate),
        interval: Some(interval),
        mean_ratio,
    })
}

/// What never varies, with a noise too small to matter to anybody: value `i` of `n` times
/// `1 + 1e-5 e`, `e` the normal quantile of `(i + 1/2) / n`. Kayenta draws it at random; a judge must
/// find the same twice. 0 stays 0.
pub fn kayenta_noise(values: &[f64]) -> Vec<f64> {
    const NOISE: f64 = 1e-5;
    let count = values.len() as f64;
    let noisy = values.iter().enumerate().map(|(index, value)| {
        let drawn = normal_quantile((index as f64 + 0.5) / count, Tail::Lower);
        value * (1.0 + NOISE * drawn.unwrap_or(0.0))
    });
    noisy.collect()
}

/// The same in ascending order: of values below 0 the noise falls.
fn noisy(values: &[f64]) -> Vec<f64> {
    let mut noisy = kayenta_noise(values);
    noisy.sort_by(f64::total_cmp);
    noisy
}

/// The first and the last of some values.
fn ends(values: &[f64]) -> Option<(f64, f64)> {
    Some((*values.first()?, *values.last()?))
}

/// The interval of the shift and its estimate, of values in ascending order.
fn shift(
    x: &[f64],
    y: &[f64],
    parameters: &KayentaParameters,
) -> Result<(Interval, f64), NoDataCause> {
    let (x_min, x_max) = ends(x).ok_or(NoDataCause::NoCanary)?;
    let (y_min, y_max) = ends(y).ok_or(NoDataCause::NoControl)?;
    let (smallest, largest) = (x_min - y_max, x_max - y_min);
    if !(largest - smallest).is_finite() {
        return Err(NoDataCause::NotFinite);
    }
    if smallest >= largest {
        return Err(NoDataCause::NoSpread);
    }
    let scale = if parameters.relative_tolerance {
        largest - smallest
    } else {
        1.0
    };
    let tolerance = parameters.root_tolerance * scale;
    let half_pairs = 0.5 * (x.len() as f64 * y.len() as f64);
    let statistic = |mu: f64| {
        let ranking = rank(x, y, mu);
        let excess = ranking.u - half_pairs;
        let correction = if excess.abs() > 0.0 {
            0.5_f64.copysign(excess)
        } else {
            0.0
        };
        (ranking.deviation > 0.0).then(|| (excess - correction) / ranking.deviation)
    };
    let root = |level: f64| {
        let above = |mu: f64| statistic(mu).map(|value| value - level);
        brent_root(above, smallest, largest, tolerance, MAX_STEPS).ok_or(NoDataCause::NotConverged)
    };
    // The statistic falls as the shift grows: a level it never reaches has its root at an end.
    let root_or_end = |level: f64| {
        let at_smallest = statistic(smallest).ok_or(NoDataCause::NoSpread)?;
        let at_largest = statistic(largest).ok_or(NoDataCause::NoSpread)?;
        if at_smallest <= level {
            Ok(smallest)
        } else if at_largest >= level {
            Ok(largest)
        } else {
            root(level)
        }
    };
    let z = parameters.confidence.normal_quantile();
    let (lower, upper) = (root_or_end(z)?, root_or_end(-z)?);
    let estimate = root_or_end(0.0)?;
    // At a jump both bounds are known to the tolerance only, and may be found in either order.
    let interval =
        Interval::new(lower.min(upper), lower.max(upper)).ok_or(NoDataCause::NotConverged)?;
    Ok((interval, estimate))
}

/// The ratio of the means, unless one is zero or the ratio is not finite.
fn mean_ratio(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| {
        let n = values.len() as f64;
        values.iter().map(|value| value / n).sum::<f64>()
    };
    let (mean_x, mean_y) = (mean(x), mean(y));
    let is_known = mean_x.abs() > 0.0 && mean_y.abs() > 0.0;
    is_known
        .then_some(mean_x / mean_y)
        .filter(|ratio| ratio.is_finite())
}
