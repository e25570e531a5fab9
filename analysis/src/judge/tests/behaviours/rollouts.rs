//! Several stages: what is proven goes on, and is spent once.

use super::*;

/// What the check of a stage is asked for, at a stage's last interval.
fn rollback_at(told: &StageVerdict) -> f64 {
    told.checks[0].evidence.as_ref().unwrap().rollback_at
}

fn evidence(told: &StageVerdict) -> f64 {
    told.checks[0].evidence.as_ref().unwrap().rollback
}

/// The answers of all stages, one after the other; of those named a person has decided.
fn through(pipeline: &Pipeline, stages: &[Vec<Row>], decided: &[usize]) -> Vec<Vec<StageVerdict>> {
    let mut course = Course::of_rollout(pipeline);
    let mut all = Vec::new();
    for (place, rows) in stages.iter().enumerate() {
        all.push(stage_answers(&course, pipeline, place, rows));
        let data = of_rows(pipeline, rows);
        let stage = &pipeline.stages[place];
        course = after_stage(&course, pipeline, stage, &data, decided.contains(&place));
    }
    all
}

/// D9: one error rate for the whole rollout, and evidence that goes on from stage to stage.
#[test]
fn d09_stages_of_the_same_check_share_one_threshold_and_go_on() {
    let pipeline = sequential(vec![relative(1.1), relative(1.1), relative(1.1)]);
    let worse = vec![(2.25, 150.0, 13.5, 1_350.0); 60];
    let told = through(&pipeline, &[worse.clone(), worse.clone()], &[]);
    let one_in_a_hundred = 101.0;
    for answer in told.iter().flatten() {
        assert!((rollback_at(answer) - one_in_a_hundred).abs() < 1e-9);
    }
    assert_eq!(
        first(&told[0], Verdict::Rollback),
        None,
        "not seen in the first"
    );
    let (before, after) = (evidence(last(&told[0])), evidence(&told[1][0]));
    let alone = stage_answers(&Course::of_rollout(&pipeline), &pipeline, 0, &worse[..1]);
    let alone = evidence(last(&alone));
    assert!(
        before > 5.0 * alone && after > 2.0 * alone,
        "{before}, then {after}, not {alone}"
    );
    assert!(first(&told[1], Verdict::Rollback).is_some());
}

#[test]
fn d09_what_a_stage_does_not_ask_has_no_part_of_it() {
    let pipeline = sequential(vec![absolute(0.5), relative(1.1)]);
    let good = |seed| traffic(seed, 60, (50.0, 0.1), 0.01, 1.0);
    let told = through(&pipeline, &[good(1), good(2)], &[]);
    for answer in told.iter().flatten() {
        assert!((rollback_at(answer) - 2.0 * 101.0).abs() < 1e-9);
    }
    let with_another = [relative(1.1), absolute(0.5)].concat();
    let pipeline = sequential(vec![relative(1.1), relative(1.1), with_another]);
    let told = through(&pipeline, &[good(1), good(2), good(3)], &[]);
    let late = last(&told[2]).checks[1]
        .evidence
        .as_ref()
        .unwrap()
        .rollback_at;
    assert!((late - 3.0 * 2.0 * 101.0).abs() < 1e-9, "{late}");
}

/// D10: a person who goes on from a hold restarts nothing; one who overrides a rollback does, and what is found in
/// the stage after it rolls back again.
#[test]
fn d10_going_on_keeps_the_evidence_and_overriding_spends_it_anew() {
    let pipeline = sequential(vec![relative(1.1), relative(1.1)]);
    let held = vec![(2.25, 150.0, 13.5, 1_350.0); 60];
    let told = through(&pipeline, &[held.clone(), held], &[]);
    assert_eq!(last(&told[0]).verdict, Verdict::Hold);
    let (before, after) = (evidence(last(&told[0])), evidence(&told[1][0]));
    assert!(
        before > 2.0 && (after / before - 1.0).abs() < 0.5,
        "{before}, {after}"
    );

    let worse = vec![(7.5, 150.0, 13.5, 1_350.0); 60];
    let told = through(&pipeline, &[worse.clone(), worse.clone()], &[0]);
    let found = first(&told[0], Verdict::Rollback);
    assert!(found.is_some());
    assert_eq!(told[1][0].verdict, Verdict::Hold, "{}", told[1][0].reason);
    assert!(evidence(&told[1][0]) < 10.0, "{}", evidence(&told[1][0]));
    let again = first(&told[1], Verdict::Rollback);
    assert!(again.is_some_and(|minutes| minutes <= 10.0), "{again:?}");
    let told = through(&pipeline, &[worse.clone(), worse], &[]);
    assert_eq!(told[1][0].verdict, Verdict::Rollback);
}

/// D26: what a person has decided is not found again, and what is new is.
#[test]
fn d26_after_an_override_all_evidence_begins_anew() {
    let pipeline = sequential(vec![relative(1.1), relative(1.1)]);
    let mut crash = traffic(1, 60, (50.0, 0.1), 0.01, 1.0);
    for row in &mut crash[20..28] {
        row.0 = row.1;
    }
    let good = traffic(2, 60, (50.0, 0.1), 0.01, 1.0);
    let found = through(&pipeline, &[crash.clone(), good.clone()], &[]);
    assert!(first(&found[0], Verdict::Rollback).is_some());
    assert_eq!(
        found[1][0].verdict,
        Verdict::Rollback,
        "{}",
        found[1][0].reason
    );
    let told = through(&pipeline, &[crash.clone(), good], &[0]);
    assert_eq!(first(&told[1], Verdict::Rollback), None);
    let told = through(&pipeline, &[crash.clone(), crash], &[0]);
    let again = first(&told[1], Verdict::Rollback);
    assert!(again.is_some_and(|minutes| minutes <= 14.0), "{again:?}");
}
