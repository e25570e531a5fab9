//! Functions over the samples of a window.

/// The samples of one series within (start, end], by time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) samples: &'a [(i64, f64)],
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// A function that makes one number of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowFunction {
    Rate,
    Increase,
    InstantRate,
    Delta,
    Sum,
    Average,
    Maximum,
    Minimum,
    Count,
    Last,
}

impl WindowFunction {
    /// Returns the function of a name of PromQL.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "irate" => Self::InstantRate,
            "delta" => Self::Delta,
            "sum_over_time" => Self::Sum,
            "avg_over_time" => Self::Average,
            "max_over_time" => Self::Maximum,
            "min_over_time" => Self::Minimum,
            "count_over_time" => Self::Count,
            "last_over_time" => Self::Last,
            _ => return None,
        })
    }

    /// Returns the function's number; nothing if the window has too few samples.
    pub(super) fn evaluate(self, window: &Window<'_>) -> Option<f64> {
        let values = || window.samples.iter().map(|sample| sample.1);
        let count = window.samples.len() as f64;
        if window.samples.is_empty() {
            return None;
        }
        match self {
            Self::Rate => {
                let range_seconds = (window.end_ms - window.start_ms) as f64 / 1000.0;
                extrapolated_increase(window, true).map(|increase| increase / range_seconds)
            }
            Self::Increase => extrapolated_increase(window, true),
            Self::Delta => extrapolated_increase(window, false),
            Self::InstantRate => instant_rate(window.samples),
            Self::Sum => Some(values().sum()),
            Self::Average => Some(values().sum::<f64>() / count),
            Self::Maximum => values().reduce(f64::max),
            Self::Minimum => values().reduce(f64::min),
            Self::Count => Some(count),
            Self::Last => values().next_back(),
        }
    }
}

/// The increase over the whole window, from the samples in it.
///
/// The difference of the last and the first sample, with the value before each reset of a counter
/// added, is scaled from the time between these samples to the window: up to its edges where a
/// sample is within 1.1 mean distances of the edge, otherwise by half a mean distance; and for a
/// counter not beyond where it would have been 0.
///
/// Source: `extrapolatedRate` in Prometheus 3, `promql/functions.go`.
fn extrapolated_increase(window: &Window<'_>, is_counter: bool) -> Option<f64> {
    let (first, last) = (window.samples.first()?, window.samples.last()?);
    if window.samples.len() < 2 {
        return None;
    }
    let mut increase = last.1 - first.1;
    if is_counter {
        let mut before = first.1;
        for (_, value) in window.samples {
            if *value < before {
                increase += before;
            }
            before = *value;
        }
    }
    let sampled_seconds = (last.0 - first.0) as f64 / 1000.0;
    let mean_distance = sampled_seconds / (window.samples.len() - 1) as f64;
    let threshold = mean_distance * 1.1;

    let mut to_start = (first.0 - window.start_ms) as f64 / 1000.0;
    if to_start >= threshold {
        to_start = mean_distance / 2.0;
    }
    if is_counter && increase > 0.0 && first.1 >= 0.0 {
        let to_zero = sampled_seconds * (first.1 / increase);
        to_start = to_start.min(to_zero);
    }
    let mut to_end = (window.end_ms - last.0) as f64 / 1000.0;
    if to_end >= threshold {
        to_end = mean_distance / 2.0;
    }
    Some(increase * ((sampled_seconds + to_start + to_end) / sampled_seconds))
}

/// The rate between the last two samples; after a reset the last value counts whole.
fn instant_rate(samples: &[(i64, f64)]) -> Option<f64> {
    let [.., before, last] = samples else {
        return None;
    };
    let increase = if last.1 < before.1 {
        last.1
    } else {
        last.1 - before.1
    };
    Some(increase / ((last.0 - before.0) as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(function: WindowFunction, samples: &[(i64, f64)]) -> Option<f64> {
        // A window of one minute.
        function.evaluate(&Window {
            samples,
            start_ms: 0,
            end_ms: 60_000,
        })
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!(
            (found - expected).abs() < 1e-12 * expected.abs().max(1.0),
            "{found} {expected}"
        );
    }

    #[test]
    fn increase_is_scaled_to_the_edges() {
        // 30 in 45 s, 10 s to the start, 5 s to the end, all below 1.1 * 15 s: 30 * 60/45.
        let samples = [
            (10_000, 100.0),
            (25_000, 110.0),
            (40_000, 120.0),
            (55_000, 130.0),
        ];
        near(evaluate(WindowFunction::Increase, &samples), 40.0);
        near(evaluate(WindowFunction::Rate, &samples), 40.0 / 60.0);
        near(evaluate(WindowFunction::Delta, &samples), 40.0);
    }

    #[test]
    fn a_far_edge_counts_half_a_distance() {
        // 20 in 15 s; 30 s to the start becomes 7.5 s; 15 s to the end is below 16.5 s.
        let samples = [(30_000, 100.0), (45_000, 120.0)];
        near(
            evaluate(WindowFunction::Increase, &samples),
            20.0 * 37.5 / 15.0,
        );
    }

    #[test]
    fn a_counter_is_not_followed_below_zero() {
        // 20 in 15 s from 4: zero was 3 s before the first sample; 5 s to the end.
        let samples = [(40_000, 4.0), (55_000, 24.0)];
        near(
            evaluate(WindowFunction::Increase, &samples),
            20.0 * 23.0 / 15.0,
        );
        near(
            evaluate(WindowFunction::Delta, &samples),
            20.0 * (15.0 + 7.5 + 5.0) / 15.0,
        );
    }

    #[test]
    fn a_reset_adds_what_was_counted_before_it() {
        // 100, 110, reset, 5: 10 before and 5 after make 15 in 30 s.
        let samples = [(15_000, 100.0), (30_000, 110.0), (45_000, 5.0)];
        near(
            evaluate(WindowFunction::Increase, &samples),
            15.0 * 60.0 / 30.0,
        );
        near(evaluate(WindowFunction::InstantRate, &samples), 5.0 / 15.0);
        near(evaluate(WindowFunction::Delta, &samples), -95.0 * 2.0);
    }

    #[test]
    fn statistics_of_a_window() {
        let samples = [(15_000, 3.0), (30_000, -1.0), (45_000, 4.0)];
        near(evaluate(WindowFunction::Sum, &samples), 6.0);
        near(evaluate(WindowFunction::Average, &samples), 2.0);
        near(evaluate(WindowFunction::Maximum, &samples), 4.0);
        near(evaluate(WindowFunction::Minimum, &samples), -1.0);
        near(evaluate(WindowFunction::Count, &samples), 3.0);
        near(evaluate(WindowFunction::Last, &samples), 4.0);
    }

    #[test]
    fn too_few_samples_give_nothing() {
        assert_eq!(evaluate(WindowFunction::Rate, &[(10_000, 1.0)]), None);
        assert_eq!(
            evaluate(WindowFunction::InstantRate, &[(10_000, 1.0)]),
            None
        );
        assert_eq!(evaluate(WindowFunction::Count, &[]), None);
    }
}
