//! What was measured beside what the design has.

use serde::Serialize;

use super::figures::Figures;
use super::law::Law;
use super::measured::Measured;
use crate::simulate::operating::Share;

/// Standard errors of a difference that chance may make.
const STANDARD_ERRORS: f64 = 3.0;

/// By how many points a share differs from the design's, where chance does not explain it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Differences {
    /// Of those that were rolled back.
    pub rolled_back: Option<f64>,
    /// Of those that went through.
    pub completed: Option<f64>,
    /// Of those that were held.
    pub stuck: Option<f64>,
    /// Whether what differs is for the worse: more good versions rolled back or fewer through, fewer faults found or
    /// more of them through.
    pub is_worse: bool,
}

impl Differences {
    /// Beside what the design has measured with so many rollouts.
    pub fn of(law: Law, measured: &Measured, figures: Figures, replicates: u64) -> Self {
        let differs = |share: Share, percent: f64| difference(share, percent, replicates);
        let rolled_back = differs(measured.rolled_back, figures.rolled_back);
        let completed = differs(measured.completed, figures.completed);
        let less = |difference: Option<f64>| difference.is_some_and(|points| points < 0.0);
        let more = |difference: Option<f64>| difference.is_some_and(|points| points > 0.0);
        let is_worse = if law.description().fault.is_none() {
            more(rolled_back) || less(completed)
        } else {
            less(rolled_back) || more(completed)
        };
        Self {
            rolled_back,
            completed,
            stuck: differs(measured.stuck, figures.stuck),
            is_worse,
        }
    }
}

/// How many points a share is more than another that was measured with so many replicates: nothing within three
/// standard errors of the difference, with the share of both together.
fn difference(share: Share, percent: f64, replicates: u64) -> Option<f64> {
    let (count, of) = (share.count as f64, share.of as f64);
    let others = replicates as f64;
    let both = (count + percent / 100.0 * others) / (of + others);
    let error = libm::sqrt(both * (1.0 - both) * (1.0 / of + 1.0 / others));
    let points = share.rate() - percent / 100.0;
    (points.abs() > STANDARD_ERRORS * error).then_some(100.0 * points)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 of 200 and 4 of 100: together 34 of 300, so that a standard error is 3.88 points; 11 points are 2.8 of
    /// them, and 12 points (32 of 200) 3.05.
    #[test]
    fn three_standard_errors_are_chance() {
        let share = |count| Share { count, of: 200 };
        assert_eq!(difference(share(30), 4.0, 100), None);
        let found = difference(share(32), 4.0, 100).unwrap();
        assert!((found - 12.0).abs() < 1e-9, "{found}");
        assert_eq!(difference(share(200), 100.0, 100), None);
        assert_eq!(difference(share(0), 0.0, 100), None);
    }
}
