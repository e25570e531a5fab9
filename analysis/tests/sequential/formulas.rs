//! Increments, deflation, multiplicity and growth against their vectors.

use serinus_analysis::proof::{Kept, Line, growth_of_compliance, growth_of_violation};
use serinus_analysis::sequential::{
    AbsoluteLimit, CountLaw, ErrorRate, IntervalCounts, RelativeLimit, Side, WeightedEvidence,
    absolute_increment, adjusted_log_evidence, combined_log_evidence, deflate,
    false_discovery_list, log_mean_exp, relative_increment,
};
use serinus_analysis::series::ArmCount;

use super::support::{assert_all_near, assert_near, counts, group, number, numbers, whole};

#[test]
fn increments_are_those_of_the_reference() {
    for vector in group("increments", 27) {
        let interval = counts(
            number(&vector, "x"),
            number(&vector, "n"),
            number(&vector, "y"),
            number(&vector, "m"),
        );
        for (key, side) in [("up", Side::Above), ("down", Side::Below)] {
            let limit = RelativeLimit::new(number(&vector, "r"), number(&vector, "delta"), side);
            let actual = relative_increment(&interval, &limit.unwrap(), number(&vector, "rho"));
            assert_near(actual, number(&vector, key), 1e-11, &vector.to_string());
        }
    }
}

#[test]
fn increments_of_absolute_limits_are_those_of_the_reference() {
    for vector in group("increments_absolute", 12) {
        let count = ArmCount {
            events: number(&vector, "x"),
            exposure: number(&vector, "n"),
        };
        let law = if vector["poisson"].as_bool().unwrap() {
            CountLaw::Poisson
        } else {
            CountLaw::Bernoulli
        };
        let increments = |side, effects: &[f64]| -> Vec<f64> {
            let limit = AbsoluteLimit::new(number(&vector, "limit"), side, law).unwrap();
            effects
                .iter()
                .map(|effect| absolute_increment(&count, &limit, *effect))
                .collect()
        };
        assert_all_near(
            &increments(Side::Above, &[1.1, 1.25, 1.5, 2.0, 3.0, 5.0]),
            &numbers(&vector, "above_rho_1.1_1.25_1.5_2_3_5"),
            1e-11,
            &vector.to_string(),
        );
        assert_all_near(
            &increments(Side::Below, &[0.1, 0.25, 0.5, 0.75, 0.9]),
            &numbers(&vector, "below_a_.1_.25_.5_.75_.9"),
            1e-11,
            &vector.to_string(),
        );
    }
}

#[test]
fn the_increments_of_the_specification_are_met() {
    let near = |actual: f64, expected: f64| assert_near(actual, expected, 1e-9, "increment");
    let increment = |side, interval: [f64; 4], ratio, offset, effect| {
        let [x, n, y, m] = interval;
        let limit = RelativeLimit::new(ratio, offset, side).unwrap();
        relative_increment(&counts(x, n, y, m), &limit, effect)
    };
    let up =
        |interval, ratio, offset, effect| increment(Side::Above, interval, ratio, offset, effect);
    let down =
        |interval, ratio, offset, effect| increment(Side::Below, interval, ratio, offset, effect);
    let both = |x, y| [x, 1000.0, y, 9000.0];
    // Section 4.1.
    near(up(both(3.0, 27.0), 1.0, 0.0, 2.0), -0.779_863_852_449_910_4);
    near(
        up(both(6.0, 27.0), 1.25, 0.001, 2.0),
        -0.421_013_495_190_479_6,
    );
    near(
        down(both(3.0, 27.0), 1.0, 0.0, 2.0),
        -0.540_642_710_053_319_3,
    );
    near(
        down(both(0.0, 27.0), 1.0, 0.002, 2.0),
        2.332_287_369_516_494_7,
    );
    near(
        down(both(0.0, 27.0), 1.5, 0.0, 1.5),
        1.317_334_432_574_664_8,
    );
    // Section 6: only the ratio of the exposures matters.
    near(
        up([2.5, 10.25, 1.5, 88.5], 1.0, 0.0, 2.0),
        1.337_842_037_608_213_4,
    );
    let sevenths = [2.5, 10.25 / 7.0, 1.5, 88.5 / 7.0];
    near(up(sevenths, 1.0, 0.0, 2.0), 1.337_842_037_608_213_4);
    // Section 9.
    near(
        down(both(80.0, 1000.0), 0.95, 0.0, 1.25),
        2.971_078_700_003_545_2,
    );
    near(
        up(both(115.0, 1000.0), 0.9, 0.0, 1.0 / 0.9),
        0.910_334_823_995_919_3,
    );
    // Without data there is no evidence.
    for empty in [
        [1.0, 0.0, 1.0, 9.0],
        [1.0, 9.0, 1.0, 0.0],
        [f64::NAN, 9.0, 1.0, 9.0],
    ] {
        assert_eq!(up(empty, 1.0, 0.5, 2.0), 0.0);
    }
    // A ratio of 0 is the Poisson form with the offset as the limit.
    let poisson = AbsoluteLimit::new(0.1, Side::Above, CountLaw::Poisson).unwrap();
    let count = ArmCount {
        events: 3.0,
        exposure: 12.5,
    };
    near(
        up([3.0, 12.5, 5.0, 9.0], 0.0, 0.1, 2.0),
        absolute_increment(&count, &poisson, 2.0),
    );
}

#[test]
fn the_absolute_increments_of_the_specification_are_met() {
    let limit = |side, law, limit| AbsoluteLimit::new(limit, side, law).unwrap();
    let above = limit(Side::Above, CountLaw::Bernoulli, 0.001);
    let count = ArmCount {
        events: 5.0,
        exposure: 1000.0,
    };
    let effects = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0];
    let increments = effects.map(|effect| absolute_increment(&count, &above, effect));
    let expected = [
        0.376_555_898_688_316_24,
        0.865_749_001_363_691_8,
        1.527_450_498_889_774_1,
        2.466_235_569_716_193_5,
        3.495_058_780_667_492_6,
        4.055_168_292_633_049,
    ];
    assert_all_near(&increments, &expected, 1e-9, "above");
    assert_near(
        log_mean_exp(&increments).exp(),
        2.916_559_032_423_881_f64.exp(),
        1e-9,
        "mixture",
    );
    let poisson = limit(Side::Above, CountLaw::Poisson, 0.001);
    let increments = effects.map(|effect| absolute_increment(&count, &poisson, effect));
    assert_near(
        log_mean_exp(&increments),
        2.911_759_826_632_725_4,
        1e-9,
        "Poisson mixture",
    );
    let rate = limit(Side::Above, CountLaw::Poisson, 0.1);
    let count = ArmCount {
        events: 3.0,
        exposure: 12.5,
    };
    assert_near(
        absolute_increment(&count, &rate, 2.0),
        0.829_441_541_679_835_7,
        1e-9,
        "rate",
    );
    let rate = limit(Side::Below, CountLaw::Poisson, 0.1);
    let none = ArmCount {
        events: 0.0,
        exposure: 50.0,
    };
    assert_near(
        absolute_increment(&none, &rate, 0.9),
        4.5,
        1e-12,
        "rate below",
    );
}

/// Probabilities of `0..=total` successes.
fn binomial(total: u32, probability: f64) -> Vec<f64> {
    let mut masses = vec![1.0];
    for _ in 0..total {
        let mut next = vec![0.0; masses.len() + 1];
        for (successes, mass) in masses.iter().enumerate() {
            next[successes] += mass * (1.0 - probability);
            next[successes + 1] += mass * probability;
        }
        masses = next;
    }
    masses
}

/// Step (i) of the proof, by enumeration of everything that can happen.
#[test]
fn the_expectation_on_the_line_is_at_most_one() {
    for vector in group("validity_expectations", 8) {
        let (n, m) = (whole(&vector, "n"), whole(&vector, "m"));
        let canary = binomial(u32::try_from(n).unwrap(), number(&vector, "p_canary"));
        let control = binomial(u32::try_from(m).unwrap(), number(&vector, "p_control"));
        for (key, side) in [("E_up_by_rho", Side::Above), ("E_down_by_rho", Side::Below)] {
            let limit = RelativeLimit::new(number(&vector, "r"), number(&vector, "delta"), side);
            let limit = limit.unwrap();
            let expectations = vector[key].as_object().unwrap();
            assert_eq!(expectations.len(), 3);
            for (effect, expected) in expectations {
                let effect: f64 = effect.parse().unwrap();
                let mut expectation = 0.0;
                for (x, canary_mass) in canary.iter().enumerate() {
                    for (y, control_mass) in control.iter().enumerate() {
                        let interval = counts(x as f64, n as f64, y as f64, m as f64);
                        let increment = relative_increment(&interval, &limit, effect);
                        expectation += canary_mass * control_mass * increment.exp();
                    }
                }
                assert!(expectation <= 1.0 + 1e-12, "{expectation} in {vector}");
                assert_near(expectation, expected.as_f64().unwrap(), 1e-10, key);
            }
        }
    }
}

/// Section 5: the form of shares must not be used for rates.
#[test]
fn rates_need_the_poisson_form() {
    for (level, exposure, expected) in [(0.1, 100.0, 5.9), (0.5, 20.0, 463.0)] {
        let expectation = |law| {
            let limit = AbsoluteLimit::new(level, Side::Above, law).unwrap();
            let mean: f64 = level * exposure;
            let mut mass = (-mean).exp();
            let mut sum = 0.0;
            for events in 0..400 {
                let events = f64::from(events);
                let count = ArmCount { events, exposure };
                sum += mass * absolute_increment(&count, &limit, 3.0).exp();
                mass *= mean / (events + 1.0);
            }
            sum
        };
        assert_near(expectation(CountLaw::Poisson), 1.0, 1e-12, "Poisson");
        let of_shares: f64 = expectation(CountLaw::Bernoulli);
        assert!((of_shares / expected - 1.0).abs() < 0.01, "{of_shares}");
    }
}

#[test]
fn deflation_is_that_of_the_reference() {
    for vector in group("deflate", 30) {
        let actual = deflate(number(&vector, "log_e"), number(&vector, "nu"));
        assert_near(
            actual,
            number(&vector, "deflated"),
            1e-13,
            &vector.to_string(),
        );
    }
}

/// `v = B`, `s = z sqrt(B)`, `rho = 1 / rho2`. The reference tunes `rho` for `v_opt` at `alpha_opt`
/// with twice the level on one side.
#[test]
fn many_checks_are_judged_as_in_the_reference() {
    let mut vectors = group("multiplicity", 9);
    // The two examples of section 10, with what it says of them.
    vectors.push(serde_json::json!({
        "e": [60, 60, 0], "alpha": 0.025, "mean": 40, "e_holm_adjusted": [30, 30, 0], "rejected_e_bh": [0, 1],
    }));
    vectors.push(serde_json::json!({
        "e": [40, 39, 1, 1], "alpha": 0.05, "mean": 20.25,
        "e_holm_adjusted": [14, 13.666_666_666_666_666, 1, 1], "rejected_e_bh": [],
    }));
    for vector in vectors {
        let logarithms: Vec<f64> = numbers(&vector, "e").iter().map(|e| e.ln()).collect();
        let checks: Vec<WeightedEvidence> = logarithms
            .iter()
            .map(|&log_evidence| WeightedEvidence {
                weight: 1.0 / logarithms.len() as f64,
                log_evidence,
            })
            .collect();
        let what = vector.to_string();
        let mean = combined_log_evidence(&checks).exp();
        assert_near(mean, number(&vector, "mean"), 1e-12, &what);
        let adjusted: Vec<f64> = adjusted_log_evidence(&logarithms)
            .iter()
            .map(|value| value.exp())
            .collect();
        assert_all_near(
            &adjusted,
            &numbers(&vector, "e_holm_adjusted"),
            1e-12,
            &what,
        );
        let error_rate = ErrorRate::new(number(&vector, "alpha")).unwrap();
        let rejected: Vec<f64> = false_discovery_list(&logarithms, error_rate)
            .iter()
            .map(|&index| index as f64)
            .collect();
        assert_eq!(rejected, numbers(&vector, "rejected_e_bh"), "{what}");
    }
}

#[test]
fn growth_is_that_of_the_reference() {
    for vector in group("planning", 4) {
        let base_rate = number(&vector, "base_rate");
        let arm = |exposure: f64, times: f64| ArmCount {
            events: times * base_rate * exposure,
            exposure,
        };
        let expected = |times: f64| IntervalCounts {
            canary: arm(number(&vector, "n"), times),
            control: arm(number(&vector, "m"), 1.0),
        };
        let limit = |key: &str, side| RelativeLimit::new(number(&vector, key), 0.0, side).unwrap();
        let broken = Line::Relative(limit("r", Side::Above));
        let growth = growth_of_violation(&broken, &expected(number(&vector, "true_ratio")));
        assert_near(growth, number(&vector, "growth_violation"), 1e-9, "broken");
        let kept = Kept::Relative(limit("R", Side::Below));
        let growth = growth_of_compliance(&kept, &expected(1.0));
        assert_near(growth, number(&vector, "growth_compliance"), 1e-9, "kept");
    }
}
