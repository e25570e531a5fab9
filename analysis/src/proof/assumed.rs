//! What is assumed of noise before any is measured, and how much one interval may say.

/// The length of an interval where the pipeline names none is the first of these.
const LADDER_SECONDS: [u32; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
/// No shorter one is chosen: on finer grids drifts are taken for faults.
const LEAST_INTERVAL_SECONDS: u32 = 30;
/// How much shorter than a scrape an interval may be: clocks and scrapes jitter.
const SCRAPE_SLACK: f64 = 0.99;

/// Evidence grows by at most so many nats in a second, times the noise that is assumed.
const NATS_PER_SECOND: f64 = 0.1;

/// Returns the length of an interval where the pipeline names none: 30 s, or the first of 60, 120, 300, ..
/// that is as long as a scrape (within 1 %). An hour where scrapes are rarer still, or their spacing is no
/// number.
///
/// It does not follow from the stage's length: the grid says how fast a change of the noise is believed.
///
/// Source: docs/design/counts.md, "1. Grid".
///
/// ```
/// use serinus_analysis::proof::default_interval_seconds;
///
/// assert_eq!([15.0, 30.2, 45.0, 300.0].map(default_interval_seconds), [30, 30, 60, 300]);
/// ```
pub fn default_interval_seconds(scrape_seconds: f64) -> u32 {
    let mut ladder = LADDER_SECONDS.into_iter();
    let is_long_enough = |length: &u32| {
        *length >= LEAST_INTERVAL_SECONDS
            && !is_finer_than_scrapes(f64::from(*length), scrape_seconds)
    };
    let longest = LADDER_SECONDS
        .last()
        .copied()
        .unwrap_or(LEAST_INTERVAL_SECONDS);
    ladder.find(is_long_enough).unwrap_or(longest)
}

/// Whether an interval is shorter than a scrape takes: then many intervals see nothing.
///
/// Source: docs/design/counts.md, "1. Grid".
pub fn is_finer_than_scrapes(interval_seconds: f64, scrape_seconds: f64) -> bool {
    interval_seconds < SCRAPE_SLACK * scrape_seconds
}

/// What counts are of: traffic varies less than failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Failures, or any other events.
    Events,
    /// Requests, against a share of the traffic.
    Traffic,
}

/// Returns the coefficient of variation of the noise of one population that is assumed in an interval:
/// 60 % in 30 s, less in longer ones, at least 30 %; of traffic 20 %.
///
/// Source: docs/design/counts.md, "3. Increments and their cap".
pub fn assumed_variation(counted: Counted, interval_seconds: f64) -> f64 {
    match counted {
        Counted::Traffic => 0.2,
        Counted::Events => (0.6 * libm::sqrt(30.0 / interval_seconds)).max(0.3),
    }
}

/// What one interval may say at most, in nats, before the allowance for noise: one cluster of failures,
/// however large, is no proof by itself.
pub fn cap_without_noise(interval_seconds: f64) -> f64 {
    NATS_PER_SECOND * interval_seconds
}

/// The same with the allowance, where `expected` events would be no surprise:
/// `0.1 seconds (1 + 2 cv^2 expected)`.
pub(super) fn cap(interval_seconds: f64, variation: f64, expected: f64) -> f64 {
    cap_without_noise(interval_seconds) * excess_of(variation, expected)
}

/// How many times the variance of independent events noise of this variation makes it, where `events` are
/// the variance of independent ones: `1 + 2 cv^2 events`.
pub(super) fn excess_of(variation: f64, events: f64) -> f64 {
    1.0 + 2.0 * variation * variation * events
}
