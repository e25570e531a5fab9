//! The small object that callers read: what a pipeline, a dashboard or a pager shows of a verdict.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::Verdict;
use super::words::in_words;

/// Longest reason, in characters.
const MAX_REASON_CHARACTERS: usize = 300;

/// Longest reason, in bytes of its JSON: the gate has 512 bytes, and its two names and the
/// verdict take 38 of them.
const MAX_REASON_JSON_BYTES: usize = 470;

/// The small object that callers read: at most 512 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[non_exhaustive]
pub struct Gate {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one line of at most 300 characters. It holds none of the three characters that some
    /// callers show as codes: less than, greater than, ampersand.
    #[serde(deserialize_with = "written")]
    #[schema(
        max_length = 300,
        example = "error_rate undecided: 1,140 of about 5,200 canary requests"
    )]
    pub reason: String,
}

impl Gate {
    /// Returns the gate, its reason in words and cut to what callers can keep.
    ///
    /// Go's JSON writes `<`, `>` and `&` as `\u003c` and the like, and dashboards show it so: a
    /// condition is told in words, and what is left of these characters is replaced.
    ///
    /// ```
    /// use serinus_openapi::analysis::{Gate, Verdict};
    ///
    /// let gate = Gate::new(Verdict::Hold, "error_rate < baseline * 1.5: undecided");
    /// assert_eq!(gate.reason, "error_rate below 1.5 times the control: undecided");
    /// ```
    pub fn new(verdict: Verdict, reason: &str) -> Self {
        Self {
            verdict,
            reason: one_line(&in_words(reason)),
        }
    }
}

/// A reason that another version wrote, in words.
fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reason = String::deserialize(deserializer)?;
    Ok(one_line(&in_words(&reason)))
}

/// One line without control characters, within the limits of the gate. A text that is cut ends
/// in an ellipsis.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut json_bytes = 0;
    let mut characters = text.chars().map(|character| {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            ' '
        } else {
            character
        }
    });
    for count in 1.. {
        let Some(character) = characters.next() else {
            return line;
        };
        // serde_json escapes these two and the control characters, which are gone.
        let escape = usize::from(matches!(character, '"' | '\\'));
        json_bytes += character.len_utf8() + escape;
        if count >= MAX_REASON_CHARACTERS || json_bytes > MAX_REASON_JSON_BYTES - '…'.len_utf8() {
            let is_last = characters.next().is_none() && json_bytes <= MAX_REASON_JSON_BYTES;
            line.push(if is_last { character } else { '…' });
            return line;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_small(gate: &Gate) {
        let json = serde_json::to_string(gate).unwrap();
        assert!(json.len() <= 512, "{} bytes: {json}", json.len());
        assert!(gate.reason.chars().count() <= MAX_REASON_CHARACTERS);
        assert!(!gate.reason.chars().any(char::is_control));
        assert!(!gate.reason.contains(['<', '>', '&']), "{json}");
        // What was stored and is read again is the same.
        assert_eq!(&serde_json::from_str::<Gate>(&json).unwrap(), gate);
    }

    #[test]
    fn a_gate_stays_small_whatever_the_reason() {
        for reason in [
            "x".repeat(10_000),
            "é".repeat(400),
            "\u{1F600}".repeat(400),
            "\"".repeat(400),
            "\n\u{1}\u{7f}".repeat(400),
            "<".repeat(400),
            "a < 1 & ".repeat(100),
            "short".to_owned(),
            "x".repeat(300),
        ] {
            assert_small(&Gate::new(Verdict::Rollback, &reason));
        }
    }

    #[test]
    fn a_reason_within_the_limits_is_not_touched() {
        for text in ["", "short", &"x".repeat(300)] {
            assert_eq!(one_line(text), text);
        }
        assert_eq!(one_line(&"x".repeat(301)), format!("{}…", "x".repeat(299)));
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn a_reason_that_an_earlier_version_stored_is_told_in_words() {
        let stored = r#"{"verdict":"rollback","reason":"error_rate < baseline * 1.1: broken"}"#;
        let gate: Gate = serde_json::from_str(stored).unwrap();
        assert_eq!(
            gate.reason,
            "error_rate below 1.1 times the control: broken"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_reason_makes_a_small_gate_without_the_three_characters(
            reason in "\\PC{0,400}|([a-z_]{0,9}[<>&=]{0,3} ?(baseline|control|[0-9.]{1,3})? ?[*;:]? ?){0,40}",
        ) {
            assert_small(&Gate::new(Verdict::Hold, &reason));
        }
    }
}
