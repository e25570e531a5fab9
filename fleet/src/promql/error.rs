//! Why a query has no answer.

/// Why a query has no answer. The texts are Prometheus's own where it would refuse too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum QueryError {
    /// The query is wrong: 400 `bad_data`.
    #[error("{0}")]
    BadData(String),
    /// The query is right and cannot be evaluated on this data: 422 `execution`.
    #[error("{0}")]
    Execution(String),
    /// Prometheus could, this evaluator cannot: 422 `execution`.
    #[error("the demo's evaluator does not support {0}")]
    Unsupported(String),
}

impl QueryError {
    /// Returns the error of a vector with one set of labels twice.
    pub(super) fn same_labels() -> Self {
        Self::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}
