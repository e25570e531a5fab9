//! The sequential method on a check's data: evidence after every interval of the grid, so that
//! the verdict is the same for one who asks at every interval and one who asks once.

use crate::pipeline::Limit;
use crate::sequential::{
    AbsoluteCompliance, AbsoluteEvidence, AbsoluteLimit, CountLaw, Dispersion, ErrorRate,
    EvidenceConfig, IntervalCounts, NoiseHistory, NoiseState, RelativeCompliance, RelativeEvidence,
    RelativeLimit, Side, TwoSidedEvidence, log_mean_exp, smallest_gauge_log_evidence,
};
use crate::series::PairedGauge;

use super::gauge;
use super::limit::Scale;
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

/// A limit with the counts of every interval that it is held against.
pub(crate) struct Held<'a> {
    pub(crate) limit: Limit,
    pub(crate) intervals: Vec<IntervalCounts>,
    /// How many of them are of the same interval of the grid: one, or one for each stratum.
    pub(crate) per_interval: usize,
    /// The noise of these counts before the rollout, if it was measured.
    pub(crate) history: Option<&'a NoiseHistory>,
}

/// Evidence on counts. Each of the violation's claims (one, or one for each bound of a histogram)
/// gives evidence, of which the mean counts; each of the compliance's must be shown.
pub(crate) fn of_counts(
    scale: Scale,
    violation: &[Held<'_>],
    compliance: &[Held<'_>],
    budget: Budget,
) -> Proof {
    let law = scale.law();
    let found: Vec<Found> = violation
        .iter()
        .filter_map(|held| violation_path(held, law, budget.longest_intervals))
        .collect();
    let shown: Option<Vec<(f64, bool)>> = compliance
        .iter()
        .map(|held| compliance_now(held, law, budget.promotion))
        .collect();
    let shown = shown.unwrap_or_default();
    let controls: Option<Vec<&[f64]>> = found.iter().map(|one| one.control.as_deref()).collect();
    Proof {
        violation: mean_path(
            &found
                .iter()
                .map(|one| one.path.as_slice())
                .collect::<Vec<_>>(),
        ),
        control_violation: controls
            .filter(|paths| !paths.is_empty())
            .map(|paths| mean_path(&paths)),
        compliance: shown
            .iter()
            .map(|(log_evidence, _)| *log_evidence)
            .reduce(f64::min),
        is_kept: !shown.is_empty() && shown.iter().all(|(_, is_shown)| *is_shown),
        dispersion: found.iter().map(|one| one.dispersion).reduce(noisier),
        dispersion_from: found
            .iter()
            .map(|one| one.has_history)
            .reduce(|all, one| all && one)
            .map(|all| {
                if all {
                    NoiseSource::History
                } else {
                    NoiseSource::Assumed
                }
            }),
    }
}

/// The noisier of two.
fn noisier(one: Dispersion, other: Dispersion) -> Dispersion {
    if other.value > one.value { other } else { one }
}

struct Found {
    path: Vec<f64>,
    control: Option<Vec<f64>>,
    dispersion: Dispersion,
    has_history: bool,
}

fn violation_path(held: &Held<'_>, law: CountLaw, longest_intervals: usize) -> Option<Found> {
    let config = EvidenceConfig {
        longest_rollout_intervals: longest_intervals.saturating_mul(held.per_interval),
        history: held.history.cloned(),
    };
    let (ratio, offset, side) = match held.limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, Side::Above),
        Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Below),
        Limit::Within { tolerance } => {
            let mut evidence = TwoSidedEvidence::new(tolerance, &config).ok()?;
            let path = by_interval(held, |counts| evidence.push(counts));
            let noise = evidence.noise().dispersion(0);
            return Some(Found {
                path,
                control: None,
                dispersion: noise,
                has_history: config.history.is_some(),
            });
        }
    };
    if let Some(ratio) = ratio {
        let limit = RelativeLimit::new(ratio, offset, side).ok()?;
        let mut evidence = RelativeEvidence::new(limit, &config);
        let path = by_interval(held, |counts| evidence.push(counts));
        return Some(Found {
            path,
            control: None,
            dispersion: evidence.dispersion(),
            has_history: config.history.is_some(),
        });
    }
    let limit = AbsoluteLimit::new(offset, side, law).ok()?;
    let mut canary = AbsoluteEvidence::new(limit, &config);
    let path = by_interval(held, |counts| canary.push(&counts.canary));
    let mut control = AbsoluteEvidence::new(limit, &config);
    let control = by_interval(held, |counts| control.push(&counts.control));
    Some(Found {
        path,
        control: Some(control),
        dispersion: canary.dispersion(),
        has_history: config.history.is_some(),
    })
}

/// What is proven after each interval of the grid, of what each of its counts proves.
fn by_interval(held: &Held<'_>, push: impl FnMut(&IntervalCounts) -> f64) -> Vec<f64> {
    let each = held.per_interval.max(1);
    let all = held.intervals.iter().map(push).collect::<Vec<f64>>();
    all.into_iter().skip(each - 1).step_by(each).collect()
}

/// `ln E'` now, and whether the limit is shown to be kept; nothing when it never can be.
fn compliance_now(held: &Held<'_>, law: CountLaw, promotion: ErrorRate) -> Option<(f64, bool)> {
    let (ratio, offset, side) = match held.limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, Side::Below),
        Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Above),
        Limit::Within { tolerance } => {
            let sides = Limit::sides_of(tolerance).map(|limit| {
                let held = Held {
                    limit,
                    intervals: held.intervals.clone(),
                    per_interval: held.per_interval,
                    history: held.history,
                };
                compliance_now(&held, law, promotion)
            });
            let [Some((upper, upper_shown)), Some((lower, lower_shown))] = sides else {
                return None;
            };
            return Some((upper.min(lower), upper_shown && lower_shown));
        }
    };
    if let Some(ratio) = ratio {
        let limit = RelativeLimit::new(ratio, offset, side).ok()?;
        let mut compliance = RelativeCompliance::new(limit, 0).ok()?;
        let mut noise = NoiseState::relative(held.history.cloned());
        for counts in &held.intervals {
            compliance.push(counts);
            noise.push(counts);
        }
        let log_evidence = compliance.log_evidence(&noise);
        return Some((log_evidence, compliance.is_shown(&noise, promotion)));
    }
    let limit = AbsoluteLimit::new(offset, side, law).ok()?;
    let mut compliance = AbsoluteCompliance::new(limit, 0);
    let mut noise = NoiseState::absolute(&limit, held.history.cloned());
    for counts in &held.intervals {
        compliance.push(&counts.canary);
        noise.push_single(&counts.canary);
    }
    let log_evidence = compliance.log_evidence(&noise);
    Some((log_evidence, compliance.is_shown(&noise, promotion)))
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
