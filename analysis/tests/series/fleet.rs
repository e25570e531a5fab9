//! Random fleets: whatever happens to them, each interval counts exactly what the scrapes saw.
//!
//! The truth is computed from the log of scrapes alone, without instants, steps or lookback.

use proptest::prelude::*;
use serinus_analysis::questions::Chunk;
use serinus_analysis::series::{
    Grid, PairedCounts, PairedInterval, Populations, Sampling, Series, fine_step_ms, histogram,
};

use crate::prometheus::{Answers, Log, Page, Scrape, at, counted};

const INTERVAL_MS: i64 = 30_000;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, seeded, and nobody else's.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number in `[from, to)`.
    fn within(&mut self, from: i64, to: i64) -> i64 {
        from + (self.next() % to.abs_diff(from)).cast_signed()
    }

    fn happens(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What may happen to a fleet.
#[derive(Debug, Clone, Copy)]
struct Weather {
    period_ms: i64,
    pods: usize,
    restart_percent: u64,
    failure_percent: u64,
    error_percent: u64,
    /// Whether pods are born and found inside the window.
    births: bool,
    /// Whether Prometheus itself is down for a while, without a mark in any series.
    outage_ms: i64,
}

/// A process that counts.
struct Process {
    start_ms: i64,
    total: i64,
    errors: i64,
}

fn simulate(seed: u64, grid: &Grid, weather: &Weather, prefix: &str) -> Vec<Log> {
    let mut random = Random(seed);
    (0..weather.pods)
        .map(|number| life(&mut random, grid, weather, &format!("{prefix}-{number}")))
        .collect()
}

fn life(random: &mut Random, grid: &Grid, weather: &Weather, pod: &str) -> Log {
    let period = weather.period_ms;
    let (start, end) = (grid.start_ms(), grid.end_ms());
    let outage = outage(grid, weather);
    let is_late = weather.births && random.happens(40);
    let found_ms = if is_late {
        random.within(start, end)
    } else {
        start - 4 * period
    };
    // Found late: born just before, or running for long.
    let started_ms = if is_late && random.happens(60) {
        found_ms - random.within(1, period)
    } else {
        start - random.within(10 * period, 100 * period)
    };
    let dies_ms = if random.happens(25) {
        random.within(start, end)
    } else {
        i64::MAX
    };
    let mut process = Process {
        start_ms: started_ms,
        total: if started_ms < start {
            random.within(100_000, 200_000)
        } else {
            0
        },
        errors: if random.happens(50) {
            0
        } else {
            random.within(1, 90)
        },
    };
    if process.total == 0 {
        process.errors = 0;
    }
    let mut log = Log::new(pod);
    let mut tick = found_ms;
    let mut before = found_ms - period;
    while tick <= end + period {
        let time_ms = tick + random.within(-period / 60, period / 60 + 1);
        tick += period;
        if random.happens(weather.restart_percent) {
            // In the first half of the time between two scrapes.
            process = Process {
                start_ms: before.max(process.start_ms) + random.within(period / 10, period / 2),
                total: 0,
                errors: 0,
            };
        }
        // Now and then so busy that a new process overtakes the old one before the next scrape.
        let most = if random.happens(10) { 400_000 } else { 50 };
        let requests = random.within(0, most);
        process.total += requests;
        if random.happens(weather.error_percent) {
            process.errors += random.within(0, requests.min(5) + 1);
        }
        before = time_ms;
        if outage.contains(&time_ms) {
            continue;
        }
        let is_dead = time_ms >= dies_ms;
        let page = Page {
            start_ms: process.start_ms,
            total: process.total as f64,
            errors: (process.errors > 0).then_some(process.errors as f64),
        };
        let is_good = !is_dead && !random.happens(weather.failure_percent);
        log.scrapes.push(Scrape {
            time_ms,
            page: is_good.then_some(page),
        });
        if is_dead {
            break;
        }
    }
    log
}

fn outage(grid: &Grid, weather: &Weather) -> std::ops::Range<i64> {
    let from = grid.start_ms() + 4 * weather.period_ms;
    from..from + weather.outage_ms
}

/// What the scrapes saw of one target: errors and requests by the time of the scrape.
fn truth(log: &Log, grid: &Grid) -> Vec<(i64, f64, f64)> {
    let mut increments = Vec::new();
    let mut before = seen_at_start(log, grid);
    let inside = log
        .scrapes
        .iter()
        .filter(|scrape| scrape.time_ms > grid.start_ms() && scrape.time_ms <= grid.end_ms());
    for scrape in inside {
        let Some(page) = scrape.page else { continue };
        let errors = page.errors.unwrap_or(0.0);
        let saw = match before {
            Some(old) if old.start_ms == page.start_ms => {
                Some((errors - old.errors.unwrap_or(0.0), page.total - old.total))
            }
            Some(_) => Some((errors, page.total)),
            None if page.start_ms >= grid.start_ms() => Some((errors, page.total)),
            None => None,
        };
        increments.extend(saw.map(|(errors, total)| (scrape.time_ms, errors, total)));
        before = Some(page);
    }
    increments
}

/// Sums of the truth over the intervals of a row.
fn truth_of(increments: &[(i64, f64, f64)], grid: &Grid, row: &PairedInterval) -> (f64, f64) {
    let after = grid.boundary_ms(row.first);
    let until = grid.boundary_ms(row.first + row.length);
    increments
        .iter()
        .filter(|(time, _, _)| *time > after && *time <= until)
        .fold((0.0, 0.0), |sums, (_, errors, total)| {
            (sums.0 + errors, sums.1 + total)
        })
}

fn truths(logs: &[Log], grid: &Grid) -> Vec<(i64, f64, f64)> {
    logs.iter().flat_map(|log| truth(log, grid)).collect()
}

/// Every row equals the truth.
fn assert_rows(counts: &PairedCounts, control: &[Log], canary: &[Log], grid: &Grid) {
    let truths = [truths(control, grid), truths(canary, grid)];
    for row in &counts.intervals {
        for (arm, truth) in [row.control, row.canary].iter().zip(&truths) {
            assert_eq!(
                (arm.events, arm.exposure),
                truth_of(truth, grid, row),
                "{row:?}"
            );
        }
    }
}

/// Every row equals the truth, and together they are all of it.
fn assert_true(counts: &PairedCounts, control: &[Log], canary: &[Log], grid: &Grid) {
    assert_rows(counts, control, canary, grid);
    let truths = [truths(control, grid), truths(canary, grid)];
    let totals = counts.totals();
    for (arm, truth) in [totals.control, totals.canary].iter().zip(&truths) {
        let whole = truth
            .iter()
            .fold((0.0, 0.0), |sums, one| (sums.0 + one.1, sums.1 + one.2));
        assert_eq!((arm.events, arm.exposure), whole, "the whole window");
    }
    assert_eq!(counts.quality.held_back_intervals, 0);
}

/// The same fleet as a histogram: fast requests are those without an error.
fn buckets(logs: &[Log], grid: &Grid, step_ms: i64) -> Vec<Series> {
    let fast = |page: &Page| Some(page.total - page.errors.unwrap_or(0.0));
    let all = |page: &Page| Some(page.total);
    logs.iter()
        .flat_map(|log| {
            [
                log.range(grid, step_ms, &[("le", "500")], fast),
                log.range(grid, step_ms, &[("le", "+Inf")], all),
            ]
        })
        .flatten()
        .collect()
}

fn weather() -> impl Strategy<Value = Weather> {
    (
        prop_oneof![Just(1_000), Just(5_000), Just(10_000), Just(15_000)],
        1..6_usize,
        0..8_u64,
        0..25_u64,
        0..60_u64,
        any::<bool>(),
        prop_oneof![Just(0), 0..200_000_i64],
    )
        .prop_map(
            |(period_ms, pods, restarts, failures, errors, births, outage_ms)| Weather {
                period_ms,
                pods,
                restart_percent: restarts,
                failure_percent: failures,
                error_percent: errors,
                births,
                outage_ms,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_what_the_scrapes_saw(seed: u64, weather in weather(), offset in 0..30_000_i64) {
        let grid = Grid::covering(at(0) + offset, at(0) + offset + 600_000, INTERVAL_MS);
        let step_ms = fine_step_ms(INTERVAL_MS, Some(weather.period_ms));
        let control = simulate(seed, &grid, &weather, "control");
        let canary = simulate(!seed, &grid, &weather, "canary");
        let read = |logs: &[Log]| Answers::of(logs, &grid, step_ms);
        let counts = counted(&grid, &read(&control), &read(&canary));
        assert_true(&counts, &control, &canary, &grid);
        if control.iter().chain(&canary).any(|log| fails_at_start(log, &grid, &weather)) {
            // A scrape that failed leaves no sample: whether it was due before the window or in it,
            // only a range query tells.
            return Ok(());
        }
        let read = |logs: &[Log]| Answers::scraped(logs, &grid);
        let counts = counted(&grid, &read(&control), &read(&canary));
        assert_rows(&counts, &control, &canary, &grid);
        // Where everybody failed at the end it is not known whether anybody goes on.
        if counts.quality.held_back_intervals == 0 {
            assert_true(&counts, &control, &canary, &grid);
        }
    }

    #[test]
    fn tails_of_a_histogram_are_what_the_scrapes_saw(seed: u64, weather in weather()) {
        let grid = Grid::covering(at(0), at(600), INTERVAL_MS);
        let step_ms = fine_step_ms(INTERVAL_MS, Some(weather.period_ms));
        let control = simulate(seed, &grid, &weather, "control");
        let canary = simulate(!seed, &grid, &weather, "canary");
        let heartbeats = Populations { control: &control, canary: &canary }
            .map(|logs| Answers::of(logs, &grid, step_ms).heartbeats);
        let read = Populations { control: &control, canary: &canary }
            .map(|logs| buckets(logs, &grid, step_ms));
        let counted = histogram(
            &grid,
            Sampling::Instants { step_ms },
            Populations { control: read.control.as_slice(), canary: read.canary.as_slice() },
            heartbeats.as_ref(),
            Populations::same(0.001),
            &[],
        );
        if counted.upper_bounds.len() == 2 {
            assert_true(&counted.tail(0.5).unwrap(), &control, &canary, &grid);
        } else {
            prop_assert!(read.control.is_empty() && read.canary.is_empty());
        }
    }

    #[test]
    fn without_heartbeats_falls_and_siblings_tell_the_same(seed: u64, mut weather in weather()) {
        // What only heartbeats can tell is left out: births, restarts that overtake, outages.
        weather.births = false;
        weather.outage_ms = 0;
        // After scrapes that failed it is not known how much a new process may have counted.
        weather.failure_percent = 0;
        let grid = Grid::covering(at(0), at(600), INTERVAL_MS);
        let step_ms = fine_step_ms(INTERVAL_MS, Some(weather.period_ms));
        let keep = |logs: Vec<Log>| -> Vec<Log> {
            logs.into_iter().filter(|log| seen_at_start(log, &grid).is_some() && restarts_are_falls(log, &grid)).collect()
        };
        let control = keep(simulate(seed, &grid, &weather, "control"));
        let canary = keep(simulate(!seed, &grid, &weather, "canary"));
        let read = |logs: &[Log]| Answers::of(logs, &grid, step_ms).without_heartbeats();
        let counts = counted(&grid, &read(&control), &read(&canary));
        assert_true(&counts, &control, &canary, &grid);
    }

    #[test]
    fn what_was_judged_stays_as_it_was_when_the_window_grows(seed: u64, weather in weather()) {
        // A pod that was scraped but once has no period: nobody can tell that it is overdue.
        let weather = Weather { failure_percent: 0, births: false, ..weather };
        let long = Grid::covering(at(0), at(600), INTERVAL_MS);
        let step_ms = fine_step_ms(INTERVAL_MS, Some(weather.period_ms));
        let control = simulate(seed, &long, &weather, "control");
        let canary = simulate(!seed, &long, &weather, "canary");
        let rows = |grid: Grid| {
            let read = |logs: &[Log]| Answers::of(logs, &grid, step_ms);
            counted(&grid, &read(&control), &read(&canary)).intervals
        };
        let all = rows(long);
        for length in 1..20 {
            let some = rows(Grid::covering(at(0), at(length * 30), INTERVAL_MS));
            // The last may be joined to what follows: nobody can know of a gap before it ends.
            let settled = some.len().saturating_sub(1);
            prop_assert_eq!(&some[..settled], &all[..settled]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_of_chunks_are_what_the_scrapes_saw(
        seed: u64,
        weather in weather(),
        start in 0..1_200_i64,
    ) {
        // Who is found minutes after its birth is young to the chunk that finds it, and old to
        // the next: a row that both tell of cannot be divided.
        let births = weather.births && weather.failure_percent == 0;
        // What began before the minutes that a chunk is read from is not told, as at the start of
        // any window.
        // Where many scrapes fail, boundaries of rows are rare: some rows cannot be divided.
        let failure_percent = weather.failure_percent.min(3);
        let weather = Weather { births, outage_ms: 0, failure_percent, ..weather };
        let grid = Grid::covering(at(start), at(start + 2_400), INTERVAL_MS);
        let step_ms = fine_step_ms(INTERVAL_MS, Some(weather.period_ms));
        let control = simulate(seed, &grid, &weather, "control");
        let canary = simulate(!seed, &grid, &weather, "canary");
        let rows = |grid: &Grid| {
            let read = |logs: &[Log]| Answers::of(logs, grid, step_ms);
            counted(grid, &read(&control), &read(&canary))
        };
        let chunks: Vec<_> = Chunk::of_window(&grid)
            .iter()
            .map(|chunk| (chunk.place(&grid), rows(&chunk.counted())))
            .collect();
        let parts: Vec<_> = chunks.iter().map(|(place, part)| (place, part)).collect();
        let joined = PairedCounts::join(&parts);
        for (chunk, (place, _)) in Chunk::of_window(&grid).iter().zip(&chunks) {
            // Who was found late is known to be old or young from the minutes before the chunk.
            let truths = [&control, &canary].map(|logs| truths(logs, &chunk.counted()));
            let ends_here = |row: &&PairedInterval| {
                let end = row.first + row.length;
                place.own.start < end && end <= place.own.end
            };
            for row in joined.intervals.iter().filter(ends_here) {
                for (arm, truth) in [row.control, row.canary].iter().zip(&truths) {
                    prop_assert_eq!((arm.events, arm.exposure), truth_of(truth, &grid, row), "{:?}", row);
                }
            }
        }
        // And nothing is lost.
        let told: Vec<usize> = joined
            .intervals
            .iter()
            .flat_map(|row| row.first..row.first + row.length)
            .collect();
        let truths = [&control, &canary].map(|logs| truths(logs, &grid));
        for interval in 0..grid.intervals() {
            let one = PairedInterval {
                first: interval, length: 1, control: <_>::default(), canary: <_>::default(),
            };
            let counted = [0, 1].map(|arm| truth_of(&truths[arm], &grid, &one));
            let is_told = told.contains(&interval) || counted == [(0.0, 0.0); 2];
            prop_assert!(is_told, "{} {:?}", interval, counted);
        }
    }
}

/// Whether scrapes failed so near to the window's start that it is not known on which side.
fn fails_at_start(log: &Log, grid: &Grid, weather: &Weather) -> bool {
    let is_near = |time_ms: i64| (time_ms - grid.start_ms()).abs() <= 3 * weather.period_ms;
    let mut scrapes = log.scrapes.iter();
    scrapes.any(|scrape| scrape.page.is_none() && is_near(scrape.time_ms))
}

/// The last scrape up to the window's start, unless it failed.
fn seen_at_start(log: &Log, grid: &Grid) -> Option<Page> {
    let mut latest_first = log.scrapes.iter().rev();
    latest_first
        .find(|scrape| scrape.time_ms <= grid.start_ms())
        .and_then(|scrape| scrape.page)
}

/// Whether a fall is more than a dip: one of a few is less than half, and by more than one.
fn falls_far(before: &Page, now: &Page) -> bool {
    let is_most = now.total < before.total / 2.0 && before.total - now.total > 1.0;
    now.total < before.total && (before.total > 10.0 || is_most)
}

/// Whether each new process was first seen with less than the one before had last, and no more than a
/// process may count in the time: at most the largest increment between two scrapes.
fn restarts_are_falls(log: &Log, grid: &Grid) -> bool {
    let before = log
        .scrapes
        .iter()
        .rposition(|scrape| scrape.time_ms <= grid.start_ms());
    let pages: Vec<_> = log
        .scrapes
        .iter()
        .skip(before.unwrap_or(0))
        .take_while(|scrape| scrape.time_ms <= grid.end_ms())
        .filter_map(|scrape| scrape.page)
        .collect();
    let is_one = |pair: &&[Page]| pair[0].start_ms == pair[1].start_ms;
    let rises = pages.windows(2).filter(is_one);
    let largest = rises.fold(10.0, |largest: f64, pair| {
        largest.max(pair[1].total - pair[0].total)
    });
    pages
        .windows(2)
        .filter(|pair| !is_one(pair))
        .all(|pair| falls_far(&pair[0], &pair[1]) && pair[1].total <= largest)
}
