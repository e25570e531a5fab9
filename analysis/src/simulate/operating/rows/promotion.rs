//! Canaries that are shown to be within their limit.

use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::experiment::Promotion;
use super::super::measured::Characteristics;
use super::super::method::Method;
use super::super::noise::NoiseLaw;
use super::super::scenario::{ScenarioDescription, StageDescription};
use super::bench::{BETA, Bench, FOUR_HOURS, INTERVALS, REQUESTS, cell, with_effect, with_history};
use super::{Line, Target};

type Lines = Result<Vec<Line>, OperatingError>;

fn within(
    bench: &Bench<'_, impl Executor>,
    description: ScenarioDescription,
    margin: f64,
) -> Result<Characteristics, OperatingError> {
    let promotion = Promotion::OnlyWithin(margin);
    bench.measure(description, 1.0, Method::Sequential, promotion)
}

/// Both noises, without and with history.
fn variants(base_rate: f64, share: f64) -> Vec<ScenarioDescription> {
    [NoiseLaw::Independent, BETA]
        .into_iter()
        .flat_map(|noise| {
            let good = cell(base_rate, share, REQUESTS, INTERVALS, noise);
            let with = with_history(&good, FOUR_HOURS);
            [good, with]
        })
        .collect()
}

pub(super) fn at_the_margin(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    for ratio in [1.25, 1.5, 2.0] {
        let mut shares = Vec::new();
        for (base_rate, share) in [
            (1e-4, 0.1),
            (1e-3, 0.01),
            (1e-3, 0.1),
            (1e-3, 0.5),
            (1e-2, 0.1),
        ] {
            for good in variants(base_rate, share) {
                let bad = with_effect(&good, ratio, 0);
                shares.extend(within(bench, bad, ratio)?.promoted);
            }
        }
        let quantity = format!("false promotion, canary at the margin {ratio}");
        lines.push(Line::worst(quantity, &shares, Target::AtMost(0.06)));
    }
    Ok(lines)
}

pub(super) fn of_a_good_canary(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    for (share, most) in [(0.01, 60.0), (0.1, 18.0), (0.5, 14.0)] {
        let mut medians = Vec::new();
        for good in variants(1e-3, share) {
            medians.push(within(bench, good, 2.0)?.median_to_promote);
        }
        let quantity = format!("intervals to promote, ratio 1, margin 2, share {share}");
        lines.push(Line::latest(quantity, &medians, Target::AtMost(most)));
    }
    Ok(lines)
}

pub(super) fn in_the_second_stage(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut shares = Vec::new();
    for (base_rate, first, second, noise) in [
        (1e-3, 0.1, 0.25, NoiseLaw::Independent),
        (1e-3, 0.1, 0.5, BETA),
        (1e-2, 0.05, 0.25, BETA),
    ] {
        for effect in [2.0, 3.0] {
            let stages = [first, second].map(|share| StageDescription {
                share,
                intervals: 60,
            });
            let good = ScenarioDescription {
                stages: stages.to_vec(),
                ..cell(base_rate, first, REQUESTS, 1, noise)
            };
            shares.extend(within(bench, with_effect(&good, effect, 60), 2.0)?.promoted);
        }
    }
    let quantity = "good in stage 1, x2 or x3 in stage 2: promoted, margin 2";
    Ok(vec![Line::worst(quantity, &shares, Target::AtMost(0.06))])
}
