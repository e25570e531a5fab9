//! What is told before a rollout.

use super::*;
use crate::foresight::{Noise, Past, StageOutlook, outlook};

/// What the whole service did in an hour, with 20 requests a second.
fn hour_before(description: &LatencyFleetDescription) -> StageData {
    let histogram = histogram_of(description, 0, 120);
    let whole = &histogram.control + &histogram.canary;
    let histogram = PairedHistogram {
        control: whole.clone(),
        canary: whole,
        pods: Populations::default(),
        lives: Populations::default(),
        ..histogram
    };
    read(&["latency_p99"], &histogram)
}

fn planned(pipeline: &Pipeline, description: &LatencyFleetDescription) -> StageOutlook {
    let past = Past {
        whole: &hour_before(description),
        noise: Noise::Assumed,
    };
    outlook(pipeline, &pipeline.stages[0], &past)
}

/// D18: 17 intervals until a canary twice as slow is found, 25 until one as good is promoted.
#[test]
fn d18_what_is_planned_is_what_the_rollout_takes() {
    let pipeline = stage_of(
        RELATIVE,
        "duration_minutes: 30, promote_early: true, warm_up: 0s",
        "",
    );
    let plan = planned(&pipeline, &slower(20.0, LN_8, 1.0));
    let check = &plan.checks[0];
    let to_find = check
        .sees
        .iter()
        .find(|one| (one.factor - 2.0).abs() < 1e-9);
    let to_find = to_find.unwrap().intervals.unwrap();
    let to_promote = check.promotion.as_ref().unwrap().intervals.unwrap();
    let taken = |times: f64, verdict: Verdict| {
        let each = (0..20).map(|seed| {
            let histogram = histogram_of(&slower(20.0, LN_8, times), seed, HALF_HOUR);
            let told = asked(
                &pipeline,
                &read(&["latency_p99"], &histogram),
                1..=HALF_HOUR,
            );
            told.first(verdict)
                .map_or(2.0 * 60.0, |minutes| 2.0 * minutes)
        });
        let mut each: Vec<f64> = each.collect();
        each.sort_by(f64::total_cmp);
        each[10]
    };
    for (planned, taken) in [
        (to_find, taken(2.0, Verdict::Rollback)),
        (to_promote, taken(1.0, Verdict::Promote)),
    ] {
        assert!(
            (0.7..=1.3).contains(&(taken / planned)),
            "{taken} of {planned}"
        );
    }
}

/// What the plan of the only check says, of a service with this p99 in seconds.
fn said(check: &str, law: Latencies, (p99, buckets): (f64, Buckets)) -> String {
    let description = LatencyFleetDescription {
        scales: [p99 / law.quantile(0.99); 4],
        buckets,
        ..slower(500.0, law, 1.0)
    };
    let plan = planned(&half_an_hour(check), &description);
    plan.checks[0].sentence.clone()
}

/// D10: what is decided at the bounds around the number only is told before the rollout.
#[test]
fn d10_a_plan_says_where_a_number_in_a_wide_bucket_is_decided() {
    let told = said("latency_p99 < 200ms", LN_8, (0.08, Buckets::Sparse));
    assert!(
        told.contains("between the bounds 100 ms and 300 ms, which are too far apart"),
        "{told}"
    );
    let told = said("latency_p99 < 300ms", LN_8, (0.08, Buckets::Sparse));
    assert!(!told.contains("only"), "{told}");
}

/// D11: the bounds to add are told before the rollout.
#[test]
fn d11_a_plan_lists_the_bounds_to_add() {
    let told = said(RELATIVE, LN_8, (0.002, Buckets::Default));
    assert!(told.contains("add bounds at 1 ms and 2.5 ms"), "{told}");
    let allowed = "latency_p99 < baseline * 1.2 + 5ms";
    let told = said(allowed, LN_8, (0.002, Buckets::Default));
    assert!(!told.contains("bounds"), "{told}");
    let told = said(RELATIVE, LN_8, (0.3, Buckets::Default));
    assert!(
        told.contains("its limit are read between bounds; exact with 301 ms and 361 ms among"),
        "{told}"
    );
}

/// D21: nearly all requests around one bound.
#[test]
fn d21_a_plan_says_that_buckets_are_narrow() {
    let law = Latencies::log_normal(0.04);
    let told = said(RELATIVE, law, (0.025, Buckets::Default));
    assert!(told.contains("narrow around its p99"), "{told}");
    for (law, buckets) in [(law, Buckets::NativeSchema3), (LN_8, Buckets::Default)] {
        let told = said(RELATIVE, law, (0.025, buckets));
        assert!(!told.contains("narrow"), "{told}");
    }
}
