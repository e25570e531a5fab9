//! What is a sample, and of whom: series without a number, without a name, that come and go, and who asks when.

use super::*;
use crate::data::SelectorFinding;

/// The answers, but for the warnings that name what was left out.
fn without_warnings(told: &Told) -> Vec<StageVerdict> {
    let answers = told.answers.iter().cloned();
    answers
        .map(|one| StageVerdict {
            warnings: Vec::new(),
            ..one
        })
        .collect()
}

/// 8b.9: a pod that is NaN for ever.
#[test]
fn g09_a_pod_that_is_no_number_is_left_out() {
    let clock = Clock::minutes(30);
    let of = |canary_pods: usize| {
        let level = |pod: usize, _| Some(if pod == 2 { f64::NAN } else { 3.0 });
        let canary = Side::of(canary_pods, level).noisy(0.1, 0.5);
        let control = Side::constant(1.0).pods(3).noisy(0.1, 0.5);
        read(clock, &canary, &control, 1)
    };
    let pipeline = an_hour(QUARTER);
    let told = |pods| asked(&pipeline, &of(pods), 1..=30);
    let (with, without) = (told(3), told(2));
    assert!(with.has(Verdict::Rollback, 10.0), "{}", with.reasons());
    assert_eq!(without_warnings(&with), without_warnings(&without));
    assert!(
        with.last()
            .warnings
            .iter()
            .any(|one| one.message.contains("canary-2"))
    );
    let killed = file(
        "metrics: {load: {gauge: load_now}}\nanalysis: {interval: 60s, split_check: off}\n\
         kill_switch: [load > 2]\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 60, metrics: [load < 100]}}\n",
    );
    let told = asked(&killed, &of(3), [3]);
    assert_eq!(
        told.last().reason_code,
        ReasonCode::KillSwitch,
        "{}",
        told.reasons()
    );
}

/// 8b.9: where the file takes the mean itself, one NaN is all of it, and the answer says what to write.
#[test]
fn g09_a_mean_that_the_expression_takes_is_told_to_leave_it() {
    let clock = Clock::minutes(40);
    let pipeline = file(
        "metrics: {load: {gauge: avg(load_now)}}\n\
         analysis: {interval: 60s, split_check: off, warm_up: 0s}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 60, metrics: [load < baseline * 1.25]}}\n",
    );
    let alone = |finite_until: f64| {
        let level = move |_, at: f64| Some(if at <= finite_until { 1.0 } else { f64::NAN });
        let mut series = Side::of(1, level).old().series("x", (40, 60), 1);
        series[0].labels.clear();
        series
    };
    let gauge = read_series(clock, &alone(3.0), &alone(50.0));
    let whole = read_of(clock.intervals(), 60_000, vec![("load", gauge)]);
    let told = asked(&pipeline, &whole, [40]);
    let check = &told.last().checks[0];
    assert_eq!(check.outcome, Outcome::NoData, "{}", told.reasons());
    assert!(
        check
            .reason
            .contains("is NaN or infinite in 37 of 40 intervals"),
        "{}",
        check.reason
    );
    assert!(
        check.reason.contains("give the expression without avg()"),
        "{}",
        check.reason
    );
}

/// 8b.10: a series without labels beside pods is a constant of the expression.
#[test]
fn g10_a_series_without_labels_beside_pods_is_ignored_and_told() {
    let clock = Clock::minutes(20);
    let told = |has_constant: bool| {
        let pods = |name: &str, level: f64, is_old: bool| {
            let side = Side {
                is_old,
                ..Side::constant(level).pods(2).noisy(0.1, 0.5)
            };
            let mut all = side.series(name, (20, 60), 1);
            if has_constant {
                let mut constant = Side::constant(0.0).old().series("constant", (20, 60), 1);
                constant[0].labels.clear();
                all.append(&mut constant);
            }
            all
        };
        let gauge = read_series(
            clock,
            &pods("canary", 3.0, false),
            &pods("control", 1.0, true),
        );
        let whole = read_of(clock.intervals(), 60_000, vec![("load", gauge)]);
        asked(&an_hour(QUARTER), &whole, 1..=20)
    };
    let (with, without) = (told(true), told(false));
    assert!(with.first(Verdict::Rollback).is_some());
    assert_eq!(without_warnings(&with), without_warnings(&without));
    let warnings = &with.last().warnings;
    let is_told = warnings
        .iter()
        .any(|one| one.message.contains("without labels"));
    assert!(is_told, "{warnings:?}");
    let refused = crate::pipeline::parse(
        "metrics: {load: {gauge: load_now or vector(0)}}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 60, metrics: [load < 3]}}\n",
        "test",
    );
    assert!(refused.is_err());
}

/// 8b.11: an autoscaler that replaces a pod each five minutes, whose new pods are ten times as high for a minute.
#[test]
fn g11_pods_that_come_and_go_are_judged_when_they_are_old() {
    let clock = Clock::minutes(40);
    let stage = "duration_minutes: 60, promote_early: true, warm_up: 2m";
    let pipeline = staged("", "60s", stage, QUARTER);
    let replaced = |pod: usize, at: f64| {
        let born = 5.0 * pod as f64;
        let is_alive = at > born && at <= born + 10.0;
        is_alive.then_some(if at <= born + 1.0 { 10.0 } else { 1.0 })
    };
    let changing = Side::of(10, replaced).noisy(0.05, 0.5);
    let control = Side::constant(1.0).pods(3).noisy(0.05, 0.5);
    let told = all_answers(&pipeline, clock, (&changing, &control), 1);
    assert!(told.first(Verdict::Promote).is_some(), "{}", told.reasons());
    assert_eq!(told.first(Verdict::Rollback), None, "{}", told.reasons());
    let later = &told.answers[2..];
    assert!(
        later
            .iter()
            .all(|one| one.reason_code != ReasonCode::NoData),
        "{}",
        told.reasons()
    );
    // A scrape of one of ten pods is lost each other minute.
    let losing = |pod: usize, at: f64| (pod != 4 || at % 2.0 > 0.5).then_some(1.0);
    let losing = Side::of(10, losing).noisy(0.05, 0.5);
    let told = all_answers(&early(QUARTER), clock, (&losing, &control), 1);
    assert!(told.has(Verdict::Promote, 10.0), "{}", told.reasons());
    assert_eq!(told.last().verdict, Verdict::Promote);
}

/// 8b.12: an interval of a second is no sample, and what is scraped each five minutes has none before three of them.
#[test]
fn g12_a_sample_is_a_scrape() {
    let told = |interval_seconds: i64, scrape_seconds: i64, level: f64| {
        let clock = Clock {
            minutes: 20,
            interval_seconds,
            scrape_seconds,
        };
        let interval = format!("{interval_seconds}s");
        let pipeline = staged(
            "",
            &interval,
            "duration_minutes: 60, promote_early: true",
            QUARTER,
        );
        let canary = Side::constant(level).noisy(0.1, 0.5);
        let control = Side::constant(1.0).noisy(0.1, 0.5);
        let whole = read(clock, &canary, &control, 1);
        let each_minute = usize::try_from(60 / interval_seconds).unwrap();
        asked(
            &pipeline,
            &whole,
            (1..=20).map(|minute| minute * each_minute),
        )
    };
    for level in [1.0, 3.0] {
        let (fine, coarse) = (told(1, 60, level), told(60, 60, level));
        for (fine, coarse) in fine.answers.iter().zip(&coarse.answers).skip(2) {
            assert_eq!(
                fine.verdict, coarse.verdict,
                "{} {}",
                fine.reason, coarse.reason
            );
            assert_eq!(fine.checks[0].evidence, coarse.checks[0].evidence);
        }
    }
    let rare = told(60, 300, 10.0);
    assert_eq!(
        rare.first(Verdict::Rollback),
        Some(15.0),
        "{}",
        rare.reasons()
    );
}

/// 8b.30: a counter grows with the age of its process, and is refused: by its name, or by what stands beside it.
#[test]
fn g30_a_counter_is_no_gauge() {
    let file_of = |expression: &str| {
        format!(
            "metrics: {{load: {{gauge: {expression}}}}}\nanalysis: {{interval: 60s, warm_up: 0s}}\n\
             canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 60, metrics: [{QUARTER}]}}}}\n"
        )
    };
    let refused = crate::pipeline::parse(&file_of("process_cpu_seconds_total"), "test");
    assert!(refused.is_err_and(|errors| format!("{errors:?}").contains("is a counter")));
    let clock = Clock::minutes(10);
    let told = |expression: &str, finding: SelectorFinding| {
        let mut whole = read(clock, &Side::constant(3.0), &Side::constant(1.0), 1);
        whole.findings.selectors.insert("load".to_owned(), finding);
        asked(&file(&file_of(expression)), &whole, 1..=10)
    };
    let counter = SelectorFinding::Counter {
        metric: "wait_seconds_sum".to_owned(),
        beside: Some("wait_seconds_count".to_owned()),
    };
    let counted = told("wait_seconds_sum", counter);
    let check = &counted.last().checks[0];
    assert_eq!(
        (check.outcome, check.reason_code),
        (Outcome::NoData, ReasonCode::CounterAsGauge),
        "{}",
        check.reason
    );
    let threads = told("jvm_threads_count", SelectorFinding::NoCounter);
    assert!(
        threads.first(Verdict::Rollback).is_some(),
        "{}",
        threads.reasons()
    );
}

/// 8b.18: asked at each interval, at every tenth, once, and after a restart: the same answer, and the same when it is
/// asked again of what was decided.
#[test]
fn g18_who_asks_and_when_changes_no_answer() {
    for (check, level) in [(QUARTER, 1.0), (QUARTER, 3.0), ("load < 2", 2.6)] {
        let pipeline = an_hour(check);
        let canary = Side::constant(level).pods(2).noisy(0.3, 0.5);
        let control = Side::constant(1.0).pods(4).noisy(0.3, 0.5);
        let whole = read(Clock::minutes(60), &canary, &control, 1);
        let all = asked(&pipeline, &whole, 1..=60);
        let some = asked(&pipeline, &whole, (10..=60).step_by(10));
        for (minutes, answer) in some.minutes.iter().zip(&some.answers) {
            assert_eq!(all.at(*minutes), answer, "{check} {minutes}");
            let once = asked(&pipeline, &whole, [answer.intervals]);
            assert_eq!(once.last(), answer, "{check} {minutes}");
        }
        let found = all
            .answers
            .iter()
            .position(|one| one.verdict == Verdict::Rollback);
        if let Some(found) = found {
            let mut later = all.answers[found..].iter();
            assert!(
                later.all(|one| one.verdict == Verdict::Rollback),
                "decided is decided"
            );
        }
    }
}
