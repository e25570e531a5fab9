//! `gauges.json`: what samples prove, sample by sample.

use std::sync::Arc;

use serde_json::{Value, json};
use serinus_analysis::proof::gauge::{
    COLD_START_SECONDS, FEWEST_SAMPLES, GaugeLine, GaugePast, GaugeSample, GaugeSettings,
    GaugeSpread, GaugeStream, GaugeUnit, PastVariance, PodValue, complement_offset, is_enough,
    is_lacking, what_lacks,
};
use serinus_analysis::sequential::{ErrorRate, Side};

use super::gauge_vectors::{assert_evidence, flags, group, number, optional};
use super::support::{assert_near, numbers, wholes};

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

/// A limit of so many times the control.
fn relative(ratio: f64) -> GaugeLine {
    GaugeLine::Relative {
        ratio,
        offset: 0.0,
        bad: Side::Above,
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
    // The reference asks the promotion at the same limit.
    let same = match line {
        GaugeLine::Relative { ratio, .. } => Some(ratio),
        _ => None,
    };
    settings.promotion_ratios.extend(same);
    let mut stream = GaugeStream::new(settings);
    stream.begin_stage(same);
    stream
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
                stream.begin_stage(None);
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
    wholes(list)
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
                stream.begin_stage(Some(1.0));
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
        };
        let case = json!({"canary": vec![1.4; 40], "control": vec![1.0; 40], "step": 60.0,
            "planned": 60, "is_kept": case["kept"]});
        let mut stream = stream(&case, line, GaugeUnit::Other);
        // At `max(2, 1.25 r)`, which is 2 for both.
        stream.begin_stage(None);
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
        let lacking = stream.is_stage_lacking();
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
        let whole = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let (from, to) = (whole("from"), whole("to"));
        let mut of_pods = case.clone();
        of_pods["control_pods"] = case["control"].clone();
        of_pods["canary_pods"] = case["canary"].clone();
        of_pods["canary"] = json!(vec![0.0; 10]);
        of_pods["step"] = json!(60.0);
        of_pods["planned"] = json!(60);
        let mut stream = stream(&of_pods, absolute(1.0, true), GaugeUnit::Other);
        for (at, sample) in samples(&of_pods, Some(1.0)).iter().enumerate() {
            if at >= to {
                break;
            }
            if at == from {
                stream.begin_stage(None);
            }
            stream.push(&GaugeSample {
                control: None,
                ..sample.clone()
            });
        }
        let found = stream.pods_of_the_stage();
        assert_near(
            found.relative_variance,
            number(&case, "relative_variance"),
            "variance",
        );
        assert_eq!(found.degrees_of_freedom, whole("df"), "{case}");
        assert_eq!(found.canary_pods, whole("canary_pods"), "{case}");
        assert_eq!(found.control_pods, whole("control_pods"), "{case}");
    }
}
