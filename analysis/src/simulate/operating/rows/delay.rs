//! How long it takes to find a regression.

use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::fixed_horizon::fixed_horizon_intervals;
use super::super::measured::{Share, geometric_mean};
use super::super::noise::NoiseLaw;
use super::super::scenario::{Scenario, ScenarioDescription};
use super::bench::{
    BETA, Bench, FOUR_HOURS, LOW_REQUESTS, REQUESTS, SHORT_INTERVALS, cell, nine_cells,
    with_effect, with_history,
};
use super::{Line, Target};

type Lines = Result<Vec<Line>, OperatingError>;

/// How many times as many rollouts the fixed-horizon test is calibrated with: they cost little, and its
/// critical value is a far quantile.
const FIXED_HORIZON_FACTOR: u64 = 5;

/// What the nine cells of one noise law show.
#[derive(Debug, Default)]
struct Delays {
    ratios_with: Vec<f64>,
    ratios_without: Vec<f64>,
    detected_x5: Vec<Share>,
    rare_x2: Vec<Share>,
}

pub(super) fn against_the_fixed_horizon(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    let (mut x5, mut rare) = (Vec::new(), Vec::new());
    for (name, requests, noise, most_without) in [
        ("independent failures", REQUESTS, NoiseLaw::Independent, 2.9),
        ("beta noise cv 0.5", REQUESTS, BETA, 1.9),
        ("1,500 requests", LOW_REQUESTS, NoiseLaw::Independent, 1.8),
    ] {
        let delays = delays(bench, &nine_cells(requests, noise))?;
        let line = |history: &str, ratios: &[f64], most| Line {
            quantity: format!("median delay / K90, {name}, {history}"),
            measured: geometric_mean(ratios),
            standard_error: None,
            target: Target::AtMost(most),
            detail: format!(
                "geometric mean of {} cells, {:.2} to {:.2}",
                ratios.len(),
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(0.0, f64::max)
            ),
        };
        lines.push(line("history 4 h", &delays.ratios_with, 1.4));
        lines.push(line("no history", &delays.ratios_without, most_without));
        if requests == REQUESTS {
            x5.extend(delays.detected_x5);
            rare.extend(delays.rare_x2);
        }
    }
    let least = x5
        .iter()
        .copied()
        .min_by(|a, b| a.rate().total_cmp(&b.rate()))
        .unwrap_or(Share { count: 0, of: 0 });
    lines.push(Line {
        quantity: "x5 detected within 480 intervals, 30,000 requests".to_owned(),
        measured: Some(least.rate()),
        standard_error: Some(least.standard_error()),
        target: Target::AtLeast(0.99),
        detail: format!(
            "worst of {} cells {} of {}",
            x5.len(),
            least.count,
            least.of
        ),
    });
    // The information limit: 29 failures of the canary where 14 are expected.
    let quantity = "x2 detected at rate 1e-4, share 1 %, 480 intervals";
    lines.push(Line::worst(quantity, &rare, Target::Report));
    Ok(lines)
}

fn delays(
    bench: &Bench<'_, impl Executor>,
    cells: &[ScenarioDescription],
) -> Result<Delays, OperatingError> {
    let mut delays = Delays::default();
    for (index, good) in cells.iter().enumerate() {
        for effect in [2.0, 5.0] {
            let bad = with_effect(good, effect, 0);
            let fixed = fixed_horizon_intervals(
                bench.executor,
                &Scenario::new(good.clone())?,
                &Scenario::new(bad.clone())?,
                bench.replicates * FIXED_HORIZON_FACTOR,
                bench.seed,
            );
            let with = bench.sequential(with_history(&bad, FOUR_HOURS), 1.0)?;
            let without = bench.sequential(bad, 1.0)?;
            for (measured, ratios) in [
                (with, &mut delays.ratios_with),
                (without, &mut delays.ratios_without),
            ] {
                if let (Some(delay), Some(fixed)) = (measured.median_delay, fixed) {
                    ratios.push(delay / fixed as f64);
                }
                let detected = measured.detected;
                if effect > 2.0 {
                    delays.detected_x5.extend(detected);
                } else if index == 0 {
                    delays.rare_x2.extend(detected);
                }
            }
        }
    }
    Ok(delays)
}

pub(super) fn late_onset(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut cells = Vec::new();
    for (base_rate, share) in [(1e-3, 0.1), (1e-2, 0.5)] {
        for noise in [NoiseLaw::Independent, BETA] {
            for onset in [60, 120] {
                let good = cell(base_rate, share, REQUESTS, SHORT_INTERVALS, noise);
                cells.push(with_effect(&good, 3.0, onset));
            }
        }
    }
    with_and_without(bench, "x3 from interval 60 or 120", &cells, 15.0, 20.0)
}

pub(super) fn crash(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    for (onset, name, most) in [
        (0, "crash to 20 % errors from the start", 3.0),
        (60, "crash to 20 % errors from interval 60", 6.0),
    ] {
        let cells = [0.01, 0.1, 0.5, 0.9].map(|share| {
            let good = cell(1e-3, share, REQUESTS, 100, BETA);
            with_effect(&good, 200.0, onset)
        });
        lines.extend(with_and_without(bench, name, &cells, most, most)?);
    }
    Ok(lines)
}

fn with_and_without(
    bench: &Bench<'_, impl Executor>,
    name: &str,
    cells: &[ScenarioDescription],
    most_with: f64,
    most_without: f64,
) -> Lines {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for cell in cells {
        with.push(
            bench
                .sequential(with_history(cell, FOUR_HOURS), 1.0)?
                .median_delay,
        );
        without.push(bench.sequential(cell.clone(), 1.0)?.median_delay);
    }
    let line = |history: &str, medians: &[Option<f64>], most| {
        let quantity = format!("median delay, {name}, {history}");
        Line::latest(quantity, medians, Target::AtMost(most))
    };
    Ok(vec![
        line("history 4 h", &with, most_with),
        line("no history", &without, most_without),
    ])
}
