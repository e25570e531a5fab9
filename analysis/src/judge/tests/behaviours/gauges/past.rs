//! What the control did before the rollout.

use super::*;
use crate::judge::{SpreadSource, measure_gauges};

/// Four hours.
const PAST_MINUTES: usize = 240;

/// The same rollout with what a control like this did in the four hours before.
fn with_past(pipeline: &Pipeline, whole: StageData, control: &Side<'_>, seed: u64) -> StageData {
    let before_ms = i64::try_from(PAST_MINUTES).unwrap() * 60_000;
    let control = Side {
        level: Box::new(|pod, minute| (control.level)(pod, minute)),
        is_old: true,
        ..*control
    };
    let mut series = control.series("control", (PAST_MINUTES, 60), 1_000 + seed);
    for one in &mut series {
        for at_ms in &mut one.timestamps_ms {
            *at_ms -= before_ms;
        }
    }
    let start_ms = whole.grid.start_ms();
    let mut past = read_of(0, 60_000, Vec::new());
    past.grid = Grid::covering(start_ms - before_ms, start_ms, 60_000);
    let gauge = read_on(past.grid, None, &[], &series);
    past.metrics.insert("load".to_owned(), gauge);
    StageData {
        gauges_before: measure_gauges(&past, pipeline, &pipeline.stages[0]),
        ..whole
    }
}

/// 8b.19: one pod that wanders by half is no proof where it wandered before.
#[test]
fn g19_drift_that_the_control_had_before_is_no_fault() {
    let pipeline = an_hour(QUARTER);
    let side = || Side::constant(1.0).noisy(0.5, 0.8);
    let (mut with, mut without, mut of_the_past) = (0, 0, 0);
    for seed in 0..20 {
        let whole = read(Clock::minutes(60), &side(), &side(), seed);
        let known = with_past(&pipeline, whole.clone(), &side(), seed);
        let told = asked(&pipeline, &known, [3, 60]);
        with += usize::from(told.last().verdict == Verdict::Rollback);
        let early = &told.answers[0].checks[0];
        if early.outcome == Outcome::Undecided
            && early.spread.as_ref().unwrap().source == SpreadSource::Past
        {
            assert!(
                early.reason.contains("from the control's past"),
                "{}",
                early.reason
            );
            of_the_past += 1;
        }
        let alone = asked(&pipeline, &whole, [60]);
        without += usize::from(alone.last().verdict == Verdict::Rollback);
    }
    assert_eq!(with, 0);
    assert!(of_the_past >= 5, "{of_the_past}");
    assert!(without >= 1, "{without}");
}

/// 8b.19: an incident of half an hour in it hides no canary that is three times as high.
#[test]
fn g19_an_incident_in_the_past_hides_nothing() {
    let pipeline = an_hour(QUARTER);
    let usual = || Side::constant(1.0).noisy(0.3, 0.5);
    let incident = |_, at: f64| {
        Some(if (125.0..155.0).contains(&at) {
            20.0
        } else {
            1.0
        })
    };
    let found = |past: &dyn Fn() -> Side<'static>| {
        let by_ten = (0..40).filter(|seed| {
            let canary = Side::constant(3.0).noisy(0.3, 0.5);
            let whole = read(Clock::minutes(10), &canary, &usual(), *seed);
            let known = with_past(&pipeline, whole, &past(), *seed);
            asked(&pipeline, &known, [10]).last().verdict == Verdict::Rollback
        });
        by_ten.count()
    };
    let (without, with) = (
        found(&usual),
        found(&|| Side::of(1, incident).noisy(0.3, 0.5)),
    );
    // With four hours of the past 78 % are found by then.
    assert_part(with, 40, 0.78);
    assert!(with + 3 >= without, "{with} beside {without}");
}
