//! How much the control varied by itself in the hours before a rollout.
//!
//! Source: docs/design/gauges.md, "7. The control's past".

use serde::{Deserialize, Serialize};

use super::excess::Form;
use super::sample::counted;

/// Seconds of a piece: of each the variance is asked, of the pieces the lower median. An incident is one or two.
const HOUR_SECONDS: f64 = 3600.0;
/// Fewest samples of an hour, fewest blocks of a length in it, fewest degrees of freedom of all hours.
const FEWEST_SAMPLES: usize = 4;
const FEWEST_BLOCKS: usize = 4;
const FEWEST_DEGREES_OF_FREEDOM: usize = 8;
/// The most that a past counts: it may be out of date.
const MOST_DEGREES_OF_FREEDOM: usize = 30;
/// Beyond it a variance says no more.
const MOST_VARIANCE: f64 = 1e12;

/// What blocks of one length varied by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PastVariance {
    /// Samples of a block: a power of two.
    pub length: usize,
    /// The variance of a block's mean, relative to the median of the samples.
    pub variance: f64,
    /// How well it is known, at most 30.
    pub degrees_of_freedom: f64,
}

/// What the control showed before the rollout. It must not change during the rollout: it is stored with it. It only
/// ever raises a spread.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct GaugePast {
    values: Vec<PastVariance>,
    /// Of `1 - value`, for shares near 1.
    failures: Vec<PastVariance>,
}

/// As it was stored.
#[derive(Deserialize)]
struct Unchecked {
    values: Vec<PastVariance>,
    failures: Vec<PastVariance>,
}

impl TryFrom<Unchecked> for GaugePast {
    type Error = &'static str;

    fn try_from(stored: Unchecked) -> Result<Self, Self::Error> {
        Self::new(stored.values, stored.failures).ok_or(
            "a gauge's past has variances that are finite and not negative, degrees of freedom of up to 30, and \
             lengths that are ascending powers of two",
        )
    }
}

impl GaugePast {
    /// The past with these numbers; nothing where they describe none.
    pub fn new(values: Vec<PastVariance>, failures: Vec<PastVariance>) -> Option<Self> {
        let is_valid = |one: &PastVariance| {
            one.length.is_power_of_two()
                && (0.0..=MOST_VARIANCE).contains(&one.variance)
                && (0.0..=MOST_DEGREES_OF_FREEDOM as f64).contains(&one.degrees_of_freedom)
        };
        let is_table = |table: &[PastVariance]| {
            table.is_sorted_by(|one, other| one.length < other.length) && table.iter().all(is_valid)
        };
        (is_table(&values) && is_table(&failures)).then_some(Self { values, failures })
    }

    /// Measures the control's samples of the four whole hours before a rollout, one for each step, `None` where one
    /// is missing. Lengths up to a quarter of an hour that are not known well enough are left out.
    pub fn measure(samples: &[Option<f64>], step_seconds: f64) -> Self {
        let values: Vec<Option<f64>> = samples
            .iter()
            .map(|sample| sample.and_then(counted))
            .collect();
        let failures: Vec<Option<f64>> = values
            .iter()
            .map(|value| value.map(|value| Form::Failures.of(value)))
            .collect();
        Self {
            values: variances(&values, step_seconds),
            failures: variances(&failures, step_seconds),
        }
    }

    /// What was measured, by length.
    pub fn variances(&self, is_of_failures: bool) -> &[PastVariance] {
        if is_of_failures {
            &self.failures
        } else {
            &self.values
        }
    }

    pub(super) fn at(&self, length: usize, form: Form) -> Option<&PastVariance> {
        let table = self.variances(form == Form::Failures);
        table.iter().find(|one| one.length == length)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        (self.values.len() + self.failures.len()) * size_of::<PastVariance>() + size_of::<Self>()
    }
}

fn variances(values: &[Option<f64>], step_seconds: f64) -> Vec<PastVariance> {
    let Some(relative) = relative(values) else {
        return Vec::new();
    };
    let per_hour = libm::floor(HOUR_SECONDS / step_seconds).clamp(FEWEST_SAMPLES as f64, 1e6);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 4 and a million"
    )]
    let per_hour = if per_hour.is_finite() {
        per_hour as usize
    } else {
        FEWEST_SAMPLES
    };
    let mut found = Vec::new();
    let mut length = 1;
    while length <= per_hour / FEWEST_BLOCKS {
        let hours: Vec<(f64, usize)> = relative
            .chunks_exact(per_hour)
            .filter_map(|hour| of_an_hour(hour, length))
            .collect();
        let degrees_of_freedom: usize = hours.iter().map(|hour| hour.1).sum();
        let mut each: Vec<f64> = hours.iter().map(|hour| hour.0).collect();
        each.sort_unstable_by(f64::total_cmp);
        let lower_median = each.get(each.len().saturating_sub(1) / 2);
        if let Some(variance) =
            lower_median.filter(|_| degrees_of_freedom >= FEWEST_DEGREES_OF_FREEDOM)
        {
            found.push(PastVariance {
                length,
                variance: variance.min(MOST_VARIANCE),
                degrees_of_freedom: degrees_of_freedom.min(MOST_DEGREES_OF_FREEDOM) as f64,
            });
        }
        length *= 2;
    }
    found
}

/// `value / median - 1`; of a median of 0 the mean size takes its place. Nothing where all are 0 or missing.
fn relative(values: &[Option<f64>]) -> Option<Vec<Option<f64>>> {
    let mut known: Vec<f64> = values.iter().copied().flatten().collect();
    known.sort_unstable_by(f64::total_cmp);
    let at = |place: usize| known.get(place).copied();
    let mut middle = 0.5 * (at(known.len().saturating_sub(1) / 2)? + at(known.len() / 2)?);
    if middle == 0.0 {
        middle = known.iter().map(|value| value.abs()).sum::<f64>() / known.len() as f64;
    }
    if middle == 0.0 {
        return None;
    }
    let relative = |value: &Option<f64>| {
        let found = (*value)? / middle - 1.0;
        found.is_finite().then_some(found)
    };
    Some(values.iter().map(relative).collect())
}

/// The variance of an hour's block means around their mean, and its degrees of freedom.
fn of_an_hour(hour: &[Option<f64>], length: usize) -> Option<(f64, usize)> {
    let mean_of = |block: &[Option<f64>]| {
        let sum: Option<f64> = block.iter().copied().sum();
        sum.map(|sum| sum / length as f64)
    };
    let means: Vec<f64> = hour.chunks_exact(length).filter_map(mean_of).collect();
    if means.len() < FEWEST_BLOCKS {
        return None;
    }
    let middle = means.iter().sum::<f64>() / means.len() as f64;
    let squares: f64 = means
        .iter()
        .map(|mean| (mean - middle) * (mean - middle))
        .sum();
    let variance = squares / (means.len() - 1) as f64;
    variance.is_finite().then_some((variance, means.len() - 1))
}
