//! Looks for tokens where none may be: in the log of every Serinus that a test has run.
//!
//! Tokens of Serinus begin with a word by which scanners find them, and so do those that tests make
//! up; whatever a test sends is found without a list of what was sent.

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};

/// What tokens begin with.
const PREFIX: &str = "serinus_";

/// Shorter words are names: of crates, of metrics.
const LEAST_LENGTH: usize = 16;

/// Standard base64, as in the header of basic authentication, with or without its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Finds the first line with a token, as it is or as the password of basic authentication.
pub(crate) fn line_with_token(log: &str) -> Option<&str> {
    log.lines()
        .find(|line| has_token(line) || has_encoded_token(line))
}

/// Names have lower-case letters and underscores only.
fn has_token(text: &str) -> bool {
    text.match_indices(PREFIX).any(|(at, _)| {
        let rest = text.get(at + PREFIX.len()..).unwrap_or_default();
        let word = rest
            .split(|character: char| {
                !character.is_ascii_alphanumeric() && !"_-".contains(character)
            })
            .next()
            .unwrap_or_default();
        let is_name = word
            .chars()
            .all(|character| character.is_ascii_lowercase() || character == '_');
        word.len() >= LEAST_LENGTH && !is_name
    })
}

fn has_encoded_token(line: &str) -> bool {
    line.split(|character: char| !character.is_ascii_alphanumeric() && !"+/=".contains(character))
        .filter(|word| word.len() > PREFIX.len() + LEAST_LENGTH)
        .filter_map(|word| BASE64.decode(word).ok())
        .any(|decoded| has_token(&String::from_utf8_lossy(&decoded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "serinus_q3-Zt0wAVjYw1mS0aVt8o0Hn2Kx5uYb7Jc9Ld4Re6Tf8";

    #[test]
    fn a_token_is_found_wherever_it_is_in_a_line() {
        for line in [
            TOKEN.to_owned(),
            format!("INFO authorization=\"Bearer {TOKEN}\" request.id=1"),
            format!("url=http://argo:{TOKEN}@127.0.0.1/"),
            "WARN unknown token serinus_not-a-token-that-is-known".to_owned(),
        ] {
            let log = format!("INFO serinus 0.1.0 listens\n{line}\nINFO stopped");
            assert_eq!(line_with_token(&log), Some(line.as_str()));
        }
    }

    #[test]
    fn a_token_is_found_in_a_header_of_basic_authentication() {
        for user in ["", "argo", "someone", "ab"] {
            let encoded = BASE64.encode(format!("{user}:{TOKEN}"));
            for line in [
                format!("DEBUG authorization: Basic {encoded}"),
                format!(
                    "{{\"authorization\":\"Basic {}\"}}",
                    encoded.trim_end_matches('=')
                ),
            ] {
                assert_eq!(line_with_token(&line), Some(line.as_str()));
            }
        }
    }

    #[test]
    fn names_are_no_tokens() {
        for line in [
            "",
            "DEBUG serinus_analysis::sequential: done",
            "serinus_http_request_duration_seconds_bucket{le=\"1\"} 3",
            "digest sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "request.id=\"01a20518-5356-793d-85f4-b9023e8a45a6\"",
        ] {
            assert_eq!(line_with_token(line), None, "{line}");
        }
    }
}
