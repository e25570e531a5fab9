//! `latency.json`.

use serde_json::Value;
use serinus_analysis::interval::Confidence;
use serinus_analysis::proof::{
    AbsolutePlaces, Counted, Interval, Kept, Law, Laws, Line, PlannedQuantile, PodSquares,
    Promotion, QuantileLimit, ReadAt, Schedule, Settings, SlowShare, Stream, Tails, Window,
    bounds_to_add, decided_at, quantile_estimate, quantile_increment, quantile_ratio, resolution,
};
use serinus_analysis::sequential::{AbsoluteLimit, CountLaw, ErrorRate, IntervalCounts, Side};
use serinus_analysis::series::Populations;

use super::support::{assert_all_near, assert_near, counts, numbers};

fn all() -> Value {
    let text = include_str!("../data/vectors/latency.json");
    serde_json::from_str(text).unwrap()
}

/// A number, or the word for an infinite one.
fn number(value: &Value) -> f64 {
    if value.as_str() == Some("inf") {
        return f64::INFINITY;
    }
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

fn assert_same(actual: f64, expected: &Value, what: &str) {
    let expected = number(expected);
    if expected.is_infinite() {
        assert!(actual.is_infinite(), "{what}: {actual}");
    } else {
        assert_near(actual, expected, what);
    }
}

fn tails(value: &Value) -> Tails {
    Tails::of_buckets(&numbers(value))
}

fn slow(quantile: &Value) -> SlowShare {
    SlowShare::of_quantile(number(quantile)).unwrap()
}

#[test]
fn a_law_is_read_off_its_buckets() {
    let reading = &all()["reading"];
    let bounds = numbers(&reading["bounds"]);
    let law = Law::of_shares(numbers(&reading["shares"]), &bounds);
    for case in reading["quantile"].as_array().unwrap() {
        if case[1].as_bool().unwrap() {
            // A straight line is nobody's reading here.
            continue;
        }
        let found = law.quantile(number(&case[0]));
        assert_eq!(found.place.bucket as u64, case[2].as_u64().unwrap());
        assert_same(found.at, &case[3], "quantile");
        assert_same(found.place.weight, &case[4], "weight");
    }
    for case in reading["weight"].as_array().unwrap() {
        let found = law.place_of(number(&case[0]));
        assert_eq!(found.bucket as u64, case[1].as_u64().unwrap());
        assert_same(found.weight, &case[2], "weight of a latency");
    }
    assert_eq!(reading["weight"].as_array().unwrap().len(), 9);
}

#[test]
fn a_log_normal_law_is_read_as_it_is() {
    // Shares of a log-normal law with a median of 50 ms, at the default bounds.
    let bounds = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ];
    let beyond = |latency: f64| 0.5 * libm::erfc((latency / 0.05).ln() / 0.8 / 2_f64.sqrt());
    let shares = std::iter::once(1.0).chain(bounds.map(beyond)).collect();
    let law = Law::of_shares(shares, &bounds);
    for latency in [0.06, 0.2, 0.35, 0.8] {
        assert_near(law.share_beyond(latency) / beyond(latency), 1.0, "share");
    }
}

#[test]
fn increments_are_those_of_the_reference_and_their_expectation_is_at_most_one() {
    let vectors = all();
    let cases = vectors["increment"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    for case in cases {
        let case = numbers(case);
        let theta = SlowShare::of_quantile(1.0 - case[4]).unwrap();
        let found = quantile_increment(&counts(&case[..4]), theta, case[5]);
        assert_near(found, case[6], "increment");
    }
    let binomial = |n: u32, k: u32, p: f64| {
        let choose = (0..k).fold(1.0, |all, i| all * f64::from(n - i) / f64::from(i + 1));
        choose * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed())
    };
    for case in vectors["validity"].as_array().unwrap() {
        let c = numbers(case);
        let [n, m] = [0, 1].map(|place| u32::try_from(case[place].as_u64().unwrap()).unwrap());
        let theta = SlowShare::of_quantile(1.0 - c[6]).unwrap();
        let mut expectation = 0.0;
        for i in 0..=n {
            for j in 0..=m {
                let row = [f64::from(i) * c[4], c[0], f64::from(j) * c[5], c[1]];
                let increment = quantile_increment(&counts(&row), theta, c[7]);
                expectation += binomial(n, i, c[2]) * binomial(m, j, c[3]) * increment.exp();
            }
        }
        assert_near(expectation, c[8], "expectation");
        assert!(expectation <= 1.0 + 1e-12);
    }
}

/// A stream of one stage of 16 intervals, with what the last interval proved.
struct Walk {
    stream: Stream,
    schedule: Schedule,
    at: usize,
}

impl Walk {
    fn new(line: Line) -> Self {
        let settings = Settings {
            line,
            interval_seconds: 30.0,
            counted: Counted::Events,
            past: None,
        };
        Self {
            stream: Stream::new(settings, 1),
            schedule: Schedule::new(vec![16]),
            at: 0,
        }
    }

    fn push(&mut self, interval: Interval) -> f64 {
        if let Some(start) = self.schedule.start_at(self.at) {
            self.stream.begin(start);
        }
        self.at += 1;
        self.stream.push(&[interval], PodSquares::default());
        self.stream.log_evidence(None)
    }
}

fn assert_read(found: &ReadAt, out: &Value, (x, y): (&str, &str), what: &str) {
    assert_same(found.counts.canary.events, &out[x], &format!("{what}, {x}"));
    assert_same(found.counts.canary.exposure, &out["n"], what);
    assert_same(
        found.counts.control.events,
        &out[y],
        &format!("{what}, {y}"),
    );
    assert_same(found.counts.control.exposure, &out["m"], what);
}

fn check_path(name: &str, case: &Value) {
    let bounds = numbers(&case["bounds"]);
    let theta = slow(&case["q"]);
    let limit = QuantileLimit {
        ratio: number(&case["r"]),
        offset: number(&case["delta"]),
    };
    let kept = QuantileLimit {
        ratio: number(&case["R"]),
        ..limit
    };
    let mut window = Window::new(theta.value());
    window.set_bounds(&bounds);
    let mut walk = Walk::new(Line::Quantile(theta));
    let mut promotion = Promotion::new(Kept::Quantile(theta));
    let rows = case["rows"].as_array().unwrap();
    for (k, (row, path)) in rows
        .iter()
        .zip(case["path"].as_array().unwrap())
        .enumerate()
    {
        let what = format!("{name} at {k}");
        let (control, canary) = (tails(&row["control"]), tails(&row["canary"]));
        let is_judged = row["judged"].as_bool().unwrap();
        let arms = Populations {
            control: &control,
            canary: &canary,
        };
        let has_both = control.all() > 0.0 && canary.all() > 0.0;
        let laws = Laws::of(&window, theta.value()).filter(|_| is_judged && has_both);
        assert_eq!(laws.is_some(), row["out"].is_object(), "{what}");
        let mut interval = Interval::default();
        if let Some(laws) = laws {
            let out = &row["out"];
            let violation = laws.violation(&arms, limit);
            let compliance = laws.compliance(&arms, kept);
            assert_same(laws.quantile().at, &out["a"], &format!("{what}, a"));
            assert_read(&violation, out, ("x", "y"), &what);
            assert_read(&compliance, out, ("x2", "y2"), &what);
            interval = Interval {
                counts: violation.counts,
                kept: Some(compliance.counts),
                ..Interval::default()
            };
        }
        let found = walk.push(interval);
        walk.stream.push_into(&mut promotion, &[interval]);
        let judged = if is_judged {
            canary.clone()
        } else {
            Tails::nothing(bounds.len())
        };
        window.push(Populations {
            control,
            canary: judged,
        });
        assert_same(found, &path["ln_e"], &format!("{what}, ln E"));
        assert_eq!(
            walk.stream.since(None),
            usize::try_from(path["since"].as_u64().unwrap()).unwrap(),
            "{what}"
        );
        let shown = walk.stream.compliance(&promotion);
        assert_same(shown, &path["compliance"], &format!("{what}, compliance"));
        let veto = walk.stream.beyond_its_limit(&promotion, None);
        assert_same(veto, &path["veto"], &format!("{what}, veto"));
        if let Some(noise) = walk.stream.dispersion(None) {
            assert_same(noise.value, &path["D_nu"][0], &format!("{what}, D"));
            assert_same(
                noise.degrees_of_freedom,
                &path["D_nu"][1],
                &format!("{what}, nu"),
            );
        }
    }
}

#[test]
fn a_comparison_with_the_controls_quantile_is_that_of_the_reference() {
    let vectors = all();
    let cases = vectors["relative"].as_object().unwrap();
    assert_eq!(cases.len(), 9);
    for (name, case) in cases {
        check_path(name, case);
    }
}

#[test]
fn what_is_told_of_a_quantile_is_that_of_the_reference() {
    let vectors = all();
    let confidence = Confidence::new(0.95).unwrap();
    for (name, case) in vectors["relative"].as_object().unwrap() {
        let bounds = numbers(&case["bounds"]);
        let theta = slow(&case["q"]);
        let rows: Vec<(Populations<Tails>, bool)> = case["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| {
                let arms = Populations {
                    control: tails(&row["control"]),
                    canary: tails(&row["canary"]),
                };
                (arms, row["judged"].as_bool().unwrap())
            })
            .collect();
        let mut sums = Populations::same(Tails::nothing(bounds.len()));
        for (row, _) in &rows {
            sums.control.add(&row.control);
            sums.canary.add(&row.canary);
        }
        for (arm, expected) in [&sums.control, &sums.canary].into_iter().zip(0..2) {
            let expected = &case["estimate"][expected];
            let found = quantile_estimate(arm, &bounds, theta, confidence).unwrap();
            assert_same(found.at, &expected[0], name);
            assert_same(found.interval.0, &expected[1][0], name);
            assert_same(found.interval.1, &expected[1][1], name);
            assert_same(found.bucket.1, &expected[2][1], name);
        }
        let allowed = resolution(&sums, &bounds, theta.value());
        assert_same(allowed.least, &case["bracket"][0], name);
        assert_same(allowed.most, &case["bracket"][1], name);
        let level = (2.0_f64 / 0.05 + 1.0).ln();
        let (beyond, within) = quantile_ratio(&rows, &bounds, theta, (30.0, level));
        for (found, expected) in [beyond, within]
            .into_iter()
            .zip(case["ratio"].as_array().unwrap())
        {
            assert_eq!(found.is_some(), !expected.is_null(), "{name}: {found:?}");
            if let Some(found) = found {
                assert_same(found, expected, &format!("{name}, ratio"));
            }
        }
        let law = Law::of(&sums.control, &bounds);
        let limit = QuantileLimit {
            ratio: number(&case["r"]),
            offset: number(&case["delta"]),
        };
        let added = bounds_to_add(&bounds, law.quantile(theta.value()).at, limit);
        assert_all_near(&added, &numbers(&case["advice"]), name);
    }
}

#[test]
fn a_comparison_with_a_number_is_that_of_the_reference() {
    let vectors = all();
    let cases = vectors["absolute"].as_object().unwrap();
    assert_eq!(cases.len(), 5);
    for (name, case) in cases {
        let bounds = numbers(&case["bounds"]);
        let (at, kept_at) = decided_at(&bounds, number(&case["limit"]));
        for (found, expected) in [(at, &case["at"]), (kept_at, &case["kept_at"])] {
            // 0 is no place: nothing is at or below it.
            let expected = expected.as_f64().filter(|one| *one > 0.0);
            assert_eq!(found.is_some(), expected.is_some(), "{name}");
            if let (Some(found), Some(expected)) = (found, expected) {
                assert_near(found, expected, name);
            }
        }
        let limit = AbsoluteLimit::new(0.01, Side::Above, CountLaw::Bernoulli).unwrap();
        let line = Line::Absolute {
            limit,
            has_control: true,
        };
        let below = AbsoluteLimit::new(0.01, Side::Below, CountLaw::Bernoulli).unwrap();
        let mut violation = Walk::new(line);
        // The reference has the noise of what must be kept by itself.
        let mut compliance = Walk::new(line);
        let mut promotion = Promotion::new(Kept::Absolute(below));
        let mut places = AbsolutePlaces::default();
        places.set_bounds(&bounds);
        for row in case["rows"].as_array().unwrap() {
            let (control, canary) = (tails(&row["control"]), tails(&row["canary"]));
            let arms = Populations {
                control: &control,
                canary: &canary,
            };
            let beyond = places.beyond(&arms, at, 0.01, true);
            let kept = places.beyond(&arms, kept_at, 0.01, false);
            places.push(&arms);
            let out = &row["out"];
            let read = |counts: IntervalCounts| ReadAt {
                counts,
                canary_at: 0.0,
            };
            assert_read(&read(beyond), out, ("x", "y"), name);
            assert_read(&read(kept), out, ("x2", "y2"), name);
            let found = violation.push(Interval::from(beyond));
            assert_same(found, &row["ln_e"], &format!("{name}, ln E"));
            compliance.push(Interval::from(kept));
            compliance
                .stream
                .push_into(&mut promotion, &[Interval::from(kept)]);
            let shown = compliance.stream.compliance(&promotion);
            assert_same(shown, &row["compliance"], &format!("{name}, compliance"));
        }
    }
}

#[test]
fn plans_are_those_of_the_reference() {
    let vectors = all();
    let bounds = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ];
    let beyond = |latency: f64| 0.5 * libm::erfc((latency / 0.05).ln() / 0.8 / 2_f64.sqrt());
    let shares: Vec<f64> = std::iter::once(1.0).chain(bounds.map(beyond)).collect();
    let cases = vectors["plan"].as_array().unwrap();
    assert_eq!(cases.len(), 27);
    for case in cases {
        let requests = number(&case["rps"]) * 30.0;
        let share = number(&case["share"]);
        let planned = PlannedQuantile {
            law: Law::of_shares(shares.clone(), &bounds),
            slow: slow(&case["q"]),
            requests: Populations {
                control: requests * (1.0 - share),
                canary: requests * share,
            },
            interval_seconds: 30.0,
            noise: None,
        };
        let limit = QuantileLimit {
            ratio: 1.2,
            offset: 0.0,
        };
        let kept = QuantileLimit {
            ratio: 2.0,
            offset: 0.0,
        };
        let found = [
            planned.to_roll_back(limit, number(&case["ratio"]), ErrorRate::ROLLBACK),
            planned.to_promote(limit, kept, ErrorRate::PROMOTION),
        ];
        for (found, expected) in found.into_iter().zip(case["intervals"].as_array().unwrap()) {
            let expected = expected.as_u64().and_then(|one| usize::try_from(one).ok());
            assert_eq!(found.intervals(), expected, "{case}");
        }
    }
    for case in vectors["advice"].as_array().unwrap() {
        let limit = QuantileLimit {
            ratio: number(&case["r"]),
            offset: number(&case["delta"]),
        };
        let added = bounds_to_add(&bounds, number(&case["a"]), limit);
        assert_all_near(&added, &numbers(&case["add"]), "advice");
    }
}
