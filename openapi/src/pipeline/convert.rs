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
            warm_up_seconds: check.warm_up_seconds,
            ignores_control: check.ignores_control,
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
            warm_up_seconds: stage.warm_up_seconds,
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
            interval_follows_scrapes: !settings.is_interval_given,
            lag_seconds: settings.lag_seconds,
            on_inconclusive: settings.on_inconclusive.into(),
            split_check: settings.split_check.into(),
            population_check: settings.population_check.into(),
            promote_offset: setting(settings.promote_offset),
            warm_up_seconds: settings.warm_up_seconds,
            pod_spread: settings.pod_spread,
        }
    }
}

/// The parser lets only finite settings through, so the default is never seen.
fn setting(value: f64) -> Number {
    debug_assert!(value.is_finite(), "the parser accepts finite settings only");
    Number::new(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Pipeline {
        (&domain::parse(text, "test").unwrap()).into()
    }

    const STAGE: &str = "canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 60";

    #[test]
    fn every_key_of_the_file_is_told() {
        let pipeline = told(&format!(
            "analysis: {{interval: 15s, promote_offset: 0.2%, warm_up: 3m, pod_spread: off}}\n{STAGE}, \
             warm_up: 0s, metrics: [{{check: error_rate < 1%, warm_up: 1m, control: none}}]}}}}"
        ));
        let settings = &pipeline.analysis;
        assert_eq!(settings.interval_seconds, 15);
        assert!(!settings.interval_follows_scrapes);
        assert_eq!(settings.promote_offset, setting(0.002));
        assert_eq!(settings.warm_up_seconds, Some(180));
        assert!(!settings.pod_spread);
        let stage = &pipeline.stages[0];
        assert_eq!(stage.warm_up_seconds, Some(0));
        assert_eq!(stage.checks[0].warm_up_seconds, Some(60));
        assert!(stage.checks[0].ignores_control);
    }

    #[test]
    fn what_the_file_does_not_say_is_told_as_its_default() {
        let pipeline = told(&format!("{STAGE}, metrics: [error_rate < 1%]}}}}"));
        let settings = &pipeline.analysis;
        assert!(settings.interval_follows_scrapes);
        assert_eq!(settings.promote_offset, setting(0.001));
        assert!(settings.pod_spread);
        let json = serde_json::to_value(&pipeline).unwrap();
        for absent in [
            &json["analysis"],
            &json["stages"][0],
            &json["stages"][0]["checks"][0],
        ] {
            assert_eq!(absent.get("warm_up_seconds"), None, "{absent}");
        }
        assert_eq!(json["stages"][0]["checks"][0]["ignores_control"], false);
    }

    #[test]
    fn a_pipeline_that_is_told_can_be_read_again() {
        let pipeline = told(&format!(
            "analysis: {{warm_up: 3m, pod_spread: off}}\n{STAGE}, metrics: [{{check: error_rate < 1%, \
             control: none}}]}}}}"
        ));
        let json = serde_json::to_string(&pipeline).unwrap();
        assert_eq!(serde_json::from_str::<Pipeline>(&json).unwrap(), pipeline);
    }
}
