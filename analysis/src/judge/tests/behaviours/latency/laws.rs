//! What the p99 of laws with one hump and with two is, whatever else of them has changed.

use super::*;

fn two_humps(laws: [Latencies; 2]) -> LatencyFleetDescription {
    LatencyFleetDescription {
        scales: TWO_HUMPS,
        ..fleet(500.0, laws)
    }
}

/// D1: 3 % of the requests miss a cache. Version 1 held for ever.
#[test]
fn d01_a_cache_that_is_the_same_is_promoted_at_the_end() {
    for seed in 0..4 {
        let told = answers_about(
            &half_an_hour(RELATIVE),
            &two_humps([HIT, HIT]),
            seed,
            HALF_HOUR,
        );
        assert_eq!(
            told.first(Verdict::Promote),
            Some(30.0),
            "{}",
            told.reasons()
        );
        assert_eq!(told.first(Verdict::Rollback), None);
    }
}

/// D2: with 4 % of misses the true p99 is 1.08 times the control's.
#[test]
fn d02_a_third_more_misses_move_the_p99_by_less_than_its_limit() {
    let mut ratios = Vec::new();
    for seed in 0..8 {
        let misses = Latencies::hit(0.04, 20.0);
        let told = answers_about(
            &half_an_hour(RELATIVE),
            &two_humps([HIT, misses]),
            seed,
            HALF_HOUR,
        );
        assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
        ratios.push(told.last().checks[0].ratio.as_ref().unwrap().estimate);
        for answer in &told.answers {
            let reason = &answer.checks[0].reason;
            assert!(!reason.contains(": broken"), "{reason}");
        }
    }
    // Each is the reading of some hundred slow requests.
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!((1.05..=1.12).contains(&mean), "{ratios:?}");
    assert!(
        ratios.iter().all(|ratio| (1.0..1.2).contains(ratio)),
        "{ratios:?}"
    );
}

/// D3: timeouts far from the p99 are not its business, until they are more than one in a hundred.
#[test]
fn d03_timeouts_count_when_they_are_the_p99() {
    let of = |seed, share| {
        let laws = [Latencies::timeouts(0.005), Latencies::timeouts(share)];
        answers_about(&half_an_hour(RELATIVE), &two_humps(laws), seed, HALF_HOUR)
    };
    for seed in 0..4 {
        let few = of(seed, 0.007);
        assert_eq!(few.first(Verdict::Rollback), None, "{}", few.reasons());
        let many = of(seed, 0.015);
        assert!(
            many.has(Verdict::Rollback, 5.0 + 15.0),
            "{}",
            many.reasons()
        );
    }
}

/// D4: five quantiles of one law, each by itself and all together.
#[test]
fn d04_every_quantile_of_an_identical_law_is_promoted() {
    let names = [
        "latency_p50",
        "latency_p75",
        "latency_p90",
        "latency_p95",
        "latency_p99",
    ];
    let checks = names.map(|name| format!("{name} < baseline * 1.2"));
    let histogram = histogram_of(&slower(500.0, LN_8, 1.0), 1, HALF_HOUR);
    let whole = read(&names, &histogram);
    let together = checks.join(", ");
    for checks in checks.iter().chain([&together]) {
        let told = asked(&half_an_hour(checks), &whole, [20, 40, HALF_HOUR]);
        assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
        assert_eq!(told.first(Verdict::Rollback), None);
    }
}
