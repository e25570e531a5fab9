//! Who may ask, with the binary as it is installed: tokens from the command line to the file to the
//! wire, and never in a log.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::json;
use serinus_tests::{SerinusProcess, run_command, serinus_binary, wait_until};

/// Makes a token and returns it with its entry for the file.
async fn token(name: &str, scopes: &str) -> anyhow::Result<(String, String)> {
    let arguments = ["token", "--name", name, "--scopes", scopes];
    let output = run_command(&serinus_binary()?, &arguments, Duration::from_secs(20)).await?;
    let mut lines = output.stdout.lines();
    let token = lines.next().context("no token")?.to_owned();
    let entry = lines.next().context("no entry")?.to_owned();
    ensure!(lines.next().is_none(), "more than two lines");
    Ok((token, entry))
}

async fn start(tokens: &Path, log: &str) -> anyhow::Result<SerinusProcess> {
    let tokens = tokens.to_str().context("the path is no UTF-8")?;
    SerinusProcess::serve_with_arguments(&[
        "--prometheus",
        "http://127.0.0.1:1",
        "--tokens",
        tokens,
        "--log",
        log,
    ])
    .await
}

async fn status(serinus: &SerinusProcess, token: Option<&str>) -> anyhow::Result<u16> {
    let mut request = serinus.request(Method::GET, "/v1/pipelines");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    Ok(request.send().await?.status().as_u16())
}

#[tokio::test]
async fn each_token_that_is_made_is_another() -> anyhow::Result<()> {
    let (first, entry) = token("argo", "gate,read").await?;
    let (second, _) = token("argo", "gate,read").await?;
    assert_ne!(first, second);
    assert!(first.starts_with("serinus_") && first.len() > 40, "{first}");
    assert!(entry.contains("scopes: [read, gate]"), "{entry}");
    assert!(!entry.contains(&first), "the entry holds the token itself");
    Ok(())
}

#[tokio::test]
async fn a_token_counts_as_soon_as_it_is_in_the_file_and_no_longer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tokens.yaml");
    let (old, old_entry) = token("old", "read").await?;
    let (new, new_entry) = token("new", "read").await?;
    std::fs::write(&path, old_entry)?;
    let serinus = start(&path, "info").await?;
    assert_eq!(status(&serinus, None).await?, 401);
    assert_eq!(status(&serinus, Some(&old)).await?, 200);
    assert_eq!(status(&serinus, Some(&new)).await?, 401);
    std::fs::write(&path, new_entry)?;
    wait_until("the new token counts", Duration::from_secs(5), async || {
        Ok((status(&serinus, Some(&new)).await? == 200).then_some(()))
    })
    .await?;
    assert_eq!(status(&serinus, Some(&old)).await?, 401);
    Ok(())
}

#[tokio::test]
async fn no_token_is_in_the_log_however_much_is_logged() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tokens.yaml");
    let (good, entry) = token("argo", "read").await?;
    std::fs::write(&path, entry)?;
    let serinus = start(&path, "trace").await?;
    let wrong = "serinus_not-a-token-that-is-known";
    for token in [good.as_str(), wrong] {
        for path in [
            "/v1/pipelines",
            "/metrics",
            "/docs/",
            "/v1/analyses",
            "/nowhere",
        ] {
            let bearer = serinus.request(Method::GET, path).bearer_auth(token);
            let answered = bearer.send().await?.text().await?;
            assert!(!answered.contains(token), "{path}: {answered}");
            let basic = serinus
                .request(Method::POST, path)
                .basic_auth("argo", Some(token))
                .json(&json!({"pipeline": "checkout"}));
            let answered = basic.send().await?.text().await?;
            assert!(!answered.contains(token), "{path}: {answered}");
        }
    }
    // A file that somebody wrote a token into.
    std::fs::write(
        &path,
        format!("- {{name: argo, sha256: {good}, scopes: [read]}}"),
    )?;
    wait_until(
        "the mistake is in the log",
        Duration::from_secs(5),
        async || {
            status(&serinus, Some(&good)).await?;
            Ok(serinus
                .log()
                .contains("no digest of 64 hex digits")
                .then_some(()))
        },
    )
    .await?;
    let log = serinus.log();
    assert!(
        log.contains("principal.name=\"argo\""),
        "who asks is not in the log"
    );
    // printf argo:TOKEN | base64, without the end that depends on what follows.
    let basic = "YXJnbzpzZXJpbnVz";
    for secret in [good.as_str(), wrong, basic] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    Ok(())
}

#[tokio::test]
async fn an_open_server_listens_beyond_this_machine_only_when_it_is_meant() -> anyhow::Result<()> {
    let arguments = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--prometheus",
        "http://127.0.0.1:1",
    ];
    let output = run_command(&serinus_binary()?, &arguments, Duration::from_secs(20)).await?;
    assert_eq!(output.code, Some(1));
    for needed in ["--tokens", "--insecure", "0.0.0.0:0"] {
        assert!(output.stderr.contains(needed), "{}", output.stderr);
    }
    Ok(())
}
