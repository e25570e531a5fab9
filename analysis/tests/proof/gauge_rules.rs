//! `gauges.json`: the formulas by themselves, and that no group of it is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serinus_analysis::proof::gauge::{
    COLD_START_SECONDS, FEWEST_SAMPLES, FEWEST_SECONDS, GaugeOutlook, GaugePast, GaugeSeries,
    GaugeUnit, MOST_EXCESS, PodName, by_pod, can_speak, excess, is_counter_as_gauge, is_near_one,
    is_young_at, limit_beside, load_factor, minutes_until_decided, mixture_log_evidence,
    population, ratio_interval, sample_step, voting_ratio,
};
use serinus_analysis::sequential::{ErrorRate, Side};

use super::gauge_vectors::{all, assert_evidence, flags, group, number, optional, side};
use super::support::{assert_near, numbers};

/// Every group: one that is added there must be held here.
const GROUPS: [&str; 40] = [
    "constants",
    "excess",
    "mixture",
    "path",
    "pods",
    "path_with_pods",
    "path_absolute_with_pods",
    "path_absolute",
    "path_absolute_number",
    "absolute_limits",
    "path_late",
    "path_environment",
    "path_number_of_pods",
    "path_cold",
    "path_earlier_windows",
    "path_with_missing",
    "lacking",
    "by_pod",
    "young",
    "baseline_negative",
    "counter_as_gauge",
    "suspected",
    "judged",
    "complement",
    "on_the_limit",
    "near_one",
    "plan_absolute",
    "path_stage_from_9",
    "population",
    "plan",
    "plan_cold",
    "history",
    "own_limit",
    "ratio_interval",
    "sample_step",
    "can_speak",
    "voting_ratio",
    "work_limit",
    "kayenta_noise",
    "kayenta_score",
];

#[test]
fn every_group_is_held() {
    let all = all();
    for name in all.as_object().unwrap().keys() {
        assert!(GROUPS.contains(&name.as_str()), "{name}");
    }
    assert_eq!(all.as_object().unwrap().len(), GROUPS.len());
    let constants = &all["constants"];
    assert_near(MOST_EXCESS, number(constants, "cap"), "cap");
    assert_near(FEWEST_SAMPLES as f64, number(constants, "fewest"), "fewest");
    assert_near(FEWEST_SECONDS, number(constants, "span_seconds"), "span");
    assert_near(
        COLD_START_SECONDS,
        number(constants, "cold_start_seconds"),
        "cold start",
    );
}

#[test]
fn excess_limits_and_mixture_are_those_of_the_reference() {
    for case in group("excess", 11) {
        let found = excess(number(&case, "canary"), number(&case, "limit"));
        assert_near(found, number(&case, "excess"), &case.to_string());
    }
    for case in group("mixture", 7) {
        let (mean, variance) = (number(&case, "mean"), number(&case, "variance"));
        let found = mixture_log_evidence(mean, variance, number(&case, "nu"));
        assert_evidence(found, number(&case, "ln_e"), &case.to_string());
    }
    for case in group("absolute_limits", 3) {
        let bad = side(case["higher"].as_bool().unwrap());
        let limits = numbers(&case["violation_limit"]);
        for (control, expected) in optional(&case["control"]).into_iter().zip(limits) {
            let found = limit_beside(control, number(&case, "limit"), bad);
            assert_near(found, expected, &case.to_string());
        }
    }
    for case in group("voting_ratio", 4) {
        let known = usize::try_from(case["df"].as_u64().unwrap()).unwrap();
        let found = voting_ratio(number(&case, "r"), Side::Above, known);
        assert_near(found, number(&case, "ratio"), &case.to_string());
    }
    for case in group("work_limit", 3) {
        let load = load_factor(number(&case, "load_canary"), number(&case, "load_control"));
        let found = number(&case, "r") * number(&case, "control") * load;
        assert_near(found, number(&case, "limit"), &case.to_string());
    }
    for case in group("near_one", 7) {
        let control = numbers(&case["control"]);
        let mean = || control.iter().sum::<f64>() / control.len() as f64;
        let of_control = (!control.is_empty()).then(mean);
        let unit = match case["unit"].as_str().unwrap() {
            "fraction" => GaugeUnit::Fraction,
            _ => GaugeUnit::Number,
        };
        let level = case["absolute"].as_f64().or(of_control);
        let found = is_near_one(unit, side(case["higher"].as_bool().unwrap()), level);
        assert_eq!(Some(found), case["complement"].as_bool(), "{case}");
    }
}

fn series(list: &Value) -> Vec<GaugeSeries> {
    let of = |one: &Value| {
        let labels: BTreeMap<String, String> = one["labels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|label| label.as_str().unwrap().split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let value = |(at, value): (usize, &Value)| match value.as_str() {
            Some("NaN") => Some((at, f64::NAN)),
            Some(_) => Some((at, f64::INFINITY)),
            None => Some((at, value.as_f64()?)),
        };
        let values = one["values"].as_array().unwrap().iter().enumerate();
        GaugeSeries {
            pod: PodName::of(&labels, None),
            values: values.filter_map(value).collect(),
        }
    };
    list.as_array().unwrap().iter().map(of).collect()
}

fn values_of(table: &Value) -> BTreeMap<usize, f64> {
    let table = table.as_object().unwrap().iter();
    table
        .map(|(at, value)| (at.parse().unwrap(), value.as_f64().unwrap()))
        .collect()
}

#[test]
fn series_become_pods_and_pods_a_population_as_in_the_reference() {
    for case in group("by_pod", 1) {
        let found = by_pod(&series(&case["series"]));
        let expected = case["pods"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for one in expected {
            let name = match one["pod"][0].as_str() {
                None => PodName::Bare,
                Some("unnamed=") => PodName::Unnamed,
                Some(name) => PodName::Named(name.into()),
            };
            let found = found.iter().find(|found| found.pod == name).unwrap();
            assert_eq!(found.values, values_of(&one["values"]), "{one}");
        }
        assert_eq!(population(&found).means, values_of(&case["mean"]));
    }
    for case in group("population", 1) {
        let found = population(&series(&case["series"]));
        assert_eq!(found.means, values_of(&case["mean"]));
        assert_eq!(json!(found.not_finite), case["flags"]["not_finite"]);
        assert_eq!(json!(found.bare), case["flags"]["bare"]);
    }
    for case in group("young", 6) {
        let found = is_young_at(
            &numbers(&case["times"]),
            (number(&case, "warm_up"), number(&case, "step")),
            case["began"].as_f64(),
            case["before"].as_bool().unwrap(),
        );
        assert_eq!(found, flags(&case["young"]), "{case}");
    }
    for case in group("counter_as_gauge", 9) {
        let expression = case["expression"].as_str().unwrap();
        let found = is_counter_as_gauge(expression, case["type"].as_str());
        assert_eq!(Some(found), case["counter"].as_bool(), "{case}");
    }
    for case in group("sample_step", 5) {
        let found = sample_step(number(&case, "interval"), case["scrape_period"].as_f64());
        assert_near(found, number(&case, "step"), &case.to_string());
    }
    for case in group("can_speak", 5) {
        let found = can_speak(number(&case, "seconds"), number(&case, "step"));
        assert_eq!(Some(found), case["can"].as_bool(), "{case}");
    }
}

#[test]
fn the_past_and_the_interval_are_those_of_the_reference() {
    for case in group("history", 1) {
        let past = GaugePast::measure(&optional(&case["values"]), number(&case, "step"));
        let expected = case["variance_df"].as_object().unwrap();
        assert_eq!(past.variances(false).len(), expected.len());
        for one in past.variances(false) {
            let expected = numbers(&expected[&one.length.to_string()]);
            assert_near(one.variance / expected[0], 1.0, "variance");
            assert_near(one.degrees_of_freedom, expected[1], "degrees of freedom");
        }
        let stored = serde_json::to_string(&past).unwrap();
        assert_eq!(serde_json::from_str::<GaugePast>(&stored).unwrap(), past);
    }
    for case in group("ratio_interval", 3) {
        let spread = (
            number(&case, "mean"),
            number(&case, "variance"),
            number(&case, "nu"),
        );
        let found = ratio_interval(spread, number(&case, "confidence"));
        let expected = numbers(&case["interval"]);
        assert_near(found.lower, expected[0], "lower");
        assert_near(found.estimate, expected[1], "estimate");
        assert_near(found.upper, expected[2], "upper");
    }
}

#[test]
fn minutes_are_planned_as_in_the_reference() {
    let hold = |case: &Value, outlook: GaugeOutlook| {
        let rate = ErrorRate::new(number(case, "level")).unwrap();
        let found =
            minutes_until_decided(number(case, "signal"), rate, number(case, "step"), outlook);
        assert_eq!(found, case["minutes"].as_f64(), "{case}");
    };
    for case in group("plan", 10) {
        hold(
            &case,
            GaugeOutlook::Relative {
                pods: None,
                cold_start_seconds: 0.0,
            },
        );
    }
    for case in group("plan_absolute", 10) {
        hold(
            &case,
            GaugeOutlook::Absolute {
                standard_deviation: number(&case, "sd"),
            },
        );
    }
    for case in group("plan_cold", 8) {
        let pods = numbers(&case["pods"]);
        hold(
            &case,
            GaugeOutlook::Relative {
                pods: Some((pods[0], pods[1])),
                cold_start_seconds: number(&case, "cold_start"),
            },
        );
    }
}
