//! `gauges.json`: every group of it but those of Kayenta.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use serinus_analysis::proof::gauge::{
    COLD_START_SECONDS, FEWEST_SAMPLES, FEWEST_SECONDS, GaugeLine, GaugeOutlook, GaugePast,
    GaugeSample, GaugeSeries, GaugeSettings, GaugeSpread, GaugeStream, GaugeUnit, MOST_EXCESS,
    PastVariance, PodName, PodValue, by_pod, can_speak, complement_offset, excess,
    is_counter_as_gauge, is_enough, is_lacking, is_near_one, is_young_at, limit_beside,
    load_factor, minutes_until_decided, mixture_log_evidence, population, ratio_interval,
    sample_step, voting_ratio, what_lacks,
};
use serinus_analysis::sequential::{ErrorRate, Side};

use super::support::{assert_near, numbers};

/// Every group: one that is added there must be held here.
const GROUPS: [&str; 35] = [
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
];
const MORE_GROUPS: [&str; 5] = [
    "can_speak",
    "voting_ratio",
    "work_limit",
    "kayenta_noise",
    "kayenta_score",
];

/// Below it the reference takes `ln Phi` from the first term of its series, with three digits.
const FAR_BELOW: f64 = -3.5;

fn all() -> Value {
    serde_json::from_str(include_str!("../data/vectors/gauges.json")).unwrap()
}

fn group(name: &str, expected: usize) -> Vec<Value> {
    let cases = match &all()[name] {
        Value::Array(cases) => cases.clone(),
        one => vec![one.clone()],
    };
    assert_eq!(cases.len(), expected, "{name}");
    cases
}

fn number(case: &Value, key: &str) -> f64 {
    case[key]
        .as_f64()
        .unwrap_or_else(|| panic!("{key} of {case}"))
}

fn optional(list: &Value) -> Vec<Option<f64>> {
    list.as_array().unwrap().iter().map(Value::as_f64).collect()
}

fn flags(list: &Value) -> Vec<bool> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_bool().unwrap())
        .collect()
}

fn side(is_higher_better: bool) -> Side {
    if is_higher_better {
        Side::Below
    } else {
        Side::Above
    }
}

/// To a billionth, absolute below 1; far below 0 as exact as the reference's tail.
fn assert_evidence(actual: f64, expected: f64, what: &str) {
    let error = (actual - expected).abs() / expected.abs().max(1.0);
    let most = if expected < FAR_BELOW { 4e-4 } else { 1e-9 };
    assert!(
        error <= most,
        "{what}: {actual} is not {expected}, off by {error:e}"
    );
}

fn assert_spread(actual: Option<GaugeSpread>, expected: &Value, what: &str) {
    if expected.is_null() {
        return assert_eq!(actual, None, "{what}");
    }
    let (actual, expected) = (actual.unwrap(), numbers(expected));
    let actual = [actual.mean, actual.variance, actual.degrees_of_freedom];
    for (actual, expected) in actual.into_iter().zip(expected) {
        let error = (actual - expected).abs() / expected.abs().max(1.0);
        assert!(error <= 1e-9, "{what}: {actual} is not {expected}");
    }
}

/// A limit of so many times the control at which a promotion is asked too.
fn relative(ratio: f64) -> GaugeLine {
    GaugeLine::Relative {
        ratio,
        offset: 0.0,
        bad: Side::Above,
        promotion_ratio: Some(ratio),
    }
}

fn absolute(limit: f64, is_inclusive: bool) -> GaugeLine {
    GaugeLine::Absolute {
        limit,
        bad: Side::Above,
        is_inclusive,
        has_control: true,
    }
}

fn stream(case: &Value, line: GaugeLine, unit: GaugeUnit) -> GaugeStream {
    let planned = usize::try_from(case["planned"].as_u64().unwrap()).unwrap();
    let mut settings = GaugeSettings::new(line, unit, number(case, "step"), planned);
    settings.votes_at_its_ratio = true;
    settings.cold_start_seconds = case["cold_start"].as_f64().unwrap_or(COLD_START_SECONDS);
    settings.past = past(&case["history"]);
    GaugeStream::new(settings)
}

fn past(table: &Value) -> Option<Arc<GaugePast>> {
    let mut values: Vec<PastVariance> = table
        .as_object()?
        .iter()
        .map(|(length, pair)| PastVariance {
            length: length.parse().unwrap(),
            variance: numbers(pair)[0],
            degrees_of_freedom: numbers(pair)[1],
        })
        .collect();
    values.sort_by_key(|one| one.length);
    Some(Arc::new(GaugePast::new(values, Vec::new()).unwrap()))
}

fn pods_at(table: &Value, at: usize) -> Vec<PodValue> {
    let Some(table) = table.as_object() else {
        return Vec::new();
    };
    let value = |(name, values): (&String, &Value)| {
        Some(PodValue {
            pod: name.as_str().into(),
            value: values[at].as_f64()?,
        })
    };
    table.iter().filter_map(value).collect()
}

/// The samples of a case; `limit_ratio` times the control is its limit, if it has one.
fn samples(case: &Value, limit_ratio: Option<f64>) -> Vec<GaugeSample> {
    let canary = optional(&case["canary"]);
    let step = number(case, "step");
    let control_at = |at: usize| match limit_ratio {
        Some(ratio) => Some(case["limit"][at].as_f64()? / ratio),
        None => case["control"][at].as_f64(),
    };
    let sample = |(at, canary): (usize, &Option<f64>)| GaugeSample {
        at_seconds: step * (at + 1) as f64,
        canary: *canary,
        control: control_at(at),
        canary_pods: pods_at(&case["canary_pods"], at),
        control_pods: pods_at(&case["control_pods"], at),
        canary_age_seconds: case["ages"][at].as_f64(),
        ..GaugeSample::default()
    };
    canary.iter().enumerate().map(sample).collect()
}

/// Feeds the samples and holds all that the case has: of each sample, or of those that are used.
fn hold(case: &Value, stream: &mut GaugeStream, samples: &[GaugeSample]) {
    let name = case["name"].as_str().unwrap_or("the case");
    let mut used = 0;
    for sample in samples {
        stream.push(sample);
        if stream.samples() == used {
            continue;
        }
        used = stream.samples();
        let at = used - 1;
        let what = format!("{name}, sample {used}");
        if let Some(expected) = case["violation"].get(at) {
            assert_evidence(stream.log_evidence(), expected.as_f64().unwrap(), &what);
        }
        if used >= FEWEST_SAMPLES && case["spread"].is_array() {
            assert_spread(
                stream.spread(),
                &case["spread"][used - FEWEST_SAMPLES],
                &what,
            );
        }
        let promotion = stream.promotion(ErrorRate::PROMOTION);
        if let Some(expected) = case["kept_ln"].get(at) {
            assert_evidence(promotion.log_evidence, expected.as_f64().unwrap(), &what);
        }
        if let Some(expected) = case["kept"].get(at) {
            assert_eq!(Some(promotion.is_compliant), expected.as_bool(), "{what}");
        }
        if let Some(expected) = case["newest_is_shared"].get(at) {
            assert_eq!(
                Some(stream.is_newest_of_the_environment()),
                expected.as_bool(),
                "{what}"
            );
        }
    }
    assert!(used > 0);
}

#[test]
fn every_group_is_held() {
    let all = all();
    let known = || GROUPS.iter().chain(&MORE_GROUPS);
    for name in all.as_object().unwrap().keys() {
        assert!(known().any(|known| known == name), "{name}");
    }
    assert_eq!(all.as_object().unwrap().len(), known().count());
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

#[test]
fn evidence_of_a_relative_limit_is_that_of_the_reference() {
    for case in group("path", 13) {
        let mut stream = stream(&case, relative(1.0), GaugeUnit::Other);
        hold(&case, &mut stream, &samples(&case, Some(1.0)));
    }
    let with_pods = group("path_with_pods", 1).into_iter();
    for case in with_pods
        .chain(group("path_cold", 3))
        .chain(group("path_earlier_windows", 1))
    {
        let ratio = number(&case, "r");
        let mut stream = stream(&case, relative(ratio), GaugeUnit::Other);
        hold(&case, &mut stream, &samples(&case, Some(ratio)));
    }
}

#[test]
fn earlier_windows_count_of_a_start_too() {
    for case in group("path_earlier_windows", 1) {
        let ratio = number(&case, "r");
        let mut stream = stream(&case, relative(ratio), GaugeUnit::Other);
        for (at, sample) in samples(&case, Some(ratio)).iter().enumerate() {
            if at == 20 {
                stream.begin_stage();
            }
            stream.push(sample);
            if at >= 22 {
                let expected = &case["spread_from_20"][at - 22];
                assert_spread(stream.spread_of_the_stage(), expected, &format!("at {at}"));
            }
        }
    }
}

#[test]
fn evidence_of_an_absolute_limit_is_that_of_the_reference() {
    let cases = group("path_absolute", 14)
        .into_iter()
        .map(|case| (case, GaugeUnit::Other));
    let numbers = group("path_absolute_number", 5).into_iter();
    let late = group("path_late", 2)
        .into_iter()
        .map(|case| (case, GaugeUnit::Other));
    for (case, unit) in cases
        .chain(numbers.map(|case| (case, GaugeUnit::Number)))
        .chain(late)
    {
        let limit = case["limit"]
            .as_f64()
            .or(case["limit"][0].as_f64())
            .unwrap();
        let mut stream = stream(&case, absolute(limit, true), unit);
        hold(&case, &mut stream, &samples(&case, None));
    }
    for case in group("path_environment", 3) {
        let mut stream = stream(&case, absolute(1.0, true), GaugeUnit::Other);
        hold(&case, &mut stream, &samples(&case, None));
    }
    for case in group("path_absolute_with_pods", 2) {
        let limit = absolute(number(&case, "delta"), true);
        let mut stream = stream(&case, limit, GaugeUnit::Other);
        hold(&case, &mut stream, &samples(&case, None));
    }
    for case in group("path_number_of_pods", 3) {
        let mut stream = stream(
            &case,
            absolute(number(&case, "limit"), true),
            GaugeUnit::Number,
        );
        let mut samples = samples(&case, None);
        for (sample, pods) in samples.iter_mut().zip(numbers_of(&case["pods"])) {
            let value = sample.canary.unwrap();
            let pod = |place: usize| PodValue {
                pod: format!("{place}").into(),
                value,
            };
            sample.canary_pods = (0..pods).map(pod).collect();
        }
        hold(&case, &mut stream, &samples);
    }
}

fn numbers_of(list: &Value) -> Vec<usize> {
    super::support::wholes(list)
}

#[test]
fn a_stage_shows_what_its_own_samples_do() {
    for case in group("path_stage_from_9", 1) {
        let mut stream = stream(&case, relative(1.0), GaugeUnit::Other);
        let kept = flags(&case["kept"]);
        let log_evidence = numbers(&case["kept_ln"]);
        let violation = numbers(&case["violation"]);
        for (at, sample) in samples(&case, Some(1.0)).iter().enumerate() {
            if at == 9 {
                stream.begin_stage();
            }
            let found = stream.push(sample);
            assert_evidence(found, violation[at], &format!("at {at}"));
            if at >= 9 {
                let promotion = stream.promotion(ErrorRate::PROMOTION);
                assert_evidence(
                    promotion.log_evidence,
                    log_evidence[at],
                    &format!("at {at}"),
                );
                assert_eq!(promotion.is_compliant, kept[at], "at {at}");
            }
        }
    }
    for case in group("own_limit", 2) {
        let line = GaugeLine::Relative {
            ratio: number(&case, "own_limit"),
            offset: 0.0,
            bad: Side::Above,
            promotion_ratio: Some(number(&case, "promotion_limit")),
        };
        let case = json!({"canary": vec![1.4; 40], "control": vec![1.0; 40], "step": 60.0,
            "planned": 60, "is_kept": case["kept"]});
        let mut stream = stream(&case, line, GaugeUnit::Other);
        for sample in samples(&case, None) {
            stream.push(&sample);
        }
        let found = stream.promotion(ErrorRate::PROMOTION);
        assert_eq!(
            Some(found.is_compliant),
            case["is_kept"].as_bool(),
            "{case}"
        );
        assert_eq!(found.is_suspected, !found.is_compliant);
    }
    for case in group("on_the_limit", 4) {
        let value = number(&case, "constant");
        let line = absolute(value, case["inclusive"].as_bool().unwrap());
        let kept = case["kept"].as_bool();
        let case = json!({"canary": vec![value; 5], "step": 60.0, "planned": 60});
        let mut stream = stream(&case, line, GaugeUnit::Other);
        for sample in samples(&case, None) {
            stream.push(&sample);
        }
        assert_eq!(
            Some(stream.promotion(ErrorRate::PROMOTION).is_compliant),
            kept,
            "{case}"
        );
    }
}

#[test]
fn what_is_suspected_or_enough_is_that_of_the_reference() {
    for case in group("suspected", 4) {
        let own = numbers(&case["own"]);
        let settings = json!({"canary": own, "step": 60.0, "planned": 60});
        let mut stream = stream(&settings, absolute(0.0, true), GaugeUnit::Other);
        for sample in samples(&settings, None) {
            stream.push(&sample);
        }
        let found = stream.promotion(ErrorRate::PROMOTION);
        assert_eq!(
            Some(found.is_suspected),
            case["suspected"].as_bool(),
            "{case}"
        );
    }
    for case in group("judged", 3) {
        let times = numbers(&case["times"]);
        let found = is_enough(times.len(), times[times.len() - 1] - times[0]);
        assert_eq!(Some(found), case["judged"].as_bool(), "{case}");
    }
    for case in group("baseline_negative", 2) {
        let settings = json!({"canary": [1.0, 1.0, 1.0], "control": case["control"], "step": 60.0,
            "planned": 60});
        let mut stream = stream(&settings, relative(1.25), GaugeUnit::Other);
        for sample in samples(&settings, None) {
            stream.push(&sample);
        }
        assert_eq!(
            Some(stream.is_baseline_negative()),
            case["negative"].as_bool(),
            "{case}"
        );
    }
}

#[test]
fn a_share_near_1_is_judged_by_its_failures() {
    for case in group("complement", 1) {
        let ratio = number(&case, "r");
        assert_near(
            complement_offset(ratio, 0.0),
            number(&case, "offset"),
            "offset",
        );
        let line = GaugeLine::Relative {
            ratio,
            offset: 0.0,
            bad: Side::Below,
            promotion_ratio: None,
        };
        let mut direct = stream(&case, line, GaugeUnit::Fraction);
        // At the wide ratio, for want of pods.
        let mut settings = direct.settings().clone();
        settings.votes_at_its_ratio = false;
        direct = GaugeStream::new(settings);
        hold(&case, &mut direct, &samples(&case, None));
        assert!(direct.is_judged_by_failures() && direct.is_judged_at_the_wide_ratio());
    }
}

#[test]
fn what_is_missing_is_no_sample() {
    for case in group("path_with_missing", 1) {
        let mut stream = stream(&case, relative(number(&case, "r")), GaugeUnit::Other);
        hold(&case, &mut stream, &samples(&case, None));
        assert_eq!(stream.samples(), case["used"].as_array().unwrap().len());
        let lacking = stream.promotion(ErrorRate::PROMOTION).is_lacking;
        assert_eq!(Some(lacking), case["lacking"].as_bool());
    }
    for case in group("lacking", 5) {
        let is_absolute = case["absolute"].as_bool().unwrap();
        let control = optional(&case["control"]);
        let both = optional(&case["canary"]).into_iter().zip(control);
        let each: Vec<(bool, bool)> = both
            .map(|(canary, control)| what_lacks(canary, control, is_absolute))
            .collect();
        let with_a_value = each.iter().filter(|one| one.0).count();
        let found = is_lacking(with_a_value, each.iter().filter(|one| one.1).count());
        assert_eq!(Some(found), case["lacking"].as_bool(), "{case}");
    }
}

#[test]
fn pods_differ_as_the_reference_says() {
    for case in group("pods", 5) {
        let (from, to) = (number(&case, "from"), number(&case, "to"));
        let mut of_pods = case.clone();
        of_pods["control_pods"] = case["control"].clone();
        of_pods["canary_pods"] = case["canary"].clone();
        of_pods["canary"] = json!(vec![0.0; 10]);
        of_pods["step"] = json!(60.0);
        of_pods["planned"] = json!(60);
        let mut stream = stream(&of_pods, absolute(1.0, true), GaugeUnit::Other);
        for (at, sample) in samples(&of_pods, Some(1.0)).iter().enumerate() {
            if at as f64 >= to {
                break;
            }
            if at as f64 == from {
                stream.begin_stage();
            }
            stream.push(&GaugeSample {
                control: None,
                ..sample.clone()
            });
        }
        let found = stream.pods_of_the_stage();
        let expected = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        assert_near(
            found.relative_variance,
            number(&case, "relative_variance"),
            "variance",
        );
        assert_eq!(found.degrees_of_freedom, expected("df"), "{case}");
        assert_eq!(found.canary_pods, expected("canary_pods"), "{case}");
        assert_eq!(found.control_pods, expected("control_pods"), "{case}");
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
