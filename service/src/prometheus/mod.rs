//! Asking a Prometheus: transport, decoding, faults.

use serinus_analysis::judge::{DataFault, ReasonCode};
use serinus_analysis::series::Series;

/// A query and when it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The PromQL text.
    pub promql: String,
    /// When.
    pub at: QuestionTime,
}

/// When a query is evaluated, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuestionTime {
    /// Once.
    Instant {
        /// The time.
        at_ms: i64,
    },
    /// At every step from start to end, both included.
    Range {
        /// First time.
        start_ms: i64,
        /// Last time.
        end_ms: i64,
        /// Distance.
        step_ms: i64,
    },
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The series, sorted by their labels.
    pub series: Vec<Series>,
    /// What the source said about its own answer (`warnings` and `infos`): partial data.
    pub warnings: Vec<String>,
    /// Bytes of the body, after decompression.
    pub bytes: u64,
}

/// Why a source did not give a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceFault {
    /// The stable token.
    pub code: ReasonCode,
    /// One sentence for people, without secrets.
    pub message: String,
}

impl From<SourceFault> for DataFault {
    fn from(fault: SourceFault) -> Self {
        Self {
            code: fault.code,
            message: fault.message,
        }
    }
}
