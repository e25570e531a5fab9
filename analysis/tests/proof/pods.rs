//! `pods.json`.

use std::collections::BTreeMap;

use serde_json::Value;
use serinus_analysis::proof::{
    Drawn, Interval, Kept, PodPlace, PodSquares, Pods, Promotion, Schedule, Spread, Stream,
    differing_pods,
};
use serinus_analysis::sequential::{IntervalCounts, RelativeLimit, Side};
use serinus_analysis::series::ArmCount;

use super::support::{assert_all_near, assert_near, numbers, settings};

fn cases(name: &str, expected: usize) -> Vec<Value> {
    let text = include_str!("../data/vectors/pods.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let cases = all[name].as_array().unwrap().clone();
    assert_eq!(cases.len(), expected, "{name}");
    cases
}

/// What each pod had, of one interval.
fn of_pods(row: &Value) -> Vec<(String, ArmCount)> {
    let pods = row.as_array().unwrap().iter();
    pods.map(|pod| {
        let count = ArmCount {
            events: pod[1].as_f64().unwrap(),
            exposure: pod[2].as_f64().unwrap(),
        };
        (pod[0].as_str().unwrap().to_owned(), count)
    })
    .collect()
}

fn placed(pods: &mut Pods, row: &[(String, ArmCount)]) -> Vec<(PodPlace, ArmCount)> {
    let each = row.iter();
    each.map(|(name, count)| (pods.place_of(name).unwrap(), *count))
        .collect()
}

fn sum(row: &[(String, ArmCount)]) -> ArmCount {
    row.iter()
        .fold(ArmCount::default(), |sum, (_, one)| sum.and(*one))
}

fn squares(row: &[(String, ArmCount)]) -> f64 {
    row.iter().map(|(_, one)| one.exposure * one.exposure).sum()
}

#[test]
fn what_the_controls_pods_differ_by_is_that_of_the_reference() {
    for case in cases("spread", 7) {
        let name = case["name"].as_str().unwrap();
        let mut pods = Pods::new(1.0);
        for row in case["control"].as_array().unwrap() {
            let row = of_pods(row);
            let row = placed(&mut pods, &row);
            pods.push(&row);
        }
        assert_eq!(pods.left_out(), case["left_out"].as_str(), "{name}");
        let (by_length, whole) = pods.sums();
        let (beyond, if_one): (Vec<f64>, Vec<f64>) = by_length.into_iter().unzip();
        assert_all_near(&beyond, &numbers(&case["S"]), &format!("{name}, S"));
        assert_all_near(&if_one, &numbers(&case["T"]), &format!("{name}, T"));
        let whole = [whole.0, whole.1];
        assert_all_near(
            &whole,
            &numbers(&case["whole_S_T"]),
            &format!("{name}, whole"),
        );
        for (length, expected) in case["tau2_df"].as_object().unwrap() {
            let expected = numbers(expected);
            let found = pods.over(length.parse().unwrap());
            assert_near(
                found.variance,
                expected[0],
                &format!("{name}, tau2 over {length}"),
            );
            assert_near(
                found.degrees_of_freedom,
                expected[1],
                &format!("{name}, df"),
            );
        }
    }
}

/// The two forms of the same rollouts: evidence, veto and noise at each interval.
#[test]
fn evidence_and_veto_are_widened_as_the_reference_does() {
    for case in cases("path", 3) {
        let name = case["name"].as_str().unwrap();
        let mut pods = Pods::new(1.0);
        for row in case["hour_before"].as_array().unwrap() {
            let row = of_pods(row);
            let row = placed(&mut pods, &row);
            pods.push(&row);
        }
        let mut stream = Stream::new(settings(&serde_json::json!({"r": 1.1})), 1);
        let mut schedule = Schedule::new(vec![40]);
        let kept = RelativeLimit::new(2.0, 0.0, Side::Below).unwrap();
        let mut promotion = Promotion::new(Kept::Relative(kept));
        let (mut path, mut veto, mut noise) = (Vec::new(), Vec::new(), Vec::new());
        let both = case["control"].as_array().unwrap().iter();
        let both = both.zip(case["canary"].as_array().unwrap());
        for (at, (control, canary)) in both.enumerate() {
            let (control, canary) = (of_pods(control), of_pods(canary));
            if let Some(start) = schedule.start_at(at) {
                stream.begin(start);
            }
            let interval = [Interval::from(IntervalCounts {
                control: sum(&control),
                canary: sum(&canary),
            })];
            let of_pods = PodSquares {
                canary: squares(&canary),
                control: squares(&control),
            };
            stream.push(&interval, of_pods);
            let row = placed(&mut pods, &control);
            pods.push(&row);
            stream.push_into(&mut promotion, &interval);
            path.push(stream.log_evidence(Some(&pods)));
            veto.push(stream.beyond_its_limit(&promotion, Some(&pods)));
            let dispersion = stream.dispersion(Some(&pods)).unwrap();
            noise.extend([dispersion.value, dispersion.degrees_of_freedom]);
        }
        assert_all_near(
            &path,
            &numbers(&case["log_e"]),
            &format!("{name}, evidence"),
        );
        assert_all_near(&veto, &numbers(&case["veto"]), &format!("{name}, veto"));
        let expected: Vec<f64> = case["D_nu"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(numbers)
            .collect();
        assert_all_near(&noise, &expected, &format!("{name}, noise"));
    }
}

#[test]
fn canary_pods_that_differ_are_named() {
    for case in cases("differing_pods", 3) {
        let canary: BTreeMap<String, ArmCount> = case["canary"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, pair)| {
                let pair = numbers(pair);
                let count = ArmCount {
                    events: pair[0],
                    exposure: pair[1],
                };
                (name.clone(), count)
            })
            .collect();
        let found: Vec<String> = differing_pods(&canary)
            .into_iter()
            .map(|one| one.0)
            .collect();
        let expected: Vec<&str> = case["pods"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn a_pod_whose_incident_is_over_says_nothing_of_what_pods_differ_by() {
    let names = ["one", "two", "three", "four"];
    let interval = |at: usize| {
        names.map(|name| {
            let is_ill = name == "one" && (200..260).contains(&at);
            let events = if is_ill { 75.0 } else { 4.0 };
            (
                name.to_owned(),
                ArmCount {
                    events,
                    exposure: 750.0,
                },
            )
        })
    };
    let mut pods = Pods::new(1.0);
    let past: Vec<Vec<(PodPlace, ArmCount)>> = (0..480)
        .map(|at| {
            let now = interval(at);
            let placed = now
                .iter()
                .map(|(name, count)| (pods.place_of(name).unwrap(), *count));
            placed.collect()
        })
        .collect();
    let mut as_it_came = pods.clone();
    pods.push_past(&past);
    for one in &past {
        as_it_came.push(one);
    }
    assert_eq!(pods.left_out(), Some("one"));
    assert!(pods.over(60).variance < 0.001, "{:?}", pods.over(60));
    assert!(
        as_it_came.over(60).variance > 0.01,
        "{:?}",
        as_it_came.over(60)
    );
}

/// With a variance of .05 and ten control pods, evidence of 10 needs a growth of `10 * .05 * (1 / c + 1 / 10)`: twice
/// the limit has `2 ln 2 - 1 = .386`, so one canary pod (.55) is too few and two (.3) are enough. With one,
/// `λ ln λ − λ + 1 = .55` at λ = 2.2194 (solved by bisection elsewhere). Evidence of 100 needs .5 beside any number.
#[test]
fn what_would_prove_a_canary_among_pods_that_differ() {
    let spread = Spread {
        variance: 0.05,
        degrees_of_freedom: 9.0,
    };
    let one = Drawn {
        one_over_canary_pods: 1.0,
        one_over_control_pods: 0.1,
    };
    assert_eq!(one.canary_pods_to_prove(2.0, spread, (10.0, 20)), Some(2));
    assert_eq!(one.canary_pods_to_prove(2.0, spread, (100.0, 20)), None);
    assert_eq!(one.canary_pods_to_prove(2.3, spread, (10.0, 20)), Some(1));
    assert_eq!(one.canary_pods_to_prove(1.0, spread, (10.0, 20)), None);
    let times = one.times_to_prove(spread, 10.0);
    assert!((times - 2.219_415_6).abs() < 1e-3, "{times}");
    // Ten control pods: 9 + 10 * .25 / 9.25.
    assert!((spread.known() - 9.270_270_27).abs() < 1e-6);
}
