//! The error budget: a service that has spent what it may fail gets no more traffic moved.
//!
//! A guard beside the judge and not a check: it says nothing about the canary, so it neither rolls
//! back nor counts among the false rollbacks. It looks at the whole service, control and canary
//! together, over weeks.
//!
//! Source: docs/design/statistics.md, "11. The verdict of a stage": with less than 0.1 % of the
//! budget left, no request is sent to the new service, whatever its own figures are.

use crate::pipeline::{Better, Dimension, ErrorBudget, Pipeline, Stage};

use super::model::{ReasonCode, StageVerdict, Verdict, Warning, WarningCode};
use crate::data::{BudgetData, DataFault, FaultCode, StageData};
use crate::text;

const SECONDS_PER_MINUTE: f64 = 60.0;

/// What is left of an error budget.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetReport {
    /// The share of good requests that is promised.
    pub objective: f64,
    /// The time over which it is promised, in seconds.
    pub window_seconds: u32,
    /// The least share of the budget that must remain.
    pub minimum_remaining: f64,
    /// The share that remains: 1 when nothing has failed, negative when more has than may; or why
    /// it is not known.
    pub remaining: Result<f64, DataFault>,
}

/// Returns the share of an error budget that remains.
///
/// `remaining = 1 - (failed / total) / (1 - objective)`, where `failed` is `events`, or
/// `total - events` of a metric of which more is better. 1 when nothing failed, 0 when exactly as
/// much failed as may, negative beyond. Nothing without requests, for counts that are negative or
/// not finite, and for an objective that is not in [0, 1).
///
/// Counts that are extrapolated, as Prometheus's `increase` is, may show a few more events than
/// requests: then all have failed.
///
/// Source: B. Beyer et al., "Site Reliability Engineering" (2016), chapter 3.
///
/// ```
/// use serinus_analysis::judge::remaining_share;
/// use serinus_analysis::pipeline::Better;
///
/// // 400 of a million failed, where 99.9 % may not: 1,000 may.
/// let remaining = remaining_share(0.999, Better::Lower, 400.0, 1e6).unwrap();
/// assert!((remaining - 0.6).abs() < 1e-12);
/// ```
pub fn remaining_share(objective: f64, better: Better, events: f64, total: f64) -> Option<f64> {
    let is_count = |count: f64| count.is_finite() && count >= 0.0;
    if !is_count(events) || !is_count(total) || total <= 0.0 || !(0.0..1.0).contains(&objective) {
        return None;
    }
    let share = (events / total).min(1.0);
    let failed = match better {
        Better::Lower => share,
        Better::Higher => 1.0 - share,
    };
    Some(1.0 - failed / (1.0 - objective))
}

impl BudgetReport {
    /// Says what is left. `better` is that of the budget's metric.
    pub fn new(budget: &ErrorBudget, better: Better, data: &BudgetData) -> Self {
        let remaining = match data {
            BudgetData::Fault(fault) => Err(fault.clone()),
            BudgetData::Counts { events, total } => {
                let share = remaining_share(budget.objective, better, *events, *total);
                share.ok_or_else(|| DataFault {
                    code: FaultCode::NoData,
                    message: format!(
                        "no requests were counted for {} in the budget's window",
                        budget.metric
                    ),
                })
            }
        };
        Self {
            objective: budget.objective,
            window_seconds: budget.window_seconds,
            minimum_remaining: budget.minimum_remaining,
            remaining,
        }
    }

    /// Why no more traffic may be moved; nothing when it may.
    fn objection(&self) -> Option<(ReasonCode, String)> {
        let percent = |share: f64| text::value(share, Dimension::Fraction);
        match &self.remaining {
            Ok(share) if *share >= self.minimum_remaining => None,
            Ok(share) => Some((
                ReasonCode::ErrorBudget,
                format!(
                    "the service has spent its error budget: {} of it remains of {} good requests \
                     in {}, and {} must; no more traffic is moved until it recovers",
                    percent(*share),
                    percent(self.objective),
                    text::minutes(f64::from(self.window_seconds) / SECONDS_PER_MINUTE),
                    percent(self.minimum_remaining),
                ),
            )),
            Err(fault) => Some((
                fault.code.into(),
                format!("the error budget is not known: {}", fault.message),
            )),
        }
    }
}

/// Holds a promotion that would move more traffic while the error budget is spent or not known.
///
/// Only a promotion is changed. Every other verdict stays, with a warning that tells the same:
/// a hold has its own reason, a rollback moves traffic away, and after 100 % there is none left to
/// move. The canary is not blamed: the guard never rolls back.
#[must_use]
pub fn guard(mut verdict: StageVerdict, stage: &Stage, report: &BudgetReport) -> StageVerdict {
    let Some((code, objection)) = report.objection() else {
        return verdict;
    };
    let moves_traffic = verdict.verdict == Verdict::Promote && stage.traffic_percent < 100.0;
    if moves_traffic {
        verdict.verdict = Verdict::Hold;
        verdict.reason_code = code;
        verdict.reason = text::one_line(&objection);
    }
    verdict.warnings.push(Warning {
        code: WarningCode::ErrorBudget,
        message: text::one_line(&objection),
    });
    verdict
}

/// Guards a verdict by the pipeline's error budget, where it has one and something was read for it.
pub(super) fn guarded(
    verdict: StageVerdict,
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
) -> StageVerdict {
    let (Some(budget), Some(read)) = (&pipeline.error_budget, &data.error_budget) else {
        return verdict;
    };
    let better = pipeline
        .metrics
        .get(&budget.metric)
        .map_or(Better::Lower, |metric| metric.better);
    guard(verdict, stage, &BudgetReport::new(budget, better, read))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::matchers::Matchers;

    fn report(events: f64, total: f64) -> BudgetReport {
        BudgetReport::new(
            &budget(),
            Better::Lower,
            &BudgetData::Counts { events, total },
        )
    }

    fn budget() -> ErrorBudget {
        ErrorBudget {
            metric: "error_rate".to_owned(),
            objective: 0.999,
            window_seconds: 28 * 86_400,
            minimum_remaining: 0.001,
            selector: Matchers::new(),
        }
    }

    fn stage(traffic_percent: f64) -> Stage {
        Stage {
            id: "stage_1".to_owned(),
            name: "one".to_owned(),
            traffic_percent,
            duration_minutes: 10.0,
            max_duration_minutes: 20.0,
            promote_early: false,
            regions: Vec::new(),
            rollback_point: true,
            shadow: false,
            warm_up_seconds: None,
            cold_start_seconds: None,
            checks: Vec::new(),
            inherits_checks: false,
        }
    }

    fn verdict(verdict: Verdict) -> StageVerdict {
        StageVerdict {
            verdict,
            reason_code: ReasonCode::Passed,
            reason: "all 3 checks passed".to_owned(),
            progress: "stage 1 of 2, 10 of 10 minutes".to_owned(),
            rollback_to_percent: 0.0,
            intervals: 20,
            missing_intervals: 0,
            checks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_budget_that_is_left_changes_nothing() {
        for told in [Verdict::Promote, Verdict::Hold, Verdict::Rollback] {
            let guarded = guard(verdict(told), &stage(5.0), &report(999.0 - 1.0, 1e6));
            assert_eq!(guarded, verdict(told));
        }
    }

    #[test]
    fn a_promotion_is_held_when_less_than_a_thousandth_of_the_budget_remains() {
        // 1,000 of a million may fail; 0.05 % of that is left.
        let guarded = guard(verdict(Verdict::Promote), &stage(5.0), &report(999.5, 1e6));
        assert_eq!(guarded.verdict, Verdict::Hold);
        assert_eq!(guarded.reason_code, ReasonCode::ErrorBudget);
        assert!(guarded.reason.contains("0.05 %"), "{}", guarded.reason);
        assert!(guarded.reason.contains("99.9 %"), "{}", guarded.reason);
        assert!(guarded.reason.chars().count() <= 300, "{}", guarded.reason);
        assert_eq!(guarded.warnings[0].code, WarningCode::ErrorBudget);
        // The rule is `error_budget < 0.001`: exactly the minimum is enough.
        let exact = BudgetReport {
            remaining: Ok(0.001),
            ..report(0.0, 1.0)
        };
        let guarded = guard(verdict(Verdict::Promote), &stage(5.0), &exact);
        assert_eq!(guarded.verdict, Verdict::Promote);
    }

    #[test]
    fn nothing_but_a_promotion_to_more_traffic_is_changed() {
        let spent = report(5_000.0, 1e6);
        for (told, percent) in [
            (Verdict::Hold, 5.0),
            (Verdict::Rollback, 5.0),
            (Verdict::Promote, 100.0),
        ] {
            let guarded = guard(verdict(told), &stage(percent), &spent);
            assert_eq!(guarded.verdict, told);
            assert_eq!(guarded.reason, verdict(told).reason);
            assert!(
                guarded.warnings[0].message.contains("-400 %"),
                "{guarded:?}"
            );
        }
    }

    #[test]
    fn what_is_not_known_holds_with_the_code_of_the_source() {
        let fault = DataFault {
            code: FaultCode::SourceUnavailable,
            message: "connection refused".to_owned(),
        };
        let unknown = BudgetReport::new(&budget(), Better::Lower, &BudgetData::Fault(fault));
        let guarded = guard(verdict(Verdict::Promote), &stage(5.0), &unknown);
        assert_eq!(guarded.verdict, Verdict::Hold);
        assert_eq!(guarded.reason_code, ReasonCode::SourceUnavailable);
        assert!(guarded.reason.contains("connection refused"));
        let guarded = guard(verdict(Verdict::Promote), &stage(5.0), &report(0.0, 0.0));
        assert_eq!(guarded.verdict, Verdict::Hold);
        assert_eq!(guarded.reason_code, ReasonCode::NoData);
    }

    #[test]
    fn the_share_follows_the_direction_of_the_metric() {
        let share = |better, events| remaining_share(0.99, better, events, 1_000.0).unwrap();
        assert!((share(Better::Lower, 10.0)).abs() < 1e-12);
        assert!((share(Better::Higher, 990.0)).abs() < 1e-12);
        assert!((share(Better::Higher, 1_000.0) - 1.0).abs() < 1e-12);
        // Extrapolation may show more events than requests.
        assert!((share(Better::Lower, 1_001.0) + 99.0).abs() < 1e-9);
        assert!((share(Better::Higher, 1_001.0) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn any_numbers_give_a_finite_share_of_at_most_one_or_none(
            objective in any::<f64>(),
            events in any::<f64>(),
            total in any::<f64>(),
        ) {
            for better in [Better::Lower, Better::Higher] {
                if let Some(share) = remaining_share(objective, better, events, total) {
                    prop_assert!(share.is_finite() && share <= 1.0, "{share}");
                }
            }
        }

        #[test]
        fn the_share_does_not_depend_on_the_volume_and_falls_with_failures(
            failed in 0.0..0.4_f64,
            more in 0.01..0.5_f64,
            total in 1.0..1e9_f64,
        ) {
            let share = |failed: f64, total: f64| {
                remaining_share(0.999, Better::Lower, failed * total, total).unwrap()
            };
            let here = share(failed, total);
            prop_assert!((here - share(failed, total * 1e9)).abs() <= 1e-9 * here.abs().max(1.0));
            prop_assert!(share(failed + more, total) < here);
        }
    }
}
