//! When a gauge's evidence begins, and with which weight: one clock over the whole rollout.
//!
//! A pure function of the number of samples, so that there is nothing to carry: the first start has half of the
//! weight, one each ten minutes shares the rest. A start goes on for 32 times ten minutes, every second one for twice
//! as long, every fourth for four times, and so on; then it stays at what it was. So neighbours are never further
//! apart than a sixteenth of their age, and a sample costs what the logarithm of the age does.
//!
//! Source: docs/design/gauges.md, "4. Evidence for a violation".

use super::settings::GaugeSettings;

/// Seconds between two starts.
const STEP_SECONDS: f64 = 600.0;
/// Weight of the first, of those of the plan.
const OF_THE_FIRST: f64 = 0.5;
/// Weight of all starts after the plan, where there are any.
const BEYOND_THE_PLAN: f64 = 1.0 / 8.0;
/// How long a start goes on, in steps.
const SHORTEST_LIFE: usize = 32;
/// Most samples between two starts.
const MOST_SAMPLES: f64 = 1e6;

/// A place where evidence begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GaugeStart {
    /// Its part of the whole.
    pub(super) weight: f64,
    /// After how many samples it ends; nothing of the first, and of one after a person has decided.
    pub(super) ends_at: Option<usize>,
}

/// The starts of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GaugeSchedule {
    /// Samples between two.
    every: usize,
    planned: usize,
    of_the_first: f64,
    of_another: f64,
    has_beyond: bool,
    anew_at: Option<usize>,
}

impl GaugeSchedule {
    pub(super) fn new(settings: &GaugeSettings) -> Self {
        let every = libm::floor(STEP_SECONDS / settings.step_seconds).clamp(1.0, MOST_SAMPLES);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and a million"
        )]
        let every = if every.is_finite() { every as usize } else { 1 };
        let planned = settings.planned_samples.max(1);
        let starts = planned.div_ceil(every);
        let whole = if settings.has_starts_beyond_the_plan {
            1.0 - BEYOND_THE_PLAN
        } else {
            1.0
        };
        let (of_the_first, of_another) = if starts > 1 {
            (OF_THE_FIRST, (1.0 - OF_THE_FIRST) / (starts - 1) as f64)
        } else {
            (1.0, 0.0)
        };
        Self {
            every,
            planned,
            of_the_first: of_the_first * whole,
            of_another: of_another * whole,
            has_beyond: settings.has_starts_beyond_the_plan,
            anew_at: None,
        }
    }

    /// All evidence begins anew after so many samples, with the weight of the first.
    pub(super) fn begin_anew(&mut self, at: usize) {
        self.anew_at = Some(at);
    }

    /// The start before the sample of this number, if there is one.
    pub(super) fn start_at(&self, at: usize) -> Option<GaugeStart> {
        if at == 0 || self.anew_at == Some(at) {
            return Some(GaugeStart {
                weight: self.of_the_first,
                ends_at: None,
            });
        }
        if !at.is_multiple_of(self.every) {
            return None;
        }
        let place = at / self.every;
        let weight = if at < self.planned {
            self.of_another
        } else if self.has_beyond {
            let beyond = (place - self.planned.div_ceil(self.every) + 1) as f64;
            BEYOND_THE_PLAN / (beyond * (beyond + 1.0))
        } else {
            return None;
        };
        let life = SHORTEST_LIFE
            .checked_mul(self.every)
            .and_then(|life| life.checked_mul(1 << place.trailing_zeros().min(32)));
        Some(GaugeStart {
            weight,
            ends_at: life.map(|life| at + life),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::gauge::{GaugeLine, GaugeUnit};
    use crate::sequential::Side;

    fn schedule(step_seconds: f64, planned: usize, has_beyond: bool) -> GaugeSchedule {
        let line = GaugeLine::Absolute {
            limit: 1.0,
            bad: Side::Above,
            is_inclusive: false,
            has_control: false,
        };
        let mut settings = GaugeSettings::new(line, GaugeUnit::Other, step_seconds, planned);
        settings.has_starts_beyond_the_plan = has_beyond;
        GaugeSchedule::new(&settings)
    }

    #[test]
    fn what_is_spent_is_never_more_than_all() {
        for (step, planned, beyond) in [
            (60.0, 0, true),
            (60.0, 5, false),
            (60.0, 120, false),
            (15.0, 241, true),
            (300.0, 4032, true),
            (1e9, 3, true),
        ] {
            for anew in [None, Some(7), Some(40)] {
                let mut schedule = schedule(step, planned, beyond);
                let before: f64 = (0..anew.unwrap_or(0))
                    .filter_map(|at| schedule.start_at(at))
                    .map(|start| start.weight)
                    .sum();
                if let Some(at) = anew {
                    schedule.begin_anew(at);
                }
                let after: f64 = (anew.unwrap_or(0)..20_160)
                    .filter_map(|at| schedule.start_at(at))
                    .map(|start| start.weight)
                    .sum();
                assert!(
                    before <= 1.0 + 1e-9 && after <= 1.0 + 1e-9,
                    "{step} {planned} {after}"
                );
            }
        }
    }

    #[test]
    fn few_go_on_at_any_age_and_none_is_far_from_a_fault() {
        let schedule = schedule(60.0, 20_160, false);
        let starts: Vec<(usize, GaugeStart)> = (0..20_160)
            .filter_map(|at| Some((at, schedule.start_at(at)?)))
            .collect();
        for now in [480, 2_880, 20_160] {
            let ages: Vec<usize> = starts
                .iter()
                .filter(|(at, start)| *at < now && start.ends_at.is_none_or(|end| end > now))
                .map(|(at, _)| now - at)
                .collect();
            assert!(ages.len() < 150, "{} at {now}", ages.len());
            for pair in ages.windows(2) {
                let apart = pair[0] - pair[1];
                assert!(
                    apart <= 10_usize.max(pair[0] / 8) || pair[0] == now,
                    "{pair:?}"
                );
            }
        }
    }
}
