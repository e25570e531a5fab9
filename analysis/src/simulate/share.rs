//! How much of the traffic the canary took, and when.

/// The canary's traffic share over time: a step function, 0 before its first change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareHistory {
    /// (from when in milliseconds, percent), by time.
    changes: Vec<(i64, f64)>,
}

impl ShareHistory {
    /// Sets the share from `at_ms` on. The percentage is clamped to 0 to 100, NaN is 0; a change
    /// before the last one counts from the last one's time, so the past stays as it was.
    pub fn set(&mut self, at_ms: i64, percent: f64) {
        let percent = if percent.is_nan() {
            0.0
        } else {
            percent.clamp(0.0, 100.0)
        };
        let at_ms = self.changes.last().map_or(at_ms, |last| at_ms.max(last.0));
        if self.changes.last().is_some_and(|last| last.0 == at_ms) {
            self.changes.pop();
        }
        self.changes.push((at_ms, percent));
    }

    /// Returns the share at a time, in percent.
    pub fn percent_at(&self, at_ms: i64) -> f64 {
        let later = self.changes.partition_point(|change| change.0 <= at_ms);
        later
            .checked_sub(1)
            .and_then(|index| self.changes.get(index))
            .map_or(0.0, |change| change.1)
    }

    /// Returns the mean share from `from_ms` to `to_ms`, in percent; of an empty span, the share
    /// at its end.
    pub fn mean_percent(&self, from_ms: i64, to_ms: i64) -> f64 {
        if to_ms <= from_ms {
            return self.percent_at(to_ms);
        }
        let mut until = to_ms;
        let mut area = 0.0;
        for (since, percent) in self.changes.iter().rev() {
            if *since >= until {
                continue;
            }
            area += percent * (until - since.max(&from_ms)) as f64;
            until = *since;
            if until <= from_ms {
                break;
            }
        }
        area / (to_ms - from_ms) as f64
    }

    /// Returns since when the share has been above 0 without a break; nothing if it is 0 at
    /// `at_ms`.
    pub fn above_zero_since(&self, at_ms: i64) -> Option<i64> {
        let later = self.changes.partition_point(|change| change.0 <= at_ms);
        self.changes
            .iter()
            .take(later)
            .rev()
            .take_while(|change| change.1 > 0.0)
            .last()
            .map(|change| change.0)
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "the shares are stored, and the means are exact in binary"
)]
mod tests {
    use super::*;

    fn history() -> ShareHistory {
        let mut history = ShareHistory::default();
        history.set(1_000, 10.0);
        history.set(2_000, 50.0);
        history.set(3_000, 0.0);
        history.set(4_000, 100.0);
        history
    }

    #[test]
    fn share_is_zero_before_and_the_last_change_after() {
        let history = history();
        assert_eq!(history.percent_at(999), 0.0);
        assert_eq!(history.percent_at(1_000), 10.0);
        assert_eq!(history.percent_at(2_999), 50.0);
        assert_eq!(history.percent_at(9_999), 100.0);
    }

    #[test]
    fn mean_weighs_by_time() {
        let history = history();
        assert_eq!(history.mean_percent(0, 1_000), 0.0);
        assert_eq!(history.mean_percent(500, 1_500), 5.0);
        assert_eq!(history.mean_percent(1_500, 2_500), 30.0);
        assert_eq!(history.mean_percent(2_000, 4_000), 25.0);
        assert_eq!(history.mean_percent(2_500, 2_500), 50.0);
    }

    #[test]
    fn life_starts_where_the_share_left_zero() {
        let history = history();
        assert_eq!(history.above_zero_since(999), None);
        assert_eq!(history.above_zero_since(2_500), Some(1_000));
        assert_eq!(history.above_zero_since(3_500), None);
        assert_eq!(history.above_zero_since(4_000), Some(4_000));
    }

    #[test]
    fn the_past_cannot_be_changed() {
        let mut history = history();
        history.set(10, f64::NAN);
        assert_eq!(history.percent_at(3_500), 0.0);
        assert_eq!(history.percent_at(3_999), 0.0);
        assert_eq!(history.percent_at(4_000), 0.0);
        history.set(5_000, 1e9);
        assert_eq!(history.percent_at(5_000), 100.0);
    }
}
