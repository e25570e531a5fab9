//! How a rollout is judged: by the sequential method, or as the peers do.

use super::error::{OperatingError, within};
use super::looks::Looks;
use super::replay::Replay;
use super::scenario::Rollout;
use crate::interval::{Confidence, Count, wilson_interval};
use crate::rank::{KayentaParameters, RankClass, kayenta_classification};
use crate::sequential::{ErrorRate, IntervalCounts, RelativeLimit, Side};
use crate::series::ArmCount;

/// A method of judging `error_rate < baseline * ratio`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Evidence against the limit, as Serinus judges by default.
    Sequential,
    /// Wilson intervals of all requests so far: a rollback at the first look at which they do not
    /// overlap. It knows no ratio but 1.
    Wilson {
        /// Their confidence.
        confidence: Confidence,
    },
    /// Kayenta's rank test over the failure rates of the intervals so far, the limit's ratio being the
    /// allowed increase. The root tolerance is taken relative: with Kayenta's absolute one it is blind
    /// for rates.
    Kayenta,
    /// A threshold on the failure rate of the newest interval: the kind of check that Argo Rollouts and
    /// Flagger make.
    ThresholdGate {
        /// The largest failure rate that passes.
        limit: f64,
    },
}

impl Method {
    /// Checks the numbers.
    pub(super) fn judge(&self, ratio: f64) -> Result<Judge, OperatingError> {
        match *self {
            Self::Sequential => {
                let limit = RelativeLimit::new(ratio, 0.0, Side::Above)?;
                Ok(Judge::Sequential(limit))
            }
            Self::Wilson { confidence } => Ok(Judge::Wilson(confidence)),
            Self::Kayenta => {
                let is_ratio = ratio > 0.0 && ratio <= 1e6;
                within("a ratio", ratio, is_ratio, "above 0")?;
                Ok(Judge::Kayenta(KayentaParameters {
                    allowed_increase: ratio,
                    relative_tolerance: true,
                    ..KayentaParameters::default()
                }))
            }
            Self::ThresholdGate { limit } => {
                let is_rate = limit > 0.0 && limit < 1.0;
                within("a gate's limit", limit, is_rate, "between 0 and 1")?;
                Ok(Judge::ThresholdGate(limit))
            }
        }
    }
}

/// A checked method.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judge {
    Sequential(RelativeLimit),
    Wilson(Confidence),
    Kayenta(KayentaParameters),
    ThresholdGate(f64),
}

impl Judge {
    /// Returns the interval (the first is 1) of the look at which the rollout is rolled back.
    pub(super) fn rolled_back_at(&self, rollout: &Rollout, looks: Looks) -> Option<usize> {
        match self {
            Self::Sequential(limit) => sequential(*limit, rollout, looks),
            Self::Wilson(confidence) => wilson(*confidence, &rollout.intervals, looks),
            Self::Kayenta(parameters) => kayenta(parameters, &rollout.intervals, looks),
            Self::ThresholdGate(limit) => threshold_gate(*limit, &rollout.intervals, looks),
        }
    }
}

/// A crossing between two looks is found at the next one: the whole rollout is replayed at each.
fn sequential(limit: RelativeLimit, rollout: &Rollout, looks: Looks) -> Option<usize> {
    let mut replay = Replay::new(limit, rollout);
    let threshold = ErrorRate::ROLLBACK.log_threshold();
    let crossing = rollout
        .intervals
        .iter()
        .position(|counts| replay.push(counts) >= threshold)?;
    Some(looks.at_or_after(crossing + 1, rollout.intervals.len()))
}

fn wilson(confidence: Confidence, intervals: &[IntervalCounts], looks: Looks) -> Option<usize> {
    let mut total = IntervalCounts::default();
    for (interval, counts) in (1..).zip(intervals) {
        add(&mut total.canary, &counts.canary);
        add(&mut total.control, &counts.control);
        if !looks.includes(interval, intervals.len()) {
            continue;
        }
        let bounds = |arm: &ArmCount| {
            let count = Count::new(arm.events, arm.exposure).ok()?;
            Some(wilson_interval(count, confidence))
        };
        if let (Some(control), Some(canary)) = (bounds(&total.control), bounds(&total.canary))
            && canary.lower() > control.upper()
        {
            return Some(interval);
        }
    }
    None
}

fn add(total: &mut ArmCount, more: &ArmCount) {
    total.events += more.events;
    total.exposure += more.exposure;
}

fn kayenta(
    parameters: &KayentaParameters,
    intervals: &[IntervalCounts],
    looks: Looks,
) -> Option<usize> {
    let rate = |arm: &ArmCount| arm.events / arm.exposure;
    let (mut canary, mut control) = (Vec::new(), Vec::new());
    for (interval, counts) in (1..).zip(intervals) {
        canary.push(rate(&counts.canary));
        control.push(rate(&counts.control));
        if looks.includes(interval, intervals.len()) {
            let report = kayenta_classification(&canary, &control, parameters);
            if report.class == RankClass::High {
                return Some(interval);
            }
        }
    }
    None
}

fn threshold_gate(limit: f64, intervals: &[IntervalCounts], looks: Looks) -> Option<usize> {
    (1..)
        .zip(intervals)
        .filter(|(interval, _)| looks.includes(*interval, intervals.len()))
        .find(|(_, counts)| counts.canary.events > limit * counts.canary.exposure)
        .map(|(interval, _)| interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(canary_events: &[f64]) -> Rollout {
        let arm = |events, exposure| ArmCount { events, exposure };
        Rollout {
            history: None,
            stages: vec![canary_events.len()],
            intervals: canary_events
                .iter()
                .map(|&events| IntervalCounts {
                    canary: arm(events, 1000.0),
                    control: arm(27.0, 9000.0),
                })
                .collect(),
        }
    }

    fn at(method: Method, events: &[f64], looks: &str) -> Option<usize> {
        let judge = method.judge(1.0).unwrap();
        judge.rolled_back_at(&rollout(events), looks.parse().unwrap())
    }

    #[test]
    fn every_method_finds_a_crash_and_passes_a_twin() {
        let (bad, good) = ([30.0; 12], [3.0; 12]);
        let confidence = Confidence::new(0.99).unwrap();
        for method in [
            Method::Sequential,
            Method::Wilson { confidence },
            Method::ThresholdGate { limit: 0.01 },
        ] {
            assert!(at(method, &bad, "every").unwrap() <= 6, "{method:?}");
            assert_eq!(at(method, &bad, "6"), Some(6), "{method:?}");
            assert_eq!(at(method, &bad, "once"), Some(12), "{method:?}");
            assert_eq!(at(method, &good, "every"), None, "{method:?}");
        }
        let kayenta = Method::Kayenta;
        let spread = |level: f64| -> Vec<f64> {
            (0..12)
                .map(|k| level + f64::from(k % 4) * level / 4.0)
                .collect()
        };
        assert_eq!(at(kayenta, &spread(30.0), "once"), Some(12));
        assert_eq!(at(kayenta, &spread(2.0), "once"), None);
    }

    #[test]
    fn a_gate_sees_one_interval_only() {
        let gate = Method::ThresholdGate { limit: 0.01 };
        let events = [1.0, 50.0, 1.0, 1.0];
        assert_eq!(at(gate, &events, "every"), Some(2));
        assert_eq!(at(gate, &events, "once"), None);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for ratio in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
            assert!(Method::Sequential.judge(ratio).is_err(), "{ratio}");
            assert!(Method::Kayenta.judge(ratio).is_err(), "{ratio}");
        }
        for limit in [f64::NAN, 0.0, 1.5] {
            let gate = Method::ThresholdGate { limit };
            assert!(gate.judge(1.0).is_err(), "{limit}");
        }
    }
}
