//! Work for each request: what a counter gains, such as seconds of the CPU, against the requests of the
//! same population, interval by interval.

use std::borrow::Borrow;

use super::{
    Apart, ArmCount, DataQuality, Grid, Heartbeats, PairedCounts, PairedGauge, Populations,
    Sampling, Series, proportion,
};

/// What a counter gains for each request, interval by interval, as a gauge: an interval without requests
/// has no value.
///
/// Both counters are counted as in [`super::proportion`], so restarts are no work.
pub fn per_request<S: Borrow<Series>>(
    (grid, sampling): (&Grid, Sampling),
    used: Populations<&[S]>,
    total: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> PairedGauge {
    // Work is no event: there may be more of it than requests.
    let of = |counted: Populations<&[S]>| requests(grid, sampling, counted, heartbeats);
    let (used, total) = (of(used), of(total));
    let work = |one: Option<f64>, requests: Option<f64>| {
        let (used, requests) = (one?, requests.filter(|requests| *requests > 0.0)?);
        Some(used / requests)
    };
    let intervals: Vec<Populations<Option<f64>>> = on_grid(grid, &used, |one| one.exposure)
        .into_iter()
        .zip(on_grid(grid, &total, |one| one.exposure))
        .map(|(used, requests)| Populations {
            control: work(used.control, requests.control),
            canary: work(used.canary, requests.canary),
        })
        .collect();
    let is_missing =
        |pair: &&Populations<Option<f64>>| pair.control.is_none() && pair.canary.is_none();
    PairedGauge {
        behind: pods_of(grid, &total),
        loads: by_pod(grid, &total),
        quality: DataQuality {
            missing_intervals: intervals.iter().filter(is_missing).count(),
            ..total.quality
        },
        intervals,
        ..PairedGauge::default()
    }
}

/// How many requests a pod serves, interval by interval: of those that serve any.
pub fn loads<S: Borrow<Series>>(
    (grid, sampling): (&Grid, Sampling),
    total: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> Vec<Populations<Option<f64>>> {
    by_pod(grid, &requests(grid, sampling, total, heartbeats))
}

fn requests<S: Borrow<Series>>(
    grid: &Grid,
    sampling: Sampling,
    total: Populations<&[S]>,
    heartbeats: Populations<&Heartbeats>,
) -> PairedCounts {
    let none = Populations {
        control: &[][..],
        canary: &[][..],
    };
    proportion(grid, sampling, none, total, heartbeats, None)
}

/// Something of each interval of the grid; of those that were joined it is that of the last.
fn on_grid(
    grid: &Grid,
    counts: &PairedCounts,
    of: impl Fn(ArmCount) -> f64,
) -> Vec<Populations<Option<f64>>> {
    let mut values = vec![Populations::default(); grid.intervals()];
    for interval in &counts.intervals {
        let last = (interval.first + interval.length).saturating_sub(1);
        if let Some(value) = values.get_mut(last) {
            *value = Populations {
                control: Some(of(interval.control)),
                canary: Some(of(interval.canary)),
            };
        }
    }
    values
}

/// How many pods have served in each interval of the grid.
fn pods_of(grid: &Grid, counts: &PairedCounts) -> Vec<Populations<u32>> {
    let mut pods = vec![Populations::default(); grid.intervals()];
    let serving = |apart: &Apart<ArmCount>, row: usize| {
        let had = apart.rows.get(row).map_or(0, Vec::len);
        u32::try_from(had).unwrap_or(u32::MAX)
    };
    for (row, interval) in counts.intervals.iter().enumerate() {
        let last = (interval.first + interval.length).saturating_sub(1);
        if let Some(slot) = pods.get_mut(last) {
            *slot = Populations {
                control: serving(&counts.pods.control, row),
                canary: serving(&counts.pods.canary, row),
            };
        }
    }
    pods
}

/// The requests of a pod in each interval of the grid.
fn by_pod(grid: &Grid, counts: &PairedCounts) -> Vec<Populations<Option<f64>>> {
    let requests = on_grid(grid, counts, |one| one.exposure);
    let share = |requests: Option<f64>, pods: u32| {
        let requests = requests.filter(|_| pods > 0)?;
        Some(requests / f64::from(pods))
    };
    requests
        .into_iter()
        .zip(pods_of(grid, counts))
        .map(|(requests, pods)| Populations {
            control: share(requests.control, pods.control),
            canary: share(requests.canary, pods.canary),
        })
        .collect()
}
