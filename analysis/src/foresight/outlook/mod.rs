//! What a stage will be able to see, told before the rollout: from what the service did until now.
//!
//! The predictions are those of [`crate::proof::Expected`]: estimates, not promises.

mod latency;
mod line_noise;
mod past;
mod sentence;
mod service;
mod subject;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::pipeline::{Check, Method, MetricKind, Pipeline, Stage};
use crate::proof::FEWEST_INTERVALS;

use crate::data::MeasuredHistory;
use crate::data::StageData;
use crate::judge::age::{self, MILLISECONDS_PER_MINUTE};
use crate::text;
use line_noise::LineNoise;
use past::{NotPlanned, Planned, Setting};
use subject::Subject;

pub use service::{has_data, service_of, unusable};

/// How many times as bad a canary is, of which the time is told until it is seen.
pub const FACTORS: [f64; 5] = [1.5, 2.0, 3.0, 5.0, 10.0];

/// What is known of a service before a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past<'a> {
    /// What it did as a whole: both populations are all of it.
    pub whole: &'a StageData,
    /// How noisy it is.
    pub noise: Noise<'a>,
}

/// How noisy a service is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise<'a> {
    /// As noisy as a service of which nothing is known.
    Assumed,
    /// So many times the variance of independent events.
    Given(f64),
    /// As two parts of it were against each other.
    Measured(&'a MeasuredHistory),
}

/// What a stage will be able to see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageOutlook {
    /// The stage's id.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// The canary's share of the traffic, in percent.
    pub traffic_percent: f64,
    /// How long it lasts, in minutes.
    pub duration_minutes: f64,
    /// When it ends undecided, in minutes.
    pub max_duration_minutes: f64,
    /// Requests of the canary in a second, where a check counts any.
    pub canary_requests_per_second: Option<f64>,
    /// Its checks.
    pub checks: Vec<CheckOutlook>,
    /// Whether a canary that is as good as the service is today is promoted in time. Nothing when
    /// that cannot be told.
    pub can_promote: Option<bool>,
    /// After how many minutes it is; nothing when it never is, or that cannot be told.
    pub promotes_after_minutes: Option<f64>,
    /// Both in a sentence, with what would be enough.
    pub sentence: String,
}

/// Whether a check can be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlookStatus {
    /// It can.
    Planned,
    /// The service showed nothing to plan with.
    NoData,
    /// No plan is known for a check of this kind.
    NotPlanned,
    /// The check does not count in this stage.
    DoesNotCount,
}

/// Where a dispersion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DispersionSource {
    /// It was measured between pods of the control.
    Measured,
    /// Nothing was measured.
    Assumed,
    /// The caller gives it.
    Given,
}

impl DispersionSource {
    /// The name used in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Assumed => "assumed",
            Self::Given => "given",
        }
    }
}

/// What the factors of an outlook are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorsOf {
    /// The control's value.
    Baseline,
    /// The limit, where it is absolute.
    Limit,
    /// Of latency with an absolute limit: the share of slow requests that the quantile leaves.
    SlowRequestsAllowed,
}

/// What a check will be able to see in a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckOutlook {
    /// The condition as the file says it.
    pub condition: String,
    /// The metric's name.
    pub metric: String,
    /// The method that decides.
    pub method: Method,
    /// Whether a promotion needs this check.
    pub critical: bool,
    /// Whether a failure only warns.
    pub warn_only: bool,
    /// Whether it can be planned.
    pub status: OutlookStatus,
    /// The metric's value for the whole service today, in its base unit.
    pub baseline: Option<f64>,
    /// The same for people.
    pub baseline_text: Option<String>,
    /// Requests (or other exposure) of the canary in an interval, at the stage's share.
    pub canary_per_interval: Option<f64>,
    /// The same of the control.
    pub control_per_interval: Option<f64>,
    /// How many times the variance of the counts exceeds that of independent events.
    pub dispersion: Option<f64>,
    /// Where that comes from.
    pub dispersion_source: Option<DispersionSource>,
    /// After how long a bad canary is rolled back.
    pub sees: Vec<Sight>,
    /// What the factors are of.
    pub factors_of: FactorsOf,
    /// The smallest factor that is seen within the stage's duration, up to 100.
    pub smallest_seen_in_duration: Option<f64>,
    /// The same for its longest duration.
    pub smallest_seen_in_max_duration: Option<f64>,
    /// What it takes to show that a canary is good; nothing where that cannot be planned.
    pub promotion: Option<PromotionOutlook>,
    /// All of it in a sentence.
    pub sentence: String,
}

/// After how long a canary is rolled back that is so many times as bad.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sight {
    /// How many times as bad: more events, slower, or less of what is good.
    pub factor: f64,
    /// Intervals until then; nothing when it is not beyond the limit, or no canary can be so bad.
    pub intervals: Option<f64>,
    /// The same in minutes.
    pub minutes: Option<f64>,
}

/// What it takes to show that a canary which is as good as the service today is good.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromotionOutlook {
    /// Intervals until it is shown; nothing when it never is.
    pub intervals: Option<f64>,
    /// The same in minutes.
    pub minutes: Option<f64>,
    /// Whether that is within the stage's longest duration.
    pub in_time: bool,
    /// Where it is not: the traffic, in percent, with which it would be.
    pub enough_traffic_percent: Option<f64>,
    /// Where it is not: the `promote_ratio` with which it would be.
    pub enough_promote_ratio: Option<f64>,
}

/// Tells what a stage will be able to see, if the service goes on as it did.
pub fn outlook(pipeline: &Pipeline, stage: &Stage, past: &Past<'_>) -> StageOutlook {
    let setting = Setting::new(pipeline, stage, past);
    let interval_minutes = past.whole.grid.interval_ms() as f64 / MILLISECONDS_PER_MINUTE;
    let view = View {
        stage,
        interval_minutes,
        share: stage.traffic_percent / 100.0,
    };
    let mut least_minutes: f64 = 0.0;
    let checks: Vec<CheckOutlook> = stage
        .checks
        .iter()
        .map(|check| match setting.plan(check) {
            Ok(planned) => view.planned(check, &planned),
            Err(why) => {
                let takes = why.least_intervals.unwrap_or(0.0) * interval_minutes;
                if check.is_waited_for() {
                    least_minutes = least_minutes.max(takes);
                }
                view.not_planned(check, &why)
            }
        })
        .collect();
    let requests = checks
        .iter()
        .zip(&stage.checks)
        .filter(|(_, check)| counts_requests(check))
        .find_map(|(outlook, _)| outlook.canary_per_interval)
        .map(|requests| requests / (60.0 * interval_minutes));
    StageOutlook {
        canary_requests_per_second: requests,
        ..view.stage(checks, least_minutes)
    }
}

/// Whether what a check is held against are requests. Those of an impact may be of a part of them.
fn counts_requests(check: &Check) -> bool {
    match check.measured.kind {
        MetricKind::Proportion { .. } | MetricKind::Quantile { .. } => !check.is_of_impact(),
        MetricKind::EventRate { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            false
        }
    }
}

/// One stage's times and share.
struct View<'a> {
    stage: &'a Stage,
    interval_minutes: f64,
    share: f64,
}

impl View<'_> {
    fn minutes(&self, intervals: f64) -> f64 {
        intervals * self.interval_minutes
    }

    fn planned(&self, check: &Check, planned: &Planned) -> CheckOutlook {
        let subject = &planned.subject;
        let dimension = check.measured.dimension;
        let sees = FACTORS
            .into_iter()
            .map(|factor| {
                let intervals = subject.intervals_to_roll_back(self.share, factor);
                Sight {
                    factor,
                    intervals,
                    minutes: intervals.map(|intervals| self.minutes(intervals)),
                }
            })
            .collect();
        let seen_in = |minutes: f64| {
            subject.smallest_factor_seen(self.share, minutes / self.interval_minutes)
        };
        let noisiest = subject
            .violation
            .iter()
            .chain(&subject.compliance)
            .max_by(|a, b| {
                a.dispersion(self.share)
                    .total_cmp(&b.dispersion(self.share))
            });
        let mut outlook = CheckOutlook {
            status: OutlookStatus::Planned,
            baseline: planned.baseline,
            baseline_text: planned.baseline.map(|value| text::value(value, dimension)),
            canary_per_interval: Some(planned.exposure_per_interval * self.share),
            control_per_interval: Some(planned.exposure_per_interval * (1.0 - self.share)),
            dispersion: noisiest.map(|line| line.dispersion(self.share)),
            dispersion_source: noisiest.map(|line| match line.noise() {
                LineNoise::Assumed => DispersionSource::Assumed,
                LineNoise::Given(_) => DispersionSource::Given,
                LineNoise::Measured(_) => DispersionSource::Measured,
            }),
            sees,
            factors_of: if planned.is_of_the_limit {
                FactorsOf::Limit
            } else {
                factors_of(check)
            },
            smallest_seen_in_duration: seen_in(self.stage.duration_minutes),
            smallest_seen_in_max_duration: seen_in(self.stage.max_duration_minutes),
            promotion: Some(self.promotion(subject)),
            ..blank(check)
        };
        outlook.sentence = sentence::of_check(&outlook, self.stage, check);
        if let Some(advice) = &planned.advice {
            outlook.sentence = format!("{}; {advice}", outlook.sentence);
        }
        outlook
    }

    fn promotion(&self, subject: &Subject) -> PromotionOutlook {
        let longest = self.stage.max_duration_minutes / self.interval_minutes;
        let intervals = subject.intervals_to_promote(self.share);
        let in_time = intervals.is_some_and(|needed| needed <= longest);
        PromotionOutlook {
            intervals,
            minutes: intervals.map(|intervals| self.minutes(intervals)),
            in_time,
            enough_traffic_percent: (!in_time)
                .then(|| subject.share_to_promote(self.share, longest))
                .flatten()
                .map(|share| 100.0 * share),
            enough_promote_ratio: (!in_time)
                .then(|| subject.ratio_to_promote(self.share, longest))
                .flatten(),
        }
    }

    fn not_planned(&self, check: &Check, why: &NotPlanned) -> CheckOutlook {
        let least = why.least_intervals.map(|least| self.minutes(least));
        let mut reason = format!("{}: {}", check.text, why.reason);
        if let Some(least) = least {
            reason = format!("{reason}; here that is {}", text::minutes(least));
        }
        CheckOutlook {
            status: why.status,
            sentence: reason,
            ..blank(check)
        }
    }

    /// Whether the stage promotes, from its checks and the time that those without a plan take.
    fn stage(&self, checks: Vec<CheckOutlook>, least_minutes: f64) -> StageOutlook {
        let stage = self.stage;
        let needed = || {
            checks.iter().filter(|check| {
                check.is_waited_for() && check.status != OutlookStatus::DoesNotCount
            })
        };
        let counts =
            |check: &&CheckOutlook| !check.warn_only && check.status != OutlookStatus::DoesNotCount;
        let shortest = if stage.promote_early {
            age::least_minutes(stage)
        } else {
            stage.duration_minutes
        };
        let shortest = shortest
            .max(self.minutes(FEWEST_INTERVALS as f64))
            .max(least_minutes);
        let never = needed().any(|check| {
            check
                .promotion
                .as_ref()
                .is_some_and(|promotion| promotion.minutes.is_none())
        });
        let planned_minutes = needed()
            .filter_map(|check| check.promotion.as_ref()?.minutes)
            .fold(shortest, f64::max);
        let is_late = planned_minutes > stage.max_duration_minutes;
        let is_unknown = needed().any(|check| check.status != OutlookStatus::Planned);
        let has_checks = checks.iter().any(|check| counts(&check));
        let can_promote = match (has_checks && !never && !is_late, is_unknown) {
            (false, _) => Some(false),
            (true, true) => None,
            (true, false) => Some(true),
        };
        let promotes_after_minutes =
            (has_checks && !never && !is_unknown).then_some(planned_minutes);
        let sentence = sentence::of_stage(stage, &checks, can_promote, planned_minutes);
        StageOutlook {
            stage: stage.id.clone(),
            name: stage.name.clone(),
            traffic_percent: stage.traffic_percent,
            duration_minutes: stage.duration_minutes,
            max_duration_minutes: stage.max_duration_minutes,
            canary_requests_per_second: None,
            checks,
            can_promote,
            promotes_after_minutes,
            sentence,
        }
    }
}

fn factors_of(check: &Check) -> FactorsOf {
    if check.is_relative() {
        return FactorsOf::Baseline;
    }
    match check.measured.kind {
        MetricKind::Quantile { .. } => FactorsOf::SlowRequestsAllowed,
        MetricKind::Proportion { .. }
        | MetricKind::EventRate { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => FactorsOf::Limit,
    }
}

impl CheckOutlook {
    /// Whether a promotion waits for it. Source: docs/design/statistics.md, "3.4 Mann-Whitney as Kayenta does it".
    pub(super) fn is_waited_for(&self) -> bool {
        !self.warn_only && (self.critical || self.method == Method::Kayenta)
    }
}

/// What is known of any check.
fn blank(check: &Check) -> CheckOutlook {
    CheckOutlook {
        condition: check.text.clone(),
        metric: check.metric.clone(),
        method: check.method,
        critical: check.critical,
        warn_only: check.warn_only,
        status: OutlookStatus::NotPlanned,
        baseline: None,
        baseline_text: None,
        canary_per_interval: None,
        control_per_interval: None,
        dispersion: None,
        dispersion_source: None,
        sees: Vec::new(),
        factors_of: FactorsOf::Baseline,
        smallest_seen_in_duration: None,
        smallest_seen_in_max_duration: None,
        promotion: None,
        sentence: String::new(),
    }
}
