//! What makes a pipeline harmless or strange, and what will surprise its author: said before a
//! rollout begins, by everything that shows a pipeline.

use super::fewest::shortcomings;
use super::model::{
    Better, Check, Method, Metric, MetricKind, Own, Pipeline, PopulationCheck, SplitCheck, Stage,
};
use super::own_matchers::OwnMatchers;
use super::service::{names_a_service, selects_a_service};
use crate::matchers::Matchers;
use crate::populations::not_apart;
use crate::series::Populations;
use crate::text;

/// The canary's share of the traffic beyond which an absolute limit that looks at the control finds late what
/// is wrong.
///
/// Source: docs/design/statistics.md, "5. Absolute limits".
const MOST_TRAFFIC_PERCENT: f64 = 80.0;

/// The share at which there is no control.
const WHOLE_TRAFFIC_PERCENT: f64 = 100.0;

/// A share of failures that no version that works has.
const RECOMMENDED_KILL_SWITCH: &str = "5%";

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
    /// Kayenta's test ignores an offset.
    OffsetIgnored,
    /// Nobody looks whether the traffic is split as the stage says.
    SplitCheck,
    /// Nobody looks whether the control spans other services.
    PopulationCheck,
    /// Control and canary are written alike, or one of them contains the other.
    SamePopulations,
    /// No matcher names the service.
    ServiceNotNamed,
    /// A stage is too short for a check to be decided, to pass in its time, or to show much.
    TooFewIntervals,
    /// None of a stage's checks counts at all of the traffic, so that it can never pass.
    NothingCounts,
    /// An absolute limit is judged with the environment of a control that has next to no traffic.
    SmallControl,
    /// An absolute limit is not held within strata.
    StrataIgnored,
    /// The error budget counts one of several servers.
    BudgetOfOneSource,
    /// No kill switch stops a version that fails at once.
    NoKillSwitch,
}

impl RemarkCode {
    /// Whether it is probably a mistake, and not only worth to be known.
    pub fn is_warning(self) -> bool {
        match self {
            Self::SamePopulations
            | Self::ServiceNotNamed
            | Self::TooFewIntervals
            | Self::NothingCounts
            | Self::OffsetIgnored
            | Self::SmallControl
            | Self::BudgetOfOneSource => true,
            Self::DryRun
            | Self::ShadowStage
            | Self::WarnOnly
            | Self::NotCritical
            | Self::NoRollback
            | Self::Method
            | Self::SplitCheck
            | Self::PopulationCheck
            | Self::StrataIgnored
            | Self::NoKillSwitch => false,
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
        remarks.extend(self.ignored_offsets());
        remarks.extend(self.split_check());
        remarks.extend(self.population_check());
        remarks.extend(self.populations());
        remarks.extend(self.service());
        remarks.extend(self.short_stages());
        remarks.extend(self.stages_of_nothing());
        remarks.extend(self.absolute_limits());
        remarks.extend(self.budget_of_one_source());
        remarks.extend(self.no_kill_switch());
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
                |check| !check.critical && !check.warn_only && check.method != Method::Kayenta,
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
            for (condition, stages) in self.stages_by_check(|_, check| has_flag(check)) {
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
    fn stages_by_check(
        &self,
        is_so: impl Fn(&Stage, &Check) -> bool,
    ) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        for stage in &self.stages {
            for check in stage.checks.iter().filter(|check| is_so(stage, check)) {
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
            let is_decided_so = |_: &Stage, check: &Check| check.method == method;
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

    /// Kayenta's test knows only a factor of the control.
    ///
    /// Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
    fn ignored_offsets(&self) -> Vec<Remark> {
        let is_ignored = |_: &Stage, check: &Check| {
            check.method == Method::Kayenta && check.limit.has_an_offset()
        };
        let told = |(condition, stages): (String, Vec<String>)| Remark {
            code: RemarkCode::OffsetIgnored,
            message: format!(
                "the offset of {condition} is ignored: kayenta knows only a factor of the control; \
                 with method wilson it counts{}",
                self.in_stages(&stages)
            ),
            stages,
        };
        let all = self.stages_by_check(is_ignored);
        all.into_iter().map(told).collect()
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
        let checks = self.stages.iter().flat_map(|stage| &stage.checks);
        let mut all = checks.chain(&self.kill_switch).map(|check| &check.measured);
        let (populations, refused) = all.find_map(|metric| {
            let populations = self.written_populations(metric);
            // What is on another server is another population.
            let source = |own: &Own, general: &Option<String>| {
                own.source.clone().or_else(|| general.clone())
            };
            let sources = &self.sources.populations;
            let is_apart = source(&metric.own.control, &sources.control)
                != source(&metric.own.canary, &sources.canary);
            Some((populations, not_apart(populations).filter(|_| !is_apart)?))
        })?;
        let message = if populations.control == populations.canary {
            "control and canary select the same: every caller has to tell them apart, else its \
             rollout is refused"
                .to_owned()
        } else {
            format!("unless every caller tells them apart, a rollout is refused: {refused}")
        };
        Some(remark(RemarkCode::SamePopulations, message))
    }

    /// What selects the populations of a metric, as the file writes it.
    fn written_populations<'a>(&'a self, metric: &'a Metric) -> Populations<&'a Matchers> {
        let of = |own: &'a Own, general: &'a Matchers| {
            own.matchers
                .as_ref()
                .map_or(general, OwnMatchers::as_written)
        };
        Populations {
            control: of(&metric.own.control, &self.control),
            canary: of(&metric.own.canary, &self.canary),
        }
    }

    /// The metrics that count every service of the source, because nothing names one.
    fn service(&self) -> Option<Remark> {
        let checks = self.stages.iter().flat_map(|stage| &stage.checks);
        let mut unnamed: Vec<&str> = Vec::new();
        for check in checks.chain(&self.kill_switch) {
            let name = check.measured.name.as_str();
            let Populations { control, canary } = self.written_populations(&check.measured);
            let is_named = [control, canary].into_iter().any(names_a_service)
                || selects_a_service(&check.measured);
            if !is_named && !unnamed.contains(&name) {
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

    /// What an absolute limit does not do: look within strata, and see shared incidents where the control has
    /// next to no traffic.
    fn absolute_limits(&self) -> Vec<Remark> {
        let ignores_strata = |check: &Check| {
            !check.is_relative()
                && matches!(
                    check.measured.kind,
                    MetricKind::Proportion {
                        strata: Some(_),
                        ..
                    }
                )
        };
        let mut remarks = Vec::new();
        for (condition, stages) in self.stages_by_check(|_, check| ignores_strata(check)) {
            let message = format!(
                "{condition} is held against all requests together: strata count only where baseline \
                 does{}",
                self.in_stages(&stages)
            );
            remarks.push(Remark {
                code: RemarkCode::StrataIgnored,
                stages,
                message,
            });
        }
        let has_small_control = |stage: &Stage, check: &Check| {
            !check.is_relative()
                && !check.ignores_control
                && stage.traffic_percent > MOST_TRAFFIC_PERCENT
                && stage.traffic_percent < WHOLE_TRAFFIC_PERCENT
        };
        for (condition, stages) in self.stages_by_check(has_small_control) {
            let message = format!(
                "{condition} is found late with more than {MOST_TRAFFIC_PERCENT} % of the traffic: it \
                 proves nothing in intervals in which the small control could have been as bad; add \
                 control: none to it, or a kill switch{}",
                self.in_stages(&stages)
            );
            remarks.push(Remark {
                code: RemarkCode::SmallControl,
                stages,
                message,
            });
        }
        remarks
    }

    fn budget_of_one_source(&self) -> Option<Remark> {
        let budget = self.error_budget.as_ref()?;
        if self.sources.regions.is_empty() {
            return None;
        }
        let message = format!(
            "the error budget is not summed over regions: {} is counted on the default server alone; \
             it should be one that has all regions",
            budget.metric
        );
        Some(remark(RemarkCode::BudgetOfOneSource, message))
    }

    fn no_kill_switch(&self) -> Option<Remark> {
        let is_share_of_failures = |metric: &Metric| {
            metric.better == Better::Lower && matches!(metric.kind, MetricKind::Proportion { .. })
        };
        let mut switches = self.kill_switch.iter();
        if switches.any(|switch| is_share_of_failures(&switch.measured)) {
            return None;
        }
        let checks = self.stages.iter().flat_map(|stage| &stage.checks);
        let mut measured = checks.map(|check| &check.measured);
        let name = measured
            .find(|metric| is_share_of_failures(metric))?
            .name
            .as_str();
        let message = format!(
            "no kill switch looks at failures: a version that fails at once is found minutes later at \
             low traffic; add for example kill_switch: [{name} > {RECOMMENDED_KILL_SWITCH}]"
        );
        Some(remark(RemarkCode::NoKillSwitch, message))
    }

    /// Stages that wait for ever: all of their checks compare, and there is nothing left to compare with.
    fn stages_of_nothing(&self) -> Option<Remark> {
        let counts = |stage: &Stage| {
            let mut checks = stage.checks.iter();
            checks.any(|check| check.counts_at(stage.traffic_percent))
        };
        let waiting = self.stages.iter();
        let stages = ids(waiting.filter(|stage| !stage.checks.is_empty() && !counts(stage)));
        (!stages.is_empty()).then(|| Remark {
            message: format!(
                "{}: none of the checks counts at 100 % traffic, where there is no control, so it can never \
                 pass; add an absolute one, such as error_rate < 1%",
                stages.join(", ")
            ),
            code: RemarkCode::NothingCounts,
            stages,
        })
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
            // Of Kayenta's checks that is usual.
            let is_score = self.method == Method::Kayenta;
            if self.critical && is_score {
                flags.push("critical: true".to_owned());
            } else if !self.critical && !is_score {
                flags.push("critical: false".to_owned());
            }
            if !self.may_roll_back {
                flags.push("rollback: false".to_owned());
            }
        }
        if self.method != general {
            flags.push(format!("method: {}", self.method.name()));
        }
        if self.ignores_control {
            flags.push("control: none".to_owned());
        }
        if let Some(seconds) = self.warm_up_seconds {
            flags.push(format!("warm_up: {seconds}s"));
        }
        if let Some(seconds) = self.cold_start_seconds {
            flags.push(format!("cold_start: {seconds}s"));
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
kill_switch: [error_rate > 20%]
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
    fn populations_that_each_metric_tells_apart_itself_need_not_differ_else() {
        let text = |of_canary: &str| {
            format!(
                "control: {{app: shop}}\ncanary: {{app: shop}}\nmetrics:\n  faults: {{errors: \
                 'f_total{{code=~\"5..\"}}', total: f_total, control: {{service: shop-stable}}, canary: \
                 {{service: {of_canary}}}}}\ncanary_pipeline:\n  stage_1:\n    traffic_percent: 10\n    \
                 duration_minutes: 60\n    metrics: [faults < baseline * 1.1]\nkill_switch: [faults > 50%]\n"
            )
        };
        let codes = |of_canary| codes(&text(of_canary));
        assert!(!codes("shop-canary").contains(&RemarkCode::SamePopulations));
        assert!(codes("shop-stable").contains(&RemarkCode::SamePopulations));
    }

    #[test]
    fn a_control_that_contains_the_canary_is_told() {
        let text = "control: {job: cart}\ncanary: {job: cart, track: canary}\n\
                    canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 60, metrics: \
                    [error_rate < 1%]}}\nkill_switch: [error_rate > 20%]";
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

    /// What is said of a text of these parts.
    fn messages(text: &str) -> String {
        let remarks = read(text).remarks();
        let messages: Vec<String> = remarks.into_iter().map(|one| one.message).collect();
        messages.join("\n")
    }

    #[test]
    fn a_pipeline_without_a_kill_switch_on_failures_is_recommended_one() {
        let without = PLAIN.replace("kill_switch: [error_rate > 20%]\n", "");
        let told = messages(&without);
        assert!(told.contains("kill_switch: [error_rate > "), "{told}");
        let of_latency = format!("{without}kill_switch: [latency_p99 > 5s]\n");
        let told = messages(&of_latency);
        assert!(told.contains("no kill switch looks at failures"), "{told}");
    }

    #[test]
    fn an_absolute_limit_that_ignores_strata_is_told() {
        let within = format!(
            "metrics:\n  error_rate: {{errors: e_total, total: t_total, strata: route}}\n{PLAIN}"
        );
        assert!(!messages(&within).contains("strata"));
        let absolute = within.replace("error_rate < baseline * 1.1", "error_rate < 1%");
        let told = messages(&absolute);
        assert!(
            told.contains(
                "error_rate < 1 % is held against all requests together: strata count only \
                           where baseline does"
            ),
            "{told}"
        );
    }

    #[test]
    fn a_budget_that_sees_one_of_several_servers_is_told() {
        let one =
            format!("error_budget: {{metric: error_rate, objective: 99.9%, window: 30d}}\n{PLAIN}");
        assert!(!messages(&one).contains("error budget"));
        let several = format!("source: {{eu: prom_eu, us: prom_us}}\n{one}");
        let told = messages(&several);
        assert!(
            told.contains("the error budget is not summed over regions"),
            "{told}"
        );
    }

    #[test]
    fn an_absolute_limit_with_a_small_control_is_told_with_its_cures() {
        let at = |traffic: &str, check: &str| {
            messages(
                &PLAIN
                    .replace(
                        "traffic_percent: 10",
                        &format!("traffic_percent: {traffic}"),
                    )
                    .replace("error_rate < baseline * 1.1", check),
            )
        };
        let told = at("90", "error_rate < 1%");
        assert!(told.contains("error_rate < 1 %"), "{told}");
        assert!(told.contains("control: none"), "{told}");
        assert!(told.contains("(in b)"), "{told}");
        for (traffic, check) in [
            ("80", "error_rate < 1%"),
            ("100", "error_rate < 1%"),
            ("90", "error_rate < baseline * 1.1"),
            ("90", "{check: error_rate < 1%, control: none}"),
        ] {
            let told = at(traffic, check);
            assert!(!told.contains("control: none"), "{traffic} {check}: {told}");
        }
    }

    #[test]
    fn a_stage_of_fewer_than_ten_intervals_is_told() {
        let of = |minutes: &str| messages(&PLAIN.replace("duration_minutes: 60", minutes));
        let told = of("duration_minutes: 4, max_duration_minutes: 4");
        assert!(told.contains("8 intervals of 30 s"), "{told}");
        assert_eq!(of("duration_minutes: 5, max_duration_minutes: 5"), "");
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
        let short = PLAIN
            .replace(
                "b: {traffic_percent: 10, duration_minutes: 60",
                "b: {traffic_percent: 10, duration_minutes: 1",
            )
            .replace(
                "error_rate < baseline * 1.1",
                "latency_p99 < baseline * 1.2",
            );
        let remarks = read(&short).remarks();
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].stages, ["b"]);
        assert_eq!(
            remarks[0].message,
            "the stage b is too short: 4 intervals of 30 s show little: set max_duration_minutes to 5 \
             or more, or a shorter interval"
        );
    }

    #[test]
    fn a_stage_that_ends_before_a_gauge_of_one_pod_passes_says_what_helps() {
        let of = |check: &str| {
            format!(
                "canary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 5, max_duration_minutes: 6, \
                 metrics: [{check}]}}}}"
            )
        };
        let told = |check: &str| {
            let remarks = read(&of(check)).remarks().into_iter();
            let short = remarks.filter(|remark| remark.code == RemarkCode::TooFewIntervals);
            short.map(|remark| remark.message).collect::<Vec<_>>()
        };
        assert_eq!(
            told("cpu_usage < baseline * 1.5"),
            [
                "the stage a is too short: cpu_usage < baseline * 1.5 is critical, and with one pod on each side it \
                 takes about 7 minutes to pass, while the stage ends after 6: set max_duration_minutes to more, \
                 promote_ratio to more than 2, or critical: false"
            ]
        );
        assert!(told("{check: cpu_usage < baseline * 1.5, critical: false}").is_empty());
        assert!(told("{check: cpu_usage < baseline * 1.5, promote_ratio: 3}").is_empty());
    }

    #[test]
    fn a_stage_in_which_nothing_counts_can_never_pass() {
        let told = |check: &str| {
            let stage = |percent| {
                format!("{{traffic_percent: {percent}, duration_minutes: 30, metrics: [{check}]}}")
            };
            let stages = format!("canary_pipeline: {{a: {}, b: {}}}", stage(50), stage(100));
            let all = read(&stages).remarks().into_iter();
            let found = all.filter(|remark| remark.code == RemarkCode::NothingCounts);
            found.map(|remark| remark.stages).collect::<Vec<_>>()
        };
        assert_eq!(told("error_rate < baseline * 1.1"), [["b".to_owned()]]);
        assert_eq!(told("error_rate < 1%"), [] as [Vec<String>; 0]);
    }
}
