//! How often somebody asks, gaps in the canary's traffic, and what ends a stage.

use super::*;

/// D17: places come from the rows before, so it matters to nobody when, and how often, somebody asks.
#[test]
fn d17_who_asks_and_when_changes_no_answer() {
    let pipeline = half_an_hour(RELATIVE);
    for times in [1.0, 2.0] {
        let histogram = histogram_of(&slower(100.0, LN_8, times), 1, HALF_HOUR);
        let whole = read(&["latency_p99"], &histogram);
        let all = asked(&pipeline, &whole, 1..=HALF_HOUR);
        let some = asked(&pipeline, &whole, (7..=HALF_HOUR).step_by(10));
        for (minutes, answer) in some.minutes.iter().zip(&some.answers) {
            assert_eq!(all.at(*minutes), answer, "{minutes}");
            // A process that has just been started has kept nothing.
            let intervals = answer.intervals;
            assert_eq!(asked(&pipeline, &whole, [intervals]).last(), answer);
        }
    }
}

/// D19: intervals in which the canary has no requests say nothing, and the control's rows still tell where its p99 is.
#[test]
fn d19_a_canary_without_requests_adds_nothing() {
    let gap = 20..26;
    let pipeline = half_an_hour(RELATIVE);
    let mut histogram = histogram_of(&slower(100.0, LN_8, 1.3), 1, HALF_HOUR);
    leave_out_the_canary(&mut histogram, gap.clone());
    let told = asked(
        &pipeline,
        &read(&["latency_p99"], &histogram),
        1..=HALF_HOUR,
    );
    let evidence = |intervals: usize| {
        let found = told.answers[intervals - 1].checks[0]
            .evidence
            .clone()
            .unwrap();
        (found.rollback, found.promote)
    };
    for interval in gap.clone() {
        assert_eq!(evidence(interval + 1), evidence(20), "{interval}");
    }
    assert_ne!(evidence(27), evidence(20));
    // The control is three times as slow from the gap on: its rows there tell the first interval after it.
    let faster = LatencyFleetDescription {
        disturbance: Disturbance {
            shared: Fault::From(20, 3.0),
            ..Disturbance::NONE
        },
        ..slower(100.0, LN_8, 1.0)
    };
    let mut histogram = histogram_of(&faster, 1, HALF_HOUR);
    leave_out_the_canary(&mut histogram, gap);
    let told = asked(&pipeline, &read(&["latency_p99"], &histogram), [HALF_HOUR]);
    assert_eq!(told.last().verdict, Verdict::Promote, "{}", told.reasons());
}

fn leave_out_the_canary(histogram: &mut PairedHistogram, intervals: std::ops::Range<usize>) {
    for interval in intervals {
        histogram.canary.row_mut(interval).fill(0.0);
        histogram.pods.canary.rows[interval].clear();
    }
}

/// D20: 17 requests of the canary a minute in half an hour are too few to show anything.
#[test]
fn d20_an_undecided_stage_is_promoted_unless_something_is_visible() {
    let pipeline = stage_of(
        RELATIVE,
        "duration_minutes: 30, max_duration_minutes: 30",
        ", on_inconclusive: promote",
    );
    let rps = 17.0 / 60.0 / 0.05;
    let at_the_end = |times: f64, seed| {
        let histogram = histogram_of(&slower(rps, LN_8, times), seed, HALF_HOUR);
        let told = asked(&pipeline, &read(&["latency_p99"], &histogram), [HALF_HOUR]);
        let last = told.last();
        (last.verdict, last.reason_code, last.reason.clone())
    };
    // How many of the seeds are promoted, and held because something is visible.
    let counted = |times: f64| {
        let mut found = (0, 0);
        for seed in 0..40 {
            let (verdict, code, reason) = at_the_end(times, seed);
            let is_visible = code == ReasonCode::Suspected;
            let expected = [Verdict::Promote, Verdict::Hold][usize::from(is_visible)];
            assert!(
                verdict == Verdict::Rollback || verdict == expected,
                "{reason}"
            );
            found.0 += usize::from(verdict == Verdict::Promote);
            found.1 += usize::from(is_visible);
        }
        found
    };
    let (same, half_more, thrice) = (counted(1.0), counted(1.5), counted(3.0));
    assert!(same.0 >= 38, "{same:?}");
    assert!(
        half_more.1 >= 4 * same.1.max(1),
        "{half_more:?} beside {same:?}"
    );
    assert!(thrice.0 <= 2, "{thrice:?}");
}
