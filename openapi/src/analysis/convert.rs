//! From the judge's answer to the wire's.

use chrono::{DateTime, Utc};
use serinus_analysis::interval::Interval;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Grid;
use serinus_analysis::{data, judge};

use super::gate::one_line;
use super::{
    AnalysisAnswer, Arm, Bounds, Bracket, Check, Classification, Evidence, Gate, History, Inputs,
    Needs, NoiseSource, Outcome, Ratio, Spread, SpreadSource, StandingOut, Verdict, Warning,
    WarningCode, Wilson, Window,
};
use crate::number::Number;
use crate::pipeline::Method;

/// What was analysed, for the answer.
#[derive(Debug, Clone, Copy)]
pub struct AnalysisSubject<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// The stage.
    pub stage: &'a Stage,
    /// The grid judged.
    pub grid: Grid,
    /// The time before it.
    pub history: &'a data::History,
}

impl AnalysisAnswer {
    /// Returns the answer that tells a verdict.
    pub fn new(
        subject: AnalysisSubject<'_>,
        verdict: &judge::StageVerdict,
        inputs: Inputs,
    ) -> Self {
        let AnalysisSubject {
            pipeline,
            stage,
            grid,
            history,
        } = subject;
        let true_verdict = Verdict::from(verdict.verdict);
        let is_dry_run = pipeline.dry_run || stage.shadow;
        let (told, reason) = if is_dry_run {
            // As the gate of a rollout: it holds for the stage's duration, and then lets pass.
            let told = if judge::is_stage_over(stage, grid) {
                Verdict::Promote
            } else {
                Verdict::Hold
            };
            let name = verdict.verdict.name();
            let reason = format!(
                "judged without acting; its checks say {name}: {}",
                verdict.reason
            );
            (told, reason)
        } else {
            (true_verdict, verdict.reason.clone())
        };
        Self {
            verdict: told,
            gate: Gate::new(told, &reason),
            reason_code: verdict.reason_code.into(),
            progress: one_line(&verdict.progress),
            pipeline: pipeline.name.clone(),
            stage: stage.id.clone(),
            dry_run: is_dry_run,
            true_verdict: is_dry_run.then_some(true_verdict),
            traffic_percent: Number::percent(stage.traffic_percent),
            rollback_to_percent: Number::percent(verdict.rollback_to_percent),
            window: Window {
                start: timestamp(grid.start_ms()),
                end: timestamp(grid.end_ms()),
                interval_seconds: grid.interval_ms() / 1000,
                intervals: verdict.intervals,
                missing: verdict.missing_intervals,
            },
            history: History::from(history),
            checks: verdict.checks.iter().map(Check::from).collect(),
            warnings: verdict.warnings.iter().map(Warning::from).collect(),
            inputs,
        }
    }
}

impl From<&data::History> for History {
    fn from(history: &data::History) -> Self {
        let why = match history {
            data::History::Seen(past) => {
                let split = past.split();
                return Self {
                    start: Some(timestamp(past.grid().start_ms())),
                    end: Some(timestamp(past.grid().end_ms())),
                    intervals: Some(past.intervals_with_data()),
                    canary_targets: Some(split.canary_targets),
                    control_targets: Some(split.control_targets),
                    canary_share: Number::new(split.canary_share),
                    absent: None,
                };
            }
            data::History::Absent(why) => why,
            data::History::Refused(fault) | data::History::Late(fault) => &fault.message,
        };
        Self {
            absent: Some(one_line(why)),
            ..Self::default()
        }
    }
}

impl Verdict {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        judge::Verdict::from(self).name()
    }
}

impl From<judge::Verdict> for Verdict {
    fn from(verdict: judge::Verdict) -> Self {
        match verdict {
            judge::Verdict::Promote => Self::Promote,
            judge::Verdict::Hold => Self::Hold,
            judge::Verdict::Rollback => Self::Rollback,
        }
    }
}

impl From<Verdict> for judge::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Promote => Self::Promote,
            Verdict::Hold => Self::Hold,
            Verdict::Rollback => Self::Rollback,
        }
    }
}

impl From<judge::Outcome> for Outcome {
    fn from(outcome: judge::Outcome) -> Self {
        match outcome {
            judge::Outcome::Pass => Self::Pass,
            judge::Outcome::Fail => Self::Fail,
            judge::Outcome::Undecided => Self::Undecided,
            judge::Outcome::NoData => Self::NoData,
        }
    }
}

impl From<judge::SpreadSource> for SpreadSource {
    fn from(source: judge::SpreadSource) -> Self {
        match source {
            judge::SpreadSource::Assumed => Self::Assumed,
            judge::SpreadSource::Pods => Self::Pods,
            judge::SpreadSource::Samples => Self::Samples,
            judge::SpreadSource::Past => Self::Past,
        }
    }
}

impl From<judge::NoiseSource> for NoiseSource {
    fn from(source: judge::NoiseSource) -> Self {
        match source {
            judge::NoiseSource::History => Self::History,
            judge::NoiseSource::Assumed => Self::Assumed,
        }
    }
}

impl From<judge::WarningCode> for WarningCode {
    fn from(code: judge::WarningCode) -> Self {
        match code {
            judge::WarningCode::PartialData => Self::PartialData,
            judge::WarningCode::NoHistory => Self::NoHistory,
            judge::WarningCode::CheckFailed => Self::CheckFailed,
            judge::WarningCode::SlidingWindow => Self::SlidingWindow,
            judge::WarningCode::SingleLook => Self::SingleLook,
            judge::WarningCode::SourceRemark => Self::SourceRemark,
            judge::WarningCode::LeftOutSeries => Self::LeftOutSeries,
            judge::WarningCode::OtherBuckets => Self::OtherBuckets,
            judge::WarningCode::NoEventSeries => Self::NoEventSeries,
            judge::WarningCode::CanaryEventsMissing => Self::CanaryEventsMissing,
            judge::WarningCode::LeavesNothingOut => Self::LeavesNothingOut,
            judge::WarningCode::SelectorNotChecked => Self::SelectorNotChecked,
            judge::WarningCode::MissedScrapes => Self::MissedScrapes,
            judge::WarningCode::CounterFell => Self::CounterFell,
            judge::WarningCode::DuplicatedSeries => Self::DuplicatedSeries,
            judge::WarningCode::SummedByTarget => Self::SummedByTarget,
            judge::WarningCode::IntervalFinerThanScrapes => Self::IntervalFinerThanScrapes,
            judge::WarningCode::SplitMismatch => Self::SplitMismatch,
            judge::WarningCode::PopulationsDifferInKind => Self::PopulationsDifferInKind,
            judge::WarningCode::UnevenLoad => Self::UnevenLoad,
            judge::WarningCode::ShortLivedProcesses => Self::ShortLivedProcesses,
            judge::WarningCode::ErrorBudget => Self::ErrorBudget,
        }
    }
}

impl From<judge::Classification> for Classification {
    fn from(classification: judge::Classification) -> Self {
        match classification {
            judge::Classification::Regression => Self::Regression,
            judge::Classification::Improvement => Self::Improvement,
            judge::Classification::Neutral => Self::Neutral,
        }
    }
}

impl From<&judge::CheckReport> for Check {
    fn from(report: &judge::CheckReport) -> Self {
        Self {
            metric: report.metric.clone(),
            condition: report.condition.clone(),
            outcome: report.outcome.into(),
            method: Method::from(report.method).into(),
            reason_code: report.reason_code.into(),
            reason: report.reason.clone(),
            critical: report.critical,
            warn_only: report.warn_only,
            may_roll_back: report.may_roll_back,
            counts: report.counts,
            control: report.control.as_ref().map(Arm::from),
            canary: report.canary.as_ref().map(Arm::from),
            ratio: report.ratio.as_ref().map(Ratio::from),
            wilson: report.wilson.as_ref().map(Wilson::from),
            evidence: report.evidence.as_ref().and_then(evidence),
            dispersion: report
                .evidence
                .as_ref()
                .and_then(|evidence| evidence.dispersion)
                .and_then(Number::new),
            dispersion_from: report
                .evidence
                .as_ref()
                .and_then(|evidence| evidence.dispersion_from)
                .map(|source| NoiseSource::from(source).into()),
            spread: report.spread.as_ref().and_then(spread),
            standing_out: report
                .standing_out
                .iter()
                .filter_map(standing_out)
                .collect(),
            needs: report.needs.as_ref().map(Needs::from),
            detectable_ratio: report.detectable_ratio.and_then(Number::new),
        }
    }
}

fn evidence(report: &judge::EvidenceReport) -> Option<Evidence> {
    Some(Evidence {
        rollback: Number::new(report.rollback)?,
        rollback_at: Number::new(report.rollback_at)?,
        promote: report.promote.and_then(Number::new),
        promote_at: Number::new(report.promote_at)?,
    })
}

fn spread(report: &judge::SpreadReport) -> Option<Spread> {
    Some(Spread {
        source: Some(SpreadSource::from(report.source).into()),
        sd: Number::new(report.sd)?,
        pods: report.pods,
        minutes: Number::new(report.minutes)?,
        left_out: report.left_out.clone(),
    })
}

fn standing_out(one: &judge::StandingOut) -> Option<StandingOut> {
    Some(StandingOut {
        pod: one.pod.clone(),
        events: Number::new(one.events)?,
        of_events: Number::new(one.of_events)?,
        ratio: Number::new(one.ratio)?,
    })
}

impl From<&judge::ArmReport> for Arm {
    fn from(report: &judge::ArmReport) -> Self {
        Self {
            events: report.events.and_then(Number::new),
            total: report.total.and_then(Number::new),
            estimate: report.estimate.and_then(Number::new),
            interval: report.interval.and_then(bounds),
            bracket: report.bracket.map(|interval| Bracket {
                lower: Number::new(interval.lower()),
                upper: Number::new(interval.upper()),
            }),
        }
    }
}

impl From<&judge::RatioReport> for Ratio {
    fn from(report: &judge::RatioReport) -> Self {
        Self {
            estimate: Number::new(report.estimate),
            interval: report.interval.and_then(bounds),
            confidence: Number::new(report.confidence),
        }
    }
}

impl From<&judge::WilsonReport> for Wilson {
    fn from(report: &judge::WilsonReport) -> Self {
        Self {
            confidence: Number::new(report.confidence),
            classification: Classification::from(report.classification).into(),
            difference: report.difference.and_then(bounds),
        }
    }
}

impl From<&judge::NeedsReport> for Needs {
    fn from(report: &judge::NeedsReport) -> Self {
        Self {
            canary_requests: Number::new(report.canary_total.ceil()),
            projected_at: report.projected_at_ms.map(timestamp),
            traffic_factor: report.traffic_factor.and_then(Number::new),
            provable_ratio: report.provable_ratio.and_then(Number::new),
        }
    }
}

impl From<&judge::Warning> for Warning {
    fn from(warning: &judge::Warning) -> Self {
        Self {
            code: WarningCode::from(warning.code).into(),
            message: warning.message.clone(),
        }
    }
}

fn bounds(interval: Interval) -> Option<Bounds> {
    Some([
        Number::new(interval.lower())?,
        Number::new(interval.upper())?,
    ])
}

/// A time that the calendar cannot say becomes its first or last one.
/// The time so many milliseconds since 1970; the nearest one that can be written.
pub fn timestamp(milliseconds: i64) -> DateTime<Utc> {
    let nearest = if milliseconds < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    };
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_absent() {
        let report = judge::ArmReport {
            events: Some(3.0),
            total: Some(f64::NAN),
            estimate: Some(f64::INFINITY),
            interval: Interval::new(0.5, f64::INFINITY),
            bracket: Interval::new(2.5, f64::INFINITY),
        };
        let json = serde_json::to_string(&Arm::from(&report)).unwrap();
        assert_eq!(json, r#"{"events":3,"bracket":{"lower":2.5}}"#);
    }

    #[test]
    fn a_time_beyond_the_calendar_does_not_panic() {
        assert_eq!(timestamp(i64::MIN), DateTime::<Utc>::MIN_UTC);
        assert_eq!(timestamp(i64::MAX), DateTime::<Utc>::MAX_UTC);
        assert_eq!(timestamp(0), DateTime::<Utc>::UNIX_EPOCH);
    }
}
