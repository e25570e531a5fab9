//! What a check asks of a gauge, and what a rollout remembers of it.

use std::sync::Arc;

use crate::data::GaugeBefore;
use crate::pipeline::{Check, Dimension, Limit, MetricKind, Pipeline, Stage};
use crate::proof::gauge::{
    COLD_START_SECONDS, GaugeLine, GaugeSample, GaugeSettings, GaugeStream, GaugeUnit,
};
use crate::sequential::Side;

use super::super::lines::has_control;
use super::super::young::warm_up_seconds;

/// What makes two checks of gauges the same stream, and the stream itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GaugeKey {
    pub(in crate::judge) metric: String,
    pub(in crate::judge) line: GaugeLine,
    unit: GaugeUnit,
    promotion_ratio: Option<f64>,
    insists_on_rollback: bool,
    cold_start_seconds: f64,
    /// How long a process is young, in seconds.
    pub(in crate::judge) warm_up_seconds: f64,
    /// Its part of the rollout's error rate; 0 of one that may not roll back.
    pub(in crate::judge) weight: f64,
    /// What it proves; nothing before its first stage, when it is not known how far apart samples are.
    pub(in crate::judge) stream: Option<GaugeStream>,
    /// `ln E` after the newest interval of a stage that names it.
    pub(in crate::judge) last: Option<f64>,
}

/// The stream of a check of a stage, before its first sample.
pub(crate) fn key_of(pipeline: &Pipeline, check: &Check, stage: &Stage) -> GaugeKey {
    let settings = &pipeline.analysis;
    let said = check.cold_start_seconds.or(stage.cold_start_seconds);
    let said = said.or(settings.cold_start_seconds);
    GaugeKey {
        metric: check.measured.name.clone(),
        line: line_of(check, has_control(check, stage)),
        unit: unit_of(check.measured.dimension),
        promotion_ratio: check.promote_ratio.filter(|_| check.is_relative()),
        insists_on_rollback: check.insists_on_rollback,
        cold_start_seconds: said.map_or(COLD_START_SECONDS, f64::from),
        warm_up_seconds: warm_up_seconds(check, stage, settings),
        weight: 0.0,
        stream: None,
        last: None,
    }
}

/// The line of a check's limit.
pub(super) fn line_of(check: &Check, has_control: bool) -> GaugeLine {
    let line = |ratio: Option<f64>, offset: f64, bad: Side| match ratio {
        Some(ratio) => GaugeLine::Relative { ratio, offset, bad },
        None => GaugeLine::Absolute {
            limit: offset,
            bad,
            is_inclusive: check.is_inclusive,
            has_control,
        },
    };
    match check.limit {
        Limit::AtMost { ratio, offset } => line(ratio, offset, Side::Above),
        Limit::AtLeast { ratio, offset } => line(ratio, offset, Side::Below),
        Limit::Within { tolerance } => GaugeLine::Within { tolerance },
    }
}

/// Whether a check is of work for each request.
pub(in crate::judge) fn is_per_request(check: &Check) -> bool {
    matches!(check.measured.kind, MetricKind::PerRequest { .. })
}

/// Blocks of so many samples are as long only where the samples are as far apart.
fn is_as_far_apart(before_seconds: f64, step_seconds: f64) -> bool {
    (before_seconds - step_seconds).abs() < 1e-6
}

fn unit_of(dimension: Dimension) -> GaugeUnit {
    match dimension {
        Dimension::Fraction => GaugeUnit::Fraction,
        Dimension::Number => GaugeUnit::Number,
        Dimension::Seconds | Dimension::Bytes => GaugeUnit::Other,
    }
}

impl GaugeKey {
    /// Whether another check is of the same stream.
    pub(in crate::judge) fn is_same(&self, other: &Self) -> bool {
        let of = |key: &Self| Self {
            weight: 0.0,
            warm_up_seconds: 0.0,
            ..key.clone()
        };
        of(self) == of(other)
    }

    /// A stage that names it begins: samples are so far apart, and the longest rollout takes so many seconds. What the
    /// control did before counts from the first stage on.
    pub(in crate::judge) fn begin_stage(
        &mut self,
        step_seconds: f64,
        planned_seconds: f64,
        before: Option<&GaugeBefore>,
    ) {
        if self.stream.is_none() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive, and saturates"
            )]
            let planned = libm::floor(planned_seconds / step_seconds) as usize;
            let usual = GaugeSettings::new(self.line, self.unit, step_seconds, planned.max(1));
            self.stream = Some(GaugeStream::new(GaugeSettings {
                promotion_ratios: self.promotion_ratio.into_iter().collect(),
                has_starts_beyond_the_plan: true,
                votes_at_its_ratio: self.insists_on_rollback,
                cold_start_seconds: self.cold_start_seconds,
                past: before
                    .filter(|before| is_as_far_apart(before.step_seconds, step_seconds))
                    .map(|before| Arc::clone(&before.past)),
                ..usual
            }));
        }
        if let Some(stream) = &mut self.stream {
            stream.begin_stage(self.promotion_ratio);
        }
    }

    /// Adds the sample that an interval ends with, where it has one.
    pub(in crate::judge) fn push(&mut self, sample: Option<&GaugeSample>) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        if let Some(sample) = sample {
            stream.push(sample);
        }
        // A multiple of what is below 0 has no meaning: identical versions would be beyond it.
        let is_without_meaning = stream.is_baseline_negative();
        self.last = Some(if is_without_meaning {
            0.0
        } else {
            stream.log_evidence()
        });
    }

    /// `ln E` now.
    pub(in crate::judge) fn log_evidence(&self) -> f64 {
        self.last.unwrap_or(0.0)
    }

    /// All evidence begins anew: a person has decided.
    pub(in crate::judge) fn begin_anew(&mut self) {
        self.last = None;
        if let Some(stream) = &mut self.stream {
            stream.begin_anew();
        }
    }

    /// About how many bytes it takes.
    pub(in crate::judge) fn bytes(&self) -> usize {
        size_of::<Self>() + self.stream.as_ref().map_or(0, GaugeStream::bytes)
    }
}
