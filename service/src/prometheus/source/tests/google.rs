//! Tokens of Google: for a key of a service account, whose signature is checked, and of the metadata
//! server. `google/make.sh` makes the key.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::super::super::config::GoogleConfig;
use super::double::Double;
use super::tokens::{endpoint, prometheus, tokens_sent, url};
use super::*;
use crate::clock::{Clock as _, SystemClock};

fn google(credentials_file: Option<&Path>, metadata_url: &str) -> GoogleConfig {
    GoogleConfig {
        credentials_file: credentials_file.map(Path::to_owned),
        metadata_url: metadata_url.to_owned(),
    }
}

fn with_google(prometheus: &Double, google: GoogleConfig) -> Source {
    source(SourceConfig {
        google: Some(google),
        ..prometheus.config("/v1/projects/p/location/global/prometheus")
    })
}

/// The key of a service account that is given tokens there.
fn account(folder: &Path, token_uri: &str) -> PathBuf {
    let text = include_str!("google/account.json").replace("TOKEN_URI", token_uri);
    let file = folder.join("account.json");
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn a_service_account_signs_who_it_is_with_its_key() {
    let (endpoint, prometheus) = (endpoint("3599").await, prometheus().await);
    let folder = tempfile::tempdir().unwrap();
    let file = account(folder.path(), &url(&endpoint));
    let default = GoogleConfig::default();
    let source = with_google(&prometheus, google(Some(&file), &default.metadata_url));
    source.ask(&question(), &share()).await.unwrap();
    source.ask(&question(), &share()).await.unwrap();
    assert_eq!(tokens_sent(&prometheus), vec!["Bearer token-1"; 2]);

    let came = endpoint.came().remove(0);
    assert_eq!(
        came.parameter("grant_type"),
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    let assertion = came.parameter("assertion");
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    UnparsedPublicKey::new(
        &RSA_PKCS1_2048_8192_SHA256,
        include_bytes!("google/public.der"),
    )
    .verify(
        signed.as_bytes(),
        &URL_SAFE_NO_PAD.decode(signature).unwrap(),
    )
    .unwrap();
    let part = |text: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    let (header, claims) = signed.split_once('.').unwrap();
    let (header, claims) = (part(header), part(claims));
    let expected = serde_json::json!({"alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef"});
    assert_eq!(header, expected);
    assert_eq!(
        claims["iss"],
        "serinus@serinus-test.iam.gserviceaccount.com"
    );
    assert_eq!(claims["aud"], url(&endpoint));
    assert_eq!(
        claims["scope"],
        "https://www.googleapis.com/auth/monitoring.read"
    );
    let issued = claims["iat"].as_i64().unwrap();
    assert!((SystemClock.now_ms() / 1_000 - issued).abs() < 60);
    assert_eq!(claims["exp"].as_i64(), Some(issued + 3_600));
}

#[tokio::test]
async fn the_metadata_server_is_asked_as_it_wants_it() {
    let (metadata, prometheus) = (endpoint("3599").await, prometheus().await);
    let at = format!("http://{}", metadata.address);
    let source = with_google(&prometheus, google(None, &at));
    source.ask(&question(), &share()).await.unwrap();
    let came = metadata.came().remove(0);
    assert_eq!(came.method, "GET");
    assert_eq!(
        came.path,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(came.header("metadata-flavor"), "Google");
}

#[test]
fn a_key_that_cannot_be_used_is_told_and_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    let good = include_str!("google/account.json");
    let mut told = String::new();
    for text in [
        "not JSON".to_owned(),
        r#"{"type":"authorized_user","client_secret":"hunter2"}"#.to_owned(),
        good.replace("serinus@serinus-test.iam.gserviceaccount.com", ""),
        good.replace("BEGIN PRIVATE", "BEGIN A"),
        good.replace("TOKEN_URI", "http://login.example/token"),
        good.replace("TOKEN_URI", "https://u:hunter2@login.example/token"),
    ] {
        std::fs::write(&file, text).unwrap();
        let config = SourceConfig {
            google: Some(google(Some(&file), &GoogleConfig::default().metadata_url)),
            ..SourceConfig::new("https://monitoring.example".parse().unwrap())
        };
        let message = Source::new("main", config).unwrap_err().to_string();
        assert!(!message.contains("hunter2"), "{message}");
        told += &message.replace(&file.display().to_string(), "KEY");
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}
