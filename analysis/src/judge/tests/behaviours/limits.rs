//! What limits of each kind ask, and what only looks like keeping one.

use super::*;
use crate::pipeline::{OnInconclusive, parse};

/// D3: 39 % against 30 % under a limit of 1.1 was promoted.
#[test]
fn d03_a_canary_that_fails_a_third_more_is_rolled_back_and_never_promoted() {
    for seed in 1..=5 {
        let rows = traffic(seed, 120, (100.0, 0.05), 0.3, 1.3);
        let answers = answers(relative(1.1), &rows);
        assert_eq!(first(&answers, Verdict::Promote), None, "{seed}");
        assert!(first(&answers, Verdict::Rollback).is_some(), "{seed}");
    }
}

/// D3: of fewer failures, while the interval of the ratio excludes the limit nothing is promoted.
#[test]
fn d03_what_is_surely_beyond_its_limit_is_suspected_until_it_is_proven() {
    let mut suspected = 0;
    for seed in 1..=10 {
        let rows = traffic(seed, 120, (100.0, 0.05), 0.05, 1.3);
        for told in answers(relative(1.1), &rows) {
            let ratio = told.checks[0].ratio.as_ref();
            let lower = ratio.and_then(|ratio| Some(ratio.interval?.lower()));
            if lower.is_some_and(|lower| lower > 1.1) {
                assert_ne!(told.verdict, Verdict::Promote, "{seed}: {}", told.reason);
            }
            suspected += usize::from(told.reason_code == ReasonCode::Suspected);
        }
    }
    assert!(suspected > 0);
}

/// D4: what is visibly beyond its own limit is not promoted, and the answer says what it shows.
#[test]
fn d04_what_shows_half_as_much_again_is_not_promoted() {
    let row = (1.5, 100.0, 9.0, 900.0);
    let answers = answers(relative(1.1), &vec![row; 60]);
    assert_eq!(first(&answers, Verdict::Promote), None);
    let told = last(&answers);
    assert_eq!(told.reason_code, ReasonCode::Suspected, "{}", told.reason);
    assert!(
        told.reason.contains("shows 1.5 times the control"),
        "{}",
        told.reason
    );
}

/// D5: of a service without errors no multiple can be shown.
#[test]
fn d05_a_service_without_errors_is_promoted_below_the_offset() {
    let row = (0.0, 150.0, 0.0, 2_850.0);
    let told = answers(relative(1.1), &vec![row; 60]);
    let promoted = first(&told, Verdict::Promote);
    assert!(
        promoted.is_some_and(|minutes| (29.0..=30.0).contains(&minutes)),
        "{promoted:?}"
    );
    let says = &last(&told).checks[0].reason;
    assert!(says.contains("below 2 x control + 0.1 %"), "{says}");
    let told = answers_of(
        relative(1.1),
        |pipeline| {
            for check in &mut pipeline.stages[0].checks {
                check.promotion_limit = Limit::relative(true, 2.0, 0.0);
            }
        },
        &vec![row; 60],
    );
    assert_eq!(last(&told).verdict, Verdict::Hold);
    let says = &last(&told).reason;
    assert!(
        says.contains("no multiple") || says.contains("baseline + 0.001"),
        "{says}"
    );
    let fails = (0.75, 150.0, 0.0, 2_850.0);
    let told = answers(relative(1.1), &vec![fails; 60]);
    assert!(first(&told, Verdict::Rollback).is_some());
}

/// D6: three points of five minutes are enough for what is plain.
#[test]
fn d06_stages_of_few_long_intervals_decide() {
    let coarse = |pipeline: &mut Pipeline| {
        pipeline.analysis.interval_seconds = 300;
        pipeline.stages[0].duration_minutes = 15.0;
        pipeline.stages[0].max_duration_minutes = 30.0;
    };
    let worse = (75.0, 1_500.0, 285.0, 28_500.0);
    let told = answers_of(relative(1.1), coarse, &[worse; 3]);
    let verdicts: Vec<Verdict> = told.iter().map(|one| one.verdict).collect();
    assert_eq!(verdicts[2], Verdict::Rollback, "{}", last(&told).reason);
    assert_ne!(verdicts[0], Verdict::Rollback, "one point is one event");
    let good = (75.0, 7_500.0, 1_425.0, 142_500.0);
    let told = answers_of(relative(1.1), coarse, &[good; 3]);
    assert_eq!(
        last(&told).verdict,
        Verdict::Promote,
        "{}",
        last(&told).reason
    );
}

/// D7: a control that breaks the number itself shields no canary that is ten times worse, an incident that both
/// have holds while it lasts, and nothing of it is left behind.
#[test]
fn d07_a_control_beyond_the_number_shields_nobody() {
    let both = (3.9, 300.0, 35.1, 2_700.0);
    let worse = (39.0, 300.0, 35.1, 2_700.0);
    let mut rows = vec![both; 120];
    rows[60..].fill(worse);
    let told = answers(absolute(0.01), &rows);
    let found = first(&told, Verdict::Rollback).unwrap();
    assert!((30.0..45.0).contains(&found), "{found}");
    assert_eq!(told[50].reason_code, ReasonCode::Environment);

    let good = (0.9, 300.0, 8.1, 2_700.0);
    let incident = (15.0, 300.0, 135.0, 2_700.0);
    let mut rows = vec![good; 120];
    rows[2..12].fill(incident);
    let told = answers(absolute(0.01), &rows);
    assert_eq!(first(&told, Verdict::Rollback), None);
    for (interval, answer) in told.iter().enumerate().skip(3) {
        // The newest eight intervals together are looked at.
        let is_held = answer.reason_code == ReasonCode::Environment;
        let may_be = (2..12 + 8).contains(&interval);
        assert!(may_be || !is_held, "{interval}: {}", answer.reason);
    }
    assert_eq!(told[8].reason_code, ReasonCode::Environment);
    assert!(first(&told, Verdict::Promote).is_some_and(|minutes| minutes <= 60.0));
}

/// D7: a kill switch beyond which the control is too fires for what is worse for sure.
#[test]
fn d07_a_broken_control_shields_no_canary_from_a_kill_switch() {
    let told = |canary: f64| {
        let row = (canary * 3_000.0, 3_000.0, 0.06 * 27_000.0, 27_000.0);
        let with_switch = |pipeline: &mut Pipeline| {
            let above = Condition::Absolute {
                comparison: Comparison::Greater,
                limit: 0.05,
            };
            pipeline.kill_switch = vec![switch("error_rate", "error_rate > 5%", above)];
        };
        last(&answers_of(absolute(0.5), with_switch, &[row; 60])).clone()
    };
    let fired = told(0.6);
    assert_eq!(
        fired.reason_code,
        ReasonCode::KillSwitch,
        "{}",
        fired.reason
    );
    let held = told(0.065);
    assert_eq!(held.verdict, Verdict::Hold, "{}", held.reason);
    assert_eq!(held.reason_code, ReasonCode::Environment, "{}", held.reason);
}

/// D14: a stage that ends undecided is promoted where the file says so, and only where it was judged on data that
/// shows nothing bad.
#[test]
fn d14_what_was_not_seen_is_not_promoted_by_the_clock() {
    let promoted = |rows: &[Row]| {
        let ended = |pipeline: &mut Pipeline| {
            pipeline.analysis.on_inconclusive = OnInconclusive::Promote;
            pipeline.stages[0].duration_minutes = 15.0;
            pipeline.stages[0].max_duration_minutes = 15.0;
        };
        let told = answers_of(relative(1.1), ended, rows);
        (last(&told).verdict, last(&told).reason.clone())
    };
    let rare = (0.0, 30.0, 1.0, 270.0);
    let (verdict, reason) = promoted(&[rare; 30]);
    assert_eq!(verdict, Verdict::Promote, "{reason}");
    let mut left = vec![rare; 30];
    left[4..].fill((0.0, 0.0, 1.0, 270.0));
    let (verdict, reason) = promoted(&left);
    assert_eq!(verdict, Verdict::Hold, "{reason}");
    let mut suspect = vec![rare; 30];
    suspect[10].0 = 3.0;
    suspect[16].0 = 3.0;
    suspect[21].0 = 3.0;
    suspect[25].0 = 3.0;
    let (verdict, reason) = promoted(&suspect);
    assert_eq!(verdict, Verdict::Hold, "{reason}");
}

/// D16: less traffic than the stage says is no harm, and as much as it says is shown.
#[test]
fn d16_a_throughput_is_promoted_and_rolls_nothing_back() {
    let stage =
        "{traffic_percent: 10, duration_minutes: 30, metrics: [throughput within 5% of baseline]}";
    let pipeline = parse(&format!("canary_pipeline: {{only: {stage}}}"), "test").unwrap();
    let course = Course::of_rollout(&pipeline);
    let last_of = |requests: f64| {
        let mut random = random(1);
        let mut served = |mean: f64| poisson(&mut random, mean) as f64;
        let row = |_| (served(requests), 3.0, served(13_500.0), 27.0);
        let rows: Vec<Row> = (0..60).map(row).collect();
        let mut data = of_rows(&pipeline, &rows);
        let counted = data.metrics.remove("error_rate").unwrap();
        data.metrics.insert("throughput".to_owned(), counted);
        judge_on(&course, None, &pipeline, &pipeline.stages[0], &data).0
    };
    let balanced = last_of(1_500.0);
    assert_eq!(balanced.verdict, Verdict::Promote, "{}", balanced.reason);
    let less = last_of(0.76 * 1_500.0);
    assert_eq!(less.verdict, Verdict::Hold, "{}", less.reason);
}

/// D24: a number needs no control, and the answer says what cannot be seen without one.
#[test]
fn d24_without_requests_of_the_control_a_number_is_judged_alone() {
    let broken = (150.0, 300.0, 0.0, 0.0);
    let told = answers(absolute(0.01), &[broken; 10]);
    let found = first(&told, Verdict::Rollback);
    assert!(found.is_some_and(|minutes| minutes <= 3.0), "{found:?}");
    let reason = &last(&told).reason;
    assert!(
        reason.contains("an incident that it would share cannot be seen"),
        "{reason}"
    );
    let good = (0.3, 300.0, 0.0, 0.0);
    let told = answers(absolute(0.01), &[good; 60]);
    assert_eq!(
        last(&told).verdict,
        Verdict::Promote,
        "{}",
        last(&told).reason
    );
}

/// D20: whatever is counted, what is told are numbers; nothing is proven by nothing.
#[test]
fn d20_evidence_is_finite_and_nothing_is_exactly_one() {
    let huge = (1.8e12, 3.6e12, 1e9, 3.6e12);
    let told = answers(relative(1.1), &[huge; 20]);
    for answer in &told {
        let evidence = answer.checks[0].evidence.as_ref().unwrap();
        let numbers = [
            Some(evidence.rollback),
            evidence.promote,
            evidence.dispersion,
        ];
        assert!(
            numbers.into_iter().flatten().all(f64::is_finite),
            "{evidence:?}"
        );
    }
    let quiet = (0.0, 10.0, 0.0, 90.0);
    let told = answers(relative(1.1), &[quiet; 3]);
    let evidence = last(&told).checks[0].evidence.as_ref().unwrap();
    assert_eq!(evidence.rollback.to_bits(), 1.0_f64.to_bits());
}
