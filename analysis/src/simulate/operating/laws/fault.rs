//! What is wrong with a canary.

use std::ops::Range;

/// Steps of 30 s in a minute.
const STEPS_PER_MINUTE: f64 = 2.0;

/// How many times the failures it has that it should have, step by step of 30 s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// Always so many.
    Times(f64),
    /// So many from a step on.
    From(usize, f64),
    /// So many until a step.
    Until(usize, f64),
    /// So many from a step until another.
    Within(usize, usize, f64),
    /// In each `period` its first `length` steps so many.
    Every {
        /// Steps from one to the next.
        period: usize,
        /// How many steps it lasts.
        length: usize,
        /// How many times the failures.
        times: f64,
    },
    /// From 1 in a straight line to so many over so many steps.
    Leak(usize, f64),
    /// `times exp(-t / minutes)`, at least 1: a cold start.
    Decay {
        /// At first.
        times: f64,
        /// After which it has fallen to 1 / e.
        minutes: f64,
    },
}

impl Fault {
    /// In a step.
    pub fn times(&self, step: usize) -> f64 {
        let within = |steps: Range<usize>, times| if steps.contains(&step) { times } else { 1.0 };
        match *self {
            Self::Times(times) => times,
            Self::From(first, times) => within(first..usize::MAX, times),
            Self::Until(end, times) => within(0..end, times),
            Self::Within(first, end, times) => within(first..end, times),
            Self::Every {
                period,
                length,
                times,
            } => {
                let first = step - step % period.max(1);
                within(first..first + length, times)
            }
            Self::Leak(over, times) => {
                let part = (step as f64 + 0.5) / over.max(1) as f64;
                1.0 + (times - 1.0) * part.min(1.0)
            }
            Self::Decay { times, minutes } => {
                let at = (step as f64 + 0.5) / STEPS_PER_MINUTE;
                (times * libm::exp(-at / minutes)).max(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_there_when_it_says() {
        let over = |fault: Fault| -> Vec<f64> { (0..4).map(|step| fault.times(step)).collect() };
        assert_eq!(over(Fault::Times(2.0)), [2.0; 4]);
        assert_eq!(over(Fault::From(2, 5.0)), [1.0, 1.0, 5.0, 5.0]);
        assert_eq!(over(Fault::Until(1, 5.0)), [5.0, 1.0, 1.0, 1.0]);
        let every = Fault::Every {
            period: 2,
            length: 1,
            times: 8.0,
        };
        assert_eq!(over(every), [8.0, 1.0, 8.0, 1.0]);
        assert_eq!(over(Fault::Leak(2, 5.0)), [2.0, 4.0, 5.0, 5.0]);
        let decay = over(Fault::Decay {
            times: 10.0,
            minutes: 0.25,
        });
        assert!(decay[0] > 3.0 && decay[3] <= 1.0, "{decay:?}");
    }
}
