//! What a Prometheus shows of what it scraped: range queries look back for the last sample,
//! a failed scrape ends a series until the next good one. Knows nothing of the code under test.

use std::collections::BTreeMap;

use serinus_analysis::series::{Grid, Heartbeats, Populations, Sampling, Series};

/// Second 0 of every test: some time in 2023, a multiple of 30 s.
pub(crate) const ORIGIN_SECONDS: i64 = 1_700_000_010;

/// How long a range query repeats a sample.
const LOOKBACK_MS: i64 = 300_000;

/// A time of a test in milliseconds since 1970.
pub(crate) fn at(seconds: i64) -> i64 {
    (ORIGIN_SECONDS + seconds) * 1_000
}

/// Intervals of 30 s from second 0 on.
pub(crate) fn grid(intervals: i64) -> Grid {
    Grid::covering(at(0), at(intervals * 30), 30_000)
}

/// The labels of one target, and more.
pub(crate) fn labels(pod: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let instance = format!("{pod}:8080");
    [("instance", instance.as_str()), ("pod", pod)]
        .iter()
        .chain(more)
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
        .collect()
}

/// What one scrape brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Page {
    /// When the process started, in milliseconds since 1970.
    pub(crate) start_ms: i64,
    /// The counter of all requests.
    pub(crate) total: f64,
    /// The counter of errors; absent before the first.
    pub(crate) errors: Option<f64>,
}

/// One attempt to scrape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scrape {
    pub(crate) time_ms: i64,
    /// Nothing when it failed: Prometheus marks every series of the target as stale.
    pub(crate) page: Option<Page>,
}

/// Everything that was scraped of one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    pub(crate) pod: String,
    pub(crate) scrapes: Vec<Scrape>,
}

impl Log {
    pub(crate) fn new(pod: &str) -> Self {
        Self {
            pod: pod.to_owned(),
            scrapes: Vec::new(),
        }
    }

    /// Adds a scrape; times in seconds.
    pub(crate) fn saw(mut self, time: i64, start: i64, total: f64, errors: Option<f64>) -> Self {
        self.scrapes.push(Scrape {
            time_ms: at(time),
            page: Some(Page {
                start_ms: at(start),
                total,
                errors,
            }),
        });
        self
    }

    /// Adds a scrape that failed, or the end of the target.
    pub(crate) fn failed(mut self, time: i64) -> Self {
        self.scrapes.push(Scrape {
            time_ms: at(time),
            page: None,
        });
        self
    }

    /// Scrapes every 15 s of a process that started long ago.
    pub(crate) fn steady(
        pod: &str,
        times: std::ops::RangeInclusive<i64>,
        page: impl Fn(i64) -> (f64, Option<f64>),
    ) -> Self {
        times.step_by(15).fold(Self::new(pod), |log, time| {
            let (total, errors) = page(time);
            log.saw(time, -100_000, total, errors)
        })
    }

    /// The answer to a range query for one value of the page.
    pub(crate) fn range(
        &self,
        grid: &Grid,
        step_ms: i64,
        more: &[(&str, &str)],
        value: impl Fn(&Page) -> Option<f64>,
    ) -> Option<Series> {
        let mut series = Series {
            labels: labels(&self.pod, more),
            ..Series::default()
        };
        let mut instant = grid.start_ms();
        let mut latest: Option<(i64, f64)> = None;
        let mut scrapes = self.scrapes.iter().peekable();
        while instant <= grid.end_ms() {
            while let Some(scrape) = scrapes.next_if(|scrape| scrape.time_ms <= instant) {
                // Also a good scrape without the series ends it.
                latest = scrape
                    .page
                    .as_ref()
                    .and_then(&value)
                    .map(|value| (scrape.time_ms, value));
            }
            if let Some((time_ms, value)) = latest
                && instant - time_ms < LOOKBACK_MS
            {
                series.timestamps_ms.push(instant);
                series.values.push(value);
            }
            instant += step_ms;
        }
        (!series.timestamps_ms.is_empty()).then_some(series)
    }

    /// The answer to a query for samples of one value of the page: as they were scraped, from shortly
    /// before the grid.
    pub(crate) fn samples(
        &self,
        grid: &Grid,
        more: &[(&str, &str)],
        value: impl Fn(&Page) -> Option<f64>,
    ) -> Option<Series> {
        let (timestamps_ms, values): (Vec<_>, Vec<_>) = self
            .scrapes
            .iter()
            .filter(|scrape| scrape.time_ms > from_ms(grid) && scrape.time_ms <= grid.end_ms())
            .filter_map(|scrape| Some((scrape.time_ms, value(scrape.page.as_ref()?)?)))
            .unzip();
        let series = Series {
            labels: labels(&self.pod, more),
            timestamps_ms,
            values,
        };
        (!series.timestamps_ms.is_empty()).then_some(series)
    }

    pub(crate) fn total(&self, grid: &Grid, step_ms: i64) -> Option<Series> {
        self.range(grid, step_ms, &[], |page| Some(page.total))
    }

    pub(crate) fn errors(&self, grid: &Grid, step_ms: i64) -> Option<Series> {
        self.range(grid, step_ms, &[], |page| page.errors)
    }

    /// The raw samples of `process_start_time_seconds`, from five minutes before the grid.
    pub(crate) fn heartbeats(&self, grid: &Grid) -> Option<Series> {
        let (timestamps_ms, values): (Vec<_>, Vec<_>) = self
            .scrapes
            .iter()
            .filter(|scrape| {
                scrape.time_ms > grid.start_ms() - LOOKBACK_MS && scrape.time_ms <= grid.end_ms()
            })
            .filter_map(|scrape| {
                let page = scrape.page.as_ref()?;
                Some((scrape.time_ms, page.start_ms as f64 / 1_000.0))
            })
            .unzip();
        let series = Series {
            labels: labels(&self.pod, &[("job", "shop")]),
            timestamps_ms,
            values,
        };
        (!series.timestamps_ms.is_empty()).then_some(series)
    }
}

/// The time from which on samples are read, exclusive.
pub(crate) fn from_ms(grid: &Grid) -> i64 {
    grid.start_ms() - 90_000
}

/// The answers for some targets of one population.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    pub(crate) sampling: Sampling,
    pub(crate) total: Vec<Series>,
    pub(crate) errors: Vec<Series>,
    pub(crate) heartbeats: Heartbeats,
}

impl Answers {
    pub(crate) fn of(logs: &[Log], grid: &Grid, step_ms: i64) -> Self {
        let starts: Vec<_> = logs.iter().filter_map(|log| log.heartbeats(grid)).collect();
        Self {
            sampling: Sampling::Instants { step_ms },
            total: logs
                .iter()
                .filter_map(|log| log.total(grid, step_ms))
                .collect(),
            errors: logs
                .iter()
                .filter_map(|log| log.errors(grid, step_ms))
                .collect(),
            heartbeats: Heartbeats::from_series(&starts),
        }
    }

    /// As they were scraped.
    pub(crate) fn scraped(logs: &[Log], grid: &Grid) -> Self {
        let all = |value: &dyn Fn(&Page) -> Option<f64>| -> Vec<Series> {
            let logs = logs.iter();
            logs.filter_map(|log| log.samples(grid, &[], value))
                .collect()
        };
        let starts: Vec<_> = logs
            .iter()
            .filter_map(|log| log.samples(grid, &[], |page| Some(page.start_ms as f64 / 1_000.0)))
            .collect();
        Self {
            sampling: Sampling::Scrapes {
                from_ms: from_ms(grid),
            },
            total: all(&|page| Some(page.total)),
            errors: all(&|page| page.errors),
            heartbeats: Heartbeats::from_series(&starts),
        }
    }

    /// Where nothing exposes the start time of its process.
    #[must_use]
    pub(crate) fn without_heartbeats(mut self) -> Self {
        self.heartbeats = Heartbeats::default();
        self
    }
}

/// Both populations' answers, counted as a proportion.
pub(crate) fn counted(
    grid: &Grid,
    control: &Answers,
    canary: &Answers,
) -> serinus_analysis::series::PairedCounts {
    assert_eq!(control.sampling, canary.sampling);
    serinus_analysis::series::proportion(
        grid,
        control.sampling,
        Populations {
            control: control.errors.as_slice(),
            canary: canary.errors.as_slice(),
        },
        Populations {
            control: control.total.as_slice(),
            canary: canary.total.as_slice(),
        },
        Populations {
            control: &control.heartbeats,
            canary: &canary.heartbeats,
        },
        None,
    )
}

/// Checks that what the pods counted is what their population did.
pub(crate) fn assert_pods_add_up(counts: &serinus_analysis::series::PairedCounts) {
    for (row, interval) in counts.intervals.iter().enumerate() {
        let arms = [
            (interval.control, &counts.pods.control),
            (interval.canary, &counts.pods.canary),
        ];
        for (arm, pods) in arms {
            let of_row = &pods.rows[row];
            let sum = of_row
                .iter()
                .fold((0.0, 0.0), |(events, exposure), (_, count)| {
                    (events + count.events, exposure + count.exposure)
                });
            assert_eq!(sum, (arm.events, arm.exposure), "row {row}: {of_row:?}");
        }
    }
}
