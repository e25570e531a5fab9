//! What many replicates show.

use serde::Serialize;

use crate::interval::{Confidence, Count, wilson_interval};

/// How many of the replicates did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Those that did.
    pub count: u64,
    /// All of them.
    pub of: u64,
}

impl Share {
    /// Counts the replicates for which a condition holds.
    pub fn counted<T>(replicates: &[T], condition: impl Fn(&T) -> bool) -> Self {
        Self {
            count: replicates.iter().filter(|one| condition(one)).count() as u64,
            of: replicates.len() as u64,
        }
    }

    /// `count / of`; 0 of nothing.
    pub fn rate(self) -> f64 {
        if self.of == 0 {
            0.0
        } else {
            self.count as f64 / self.of as f64
        }
    }

    /// The binomial standard error of the rate: `sqrt(p (1 - p) / n)`. It is 0 for none and for all,
    /// where [`Self::upper`] says more.
    pub fn standard_error(self) -> f64 {
        let rate = self.rate();
        (rate * (1.0 - rate) / self.of.max(1) as f64).sqrt()
    }

    /// The upper end of the rate's 95 % interval (Wilson); 1 of nothing.
    pub fn upper(self) -> f64 {
        let bound = Count::new(self.count as f64, self.of as f64)
            .and_then(|count| Ok(wilson_interval(count, Confidence::new(0.95)?).upper()));
        bound.unwrap_or(1.0)
    }

    /// Both together.
    pub fn pooled(shares: &[Self]) -> Self {
        shares
            .iter()
            .fold(Self { count: 0, of: 0 }, |sum, one| Self {
                count: sum.count + one.count,
                of: sum.of + one.of,
            })
    }

    /// The one with the largest rate; 0 of 0 for nothing.
    pub fn worst(shares: &[Self]) -> Self {
        shares
            .iter()
            .copied()
            .max_by(|a, b| a.rate().total_cmp(&b.rate()))
            .unwrap_or(Self { count: 0, of: 0 })
    }
}

/// The operating characteristics of a method on a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Characteristics {
    /// Rollouts that were rolled back though the canary kept its limit until then.
    pub false_rollback: Share,
    /// Rollouts that were rolled back for a violation that was there; nothing where there is none.
    pub detected: Option<Share>,
    /// Median number of intervals from the onset to the rollback, over the rollouts that were not
    /// rolled back before; nothing when half of them were not detected.
    pub median_delay: Option<f64>,
    /// Rollouts in whose last stage the canary was ever shown to be within the limit; nothing for a
    /// method that cannot.
    pub promoted: Option<Share>,
    /// Median number of intervals from the start of the last stage until then.
    pub median_to_promote: Option<f64>,
}

/// Returns the median of the times at which something happened, with those at which it did not as later
/// than all others; nothing when it did not in half of the cases, or there are none.
pub fn median(times: &[Option<usize>]) -> Option<f64> {
    let mut sorted: Vec<usize> = times
        .iter()
        .map(|time| time.unwrap_or(usize::MAX))
        .collect();
    sorted.sort_unstable();
    let count = sorted.len();
    let upper = *sorted.get(count / 2)?;
    let lower = *sorted.get(count.saturating_sub(1) / 2)?;
    (upper < usize::MAX).then_some(0.5 * (lower as f64 + upper as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_say_how_sure_they_are() {
        let share = Share { count: 3, of: 300 };
        assert!((share.rate() - 0.01).abs() < 1e-15);
        assert!((share.standard_error() - (0.01 * 0.99 / 300.0_f64).sqrt()).abs() < 1e-15);
        // Wilson's upper bound of 0 of 1000 at 95 %, from the reference vectors in
        // `analysis/tests/data/vectors`.
        let none = Share { count: 0, of: 1000 };
        assert!((none.upper() - 0.003_826_758_485_555_123).abs() < 1e-15);
        let nothing = Share::pooled(&[]);
        assert!((nothing.rate(), nothing.upper()) == (0.0, 1.0));
        assert_eq!(Share::pooled(&[share, none]), Share { count: 3, of: 1300 });
        assert_eq!(Share::worst(&[none, share]), share);
    }

    #[test]
    fn what_never_happened_is_later_than_all() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[Some(3), None, Some(1)]), Some(3.0));
        assert_eq!(median(&[Some(3), Some(4)]), Some(3.5));
        assert_eq!(median(&[Some(3), None]), None);
        assert_eq!(median(&[None]), None);
    }
}
