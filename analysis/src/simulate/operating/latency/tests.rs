use super::super::laws::{BadMinutes, Fault};
use super::super::trial::{Ends, Outcome, PodSpread, RampStage};
use super::*;

const LN_8: Latencies = Latencies::log_normal(0.8);
const HIT: Latencies = Latencies::hit(0.03, 20.0);

fn fleet(law: Latencies, times: f64) -> LatencyFleetDescription {
    LatencyFleetDescription {
        requests_per_second: 100.0,
        interval_seconds: 30.0,
        laws: [law, law],
        scales: [0.03, 0.045, 0.07, 0.11],
        fault: Fault::Times(times),
        buckets: Buckets::Default,
        disturbance: Disturbance::NONE,
        servers: Servers::ONE,
    }
}

fn trial(fleet: &LatencyFleetDescription) -> LatencyTrial {
    LatencyTrial {
        fleet: *fleet,
        quantile: 0.99,
        judged: JudgedQuantile::Relative(1.2),
        ramp: vec![RampStage {
            share: 0.05,
            least: 60,
            most: 120,
            held: 0,
        }],
        ends: Ends::WhenShown,
        warm_up: 4,
        pods: PodSpread::None,
    }
}

/// What comes of so many replicates: rolled back, promoted.
fn counted(trial: &LatencyTrial, replicates: u64) -> (usize, usize) {
    let outcomes: Vec<Outcome> = (0..replicates)
        .map(|index| trial.replicate(1, index).unwrap())
        .collect();
    let count = |is_it: fn(&Outcome) -> bool| outcomes.iter().filter(|one| is_it(one)).count();
    (
        count(|one| one.rolled_back_at.is_some()),
        count(|one| one.completed_at.is_some()),
    )
}

#[test]
fn quantiles_of_laws_are_where_they_should_be() {
    // A standard normal number is below 2.3263 with a chance of 99 %.
    let p99 = 2.326_347_874_040_841_f64;
    assert!((LN_8.quantile(0.99) / (0.8 * p99).exp() - 1.0).abs() < 1e-12);
    let exponential = Latencies::one(Shape::Weibull(1.0));
    assert!((exponential.quantile(0.5) - 2.0_f64.ln()).abs() < 1e-12);
    let lomax = Latencies::one(Shape::Lomax(1.8));
    assert!((lomax.beyond(1.0, 1.0) - 2.0_f64.powf(-1.8)).abs() < 1e-12);
    // 3 % miss and are twenty times as slow: the p99 lies where two thirds of them are quicker.
    let third = (
        20.0 * (0.3 * 0.430_727_299_295_457_6_f64).exp(),
        HIT.quantile(0.99),
    );
    assert!((third.0 / third.1 - 1.0).abs() < 1e-9, "{third:?}");
    assert!((HIT.times(2.0).quantile(0.99) / third.1 - 2.0).abs() < 1e-9);
    let ending = HIT.at_most(1.0);
    assert_eq!(
        (ending.beyond(1.0, 0.1), ending.beyond(0.9, 1.0)),
        (0.0, HIT.beyond(0.9, 1.0))
    );
    for buckets in [
        Buckets::Default,
        Buckets::Istio,
        Buckets::OpenTelemetry,
        Buckets::Sparse,
        Buckets::NativeSchema3,
    ] {
        let bounds = buckets.bounds();
        assert!(bounds.is_sorted_by(|one, next| one < next), "{buckets:?}");
    }
}

/// The mean of 4,000 intervals of 150 requests, of which 3 % are slow, within four standard errors; in clusters of
/// geometric size with mean 10 their variance is 19 times as large.
#[test]
fn requests_come_as_their_law_says() {
    for (cluster, times) in [(1.0, 1.0), (10.0, 19.0)] {
        let description = LatencyFleetDescription {
            requests_per_second: 5.0,
            scales: [0.01; 4],
            disturbance: Disturbance {
                cluster,
                ..Disturbance::NONE
            },
            ..fleet(HIT, 1.0)
        };
        let mut fleet = LatencyFleet::new(description, 1, 0);
        let slow: Vec<f64> = (0..4000)
            .map(|_| {
                let rows = fleet.next(1.0);
                // Slower than 50 ms: the misses, which take 200.
                rows.canary.iter().flat_map(|row| &row[4..]).sum()
            })
            .collect();
        let (size, expected) = (slow.len() as f64, 150.0 * HIT.beyond(0.05, 0.01));
        let mean = slow.iter().sum::<f64>() / size;
        let error = (expected * times / size).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{cluster}: {mean}");
        let squares: f64 = slow.iter().map(|one| (one - mean).powi(2)).sum();
        let variance = squares / size / expected;
        assert!(
            (variance / times - 1.0).abs() < 0.2,
            "{cluster}: {variance}"
        );
    }
}

#[test]
fn a_replicate_is_a_function_of_its_address() {
    let description = fleet(HIT, 1.0);
    let rows = |seed, index| {
        LatencyFleet::new(description, seed, index)
            .next(0.05)
            .control
    };
    assert_eq!(rows(1, 0), rows(1, 0));
    assert_ne!(rows(1, 0), rows(2, 0));
    assert_ne!(rows(1, 0), rows(1, 4));
    let slower = trial(&fleet(LN_8, 2.0));
    let found: Vec<Option<usize>> = (0..6)
        .map(|index| slower.replicate(1, index).unwrap().rolled_back_at)
        .collect();
    assert_eq!(found, [9, 12, 10, 9, 9, 10].map(Some));
}

/// Of 1,000 none is rolled back, and all are promoted.
#[test]
fn identical_latencies_are_promoted() {
    for law in [LN_8, HIT, Latencies::timeouts(0.005), Latencies::three()] {
        let (rolled_back, promoted) = counted(&trial(&fleet(law, 1.0)), 24);
        assert_eq!(rolled_back, 0, "{law:?}");
        assert!(promoted >= 22, "{law:?}: {promoted}");
    }
}

#[test]
fn a_canary_on_its_limit_is_kept_and_one_beyond_it_is_found() {
    assert_eq!(counted(&trial(&fleet(LN_8, 1.2)), 24), (0, 24));
    assert_eq!(counted(&trial(&fleet(LN_8, 2.0)), 24), (24, 0));
    assert_eq!(counted(&trial(&fleet(HIT, 2.0)), 24), (24, 0));
    let absolute = |times: f64| {
        let scale = 0.1 / LN_8.quantile(0.99);
        LatencyTrial {
            judged: JudgedQuantile::Absolute(0.2),
            ..trial(&LatencyFleetDescription {
                scales: [scale; 4],
                laws: [LN_8, LN_8.times(2.0 * times)],
                ..fleet(LN_8, 1.0)
            })
        }
    };
    assert_eq!(counted(&absolute(0.5), 12), (0, 12));
    // Read 5 % before its limit: next to none is shown to keep it.
    assert_eq!(counted(&absolute(0.95), 12), (0, 1));
    assert_eq!(counted(&absolute(2.0), 12), (12, 0));
}

#[test]
fn a_slow_start_is_left_out_by_the_warm_up() {
    let slow_at_first = LatencyFleetDescription {
        fault: Fault::Until(8, 3.0),
        requests_per_second: 500.0,
        ..fleet(LN_8, 1.0)
    };
    let after = |warm_up: usize| LatencyTrial {
        warm_up,
        ..trial(&slow_at_first)
    };
    assert_eq!(counted(&after(10), 12), (0, 12));
    assert_eq!(counted(&after(4), 12), (12, 0));
}

/// What both populations share is in both counts.
#[test]
fn what_both_share_rolls_nothing_back() {
    let shared = Disturbance {
        shared: Fault::Within(20, 30, 4.0),
        drifts: [Drift::new(0.9, 0.3), Drift::NONE, Drift::NONE],
        wave: 0.5,
        ..Disturbance::NONE
    };
    let disturbed = LatencyFleetDescription {
        disturbance: shared,
        ..fleet(LN_8, 1.0)
    };
    let (rolled_back, promoted) = counted(&trial(&disturbed), 24);
    assert_eq!(rolled_back, 0);
    assert!(promoted >= 22, "{promoted}");
}

/// Pods with bad minutes: without what the control's pods tell one in ten is rolled back, with it next to none.
#[test]
fn what_the_pods_of_the_control_tell_saves_good_canaries() {
    let each = PodSpeed::BadMinutes(BadMinutes {
        good: 114.0,
        bad: 6.0,
        times: 3.0,
    });
    let of = |pods: PodSpread| LatencyTrial {
        pods,
        ramp: vec![RampStage {
            share: 1.0 / 21.0,
            least: 120,
            most: 120,
            held: 0,
        }],
        ..trial(&LatencyFleetDescription {
            servers: Servers {
                canary: 1,
                control: 20,
                each,
            },
            requests_per_second: 50.0,
            ..fleet(LN_8, 1.0)
        })
    };
    let (without, _) = counted(&of(PodSpread::Off), 40);
    let (with, _) = counted(&of(PodSpread::On), 40);
    assert!(without >= 2 && with <= 1, "{without} {with}");
}

#[test]
fn infinite_data_never_break_an_identical_canary() {
    for law in [LN_8, HIT, Latencies::timeouts(0.012), Latencies::three()] {
        for buckets in [Buckets::Default, Buckets::Sparse, Buckets::NativeSchema3] {
            for scale in [0.003, 0.02, 0.07, 0.4] {
                let data = |times: f64| InfiniteData {
                    laws: [law, law.times(times)],
                    buckets,
                    quantile: 0.95,
                    judged: JudgedQuantile::Relative(1.2),
                };
                assert!(!data(1.0).told(scale).unwrap().is_broken, "{law:?} {scale}");
                assert!((data(1.5).true_ratio() - 1.5).abs() < 1e-9);
            }
        }
    }
    let data = InfiniteData {
        laws: [LN_8, LN_8.times(1.3)],
        buckets: Buckets::Default,
        quantile: 0.99,
        judged: JudgedQuantile::Relative(1.2),
    };
    let told = |scale| data.told(scale).unwrap();
    assert!(told(0.05).is_broken && !told(0.05).is_promoted);
    let nonsense = InfiniteData {
        quantile: 1.0,
        ..data
    };
    assert_eq!(nonsense.told(0.05), None);
}
