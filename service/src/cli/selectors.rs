//! What a Prometheus says of the selectors of a pipeline, for people and for programs.

use std::fmt;

use serde::Serialize;
use serinus_analysis::selectors::{Looked, LookedLevel};

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
