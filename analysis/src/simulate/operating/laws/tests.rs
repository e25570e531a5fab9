//! Each law has the mean of theory, and its variance or correlation.

use super::*;

const TRAFFIC: f64 = 1000.0;
const RATE: f64 = 0.01;
/// Failures of each population in a step, at a share of a half.
const MEAN: f64 = 150.0;

/// Canary and control of so many steps.
fn drawn(law: Law, steps: usize) -> Vec<(f64, f64)> {
    let mut fleet = Fleet::new(FleetDescription::good(TRAFFIC, RATE).by(law), 7, 0);
    let mut next = || {
        let counts = fleet.next(0.5).counts;
        (counts.canary.events, counts.control.events)
    };
    (0..steps).map(|_| next()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let (mean_one, mean_other) = (mean(one), mean(other));
    let products = one.iter().zip(other);
    let products = products.map(|(a, b)| (a - mean_one) * (b - mean_other));
    products.sum::<f64>() / one.len().min(other.len()) as f64
}

/// Variance over mean of sums of so many steps.
fn dispersion(values: &[f64], block: usize) -> f64 {
    let sums: Vec<f64> = values
        .chunks_exact(block)
        .map(|block| block.iter().sum())
        .collect();
    covariance(&sums, &sums) / mean(&sums)
}

fn near(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let off = actual / expected - 1.0;
    assert!(
        off.abs() <= tolerance,
        "{what}: {actual} where {expected} is expected"
    );
}

/// The variance of a cluster's contribution is that of its size: `E S^2 / E S` times that of independent failures,
/// in blocks that are long beside it.
#[test]
fn failures_in_clusters_have_the_mean_and_the_dispersion_of_their_sizes() {
    let again = |k: i32| 0.85_f64.powi(k);
    let retries_mean: f64 = (0..7).map(again).sum();
    let retries_square: f64 = (0..7).map(|k| f64::from(2 * k + 1) * again(k)).sum();
    for (name, law, expected) in [
        ("iid", ArmLaw::INDEPENDENT, 1.0),
        ("c10/30", ArmLaw::clusters(10.0, 30.0), 19.0),
        ("c5/90", ArmLaw::clusters(5.0, 90.0), 9.0),
        (
            "retries",
            ArmLaw::Clusters(Cluster::Retries),
            retries_square / retries_mean,
        ),
        // Half of them come in clusters of 120.
        ("clients", ArmLaw::Clients, 0.5 * 120.0 + 0.5),
    ] {
        let (canary, control): (Vec<f64>, Vec<f64>) =
            drawn(Law::Apart(law), 100_000).into_iter().unzip();
        near(name, mean(&canary), MEAN, 0.03);
        near(name, mean(&control), MEAN, 0.03);
        near(name, dispersion(&canary, 200), expected, 0.3);
        let between = covariance(&canary, &control) / covariance(&canary, &canary);
        assert!(between.abs() < 0.05, "{name}: {between}");
    }
    let heavy: Vec<f64> = drawn(Law::Apart(ArmLaw::Clusters(Cluster::Pareto)), 40_000)
        .into_iter()
        .map(|one| one.0)
        .collect();
    near("Pareto", mean(&heavy), MEAN, 0.05);
    assert!(dispersion(&heavy, 200) > 50.0);
}

/// A coefficient of variation v makes the variance `mean + v^2 mean^2`; of a drift the next step has a to the
/// first power of it, but for what the exponential does.
#[test]
fn a_rate_that_varies_has_its_variance_and_its_correlation() {
    for (name, law, variance, next) in [
        ("b.5", ArmLaw::white(0.5), 0.25, 0.0),
        ("AR(.8) .3", ArmLaw::DRIFT, 0.09, 0.8),
        ("AR(.95) .3", ArmLaw::SLOW_DRIFT, 0.09, 0.95),
    ] {
        let canary: Vec<f64> = drawn(Law::Apart(law), 60_000)
            .into_iter()
            .map(|one| one.0)
            .collect();
        near(name, mean(&canary), MEAN, 0.04);
        let of_rate = covariance(&canary, &canary) - MEAN;
        near(name, of_rate / (MEAN * MEAN), variance, 0.15);
        let lagged = covariance(&canary, &canary[1..]) / of_rate;
        assert!((lagged - next).abs() < 0.05, "{name}: {lagged}");
    }
}

/// A chain that is off for 30 steps and on for 6 forgets 1/30 + 1/6 of itself in a step.
#[test]
fn a_shared_incident_is_in_both_populations_and_a_later_one_in_the_canary_a_step_later() {
    let shared = |is_later_in_the_canary| Law::Shared {
        off: 30.0,
        on: 6.0,
        times: 10.0,
        is_later_in_the_canary,
    };
    for (is_later, shift) in [(false, 0), (true, 1)] {
        let (canary, control): (Vec<f64>, Vec<f64>) =
            drawn(shared(is_later), 60_000).into_iter().unzip();
        near("mean", mean(&control), MEAN * (1.0 + 9.0 / 6.0), 0.03);
        let variance = covariance(&control, &control);
        let together = covariance(&canary[shift..], &control) / variance;
        assert!((together - 1.0).abs() < 0.02, "{is_later}: {together}");
        let next = covariance(&control, &control[1..]) / variance;
        assert!((next - 0.8).abs() < 0.02, "{next}");
    }
}

#[test]
fn only_the_canary_has_a_bad_node() {
    let bad = BadMinutes {
        good: 40.0,
        bad: 6.0,
        times: 5.0,
    };
    let (canary, control): (Vec<f64>, Vec<f64>) = drawn(Law::Node(bad), 60_000).into_iter().unzip();
    near("canary", mean(&canary), MEAN * (40.0 + 30.0) / 46.0, 0.03);
    near("control", mean(&control), MEAN * 1.5, 0.01);
    near("control", dispersion(&control, 1), 1.0, 0.05);
    assert!(dispersion(&canary, 1) > 100.0);
}

#[test]
fn what_happens_once_happens_then() {
    let incident = Law::Incident {
        first: 2,
        end: 4,
        rate: 0.5,
    };
    let is_in_one: Vec<bool> = drawn(incident, 6)
        .iter()
        .map(|(canary, control)| *canary > 5_000.0 && *control > 5_000.0)
        .collect();
    assert_eq!(is_in_one, [false, false, true, true, false, false]);
    let cluster = Law::OneCluster {
        step: 1,
        size: 5_000.0,
    };
    let is_in_one: Vec<bool> = drawn(cluster, 3)
        .iter()
        .map(|(canary, control)| *canary > 5_000.0 && *control < 5_000.0)
        .collect();
    assert_eq!(is_in_one, [false, true, false]);
    let mut silent = Fleet::new(
        FleetDescription::good(TRAFFIC, RATE).by(Law::NoControlTraffic),
        1,
        0,
    );
    let counts = silent.next(0.5).counts;
    assert!(counts.control.exposure <= 0.0 && counts.canary.events > 0.0);
}

fn pods(each: PodLaw) -> FleetDescription {
    FleetDescription::good(100_000.0, RATE).by(Law::Pods {
        canary: 1,
        control: 4,
        each,
        is_even: true,
    })
}

/// The failures of the only canary pod over their mean, of many replicates, in the first step and in a later one.
fn factors(each: PodLaw, later: usize) -> (Vec<f64>, Vec<f64>) {
    let one = |index| {
        let mut fleet = Fleet::new(pods(each), 3, index);
        let mut at = |_| {
            let drawn = fleet.next(0.2);
            drawn.counts.canary.events / (RATE * drawn.counts.canary.exposure)
        };
        let all: Vec<f64> = (0..=later).map(&mut at).collect();
        (all[0], all[later])
    };
    (0..2_000).map(one).unzip()
}

#[test]
fn pods_differ_by_what_their_law_says_for_as_long_as_it_says() {
    let drift = PodLaw::Drift {
        correlation: 0.9,
        deviation: 0.5,
    };
    let bad = BadMinutes {
        good: 110.0,
        bad: 10.0,
        times: 5.0,
    };
    let of_drift = libm::expm1(0.25);
    for (name, each, expected, variance, steps, correlation) in [
        (
            "log-normal",
            PodLaw::LogNormal { variation: 0.5 },
            1.0,
            0.25,
            5,
            1.0,
        ),
        ("gamma", PodLaw::Gamma { variation: 0.5 }, 1.0, 0.25, 5, 1.0),
        (
            "drift",
            drift,
            1.0,
            of_drift,
            1,
            libm::expm1(0.25 * 0.9) / of_drift,
        ),
        (
            "bad minutes",
            PodLaw::BadMinutes(bad),
            4.0 / 3.0,
            16.0 * 11.0 / 144.0,
            1,
            1.0 - 1.0 / 110.0 - 0.1,
        ),
    ] {
        let (first, later) = factors(each, steps);
        near(name, mean(&first), expected, 0.08);
        let of_first = covariance(&first, &first);
        near(name, of_first, variance, 0.25);
        let together = covariance(&first, &later) / of_first;
        assert!((together - correlation).abs() < 0.06, "{name}: {together}");
    }
    let (first, last) = factors(PodLaw::Apart(0.3), 240);
    let square = |values: &[f64]| {
        let squares = values.iter().map(|value| libm::pow(libm::log(*value), 2.0));
        squares.sum::<f64>() / values.len() as f64
    };
    near("apart", square(&last), 0.09, 0.1);
    assert!(square(&first) < 0.01);
}

#[test]
fn pods_of_the_control_that_live_shortly_are_new_ones_with_a_factor_of_their_own() {
    let each = PodLaw::ShortLived {
        variation: 0.5,
        steps: 20,
    };
    let mut fleet = Fleet::new(pods(each), 5, 0);
    let lives: Vec<usize> = (0..100).map(|_| fleet.next(0.2).control[0].0).collect();
    assert!((4..=5).contains(lives.last().unwrap()), "{lives:?}");
    let same = |life: usize| lives.iter().filter(|one| **one == life).count();
    assert_eq!(same(2), 20);
}

#[test]
fn clients_that_stick_to_a_population_keep_the_failures_of_both_together() {
    let description = FleetDescription::good(TRAFFIC, RATE).by(Law::StickyClients);
    let of_canary = |index| {
        let mut fleet = Fleet::new(description, 9, index);
        let counts = fleet.next(0.2).counts;
        (counts.canary.events, counts.control.events)
    };
    let (canary, control): (Vec<f64>, Vec<f64>) = (0..4_000).map(of_canary).unzip();
    near("canary", mean(&canary), 0.4 * MEAN, 0.04);
    let both: Vec<f64> = canary.iter().zip(&control).map(|(a, b)| a + b).collect();
    near("both", dispersion(&both, 1), 1.0, 0.1);
    assert!(dispersion(&canary, 1) > 5.0);
}

#[test]
fn a_fleet_is_a_function_of_seed_description_and_index() {
    let description = pods(PodLaw::LogNormal { variation: 0.2 });
    let events = |seed, index| {
        let mut fleet = Fleet::new(description, seed, index);
        fleet.next(0.2).counts.control.events.to_bits()
    };
    assert_eq!(events(1, 2), events(1, 2));
    assert_ne!(events(1, 2), events(2, 2));
    assert_ne!(events(1, 2), events(1, 3));
}

/// Longer intervals are made of the same steps.
#[test]
fn an_interval_is_the_sum_of_its_steps() {
    let law = Law::Apart(ArmLaw::DRIFT);
    let description = FleetDescription {
        steps: 10,
        ..FleetDescription::good(TRAFFIC, RATE).by(law)
    };
    let sums: Vec<f64> = (0..300)
        .map(|index| {
            Fleet::new(description, 1, index)
                .next(0.5)
                .counts
                .canary
                .events
        })
        .collect();
    near("mean", mean(&sums), 10.0 * MEAN, 0.05);
    // The sum of 10 steps with correlation 0.8: 0.09 (10 + 2 sum of (10 - k) 0.8^k) / 100.
    let correlated: f64 = (1..10).map(|k| f64::from(10 - k) * 0.8_f64.powi(k)).sum();
    let variance = 0.09 * (10.0 + 2.0 * correlated) * MEAN * MEAN + 10.0 * MEAN;
    near("variance", covariance(&sums, &sums), variance, 0.3);
}
