//! Noise, history, evidence and compliance against their vectors.

use serinus_analysis::sequential::{
    AbsoluteCompliance, AbsoluteEvidence, AbsoluteLimit, CountLaw, ErrorRate, EvidenceConfig,
    NoiseHistory, NoiseState, RelativeCompliance, RelativeEvidence, RelativeLimit, first_crossing,
};

use super::support::{
    assert_all_near, assert_near, group, history, intervals, number, numbers, side,
    single_intervals, text, whole,
};

#[test]
fn a_history_is_measured_as_in_the_reference() {
    for vector in group("history", 1) {
        let expected = history(&vector["result"]).unwrap();
        let actual = NoiseHistory::measure(&intervals(&vector)).unwrap();
        assert_near(
            actual.mean_effective_exposure(),
            expected.mean_effective_exposure(),
            1e-9,
            "h",
        );
        assert_eq!(actual.by_block_length().len(), 5);
        assert_eq!(expected.by_block_length().len(), 5);
        for (actual, expected) in actual
            .by_block_length()
            .iter()
            .zip(expected.by_block_length())
        {
            assert_eq!(actual.block_length, expected.block_length);
            assert_near(actual.dispersion, expected.dispersion, 1e-9, "D");
            assert_near(
                actual.degrees_of_freedom,
                expected.degrees_of_freedom,
                1e-9,
                "nu",
            );
        }
    }
}

#[test]
fn noise_is_measured_as_in_the_reference() {
    let mut compared = 0;
    for vector in group("noise", 12) {
        let mut noise = NoiseState::relative(history(&vector["history"]));
        let mut expectations = vector["dispersion"].as_array().unwrap().iter().peekable();
        for counts in intervals(&vector) {
            noise.push(&counts);
            while let Some(expected) =
                expectations.next_if(|expected| whole(expected, "k") == noise.intervals())
            {
                let actual = noise.dispersion(whole(expected, "start"));
                let what = format!("{} {expected}", text(&vector, "name"));
                assert_near(actual.value, number(expected, "D"), 1e-9, &what);
                assert_near(
                    actual.degrees_of_freedom,
                    number(expected, "nu"),
                    1e-9,
                    &what,
                );
                compared += 1;
            }
        }
        assert_eq!(expectations.next(), None);
    }
    assert_eq!(compared, 192);
}

#[test]
fn evidence_is_that_of_the_reference() {
    let mut crossings = 0;
    for vector in group("evidence", 13) {
        let limit = RelativeLimit::new(
            number(&vector, "r"),
            number(&vector, "delta"),
            side(text(&vector, "kind")),
        )
        .unwrap();
        let config = EvidenceConfig {
            longest_rollout_intervals: whole(&vector, "k_max"),
            history: history(&vector["history"]),
        };
        let path = RelativeEvidence::replay(limit, &config, &intervals(&vector));
        assert_eq!(path.len(), 60);
        let what = text(&vector, "name");
        assert_all_near(&path, &numbers(&vector, "log_e_path"), 1e-8, what);
        let expected = vector["first_crossing_alpha_0.01"].as_u64();
        let actual = first_crossing(&path, ErrorRate::ROLLBACK).map(|index| index as u64 + 1);
        assert_eq!(actual, expected, "{what}");
        crossings += usize::from(actual.is_some());
    }
    assert!(crossings > 3, "{crossings}");
}

#[test]
fn evidence_against_absolute_limits_is_that_of_the_reference() {
    for vector in group("evidence_absolute", 4) {
        let law = if vector["poisson"].as_bool().unwrap() {
            CountLaw::Poisson
        } else {
            CountLaw::Bernoulli
        };
        let limit = number(&vector, "limit");
        let limit = AbsoluteLimit::new(limit, side(text(&vector, "kind")), law).unwrap();
        let config = EvidenceConfig {
            longest_rollout_intervals: whole(&vector, "k_max"),
            history: None,
        };
        let path = AbsoluteEvidence::replay(limit, &config, &single_intervals(&vector));
        assert_eq!(path.len(), 40);
        assert_all_near(&path, &numbers(&vector, "log_e_path"), 1e-8, "absolute");
    }
}

#[test]
fn compliance_is_that_of_the_reference() {
    for vector in group("compliance", 7) {
        let limit = RelativeLimit::new(
            number(&vector, "R"),
            number(&vector, "delta"),
            side(text(&vector, "kind")),
        )
        .unwrap();
        let stage_start = whole(&vector, "stage_start");
        let mut noise = NoiseState::relative(history(&vector["history"]));
        let mut compliance = RelativeCompliance::new(limit, stage_start).unwrap();
        let mut path = Vec::new();
        for (index, counts) in intervals(&vector).iter().enumerate() {
            noise.push(counts);
            if index >= stage_start {
                compliance.push(counts);
                path.push(compliance.log_evidence(&noise));
            }
        }
        let expected = numbers(&vector, "log_e_path_from_stage_start");
        assert_all_near(&path, &expected, 1e-8, text(&vector, "name"));
        assert_eq!(compliance.stage_intervals(), 60 - stage_start);
    }
}

#[test]
fn compliance_with_absolute_limits_is_that_of_the_reference() {
    for vector in group("compliance_absolute", 1) {
        let limit = number(&vector, "limit");
        let limit = AbsoluteLimit::new(limit, side(text(&vector, "kind")), CountLaw::Bernoulli);
        let limit = limit.unwrap();
        let mut noise = NoiseState::absolute(&limit, None);
        let mut compliance = AbsoluteCompliance::new(limit, 0);
        let mut path = Vec::new();
        for count in single_intervals(&vector) {
            noise.push_single(&count);
            compliance.push(&count);
            path.push(compliance.log_evidence(&noise));
        }
        assert_all_near(&path, &numbers(&vector, "log_e_path"), 1e-8, "absolute");
    }
}
