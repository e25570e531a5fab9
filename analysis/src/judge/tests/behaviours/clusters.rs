//! Failures that do not come by themselves: clusters, bursts, incidents, and faults that begin late.

use std::sync::Arc;

use super::*;
use crate::data::{ControlSplit, HistoryData};
use crate::judge::measure_noise;

/// D1: one user's 12 failures in one interval of the canary, none in the control, then quiet.
#[test]
fn d01_one_cluster_of_failures_rolls_nothing_back() {
    let quiet = (0.0, 30.0, 0.0, 570.0);
    let mut rows = vec![quiet; 60];
    rows[2].0 = 12.0;
    let answers = answers(relative(1.1), &rows);
    assert_eq!(first(&answers, Verdict::Rollback), None);
    let noise = answers[4].checks[0].evidence.as_ref().unwrap().dispersion;
    assert!((noise.unwrap() - 7.32).abs() < 0.01, "{noise:?}");
}

/// D2: sessions of ten failures within three minutes, of the same version on both sides.
#[test]
fn d02_sessions_that_fail_together_roll_few_good_versions_back() {
    let rolled_back = (1..=100)
        .filter(|seed| {
            let answers = answers(relative(1.1), &sessions(*seed, 120));
            first(&answers, Verdict::Rollback).is_some()
        })
        .count();
    assert!(rolled_back <= 4, "{rolled_back} of 100");
}

/// 50 requests a second, of which one in a thousand fails, in sessions of ten failures over six intervals; each
/// session is on one side, one in twenty on the canary's.
fn sessions(seed: u64, count: usize) -> Vec<Row> {
    let mut random = random(seed);
    let mut rows = vec![(0.0, 75.0, 0.0, 1_425.0); count + 6];
    for begin in 0..count {
        for _ in 0..poisson(&mut random, 0.15) {
            let is_canary = random.uniform() < 0.05;
            for _ in 0..10 {
                let place = 6.0 * random.uniform();
                let after = (1..6).take_while(|step| place >= f64::from(*step)).count();
                let row = &mut rows[begin + after];
                let failed = if is_canary { &mut row.0 } else { &mut row.2 };
                *failed += 1.0;
            }
        }
    }
    rows.drain(..6);
    rows
}

/// D19: a hundred times the failures for half a minute in every ten. Independent ones would be proof at once.
#[test]
fn d19_bursts_are_never_promoted_and_mostly_rolled_back() {
    let mut rolled_back = 0;
    for seed in 1..=20 {
        let mut rows = traffic(seed, 120, (100.0, 0.05), 0.001, 1.0);
        let n = rows[0].1;
        let mut random = random(100 + seed);
        for row in rows.iter_mut().skip(7).step_by(20) {
            row.0 = (poisson(&mut random, 0.1 * n) as f64).min(n);
        }
        let answers = answers(relative(1.1), &rows);
        assert_eq!(first(&answers, Verdict::Promote), None, "{seed}");
        rolled_back += u32::from(first(&answers, Verdict::Rollback).is_some());
    }
    assert!(rolled_back > 10, "{rolled_back} of 20");
}

/// D18: what holds is named where it is the noise of the hours before, and not the traffic.
#[test]
fn d18_a_hold_on_the_noise_of_the_past_names_it() {
    let pipeline = sequential(vec![relative(1.1)]);
    let before = wandering(1, 480);
    let split = ControlSplit {
        canary_targets: 1,
        control_targets: 9,
        canary_share: 0.1,
    };
    let before = HistoryData::new(of_rows(&pipeline, &before), split).unwrap();
    let history = History::Seen(Arc::new(measure_noise(&before, &pipeline.stages[0])));
    let mut worse = wandering(2, 60);
    for row in &mut worse {
        row.0 *= 1.5;
    }
    let mut data = of_rows(&pipeline, &worse);
    data.history = history;
    let told = judge(&pipeline, &pipeline.stages[0], &data);
    assert_eq!(told.verdict, Verdict::Hold, "{}", told.reason);
    assert!(
        told.reason.contains("noise of the 4 h before, blocks of"),
        "{}",
        told.reason
    );
    assert!(!told.reason.contains("at this traffic"), "{}", told.reason);
}

/// Drift of one version looks like harm: where nobody has measured it before, the answer says so.
#[test]
fn noise_that_lasts_is_told_where_nothing_is_known_of_the_past() {
    let told = answers(relative(1.1), &wandering(2, 60));
    let reason = &last(&told).reason;
    assert!(
        reason.contains("noise that lasts (blocks of") && reason.contains("baseline * 1.25"),
        "{reason}"
    );
}

/// 500 requests a second, of which one in a hundred fails; of the canary, a tenth of them, four times as many in
/// half of the spells of five minutes, by chance.
fn wandering(seed: u64, count: usize) -> Vec<Row> {
    let mut random = random(seed);
    let mut times = 1.0;
    let mut rows = Vec::with_capacity(count);
    for interval in 0..count {
        if interval % 10 == 0 {
            times = if random.uniform() < 0.5 { 0.4 } else { 1.6 };
        }
        let mut failed = |mean: f64| poisson(&mut random, mean) as f64;
        rows.push((failed(15.0 * times), 1_500.0, failed(135.0), 13_500.0));
    }
    rows
}

/// D22: incidents that both have, again and again, hide no canary that is twice as bad, and blame no good one.
#[test]
fn d22_shared_incidents_neither_hide_nor_blame() {
    let rows = |seed: u64, times: f64| {
        let calm = traffic(seed, 120, (50.0, 0.05), 0.01, times);
        let shaken = traffic(seed, 120, (50.0, 0.05), 0.1, times);
        let both = calm.into_iter().zip(shaken).enumerate();
        let of = |(interval, (calm, shaken))| if interval % 30 < 6 { shaken } else { calm };
        both.map(of).collect::<Vec<Row>>()
    };
    let mut in_half_an_hour = 0;
    for seed in 1..=10 {
        let told = answers(relative(1.1), &rows(seed, 2.0));
        let found = first(&told, Verdict::Rollback);
        assert!(found.is_some(), "{seed}: {}", last(&told).reason);
        in_half_an_hour += usize::from(found.is_some_and(|minutes| minutes <= 30.0));
        let told = answers(relative(1.1), &rows(seed, 1.0));
        assert_eq!(first(&told, Verdict::Rollback), None, "{seed}");
    }
    assert!(in_half_an_hour > 5, "{in_half_an_hour} of 10");
}

/// D27: a thousand failures at one moment are one event, at two moments they are two.
#[test]
fn d27_a_thousand_failures_at_once_are_no_proof_and_twice_they_are() {
    let quiet = (1.5, 1_500.0, 13.5, 13_500.0);
    let mut rows = vec![quiet; 60];
    rows[10].0 = 1_000.0;
    assert_eq!(
        first(&answers(relative(1.1), &rows), Verdict::Rollback),
        None
    );
    rows[20].0 = 1_000.0;
    assert!(first(&answers(relative(1.1), &rows), Verdict::Rollback).is_some());
}

/// D23: four good hours hide nothing that begins then: evidence has starts all along.
#[test]
fn d23_a_fault_that_begins_after_hours_is_found_in_minutes() {
    let mut in_twenty = 0;
    for seed in 1..=12 {
        let mut rows = traffic(seed, 480, (50.0, 0.05), 0.01, 1.0);
        rows.extend(traffic(100 + seed, 80, (50.0, 0.05), 0.01, 3.0));
        let told = answers(relative(1.1), &rows);
        let found = first(&told, Verdict::Rollback).map(|minutes| minutes - 240.0);
        let in_time = found.is_some_and(|after| (0.0..=40.0).contains(&after));
        assert!(in_time, "{seed}: {found:?}");
        in_twenty += usize::from(found.is_some_and(|after| after <= 20.0));
        // What is blamed is what was since, and not the hours before.
        let begun = last(&told).checks[0].reason.split_once("broken since ");
        let (_, since) = begun.unwrap_or_else(|| panic!("{}", last(&told).reason));
        // The stage has begun at 08:00.
        assert!(since.starts_with("12:"), "{since}");
        let shown = since.split_once("canary ").unwrap().1;
        let percent: f64 = shown.split_once(' ').unwrap().0.parse().unwrap();
        assert!((2.0..4.0).contains(&percent), "{since}");
    }
    assert!(in_twenty > 6, "{in_twenty} of 12");
    let told = answers(relative(1.1), &traffic(7, 960, (50.0, 0.05), 0.01, 1.0));
    assert_eq!(first(&told, Verdict::Rollback), None);
}
