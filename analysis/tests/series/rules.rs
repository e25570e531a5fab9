//! One specification for each rule by which samples become counts.

use serinus_analysis::series::{ArmCount, Grid, Heartbeats, PairedCounts, Populations, Series};
use serinus_analysis::series::{Taken, fine_step_ms, gauge};

use crate::prometheus::{self, Answers, Log, at, grid, labels};

const STEP_MS: i64 = 10_000;

/// The same scrapes, read in both forms.
#[derive(Debug, Clone)]
struct Both {
    sums: Answers,
    samples: Answers,
}

impl Both {
    fn map(self, change: impl Fn(Answers) -> Answers) -> Self {
        Self {
            sums: change(self.sums),
            samples: change(self.samples),
        }
    }

    fn without_heartbeats(self) -> Self {
        self.map(Answers::without_heartbeats)
    }
}

fn read(logs: &[Log], grid: &Grid) -> Both {
    Both {
        sums: Answers::of(logs, grid, STEP_MS),
        samples: Answers::scraped(logs, grid),
    }
}

/// Counts both forms, which are one in all that is counted.
fn counted(grid: &Grid, control: &Both, canary: &Both) -> PairedCounts {
    let samples = prometheus::counted(grid, &control.samples, &canary.samples);
    let sums = prometheus::counted(grid, &control.sums, &canary.sums);
    assert_eq!(sums.intervals, samples.intervals, "sums and samples");
    assert_eq!(sums.pods, samples.pods, "sums and samples");
    prometheus::assert_pods_add_up(&samples);
    samples
}

/// Counts a canary beside a control that does nothing of interest: 15 requests a scrape.
fn canary(intervals: i64, log: Log) -> PairedCounts {
    let grid = grid(intervals);
    counted(&grid, &quiet(&grid), &read(&[log], &grid))
}

fn quiet(grid: &Grid) -> Both {
    let seconds = i64::try_from(grid.intervals()).unwrap() * 30;
    let log = Log::steady("quiet", -15..=seconds, |time| ((time + 1_000) as f64, None));
    read(&[log], grid)
}

/// `(first, length, events, total)` of the canary in each interval.
fn rows(counts: &PairedCounts) -> Vec<(usize, usize, f64, f64)> {
    counts
        .intervals
        .iter()
        .map(|row| {
            (
                row.first,
                row.length,
                row.canary.events,
                row.canary.exposure,
            )
        })
        .collect()
}

fn total(counts: &PairedCounts) -> (f64, f64) {
    let sums = counts.totals().canary;
    (sums.events, sums.exposure)
}

#[test]
fn the_increments_of_a_counter_are_its_differences() {
    let log = Log::steady("a", -15..=60, |time| ((time + 15) as f64 * 2.0, Some(7.0)));
    let counts = canary(2, log);
    assert_eq!(rows(&counts), [(0, 1, 0.0, 60.0), (1, 1, 0.0, 60.0)]);
    assert_eq!(counts.quality.missing_intervals, 0);
    assert_eq!(counts.quality.joined_intervals, 0);
}

#[test]
fn a_fall_is_a_reset_and_the_new_value_counts_whole() {
    // docs/design/statistics.md, "2. Notation, grid, hygiene": 100, 130, 20, 25 count 30, 20, 5.
    let log = Log::new("a")
        .saw(0, -900, 100.0, None)
        .saw(15, -900, 130.0, None)
        .saw(30, -900, 20.0, None)
        .saw(45, -900, 25.0, None)
        .saw(60, -900, 25.0, None);
    let grid = grid(2);
    let answers = read(&[log], &grid).without_heartbeats();
    let counts = counted(&grid, &quiet(&grid), &answers);
    assert_eq!(rows(&counts), [(0, 1, 0.0, 50.0), (1, 1, 0.0, 5.0)]);
    assert_eq!(counts.quality.resets, 1);
}

#[test]
fn a_restart_that_overtakes_the_old_value_is_told_by_the_start_of_the_process() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, Some(2.0))
        .saw(15, -900, 110.0, Some(2.0))
        .saw(30, 17, 400.0, Some(3.0))
        .saw(45, 17, 410.0, Some(3.0))
        .saw(60, 17, 410.0, Some(3.0));
    let counts = canary(2, log);
    assert_eq!(rows(&counts), [(0, 1, 3.0, 410.0), (1, 1, 0.0, 10.0)]);
    assert_eq!(counts.quality.resets, 1);
}

#[test]
fn without_heartbeats_a_reset_of_the_requests_is_one_of_the_errors() {
    let log = Log::new("a")
        .saw(0, -900, 1_000.0, Some(2.0))
        .saw(15, -900, 1_200.0, Some(2.0))
        .saw(30, 17, 400.0, Some(3.0));
    let grid = grid(1);
    let answers = read(&[log], &grid).without_heartbeats();
    assert_eq!(
        total(&counted(&grid, &quiet(&grid), &answers)),
        (3.0, 600.0)
    );
}

#[test]
fn a_start_time_corrected_by_a_second_is_no_restart() {
    let log = Log::new("a")
        .saw(0, -20, 100.0, None)
        .saw(15, -19, 110.0, None)
        .saw(30, -20, 120.0, None);
    let counts = canary(1, log);
    assert_eq!(total(&counts), (0.0, 20.0));
    assert_eq!(counts.quality.resets, 0);
}

#[test]
fn a_start_time_corrected_long_after_the_start_is_no_restart() {
    let log = Log::new("a")
        .saw(0, -9_000, 100.0, None)
        .saw(15, -8_900, 110.0, None)
        .saw(30, -8_900, 120.0, None);
    assert_eq!(total(&canary(1, log)), (0.0, 20.0));
}

#[test]
fn a_target_born_inside_the_window_counts_from_zero() {
    let log = Log::new("a")
        .saw(37, 33, 4.0, Some(1.0))
        .saw(52, 33, 9.0, Some(1.0));
    let counts = canary(2, log);
    assert_eq!(rows(&counts), [(0, 1, 0.0, 0.0), (1, 1, 1.0, 9.0)]);
    assert_eq!(counts.quality.births, 1);
}

#[test]
fn a_target_found_late_but_older_than_the_window_only_sets_the_base() {
    let log = Log::new("a")
        .saw(37, -900, 5_000.0, Some(40.0))
        .saw(52, -900, 5_009.0, Some(41.0));
    let counts = canary(2, log);
    assert_eq!(total(&counts), (1.0, 9.0));
    assert_eq!(counts.quality.births, 0);
}

#[test]
fn a_value_at_the_start_of_the_window_only_sets_the_base() {
    let log = Log::new("a")
        .saw(0, -3, 5.0, Some(1.0))
        .saw(15, -3, 9.0, Some(2.0));
    assert_eq!(total(&canary(1, log)), (1.0, 4.0));
}

#[test]
fn a_process_born_exactly_at_the_start_counts_from_zero() {
    let log = Log::new("a").saw(0, 0, 5.0, None).saw(15, 0, 9.0, None);
    assert_eq!(total(&canary(1, log)), (0.0, 9.0));
}

#[test]
fn the_first_error_of_a_pod_is_counted_though_its_series_is_born_with_one() {
    let log = Log::steady("a", -15..=60, |time| {
        ((time + 15) as f64, (time >= 40).then_some(1.0))
    });
    assert_eq!(
        rows(&canary(2, log.clone())),
        [(0, 1, 0.0, 30.0), (1, 1, 1.0, 30.0)]
    );
    let grid = grid(2);
    let answers = read(&[log], &grid).without_heartbeats();
    assert_eq!(total(&counted(&grid, &quiet(&grid), &answers)), (1.0, 60.0));
}

#[test]
fn the_first_error_in_the_first_scrape_of_the_window_is_counted() {
    let log = Log::steady("a", -5..=60, |time| {
        ((time + 15) as f64, (time >= 10).then_some(1.0))
    });
    assert_eq!(total(&canary(2, log)).0, 1.0);
}

#[test]
fn failures_that_look_like_a_slow_scrape_do_not_make_old_errors_new() {
    // Every other scrape failed: the usual distance is 30 s, and yet the one at -5 was due.
    let log = Log::new("a")
        .saw(-80, -900, 800.0, Some(40.0))
        .failed(-65)
        .saw(-50, -900, 900.0, Some(40.0))
        .failed(-35)
        .saw(-20, -900, 950.0, Some(40.0))
        .failed(-5)
        .failed(10)
        .saw(25, -900, 1_000.0, Some(41.0))
        .saw(40, -900, 1_010.0, Some(41.0));
    assert_eq!(total(&canary(2, log)), (0.0, 10.0));
}

#[test]
fn an_error_series_that_was_there_when_the_target_was_found_only_sets_the_base() {
    let log = Log::new("a")
        .failed(-15)
        .failed(0)
        .failed(15)
        .saw(30, -900, 5_000.0, Some(40.0))
        .saw(45, -900, 5_009.0, Some(40.0))
        .saw(60, -900, 5_018.0, Some(42.0));
    assert_eq!(total(&canary(2, log)), (2.0, 18.0));
}

#[test]
fn a_target_that_was_down_at_the_start_does_not_count_its_old_errors_when_it_returns() {
    let log = Log::new("a")
        .saw(-30, -900, 900.0, Some(40.0))
        .failed(-15)
        .failed(0)
        .saw(15, -900, 1_000.0, Some(41.0))
        .saw(30, -900, 1_010.0, Some(41.0));
    assert_eq!(total(&canary(1, log)), (0.0, 10.0));
}

#[test]
fn a_target_that_ends_counts_up_to_its_last_sample() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, Some(1.0))
        .saw(15, -900, 110.0, Some(1.0))
        .saw(34, -900, 120.0, Some(4.0))
        .failed(49);
    let counts = canary(3, log);
    assert_eq!(
        rows(&counts),
        [(0, 1, 0.0, 10.0), (1, 1, 3.0, 10.0), (2, 1, 0.0, 0.0)]
    );
    assert_eq!(counts.quality.joined_intervals, 0);
    assert_eq!(counts.quality.missing_intervals, 0);
}

#[test]
fn a_missed_scrape_at_a_boundary_joins_its_intervals_for_both_populations() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, None)
        .saw(15, -900, 110.0, None)
        .failed(30)
        .saw(45, -900, 130.0, None)
        .saw(60, -900, 140.0, None)
        .saw(75, -900, 150.0, None)
        .saw(90, -900, 160.0, None);
    let counts = canary(3, log);
    assert_eq!(rows(&counts), [(0, 2, 0.0, 40.0), (2, 1, 0.0, 20.0)]);
    let control: Vec<_> = counts
        .intervals
        .iter()
        .map(|row| row.control.exposure)
        .collect();
    assert_eq!(control, [60.0, 30.0]);
    assert_eq!(counts.quality.joined_intervals, 1);
}

#[test]
fn a_missed_scrape_between_boundaries_joins_nothing() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, None)
        .failed(15)
        .saw(30, -900, 120.0, None)
        .saw(45, -900, 130.0, None)
        .saw(60, -900, 140.0, None);
    assert_eq!(
        rows(&canary(2, log)),
        [(0, 1, 0.0, 20.0), (1, 1, 0.0, 20.0)]
    );
}

#[test]
fn a_restart_across_a_boundary_joins_nothing() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, None)
        .saw(15, -900, 110.0, None)
        .failed(30)
        .saw(45, 40, 3.0, None)
        .saw(60, 40, 9.0, None);
    let counts = canary(2, log);
    assert_eq!(rows(&counts), [(0, 1, 0.0, 10.0), (1, 1, 0.0, 9.0)]);
    assert_eq!(counts.quality.joined_intervals, 0);
}

#[test]
fn what_prometheus_repeats_while_it_is_down_itself_is_no_silence() {
    // No scrape of anyone between 31 and 99, and no mark of it: the range query repeats.
    let log = |pod: &str| {
        [-14, 1, 16, 31, 99, 114]
            .iter()
            .fold(Log::new(pod), |log, &time| {
                log.saw(time, -900, (time + 100) as f64, None)
            })
    };
    let grid = grid(4);
    let control = read(&[log("b")], &grid);
    let counts = counted(&grid, &control, &read(&[log("a")], &grid));
    // The boundary at 60 shows the value of 31, that at 90 as well.
    assert_eq!(rows(&counts), [(0, 1, 0.0, 30.0), (1, 3, 0.0, 98.0)]);
    assert_eq!(counts.quality.missing_intervals, 1);
    assert_eq!(counts.quality.joined_intervals, 2);
}

#[test]
fn an_outage_that_lasts_to_the_end_is_held_back() {
    let log = |pod: &str| {
        [-14, 1, 16, 31].iter().fold(Log::new(pod), |log, &time| {
            log.saw(time, -900, (time + 100) as f64, None)
        })
    };
    let grid = grid(4);
    let counts = counted(&grid, &read(&[log("b")], &grid), &read(&[log("a")], &grid));
    // The boundary at 60 shows the value of 31: what happened since belongs to what follows.
    assert_eq!(rows(&counts), [(0, 1, 0.0, 30.0)]);
    assert_eq!(counts.quality.missing_intervals, 2);
    assert_eq!(counts.quality.held_back_intervals, 3);
}

#[test]
fn a_value_that_was_stale_at_the_start_is_no_base() {
    let log = Log::new("a")
        .saw(-120, -900, 100.0, None)
        .saw(-105, -900, 105.0, None)
        .saw(20, -900, 800.0, None)
        .saw(35, -900, 810.0, None)
        .saw(50, -900, 820.0, None);
    assert_eq!(total(&canary(2, log)), (0.0, 20.0));
}

#[test]
fn samples_that_are_no_numbers_are_missing_and_counted() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let log = Log::new("a")
            .saw(0, -900, 100.0, None)
            .saw(15, -900, bad, None)
            .saw(30, -900, 120.0, None);
        let counts = canary(1, log);
        assert_eq!(total(&counts), (0.0, 20.0), "{bad}");
        assert_eq!(counts.quality.rejected_samples, 1, "{bad}");
    }
}

#[test]
fn a_bad_sample_at_a_boundary_joins_its_intervals() {
    let log = Log::new("a")
        .saw(0, -900, 100.0, None)
        .saw(15, -900, 110.0, None)
        .saw(30, -900, f64::NAN, None)
        .saw(45, -900, 130.0, None)
        .saw(60, -900, 140.0, None);
    assert_eq!(rows(&canary(2, log)), [(0, 2, 0.0, 40.0)]);
}

#[test]
fn an_interval_without_traffic_counts_as_time_with_nothing_in_it() {
    let log = Log::steady("a", -15..=60, |_| (100.0, None));
    assert_eq!(rows(&canary(2, log)), [(0, 1, 0.0, 0.0), (1, 1, 0.0, 0.0)]);
}

#[test]
fn more_events_than_requests_are_joined_to_the_next_interval() {
    let log = Log::steady("a", -15..=90, |time| {
        if time < 20 {
            (100.0, Some(0.0))
        } else {
            (100.0 + (time - 30) as f64, Some(5.0))
        }
    });
    let counts = canary(3, log);
    assert_eq!(rows(&counts), [(0, 2, 5.0, 30.0), (2, 1, 0.0, 30.0)]);
    assert_eq!(counts.quality.more_events_than_total, 1);
}

#[test]
fn more_events_than_requests_at_the_end_are_held_back() {
    let log = Log::steady("a", -15..=60, |time| {
        (100.0, Some(if time < 40 { 0.0 } else { 5.0 }))
    });
    let counts = canary(2, log);
    assert_eq!(rows(&counts), [(0, 1, 0.0, 0.0)]);
    assert_eq!(counts.quality.held_back_intervals, 1);
}

#[test]
fn intervals_before_anyone_was_there_are_missing() {
    let born = |pod: &str| Log::new(pod).saw(65, 61, 4.0, None).saw(80, 61, 9.0, None);
    let grid = grid(3);
    let counts = counted(
        &grid,
        &read(&[born("b")], &grid),
        &read(&[born("a")], &grid),
    );
    assert_eq!(rows(&counts), [(2, 1, 0.0, 9.0)]);
    assert_eq!(counts.quality.missing_intervals, 2);
}

#[test]
fn no_control_is_no_reason_to_count_nothing() {
    let grid = grid(1);
    let log = Log::steady("a", -15..=30, |time| ((time + 15) as f64, Some(0.0)));
    let counts = counted(&grid, &read(&[], &grid), &read(&[log], &grid));
    assert_eq!(rows(&counts), [(0, 1, 0.0, 30.0)]);
    assert_eq!(counts.intervals[0].control, ArmCount::default());
    assert_eq!(counts.quality.control_series, 0);
}

#[test]
fn an_empty_grid_counts_nothing() {
    let grid = grid(0);
    let counts = counted(&grid, &read(&[], &grid), &read(&[], &grid));
    assert_eq!(counts, PairedCounts::default());
}

#[test]
fn intervals_shorter_than_the_scrape_period_are_joined() {
    let log = |pod: &str| {
        (-1..=4).fold(Log::new(pod), |log, k| {
            log.saw(k * 60, -900, (k * 60 + 100) as f64, None)
        })
    };
    let grid = grid(8);
    let counts = counted(&grid, &read(&[log("b")], &grid), &read(&[log("a")], &grid));
    assert_eq!(
        rows(&counts),
        [
            (0, 2, 0.0, 60.0),
            (2, 2, 0.0, 60.0),
            (4, 2, 0.0, 60.0),
            (6, 2, 0.0, 60.0)
        ]
    );
}

#[test]
fn populations_that_are_scraped_in_turn_are_joined_until_both_were() {
    // Once a minute, half a minute apart: no interval has a scrape of both.
    let log = |pod: &str, after: i64| {
        (-1..=4).fold(Log::new(pod), |log, k| {
            let time = k * 60 + after;
            log.saw(time, -900, (time + 100) as f64, None)
        })
    };
    let grid = grid(8);
    let control = read(&[log("b", 5)], &grid);
    let counts = counted(&grid, &control, &read(&[log("a", 35)], &grid));
    let spans: Vec<_> = rows(&counts).iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(spans, [(0, 2), (2, 2), (4, 2), (6, 2)]);
}

#[test]
fn two_processes_behind_one_target_do_not_look_like_restarts() {
    let grid = grid(1);
    let log = Log::steady("a", -15..=30, |time| ((time + 1_000) as f64, None));
    let other = Log::new("a")
        .saw(-14, -5, 0.0, None)
        .saw(1, -5, 0.0, None)
        .saw(16, 10, 0.0, None);
    let heartbeats = Heartbeats::from_series(&[
        log.heartbeats(&grid).unwrap(),
        other.heartbeats(&grid).unwrap(),
    ]);
    let answers = read(&[log], &grid).map(|answers| Answers {
        heartbeats: heartbeats.clone(),
        ..answers
    });
    assert_eq!(total(&counted(&grid, &quiet(&grid), &answers)), (0.0, 30.0));
}

#[test]
fn the_scrape_period_is_the_usual_distance_of_two_scrapes() {
    let grid = grid(4);
    let log = Log::steady("a", -15..=60, |_| (0.0, None))
        .failed(75)
        .saw(105, -900, 0.0, None);
    assert_eq!(
        read(&[log], &grid).sums.heartbeats.scrape_period_ms(),
        Some(15_000)
    );
    assert_eq!(Heartbeats::default().scrape_period_ms(), None);
}

#[test]
fn the_fine_step_divides_the_interval_and_is_shorter_than_the_scrape_period() {
    assert_eq!(fine_step_ms(30_000, None), 10_000);
    assert_eq!(fine_step_ms(30_000, Some(15_000)), 10_000);
    assert_eq!(fine_step_ms(30_000, Some(60_000)), 30_000);
    assert_eq!(fine_step_ms(30_000, Some(1_000)), 750);
    assert_eq!(fine_step_ms(60_000, Some(15_000)), 12_000);
    assert_eq!(fine_step_ms(7_000, Some(5_000)), 3_500);
    assert_eq!(fine_step_ms(30_000, Some(40)), 250);
    assert_eq!(fine_step_ms(1_000, Some(1)), 250);
    assert_eq!(fine_step_ms(100, Some(1)), 100);
    for nonsense in [0, -5, 1] {
        assert_eq!(fine_step_ms(nonsense, Some(3)), nonsense);
    }
}

#[test]
fn a_gauge_is_its_value_at_the_end_of_each_interval() {
    let one = |samples: &[(i64, f64)]| Series {
        labels: labels("a", &[]),
        timestamps_ms: samples.iter().map(|(time, _)| at(*time)).collect(),
        values: samples.iter().map(|(_, value)| *value).collect(),
    };
    let control = [one(&[(0, 9.0), (30, 1.0), (60, f64::NAN), (90, -3.0)])];
    let canary = [one(&[(30, 2.0), (40, 50.0)]), one(&[(30, 4.0)])];
    let heartbeats = Heartbeats::default();
    let paired = gauge(
        &grid(4),
        (Taken::AtTheEnds, None),
        Populations {
            control: &control[..],
            canary: &canary[..],
        },
        Populations::same(&heartbeats),
    );
    let expected = [
        (Some(1.0), Some(3.0)),
        (None, None),
        (Some(-3.0), None),
        (None, None),
    ]
    .map(|(control, canary)| Populations { control, canary });
    assert_eq!(paired.intervals, expected);
    assert_eq!(paired.quality.rejected_samples, 1);
    assert_eq!(paired.quality.missing_intervals, 2);
}

/// Scraped every 20 s: the newest sample counts at the end of an interval, until the next is due.
#[test]
fn samples_of_a_gauge_count_once_they_were_scraped_and_until_the_next_is_due() {
    let one = |name: &str, samples: &[(i64, f64)]| Series {
        labels: labels(name, &[]),
        timestamps_ms: samples.iter().map(|(time, _)| at(*time)).collect(),
        values: samples.iter().map(|(_, value)| *value).collect(),
    };
    let control = [one(
        "a",
        &[
            (5, 1.0),
            (25, 2.0),
            (45, 3.0),
            (65, 4.0),
            (85, 5.0),
            (105, 6.0),
        ],
    )];
    let canary = [one("b", &[(5, 1.0), (25, 2.0), (45, 3.0)])];
    let heartbeats = Heartbeats::default();
    let paired = gauge(
        &grid(4),
        (Taken::AsScraped, None),
        Populations {
            control: &control[..],
            canary: &canary[..],
        },
        Populations::same(&heartbeats),
    );
    let expected = [
        (Some(2.0), Some(2.0)),
        (Some(3.0), Some(3.0)),
        (Some(5.0), None),
        (Some(6.0), None),
    ]
    .map(|(control, canary)| Populations { control, canary });
    assert_eq!(paired.intervals, expected);
    assert_eq!(paired.scrape_ms, Some(20_000));
}
