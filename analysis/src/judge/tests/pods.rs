//! What is told of single pods.

use super::*;
use crate::series::Apart;

/// Failures of each pod in each interval, of so many requests each.
fn by_pod(intervals: usize, requests: f64, control: &[f64], canary: &[f64]) -> StageData {
    let arm = |of: &[f64]| ArmCount {
        events: of.iter().sum(),
        exposure: requests * of.len() as f64,
    };
    let apart = |prefix: &str, of: &[f64]| Apart {
        names: (0..of.len()).map(|pod| format!("{prefix}-{pod}")).collect(),
        rows: vec![
            (0_u32..)
                .zip(of)
                .map(|(pod, events)| (
                    pod,
                    ArmCount {
                        events: *events,
                        exposure: requests
                    }
                ))
                .collect();
            intervals
        ],
    };
    let interval = |first| PairedInterval {
        first,
        length: 1,
        control: arm(control),
        canary: arm(canary),
    };
    let counted = MetricData::Counts(PairedCounts {
        intervals: (0..intervals).map(interval).collect(),
        pods: Populations {
            control: apart("main", control),
            canary: apart("web", canary),
        },
        ..PairedCounts::default()
    });
    data(intervals, vec![("error_rate", counted)])
}

fn judged(data: &StageData) -> StageVerdict {
    let mut pipeline = pipeline(error_rate_checks());
    decided_by(&mut pipeline, Method::Sequential);
    second_stage(&pipeline, data)
}

/// Failures of one of three pods are the pod's or its node's: a person looks there first.
#[test]
fn the_canarys_pod_that_stands_out_is_named() {
    let told = judged(&by_pod(20, 1_000.0, &[10.0; 6], &[10.0, 10.0, 120.0]));
    let check = &told.checks[0];
    assert_eq!(told.verdict, Verdict::Rollback);
    let names: Vec<&str> = check
        .standing_out
        .iter()
        .map(|one| one.pod.as_str())
        .collect();
    assert_eq!(names, ["web-2"]);
    assert_eq!(
        check.reason,
        "error_rate < baseline * 1.1: broken, canary 4.67 % [4.45 %, 4.89 %], control 1 % [0.929 %, 1.08 %]; \
         2400 of 2800 events are on web-2 (x12 of the other canary pods): the pod or its node"
    );
}

#[test]
fn pods_that_fail_alike_are_not_named() {
    let told = judged(&by_pod(20, 1_000.0, &[10.0; 6], &[40.0, 41.0, 42.0]));
    assert_eq!(told.checks[0].standing_out, []);
}

/// Pods that differ by a half explain one pod that is half as much again: it is neither promoted nor rolled back,
/// and the reason says why and what would help.
#[test]
fn what_pods_of_one_version_differ_by_is_told_with_what_would_help() {
    let control = [4.0, 8.0, 10.0, 12.0, 16.0];
    let told = judged(&by_pod(100, 1_000.0, &control, &[20.0]));
    let check = &told.checks[0];
    assert_eq!(told.verdict, Verdict::Hold);
    let spread = check.spread.as_ref().unwrap();
    assert_eq!((spread.pods, spread.minutes), (5, 50.0));
    assert!((spread.sd - 0.45).abs() < 0.1, "{spread:?}");
    assert!(
        check.reason.contains("this version's own pods differ by"),
        "{}",
        check.reason
    );
    let would = "with these pods 5.63 times would be proven";
    assert!(check.reason.contains(would), "{}", check.reason);
    // Five control pods tell so little of it that no number of canary pods would do, and what is told would.
    let many = judged(&by_pod(100, 1_000.0, &control, &[20.0; 11]));
    assert_eq!(many.verdict, Verdict::Hold, "{}", many.reason);
    let more = judged(&by_pod(100, 1_000.0, &control, &[56.4]));
    assert_eq!(more.verdict, Verdict::Rollback, "{}", more.reason);
}
