//! A source for which a token is asked for first: without one the gate holds and says why, with one it
//! judges. Every log is searched for the secret when its server ends.

use serde_json::json;
use serinus_tests::{
    Fault, FaultyUpstream, Reply, Scripted, ScriptedServer, SerinusProcess, Window, now_ms,
};

use crate::contract::{analyse, error_rate_pipeline, request};

/// Begins as the tokens that are looked for in logs.
const SECRET: &str = "serinus_q3-Zt0wAVjYw1mS0aVt8o0Hn2Kx5uYb7Jc9Ld4Re6Tf8";
const TOKEN: &str = "serinus_access-Zt0wAVjYw1mS0aVt8o0Hn2Kx5uYb7Jc9Ld4Re6";

/// Asks for an analysis whose source needs a token from an endpoint that answers so. How often the
/// endpoint was asked comes with the reply.
async fn analysed_where_the_endpoint_says(answer: Scripted) -> anyhow::Result<(Reply, usize)> {
    let upstream = FaultyUpstream::start(Fault::None).await?;
    let endpoint = ScriptedServer::start(vec![answer]).await?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("serinus.yaml");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET)?;
    let source = json!({
        "url": upstream.url(),
        "oauth2": {
            "token_url": format!("{}/token", endpoint.url()),
            "client_id": "serinus",
            "client_secret_file": secret,
        },
    });
    std::fs::write(&config, json!({"sources": {"default": source}}).to_string())?;
    let config = config.display().to_string();
    let serinus = SerinusProcess::serve_with_arguments(&["--config", &config]).await?;
    let end_ms = now_ms() - 30_000;
    let window = Window {
        start_ms: end_ms - 120_000,
        end_ms,
    };
    let request = request(&error_rate_pipeline(), Some(window))?;
    let reply = analyse(&serinus, &request).await?;
    Ok((reply, endpoint.received().len()))
}

#[tokio::test]
async fn without_a_token_the_gate_holds_and_names_the_endpoint() -> anyhow::Result<()> {
    let refused = json!({"error": "invalid_client", "error_description": format!("not {SECRET}")});
    let refused = Scripted::new(401, "application/json", refused.to_string());
    let (reply, _) = analysed_where_the_endpoint_says(refused).await?;
    assert_eq!(reply.text("/verdict"), "hold", "{}", reply.body);
    assert_eq!(reply.text("/reason_code"), "source_refused_credentials");
    let reason = reply.text("/gate/reason");
    assert!(
        reason.contains("has no token, for http://127.0.0.1:"),
        "{reason}"
    );
    assert!(
        reason.contains("invalid_client: not [redacted]"),
        "{reason}"
    );
    assert!(reason.contains("check client_id"), "{reason}");
    Ok(())
}

#[tokio::test]
async fn with_a_token_it_is_judged_and_the_endpoint_was_asked_once() -> anyhow::Result<()> {
    let given = json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600});
    let (reply, asked) = analysed_where_the_endpoint_says(Scripted::json(&given)).await?;
    let code = reply.text("/reason_code");
    assert!(!code.starts_with("source_"), "{}", reply.body);
    assert_eq!(asked, 1);
    Ok(())
}
