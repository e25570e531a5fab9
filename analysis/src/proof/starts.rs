//! When evidence begins, over a whole rollout, and with which weight.
//!
//! A fault may begin at any time. Evidence that counts everything since the beginning is blinded by the good
//! hours before; so it begins anew again and again, and what counts is the weighted mean.
//!
//! Source: docs/design/counts.md, "5. Starts over a rollout".

/// Intervals between two starts within a stage.
const STEP: usize = 8;
/// Weight of all starts after the longest time of a stage.
const WEIGHT_BEYOND_THE_PLAN: f64 = 1.0 / 8.0;
/// Evidence that began within a stage goes on for so many intervals; every second for twice as many, every
/// fourth for four times, and so on. Then it stays at what it was: neighbours are never further apart than
/// a sixteenth of their age, and a judgement costs the same at any age.
const SHORTEST_LIFE: usize = 256;

/// A place where evidence begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start {
    /// Intervals before it.
    pub at: usize,
    /// Its part of the whole.
    pub weight: f64,
    /// After how many intervals it ends: nothing of what begins with a rollout or a stage.
    pub ends_at: Option<usize>,
}

/// The starts of a rollout: fixed by the longest times of its stages when it begins, and by when they begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    planned: Vec<usize>,
    of_the_first: f64,
    of_a_stage: f64,
    within: f64,
    /// Where each stage has begun.
    marks: Vec<usize>,
    /// Starts beyond the plan so far.
    beyond: u32,
    /// Where all evidence began anew, after what a person has decided.
    anew_at: Option<usize>,
}

impl Schedule {
    /// The starts of stages that last so many intervals at most. The first begins at once.
    pub fn new(planned: Vec<usize>) -> Self {
        let stages = planned.len().max(1);
        let within: usize = planned
            .iter()
            .map(|longest| longest.saturating_sub(1) / STEP)
            .sum();
        let is_one = stages == 1;
        let (mut of_the_first, mut of_all_stages, mut of_all_within) = if is_one {
            (0.5, 0.0, 0.5)
        } else {
            (0.5, 0.25, 0.25)
        };
        if within == 0 {
            if is_one {
                of_the_first += of_all_within;
            } else {
                of_all_stages += of_all_within;
            }
            of_all_within = 0.0;
        }
        let planned_part = 1.0 - WEIGHT_BEYOND_THE_PLAN;
        Self {
            planned,
            of_the_first: of_the_first * planned_part,
            of_a_stage: of_all_stages / (stages - 1).max(1) as f64 * planned_part,
            within: of_all_within / within.max(1) as f64 * planned_part,
            marks: vec![0],
            beyond: 0,
            anew_at: None,
        }
    }

    /// The next stage begins after so many intervals. One that was skipped begins and ends at once.
    pub fn begin_stage(&mut self, at: usize) {
        self.marks.push(at);
    }

    /// All evidence begins anew here, where a stage begins.
    pub fn begin_anew(&mut self, at: usize) {
        self.anew_at = Some(at);
    }

    /// Where all evidence began anew last.
    pub fn anew_at(&self) -> usize {
        self.anew_at.unwrap_or(0)
    }

    /// Where the stage it is at has begun.
    pub fn stage_begun_at(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    /// The start after `at` intervals, if there is one. To be asked before each interval, in their order,
    /// when the stages that begin there have.
    pub fn start_at(&mut self, at: usize) -> Option<Start> {
        let mark = self.stage_begun_at();
        let stage = self.marks.len() - 1;
        let mut weight = if at == 0 { self.of_the_first } else { 0.0 };
        let begun_here = self.marks.iter().skip(1).filter(|mark| **mark == at);
        weight += self.of_a_stage * begun_here.count() as f64;
        let elapsed = at.saturating_sub(mark);
        let planned = self.planned.get(stage).copied();
        let mut ends_at = None;
        match planned {
            Some(planned) if elapsed >= planned && (elapsed - planned).is_multiple_of(STEP) => {
                self.beyond += 1;
                let place = f64::from(self.beyond);
                weight += WEIGHT_BEYOND_THE_PLAN / (place * (place + 1.0));
                ends_at = life_of(elapsed);
            }
            Some(planned) if elapsed > 0 && elapsed < planned && elapsed.is_multiple_of(STEP) => {
                weight += self.within;
                ends_at = life_of(elapsed);
            }
            _ => {}
        }
        let is_of_a_stage = at == mark;
        if self.anew_at == Some(at) {
            weight = 0.5 * (1.0 - WEIGHT_BEYOND_THE_PLAN);
        }
        (weight > 0.0).then_some(Start {
            at,
            weight,
            ends_at: if is_of_a_stage {
                None
            } else {
                ends_at.map(|life| at + life)
            },
        })
    }
}

/// How long what begins so many intervals after its stage goes on.
fn life_of(elapsed: usize) -> Option<usize> {
    let place = (elapsed / STEP).max(1);
    SHORTEST_LIFE.checked_mul(1 << place.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(planned: &[usize], marks: &[usize], now: usize) -> Vec<(usize, f64)> {
        let mut schedule = Schedule::new(planned.to_vec());
        let mut later = marks.iter().skip(1).peekable();
        let mut starts = Vec::new();
        for at in 0..now {
            while later.next_if(|mark| **mark == at).is_some() {
                schedule.begin_stage(at);
            }
            starts.extend(schedule.start_at(at).map(|start| (start.at, start.weight)));
        }
        starts
    }

    #[test]
    fn what_is_spent_is_never_more_than_all() {
        for (planned, marks) in [
            (&[8][..], &[0][..]),
            (&[3, 3], &[0, 3]),
            (&[20, 20, 20], &[0, 0, 5]),
            (&[1], &[0]),
            (&[0, 0], &[0, 0]),
        ] {
            let all: f64 = reached(planned, marks, 20_160)
                .iter()
                .map(|one| one.1)
                .sum();
            assert!(all <= 1.0 + 1e-12, "{planned:?}: {all}");
        }
    }

    #[test]
    fn few_go_on_at_any_age_and_none_is_far_from_a_fault() {
        let mut schedule = Schedule::new(vec![20_160]);
        let starts: Vec<Start> = (0..20_160).filter_map(|at| schedule.start_at(at)).collect();
        for now in [480, 2_880, 20_160] {
            let goes_on = |start: &&Start| {
                start.at < now && start.ends_at.is_none_or(|ends_at| ends_at > now)
            };
            let ages: Vec<usize> = starts
                .iter()
                .filter(goes_on)
                .map(|one| now - one.at)
                .collect();
            assert!(ages.len() < 150, "{} at {now}", ages.len());
            for pair in ages.windows(2) {
                let &[older, younger] = pair else { continue };
                let apart = older - younger;
                assert!(apart <= STEP.max(older / 8) || older == now, "{pair:?}");
            }
        }
    }
}
