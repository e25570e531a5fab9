//! One check of one rollout, judged by the code that judges real ones.

use std::sync::Arc;

use super::super::super::random::{Random, RandomKey};
use super::further::FurtherGaugeLaw;
use super::law::GaugeLaw;
use super::values::{GaugeValues, mean};
use crate::proof::gauge::{
    GaugeLine, GaugePast, GaugeSample, GaugeSettings, GaugeStream, GaugeUnit, PodValue,
};
use crate::sequential::{ErrorRate, Side};

/// Minutes of the longest rollout, in which evidence may begin.
const PLANNED_MINUTES: f64 = 120.0;
/// The first looks of the design come after each sample, the others a part of the samples so far apart.
const EACH_OF_THE_FIRST: usize = 12;
const GROWTH_OF_LOOKS: f64 = 1.12;

/// How the values come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GaugeProcess {
    /// By a law that the method was chosen on.
    Chosen(GaugeLaw),
    /// By one on which nothing was chosen.
    Further(FurtherGaugeLaw),
}

/// What the check says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JudgedGauge {
    /// `< baseline * ratio + offset`.
    Relative {
        /// Factor of the control.
        ratio: f64,
        /// What is added.
        offset: f64,
    },
    /// `< limit`, beside a control.
    Absolute {
        /// The number.
        limit: f64,
        /// Whether values are whole things.
        is_number: bool,
    },
    /// The values are times a share of failures, what is judged is the rest: `> baseline * ratio`.
    SuccessRate {
        /// Factor of the control.
        ratio: f64,
        /// The share at a value of 1.
        failures: f64,
        /// Whether the gauge says that it is a share, and so is judged as its failures.
        is_told: bool,
    },
}

impl JudgedGauge {
    fn line(self) -> GaugeLine {
        match self {
            Self::Relative { ratio, offset } => GaugeLine::Relative {
                ratio,
                offset,
                bad: Side::Above,
            },
            Self::SuccessRate { ratio, .. } => GaugeLine::Relative {
                ratio,
                offset: 0.0,
                bad: Side::Below,
            },
            Self::Absolute { limit, .. } => GaugeLine::Absolute {
                limit,
                bad: Side::Above,
                is_inclusive: false,
                has_control: true,
            },
        }
    }

    fn unit(self) -> GaugeUnit {
        match self {
            Self::Absolute {
                is_number: true, ..
            } => GaugeUnit::Number,
            Self::SuccessRate { is_told: true, .. } => GaugeUnit::Fraction,
            _ => GaugeUnit::Other,
        }
    }

    fn value(self, drawn: f64) -> f64 {
        match self {
            Self::SuccessRate { failures, .. } => 1.0 - failures * drawn,
            _ => drawn,
        }
    }
}

/// After which samples somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeLooks {
    /// After each.
    EverySample,
    /// As the design has looked: after each of the first twelve, then whenever there are an eighth more.
    OfTheDesign,
}

/// A rollout of one check of a gauge: one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeTrial {
    /// Which random numbers are its own.
    pub name: String,
    /// How its values come.
    pub process: GaugeProcess,
    /// What the check says.
    pub judged: JudgedGauge,
    /// Seconds between samples.
    pub step_seconds: f64,
    /// How long it is looked at.
    pub minutes: f64,
    /// The first minutes, in which the canary is young.
    pub left_out_minutes: f64,
    /// How long pods may not prove more than one.
    pub cold_start_seconds: f64,
    /// When somebody looks.
    pub looks: GaugeLooks,
    /// The earliest minute of a promotion.
    pub promoted_from_minute: f64,
}

/// What came of one rollout. It goes on after a promotion, and ends with a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GaugeOutcome {
    /// The sample, counted from 1, of the look at which it was rolled back.
    pub rolled_back_at: Option<usize>,
    /// That of the first look at which the canary was shown to keep its limit, before any rollback.
    pub promoted_at: Option<usize>,
    /// The sample at which it would have been rolled back by somebody who looks at every one.
    pub crossed_at: Option<usize>,
}

impl GaugeTrial {
    /// The replicate with this index.
    pub fn replicate(&self, seed: u64, index: u64) -> GaugeOutcome {
        let mut random = Random::new(&RandomKey::new(seed, "gauges", &self.name), index);
        let values = match &self.process {
            GaugeProcess::Chosen(law) => law.draw(&mut random, self.step_seconds, self.minutes),
            GaugeProcess::Further(law) => law.draw(&mut random, self.step_seconds, self.minutes),
        };
        self.judge(&values)
    }

    /// What comes of these values.
    pub fn judge(&self, values: &GaugeValues) -> GaugeOutcome {
        let mut stream = self.stream(values);
        let mut samples = Samples::of(self, values);
        let mut next_look = 0;
        let mut found = GaugeOutcome {
            rolled_back_at: None,
            promoted_at: None,
            crossed_at: None,
        };
        for at in 1..=values.samples() {
            let evidence = stream.push(&samples.at(at));
            let is_crossed = evidence >= ErrorRate::ROLLBACK.log_threshold();
            if is_crossed {
                found.crossed_at = found.crossed_at.or(Some(at));
            }
            if !self.is_look(at, values.samples(), &mut next_look) {
                continue;
            }
            if is_crossed {
                found.rolled_back_at = Some(at);
                break;
            }
            let may_promote =
                found.promoted_at.is_none() && self.minute(at) >= self.promoted_from_minute;
            if may_promote && stream.promotion(ErrorRate::PROMOTION).is_compliant {
                found.promoted_at = Some(at);
            }
        }
        found
    }

    /// The minute of a sample.
    pub fn minute(&self, at: usize) -> f64 {
        at as f64 * self.step_seconds / 60.0
    }

    fn stream(&self, values: &GaugeValues) -> GaugeStream {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some hundreds"
        )]
        let planned = libm::floor(PLANNED_MINUTES * 60.0 / self.step_seconds) as usize;
        let (line, unit) = (self.judged.line(), self.judged.unit());
        let usual = GaugeSettings::new(line, unit, self.step_seconds, planned);
        let judged = |one: &Option<f64>| one.map(|value| self.judged.value(value));
        let past: Vec<Option<f64>> = values.past.iter().map(judged).collect();
        let has_past = !past.is_empty();
        let mut stream = GaugeStream::new(GaugeSettings {
            has_starts_beyond_the_plan: true,
            cold_start_seconds: self.cold_start_seconds,
            past: has_past.then(|| Arc::new(GaugePast::measure(&past, self.step_seconds))),
            ..usual
        });
        stream.begin_stage(None);
        stream
    }

    fn is_look(&self, at: usize, samples: usize, next: &mut usize) -> bool {
        match self.looks {
            GaugeLooks::EverySample => true,
            GaugeLooks::OfTheDesign if at <= EACH_OF_THE_FIRST => {
                *next = following(at, samples);
                true
            }
            GaugeLooks::OfTheDesign => {
                let is_now = at == *next;
                if is_now {
                    *next = following(at, samples);
                }
                is_now
            }
        }
    }
}

fn following(look: usize, samples: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some hundreds"
    )]
    let grown = (look as f64 * GROWTH_OF_LOOKS) as usize;
    grown.max(look + 1).min(samples)
}

/// The samples of a rollout, as they would have been read.
struct Samples<'a> {
    trial: &'a GaugeTrial,
    values: &'a GaugeValues,
    names: [Vec<Arc<str>>; 2],
}

impl<'a> Samples<'a> {
    fn of(trial: &'a GaugeTrial, values: &'a GaugeValues) -> Self {
        let names = |side: &str, pods: usize| {
            let name = |pod: usize| Arc::from(format!("{side}-{pod}"));
            (0..pods).map(name).collect()
        };
        Self {
            names: [
                names("control", values.pods.control.len()),
                names("canary", values.pods.canary.len()),
            ],
            trial,
            values,
        }
    }

    /// The sample of this number, counted from 1.
    fn at(&mut self, number: usize) -> GaugeSample {
        let trial = self.trial;
        let seconds = number as f64 * trial.step_seconds;
        let sample = GaugeSample {
            at_seconds: seconds,
            canary_age_seconds: Some(seconds),
            ..GaugeSample::default()
        };
        if seconds <= 60.0 * trial.left_out_minutes {
            return GaugeSample {
                is_warming_up: true,
                ..sample
            };
        }
        let place = number - 1;
        let judged = |value: f64| trial.judged.value(value);
        let [control, canary] = &self.names;
        let of = |pods: &[Vec<Option<f64>>], names: &[Arc<str>]| -> Vec<PodValue> {
            let had = pods.iter().map(|pod| pod.get(place).copied().flatten());
            had.zip(names)
                .filter_map(|(value, name)| {
                    Some(PodValue {
                        pod: Arc::clone(name),
                        value: judged(value?),
                    })
                })
                .collect()
        };
        let pods = &self.values.pods;
        GaugeSample {
            canary: mean(&pods.canary, place).map(judged),
            control: mean(&pods.control, place).map(judged),
            canary_pods: of(&pods.canary, canary),
            control_pods: of(&pods.control, control),
            ..sample
        }
    }
}
