//! `method: kayenta` answers what Kayenta answers.

use super::*;
use crate::rank::KayentaClass;

fn kayenta(checks: &str) -> Pipeline {
    file(&format!(
        "metrics: {{load: {{gauge: load_now}}, queue: {{gauge: queue_now}}}}\n\
         analysis: {{interval: 60s, split_check: off, warm_up: 0s, method: kayenta}}\n\
         canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 10, metrics: [{checks}]}}}}\n"
    ))
}

fn constants(clock: Clock, canary: f64, control: f64) -> MetricData {
    let whole = read(clock, &Side::constant(canary), &Side::constant(control), 1);
    whole.metrics["load"].clone()
}

/// 8b.21: a constant beside another one.
#[test]
fn g21_a_constant_of_1_beside_0_is_high() {
    let clock = Clock::minutes(10);
    let whole = read_of(10, 60_000, vec![("load", constants(clock, 1.0, 0.0))]);
    let told = asked(&kayenta("load < baseline * 1.2"), &whole, [10]);
    let check = &told.last().checks[0];
    assert_eq!(check.outcome, Outcome::Fail, "{}", check.reason);
    assert!(check.reason.contains("high"), "{}", check.reason);
}

/// 8b.21: Kayenta knows no fewest points.
#[test]
fn g21_three_points_a_side_are_judged() {
    let clock = Clock {
        scrape_seconds: 180,
        ..Clock::minutes(10)
    };
    let whole = read_of(10, 60_000, vec![("load", constants(clock, 3.0, 1.0))]);
    let told = asked(&kayenta("load < baseline * 1.2"), &whole, [10]);
    let check = &told.last().checks[0];
    assert!(
        matches!(check.outcome, Outcome::Pass | Outcome::Fail),
        "{}",
        check.reason
    );
}

/// 8b.21: half of the metrics without data, of which Kayenta makes a score of 0, which fails.
#[test]
fn g21_what_has_no_data_never_acts() {
    let whole = read_of(
        10,
        60_000,
        vec![("load", constants(Clock::minutes(10), 1.0, 1.0))],
    );
    let told = asked(
        &kayenta("load < baseline * 1.2, queue < baseline * 1.2"),
        &whole,
        [10],
    );
    let last = told.last();
    assert_eq!(
        (last.verdict, last.reason_code),
        (Verdict::Hold, ReasonCode::NoData)
    );
    assert!(last.reason.contains("Kayenta scores 0"), "{}", last.reason);
}

/// 8b.21: one of five metrics is high: a score of 80, between the marginal one and the one that passes.
#[test]
fn g21_a_score_between_marginal_and_pass_holds() {
    let last = one_of_five_is_high(", warm_up: 0s", "");
    assert_eq!(last.verdict, Verdict::Hold, "{}", last.reason);
    assert!(last.reason.contains("marginal"), "{}", last.reason);
}

/// 8b.21: an offset is ignored, and told.
#[test]
fn g21_an_offset_is_accepted_with_a_warning() {
    let pipeline = kayenta("load < baseline * 1.2 + 0.01");
    let mut remarks = pipeline.remarks().into_iter();
    assert!(remarks.any(|one| one.message.contains("offset")));
}

const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];

/// Five checks of gauges, of which `five` is three times its control at the end of half an hour.
fn one_of_five_is_high(settings: &str, five: &str) -> StageVerdict {
    let metrics = NAMES.map(|name| format!("{name}: {{gauge: {name}_now}}"));
    let mut checks = NAMES.map(|name| format!("{name} < baseline * 1.2"));
    checks[4] = format!("{{check: five < baseline * 1.2{five}}}");
    let pipeline = file(&format!(
        "metrics: {{{}}}\nanalysis: {{interval: 60s, split_check: off, method: kayenta{settings}}}\n\
         canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 30, metrics: [{}]}}}}\n",
        metrics.join(", "),
        checks.join(", ")
    ));
    let clock = Clock::minutes(30);
    let of = |name: &'static str| {
        let canary = if name == "five" { 3.0 } else { 1.0 };
        (name, constants(clock, canary, 1.0))
    };
    let whole = read_of(30, 60_000, NAMES.map(of).to_vec());
    asked(&pipeline, &whole, [30]).last().clone()
}

#[test]
fn the_score_follows_what_the_file_says_of_it() {
    let told = |settings: &str, five: &str| {
        let told = one_of_five_is_high(settings, five);
        (told.verdict, told.reason)
    };
    for (settings, five, verdict, part) in [
        ("", "", Verdict::Hold, "Kayenta scores 80"),
        (", kayenta: {pass: 80}", "", Verdict::Promote, "scores 80"),
        (
            ", kayenta: {marginal: 80}",
            "",
            Verdict::Rollback,
            "scores 80",
        ),
        ("", ", critical: true", Verdict::Rollback, "scores 0"),
        (
            ", kayenta: {effect: {critical_increase: 3.5}}",
            ", critical: true",
            Verdict::Hold,
            "scores 80",
        ),
        ("", ", warn_only: true", Verdict::Promote, "scores 100"),
        (
            "",
            ", critical: true, rollback: false",
            Verdict::Hold,
            "not roll back",
        ),
        ("", ", group: errors", Verdict::Rollback, "scores 50"),
        (
            ", kayenta: {groups: {errors: 4}}",
            ", group: errors",
            Verdict::Promote,
            "scores 96",
        ),
    ] {
        let (actual, reason) = told(settings, five);
        assert_eq!(actual, verdict, "{settings} {five}: {reason}");
        assert!(reason.contains(part), "{settings} {five}: {reason}");
    }
}

/// One point a side has no spread, even with the noise: an error, as in Kayenta, which is left out of the score.
#[test]
fn one_point_a_side_is_an_error_and_acts_on_nothing() {
    let clock = Clock {
        scrape_seconds: 600,
        ..Clock::minutes(10)
    };
    let whole = read_of(10, 60_000, vec![("load", constants(clock, 9.0, 1.0))]);
    let told = asked(&kayenta("load < baseline * 1.2"), &whole, [10]);
    let last = told.last();
    let class = last.checks[0].kayenta.map(|one| one.class);
    assert_eq!(class, Some(KayentaClass::Error), "{}", last.reason);
    assert_eq!(last.verdict, Verdict::Hold, "{}", last.reason);
}

/// One of three metrics without data is left out: the score does not rest on it.
#[test]
fn a_metric_without_data_is_left_out_of_the_score_unless_it_is_critical() {
    let of = |name| (name, constants(Clock::minutes(10), 1.0, 1.0));
    let told = |load: &str| {
        let text = format!(
            "metrics: {{load: {{gauge: load_now}}, queue: {{gauge: queue_now}}, heap: {{gauge: heap_now}}}}\n\
             analysis: {{interval: 60s, split_check: off, method: kayenta}}\n\
             canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 10, metrics: [\
             queue < baseline * 1.2, heap < baseline * 1.2, {load}]}}}}\n"
        );
        let whole = read_of(10, 60_000, vec![of("queue"), of("heap")]);
        asked(&file(&text), &whole, [10]).last().clone()
    };
    let last = told("load < baseline * 1.2");
    assert_eq!(last.verdict, Verdict::Promote, "{}", last.reason);
    let last = told("{check: load < baseline * 1.2, critical: true}");
    assert_eq!(
        (last.verdict, last.reason_code),
        (Verdict::Hold, ReasonCode::NoData),
        "{}",
        last.reason
    );
}

/// Before the end nothing is promoted, though another check has shown what it must.
#[test]
fn nothing_is_promoted_before_the_look() {
    let text = "metrics: {load: {gauge: load_now}}\n\
         analysis: {interval: 60s, split_check: off, method: kayenta}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 30, promote_early: true, metrics: [\
         load < baseline * 1.2, {check: load < 100, method: sequential, critical: true}]}}\n";
    let whole = read_of(
        30,
        60_000,
        vec![("load", constants(Clock::minutes(30), 1.0, 1.0))],
    );
    let told = asked(&file(text), &whole, [28, 30]);
    let verdicts: Vec<Verdict> = told.answers.iter().map(|one| one.verdict).collect();
    assert_eq!(
        verdicts,
        [Verdict::Hold, Verdict::Promote],
        "{}",
        told.last().reason
    );
}
