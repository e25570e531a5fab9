//! Populations that are not what they are taken for.

use super::*;
use crate::judge::{Warning, WarningCode};
use crate::pipeline::PopulationCheck;
use crate::populations::{KindDifference, KindLevel};

fn spans(label: &str, level: KindLevel) -> KindDifference {
    KindDifference {
        label: label.to_owned(),
        level,
        values: vec!["payments".to_owned()],
    }
}

/// A canary that fails three times as often as its control, of which something was found.
fn bad(found: impl FnOnce(&mut StageData)) -> StageData {
    let mut data = errors(10, BAD);
    found(&mut data);
    data
}

#[test]
fn a_series_in_both_populations_is_compared_with_nothing() {
    let pipeline = pipeline(error_rate_checks());
    assert_eq!(
        second_stage(&pipeline, &bad(|_| ())).verdict,
        Verdict::Rollback
    );
    let both = bad(|data| data.findings.overlap = Some("{pod=\"shop-next-0\"}".to_owned()));
    let held = second_stage(&pipeline, &both);
    assert_eq!(held.verdict, Verdict::Hold);
    assert_eq!(held.reason_code, ReasonCode::PopulationsOverlap);
    assert!(held.reason.contains("shop-next-0"), "{}", held.reason);
}

#[test]
fn a_control_of_another_service_holds_as_far_as_the_pipeline_says() {
    let mut pipeline = pipeline(error_rate_checks());
    let other = bad(|data| data.findings.differences = vec![spans("job", KindLevel::Service)]);
    let held = second_stage(&pipeline, &other);
    assert_eq!(
        (held.verdict, held.reason_code),
        (Verdict::Hold, ReasonCode::PopulationsDifferInKind)
    );
    assert!(held.reason.contains("job payments"), "{}", held.reason);
    for (check, warnings) in [(PopulationCheck::Warn, 1), (PopulationCheck::Off, 0)] {
        pipeline.analysis.population_check = check;
        let told = second_stage(&pipeline, &other);
        assert_eq!(told.verdict, Verdict::Rollback);
        let of_kind = |one: &&Warning| one.code == WarningCode::PopulationsDifferInKind;
        assert_eq!(told.warnings.iter().filter(of_kind).count(), warnings);
    }
}

#[test]
fn a_control_in_other_places_is_only_told() {
    let pipeline = pipeline(error_rate_checks());
    let places = bad(|data| data.findings.differences = vec![spans("cluster", KindLevel::Place)]);
    let told = second_stage(&pipeline, &places);
    assert_eq!(told.verdict, Verdict::Rollback);
    let codes: Vec<_> = told.warnings.iter().map(|one| one.code).collect();
    assert!(codes.contains(&WarningCode::PopulationsDifferInKind));
}
