//! One series, stored as a column: a value for each scrape of its target and no time stamps.

use serinus_analysis::simulate::SCRAPE_INTERVAL_MS;

use super::labels::Labels;

/// How far back an instant looks for a sample, in milliseconds: Prometheus's default.
const LOOKBACK_MS: i64 = 5 * 60 * 1000;

/// The value of a scrape without a sample: a NaN of its own, as Prometheus's staleness marker is
/// one. It is tested for before any arithmetic, so no result can carry it by accident.
pub(super) const ABSENT: f64 = f64::from_bits(0x7ffc_0000_5741_1e00);

/// Returns whether there is no sample.
pub(super) fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// The values of one series at consecutive scrapes. A scrape that was missed, or a target that is
/// gone, is absent, and makes the series stale at once.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) labels: Labels,
    phase_ms: i64,
    first_tick: i64,
    values: Vec<f64>,
}

impl Column {
    /// Returns a series without samples whose first scrape is number `first_tick`; scrape number
    /// `n` is at `n * SCRAPE_INTERVAL_MS + phase_ms`.
    pub(super) fn new(labels: Labels, phase_ms: i64, first_tick: i64) -> Self {
        Self {
            labels,
            phase_ms,
            first_tick,
            values: Vec::new(),
        }
    }

    /// Adds the value of the next scrape.
    pub(super) fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Forgets the oldest samples beyond `retained` when they have become `slack` too many, so
    /// that the moving of memory is rare.
    pub(super) fn forget(&mut self, retained: usize, slack: usize) {
        if self.values.len() >= retained + slack {
            let forgotten = self.values.len() - retained;
            self.values.drain(..forgotten);
            self.first_tick += i64::try_from(forgotten).unwrap_or(i64::MAX);
        }
    }

    /// Returns the time and the value that an instant query at `at_ms` sees: the last sample of
    /// the five minutes before, unless the series is stale.
    pub(super) fn sample_at(&self, at_ms: i64) -> Option<(i64, f64)> {
        let last = i64::try_from(self.values.len()).ok()? - 1;
        let index = self.index_at(at_ms).min(last);
        let value = *self.values.get(usize::try_from(index).ok()?)?;
        let time_ms = self.time_ms(index);
        let is_seen = !is_absent(value) && time_ms > at_ms.saturating_sub(LOOKBACK_MS);
        is_seen.then_some((time_ms, value))
    }

    /// Puts the samples after `after_ms` and up to `until_ms` into `samples`, by time.
    pub(super) fn collect_samples(
        &self,
        after_ms: i64,
        until_ms: i64,
        samples: &mut Vec<(i64, f64)>,
    ) {
        samples.clear();
        let first = self.index_at(after_ms).saturating_add(1).max(0);
        let end = self.index_at(until_ms).saturating_add(1).max(first);
        let length = self.values.len();
        let clamped = |index: i64| usize::try_from(index).map_or(length, |i| i.min(length));
        let values = self.values.get(clamped(first)..clamped(end));
        for (index, value) in (first..).zip(values.unwrap_or_default()) {
            if !is_absent(*value) {
                samples.push((self.time_ms(index), *value));
            }
        }
    }

    /// The index of the last scrape at or before a time; below 0 before the first.
    fn index_at(&self, at_ms: i64) -> i64 {
        at_ms
            .saturating_sub(self.phase_ms)
            .div_euclid(SCRAPE_INTERVAL_MS)
            .saturating_sub(self.first_tick)
    }

    fn time_ms(&self, index: i64) -> i64 {
        (self.first_tick + index) * SCRAPE_INTERVAL_MS + self.phase_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples 10, none, 30 at 151 s, 166 s (missed) and 181 s.
    fn column() -> Column {
        let mut column = Column::new(Labels::default(), 1_000, 10);
        for value in [10.0, ABSENT, 30.0] {
            column.push(value);
        }
        column
    }

    fn within(column: &Column, after_ms: i64, until_ms: i64) -> Vec<(i64, f64)> {
        let mut samples = Vec::new();
        column.collect_samples(after_ms, until_ms, &mut samples);
        samples
    }

    #[test]
    fn an_instant_sees_the_last_sample_of_five_minutes() {
        let column = column();
        assert_eq!(column.sample_at(150_999), None);
        assert_eq!(column.sample_at(151_000), Some((151_000, 10.0)));
        assert_eq!(column.sample_at(165_999), Some((151_000, 10.0)));
        assert_eq!(column.sample_at(181_000), Some((181_000, 30.0)));
        assert_eq!(column.sample_at(480_999), Some((181_000, 30.0)));
        assert_eq!(column.sample_at(481_000), None);
    }

    #[test]
    fn a_missed_scrape_makes_the_series_stale_at_once() {
        assert_eq!(column().sample_at(166_000), None);
        assert_eq!(column().sample_at(180_999), None);
    }

    #[test]
    fn a_window_is_open_on_the_left_and_skips_what_was_missed() {
        let column = column();
        assert_eq!(
            within(&column, 150_999, 181_000),
            [(151_000, 10.0), (181_000, 30.0)]
        );
        assert_eq!(within(&column, 151_000, 180_999), []);
        assert_eq!(within(&column, i64::MIN, i64::MAX).len(), 2);
        assert_eq!(within(&column, 200_000, 100_000), []);
    }

    #[test]
    fn forgetting_keeps_the_times_of_what_stays() {
        let mut column = column();
        column.forget(1, 3);
        assert_eq!(within(&column, 0, 200_000).len(), 2);
        column.forget(1, 2);
        assert_eq!(within(&column, 0, 200_000), [(181_000, 30.0)]);
    }
}
