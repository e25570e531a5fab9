//! What a stage can see at today's traffic, and the interval of the ratio.

use super::*;

fn sequential() -> Pipeline {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

/// Counts of `requests` in an interval, a tenth of them at the canary, that wobble around their
/// rates without a random number.
fn errors_of(intervals: usize, requests: f64, control_rate: f64, ratio: f64) -> StageData {
    let interval = |first: usize| {
        let wave = |phase: f64| 1.0 + 0.2 * libm::sin(first as f64 * 1.7 + phase);
        let arm = |share: f64, rate: f64, phase: f64| ArmCount {
            events: share * requests * rate * wave(phase),
            exposure: share * requests,
        };
        PairedInterval {
            first,
            length: 1,
            control: arm(0.9, control_rate, 0.0),
            canary: arm(0.1, control_rate * ratio, 2.0),
        }
    };
    let counts = MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        ..PairedCounts::default()
    });
    data(intervals, vec![("error_rate", counts)])
}

#[test]
fn the_ratio_of_a_check_that_fails_lies_beyond_its_limit_when_it_first_fails() {
    let pipeline = sequential();
    for ratio in [1.8, 3.0, 8.0] {
        let verdict = (1..=2 * STAGE_INTERVALS)
            .map(|intervals| second_stage(&pipeline, &errors_of(intervals, 30_000.0, 0.01, ratio)))
            .find(|verdict| verdict.verdict == Verdict::Rollback)
            .unwrap();
        let told = verdict.checks[0].ratio.as_ref().unwrap();
        let interval = told.interval.unwrap();
        assert!(
            interval.lower() > 1.1 && interval.lower() < told.estimate,
            "{ratio}: {interval:?} after {} intervals",
            verdict.intervals
        );
        // Each end of the interval has what the rollout may spend.
        assert!((told.confidence - (1.0 - 2.0 * 0.01)).abs() < 1e-12);
    }
}

#[test]
fn the_ratio_of_a_good_canary_holds_its_limit_and_absolute_checks_have_it_too() {
    let mut pipeline = sequential();
    let absolute = check("error_rate", "error_rate < 5%", below(0.05));
    pipeline.stages[1].checks.push(absolute);
    decided_by(&mut pipeline, Method::Sequential);
    let verdict = second_stage(&pipeline, &errors_of(STAGE_INTERVALS, 30_000.0, 0.01, 1.0));
    for report in &verdict.checks {
        let told = report.ratio.as_ref().unwrap();
        let interval = told.interval.unwrap();
        let holds = interval.lower() < 1.0 && interval.upper() > 1.0;
        assert!(holds, "{interval:?}");
    }
    let estimate = |index: usize| verdict.checks[index].ratio.as_ref().map(|one| one.estimate);
    assert_eq!(estimate(0), estimate(1), "the same counts");
}

#[test]
fn what_a_stage_can_detect_is_found_in_its_time_and_less_is_not() {
    let pipeline = sequential();
    let detectable = |requests: f64| {
        let data = errors_of(60, requests, 0.001, 1.0);
        second_stage(&pipeline, &data).checks[0]
            .detectable_ratio
            .unwrap()
    };
    let (few, many) = (detectable(3_000.0), detectable(30_000.0));
    assert!(few > many && many > 1.1, "{few} and {many}");
    // max_duration is 240 intervals.
    let rolls_back = |ratio: f64| {
        let data = errors_of(240, 30_000.0, 0.001, ratio);
        second_stage(&pipeline, &data).verdict == Verdict::Rollback
    };
    assert!(rolls_back(1.25 * many), "{many}");
    assert!(!rolls_back(1.1 + 0.5 * (many - 1.1)), "{many}");
}

#[test]
fn an_offset_counts_as_a_part_of_the_ratio_in_a_plan() {
    let mut pipeline = sequential();
    let detectable = |pipeline: &Pipeline| {
        let data = errors_of(60, 30_000.0, 0.001, 1.0);
        second_stage(pipeline, &data).checks[0]
            .detectable_ratio
            .unwrap()
    };
    let plain = detectable(&pipeline);
    pipeline.stages[1].checks = vec![check(
        "error_rate",
        "error_rate < baseline * 1.1 + 0.002",
        Condition::Relative {
            comparison: Comparison::Less,
            ratio: 1.1,
            offset: 0.002,
        },
    )];
    decided_by(&mut pipeline, Method::Sequential);
    // Of a rate of 0.001 the offset alone is twice as much.
    assert!(detectable(&pipeline) > plain + 2.0 - 0.5);
}

#[test]
fn a_check_of_the_highest_share_of_the_budget_sees_most() {
    let pipeline = sequential();
    let data = errors_of(60, 30_000.0, 0.001, 1.0);
    let alone = second_stage(&pipeline, &data).checks[0]
        .detectable_ratio
        .unwrap();
    let mut shared = sequential();
    let other = check("error_rate", "error_rate < 5%", below(0.05));
    shared.stages[1].checks.push(other);
    decided_by(&mut shared, Method::Sequential);
    let report = second_stage(&shared, &data);
    assert!(report.checks[0].detectable_ratio.unwrap() > alone);
    assert_eq!(
        report.checks[1].detectable_ratio, None,
        "an absolute limit has no ratio"
    );
}

#[test]
fn a_stage_without_hope_says_at_the_first_answer_what_would_do() {
    let pipeline = sequential();
    let verdict = second_stage(&pipeline, &errors_of(2, 300.0, 0.000_5, 1.0));
    let needs = verdict.checks[0].needs.as_ref().unwrap();
    assert!(needs.traffic_factor.unwrap() > 1.0);
    assert!(needs.provable_ratio.unwrap() > 2.0);
    insta::assert_snapshot!("a_stage_without_hope", verdict.reason);
    // A canary without an error is no reason to give up.
    let none = second_stage(&pipeline, &errors_of(2, 300.0, 0.000_5, 0.0));
    assert!(none.checks[0].needs.is_some(), "{}", none.reason);
    // With traffic there is hope, and nothing to be told.
    let busy = second_stage(&pipeline, &errors_of(10, 300_000.0, 0.01, 1.0));
    let needs = busy.checks[0].needs.as_ref();
    assert!(needs.is_none_or(|needs| needs.traffic_factor.is_none()));
}

#[test]
fn more_traffic_as_told_is_enough() {
    let pipeline = sequential();
    let at = |requests| second_stage(&pipeline, &errors_of(60, requests, 0.000_5, 1.0));
    let short = at(300.0);
    let factor = short.checks[0]
        .needs
        .as_ref()
        .unwrap()
        .traffic_factor
        .unwrap();
    let enough = at(300.0 * factor * 1.05);
    let needs = enough.checks[0].needs.as_ref().unwrap();
    assert_eq!(needs.traffic_factor, None, "{}", enough.reason);
    let ends_at = grid(60).boundary_ms(240);
    assert!(needs.projected_at_ms.unwrap() <= ends_at);
}

#[test]
fn at_the_longest_duration_the_answer_says_what_the_stage_could_see() {
    let mut pipeline = sequential();
    let open = errors_of(2 * STAGE_INTERVALS, 300.0, 0.000_5, 1.0);
    let mut reasons = Vec::new();
    for rule in [
        OnInconclusive::Hold,
        OnInconclusive::Promote,
        OnInconclusive::Rollback,
    ] {
        pipeline.analysis.on_inconclusive = rule;
        let verdict = second_stage(&pipeline, &open);
        assert!(verdict.checks[0].detectable_ratio.is_some());
        reasons.push(format!("{}: {}", verdict.verdict.name(), verdict.reason));
    }
    insta::assert_snapshot!("at_the_longest_duration", reasons.join("\n"));
}

#[test]
fn a_latency_that_cannot_be_compared_yet_is_told_when_it_can() {
    let mut pipeline = sequential();
    pipeline.stages[1].checks = vec![check(
        "latency_p99",
        "latency_p99 < baseline * 1.2",
        below_baseline(1.2),
    )];
    let tails = [0.3, 0.01, 0.000_1];
    // 9 control requests in an interval, of which the first hundred tell the p99.
    let young = data(
        4,
        vec![("latency_p99", latency::histogram(4, tails, tails, 1.0))],
    );
    let verdict = second_stage(&pipeline, &young);
    let needs = verdict.checks[0].needs.as_ref();
    let needs = needs.unwrap_or_else(|| panic!("{}", verdict.checks[0].reason));
    let at_ms = needs.projected_at_ms.unwrap();
    let expected = grid(4).start_ms() as f64 + 4.0 * INTERVAL_MS as f64 * 100.0 / 36.0;
    assert!((at_ms as f64 - expected).abs() < 1_000.0, "{at_ms}");
}
