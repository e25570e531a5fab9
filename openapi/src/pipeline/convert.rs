//! From the domain's pipeline to the wire's.

use serinus_analysis::pipeline as domain;

use super::{AnalysisSettings, Diagnostic, ErrorBudget, Pipeline, Stage, StageCheck};
use crate::number::Number;

impl From<&domain::Diagnostic> for Diagnostic {
    fn from(diagnostic: &domain::Diagnostic) -> Self {
        Self {
            line: diagnostic.line,
            column: diagnostic.column,
            path: diagnostic.path.clone(),
            message: diagnostic.message.clone(),
        }
    }
}

impl From<&domain::Pipeline> for Pipeline {
    fn from(pipeline: &domain::Pipeline) -> Self {
        let check = |check: &domain::Check| StageCheck {
            metric: check.metric.clone(),
            condition: check.text.clone(),
            method: check.asked_method.into(),
            critical: check.critical,
            warn_only: check.warn_only,
            weight: setting(check.weight),
        };
        let stage = |stage: &domain::Stage| Stage {
            id: stage.id.clone(),
            name: stage.name.clone(),
            traffic_percent: Number::percent(stage.traffic_percent),
            duration_minutes: setting(stage.duration_minutes),
            max_duration_minutes: Number::new(stage.max_duration_minutes),
            promote_early: stage.promote_early,
            regions: stage.regions.clone(),
            rollback_point: stage.rollback_point,
            shadow: stage.shadow,
            inherits_checks: stage.inherits_checks,
            checks: stage.checks.iter().map(check).collect(),
        };
        Self {
            name: pipeline.name.clone(),
            source: pipeline.sources.default.clone(),
            control: (&pipeline.control).into(),
            canary: (&pipeline.canary).into(),
            region_label: pipeline.region_label.clone(),
            target_labels: pipeline.target_labels.iter().map(str::to_owned).collect(),
            dry_run: pipeline.dry_run,
            analysis: (&pipeline.analysis).into(),
            kill_switch: pipeline.kill_switch.iter().map(check).collect(),
            error_budget: pipeline.error_budget.as_ref().map(error_budget),
            stages: pipeline.stages.iter().map(stage).collect(),
        }
    }
}

fn error_budget(budget: &domain::ErrorBudget) -> ErrorBudget {
    ErrorBudget {
        metric: budget.metric.clone(),
        objective: setting(budget.objective),
        window_seconds: budget.window_seconds,
        minimum_remaining: setting(budget.minimum_remaining),
        selector: (&budget.selector).into(),
    }
}

impl From<&domain::AnalysisSettings> for AnalysisSettings {
    fn from(settings: &domain::AnalysisSettings) -> Self {
        Self {
            method: settings.method.into(),
            false_rollback: setting(settings.false_rollback),
            false_promote: setting(settings.false_promote),
            confidence: setting(settings.confidence),
            interval_seconds: settings.interval_seconds,
            lag_seconds: settings.lag_seconds,
            on_inconclusive: settings.on_inconclusive.into(),
            split_check: settings.split_check.into(),
            population_check: settings.population_check.into(),
        }
    }
}

/// The parser lets only finite settings through, so the default is never seen.
fn setting(value: f64) -> Number {
    debug_assert!(value.is_finite(), "the parser accepts finite settings only");
    Number::new(value).unwrap_or_default()
}
