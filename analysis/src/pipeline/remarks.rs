//! What makes a pipeline harmless or strange, and what will surprise its author: said before a
//! rollout begins, by everything that shows a pipeline.

use super::fewest::shortcomings;
use super::model::{Check, Method, Pipeline, PopulationCheck, SplitCheck, Stage};
use super::service::{names_a_service, selects_a_service};
use crate::populations::not_apart;
use crate::series::Populations;
use crate::text;

/// What a remark is about, as a stable token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemarkCode {
    /// The pipeline judges and never acts.
    DryRun,
    /// A stage judges and never acts.
    ShadowStage,
    /// A check warns and neither holds nor rolls back.
    WarnOnly,
    /// No promotion waits for a check.
    NotCritical,
    /// Proof against a check does not roll back.
    NoRollback,
    /// Another test than the sequential one decides.
    Method,
    /// Nobody looks whether the traffic is split as the stage says.
    SplitCheck,
    /// Nobody looks whether the control spans other services.
    PopulationCheck,
    /// Control and canary are written alike, or one of them contains the other.
    SamePopulations,
    /// No matcher names the service.
    ServiceNotNamed,
    /// A stage is too short for a check to be decided, or to pass in its time.
    TooFewIntervals,
}

impl RemarkCode {
    /// Whether it is probably a mistake, and not only worth to be known.
    pub fn is_warning(self) -> bool {
        match self {
            Self::SamePopulations | Self::ServiceNotNamed | Self::TooFewIntervals => true,
            Self::DryRun
            | Self::ShadowStage
            | Self::WarnOnly
            | Self::NotCritical
            | Self::NoRollback
            | Self::Method
            | Self::SplitCheck
            | Self::PopulationCheck => false,
        }
    }
}

/// One thing to know of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What it is about.
    pub code: RemarkCode,
    /// The ids of the stages that it is about; all of them when empty.
    pub stages: Vec<String>,
    /// One sentence.
    pub message: String,
}

impl Pipeline {
    /// What makes this pipeline harmless or strange, what makes it harmless first.
    pub fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if self.dry_run {
            let message = "DRY RUN: every stage is judged, and nothing is ever done about it";
            remarks.push(remark(RemarkCode::DryRun, message));
        }
        remarks.extend(self.shadow_stages());
        remarks.extend(self.flags());
        remarks.extend(self.methods());
        remarks.extend(self.split_check());
        remarks.extend(self.population_check());
        remarks.extend(self.populations());
        remarks.extend(self.service());
        remarks.extend(self.short_stages());
        remarks
    }

    fn shadow_stages(&self) -> Option<Remark> {
        let stages = ids(self.stages.iter().filter(|stage| stage.shadow));
        if stages.is_empty() {
            return None;
        }
        let message = format!(
            "SHADOW: {} judged, and nothing is done about it",
            match stages.as_slice() {
                [only] => format!("the stage {only} is"),
                several => format!("the stages {} are", several.join(", ")),
            }
        );
        Some(Remark {
            code: RemarkCode::ShadowStage,
            stages,
            message,
        })
    }

    /// The flags of the checks, each check once with its stages.
    fn flags(&self) -> Vec<Remark> {
        type Flag = (RemarkCode, fn(&Check) -> bool, &'static str);
        const FLAGS: &[Flag] = &[
            (
                RemarkCode::WarnOnly,
                |check| check.warn_only,
                "warns only: broken, it neither holds nor rolls back",
            ),
            (
                RemarkCode::NotCritical,
                |check| !check.critical && !check.warn_only,
                "is not critical: a promotion does not wait for it",
            ),
            (
                RemarkCode::NoRollback,
                |check| check.may_fail && !check.may_roll_back && !check.warn_only,
                "does not roll back",
            ),
        ];
        let mut remarks = Vec::new();
        for (code, has_flag, what) in FLAGS {
            for (condition, stages) in self.stages_by_check(*has_flag) {
                let message = format!("{condition} {what}{}", self.in_stages(&stages));
                remarks.push(Remark {
                    code: *code,
                    stages,
                    message,
                });
            }
        }
        remarks
    }

    /// The checks of which something is true, in the order of the file, with the stages in which it is.
    fn stages_by_check(&self, is_so: impl Fn(&Check) -> bool) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for stage in &self.stages {
            for check in stage.checks.iter().filter(|check| is_so(check)) {
                let condition = check.understood();
                match found.iter_mut().find(|(known, _)| *known == condition) {
                    Some((_, stages)) => stages.push(stage.id.clone()),
                    None => found.push((condition, vec![stage.id.clone()])),
                }
            }
        }
        found
    }

    /// ` (in stage_1, stage_2)`; nothing when these are all.
    fn in_stages(&self, stages: &[String]) -> String {
        if stages.len() == self.stages.len() {
            String::new()
        } else {
            format!(" (in {})", stages.join(", "))
        }
    }

    fn methods(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let general = self.analysis.method;
        if let Some(warning) = single_look(general) {
            let message = format!("the method is {}: {warning}", general.name());
            remarks.push(remark(RemarkCode::Method, message));
        }
        for method in [Method::Wilson, Method::Kayenta] {
            let Some(warning) = single_look(method).filter(|_| method != general) else {
                continue;
            };
            let is_decided_so = |check: &Check| check.method == method;
            for (condition, stages) in self.stages_by_check(is_decided_so) {
                let message = format!(
                    "{condition} is decided by {}: {warning}{}",
                    method.name(),
                    self.in_stages(&stages)
                );
                remarks.push(Remark {
                    code: RemarkCode::Method,
                    stages,
                    message,
                });
            }
        }
        remarks
    }

    fn split_check(&self) -> Option<Remark> {
        let message = match self.analysis.split_check {
            SplitCheck::Hold => return None,
            SplitCheck::Warn => {
                "split_check is warn: traffic that is not split as the stage says does not hold"
            }
            SplitCheck::Off => {
                "split_check is off: nobody looks whether the traffic is split as the stage says"
            }
        };
        Some(remark(RemarkCode::SplitCheck, message))
    }

    fn population_check(&self) -> Option<Remark> {
        let message = match self.analysis.population_check {
            PopulationCheck::Hold => return None,
            PopulationCheck::Warn => {
                "population_check is warn: a control that spans other services does not hold"
            }
            PopulationCheck::Off => {
                "population_check is off: nobody looks whether the control spans other services"
            }
        };
        Some(remark(RemarkCode::PopulationCheck, message))
    }

    fn populations(&self) -> Option<Remark> {
        let populations = Populations {
            control: &self.control,
            canary: &self.canary,
        };
        let sources = &self.sources.populations;
        // What is on another server is another population.
        let is_apart = sources.control != sources.canary;
        let refused = not_apart(populations).filter(|_| !is_apart)?;
        let message = if self.control == self.canary {
            "control and canary select the same: every caller has to tell them apart, else its \
             rollout is refused"
                .to_owned()
        } else {
            format!("unless every caller tells them apart, a rollout is refused: {refused}")
        };
        Some(remark(RemarkCode::SamePopulations, message))
    }

    /// The metrics that count every service of the source, because nothing names one.
    fn service(&self) -> Option<Remark> {
        if [&self.control, &self.canary]
            .into_iter()
            .any(names_a_service)
        {
            return None;
        }
        let checks = self.stages.iter().flat_map(|stage| &stage.checks);
        let mut unnamed: Vec<&str> = Vec::new();
        for check in checks.chain(&self.kill_switch) {
            let name = check.measured.name.as_str();
            if !selects_a_service(&check.measured) && !unnamed.contains(&name) {
                unnamed.push(name);
            }
        }
        if unnamed.is_empty() {
            return None;
        }
        let message = format!(
            "no matcher names the service: {} {} every service that has these labels; add for \
             example job or app to control and canary, unless every caller sends it",
            unnamed.join(", "),
            if unnamed.len() == 1 {
                "counts"
            } else {
                "count"
            }
        );
        Some(remark(RemarkCode::ServiceNotNamed, message))
    }

    fn short_stages(&self) -> Vec<Remark> {
        let interval_seconds = self.analysis.interval_seconds;
        let too_short = self.stages.iter().flat_map(|stage| {
            let remark = |why| Remark {
                code: RemarkCode::TooFewIntervals,
                stages: vec![stage.id.clone()],
                message: format!("the stage {} is too short: {why}", stage.id),
            };
            shortcomings(stage, interval_seconds)
                .into_iter()
                .map(remark)
        });
        too_short.collect()
    }
}

impl Check {
    /// What is unusual about it in a pipeline whose method is `general`, in the words of the file.
    pub fn flags(&self, general: Method) -> Vec<String> {
        let mut flags = Vec::new();
        if self.warn_only {
            flags.push("warn_only: true".to_owned());
        } else {
            if !self.critical {
                flags.push("critical: false".to_owned());
            }
            if !self.may_roll_back {
                flags.push("rollback: false".to_owned());
            }
        }
        if self.method != general {
            flags.push(format!("method: {}", self.method.name()));
        }
        if (self.weight - 1.0).abs() > 0.0 {
            flags.push(format!("weight: {}", text::exact(self.weight)));
        }
        flags
    }
}

fn remark(code: RemarkCode, message: impl Into<String>) -> Remark {
    Remark {
        code,
        stages: Vec::new(),
        message: message.into(),
    }
}

fn ids<'a>(stages: impl Iterator<Item = &'a Stage>) -> Vec<String> {
    stages.map(|stage| stage.id.clone()).collect()
}

fn single_look(method: Method) -> Option<&'static str> {
    match method {
        Method::Sequential => None,
        Method::Wilson | Method::Kayenta => {
            Some("right for a single look; asked often, it rolls back good versions")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;

    fn read(text: &str) -> Pipeline {
        parse(text, "test").unwrap()
    }

    fn codes(text: &str) -> Vec<RemarkCode> {
        let remarks = read(text).remarks();
        remarks.iter().map(|remark| remark.code).collect()
    }

    const PLAIN: &str = "
control: {app: shop, track: stable}
canary: {app: shop, track: canary}
canary_pipeline:
  a: {traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < baseline * 1.1]}
  b: {traffic_percent: 10, duration_minutes: 60}
";

    #[test]
    fn an_ordinary_pipeline_needs_no_remark() {
        assert_eq!(codes(PLAIN), []);
    }

    #[test]
    fn populations_that_only_a_caller_tells_apart_are_told() {
        let alike = PLAIN
            .replace(", track: stable", "")
            .replace(", track: canary", "");
        assert_eq!(codes(&alike), [RemarkCode::SamePopulations]);
        assert!(RemarkCode::SamePopulations.is_warning());
    }

    #[test]
    fn a_control_that_contains_the_canary_is_told() {
        let text = "control: {job: cart}\ncanary: {job: cart, track: canary}\n\
                    canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 60, metrics: \
                    [error_rate < 1%]}}";
        let remarks = read(text).remarks();
        let told = remarks.iter().map(|remark| (remark.code, &*remark.message));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [(
                RemarkCode::SamePopulations,
                "unless every caller tells them apart, a rollout is refused: the matchers of the \
                 control select the canary, too: it would be compared with itself; add one to the \
                 control that leaves the canary out, such as track!=\"canary\""
            )]
        );
    }

    #[test]
    fn what_makes_a_pipeline_harmless_comes_first() {
        let text = format!("dry_run: true\nanalysis: {{split_check: off}}\n{PLAIN}")
            .replace("b: {", "b: {shadow: true, ");
        assert_eq!(
            codes(&text),
            [
                RemarkCode::DryRun,
                RemarkCode::ShadowStage,
                RemarkCode::SplitCheck
            ]
        );
        assert_eq!(
            read(&text).remarks()[1].message,
            "SHADOW: the stage b is judged, and nothing is done about it"
        );
    }

    #[test]
    fn every_flag_of_a_check_is_told_once_with_its_stages() {
        let with = |check: &str| PLAIN.replace("error_rate < baseline * 1.1", check);
        for (check, code) in [
            (
                "{check: error_rate < 1%, warn_only: true}",
                RemarkCode::WarnOnly,
            ),
            (
                "{check: error_rate < 1%, critical: false}",
                RemarkCode::NotCritical,
            ),
            (
                "{check: error_rate < 1%, rollback: false}",
                RemarkCode::NoRollback,
            ),
            (
                "{check: error_rate < 1%, method: wilson}",
                RemarkCode::Method,
            ),
        ] {
            assert_eq!(codes(&with(check)), [code], "{check}");
        }
        let later = PLAIN.replace(
            "b: {",
            "b: {metrics: [{check: latency_p99 < 200ms, warn_only: true}], ",
        );
        assert_eq!(
            read(&later).remarks()[0].message,
            "latency_p99 < 200 ms warns only: broken, it neither holds nor rolls back (in b)"
        );
    }

    #[test]
    fn a_population_check_that_does_not_hold_is_told() {
        for (word, count) in [("hold", 0), ("warn", 1), ("off", 1)] {
            let text = format!("analysis: {{population_check: {word}}}\n{PLAIN}");
            assert_eq!(codes(&text), vec![RemarkCode::PopulationCheck; count]);
        }
    }

    #[test]
    fn the_methods_of_a_single_look_are_told() {
        for method in ["wilson", "kayenta"] {
            let text = format!("analysis: {{method: {method}}}\n{PLAIN}");
            assert_eq!(codes(&text), [RemarkCode::Method]);
        }
    }

    #[test]
    fn a_service_is_named_by_a_population_or_by_the_metrics() {
        let nameless = PLAIN.replace("app: shop, ", "");
        assert_eq!(codes(&nameless), [RemarkCode::ServiceNotNamed]);
        let by_hash = PLAIN
            .replace("app: shop, track: stable", "rollouts_pod_template_hash: a1")
            .replace("app: shop, track: canary", "rollouts_pod_template_hash: b2");
        assert_eq!(codes(&by_hash), [RemarkCode::ServiceNotNamed]);
        let own = "metrics: {error_rate: {errors: 'e_total{job=\"shop\"}', total: 't_total{job=\"shop\"}'}}";
        assert_eq!(codes(&format!("{own}\n{nameless}")), []);
        let half = own.replace("t_total{job=\"shop\"}", "t_total{other_job=\"shop\"}");
        assert_eq!(
            codes(&format!("{half}\n{nameless}")),
            [RemarkCode::ServiceNotNamed]
        );
    }

    #[test]
    fn a_stage_that_is_too_short_to_pass_says_which_would_not_be() {
        let short = PLAIN.replace(
            "b: {traffic_percent: 10, duration_minutes: 60",
            "b: {traffic_percent: 10, duration_minutes: 0.5",
        );
        let remarks = read(&short).remarks();
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].stages, ["b"]);
        assert_eq!(
            remarks[0].message,
            "the stage b is too short: it can roll back, but not pass in its time: that takes 3 \
             intervals of 30 s, and it lasts at most 1 minutes: set max_duration_minutes to 1.5 or \
             more, or a shorter interval"
        );
    }
}
