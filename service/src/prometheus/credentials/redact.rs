//! Blotting secrets out of texts of others.

use secrecy::{ExposeSecret as _, SecretString};

/// Shortest secret that is blotted out: shorter ones are words like any.
const MIN_BYTES: usize = 4;

/// The text without the secrets.
pub(super) fn redacted(text: String, secrets: impl IntoIterator<Item = SecretString>) -> String {
    let mut redacted = text;
    for secret in secrets {
        let secret = secret.expose_secret();
        if secret.len() >= MIN_BYTES {
            redacted = redacted.replace(secret, "[redacted]");
        }
    }
    redacted
}
