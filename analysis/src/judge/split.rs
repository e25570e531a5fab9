//! Whether the canary gets the share of the requests that the stage says.
//!
//! The proof is asked of the newest 40 to 59 intervals, so that a hold ends: windows begin at
//! every twentieth interval of the clock, not earlier than the canary's warm-up is over, and
//! whoever asks finds the same ones. Each window is a test of its own with an error of 0.001; a
//! day of 30 s has 144 of them. A split that is shown to be wrong counts only as long as the
//! newest intervals are still outside of what is tolerated: once the routing is put right, the
//! stage goes on.

use crate::pipeline::{Dimension, MetricKind, Pipeline};
use crate::proof::{Counted, Input, Interval, Line, Member, Rollout, Settings, Stream};
use crate::sequential::{ErrorRate, IntervalCounts, RelativeLimit, Side};
use crate::series::{ArmCount, Grid, Populations};
use crate::text;

use super::evaluated::Situation;
use super::silence::{self, Exposures};
use crate::data::{MetricData, StageData};

/// What has the newest word must reach back this far at least: without history, twice the share is
/// found in 13 to 22 intervals. Source: docs/design/statistics.md, "11. The verdict of a stage".
const LEAST_WINDOW_INTERVALS: i64 = 40;
/// Windows begin at multiples of this many intervals since 1970.
const WINDOW_STEP_INTERVALS: i64 = 20;
const LONGEST_WINDOW_INTERVALS: usize = 60;
/// The ratios to the configured share that are tolerated.
const TOLERATED: (f64, f64) = (0.8, 1.25);
/// The newest intervals, which must be wrong as well.
const NEWEST_INTERVALS: usize = 8;

/// A split that is shown to be wrong, in shares of all requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mismatch {
    /// The canary's share in the newest intervals.
    pub(super) seen: f64,
    /// The share that the stage says.
    pub(super) configured: f64,
}

impl Mismatch {
    /// `the canary serves 4.8 % of the requests where 1 % is configured`, and what to change.
    pub(super) fn sentence(self) -> String {
        let share = |share| text::value(share, Dimension::Fraction);
        format!(
            "the canary serves {} of the requests where {} is configured: correct the routing or the \
             stage's traffic_percent; if the control is not all of the other traffic, set \
             analysis.split_check to off",
            share(self.seen),
            share(self.configured)
        )
    }
}

/// Returns the mismatch, if there is proof of one.
///
/// Nobody looks at 100 % of the traffic, without a control, where requests are mirrored, and
/// where no metric that was read counts requests.
pub(super) fn mismatch(situation: Situation<'_>) -> Option<Mismatch> {
    let Situation {
        pipeline,
        stage,
        data,
        ..
    } = situation;
    let configured = stage.traffic_percent / 100.0;
    if stage.shadow || !(configured > 0.0 && configured < 1.0) {
        return None;
    }
    let requests = requests(pipeline, data)?;
    let ready = silence::first_canary_interval(data)? + situation.warm_up_intervals;
    let first = window_start(data.grid).max(ready);
    let window: Vec<_> = requests
        .rows()
        .iter()
        .filter(|(last, length, _)| last + 1 >= first + length)
        .copied()
        .collect();
    if window.iter().all(|(_, _, counts)| counts.control <= 0.0) {
        return None;
    }
    let interval_seconds = data.grid.interval_ms() as f64 / 1_000.0;
    let is_proven = is_proven(&window, configured, interval_seconds)?;
    let newest_from = data.grid.intervals().saturating_sub(NEWEST_INTERVALS);
    let newest = window
        .iter()
        .filter(|(last, _, _)| *last >= newest_from)
        .fold(Populations::<f64>::default(), |sum, (_, _, counts)| {
            Populations {
                control: sum.control + counts.control,
                canary: sum.canary + counts.canary,
            }
        });
    let seen = newest.canary / (newest.canary + newest.control);
    let ratio = (newest.canary / configured) / (newest.control / (1.0 - configured));
    // A ratio of nothing to nothing is no number, and lies nowhere.
    let is_still_wrong = ratio < TOLERATED.0 || ratio > TOLERATED.1;
    (is_proven && is_still_wrong).then_some(Mismatch { seen, configured })
}

/// Whether requests show that the canary gets more than 1.25 or less than 0.8 times its share, by the mean of the
/// evidence for both. The requests are the events and the configured shares the exposures; a test of the exact
/// share must not be used: a harmless 1.05 % in place of 1 % would be found within 29 intervals.
///
/// A canary that hangs a part of its requests counts fewer of them: so little noise is assumed of traffic that 30 %
/// are seen.
fn is_proven(
    window: &[(usize, usize, Populations<f64>)],
    configured: f64,
    interval_seconds: f64,
) -> Option<bool> {
    let mut split = Split::new(interval_seconds)?;
    let mut evidence = 0.0;
    for (_, _, requests) in window {
        let arm = |events, exposure| ArmCount { events, exposure };
        evidence = split.push(Populations {
            canary: arm(requests.canary, configured),
            control: arm(requests.control, 1.0 - configured),
        });
    }
    Some(evidence >= ErrorRate::SPLIT.log_threshold())
}

/// The evidence of a window.
#[derive(Debug, Clone)]
pub(crate) struct Split(Rollout);

impl Split {
    /// Before its first interval.
    pub(crate) fn new(interval_seconds: f64) -> Option<Self> {
        let side = |(ratio, side)| {
            let settings = Settings {
                line: Line::Relative(RelativeLimit::new(ratio, 0.0, side).ok()?),
                interval_seconds,
                counted: Counted::Traffic,
                past: None,
            };
            let weight = 0.5;
            Some(Member::new(Stream::new(settings, 1), weight, None))
        };
        let sides = [(TOLERATED.0, Side::Below), (TOLERATED.1, Side::Above)].map(side);
        let members: Option<Vec<Member>> = sides.into_iter().collect();
        let mut rollout = Rollout::new(vec![LONGEST_WINDOW_INTERVALS], members?);
        rollout.ask(|_| true);
        Some(Self(rollout))
    }

    /// Adds an interval: requests as events, configured shares as exposures. Returns `ln E`.
    pub(crate) fn push(&mut self, counts: IntervalCounts) -> f64 {
        let lanes = [Interval::from(counts)];
        let input = Input {
            lanes: &lanes,
            ..Input::default()
        };
        self.0.push(&[input, input])
    }
}

/// The first grid interval of the window.
fn window_start(grid: Grid) -> usize {
    let number = grid.start_ms().div_euclid(grid.interval_ms());
    let end = number.saturating_add(i64::try_from(grid.intervals()).unwrap_or(i64::MAX));
    let start = end
        .saturating_sub(LEAST_WINDOW_INTERVALS)
        .div_euclid(WINDOW_STEP_INTERVALS)
        * WINDOW_STEP_INTERVALS;
    usize::try_from(start.saturating_sub(number)).unwrap_or(0)
}

/// The requests of both populations: of the first metric by name that counts against what
/// `error_rate` counts against, or else of the histogram of `latency_p99`. The totals of others
/// need not be requests: those of `throttling` are periods of the processor. Data that the source
/// calls partial proves nothing.
fn requests(pipeline: &Pipeline, data: &StageData) -> Option<Exposures> {
    let kind_of = |name: &str| pipeline.metrics.get(name).map(|metric| &metric.kind);
    let whole = || {
        data.metrics
            .iter()
            .filter(|(name, _)| !data.source_warnings.contains_key(*name))
    };
    let is_same_total = |name: &str| match (kind_of("error_rate"), kind_of(name)) {
        (
            Some(MetricKind::Proportion { total: all, .. }),
            Some(MetricKind::Proportion { total, .. }),
        ) => total == all,
        _ => false,
    };
    let is_same_histogram = |name: &str| match (kind_of("latency_p99"), kind_of(name)) {
        (
            Some(MetricKind::Quantile { histogram: all, .. }),
            Some(MetricKind::Quantile { histogram, .. }),
        ) => histogram == all,
        _ => false,
    };
    let of_counts = whole().find_map(|(name, metric)| match metric {
        MetricData::Counts(counts) if is_same_total(name) => Some(Exposures::of_counts(counts)),
        _ => None,
    });
    of_counts.or_else(|| {
        whole().find_map(|(name, metric)| match metric {
            MetricData::Histogram(histogram) if is_same_histogram(name) => {
                Some(Exposures::of_histogram(histogram))
            }
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_begin_at_every_twentieth_interval_of_the_clock() {
        // 1,800,000,000 s are 60,000,000 intervals of 30 s.
        let at = |intervals: i64| {
            let start = 1_800_000_000_000;
            window_start(Grid::covering(start, start + intervals * 30_000, 30_000))
        };
        assert_eq!([at(0), at(40), at(59)], [0, 0, 0]);
        assert_eq!([at(60), at(79), at(80)], [20, 20, 40]);
        // A grid that begins elsewhere has its windows at the same times.
        let later = 1_800_000_000_000 + 7 * 30_000;
        let grid = Grid::covering(later, later + 73 * 30_000, 30_000);
        assert_eq!(window_start(grid), 33);
    }
}
