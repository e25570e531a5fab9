//! Events against exposures that are no counters.

use serinus_analysis::series::{
    ArmCount, Grid, PairedCounts, Populations, RateExposure, event_rate,
};

use crate::prometheus::{Answers, Log, grid};

const STEP_MS: i64 = 10_000;

fn rate(grid: &Grid, control: &Answers, canary: &Answers, exposure: RateExposure) -> PairedCounts {
    let events = Populations {
        control: &control.errors[..],
        canary: &canary.errors[..],
    };
    let heartbeats = Populations {
        control: &control.heartbeats,
        canary: &canary.heartbeats,
    };
    event_rate(grid, canary.sampling, events, heartbeats, exposure)
}

fn of_canary(log: Log, exposure: RateExposure) -> Vec<(f64, f64)> {
    let grid = grid(2);
    let quiet = Answers::of(
        &[Log::steady("q", -15..=60, |_| (0.0, None))],
        &grid,
        STEP_MS,
    );
    let canary = Answers::of(&[log], &grid, STEP_MS);
    rate(&grid, &quiet, &canary, exposure)
        .intervals
        .iter()
        .map(|row| {
            (
                row.canary.events,
                (row.canary.exposure * 3_600_000.0).round() / 1_000.0,
            )
        })
        .collect()
}

#[test]
fn pod_hours_are_the_time_between_the_scrapes_of_a_process() {
    let log = Log::steady("a", -10..=60, |time| (0.0, (time >= 35).then_some(2.0)));
    // Scrapes at -10, 5, 20, 35, 50: the first error is born after the target was seen.
    assert_eq!(
        of_canary(log, RateExposure::PodHours),
        [(0.0, 30.0), (2.0, 30.0)]
    );
}

#[test]
fn a_process_born_inside_the_window_lives_from_its_start() {
    let log = Log::new("a")
        .saw(37, 33, 0.0, Some(1.0))
        .saw(52, 33, 0.0, Some(1.0));
    assert_eq!(
        of_canary(log, RateExposure::PodHours),
        [(0.0, 0.0), (1.0, 19.0)]
    );
}

#[test]
fn a_process_found_late_lives_from_its_first_scrape() {
    let log = Log::new("a")
        .saw(37, -900, 0.0, Some(8.0))
        .saw(52, -900, 0.0, Some(9.0));
    assert_eq!(
        of_canary(log, RateExposure::PodHours),
        [(0.0, 0.0), (1.0, 15.0)]
    );
}

#[test]
fn the_time_between_the_death_of_a_process_and_the_next_is_not_lived() {
    let log = Log::new("a")
        .saw(0, -900, 0.0, Some(3.0))
        .saw(15, -900, 0.0, Some(3.0))
        .saw(30, 26, 0.0, Some(1.0))
        .saw(45, 26, 0.0, Some(1.0))
        .saw(60, 26, 0.0, Some(1.0));
    assert_eq!(
        of_canary(log, RateExposure::PodHours),
        [(1.0, 19.0), (0.0, 30.0)]
    );
}

#[test]
fn a_healthy_pod_without_a_series_of_events_is_exposed() {
    let log = Log::steady("a", -15..=60, |_| (0.0, None));
    assert_eq!(
        of_canary(log, RateExposure::PodHours),
        [(0.0, 30.0), (0.0, 30.0)]
    );
}

#[test]
fn without_heartbeats_the_presence_of_the_series_is_the_life_of_both_populations() {
    let grid = grid(2);
    let steady = |pod: &str| Log::steady(pod, -15..=60, |time| (0.0, Some(f64::from(time >= 40))));
    let control = Answers::of(&[steady("a"), steady("b")], &grid, STEP_MS);
    let canary = Answers::of(&[steady("c")], &grid, STEP_MS).without_heartbeats();
    let counts = rate(&grid, &control, &canary, RateExposure::PodHours);
    let exposures: Vec<_> = counts
        .intervals
        .iter()
        .map(|row| [row.control, row.canary].map(|arm| (arm.exposure * 3_600.0).round()))
        .collect();
    assert_eq!(exposures, [[60.0, 30.0], [60.0, 30.0]]);
    assert_eq!(counts.totals().canary.events, 1.0);
}

#[test]
fn shares_of_the_traffic_count_seconds_for_each_population() {
    let grid = grid(2);
    let log = |pod: &str| Log::steady(pod, -15..=60, |time| (0.0, Some((time + 15) as f64)));
    let control = Answers::of(&[log("a")], &grid, STEP_MS);
    let canary = Answers::of(&[log("b")], &grid, STEP_MS);
    let share = |canary_percent| {
        let counts = rate(
            &grid,
            &control,
            &canary,
            RateExposure::TrafficShare { canary_percent },
        );
        (counts.intervals[0].control, counts.intervals[0].canary)
    };
    let seen = |exposure| ArmCount {
        events: 30.0,
        exposure,
    };
    assert_eq!(share(25.0), (seen(22.5), seen(7.5)));
    assert_eq!(share(100.0), (seen(0.0), seen(30.0)));
    assert_eq!(share(f64::NAN), (seen(30.0), seen(0.0)));
    assert_eq!(share(400.0), (seen(0.0), seen(30.0)));
}

#[test]
fn a_population_that_is_not_there_yet_has_no_share() {
    let grid = grid(2);
    let control = Log::steady("a", -15..=60, |_| (0.0, Some(1.0)));
    let born = Log::new("b")
        .saw(40, 35, 0.0, Some(1.0))
        .saw(55, 35, 0.0, Some(1.0));
    let counts = rate(
        &grid,
        &Answers::of(&[control], &grid, STEP_MS),
        &Answers::of(&[born], &grid, STEP_MS),
        RateExposure::TrafficShare {
            canary_percent: 50.0,
        },
    );
    let canary: Vec<_> = counts
        .intervals
        .iter()
        .map(|row| row.canary.exposure)
        .collect();
    assert_eq!(canary, [0.0, 15.0]);
}

#[test]
fn counters_of_another_instance_do_not_begin_anew_with_the_pod() {
    // kube-state-metrics counts the restarts of a pod and does not restart with it.
    let grid = grid(2);
    let pod = Log::new("a")
        .saw(0, -900, 0.0, Some(5.0))
        .saw(15, -900, 0.0, Some(5.0))
        .saw(30, 20, 0.0, Some(6.0))
        .saw(45, 20, 0.0, Some(6.0))
        .saw(60, 20, 0.0, Some(6.0));
    let mut canary = Answers::of(&[pod], &grid, STEP_MS);
    for series in &mut canary.errors {
        series
            .labels
            .insert("instance".to_owned(), "kube-state-metrics:8080".to_owned());
    }
    let control = Answers::of(&[], &grid, STEP_MS);
    let counts = rate(&grid, &control, &canary, RateExposure::PodHours);
    assert_eq!(counts.totals().canary.events, 1.0);
    assert_eq!(counts.quality.resets, 0);
}
