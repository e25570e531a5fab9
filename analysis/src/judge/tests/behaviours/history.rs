//! What the hours before change of what a stage decides.

use std::sync::Arc;

use super::*;
use crate::data::{ControlSplit, HistoryData};
use crate::judge::{NoiseSource, measure_noise};
use crate::proof::PastNoise;
use crate::sequential::on_every_interval;

/// One pod of four.
const SPLIT: ControlSplit = ControlSplit {
    canary_targets: 1,
    control_targets: 3,
    canary_share: 0.25,
};

fn answers_after(pipeline: &Pipeline, before: &[Row], rows: &[Row]) -> Vec<StageVerdict> {
    let before = HistoryData::new(of_rows(pipeline, before), SPLIT).unwrap();
    let history = History::Seen(Arc::new(measure_noise(&before, &pipeline.stages[0])));
    let after = |count: usize| {
        let mut data = of_rows(pipeline, &rows[..count]);
        data.history = history.clone();
        judge(pipeline, &pipeline.stages[0], &data)
    };
    (1..=rows.len()).map(after).collect()
}

/// D17: half an hour in which a pod failed twenty times as often, in the four hours before, blinds nobody.
#[test]
fn d17_an_incident_of_the_past_neither_blinds_nor_blames() {
    let pipeline = sequential(vec![relative(1.1)]);
    let mut all_found = Vec::new();
    for seed in 1..=10 {
        let mut before = traffic(seed, 480, (95.0, 0.25), 0.005, 1.0);
        for row in &mut before[200..260] {
            row.0 *= 20.0;
        }
        let of = |times: f64| {
            let rows = traffic(100 + seed, 60, (100.0, 0.05), 0.005, times);
            answers_after(&pipeline, &before, &rows)
        };
        let good = of(1.0);
        assert_eq!(first(&good, Verdict::Rollback), None, "{seed}");
        let told = last(&good);
        assert_eq!(told.verdict, Verdict::Promote, "{seed}: {}", told.reason);
        let from = told.checks[0].evidence.as_ref().unwrap().dispersion_from;
        assert_eq!(from, Some(NoiseSource::History));
        let found = first(&of(5.0), Verdict::Rollback);
        all_found.extend(found);
    }
    let in_time = |minutes: f64| all_found.iter().filter(|at| **at <= minutes).count();
    assert!(in_time(5.0) >= 5 && in_time(10.0) == 10, "{all_found:?}");
}

/// D17: points of five minutes, of which the hours before have 72 of 288.
fn of_five_minutes() -> Pipeline {
    let mut pipeline = sequential(vec![relative(1.25)]);
    pipeline.analysis.interval_seconds = 300;
    pipeline.stages[0].duration_minutes = 15.0;
    pipeline.stages[0].max_duration_minutes = 30.0;
    pipeline
}

#[test]
fn d17_a_window_that_is_filled_in_part_measures_what_there_is() {
    let pipeline = of_five_minutes();
    let mut before = traffic(3, 72, (9.5, 0.25), 0.01, 1.0);
    before.splice(0..0, vec![(0.0, 0.0, 0.0, 0.0); 216]);
    let MetricData::Counts(counted) = of_rows(&pipeline, &before).metrics["error_rate"].clone()
    else {
        panic!("counts");
    };
    let past = PastNoise::measure(&on_every_interval(&counted.intervals, 288), 1.25).unwrap();
    let longest = past.by_length().iter().map(|one| one.0).max();
    assert_eq!(longest, Some(8), "nine blocks of eight, four of sixteen");
    for (length, noise, _) in past.by_length() {
        assert!(*noise < 2.5, "{length}: {noise}");
    }

    let third = |x: f64, n: f64, y: f64, m: f64| [(x / 3.0, n / 3.0, y / 3.0, m / 3.0); 3];
    let evidence = |told: &[StageVerdict]| {
        let of = last(told).checks[0].evidence.as_ref().unwrap();
        libm::log(of.rollback)
    };
    for (rows, log_evidence, is_bad) in [
        (third(66.0, 1_433.0, 0.0, 1_414.0), 6.3, true),
        (third(56.0, 1_458.0, 1.0, 1_400.0), 5.7, true),
        (third(33.0, 8_331.0, 5.0, 8_190.0), 3.2, false),
    ] {
        let alone = stage_answers(&Course::of_rollout(&pipeline), &pipeline, 0, &rows);
        let told = evidence(&alone);
        assert!((told - log_evidence).abs() < 0.15, "{told} {log_evidence}");
        let is_rolled_back = first(&alone, Verdict::Rollback).is_some();
        assert_eq!(is_rolled_back, is_bad, "{}", last(&alone).reason);
    }
    let worst = third(66.0, 1_433.0, 0.0, 1_414.0);
    let told = answers_after(&pipeline, &before, &worst);
    let reason = &last(&told).reason;
    assert!(first(&told, Verdict::Rollback).is_some(), "{reason}");
}
