//! The operating characteristics that every build checks: docs/design/statistics.md, "14.
//! Simulation".

use super::*;
use crate::interval::Confidence;

fn measured(description: ScenarioDescription, method: Method, replicates: u64) -> Characteristics {
    let scenario = Scenario::new(description).unwrap();
    let looks = Looks::EVERY_INTERVAL;
    let experiment = Experiment::new(scenario, 1.0, method, looks, Promotion::No).unwrap();
    measure(&OneThread, &experiment, replicates, 1)
}

/// Two noises, two cells, with and without history in turn. A true rate of 1 % would exceed 3 % in 200
/// rollouts once in 200 times; the seed is fixed.
#[test]
fn four_cells_roll_back_at_most_3_percent_of_the_good_and_at_least_95_of_the_bad() {
    let beta = NoiseLaw::BetaBinomial { variation: 0.5 };
    for (base_rate, share, noise, has_history) in [
        (1e-3, 0.1, NoiseLaw::Independent, true),
        (1e-3, 0.1, beta, false),
        (1e-2, 0.5, beta, true),
        (1e-2, 0.01, NoiseLaw::Independent, false),
    ] {
        let good = ScenarioDescription {
            noise,
            history: has_history.then_some(HistoryWindow {
                intervals: 4 * INTERVALS_PER_HOUR,
                share,
                noise,
            }),
            ..ScenarioDescription::constant(base_rate, share, 30_000, 120)
        };
        let bad = ScenarioDescription {
            effect: 5.0,
            ..good.clone()
        };
        let false_rollback = measured(good.clone(), Method::Sequential, 200).false_rollback;
        assert!(
            false_rollback.rate() <= 0.03,
            "{good:?}: {false_rollback:?}"
        );
        let found = measured(bad, Method::Sequential, 200);
        assert!(
            found.detected.unwrap().rate() >= 0.95,
            "{good:?}: {found:?}"
        );
        assert!(found.median_delay.unwrap() <= 20.0, "{good:?}: {found:?}");
    }
}

/// The reason for the project: polled Wilson intervals roll back most of the good canaries on noisy
/// data, a gate on one interval nearly all.
#[test]
fn on_noisy_data_the_polled_peers_roll_back_good_canaries_and_the_sequential_method_does_not() {
    let noisy = ScenarioDescription {
        noise: NoiseLaw::BetaBinomial { variation: 0.5 },
        ..ScenarioDescription::constant(1e-2, 0.1, 30_000, 120)
    };
    let confidence = Confidence::new(0.99).unwrap();
    let rate = |method| measured(noisy.clone(), method, 100).false_rollback.rate();
    let sequential = rate(Method::Sequential);
    let wilson = rate(Method::Wilson { confidence });
    let gate = rate(Method::ThresholdGate { limit: 0.02 });
    assert!(sequential <= 0.03, "{sequential}");
    assert!(wilson >= 0.5, "{wilson}");
    assert!(gate >= 0.9, "{gate}");
}

/// A canary on the margin is promoted in at most 5 % of the stages (three standard errors of 200: 4.6 %
/// more), a good one soon.
#[test]
fn a_canary_on_the_margin_is_not_promoted_and_a_good_one_is() {
    let promoted = |effect: f64| {
        let description = ScenarioDescription {
            effect,
            ..ScenarioDescription::constant(1e-3, 0.1, 30_000, 120)
        };
        let scenario = Scenario::new(description).unwrap();
        let looks = Looks::EVERY_INTERVAL;
        let promotion = Promotion::Within(2.0);
        let experiment =
            Experiment::new(scenario, 1.0, Method::Sequential, looks, promotion).unwrap();
        measure(&OneThread, &experiment, 200, 1)
    };
    let bad = promoted(2.0).promoted.unwrap();
    assert!(bad.rate() <= 0.096, "{bad:?}");
    let good = promoted(1.0);
    assert!(good.promoted.unwrap().rate() >= 0.99, "{good:?}");
    assert!(good.median_to_promote.unwrap() <= 18.0, "{good:?}");
}

#[test]
fn polling_less_often_changes_when_and_not_whether() {
    let description = ScenarioDescription {
        effect: 2.0,
        onset: 20,
        ..ScenarioDescription::constant(1e-2, 0.5, 30_000, 61)
    };
    let scenario = Scenario::new(description).unwrap();
    let outcomes = |looks: &str| -> Vec<Option<usize>> {
        let looks = looks.parse().unwrap();
        let experiment = Experiment::new(
            scenario.clone(),
            1.0,
            Method::Sequential,
            looks,
            Promotion::No,
        )
        .unwrap();
        let replicate = |index| experiment.replicate(1, index).rolled_back_at;
        (0..30).map(replicate).collect()
    };
    let (every, tenth, once) = (outcomes("every"), outcomes("10"), outcomes("once"));
    assert!(every.iter().any(Option::is_some));
    for ((every, tenth), once) in every.iter().zip(&tenth).zip(&once) {
        assert_eq!(*tenth, every.map(|at| at.next_multiple_of(10).min(61)));
        assert_eq!(*once, every.map(|_| 61));
    }
}
