//! The digests of the tokens, and finding the one that a caller shows.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::{ANONYMOUS, Principal, Scopes};

/// Bytes of a SHA-256 digest.
const DIGEST_BYTES: usize = 32;

/// Longest name of a token, in characters: it is in log lines and in the trail of a rollout.
const MAX_NAME_CHARACTERS: usize = 64;

/// What one entry of the file looks like, for messages.
const EXAMPLE: &str =
    "write each entry like - {name: argo, sha256: \"(64 hex digits)\", scopes: [gate]}";

/// The tokens that are good. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    entries: Vec<Entry>,
}

/// The digest of a token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TokenDigest([u8; DIGEST_BYTES]);

/// Not even a digest belongs into a log.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenDigest")
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    digest: TokenDigest,
    principal: Principal,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    sha256: String,
    scopes: Vec<String>,
}

impl Tokens {
    /// Reads the text of a file: a list of `{name, sha256, scopes}`.
    ///
    /// # Errors
    ///
    /// What is wrong and where. No message repeats anything of the file but the names of sound
    /// entries: somebody may have written a token where its digest belongs.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let written: Vec<Written> = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location().map_or_else(String::new, |location| {
                format!("line {}, column {}: ", location.line(), location.column())
            });
            format!("{place}this is no list of tokens: {EXAMPLE}")
        })?;
        if written.is_empty() {
            return Err(format!("it names no token: {EXAMPLE}"));
        }
        let mut names = BTreeSet::new();
        let mut digests = BTreeSet::new();
        let mut entries = Vec::with_capacity(written.len());
        for (index, written) in written.into_iter().enumerate() {
            let number = index + 1;
            if !is_name(&written.name) {
                return Err(format!(
                    "entry {number}: a name has 1 to {MAX_NAME_CHARACTERS} letters, digits, dots, \
                     dashes and underscores, and is not {ANONYMOUS:?}"
                ));
            }
            let name = written.name;
            let wrong = |what: &str| format!("entry {number} ({name}): {what}");
            let digest = parse_digest(&written.sha256).ok_or_else(|| {
                wrong(
                    "sha256 is no digest of 64 hex digits: write the digest of the token, never \
                     the token itself; `serinus token` prints both",
                )
            })?;
            let scopes = written.scopes.iter().map(|word| word.parse::<Scopes>());
            let scopes: Scopes = scopes
                .collect::<Result<_, _>>()
                .map_err(|error| wrong(&error.to_string()))?;
            if scopes == Scopes::NONE {
                return Err(wrong(&format!(
                    "it has no scope: give it one of {}",
                    Scopes::WORDS
                )));
            }
            if !digests.insert(digest) {
                return Err(wrong(
                    "an entry before has the same digest: keep one of them",
                ));
            }
            if !names.insert(name.clone()) {
                return Err(wrong(
                    "an entry before has the same name: rename one of them",
                ));
            }
            entries.push(Entry {
                digest,
                principal: Principal::new(name, scopes).known_by(digest),
            });
        }
        Ok(Self { entries })
    }

    /// The principal of a token. Takes the same time wherever the entry stands and however much
    /// of a digest is right.
    pub(crate) fn find(&self, token: &str) -> Option<&Principal> {
        self.holder_of(&digest(token))
    }

    /// The principal of the token with this digest, as [`Tokens::find`].
    pub(super) fn holder_of(&self, digest: &TokenDigest) -> Option<&Principal> {
        let mut found = u64::MAX;
        for (index, entry) in (0_u64..).zip(&self.entries) {
            let is_equal = entry.digest.0.as_slice().ct_eq(digest.0.as_slice());
            found = u64::conditional_select(&found, &index, is_equal);
        }
        let entry = self.entries.get(usize::try_from(found).ok()?)?;
        Some(&entry.principal)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }
}

/// Returns the digest of a token as the file writes it: SHA-256, in lower-case hex digits.
pub(crate) fn digest_hex(token: &str) -> String {
    let mut text = String::with_capacity(2 * DIGEST_BYTES);
    for byte in digest(token).0 {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn digest(token: &str) -> TokenDigest {
    TokenDigest(Sha256::digest(token.as_bytes()).into())
}

fn parse_digest(text: &str) -> Option<TokenDigest> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let bytes: Vec<u8> = digits?
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    if text.len() != 2 * DIGEST_BYTES {
        return None;
    }
    bytes.try_into().ok().map(TokenDigest)
}

/// A name goes into log lines and label values.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    (1..=MAX_NAME_CHARACTERS).contains(&name.len())
        && name.chars().all(is_plain)
        && name != ANONYMOUS
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    fn file(entries: &[(&str, &str, &str)]) -> String {
        let lines = entries.iter().map(|(name, token, scopes)| {
            let digest = digest_hex(token);
            format!("- {{name: {name}, sha256: \"{digest}\", scopes: [{scopes}]}}\n")
        });
        lines.collect()
    }

    /// Reference: FIPS 180-2, appendix B.1.
    #[test]
    fn a_digest_is_told_in_hex() {
        assert_eq!(
            digest_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_token_is_found_by_its_digest() {
        let text = file(&[
            ("argo", "a", "gate, read"),
            ("ops", "o", "operate"),
            ("ci", "c", "all"),
        ]);
        let tokens = Tokens::parse(&text).unwrap();
        assert_eq!(tokens.count(), 3);
        let argo = tokens.find("a").unwrap();
        assert_eq!(argo.name(), "argo");
        assert!(argo.may(Scope::Gate) && argo.may(Scope::Read) && !argo.may(Scope::Operate));
        assert_eq!(tokens.find("o").unwrap().name(), "ops");
        assert_eq!(tokens.find("c").unwrap().scopes(), Scopes::ALL);
        for wrong in ["", "A", "aa", &digest_hex("a")] {
            assert_eq!(tokens.find(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn upper_case_digests_are_read() {
        let text = file(&[("argo", "a", "gate")])
            .replace(&digest_hex("a"), &digest_hex("a").to_uppercase());
        assert!(Tokens::parse(&text).unwrap().find("a").is_some());
    }

    #[test]
    fn mistakes_are_told_and_nothing_of_the_file_is_repeated() {
        let secret = "hunter2-and-more";
        let good = file(&[("argo", "a", "gate")]);
        for (text, expected) in [
            (String::new(), "names no token"),
            ("[]".to_owned(), "names no token"),
            (secret.to_owned(), "list of tokens"),
            (format!("- {secret}"), "line 1"),
            (format!("{good}- {{name: b, token: {secret}}}"), "line 2"),
            (
                format!("- {{name: b, sha256: {secret}, scopes: [gate]}}"),
                "entry 1 (b)",
            ),
            (
                format!("- {{name: {secret}!, sha256: a, scopes: [gate]}}"),
                "entry 1: a name",
            ),
            (good.replace("gate", secret), "read, gate, operate, or all"),
            (good.replace("gate", ""), "no scope"),
            (good.replace("argo", "anonymous"), "anonymous"),
            (
                file(&[("a", "a", "gate"), ("b", "a", "gate")]),
                "same digest",
            ),
            (file(&[("a", "a", "gate"), ("a", "b", "gate")]), "same name"),
        ] {
            let error = Tokens::parse(&text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_digest_has_64_hex_digits() {
        let good = digest_hex("a");
        assert_eq!(parse_digest(&good), Some(digest("a")));
        for wrong in [
            &good[1..],
            &format!("{good}0"),
            &good.replace(|_| true, "g"),
            "é",
        ] {
            assert_eq!(parse_digest(wrong), None, "{wrong}");
        }
    }
}
