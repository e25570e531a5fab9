//! What the sequential method costs: at most 20 microseconds per new interval and check, and at most
//! 3 ms for the replay of 480 intervals of a check.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use serinus_analysis::sequential::{
    ErrorRate, EvidenceConfig, IntervalCounts, NoiseHistory, RelativeEvidence, RelativeLimit,
    SequentialError, Side, ratio_interval,
};
use serinus_analysis::series::ArmCount;
use serinus_analysis::simulate::{Random, RandomKey, poisson};

/// Four hours of intervals of 30 seconds.
const INTERVALS: u32 = 480;

/// 1,000 requests per second, 10 % at the canary, errors of 0.1 % with noise of one population;
/// from half of the time on `effect` times as many at the canary.
fn intervals(effect: f64, count: u32) -> Vec<IntervalCounts> {
    let mut random = Random::new(&RandomKey::new(1, "bench", "sequential"), 0);
    (0..count)
        .map(|index| {
            let effect = if index < count / 2 { 1.0 } else { effect };
            let mut arm = |exposure: f64, factor: f64| ArmCount {
                events: {
                    let noise = 0.5 + random.uniform();
                    poisson(&mut random, exposure * 0.001 * factor * noise) as f64
                },
                exposure,
            };
            IntervalCounts {
                canary: arm(3000.0, effect),
                control: arm(27_000.0, 1.0),
            }
        })
        .collect()
}

fn benchmark(criterion: &mut Criterion) -> Result<(), SequentialError> {
    let limit = RelativeLimit::new(1.25, 0.0, Side::Above)?;
    let history = NoiseHistory::measure(&intervals(1.0, 2880));
    for (name, effect, history) in [
        ("good canary, no history", 1.0, None),
        ("good canary, history", 1.0, history),
        ("threefold errors from half time on, no history", 3.0, None),
    ] {
        let intervals = intervals(effect, INTERVALS);
        let config = EvidenceConfig {
            longest_rollout_intervals: INTERVALS as usize,
            history,
        };
        criterion.bench_function(&format!("replay of 480 intervals: {name}"), |bench| {
            bench.iter(|| RelativeEvidence::replay(limit, &config, black_box(&intervals)));
        });
        let Some((newest, before)) = intervals.split_last() else {
            continue;
        };
        let mut evidence = RelativeEvidence::new(limit, &config);
        for counts in before {
            evidence.push(counts);
        }
        criterion.bench_function(&format!("interval 480: {name}"), |bench| {
            bench.iter_batched_ref(
                || evidence.clone(),
                |evidence| evidence.push(black_box(newest)),
                BatchSize::SmallInput,
            );
        });
        let dispersion = evidence.dispersion();
        criterion.bench_function(&format!("ratio over 480 intervals: {name}"), |bench| {
            bench.iter(|| ratio_interval(black_box(&intervals), dispersion, ErrorRate::PROMOTION));
        });
    }
    let day = intervals(1.0, 2880);
    criterion.bench_function("history of 2880 intervals", |bench| {
        bench.iter(|| NoiseHistory::measure(black_box(&day)));
    });
    Ok(())
}

fn main() -> Result<(), SequentialError> {
    let mut criterion = Criterion::default().configure_from_args();
    benchmark(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
