//! Many checks, absolute limits, latency.

use super::super::absolute::AbsoluteExperiment;
use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::family::{Family, FamilyCharacteristics};
use super::super::latency::{BucketKind, LatencyScenario};
use super::super::noise::NoiseLaw;
use super::super::scenario::Scenario;
use super::bench::{
    BETA, Bench, FOUR_HOURS, REQUESTS, SHORT_INTERVALS, cell, with_effect, with_history,
};
use super::{Line, Target};

type Lines = Result<Vec<Line>, OperatingError>;

/// Checks of a rollout.
const CHECKS: u64 = 20;

pub(super) fn twenty_checks(bench: &Bench<'_, impl Executor>) -> Lines {
    let (mut false_rollbacks, mut wilson) = (Vec::new(), Vec::new());
    let mut slower = Vec::new();
    for noise in [NoiseLaw::Independent, BETA] {
        let good = with_history(&cell(1e-3, 0.1, REQUESTS, 160, noise), FOUR_HOURS);
        let family = |effect: f64| -> Result<FamilyCharacteristics, OperatingError> {
            let first = Scenario::new(with_effect(&good, effect, 0))?;
            let family = Family::new(Scenario::new(good.clone())?, first, CHECKS, 1.0)?;
            Ok(family.measure(bench.executor, bench.replicates, bench.seed))
        };
        let all_good = family(1.0)?;
        false_rollbacks.push(all_good.rolled_back);
        wilson.push(all_good.rolled_back_by_wilson);
        let one_bad = family(2.0)?;
        let ratio = one_bad.median.zip(one_bad.median_alone);
        slower.push(ratio.map(|(together, alone)| together / alone));
    }
    let worst = slower.iter().copied().flatten().fold(0.0, f64::max);
    let is_known = slower.iter().all(Option::is_some);
    Ok(vec![
        Line::worst(
            "false rollback, 20 checks, history 4 h",
            &false_rollbacks,
            Target::AtMost(0.01),
        ),
        Line::worst(
            "false rollback, 20 checks, Wilson 99 % polled on any",
            &wilson,
            Target::Report,
        ),
        Line {
            quantity: "x2 in one of 20 checks: delay against one check alone".to_owned(),
            measured: is_known.then_some(worst),
            standard_error: None,
            target: Target::AtMost(2.0),
            detail: "ratio of medians, worse of two noises".to_owned(),
        },
    ])
}

pub(super) fn absolute(bench: &Bench<'_, impl Executor>) -> Lines {
    let (mut rolled_back, mut promoted) = (Vec::new(), Vec::new());
    for (limit, canary_requests) in [
        (1e-3, 300),
        (1e-3, 3000),
        (1e-3, 15_000),
        (1e-2, 3000),
        (0.2, 300),
    ] {
        for noise in [NoiseLaw::Independent, BETA] {
            let at_limit = cell(limit, 0.5, 2 * canary_requests, SHORT_INTERVALS, noise);
            let experiment = AbsoluteExperiment::new(Scenario::new(at_limit)?, limit)?;
            let (back, forward, _) =
                experiment.measure(bench.executor, bench.replicates, bench.seed);
            rolled_back.push(back);
            promoted.push(forward);
        }
    }
    Ok(vec![
        Line::worst(
            "absolute limit, canary on it: false rollback",
            &rolled_back,
            Target::AtMost(0.01),
        ),
        Line::worst(
            "absolute limit, canary on it: false promotion",
            &promoted,
            Target::AtMost(0.06),
        ),
    ])
}

pub(super) fn latency(bench: &Bench<'_, impl Executor>) -> Lines {
    let mut lines = Vec::new();
    for (effect, most) in [
        (1.0, None),
        (1.2, None),
        (1.5, Some(20.0)),
        (2.0, Some(10.0)),
        (3.0, Some(7.0)),
    ] {
        let (mut shares, mut medians) = (Vec::new(), Vec::new());
        for share in [0.05, 0.5] {
            for slow_down in [0.0, 0.3] {
                for buckets in [BucketKind::Classic, BucketKind::NativeSchema3] {
                    let scenario =
                        LatencyScenario::new(share, 120, slow_down, effect, 1.2, buckets)?;
                    let (rolled_back, median) =
                        scenario.measure(bench.executor, bench.replicates, bench.seed);
                    shares.push(rolled_back);
                    medians.push(median);
                }
            }
        }
        let quantity = format!("latency p99 < baseline * 1.2, canary x{effect}");
        lines.push(match most {
            Some(most) => Line::latest(
                format!("{quantity}: intervals to rollback"),
                &medians,
                Target::AtMost(most),
            ),
            None => Line::worst(
                format!("{quantity}: false rollback"),
                &shares,
                Target::AtMost(0.01),
            ),
        });
    }
    Ok(lines)
}
