//! What a source says beside an answer.

/// What a source says beside an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Annotation {
    /// The answer is not complete (`warnings`): what is missing may be what decides, so it holds.
    Partial(String),
    /// A remark on the query (`infos`): the answer is whole, and nothing is held for it.
    Remark(String),
}

impl Annotation {
    /// What is said of an answer that is not complete.
    pub fn partial(&self) -> Option<&str> {
        match self {
            Self::Partial(text) => Some(text),
            Self::Remark(_) => None,
        }
    }

    /// What is said of a whole one.
    pub fn remark(&self) -> Option<&str> {
        match self {
            Self::Remark(text) => Some(text),
            Self::Partial(_) => None,
        }
    }
}
