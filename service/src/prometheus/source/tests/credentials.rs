//! Credentials are sent, follow their files, and are never shown.

use super::*;

#[tokio::test]
async fn refused_credentials_are_told_as_such() {
    let page = response("401 Unauthorized", "text/html", b"<html>log in</html>");
    let fault = fault_after(Reply::Bytes(page)).await;
    assert_eq!(fault.code, FaultCode::SourceRefusedCredentials);
    assert!(fault.message.contains("credentials (HTTP 401)"), "{fault}");
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    // The server repeats what it was sent, as a debugging proxy does.
    let echo = |secret: &str| {
        json(
            "400 Bad Request",
            &format!(r#"{{"status":"error","errorType":"bad_data","error":"got {secret} there"}}"#),
        )
    };
    let address = |upstream: &Upstream, user: &str| {
        format!("http://{user}{}/prefix/", upstream.address())
            .parse()
            .unwrap()
    };
    // base64 of reader:hunter2
    let encoded = "cmVhZGVyOmh1bnRlcjI=";

    for (secret, header) in [
        ("hunter2", format!("authorization: Basic {encoded}\r\n")),
        (encoded, format!("authorization: Basic {encoded}\r\n")),
    ] {
        let upstream = Upstream::start(vec![echo(secret)]).await;
        let in_url = SourceConfig::new(address(&upstream, "reader:hunter%32@"));
        let mut in_field = SourceConfig::new(address(&upstream, ""));
        in_field.basic_auth = Some(BasicAuthConfig {
            username: "reader".to_owned(),
            password: Some("hunter2".into()),
            password_file: None,
        });
        for config in [in_url, in_field] {
            let shown = format!("{config:?}");
            let source = source(config);
            let fault = fault_of(&source).await;
            assert!(fault.message.contains("got [redacted] there"), "{fault}");
            for text in [shown, format!("{source:?} {fault} {fault:?}")] {
                assert!(
                    !text.contains("hunter") && !text.contains(encoded),
                    "{text}"
                );
            }
        }
        for request in upstream.requests() {
            assert!(request.contains(&header), "{request}");
            assert!(
                request.starts_with("POST /prefix/api/v1/query_range "),
                "{request}"
            );
        }
    }

    let upstream = Upstream::start(vec![echo("t0ken")]).await;
    let mut bearer = config(&upstream);
    bearer.bearer_token = Some("t0ken".into());
    let fault = fault_of(&source(bearer)).await;
    assert!(!fault.message.contains("t0ken"), "{fault}");
    assert!(upstream.requests()[0].contains("authorization: Bearer t0ken\r\n"));
}

#[tokio::test]
async fn credentials_in_files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut config = config(&upstream);
    config.bearer_token_file = Some(file.clone());
    config.header_files.insert("X-Key".to_owned(), file.clone());
    let source = source(config);
    source.ask(&question(), &share()).await.unwrap();
    std::fs::write(&file, "the second").unwrap();
    source.ask(&question(), &share()).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    source.ask(&question(), &share()).await.unwrap();

    let requests = upstream.requests();
    assert!(requests[0].contains("authorization: Bearer first\r\n"));
    assert!(requests[1].contains("authorization: Bearer the second\r\n"));
    assert!(requests[1].contains("x-key: the second\r\n"));
    assert!(
        requests[2].contains("Bearer the second\r\n"),
        "the last good one is kept"
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_the_name_of_the_source() {
    let good = SourceConfig::new("https://localhost".parse().unwrap());
    let missing = Some("/no/such/file".into());
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let header = |name: &str, value: &str| SourceConfig {
        headers: [(name.to_owned(), value.into())].into(),
        ..good.clone()
    };
    for (config, expected) in [
        (
            SourceConfig {
                timeout_seconds: -1.0,
                ..good.clone()
            },
            "timeout_seconds",
        ),
        (
            SourceConfig {
                bearer_token_file: missing.clone(),
                ..good.clone()
            },
            "/no/such/file",
        ),
        (
            SourceConfig {
                ca_file: missing,
                ..good.clone()
            },
            "/no/such/file",
        ),
        (
            SourceConfig {
                ca_file: Some(empty.clone()),
                ..good.clone()
            },
            "no PEM certificate",
        ),
        (
            SourceConfig {
                bearer_token_file: Some(empty.clone()),
                ..good.clone()
            },
            "is empty",
        ),
        (
            SourceConfig {
                client_certificate_file: Some(empty.clone()),
                client_key_file: Some(empty),
                ..good.clone()
            },
            "write PEM",
        ),
        (header("not a name", "x"), "not the name of a header"),
        (header("Content-Length", "1"), "belongs to the transport"),
        (header("X-Key", "hunter2\n"), "x-key"),
    ] {
        let error = Source::new("main", config).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot use source \"main\": "),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
