use super::super::operating::OneThread;
use super::*;
use crate::judge::ReasonCode;

#[test]
fn the_file_is_read_and_names_what_is_measured() {
    let pipeline = checks::pipeline(true).unwrap();
    assert_eq!(pipeline.stages.len(), 4);
    for stage in &pipeline.stages {
        let checks = stage.checks.iter();
        let asked: Vec<&str> = checks.map(|check| check.metric.as_str()).collect();
        assert_eq!(asked, checks::METRICS.map(|(name, _)| name));
        assert!(stage.checks.iter().all(|check| check.may_roll_back));
        assert!((stage.duration_minutes - 15.0).abs() < 1e-9);
        assert!((stage.max_duration_minutes - 30.0).abs() < 1e-9);
    }
}

#[test]
fn laws_are_read_as_they_are_written() {
    for law in Law::ALL {
        assert_eq!(law.name().parse::<Law>().unwrap(), law);
    }
    let unknown = "mild".parse::<Law>().unwrap_err().to_string();
    assert!(unknown.contains("mild-noise, pods-differ-10"), "{unknown}");
}

/// Every rollout of the design's table ends in one of three ways.
#[test]
fn what_the_design_has_measured_adds_up() {
    for law in Law::ALL {
        let Published { without, with, .. } = law.published();
        for one in [without, with] {
            let sum = one.rolled_back + one.completed + one.stuck;
            assert!((sum - 100.0).abs() < 1e-9, "{law:?}: {sum}");
            assert!(one.stuck_by_gauges <= one.stuck);
        }
    }
}

/// Three times the failures in the first stage are a rollback for them before it is over, and a good version goes
/// through all stages in the shortest time that they may take, to the interval within the lag.
#[test]
fn a_rollout_ends_as_its_verdicts_say() {
    let rollouts = Rollouts::new(true).unwrap();
    let found = rollouts.replicate(Law::Errors.description(), 1, 0);
    let End::RolledBack(broken) = &found.end else {
        panic!("{found:?}");
    };
    assert_eq!((broken[0].metric.as_str(), found.stage), ("error_rate", 1));
    assert_eq!(broken[0].code, ReasonCode::CheckFailed);
    let good = rollouts.replicate(Law::MildNoise.description(), 1, 1);
    assert_eq!((good.end, good.stage), (End::Completed, 4));
    assert!((good.minute - 4.0 * 14.5).abs() < 1e-9, "{}", good.minute);
}

/// What holds a stage is told with its check, its code and its sentence.
#[test]
fn a_stage_that_is_held_at_its_longest_duration_is_the_end_and_says_why() {
    let rollouts = Rollouts::new(true).unwrap();
    let held = rollouts.replicate(Law::Slow.description(), 1, 0);
    let End::Stuck(said) = &held.end else {
        panic!("{held:?}");
    };
    assert!((held.minute - 30.0).abs() < 1e-9);
    let asked: Vec<(&str, ReasonCode)> = said
        .iter()
        .map(|one| (one.metric.as_str(), one.code))
        .collect();
    assert!(
        asked.contains(&("latency_p95", ReasonCode::Suspected)),
        "{asked:?}"
    );
    assert!(
        said[0].reason.contains("pods differ by"),
        "{}",
        said[0].reason
    );
}

/// Without what pods tell the same rollout is judged otherwise: the flag reaches the judge.
#[test]
fn what_pods_tell_can_be_left_out() {
    let with = Rollouts::new(true)
        .unwrap()
        .replicate(Law::Slow.description(), 1, 0);
    let without = Rollouts::new(false)
        .unwrap()
        .replicate(Law::Slow.description(), 1, 0);
    assert!(matches!(with.end, End::Stuck(_)), "{with:?}");
    assert!(matches!(without.end, End::RolledBack(_)), "{without:?}");
}

#[test]
fn a_law_is_measured_in_the_order_of_its_replicates() {
    let rollouts = Rollouts::new(true).unwrap();
    let measured = rollouts.measure(&OneThread, Law::LateErrors.description(), (3, 7));
    let each: Vec<Outcome> = (0..3)
        .map(|index| rollouts.replicate(Law::LateErrors.description(), 7, index))
        .collect();
    assert_eq!(
        measured,
        Measured::of(Law::LateErrors.description().fault, &each)
    );
    assert_eq!(measured.rolled_back.of, 3);
    let minute = measured.rollback_minute.unwrap();
    assert!(minute < 20.0, "since the fault began: {minute}");
}

/// Where pods differ too much for a proof, the answer says with how many of them there would be one, of latency too;
/// and where chance or time is all that lacks, it does not.
#[test]
fn what_is_not_found_is_told_with_what_would_find_it() {
    let rollouts = Rollouts::new(true).unwrap();
    for (law, index, would) in [
        (Law::Slow, 0, "canary pods 1.51 times would be proven"),
        (
            Law::ErrorsAmongPodsThatDiffer,
            2,
            "canary pods 2.84 times would be proven",
        ),
    ] {
        let held = rollouts.replicate(law.description(), 1, index);
        let End::Stuck(said) = &held.end else {
            panic!("{held:?}");
        };
        let reason = &said[0].reason;
        assert!(reason.ends_with(would), "{reason}");
        assert!(
            reason.contains("this version's own pods differ by"),
            "{reason}"
        );
    }
}

/// Of errors that one canary pod among pods that differ does not prove, "with 2 canary pods" is true: of 20 rollouts
/// at least 18 are rolled back with two from the start, where one finds three of four.
#[test]
fn as_many_canary_pods_as_are_advised_prove_it() {
    let rollouts = Rollouts::new(true).unwrap();
    let of_one = Law::ErrorsAmongPodsThatDiffer.description();
    let mut of_two = of_one;
    of_two.pods[0].canary = 2;
    let found = |description: Description| {
        let each = (0..20).map(|index| rollouts.replicate(description, 1, index).end);
        each.filter(|end| matches!(end, End::RolledBack(_))).count()
    };
    assert!(found(of_two) >= 18, "{}", found(of_two));
    assert!(found(of_one) < 18, "{}", found(of_one));
}
