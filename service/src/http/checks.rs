//! What other parts of Serinus have looked at by `/readyz`.

use std::fmt;

use futures_util::future::BoxFuture;
use serinus_openapi::operations::ReadinessCheck;

/// A check that another part of Serinus adds: the message when it is not well, for people, without
/// secrets, because `/readyz` is open to everybody.
pub(crate) type CheckFunction =
    Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

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
        check(self.name, self.is_required, (self.ask)().await.err())
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
