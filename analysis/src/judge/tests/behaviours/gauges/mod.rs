//! What the method of gauges answers to data of the kinds that it was made for, as [`super`] does for counts: a
//! pipeline file, the series of simulated pods, read as a source's are, and the gate asked sample after sample.
//! Unless a test says otherwise a sample is a minute, the canary is one pod that begins with the rollout, the control
//! one old pod, and nothing is left out as young.
//!
//! Where the list says "in 85 % of seeds" two standard errors of as many seeds are allowed for.
//!
//! | number | where |
//! |---|---|
//! | 8b.1, 8b.2, 8b.13, 8b.26 | `constants` |
//! | 8b.3, 8b.4, 8b.5, 8b.27, 8b.34 | `noise` |
//! | 8b.6, 8b.7, 8b.8, 8b.28, 8b.29 | `pods` |
//! | 8b.9, 8b.10, 8b.11, 8b.12 | `samples` |
//! | 8b.30 | `samples` |
//! | 8b.14, 8b.31, 8b.32, 8b.33 | `missing` |
//! | 8b.15 | `words`, and `fewest` of the pipeline's own tests |
//! | 8b.16, 8b.17 | `work` |
//! | 8b.18 | `samples` |
//! | 8b.19 | `past` |
//! | 8b.20, 8b.23, 8b.24 | `numbers` |
//! | 8b.21 | `kayenta` |
//! | 8b.25 | `shares` |
//! | 8b.22 | `words` |
//!
//! Source: docs/design/gauges.md, "The method of gauges".

mod constants;
mod kayenta;
mod missing;
mod noise;
mod numbers;
mod past;
mod pods;
mod samples;
mod shares;
mod words;
mod work;

use super::played::{Told, asked, assert_part, file, grid_of, read_of};
use super::*;
use crate::series::{Heartbeats, Series, Taken, gauge};

/// One population of a simulated gauge.
struct Side<'a> {
    pods: usize,
    /// The level of a pod at a minute; nothing where it has no value.
    level: Box<dyn Fn(usize, f64) -> Option<f64> + 'a>,
    /// The noise of each pod in time, a coefficient of variation and its correlation from minute to minute.
    noise: (f64, f64),
    /// What pods differ by for good, a coefficient of variation.
    between: f64,
    /// Whether it was there before the rollout.
    is_old: bool,
    /// Whether its values are Poisson numbers with this mean.
    is_counted: bool,
}

impl<'a> Side<'a> {
    fn of(pods: usize, level: impl Fn(usize, f64) -> Option<f64> + 'a) -> Self {
        Self {
            pods,
            level: Box::new(level),
            noise: (0.0, 0.0),
            between: 0.0,
            is_old: false,
            is_counted: false,
        }
    }

    fn constant(level: f64) -> Self {
        Self::of(1, move |_, _| Some(level))
    }

    /// One pod that has another level from a minute on.
    fn step(before: f64, minute: f64, after: f64) -> Self {
        Self::of(1, move |_, at| {
            Some(if at > minute { after } else { before })
        })
    }

    fn pods(self, pods: usize) -> Self {
        Self { pods, ..self }
    }

    fn noisy(self, deviation: f64, correlation: f64) -> Self {
        Self {
            noise: (deviation, correlation),
            ..self
        }
    }

    fn differing(self, between: f64) -> Self {
        Self { between, ..self }
    }

    fn old(self) -> Self {
        Self {
            is_old: true,
            ..self
        }
    }

    fn counted(self) -> Self {
        Self {
            is_counted: true,
            ..self
        }
    }

    /// The series of its pods, scraped so often.
    fn series(
        &self,
        name: &str,
        (minutes, scrape_seconds): (usize, i64),
        seed: u64,
    ) -> Vec<Series> {
        (0..self.pods)
            .map(|pod| {
                self.series_of(
                    &format!("{name}-{pod}"),
                    pod,
                    (minutes, scrape_seconds),
                    seed,
                )
            })
            .collect()
    }

    fn series_of(
        &self,
        name: &str,
        pod: usize,
        (minutes, scrape_seconds): (usize, i64),
        seed: u64,
    ) -> Series {
        let mut random = Random::new(&RandomKey::new(seed, "gauges", name), 0);
        let effect = log_normal(random.normal(), self.between);
        let (deviation, correlation) = self.noise;
        let correlation = correlation.powf(scrape_seconds as f64 / 60.0);
        let mut state = random.normal();
        let start_ms = grid(0).start_ms();
        let mut series = named(&[("pod", name)]);
        let scrapes = i64::try_from(minutes).unwrap() * 60 / scrape_seconds;
        let first = if self.is_old { -10 } else { 1 };
        for scrape in first..=scrapes {
            let innovation = random.normal();
            state = correlation * state + (1.0 - correlation * correlation).sqrt() * innovation;
            let minute = (scrape * scrape_seconds) as f64 / 60.0;
            let Some(level) = (self.level)(pod, minute) else {
                continue;
            };
            let mean = level * effect * log_normal(state, deviation);
            // Each a while before a sample ends, as scrapes are.
            let at_ms = scrape * scrape_seconds * 1_000 - scrape_seconds * 1_000 / 3;
            series.timestamps_ms.push(start_ms + at_ms);
            series.values.push(if self.is_counted {
                poisson(&mut random, mean) as f64
            } else {
                mean
            });
        }
        series
    }
}

fn named(labels: &[(&str, &str)]) -> Series {
    let labels = labels.iter();
    Series {
        labels: labels
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Series::default()
    }
}

/// A factor with the mean 1 and this coefficient of variation.
fn log_normal(standard: f64, deviation: f64) -> f64 {
    let sigma = libm::sqrt(libm::log1p(deviation * deviation));
    libm::exp(sigma * standard - sigma * sigma / 2.0)
}

/// How often is scraped, and how long, in seconds and minutes.
#[derive(Clone, Copy)]
struct Clock {
    minutes: usize,
    interval_seconds: i64,
    scrape_seconds: i64,
}

impl Clock {
    /// A sample each minute.
    const fn minutes(minutes: usize) -> Self {
        Self::each(60, minutes)
    }

    /// A sample at the end of each interval of so many seconds.
    const fn each(seconds: i64, minutes: usize) -> Self {
        Self {
            minutes,
            interval_seconds: seconds,
            scrape_seconds: seconds,
        }
    }

    fn intervals(self) -> usize {
        self.minutes * 60 / usize::try_from(self.interval_seconds).unwrap()
    }
}

/// What is read of the gauge `load` of two populations.
fn read(clock: Clock, canary: &Side<'_>, control: &Side<'_>, seed: u64) -> StageData {
    let times = (clock.minutes, clock.scrape_seconds);
    let canary = canary.series("canary", times, seed);
    let control = Side {
        level: Box::new(|pod, minute| (control.level)(pod, minute)),
        is_old: true,
        ..*control
    }
    .series("control", times, seed);
    read_of(
        clock.intervals(),
        clock.interval_seconds * 1_000,
        vec![("load", read_series(clock, &canary, &control))],
    )
}

/// Series as a source has them.
fn read_series(clock: Clock, canary: &[Series], control: &[Series]) -> MetricData {
    let grid = grid_of(clock.intervals(), clock.interval_seconds * 1_000);
    read_on(grid, None, canary, control)
}

fn read_on(
    grid: Grid,
    pod_label: Option<&str>,
    canary: &[Series],
    control: &[Series],
) -> MetricData {
    let none = Heartbeats::default();
    MetricData::Gauge(gauge(
        &grid,
        (Taken::AsScraped, pod_label),
        Populations { control, canary },
        Populations::same(&none),
    ))
}

/// A pipeline of one stage that lasts an hour, at most two, with samples each minute.
fn an_hour(checks: &str) -> Pipeline {
    staged("", "60s", "duration_minutes: 60", checks)
}

/// The same that is promoted as soon as all is shown.
fn early(checks: &str) -> Pipeline {
    staged(
        "",
        "60s",
        "duration_minutes: 60, promote_early: true",
        checks,
    )
}

/// `unit` is what else is said of the gauge `load`.
fn staged(unit: &str, interval: &str, stage: &str, checks: &str) -> Pipeline {
    let warm_up = if stage.contains("warm_up") {
        ""
    } else {
        ", warm_up: 0s"
    };
    file(&format!(
        "metrics: {{load: {{gauge: load_now{unit}}}}}\n\
         analysis: {{interval: {interval}, split_check: off}}\n\
         canary_pipeline: {{only: {{traffic_percent: 10, {stage}{warm_up}, metrics: [{checks}]}}}}\n"
    ))
}

/// The answers after each interval.
fn all_answers(
    pipeline: &Pipeline,
    clock: Clock,
    sides: (&Side<'_>, &Side<'_>),
    seed: u64,
) -> Told {
    let whole = read(clock, sides.0, sides.1, seed);
    asked(pipeline, &whole, 1..=clock.intervals())
}

const QUARTER: &str = "load < baseline * 1.25";
