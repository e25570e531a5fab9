//! `gauges.json`: the noise and the score of Kayenta.

use std::collections::BTreeMap;

use serde_json::Value;
use serinus_analysis::rank::{
    KayentaClass, KayentaResult, ScoreAnswer, ScoreBasis, ScoreLimits, kayenta_noise, kayenta_score,
};

use super::gauge_vectors::{group, number};
use super::support::{assert_near, numbers};

#[test]
fn the_noise_of_constants_is_that_of_the_reference() {
    for case in group("kayenta_noise", 3) {
        let noisy = kayenta_noise(&numbers(&case["values"]));
        let expected = numbers(&case["noisy"]);
        assert_eq!(noisy.len(), expected.len());
        for (actual, expected) in noisy.into_iter().zip(expected) {
            assert_near(actual, expected, "noise");
        }
    }
}

fn class(name: &str) -> KayentaClass {
    match name {
        "High" => KayentaClass::High,
        "Low" => KayentaClass::Low,
        "Pass" => KayentaClass::Pass,
        "Nodata" => KayentaClass::NoData,
        "NodataFailMetric" => KayentaClass::NoDataFailMetric,
        "Error" => KayentaClass::Error,
        other => panic!("no class {other}"),
    }
}

fn result(told: &Value) -> KayentaResult {
    let groups = told[0].as_array().unwrap().iter();
    KayentaResult {
        groups: groups.map(|one| one.as_str().unwrap().to_owned()).collect(),
        class: class(told[1].as_str().unwrap()),
        is_critical: told[2].as_bool().unwrap(),
    }
}

fn answer(name: &Value) -> ScoreAnswer {
    match name.as_str().unwrap() {
        "rollback" => ScoreAnswer::Rollback,
        "hold" => ScoreAnswer::Hold,
        "promote" => ScoreAnswer::Promote,
        other => panic!("no answer {other}"),
    }
}

#[test]
fn scores_and_what_follows_are_those_of_the_reference() {
    for case in group("kayenta_score", 8) {
        let results: Vec<KayentaResult> = case["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(result)
            .collect();
        let weights = case["weights"].as_object().unwrap().iter();
        let weights: BTreeMap<String, f64> = weights
            .map(|(name, weight)| (name.clone(), weight.as_f64().unwrap()))
            .collect();
        let score = kayenta_score(&results, &weights).value;
        assert_near(score, number(&case, "score"), &case.to_string());
        let limits = ScoreLimits::default();
        assert_eq!(limits.answer(score, false), answer(&case["now"]), "{case}");
        assert_eq!(limits.answer(score, true), answer(&case["end"]), "{case}");
    }
}

/// What a score of 0 rests on decides whether it may act.
#[test]
fn a_score_says_what_it_rests_on() {
    let of = |name: &str, is_critical| KayentaResult {
        groups: vec!["a".to_owned()],
        class: class(name),
        is_critical,
    };
    let basis = |all: &[KayentaResult]| kayenta_score(all, &BTreeMap::new()).basis;
    let missing = [of("Nodata", false), of("Pass", false)];
    assert_eq!(basis(&missing), ScoreBasis::NoData);
    assert_eq!(
        basis(&[of("Nodata", true), of("Pass", false), of("Pass", false)]),
        ScoreBasis::NoData
    );
    assert_eq!(
        basis(&[of("Nodata", false), of("High", true)]),
        ScoreBasis::CriticalMetric
    );
    assert_eq!(
        basis(&[of("Error", true), of("High", false)]),
        ScoreBasis::Groups
    );
    assert_eq!(
        basis(&[of("Nodata", false), of("Low", false), of("Pass", false)]),
        ScoreBasis::Groups
    );
}
