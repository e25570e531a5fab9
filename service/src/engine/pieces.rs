//! The answers about a past, piece by piece, and what a fault among them makes of a history.

use std::collections::BTreeMap;
use std::sync::Arc;

use serinus_analysis::data::{DataFault, FaultCode, History};
use serinus_analysis::questions::{Annotation, Answered, MetricQuestion, StageQuestions};

use crate::prometheus::{Question, ReadingOf, Room, Share};

/// The answers so far, and the room that they take.
#[derive(Debug)]
pub(super) struct Pieces {
    answered: BTreeMap<Question, Answered>,
    share: Arc<Share>,
}

impl Pieces {
    /// No answers yet.
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self {
            answered: BTreeMap::new(),
            share: room.begin(ReadingOf::Past),
        }
    }

    /// What the answers take their room from.
    pub(super) fn share(&self) -> &Arc<Share> {
        &self.share
    }

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
            Ok((_, told)) => {
                let partial: Vec<&str> = told.iter().filter_map(Annotation::partial).collect();
                if !partial.is_empty() {
                    return Err(late(FaultCode::PartialData, &partial.join("; ")));
                }
            }
        }
        self.answered.insert(asked(question), answer);
        Ok(())
    }

    /// Samples answered so far.
    pub(super) fn samples(&self) -> usize {
        self.answered
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
            if !self.answered.contains_key(&asked(question)) {
                let piece = missing.entry(question.time.end_ms()).or_default();
                piece.push(question.clone());
            }
        }
        missing
    }

    /// Takes the answers to a plan's questions out, in their order: a copy of a day would take twice
    /// the room.
    pub(super) fn take_out(&mut self, plan: &StageQuestions) -> Vec<Answered> {
        let questions = plan.questions().iter();
        questions
            .map(|question| {
                let answer = self.answered.remove(&asked(question));
                answer.unwrap_or_else(not_there)
            })
            .collect()
    }

    /// Takes back in what was taken out. Only answers are kept, and no faults.
    pub(super) fn put_back(&mut self, plan: &StageQuestions, answers: Vec<Answered>) {
        for (question, answer) in plan.questions().iter().zip(answers) {
            if answer.is_ok() {
                self.answered.insert(asked(question), answer);
            }
        }
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
                    | FaultCode::NotACounter
                    | FaultCode::LabelMissing
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
