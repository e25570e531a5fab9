//! From what a service did before a rollout to what its checks will look at.

use crate::pipeline::{Check, Exposure, Limit, MetricKind, Pipeline, Stage};
use crate::proof::PastNoise;
use crate::proof::gauge::{GaugeOutlook, minutes_until_decided};
use crate::sequential::ErrorRate;
use crate::series::{ArmCount, PairedCounts, PairedHistogram, PairedInterval};
use crate::text;

use super::latency::QuantileLine;
use super::line_noise::LineNoise;
use super::subject::{Line, Looked, Subject};
use super::{Noise, OutlookStatus, Past};
use crate::data::{MeasuredHistory, MetricData};
use crate::judge::Course;
use crate::judge::evidence::Budget;
use crate::judge::limit::{Scale, estimate};
use crate::judge::lines::{counted, has_control};
use crate::judge::quantile::{Asked, QuantileRows, kept_beyond};
use crate::judge::stage::budget;
use crate::judge::young::warm_up_seconds;

/// A gauge's limit is judged at least at so many times the control while hardly any pods are seen.
const WIDE: f64 = 1.25;
/// How many times as high a canary is that a plan names.
const THRICE: f64 = 3.0;
/// All of the traffic, in percent.
const TOTAL_PERCENT: f64 = 100.0;

/// A check that can be planned.
pub(super) struct Planned {
    pub(super) subject: Subject,
    /// The metric's value for the whole service, as a check would show it.
    pub(super) baseline: Option<f64>,
    /// Whether the limit is what a canary is so many times of, and not the service today.
    pub(super) is_of_the_limit: bool,
    /// Of the whole service, per interval: requests, where the metric counts any.
    pub(super) exposure_per_interval: f64,
    /// What the buckets of a histogram cannot tell of it.
    pub(super) advice: Option<String>,
}

/// Why a check is not planned, in words.
pub(super) struct NotPlanned {
    pub(super) status: OutlookStatus,
    pub(super) reason: String,
    /// Intervals that it takes in any case, where that is all that is known.
    pub(super) least_intervals: Option<f64>,
}

fn not_planned(status: OutlookStatus, reason: impl Into<String>) -> NotPlanned {
    NotPlanned {
        status,
        reason: reason.into(),
        least_intervals: None,
    }
}

/// What every check of a stage has in common.
pub(super) struct Setting<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) stage: &'a Stage,
    pub(super) past: &'a Past<'a>,
    budget: Budget,
    course: Course,
}

impl<'a> Setting<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, stage: &'a Stage, past: &'a Past<'a>) -> Self {
        // A stage that is judged without acting is no part of the rollout.
        let course = if stage.shadow {
            Course::alone(pipeline, stage)
        } else {
            Course::of_rollout(pipeline)
        };
        Self {
            pipeline,
            stage,
            past,
            budget: budget(pipeline),
            course,
        }
    }

    /// Looks at one check.
    pub(super) fn plan(&self, check: &Check) -> Result<Planned, NotPlanned> {
        if check.is_relative() && self.stage.traffic_percent >= TOTAL_PERCENT {
            return Err(not_planned(
                OutlookStatus::DoesNotCount,
                "at 100 % traffic there is no control to compare with",
            ));
        }
        if !check.method.is_valid_at_any_time() {
            let method = check.method.name();
            return Err(not_planned(
                OutlookStatus::NotPlanned,
                format!("{method} is a single look at the data: it has no plan"),
            ));
        }
        // Nothing of it is read: no value could be split between two groups.
        if check.measured.kind.is_gauge() {
            return Err(self.gauge(check));
        }
        let name = &check.measured.name;
        match self.past.whole.metrics.get(name) {
            None => Err(not_planned(
                OutlookStatus::NoData,
                "nothing was read for its metric",
            )),
            Some(MetricData::Fault(fault)) => {
                Err(not_planned(OutlookStatus::NoData, fault.message.clone()))
            }
            Some(MetricData::Gauge(_)) => Err(self.gauge(check)),
            Some(MetricData::Counts(counts)) => self.counts(check, counts),
            Some(MetricData::Histogram(histogram)) => self.latency(check, histogram),
        }
    }

    /// Nothing of its values is read: what it takes follows from what is assumed of one pod on each side.
    fn gauge(&self, check: &Check) -> NotPlanned {
        let seconds = self.interval_seconds();
        let young = warm_up_seconds(check, self.stage, &self.pipeline.analysis) / seconds;
        let power = if check.may_roll_back {
            ""
        } else {
            "; this one can hold, but not roll back"
        };
        let (reason, passes) = match (check.limit, check.promotion_limit) {
            (
                Limit::AtMost {
                    ratio: Some(ratio), ..
                },
                Limit::AtMost {
                    ratio: Some(promoted),
                    ..
                },
            ) => self.beside_one_pod(check, ratio.max(WIDE), promoted),
            _ => (
                "a gauge is decided by how far it is from its limit and how much it varies: one that hardly varies \
                 after 10 to 20 minutes"
                    .to_owned(),
                None,
            ),
        };
        let fewest = f64::from(self.pipeline.analysis.interval_seconds);
        let fewest = passes.map_or(0.0, |minutes: f64| minutes * 60.0 / fewest);
        let least = check.fewest_intervals(self.pipeline.analysis.interval_seconds);
        NotPlanned {
            status: OutlookStatus::NotPlanned,
            reason: format!("{reason}{power}"),
            least_intervals: Some(fewest.max(least.decided as f64) + young),
        }
    }

    /// How long a gauge takes beside the control, with one pod on each side, in words, and until it passes.
    fn beside_one_pod(&self, check: &Check, ratio: f64, promoted: f64) -> (String, Option<f64>) {
        let outlook = GaugeOutlook::Relative {
            pods: None,
            cold_start_seconds: 0.0,
        };
        let minutes = |signal: f64, rate| {
            minutes_until_decided(signal, rate, self.interval_seconds(), outlook)
        };
        let passes = minutes(1.0 - 1.0 / promoted, self.budget.promotion);
        let found = minutes(libm::log(THRICE / ratio), self.alone(check, 1));
        let after = |minutes: Option<f64>| {
            minutes.map_or_else(
                || "never".to_owned(),
                |minutes| format!("after {}", text::minutes(minutes)),
            )
        };
        let reason = format!(
            "with one pod on each side a canary as good as the control is promoted {}, and one {THRICE} times as high \
             rolled back {}; more pods that hardly differ take less",
            after(passes),
            after(found)
        );
        (reason, passes)
    }

    fn counts(&self, check: &Check, counts: &PairedCounts) -> Result<Planned, NotPlanned> {
        let whole = whole_per_interval(counts, &check.measured.kind);
        if whole.exposure <= 0.0 {
            return Err(no_traffic());
        }
        let rate = estimate(whole).unwrap_or(0.0);
        let has_offset = match check.limit {
            Limit::AtMost { offset, .. } | Limit::AtLeast { offset, .. } => offset > 0.0,
            Limit::Within { .. } => false,
        };
        if rate <= 0.0 && check.is_relative() && !has_offset {
            return Err(not_planned(
                OutlookStatus::NoData,
                "the service had no such event in this time, so there is nothing to compare with; \
                 a limit such as \"baseline + 0.001\" allows some",
            ));
        }
        let line = |limit: Limit| Looked::Counts(self.line_of(check, limit, (whole, rate)));
        let (violation, compliance, parts) = match check.limit {
            // Both sides vote; more is what a factor means.
            Limit::Within { tolerance } => {
                let [above, below] = Limit::sides_of(tolerance);
                (vec![line(above)], vec![line(above), line(below)], 2)
            }
            Limit::AtMost { .. } | Limit::AtLeast { .. } => {
                let promotion = line(check.promotion_limit);
                (vec![line(check.limit)], vec![promotion], 1)
            }
        };
        Ok(Planned {
            subject: self.subject(check, parts, (violation, compliance)),
            is_of_the_limit: limit_to_exceed(check.limit, rate).is_some(),
            baseline: Some(rate),
            exposure_per_interval: whole.exposure,
            advice: None,
        })
    }

    /// One limit of a check of counts, of a service that does so much in an interval at that rate.
    fn line_of(&self, check: &Check, limit: Limit, (whole, rate): (ArmCount, f64)) -> Line {
        let base = limit_to_exceed(limit, rate).unwrap_or(rate);
        // What is shown to be kept has the noise of what the check is held against.
        let judged = match check.limit {
            Limit::Within { .. } => limit,
            Limit::AtMost { .. } | Limit::AtLeast { .. } => check.limit,
        };
        let past = self.past_noise(&check.measured.name, judged);
        Line {
            limit,
            scale: Scale::of(&check.measured),
            counted: counted(&check.measured),
            has_control: has_control(check, self.stage),
            interval_seconds: self.interval_seconds(),
            whole,
            base,
            noise: self.noise(past.cloned().map(LineNoise::Measured)),
        }
    }

    /// What shows that a check is broken, in so many parts, and that it is kept.
    fn subject(
        &self,
        check: &Check,
        parts: usize,
        (violation, compliance): (Vec<Looked>, Vec<Looked>),
    ) -> Subject {
        Subject {
            violation,
            compliance,
            warm_up_intervals: 0.0,
            fewest_intervals: check
                .fewest_intervals(self.pipeline.analysis.interval_seconds)
                .passed as f64,
            rollback: self.alone(check, parts),
            promotion: self.budget.promotion,
        }
    }

    fn latency(&self, check: &Check, histogram: &PairedHistogram) -> Result<Planned, NotPlanned> {
        let asked =
            Asked::of_check(check).map_err(|why| not_planned(OutlookStatus::NoData, why))?;
        let grid = self.past.whole.grid;
        let rows = QuantileRows::of(histogram, grid, 0.0, true);
        let sums = rows.sums(0, grid.intervals());
        let live = (0..grid.intervals()).filter(|interval| {
            rows.at(*interval)
                .is_some_and(|row| row.control.all() > 0.0)
        });
        let (mut first, mut last) = (None, 0);
        for interval in live {
            first.get_or_insert(interval);
            last = interval;
        }
        let length = (last + 1).saturating_sub(first.unwrap_or(0)) as f64;
        let requests = sums.control.all() / length;
        if requests.is_nan() || requests <= 0.0 {
            return Err(no_traffic());
        }
        if rows.bounds().is_empty() {
            return Err(not_planned(
                OutlookStatus::NotPlanned,
                "the histogram has no bound that could decide it",
            ));
        }
        let limit = check.limit.absolute_value();
        let past = self.measured();
        let past = past.and_then(|past| past.past_noise(&check.measured.name, limit, 1.0));
        let line = QuantileLine {
            bounds: rows.bounds().to_vec(),
            tails: sums.control,
            asked,
            kept: kept_beyond(check),
            interval_seconds: self.interval_seconds(),
            requests,
            has_control: has_control(check, self.stage),
            noise: self.noise(past.cloned().map(LineNoise::Measured)),
        };
        let baseline = line.quantile();
        let advice = line.advice(check.measured.dimension);
        let line = || Looked::Quantile(line.clone());
        Ok(Planned {
            subject: Subject {
                warm_up_intervals: warm_up_seconds(check, self.stage, &self.pipeline.analysis)
                    / self.interval_seconds(),
                ..self.subject(check, 1, (vec![line()], vec![line()]))
            },
            is_of_the_limit: false,
            baseline,
            exposure_per_interval: requests,
            advice,
        })
    }

    /// The error rate at whose threshold one of so many parts of this check's evidence decides alone.
    fn alone(&self, check: &Check, parts: usize) -> ErrorRate {
        let place = self
            .stage
            .checks
            .iter()
            .position(|one| std::ptr::eq(one, check));
        let share = place.and_then(|place| self.course.share(self.stage, place));
        self.budget
            .rollback_alone(share.unwrap_or(1.0) / parts as f64)
    }

    fn interval_seconds(&self) -> f64 {
        self.past.whole.grid.interval_ms() as f64 / 1_000.0
    }

    /// How noisy two parts of the service were against each other, where that was measured.
    fn measured(&self) -> Option<&'a MeasuredHistory> {
        match self.past.noise {
            Noise::Measured(history) => Some(history),
            Noise::Given(_) | Noise::Assumed => None,
        }
    }

    /// How noisy counts were.
    fn past_noise(&self, metric: &str, limit: Limit) -> Option<&'a PastNoise> {
        let ratio = match limit {
            Limit::AtMost { ratio, .. } | Limit::AtLeast { ratio, .. } => ratio.unwrap_or(1.0),
            Limit::Within { .. } => 1.0,
        };
        self.measured()?
            .past_noise(metric, limit.absolute_value(), ratio)
    }

    fn noise(&self, measured: Option<LineNoise>) -> LineNoise {
        match self.past.noise {
            Noise::Given(value) => LineNoise::Given(value),
            Noise::Measured(_) | Noise::Assumed => measured.unwrap_or(LineNoise::Assumed),
        }
    }
}

/// The value that is to be exceeded, where it is not the service's own that counts: of a number, and of an offset
/// beside which the service's rate is small.
fn limit_to_exceed(limit: Limit, rate: f64) -> Option<f64> {
    match limit {
        Limit::AtMost { ratio, offset } | Limit::AtLeast { ratio, offset } => match ratio {
            None => Some(offset),
            Some(ratio) => (offset > rate).then_some(ratio * rate + offset),
        },
        Limit::Within { .. } => None,
    }
}

fn no_traffic() -> NotPlanned {
    not_planned(OutlookStatus::NoData, "no traffic was seen in this time")
}

/// What the whole service does in an interval, on the average from its first traffic to its last.
fn whole_per_interval(counts: &PairedCounts, kind: &MetricKind) -> ArmCount {
    // Shares of the traffic are those that were planned: together they are all of it.
    let is_by_share = matches!(
        kind,
        MetricKind::EventRate {
            per: Exposure::TrafficShare,
            ..
        }
    );
    let exposure = |interval: &PairedInterval| {
        if is_by_share {
            interval.canary.exposure + interval.control.exposure
        } else {
            interval.canary.exposure
        }
    };
    let live = || {
        counts
            .intervals
            .iter()
            .filter(|interval| exposure(interval) > 0.0)
    };
    let (Some(first), Some(last)) = (live().next(), live().next_back()) else {
        return ArmCount::default();
    };
    let length = (last.first + last.length)
        .saturating_sub(first.first)
        .max(1) as f64;
    ArmCount {
        events: live().map(|interval| interval.canary.events).sum::<f64>() / length,
        exposure: live().map(exposure).sum::<f64>() / length,
    }
}
