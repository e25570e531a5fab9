//! The sequential method on a check's data: evidence after every interval of the grid, so that
//! the verdict is the same for one who asks at every interval and one who asks once.

use crate::pipeline::Limit;
use crate::sequential::{Dispersion, ErrorRate, log_mean_exp, smallest_gauge_log_evidence};
use crate::series::PairedGauge;

use super::gauge;
use super::model::NoiseSource;

/// How long and how sure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Budget {
    /// Longest duration of the stage, in intervals.
    pub(crate) longest_intervals: usize,
    /// The share of good canaries that the whole rollout may roll back.
    pub(crate) rollout: ErrorRate,
    /// The part of it that this stage has, for what is judged stage by stage.
    pub(crate) rollback: ErrorRate,
    /// The share of bad canaries that this stage may promote.
    pub(crate) promotion: ErrorRate,
}

impl Budget {
    /// The error rate at whose threshold evidence with this share of the rollout's weights decides alone:
    /// `(1 / alpha + 1) / share = 1 / rate + 1`.
    pub(crate) fn rollback_alone(&self, share: f64) -> ErrorRate {
        let threshold = (1.0 / self.rollout.value() + 1.0) / share;
        ErrorRate::new(1.0 / (threshold - 1.0)).unwrap_or(self.rollout)
    }
}

/// What the data of one check proves.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Proof {
    /// `ln E` of a violation after each interval of the grid.
    pub(crate) violation: Vec<f64>,
    /// The same for the control, for absolute limits.
    pub(crate) control_violation: Option<Vec<f64>>,
    /// `ln E'` of compliance now.
    pub(crate) compliance: Option<f64>,
    /// Whether compliance is shown.
    pub(crate) is_kept: bool,
    /// The noise of the counts.
    pub(crate) dispersion: Option<Dispersion>,
    /// What it began with.
    pub(crate) dispersion_from: Option<NoiseSource>,
}

impl Proof {
    /// Takes back what was proven before the end of an interval, where the check could not be asked
    /// for yet: what was answered then must not change.
    pub(crate) fn known_from(mut self, interval: usize) -> Self {
        let paths = [Some(&mut self.violation), self.control_violation.as_mut()];
        for path in paths.into_iter().flatten() {
            for log_evidence in path.iter_mut().take(interval) {
                *log_evidence = 0.0;
            }
        }
        self
    }
}

/// The mean of the evidence at each interval.
fn mean_path(paths: &[&[f64]]) -> Vec<f64> {
    let length = paths.first().map_or(0, |path| path.len());
    (0..length)
        .map(|interval| {
            let values: Vec<f64> = paths
                .iter()
                .filter_map(|path| path.get(interval).copied())
                .collect();
            log_mean_exp(&values)
        })
        .collect()
}

/// Evidence on a gauge, from the means of blocks of paired differences. `allowed` are the values that a
/// violation is held against.
pub(crate) fn of_gauge(
    allowed: &PairedGauge,
    values: &PairedGauge,
    violation: Limit,
    compliance: Limit,
    budget: Budget,
) -> Proof {
    let path = |values: &PairedGauge, limit: Limit, rate: ErrorRate, sign: f64| -> Vec<Vec<f64>> {
        let sides = match limit {
            Limit::Within { tolerance } => Limit::sides_of(tolerance).to_vec(),
            one => vec![one],
        };
        let path = |side| gauge_path(values, side, rate, sign, budget);
        sides.into_iter().map(path).collect()
    };
    let violated = path(allowed, violation, budget.rollback, 1.0);
    let kept = path(values, compliance, budget.promotion, -1.0);
    let now = kept
        .iter()
        .map(|side| side.last().copied().unwrap_or(0.0))
        .reduce(f64::min);
    let threshold = budget.promotion.log_threshold();
    let control_violation = (!violation.needs_control()).then(|| {
        gauge_path(
            &gauge::swapped(values),
            violation,
            budget.rollback,
            1.0,
            budget,
        )
    });
    Proof {
        violation: mean_path(&violated.iter().map(Vec::as_slice).collect::<Vec<_>>()),
        control_violation,
        compliance: now,
        is_kept: now.is_some_and(|log_evidence| log_evidence >= threshold),
        dispersion: None,
        dispersion_from: None,
    }
}

/// `ln E` after each interval that a limit is broken (`sign` 1) or kept (`sign` -1).
fn gauge_path(
    values: &PairedGauge,
    limit: Limit,
    rate: ErrorRate,
    sign: f64,
    budget: Budget,
) -> Vec<f64> {
    /// Evidence only moves when a block is complete.
    const SHORTEST_BLOCK: usize = 10;
    let differences: Vec<Option<f64>> = gauge::excesses(values, limit)
        .into_iter()
        .map(|excess| excess.map(|excess| sign * excess))
        .collect();
    let mut path = Vec::with_capacity(differences.len());
    let mut log_evidence = 0.0;
    for count in 1..=differences.len() {
        if count.is_multiple_of(SHORTEST_BLOCK) {
            let seen = differences.get(..count).unwrap_or_default();
            log_evidence = smallest_gauge_log_evidence(seen, budget.longest_intervals, None, rate);
        }
        path.push(log_evidence);
    }
    path
}
