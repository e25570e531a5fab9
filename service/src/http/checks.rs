//! What other parts of Serinus have looked at by `/readyz`.

use std::fmt;

use futures_util::future::BoxFuture;
use serinus_openapi::operations::ReadinessCheck;

/// A check that another part of Serinus adds: why it is not well.
pub(crate) type CheckFunction =
    Box<dyn Fn() -> BoxFuture<'static, Result<(), Unwell>> + Send + Sync>;

/// Why a check is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unwell {
    /// What is wrong and what to do: for people, without secrets, because `/readyz` is open to
    /// everybody.
    pub message: String,
    /// Whether the server is unready by it, also where the check is a warning otherwise.
    pub is_grave: bool,
}

impl From<String> for Unwell {
    fn from(message: String) -> Self {
        Self {
            message,
            is_grave: false,
        }
    }
}

/// A registered check.
pub(super) struct RegisteredCheck {
    name: &'static str,
    is_required: bool,
    ask: CheckFunction,
}

impl fmt::Debug for RegisteredCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegisteredCheck")
            .field("name", &self.name)
            .field("is_required", &self.is_required)
            .finish_non_exhaustive()
    }
}

impl RegisteredCheck {
    pub(super) fn new(name: &'static str, is_required: bool, ask: CheckFunction) -> Self {
        Self {
            name,
            is_required,
            ask,
        }
    }

    pub(super) async fn result(&self) -> ReadinessCheck {
        let problem = (self.ask)().await.err();
        let is_grave = problem.as_ref().is_some_and(|unwell| unwell.is_grave);
        let message = problem.map(|unwell| unwell.message);
        check(self.name, self.is_required || is_grave, message)
    }
}

/// What came of a check.
pub(super) fn check(name: &str, required: bool, problem: Option<String>) -> ReadinessCheck {
    ReadinessCheck {
        name: name.to_owned(),
        ok: problem.is_none(),
        required,
        message: problem,
    }
}
