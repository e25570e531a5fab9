//! Questions to a source, one after the other, each only when the answer to the one before asks for it.

use crate::data::SelectorFinding;
use crate::query::QueryError;

/// A question to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Which labels these series have, over the time of a history.
    LabelNames {
        /// The series.
        selector: String,
    },
    /// Which values a label has, over the time of a history.
    LabelValues {
        /// The label.
        label: String,
        /// The series, of any of these selectors; all of the source where there is none.
        selectors: Vec<String>,
    },
    /// Whether there are such series, within the window that is judged. Answered by any text for yes,
    /// and by none for no.
    AnySeries {
        /// The series.
        selector: String,
    },
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this; the answer is the next one.
    Ask(Ask),
    /// It is found out.
    Found(SelectorFinding),
}

/// Why it is not found out yet.
pub(super) enum Pause {
    /// Something is to be asked first.
    Ask(Ask),
    /// A question cannot be written.
    Unwritten(QueryError),
}

impl From<QueryError> for Pause {
    fn from(error: QueryError) -> Self {
        Self::Unwritten(error)
    }
}

/// The answers so far, read in their order.
pub(super) struct Told<'a>(std::slice::Iter<'a, Vec<String>>);

impl<'a> Told<'a> {
    pub(super) fn of(answers: &'a [Vec<String>]) -> Self {
        Self(answers.iter())
    }

    fn answer(&mut self, ask: impl FnOnce() -> Ask) -> Result<&'a [String], Pause> {
        let answer = self.0.next().ok_or_else(|| Pause::Ask(ask()))?;
        Ok(answer)
    }

    pub(super) fn label_names(&mut self, selector: &str) -> Result<&'a [String], Pause> {
        self.answer(|| Ask::LabelNames {
            selector: selector.to_owned(),
        })
    }

    pub(super) fn label_values(
        &mut self,
        label: &str,
        selectors: &[&str],
    ) -> Result<&'a [String], Pause> {
        self.answer(|| Ask::LabelValues {
            label: label.to_owned(),
            selectors: selectors.iter().map(|one| (*one).to_owned()).collect(),
        })
    }

    pub(super) fn has_series(&mut self, selector: &str) -> Result<bool, Pause> {
        let answer = self.answer(|| Ask::AnySeries {
            selector: selector.to_owned(),
        })?;
        Ok(!answer.is_empty())
    }
}
