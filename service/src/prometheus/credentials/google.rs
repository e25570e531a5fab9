//! A service account of Google: a key that signs who it is (RFC 7523, 2.1).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::config::token_url;
use super::super::files::read_small;

/// What a token may do: read metrics.
const SCOPE: &str = "https://www.googleapis.com/auth/monitoring.read";

/// How long an assertion counts, in seconds: the most that Google takes.
const LIFETIME_SECONDS: i64 = 3_600;

/// The key of a service account.
pub(super) struct ServiceAccount {
    email: String,
    key_id: String,
    key: RsaKeyPair,
    /// Where tokens are given.
    pub(super) url: Url,
}

/// The file of a key, as Google gives it out.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default = "no_secret")]
    private_key: SecretString,
    #[serde(default)]
    token_uri: String,
}

fn no_secret() -> SecretString {
    String::new().into()
}

impl ServiceAccount {
    /// Reads the key of a service account.
    ///
    /// # Errors
    ///
    /// What is wrong with the file; nothing of what it holds but its type.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        const CURE: &str = "name the JSON key of a service account";
        let shown = path.display();
        let file: KeyFile = serde_json::from_slice(&read_small(path)?)
            .map_err(|_| format!("{shown} is not JSON as Google gives it out: {CURE}"))?;
        if file.kind != "service_account" {
            return Err(format!(
                "{shown} is of type {:?} and not service_account: {CURE}, or leave \
                 credentials_file out to ask the metadata server",
                file.kind
            ));
        }
        if file.client_email.is_empty() {
            return Err(format!("{shown} has no client_email: {CURE}"));
        }
        let unusable = |what: &str| format!("private_key of {shown} {what}: {CURE}");
        let pem = file.private_key.expose_secret();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| unusable("is no PEM of PKCS #8"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| unusable("is no RSA key of at least 2048 bits"))?;
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            key,
            url: token_url(&format!("token_uri of {shown}"), &file.token_uri)?,
        })
    }

    /// Says who it is, signed (RFC 7519, RS256), from a time in seconds since 1970 on.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub(super) fn assertion(&self, now: i64) -> Result<SecretString, String> {
        let encoded = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.url.as_str(),
            "iat": now,
            "exp": now.saturating_add(LIFETIME_SECONDS),
        });
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "the assertion of the service account cannot be signed".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}
