//! What `/readyz` looks at.

use std::fmt;

use futures_util::future::{BoxFuture, join_all};
use serinus_openapi::operations::{Readiness, ReadinessCheck};

use super::App;

/// A check that another part of Serinus adds: the message when it is not well, for people, without
/// secrets, because `/readyz` is open to everybody.
pub type CheckFunction = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

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

    async fn result(&self) -> ReadinessCheck {
        check(self.name, self.is_required, (self.ask)().await.err())
    }
}

fn check(name: &str, required: bool, problem: Option<String>) -> ReadinessCheck {
    ReadinessCheck {
        name: name.to_owned(),
        ok: problem.is_none(),
        required,
        message: problem,
    }
}

/// Asks all checks. The sources are none of them: a Prometheus that is down makes gates hold with
/// its reason, and no load balancer should hide that.
pub(super) async fn checks(app: &App) -> Vec<ReadinessCheck> {
    let draining = app
        .is_draining()
        .then(|| "the process is stopping: send no more requests here".to_owned());
    let mut checks = vec![check("running", true, draining)];
    checks.extend(join_all(app.checks().iter().map(RegisteredCheck::result)).await);
    let broken = app.pipelines().known().await.problems().len();
    let pipelines = (broken > 0).then(|| {
        format!(
            "pipelines that are hidden or have mistakes: {broken}; GET /v1/pipelines tells them"
        )
    });
    checks.push(check("pipelines", false, pipelines));
    // What is wrong with the file is in the log: here it would be open to everybody.
    let tokens = app.access().problem().map(|_problem| {
        "the new form of the tokens file cannot be used, the last good one counts: see the log"
            .to_owned()
    });
    checks.push(check("tokens", false, tokens));
    checks
}

/// What the checks say together.
pub(super) fn readiness(app: &App, checks: &[ReadinessCheck]) -> Readiness {
    if app.is_draining() {
        Readiness::Draining
    } else if checks.iter().any(|check| check.required && !check.ok) {
        Readiness::NotReady
    } else {
        Readiness::Ready
    }
}
