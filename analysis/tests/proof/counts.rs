//! `counts.json`.

use serde_json::Value;
use serinus_analysis::proof::{
    Counted, Expected, Input, Interval, Kept, Line, Member, PastNoise, PodSquares, Promotion,
    Rollout, Schedule, Settings, Stream, assumed_variation, cap_without_noise,
    default_interval_seconds, growth_of_compliance, growth_of_violation,
    is_beyond_a_broken_control, stream_weights, winsor_factor,
};
use serinus_analysis::sequential::{
    AbsoluteLimit, CountLaw, ErrorRate, IntervalCounts, RelativeLimit, Side,
};
use serinus_analysis::series::ArmCount;

use super::support::{
    assert_all_near, assert_near, counts, interval, numbers, rows, settings, wholes,
};

fn group(name: &str) -> Value {
    let text = include_str!("../data/vectors/counts.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all.get(name).unwrap_or_else(|| panic!("no {name}")).clone()
}

/// The cases of a group, which must be as many as said, so that no test passes on an empty list.
fn cases(name: &str, expected: usize) -> Vec<Value> {
    let cases = group(name).as_array().unwrap().clone();
    assert_eq!(cases.len(), expected, "{name}");
    cases
}

/// The starts that are reached.
fn reached(planned: &[usize], marks: &[usize], now: usize) -> Vec<(usize, f64)> {
    let mut schedule = Schedule::new(planned.to_vec());
    let mut later = marks.iter().skip(1).peekable();
    let mut starts = Vec::new();
    for at in 0..now {
        while later.next_if(|mark| **mark == at).is_some() {
            schedule.begin_stage(at);
        }
        starts.extend(schedule.start_at(at).map(|start| (start.at, start.weight)));
    }
    starts
}

/// A stream of one stage, by interval.
fn walk(
    settings: Settings,
    planned: usize,
    intervals: &[Interval],
    mut look: impl FnMut(&Stream, &Interval),
) -> Vec<f64> {
    let mut stream = Stream::new(settings, 1);
    let mut schedule = Schedule::new(vec![planned]);
    let mut path = Vec::new();
    for (at, one) in intervals.iter().enumerate() {
        if let Some(start) = schedule.start_at(at) {
            stream.begin(start);
        }
        stream.push(std::slice::from_ref(one), PodSquares::default());
        path.push(stream.log_evidence(None));
        look(&stream, one);
        stream.let_go(None);
    }
    path
}

#[test]
fn the_grid_follows_the_scrape() {
    for case in cases("grid", 10) {
        let scrape = case["scrape_seconds"].as_f64().unwrap();
        let seconds = default_interval_seconds(scrape);
        assert_eq!(u64::from(seconds), case["interval"].as_u64().unwrap());
        let variation = assumed_variation(Counted::Events, f64::from(seconds));
        assert_near(
            variation,
            case["assumed_variation"].as_f64().unwrap(),
            "variation",
        );
        let cap = cap_without_noise(f64::from(seconds));
        assert_near(cap, case["cap"].as_f64().unwrap(), "cap");
    }
}

fn kept(options: &Value) -> Kept {
    match options["p0"].as_f64() {
        Some(limit) => {
            let law = if options["poisson"].as_bool().unwrap_or(false) {
                CountLaw::Poisson
            } else {
                CountLaw::Bernoulli
            };
            Kept::Absolute(AbsoluteLimit::new(limit, Side::Below, law).unwrap())
        }
        None => Kept::Relative(RelativeLimit::new(2.0, 0.001, Side::Below).unwrap()),
    }
}

#[test]
fn evidence_compliance_veto_and_noise_are_those_of_the_reference() {
    for case in cases("evidence", 25) {
        let name = case["name"].as_str().unwrap();
        let options = &case["options"];
        let planned = wholes(&case["planned"])[0];
        let all: Vec<Interval> = rows(&case["x_n_y_m"])
            .into_iter()
            .map(Interval::from)
            .collect();
        let mut promotion = Promotion::new(kept(options));
        let (mut compliance, mut veto, mut noise) = (Vec::new(), Vec::new(), Vec::new());
        let mut environment = Vec::new();
        let path = walk(settings(options), planned, &all, |stream, one| {
            stream.push_into(&mut promotion, std::slice::from_ref(one));
            compliance.push(stream.compliance(&promotion));
            veto.push(stream.beyond_its_limit(&promotion, None));
            if stream.is_of_the_environment() {
                environment.push(stream.intervals() - 1);
            }
            noise.push([stream.dispersion(None), stream.dispersion_of_the_stage()]);
        });
        assert_all_near(
            &path,
            &numbers(&case["log_e"]),
            &format!("{name}, evidence"),
        );
        assert_all_near(&veto, &numbers(&case["veto"]), &format!("{name}, veto"));
        assert_eq!(environment, wholes(&case["environment"]), "{name}");
        if options.get("higher").is_none() {
            let expected = numbers(&case["compliance_R_2_delta_0.001"]);
            assert_all_near(&compliance, &expected, &format!("{name}, compliance"));
        }
        let expected = case["D_nu_of_violation_and_of_compliance"]
            .as_array()
            .unwrap();
        for (index, (found, expected)) in noise.iter().zip(expected).enumerate() {
            let expected = numbers(expected);
            for (found, expected) in found.iter().zip(expected.chunks(2)) {
                // Before the first data nothing is divided.
                let Some(found) = found else { continue };
                assert_near(found.value, expected[0], &format!("{name}, D at {index}"));
                let known = found.degrees_of_freedom;
                assert_near(known, expected[1], &format!("{name}, nu at {index}"));
            }
        }
        let first = path
            .iter()
            .position(|one| *one >= ErrorRate::ROLLBACK.log_threshold());
        let expected = case["first_at_alpha_0.01"].as_u64();
        assert_eq!(first.map(|at| at as u64 + 1), expected, "{name}");
    }
}

#[test]
fn young_processes_are_seen_by_the_breaker_alone() {
    let case = group("warm_up");
    let young = case["young_intervals"].as_u64().unwrap();
    let intervals: Vec<Interval> = rows(&case["x_n_y_m"])
        .into_iter()
        .enumerate()
        .map(|(at, counts)| {
            if (at as u64) < young {
                let control = IntervalCounts {
                    canary: ArmCount::default(),
                    ..counts
                };
                Interval {
                    counts: control,
                    young: counts.canary,
                    ..Interval::default()
                }
            } else {
                Interval::from(counts)
            }
        })
        .collect();
    let settings = settings(&serde_json::json!({"r": 1.1}));
    let path = walk(settings, 120, &intervals, |_, _| {});
    assert_all_near(&path, &numbers(&case["log_e"]), "warm-up");
}

#[test]
fn starts_have_the_weights_of_the_reference() {
    for case in cases("start_weights", 9) {
        let (planned, marks) = (wholes(&case["planned"]), wholes(&case["marks"]));
        let now = usize::try_from(case["now"].as_u64().unwrap()).unwrap();
        let starts = reached(&planned, &marks, now);
        let expected = case["starts"].as_array().unwrap();
        assert_eq!(starts.len(), expected.len(), "{case}");
        for ((at, weight), expected) in starts.iter().zip(expected) {
            let expected = numbers(expected);
            assert_near(*at as f64, expected[0], "place");
            assert_near(*weight, expected[1], "weight");
        }
    }
}

#[test]
fn streams_share_what_may_be_spent_once() {
    for case in cases("stream_weights", 2) {
        let names: Vec<String> = case["weights"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let stages: Vec<Vec<(usize, f64)>> = case["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stage| {
                let named = stage.as_object().unwrap().iter();
                let place = |name: &String| names.iter().position(|one| one == name).unwrap();
                named
                    .map(|(name, weight)| (place(name), weight.as_f64().unwrap()))
                    .collect()
            })
            .collect();
        for (name, weight) in names.iter().zip(stream_weights(names.len(), &stages)) {
            assert_near(weight, case["weights"][name].as_f64().unwrap(), name);
        }
    }
}

#[test]
fn all_streams_of_a_rollout_are_one_mean_through_all_stages() {
    for case in cases("rollout", 2) {
        let names = ["a", "b"];
        let data = names.map(|name| rows(&case["x_n_y_m"][name]));
        let planned = wholes(&case["planned"]);
        let marks = wholes(&case["marks"]);
        let anew = usize::try_from(case["override"].as_u64().unwrap()).unwrap();
        let members = names.map(|name| {
            let ratio = case["limits"][name].as_f64().unwrap();
            let settings = settings(&serde_json::json!({"r": ratio}));
            let weight = case["weights"][name].as_f64().unwrap();
            Member::new(Stream::new(settings, 1), weight, None)
        });
        let mut rollout = Rollout::new(planned, members.into());
        let stages = case["stages"].as_array().unwrap();
        let mut stage = 0;
        let mut path = Vec::new();
        for at in 0..data[1].len() {
            while marks.get(stage + 1) == Some(&at) {
                stage += 1;
                rollout.begin_stage();
            }
            if anew > 0 && at == anew {
                rollout.begin_anew();
            }
            rollout.ask(|place| stages[stage].get(names[place]).is_some());
            let now =
                [0, 1].map(|place| interval(data[place].get(at).copied().unwrap_or_default()));
            let inputs = [0, 1].map(|place| Input {
                lanes: &now[place],
                ..Input::default()
            });
            path.push(rollout.push(&inputs));
        }
        assert_all_near(&path, &numbers(&case["combined"]), "combined");
        for (member, name) in rollout.members().iter().zip(names) {
            let expected = case["last"][name].as_f64().unwrap_or(0.0);
            assert_near(member.log_evidence(), expected, name);
        }
    }
}

#[test]
fn the_environment_is_where_the_control_is_visibly_beyond() {
    let case = group("environment");
    let limit = AbsoluteLimit::new(0.01, Side::Above, CountLaw::Bernoulli).unwrap();
    let settings = Settings {
        line: Line::Absolute {
            limit,
            has_control: true,
        },
        interval_seconds: 30.0,
        counted: Counted::Events,
        past: None,
    };
    let all: Vec<Interval> = case["control_y_m"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let row = numbers(row);
            Interval::from(counts(&[0.0, 0.0, row[0], row[1]]))
        })
        .collect();
    let mut left_out = Vec::new();
    walk(settings, 120, &all, |stream, _| {
        if stream.is_of_the_environment() {
            left_out.push(stream.intervals() - 1);
        }
    });
    assert_eq!(left_out, wholes(&case["left_out"]));
}

#[test]
fn no_mixture_expects_more_than_one_where_the_limit_is_kept() {
    let binomial = |n: u32, p: f64| -> Vec<f64> {
        let choose = |k: u32| (0..k).fold(1.0, |all, i| all * f64::from(n - i) / f64::from(i + 1));
        (0..=n)
            .map(|k| {
                let (hit, miss) = (
                    p.powi(k.cast_signed()),
                    (1.0 - p).powi((n - k).cast_signed()),
                );
                choose(k) * hit * miss
            })
            .collect()
    };
    for case in cases("validity_expectations", 24) {
        let number = |key: &str| case[key].as_f64().unwrap();
        let whole = |key: &str| u32::try_from(case[key].as_u64().unwrap()).unwrap();
        let limit = AbsoluteLimit::new(number("p0"), Side::Above, CountLaw::Bernoulli).unwrap();
        let excused = RelativeLimit::new(1.25, 0.0, Side::Above).unwrap();
        let mut expectation = 0.0;
        for (x, a) in binomial(whole("n"), number("p")).into_iter().enumerate() {
            for (y, b) in binomial(whole("m"), number("p_control"))
                .into_iter()
                .enumerate()
            {
                let counts = counts(&[x as f64, number("n"), y as f64, number("m")]);
                let rho = number("rho");
                let increment =
                    serinus_analysis::sequential::absolute_increment(&counts.canary, &limit, rho)
                        .min(serinus_analysis::sequential::relative_increment(
                            &counts, &excused, rho,
                        ));
                expectation += a * b * increment.min(number("cap")).exp();
            }
        }
        assert_near(expectation, number("expectation"), "expectation");
        assert!(expectation <= 1.0 + 1e-12);
    }
}

#[test]
fn a_kill_switch_asks_whether_the_canary_is_worse_than_a_broken_control() {
    for case in cases("kill_switch", 4) {
        let found = is_beyond_a_broken_control(&counts(&numbers(&case["x_n_y_m"])));
        assert_eq!(Some(found), case["beyond_1.25_control"].as_bool(), "{case}");
    }
}

#[test]
fn histories_are_measured_without_their_incidents() {
    for case in cases("history", 5) {
        let name = case["name"].as_str().unwrap();
        let rows = rows(&case["x_n_y_m"]);
        let alone = &case["alone"];
        let pairs = [
            (PastNoise::measure(&rows, 1.0), &case["h"], &case["L"]),
            (PastNoise::measure_alone(&rows), &alone["h"], &alone["L"]),
        ];
        for (found, mean, by_length) in pairs {
            let Some(found) = found else {
                assert!(mean.is_null(), "{name}");
                continue;
            };
            assert_near(
                found.mean_effective_exposure(),
                mean.as_f64().unwrap(),
                name,
            );
            let expected = by_length.as_object().unwrap();
            assert_eq!(found.by_length().len(), expected.len(), "{name}");
            for (length, value, known) in found.by_length() {
                let expected = numbers(&expected[&length.to_string()]);
                assert_near(*value, expected[0], &format!("{name}, D of {length}"));
                assert_near(*known, expected[1], &format!("{name}, nu of {length}"));
            }
        }
    }
}

#[test]
fn plans_are_those_of_the_reference() {
    for case in cases("planning", 17) {
        let number = |key: &str| case[key].as_f64().unwrap();
        let (n, m, p) = (number("n"), number("m"), number("p"));
        let expected = |times: f64| Expected {
            counts: counts(&[times * n * p, n, m * p, m]),
            counted: Counted::Events,
            interval_seconds: 30.0,
        };
        if let Some(times) = case["lambda"].as_f64() {
            let expected = expected(times);
            let line = Line::Relative(RelativeLimit::new(number("r"), 0.0, Side::Above).unwrap());
            let growth = growth_of_violation(&line, &expected.counts);
            assert_near(growth, number("growth"), "growth");
            let noise = expected.assumed_noise(None);
            let found = expected.intervals_to_roll_back(&line, &noise, ErrorRate::ROLLBACK);
            let found = found.map(|one| one as u64);
            assert_eq!(found, case["rollback"].as_u64(), "{case}");
        } else {
            let expected = expected(1.0);
            let limit = RelativeLimit::new(number("R"), number("delta"), Side::Below).unwrap();
            let kept = Kept::Relative(limit);
            let growth = growth_of_compliance(&kept, &expected.counts);
            assert_near(growth, number("growth"), "growth");
            let noise = expected.assumed_noise(None);
            let found = expected.intervals_to_promote(&kept, &noise, ErrorRate::PROMOTION);
            let found = found.map(|one| one as u64);
            assert_eq!(found, case["promote"].as_u64(), "{case}");
        }
    }
}

#[test]
fn the_factor_of_a_winsorised_mean_is_that_of_its_law() {
    for case in cases("winsor_factor", 4) {
        let found = winsor_factor(case["share"].as_f64().unwrap()).unwrap();
        assert_near(found, case["factor"].as_f64().unwrap(), "factor");
    }
}
