//! What the bounds of the buckets let be decided: limits on them, between them, before the first and beyond the last.

use super::*;

/// Of 500 requests a second, with these p99 in seconds.
fn with_p99(control: f64, canary: f64, buckets: Buckets) -> LatencyFleetDescription {
    let of = |p99: f64| LN_8.times(p99 / LN_8.quantile(0.99));
    LatencyFleetDescription {
        scales: [1.0; 4],
        buckets,
        ..fleet(500.0, [of(control), of(canary)])
    }
}

fn told_of(check: &str, (control, canary): (f64, f64), buckets: Buckets) -> Told {
    answers_about(
        &half_an_hour(check),
        &with_p99(control, canary, buckets),
        3,
        HALF_HOUR,
    )
}

/// D9: 200 ms between the bounds 100 and 250 ms.
#[test]
fn d09_a_number_between_two_bounds_is_read() {
    let told = |canary: f64| told_of("latency_p99 < 200ms", (0.1, canary), Buckets::Default);
    for (p99, verdict) in [
        (0.1, Verdict::Promote),
        (0.16, Verdict::Promote),
        (0.25, Verdict::Rollback),
        (0.195, Verdict::Hold),
    ] {
        let told = told(p99);
        assert_eq!(told.last().verdict, verdict, "{p99}: {}", told.reasons());
    }
    let reason = told(0.195).last().reason.clone();
    assert!(
        reason.contains("between the bounds 100 ms and 250 ms"),
        "{reason}"
    );
}

/// D9: 250 ms is a bound.
#[test]
fn d09_a_number_on_a_bound_is_exact() {
    let told = |canary: f64| told_of("latency_p99 < 250ms", (0.1, canary), Buckets::Default);
    let near = told(0.24);
    assert_eq!(near.first(Verdict::Rollback), None, "{}", near.reasons());
    assert_eq!(near.at(5.0).verdict, Verdict::Hold);
    let reason = &near.last().reason;
    assert!(!reason.contains("between the bounds"), "{reason}");
    let beyond = told(0.312);
    assert!(
        beyond.first(Verdict::Rollback).is_some(),
        "{}",
        beyond.reasons()
    );
}

/// D9: a control that breaks the number too.
#[test]
fn d09_a_control_beyond_the_number_excuses_as_much() {
    let told = |canary: f64| told_of("latency_p99 < 200ms", (0.3, canary), Buckets::Default);
    let both = told(0.3);
    assert_eq!(both.first(Verdict::Rollback), None, "{}", both.reasons());
    assert_eq!(both.last().reason_code, ReasonCode::Environment);
    let worse = told(0.6);
    assert!(
        worse.first(Verdict::Rollback).is_some(),
        "{}",
        worse.reasons()
    );
}

/// D10: the bucket from 100 to 300 ms is too wide to be read.
#[test]
fn d10_a_number_in_a_wide_bucket_is_decided_at_its_bounds_only() {
    let told = |canary: f64| told_of("latency_p99 < 200ms", (0.08, canary), Buckets::Sparse);
    for (p99, verdict) in [
        (0.08, Verdict::Promote),
        (0.15, Verdict::Hold),
        (0.26, Verdict::Hold),
        (0.4, Verdict::Rollback),
    ] {
        let told = told(p99);
        assert_eq!(told.last().verdict, verdict, "{p99}: {}", told.reasons());
    }
    let reason = told(0.15).last().reason.clone();
    assert!(
        reason.contains("between the bounds 100 ms and 300 ms, which are too far apart"),
        "{reason}"
    );
}

/// D11: all requests are faster than the first bound.
#[test]
fn d11_what_is_faster_than_the_first_bound_is_compared_with_an_offset() {
    let fast = (0.002, 0.002);
    let held = told_of(RELATIVE, fast, Buckets::Default);
    assert_eq!(held.last().verdict, Verdict::Hold, "{}", held.reasons());
    let reason = &held.last().reason;
    assert!(
        reason.contains("within the first bucket, up to 5 ms"),
        "{reason}"
    );
    assert!(reason.contains("add bounds at 1 ms and 2.5 ms"), "{reason}");
    let allowed = told_of("latency_p99 < baseline * 1.2 + 5ms", fast, Buckets::Default);
    assert_eq!(
        allowed.last().verdict,
        Verdict::Promote,
        "{}",
        allowed.reasons()
    );
}

/// D12: beyond the last bound nothing is broken, and a canary that is not is as good as can be seen.
#[test]
fn d12_beyond_the_last_bound_nothing_is_blamed() {
    let told = |control, canary| told_of(RELATIVE, (control, canary), Buckets::Default);
    let both = told(14.0, 14.0);
    assert_eq!(both.last().verdict, Verdict::Hold, "{}", both.reasons());
    let reason = &both.last().reason;
    assert!(reason.contains("beyond the last bound, 10 s"), "{reason}");
    let faster = told(14.0, 5.0);
    assert_eq!(
        faster.last().verdict,
        Verdict::Promote,
        "{}",
        faster.reasons()
    );
    let slower = told(9.0, 13.5);
    assert!(
        slower.first(Verdict::Rollback).is_some(),
        "{}",
        slower.reasons()
    );
}
