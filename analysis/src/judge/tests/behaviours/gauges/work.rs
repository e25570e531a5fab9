//! What a check has of the error rate when it can never speak, and work for each request.

use super::*;

/// 8b.16: three gauges that are scraped each five minutes have no sample too many in ten, and take nothing from the
/// error rate.
#[test]
fn g16_what_can_never_speak_has_no_part_of_the_error_rate() {
    let names = ["one", "two", "three"];
    let metrics: Vec<String> = names
        .iter()
        .map(|name| format!("{name}: {{gauge: {name}_seconds}}"))
        .collect();
    let checks: Vec<String> = names
        .iter()
        .map(|name| format!("{name} < baseline * 1.25"))
        .collect();
    let pipeline = file(&format!(
        "metrics: {{{}}}\nanalysis: {{interval: 60s, split_check: off, warm_up: 0s, on_inconclusive: promote}}\n\
         canary_pipeline: {{only: {{traffic_percent: 10, duration_minutes: 10, max_duration_minutes: 10, \
         metrics: [error_rate < baseline * 1.1, {}]}}}}\n",
        metrics.join(", "),
        checks.join(", ")
    ));
    let threshold = |scrape_seconds: i64| {
        let clock = Clock {
            minutes: 10,
            interval_seconds: 60,
            scrape_seconds,
        };
        let gauge = read(clock, &Side::constant(1.0), &Side::constant(1.0), 1);
        let mut whole = of_rows(&pipeline, &[(1.0, 100.0, 9.0, 900.0); 10]);
        for name in names {
            let gauge = gauge.metrics["load"].clone();
            whole.metrics.insert(name.to_owned(), gauge);
        }
        let told = asked(&pipeline, &whole, [10]);
        let evidence = told.last().checks[0].evidence.as_ref().unwrap();
        evidence.rollback_at
    };
    assert!((threshold(60) - 404.0).abs() < 1e-6, "{}", threshold(60));
    assert!((threshold(300) - 101.0).abs() < 1e-6, "{}", threshold(300));
}

/// What a request costs, and how many a pod of the control and of the canary has in a minute.
fn work(control: f64, canary: f64, loads: (f64, f64)) -> StageData {
    let clock = Clock::minutes(30);
    let side = |level: f64| Side::constant(level).noisy(0.02, 0.5);
    let mut whole = read(clock, &side(canary), &side(control), 1);
    let Some(MetricData::Gauge(mut gauge)) = whole.metrics.remove("load") else {
        unreachable!()
    };
    gauge.loads = vec![
        Populations {
            control: Some(loads.0),
            canary: Some(loads.1),
        };
        clock.intervals()
    ];
    // Counters of both sides are added up before they are divided.
    gauge.pods = Populations::default();
    let name = "cpu_usage_per_request".to_owned();
    whole.metrics.insert(name, MetricData::Gauge(gauge));
    whole
}

/// 8b.17: a pod with less load may use more for each request: it is idle between them.
#[test]
fn g17_less_load_excuses_what_idle_pods_use() {
    let pipeline = file(
        "analysis: {interval: 60s, split_check: off, warm_up: 0s}\n\
         canary_pipeline: {only: {traffic_percent: 10, duration_minutes: 30, \
         metrics: [cpu_usage_per_request < baseline * 1.3]}}\n",
    );
    let told = |work: &StageData| asked(&pipeline, work, 1..=30);
    let few = (90.0, 0.22 * 90.0);
    let thrice = told(&work(0.01, 0.03, few));
    assert_eq!(
        thrice.first(Verdict::Rollback),
        None,
        "{}",
        thrice.reasons()
    );
    assert_eq!(thrice.last().verdict, Verdict::Hold, "{}", thrice.reasons());
    let reason = &thrice.last().reason;
    assert!(
        reason.contains("0.22 of a control pod's requests"),
        "{reason}"
    );
    let same = told(&work(0.01, 0.01, few));
    assert_eq!(same.last().verdict, Verdict::Promote, "{}", same.reasons());
    let even = told(&work(0.01, 0.03, (90.0, 90.0)));
    assert!(
        even.first(Verdict::Rollback).is_some(),
        "{}",
        even.reasons()
    );
}
