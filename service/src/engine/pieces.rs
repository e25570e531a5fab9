//! The answers about a past, piece by piece, and what a fault among them makes of a history.

use std::collections::BTreeMap;

use serinus_analysis::data::{DataFault, FaultCode, History};
use serinus_analysis::questions::{Answered, MetricQuestion, StageQuestions};

use crate::prometheus::Question;

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Pieces(BTreeMap<Question, Answered>);

impl Pieces {
    /// Takes an answer in.
    ///
    /// # Errors
    ///
    /// The history that a fault, or partial data, makes of it.
    pub(super) fn take(
        &mut self,
        question: &MetricQuestion,
        answer: Answered,
    ) -> Result<(), History> {
        match &answer {
            Err(fault) => return Err(faulty(fault)),
            Ok((_, warnings)) if !warnings.is_empty() => {
                return Err(late(FaultCode::PartialData, &warnings.join("; ")));
            }
            Ok(_) => {}
        }
        self.0.insert(asked(question), answer);
        Ok(())
    }

    /// Samples answered so far.
    pub(super) fn samples(&self) -> usize {
        self.0
            .values()
            .filter_map(|answer| answer.as_ref().ok())
            .flat_map(|(series, _)| series)
            .map(|one| one.values.len())
            .sum()
    }

    /// The questions without an answer, by the end of their piece.
    pub(super) fn missing(&self, plan: &StageQuestions) -> BTreeMap<i64, Vec<MetricQuestion>> {
        let mut missing = BTreeMap::<i64, Vec<MetricQuestion>>::new();
        for question in plan.questions() {
            if !self.0.contains_key(&asked(question)) {
                let piece = missing.entry(question.time.end_ms()).or_default();
                piece.push(question.clone());
            }
        }
        missing
    }

    /// The answers to a plan's questions, in their order.
    pub(super) fn answers(&self, plan: &StageQuestions) -> Vec<Answered> {
        plan.questions()
            .iter()
            .map(|question| {
                let answer = self.0.get(&asked(question));
                answer.cloned().unwrap_or_else(not_there)
            })
            .collect()
    }

    /// As [`Pieces::answers`], without a copy of a day.
    pub(super) fn into_answers(mut self, plan: &StageQuestions) -> Vec<Answered> {
        plan.questions()
            .iter()
            .map(|question| self.0.remove(&asked(question)).unwrap_or_else(not_there))
            .collect()
    }
}

fn not_there() -> Answered {
    Err(DataFault {
        code: FaultCode::StillCollecting,
        message: "the answer was not ready in time".to_owned(),
    })
}

fn asked(question: &MetricQuestion) -> Question {
    Question {
        promql: question.promql.clone(),
        at: question.time,
    }
}

/// What a fault of the source makes of a history: one that would come again is its last word.
fn faulty(fault: &DataFault) -> History {
    if fault.code.is_transient() {
        late(fault.code, &fault.message)
    } else {
        History::Refused(fault.clone())
    }
}

fn late(code: FaultCode, message: &str) -> History {
    History::Late(DataFault {
        code,
        message: format!(
            "the control's history cannot be read now (without one: analysis.history: off): \
             {message}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_refuses_has_said_its_last_word_and_one_that_is_slow_has_not() {
        // A token can be renewed while the rollout waits.
        let fault = DataFault {
            code: FaultCode::SourceRefusedCredentials,
            message: "m".to_owned(),
        };
        assert!(matches!(faulty(&fault), History::Late(_)));
        // The others are no faults of a source.
        let of_a_source = FaultCode::ALL.iter().copied().filter(|code| {
            !matches!(
                code,
                FaultCode::NoData
                    | FaultCode::NoControl
                    | FaultCode::PartialData
                    | FaultCode::NotFinite
            )
        });
        for code in of_a_source {
            let fault = DataFault {
                code,
                message: "m".to_owned(),
            };
            let is_final = matches!(
                code,
                FaultCode::SourceRejectedQuery
                    | FaultCode::TooManySeries
                    | FaultCode::AnswerTooLarge
            );
            match faulty(&fault) {
                History::Refused(told) => assert!(is_final && told == fault),
                History::Late(told) => assert!(!is_final && told.code == code),
                other => panic!("{other:?}"),
            }
        }
    }
}
