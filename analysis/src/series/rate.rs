//! Events for each unit of an exposure that is not a counter: pod-hours, share of the traffic.

use std::borrow::Borrow;

use super::counting::{Counter, count};
use super::heartbeat::TargetBeats;
use super::ledger::{Group, Ledger, group};
use super::{
    ArmCount, Grid, Heartbeats, Members, PairedCounts, PairedInterval, Populations, Sampling,
    Series,
};

/// Milliseconds in an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// What events are counted against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RateExposure {
    /// Hours that processes lived, as far as the scrapes saw it.
    PodHours,
    /// The configured share of the traffic, times seconds.
    TrafficShare {
        /// The canary's share, in percent; the control has the rest. Cut to 0 to 100.
        canary_percent: f64,
    },
}

impl RateExposure {
    /// The canary's share of the traffic; 0 where it does not matter.
    fn canary_share(self) -> f64 {
        match self {
            Self::TrafficShare { canary_percent } if canary_percent.is_finite() => {
                (canary_percent / 100.0).clamp(0.0, 1.0)
            }
            Self::TrafficShare { .. } | Self::PodHours => 0.0,
        }
    }
}

/// Counts events of both populations on the grid, against an exposure.
///
/// The events are counted as in [`super::proportion`], but there is no other counter that would
/// tell when a target was seen before its first event: heartbeats do. A target without events has
/// no series at all in some libraries, and is a healthy target.
///
/// Pod-hours come from the heartbeats: the time between two scrapes of one process, and of a
/// process born inside the window the time since its start, so that they belong to exactly the
/// events that are counted. Where a population that has series of events has no heartbeats, the
/// hours of both come from the presence of the series instead.
///
/// Shares of the traffic times seconds count in the intervals in which the population was seen.
pub fn event_rate<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    events: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
    exposure: RateExposure,
) -> PairedCounts {
    let is_blind =
        |series: &[S], heartbeats: &Heartbeats| heartbeats.is_empty() && !series.is_empty();
    let by_presence =
        is_blind(events.control, heartbeats.control) || is_blind(events.canary, heartbeats.canary);
    let arm = |series: &[S], heartbeats: &Heartbeats, share: f64| {
        let all = || series.iter().map(Borrow::borrow);
        let seen = by_presence.then(|| heartbeats.unknown().completed(all()));
        let heartbeats = heartbeats.known_by(sampling, all());
        let mut ledger = Ledger::new(grid, sampling, &heartbeats);
        let counts = by_interval((grid, sampling), all(), &heartbeats, &mut ledger);
        let exposures = match exposure {
            RateExposure::PodHours => {
                hours_lived(grid, seen.as_ref().unwrap_or(&heartbeats), &ledger)
            }
            RateExposure::TrafficShare { .. } => share_seconds(grid, share, &ledger),
        };
        (counts, exposures, ledger)
    };
    let canary_share = exposure.canary_share();
    let control = arm(events.control, heartbeats.control, 1.0 - canary_share);
    let canary = arm(events.canary, heartbeats.canary, canary_share);
    let ledgers = Populations {
        control: &control.2,
        canary: &canary.2,
    };
    // Events and exposure come from different clocks: more of the one than of the other is no
    // contradiction here.
    let (groups, quality) = group(grid, ledgers, |_| true);
    let sum = |(events, exposures, _): &(Vec<f64>, Vec<f64>, Ledger), group: Group| ArmCount {
        events: group.of(events).iter().sum(),
        exposure: group.of(exposures).iter().sum(),
    };
    PairedCounts {
        beyond_total: Populations::default(),
        members: Members::default(),
        // A rate has no requests of young processes to be left out.
        lives: Populations::default(),
        seen: ledgers.map(Ledger::seen),
        intervals: groups
            .into_iter()
            .map(|group| PairedInterval {
                first: group.first,
                length: group.length,
                control: sum(&control, group),
                canary: sum(&canary, group),
            })
            .collect(),
        // An exposure that is not a counter is none of a pod.
        pods: Populations::default(),
        strata: Populations::default(),
        quality,
    }
}

/// What all series of a population counted, by interval.
fn by_interval<'a>(
    on: (&Grid, Sampling),
    series: impl Iterator<Item = &'a Series>,
    heartbeats: &'a Heartbeats,
    ledger: &mut Ledger,
) -> Vec<f64> {
    let counters = series.map(|series| Counter { series, column: 0 });
    let mut counts = vec![0.0; on.0.intervals()];
    count(on, counters, heartbeats, ledger, |one| {
        if let Some(sum) = counts.get_mut(one.interval) {
            *sum += one.count;
        }
    });
    counts
}

/// The share of the traffic times seconds, by interval, where the population was seen.
fn share_seconds(grid: &Grid, share: f64, ledger: &Ledger) -> Vec<f64> {
    let seconds = grid.interval_ms() as f64 / 1_000.0;
    (0..grid.intervals())
        .map(|interval| f64::from(u8::from(ledger.is_alive(interval))) * share * seconds)
        .collect()
}

/// The hours that the processes lived between their scrapes, by interval.
fn hours_lived(grid: &Grid, heartbeats: &Heartbeats, ledger: &Ledger) -> Vec<f64> {
    let mut hours = vec![0.0; grid.intervals()];
    for target in heartbeats.iter() {
        add_life(grid, target, ledger, &mut hours);
    }
    hours
}

/// Adds the life of one target: its age is a counter that is read at each scrape, and counts by
/// the same rules as any other.
fn add_life(grid: &Grid, target: &TargetBeats, ledger: &Ledger, hours: &mut [f64]) {
    let oldest_base_ms = grid.start_ms().saturating_sub(target.stale_after_ms());
    let mut previous = None;
    for beat in target.beats() {
        let lived_from_ms = match previous {
            Some(earlier) if beat.is_restart_after(&earlier) => {
                beat.start_ms.map(|start_ms| start_ms.max(earlier.time_ms))
            }
            Some(earlier) => Some(earlier.time_ms),
            None => beat
                .start_ms
                .filter(|&start_ms| start_ms >= grid.start_ms()),
        };
        if beat.time_ms >= oldest_base_ms {
            previous = Some(*beat);
        }
        if let (Some(from_ms), Some(interval)) = (lived_from_ms, ledger.interval_of(beat.time_ms))
            && let Some(sum) = hours.get_mut(interval)
        {
            *sum += beat.time_ms.saturating_sub(from_ms).max(0) as f64 / HOUR_MS;
        }
    }
}
