//! The demo, as a newcomer runs it.

use std::time::Duration;

use serinus_tests::{run_command, serinus_binary};

/// The promise: verdicts within two minutes after the build.
const DEMO_BOUND: Duration = Duration::from_mins(2);

#[tokio::test]
async fn demo_once_ends_with_one_promote_and_one_rollback() -> anyhow::Result<()> {
    let output = run_command(&serinus_binary()?, &["demo", "--once"], DEMO_BOUND).await?;
    let shown = format!("{}\n{}", output.stdout, output.stderr);
    assert_eq!(output.code, Some(0), "{shown}");
    for verdict in ["promote", "rollback"] {
        assert!(output.stdout.contains(verdict), "no {verdict} in:\n{shown}");
    }
    Ok(())
}
