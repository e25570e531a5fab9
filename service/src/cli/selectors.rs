//! What a Prometheus says of the selectors of a pipeline, for people and for programs.

use std::fmt;

use serde::Serialize;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::questions::{QuestionError, unaskable};
use serinus_analysis::selectors::{Looked, LookedLevel};
use serinus_analysis::series::Populations;

/// What was found of one selector.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Checked {
    metric: String,
    level: &'static str,
    message: String,
}

impl Checked {
    /// Whether it is a mistake, or nobody could look.
    pub(super) fn fails(&self) -> bool {
        self.level != WARNING && self.level != HINT
    }

    /// Whether the source does not say.
    pub(super) fn is_unknown(&self) -> bool {
        self.level == UNKNOWN
    }

    /// Whether a stage would wait for it for ever.
    pub(super) fn can_never_match(&self) -> bool {
        self.level == ERROR
    }
}

const ERROR: &str = "error";
const WARNING: &str = "warning";
const UNKNOWN: &str = "unknown";
const HINT: &str = "hint";

impl From<Looked> for Checked {
    fn from(looked: Looked) -> Self {
        Self {
            metric: looked.metric,
            level: match looked.level {
                LookedLevel::Error => ERROR,
                LookedLevel::Warning => WARNING,
                LookedLevel::Unknown => UNKNOWN,
                LookedLevel::Hint => HINT,
            },
            message: looked.message,
        }
    }
}

impl From<QuestionError> for Checked {
    fn from(error: QuestionError) -> Self {
        let (metric, error) = match error {
            QuestionError::Metric { metric, error } => (metric, error),
            QuestionError::Matchers { population, error } => (population.to_owned(), error),
        };
        Self {
            metric,
            level: ERROR,
            message: format!("cannot ask: {error}"),
        }
    }
}

/// What a gate would refuse to ask, told without a source. A default that nobody wrote gives way to what
/// a caller sends, so nothing is said of it.
pub(super) fn unaskable_of(pipeline: &Pipeline) -> Vec<Checked> {
    if !pipeline.written.control || !pipeline.written.canary {
        return Vec::new();
    }
    let populations = Populations {
        control: &pipeline.control,
        canary: &pipeline.canary,
    };
    let all = unaskable(pipeline, populations).into_iter();
    all.map(Checked::from).collect()
}

impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            level,
            message,
        } = self;
        write!(formatter, "{level}: {metric}: {message}")
    }
}
