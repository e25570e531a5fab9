//! Success rates as gauges, judged as their failures, and as they would be judged if the gauge did not say what it is.

use super::super::super::executor::Executor;
use super::super::super::gauges::{GaugeLaw, GaugeTrial, JudgedGauge};
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published};
use super::cells;
use super::lines::{Asked, by_minutes, rounding, usual};
use crate::series::Populations;

const MINUTES: [f64; 3] = [10.0, 30.0, 60.0];
const REPLICATES: f64 = 1000.0;

/// Rolled back and promoted by each of the minutes.
type Figures = ([f64; 3], [f64; 3]);

struct Column {
    name: &'static str,
    pods: Populations<usize>,
    is_told: bool,
    is_cold: bool,
    /// The canary fails .5, 1, 2, 3, 5 and 15 %.
    figures: [Figures; 6],
}

const NEVER: [f64; 3] = [0.0; 3];
const ALL: [f64; 3] = [100.0; 3];
const TIMES: [f64; 6] = [1.0, 2.0, 4.0, 6.0, 10.0, 30.0];

#[rustfmt::skip]
const COLUMNS: [Column; 5] = [
    Column { name: "direct, pods 1:1", pods: pods(1, 1), is_told: false, is_cold: true, figures: [
        (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), (NEVER, [0.2, 100.0, 100.0]),
    ] },
    Column { name: "complement, pods 1:1", pods: pods(1, 1), is_told: true, is_cold: true, figures: [
        (NEVER, ALL), (NEVER, [77.0, 100.0, 100.0]), ([1.1, 3.2, 9.5], [0.0, 0.1, 0.2]), ([49.0, 98.0, 100.0], NEVER),
        (ALL, NEVER), (ALL, NEVER),
    ] },
    Column { name: "direct, pods 10:1, cold_start 0", pods: pods(10, 1), is_told: false, is_cold: false, figures: [
        (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), (NEVER, ALL), ([6.7, 90.0, 100.0], [97.0; 3]),
    ] },
    Column { name: "complement, pods 10:1", pods: pods(10, 1), is_told: true, is_cold: true, figures: [
        (NEVER, ALL), (NEVER, [99.0, 100.0, 100.0]), ([1.0, 7.8, 55.0], [2.2, 3.5, 3.5]), ([60.0, 99.0, 100.0], NEVER),
        (ALL, NEVER), (ALL, NEVER),
    ] },
    Column { name: "complement, pods 10:3", pods: pods(10, 3), is_told: true, is_cold: true, figures: [
        (NEVER, ALL), (NEVER, ALL), ([0.0, 3.5, 99.0], [0.7; 3]), ([87.0, 100.0, 100.0], NEVER), (ALL, NEVER),
        (ALL, NEVER),
    ] },
];

const fn pods(control: usize, canary: usize) -> Populations<usize> {
    Populations { control, canary }
}

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = cells::lines(bench, "success-rates");
    for column in &COLUMNS {
        for (times, figures) in TIMES.into_iter().zip(column.figures) {
            let trial = column.trial(times);
            let outcomes = bench.run_gauge(&trial);
            let of = (&trial, outcomes.as_slice());
            for (asked, shares) in [
                (Asked::RolledBack, figures.0),
                (Asked::PromotedFirst, figures.1),
            ] {
                let published = MINUTES.into_iter().zip(shares.map(Published::from));
                let published: Vec<(f64, Published)> = published.collect();
                let largest = shares.into_iter().fold(0.0, f64::max);
                let known = Known {
                    replicates: REPLICATES,
                    rounding: rounding(largest),
                };
                lines.extend(by_minutes(asked, of, &published, known));
            }
        }
    }
    lines
}

impl Column {
    fn trial(&self, times: f64) -> GaugeTrial {
        let law = GaugeLaw {
            variation: 0.3,
            correlation: 0.5,
            pods: self.pods,
            times,
            ..GaugeLaw::CONSTANT
        };
        let usual = usual(
            &format!("the canary fails {} %, {}", 0.5 * times, self.name),
            law,
        );
        GaugeTrial {
            judged: JudgedGauge::SuccessRate {
                ratio: 0.99,
                failures: 0.005,
                is_told: self.is_told,
            },
            minutes: 60.0,
            cold_start_seconds: if self.is_cold {
                usual.cold_start_seconds
            } else {
                0.0
            },
            ..usual
        }
    }
}
