//! Which checks may roll back: `rollback: true` and `rollback: false`.

use super::*;

fn sequential(checks: Vec<Check>) -> Pipeline {
    let mut pipeline = pipeline(checks);
    decided_by(&mut pipeline, Method::Sequential);
    pipeline
}

/// As the file says so.
fn with_rollback(check: WrittenCheck, rollback: bool) -> Check {
    let subject = subject(&check.metric);
    let told = WrittenCheck {
        rollback: Some(rollback),
        ..check
    };
    told.resolved(subject, &settings())
}

fn written_cpu() -> WrittenCheck {
    written(
        "cpu_usage",
        "cpu_usage < baseline * 1.1",
        below_baseline(1.1),
    )
}

fn cpu_check() -> Check {
    written_cpu().resolved(subject("cpu_usage"), &settings())
}

fn busy_cpu() -> MetricData {
    let pair = |interval: usize| {
        let wave = 0.02 * libm::sin(interval as f64);
        Populations {
            control: Some(0.3 + wave),
            canary: Some(0.9 + wave),
        }
    };
    MetricData::Gauge(PairedGauge {
        intervals: (0..STAGE_INTERVALS).map(pair).collect(),
        ..PairedGauge::default()
    })
}

#[test]
fn a_gauge_votes_with_what_it_shows_unless_the_file_says_that_it_may_not() {
    for method in [Method::Sequential, Method::Wilson] {
        let judged = |check: Check| {
            let mut pipeline = sequential(vec![check]);
            decided_by(&mut pipeline, method);
            second_stage(
                &pipeline,
                &data(STAGE_INTERVALS, vec![("cpu_usage", busy_cpu())]),
            )
        };
        for voting in [cpu_check(), with_rollback(written_cpu(), true)] {
            let told = judged(voting);
            assert_eq!(told.verdict, Verdict::Rollback, "{}", told.reason);
            assert!(told.checks[0].may_roll_back);
        }
        let silent = judged(with_rollback(written_cpu(), false));
        assert_eq!(silent.verdict, Verdict::Hold, "{}", silent.reason);
        assert!(!silent.checks[0].may_roll_back);
    }
}

#[test]
fn a_check_that_may_only_hold_fails_and_holds() {
    for method in [Method::Sequential, Method::Wilson] {
        let checks = vec![with_rollback(written_error_rate(), false)];
        let mut pipeline = sequential(checks);
        decided_by(&mut pipeline, method);
        let verdict = second_stage(&pipeline, &errors(STAGE_INTERVALS, BAD));
        assert_eq!(
            (verdict.verdict, verdict.reason_code),
            (Verdict::Hold, ReasonCode::CheckFailed)
        );
        assert_eq!(verdict.checks[0].outcome, Outcome::Fail);
        assert!(
            verdict.reason.ends_with("; it may hold but not roll back"),
            "{}",
            verdict.reason
        );
        // A failure is not what is left open at the end.
        pipeline.analysis.on_inconclusive = OnInconclusive::Promote;
        let late = second_stage(&pipeline, &errors(2 * STAGE_INTERVALS, BAD));
        assert_eq!(late.verdict, Verdict::Hold);
        // One that nobody waits for is told with the promotion.
        pipeline.stages[1].checks[0].critical = false;
        pipeline.stages[1]
            .checks
            .push(check("error_rate", "error_rate < 1%", below(0.01)));
        decided_by(&mut pipeline, method);
        let promoted = second_stage(&pipeline, &errors(STAGE_INTERVALS, BAD));
        assert_eq!(promoted.verdict, Verdict::Promote);
        assert_eq!(
            promoted.reason,
            "1 of 2 checks passed; 1 broken, but neither critical nor to roll back"
        );
    }
}

#[test]
fn only_checks_that_may_roll_back_share_the_budget() {
    let threshold = |checks: Vec<Check>| {
        let verdict = second_stage(&sequential(checks), &errors(STAGE_INTERVALS, GOOD));
        verdict.checks[0].evidence.as_ref().unwrap().rollback_at
    };
    let written_conversion = || {
        written(
            "conversion",
            "conversion > baseline * 0.9",
            Condition::Relative {
                comparison: Comparison::Greater,
                ratio: 0.9,
                offset: 0.0,
            },
        )
    };
    let conversion = || written_conversion().resolved(subject("conversion"), &settings());
    let first = || error_rate_checks().remove(0);
    let alone = threshold(vec![first()]);
    // The weights are fixed by the file, whether there is data of the others or not.
    assert!((threshold(vec![first(), conversion()]) / alone - 2.0).abs() < 1e-12);
    let holding = vec![
        first(),
        with_rollback(written_conversion(), false),
        with_rollback(written_cpu(), false),
    ];
    assert!((threshold(holding) / alone - 1.0).abs() < 1e-12);
}
