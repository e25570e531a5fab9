//! Good canaries that are rolled back, by kind of noise.

use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::noise::NoiseLaw;
use super::super::scenario::{HistoryWindow, ScenarioDescription, StageDescription};
use super::bench::{
    BETA, Bench, FOUR_HOURS, LOW_REQUESTS, ONE_DAY, REQUESTS, SHORT_INTERVALS, all_with_history,
    cell, nine_cells, with_history, with_history_at,
};
use super::{Line, Target};

type Lines = Result<Vec<Line>, OperatingError>;

pub(super) fn independent(bench: &Bench<'_, impl Executor>) -> Lines {
    let cells = nine_cells(REQUESTS, NoiseLaw::Independent);
    in_nine_cells(bench, "independent failures", &cells)
}

pub(super) fn beta(bench: &Bench<'_, impl Executor>) -> Lines {
    in_nine_cells(bench, "beta noise cv 0.5", &nine_cells(REQUESTS, BETA))
}

pub(super) fn low_traffic(bench: &Bench<'_, impl Executor>) -> Lines {
    let cells = nine_cells(LOW_REQUESTS, NoiseLaw::Independent);
    in_nine_cells(bench, "1,500 requests per interval", &cells)
}

fn in_nine_cells(
    bench: &Bench<'_, impl Executor>,
    name: &str,
    cells: &[ScenarioDescription],
) -> Lines {
    let with = bench.false_rollbacks(all_with_history(cells), 1.0)?;
    let without = bench.false_rollbacks(cells.to_vec(), 1.0)?;
    let line = |method: &str, shares, target| {
        Line::worst(format!("false rollback, {name}, {method}"), shares, target)
    };
    let mut lines = vec![
        line("history 4 h", &with, Target::AtMost(0.01)),
        line("no history", &without, Target::AtMost(0.015)),
    ];
    lines.extend(bench.peers(name, cells)?);
    Ok(lines)
}

pub(super) fn heavy_noise(bench: &Bench<'_, impl Executor>) -> Lines {
    let noise = NoiseLaw::BetaBinomial { variation: 1.0 };
    let cells = [(1e-2, 0.5), (1e-3, 0.1)]
        .map(|(rate, share)| cell(rate, share, REQUESTS, SHORT_INTERVALS, noise));
    with_and_without(bench, "beta noise cv 1", &cells, 0.015, 0.03)
}

pub(super) fn bursts(bench: &Bench<'_, impl Executor>) -> Lines {
    let cells = at_two_shares(NoiseLaw::Bursts);
    with_and_without(bench, "bursts", &cells, 0.01, 0.04)
}

fn with_and_without(
    bench: &Bench<'_, impl Executor>,
    name: &str,
    cells: &[ScenarioDescription],
    target_with: f64,
    target_without: f64,
) -> Lines {
    let with = bench.false_rollbacks(all_with_history(cells), 1.0)?;
    let without = bench.false_rollbacks(cells.to_vec(), 1.0)?;
    Ok(vec![
        Line::worst(
            format!("false rollback, {name}, history 4 h"),
            &with,
            Target::AtMost(target_with),
        ),
        Line::worst(
            format!("false rollback, {name}, no history"),
            &without,
            Target::AtMost(target_without),
        ),
    ])
}

pub(super) fn drift(bench: &Bench<'_, impl Executor>) -> Lines {
    let targets = [Target::AtMost(0.02), Target::AtMost(0.01)];
    drifting(bench, 0.8, targets, Target::AtMost(0.02))
}

pub(super) fn slow_drift(bench: &Bench<'_, impl Executor>) -> Lines {
    let targets = [Target::AtMost(0.06), Target::AtMost(0.015)];
    drifting(bench, 0.95, targets, Target::Report)
}

fn drifting(
    bench: &Bench<'_, impl Executor>,
    correlation: f64,
    with_history_of: [Target; 2],
    within_a_margin: Target,
) -> Lines {
    let cells = at_two_shares(NoiseLaw::Autoregressive {
        correlation,
        variation: 0.3,
    });
    let name = format!("drift AR({correlation}) cv 0.3");
    let line = |method: &str, shares: &[_], target| {
        Line::worst(format!("false rollback, {name}, {method}"), shares, target)
    };
    let [four_hours, day] = with_history_of;
    let histories = [
        (FOUR_HOURS, "history 4 h", four_hours),
        (ONE_DAY, "history 24 h", day),
    ];
    let mut lines = Vec::new();
    for (length, method, target) in histories {
        let with = cells.iter().map(|cell| with_history(cell, length));
        lines.push(line(method, &bench.false_rollbacks(with, 1.0)?, target));
    }
    let without = bench.false_rollbacks(cells.clone(), 1.0)?;
    lines.push(line("no history", &without, Target::Report));
    let in_margin = bench.false_rollbacks(cells.clone(), 1.25)?;
    lines.push(line(
        "no history, limit baseline * 1.25",
        &in_margin,
        within_a_margin,
    ));
    lines.extend(bench.peers(&name, &cells)?);
    Ok(lines)
}

fn at_two_shares(noise: NoiseLaw) -> [ScenarioDescription; 2] {
    [0.1, 0.5].map(|share| cell(1e-3, share, REQUESTS, SHORT_INTERVALS, noise))
}

pub(super) fn ramp(bench: &Bench<'_, impl Executor>) -> Lines {
    let stages: Vec<StageDescription> = [0.01, 0.05, 0.25, 0.5]
        .map(|share| StageDescription {
            share,
            intervals: 60,
        })
        .to_vec();
    let cells = [1e-3, 1e-2].map(|base_rate| ScenarioDescription {
        stages: stages.clone(),
        ..cell(base_rate, 0.01, REQUESTS, 1, BETA)
    });
    let line = |method: &str, shares: &[_], most| {
        let quantity = format!("false rollback, ramp 1-5-25-50 %, beta noise cv 0.5, {method}");
        Line::worst(quantity, shares, Target::AtMost(most))
    };
    let none = bench.false_rollbacks(cells.clone(), 1.0)?;
    let mut lines = vec![line("no history", &none, 0.02)];
    for (share, method) in [(0.01, "history at 1 %"), (0.5, "history at 50 %")] {
        let with = cells
            .iter()
            .map(|cell| with_history_at(cell, FOUR_HOURS, share));
        lines.push(line(method, &bench.false_rollbacks(with, 1.0)?, 0.01));
    }
    Ok(lines)
}

pub(super) fn high_traffic(bench: &Bench<'_, impl Executor>) -> Lines {
    let cells = [
        (300_000, 1e-2, 0.5, 0.5),
        (3_000_000, 1e-3, 0.5, 0.5),
        (3_000_000, 1e-2, 0.5, 0.3),
        (3_000_000, 1e-2, 0.1, 0.5),
    ]
    .map(|(requests, base_rate, share, variation)| {
        let noise = NoiseLaw::BetaBinomial { variation };
        cell(base_rate, share, requests, 120, noise)
    });
    let name = "10,000 to 100,000 requests a second, cv up to 0.5";
    with_and_without(bench, name, &cells, 0.01, 0.01)
}

/// A known limit: what was quiet before and is noisy now looks like a regression.
pub(super) fn quiet_history(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    let beta = |variation: f64| NoiseLaw::BetaBinomial { variation };
    for (before, noise, name) in [
        (NoiseLaw::Independent, beta(0.3), "cv 0 before, 0.3 during"),
        (beta(0.1), beta(0.5), "cv 0.1 before, 0.5 during"),
        (beta(0.3), beta(0.5), "cv 0.3 before, 0.5 during"),
    ] {
        let cells = [(1e-2, 0.5), (1e-2, 0.1), (1e-3, 0.1)].map(|(base_rate, share)| {
            let history = HistoryWindow {
                intervals: FOUR_HOURS,
                share,
                noise: before,
            };
            ScenarioDescription {
                history: Some(history),
                ..cell(base_rate, share, REQUESTS, SHORT_INTERVALS, noise)
            }
        });
        let shares = bench.false_rollbacks(cells, 1.0)?;
        let quantity = format!("false rollback, history quieter than the rollout, {name}");
        lines.push(Line::worst(quantity, &shares, Target::Report));
    }
    Ok(lines)
}
