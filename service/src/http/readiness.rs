//! What `/readyz` looks at.

use futures_util::future::join_all;
use serinus_openapi::operations::{Readiness, ReadinessCheck};

use super::App;
use super::checks::{RegisteredCheck, check};

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
    checks.push(check("tasks", true, app.tasks().problem()));
    checks.push(check("clock", false, app.engine().clock().doubt()));
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
