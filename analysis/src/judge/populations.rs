//! Populations that are not what they are taken for: a series in both, a control of another service.
//!
//! The one place that says what of that holds, what only warns, and in what words. What is held against
//! a number goes on being judged: it needs no control.
//!
//! Source: docs/design/gate.md, "Populations".

use super::model::{ReasonCode, Warning, WarningCode};
use crate::data::StageData;
use crate::pipeline::{Pipeline, PopulationCheck};
use crate::populations::{KindDifference, KindLevel};
use crate::selectors::{Looked, LookedLevel};
use crate::text;

/// Why nothing can be compared with the control, if it cannot.
pub(super) fn wrong(pipeline: &Pipeline, data: &StageData) -> Option<(ReasonCode, String)> {
    if let Some(series) = &data.findings.overlap {
        let reason = format!(
            "control and canary overlap: both select {series}; give them matchers that exclude each other"
        );
        return Some((ReasonCode::PopulationsOverlap, reason));
    }
    let difference = data.findings.differences.iter();
    let (holding, _) = apart(pipeline, difference);
    let first = holding.first()?;
    Some((ReasonCode::PopulationsDifferInKind, sentence(first)))
}

/// What a reader should know of populations that are compared all the same.
pub(super) fn warnings(pipeline: &Pipeline, data: &StageData) -> Vec<Warning> {
    let (_, warning) = apart(pipeline, data.findings.differences.iter());
    let told = warning.into_iter().map(|difference| Warning {
        code: WarningCode::PopulationsDifferInKind,
        message: text::one_line(&sentence(difference)),
    });
    told.collect()
}

/// What is to be told of populations before a rollout begins: where a stage would hold for ever it is a mistake.
pub fn said_of_populations(pipeline: &Pipeline, data: &StageData) -> Vec<Looked> {
    let say = |level, message| Looked {
        metric: "control".to_owned(),
        level,
        message,
    };
    let holding = wrong(pipeline, data).map(|(_, why)| say(LookedLevel::Error, why));
    let warning = warnings(pipeline, data).into_iter();
    let warning = warning.map(|one| say(LookedLevel::Warning, one.message));
    holding.into_iter().chain(warning).collect()
}

/// The differences that hold, and those that warn.
fn apart<'a>(
    pipeline: &Pipeline,
    differences: impl Iterator<Item = &'a KindDifference>,
) -> (Vec<&'a KindDifference>, Vec<&'a KindDifference>) {
    let check = pipeline.analysis.population_check;
    let looked_at = differences.filter(|_| check != PopulationCheck::Off);
    looked_at.partition(|one| match (check, one.level) {
        (PopulationCheck::Hold, KindLevel::Service) => true,
        (PopulationCheck::Hold, KindLevel::Place)
        | (PopulationCheck::Warn | PopulationCheck::Off, _) => false,
    })
}

fn sentence(difference: &KindDifference) -> String {
    let KindDifference {
        label,
        level,
        values,
    } = difference;
    let advice = match level {
        KindLevel::Service => format!(
            "it is compared with another service; name its own in both populations, such as by {label}"
        ),
        KindLevel::Place => "they may have other traffic".to_owned(),
    };
    format!(
        "the control spans {label} {}, of which the canary has no part: {advice}",
        values.join(", ")
    )
}
