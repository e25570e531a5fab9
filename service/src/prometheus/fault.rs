//! The faults of a source, each with its code and a sentence that says what to do.

use std::time::Duration;

use reqwest::StatusCode;
use serinus_analysis::data::FaultCode;

use super::SourceFault;
use super::credentials::{TokenFault, TokenTrouble};
use super::decode::DecodeError;

/// Longest text of others that goes into a message, in characters: leaves room for what is said
/// around it in a reason of at most 300.
const MAX_QUOTED_CHARS: usize = 200;

/// Shortens a text of others and puts it on one line.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    let words = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty());
    let mut room = MAX_QUOTED_CHARS;
    for word in words {
        if !line.is_empty() {
            line.push(' ');
            room = room.saturating_sub(1);
        }
        let length = word.chars().count();
        if length > room {
            line.extend(word.chars().take(room));
            line.push('…');
            return line;
        }
        line.push_str(word);
        room -= length;
    }
    line
}

/// Makes the faults of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults<'a> {
    /// The name of the source.
    pub(super) source: &'a str,
    /// What to look at where it refuses the credentials.
    pub(super) credentials_cure: &'static str,
}

impl Faults<'_> {
    fn fault(self, code: FaultCode, rest: &str) -> SourceFault {
        SourceFault {
            code,
            message: format!("source {:?} {rest}", self.source),
        }
    }

    pub(super) fn unavailable(self, cause: &str) -> SourceFault {
        self.fault(
            FaultCode::SourceUnavailable,
            &format!(
                "cannot be reached ({}): check its url and that it runs",
                one_line(cause)
            ),
        )
    }

    /// The fault of a source that was not asked, for lack of a token.
    pub(super) fn no_token(self, fault: &TokenFault) -> SourceFault {
        let (code, what) = match &fault.trouble {
            TokenTrouble::Unreachable(cause) => (
                FaultCode::SourceUnavailable,
                format!("cannot be reached ({})", one_line(cause)),
            ),
            TokenTrouble::Slow(timeout) => (
                FaultCode::SourceSlow,
                format!("did not answer within {} s", timeout.as_secs_f64()),
            ),
            TokenTrouble::Refused(status, _) => (
                FaultCode::SourceRefusedCredentials,
                format!("refused (HTTP {})", status.as_u16()),
            ),
            TokenTrouble::Failed(status) => (
                FaultCode::SourceFailed,
                format!("failed (HTTP {})", status.as_u16()),
            ),
            TokenTrouble::NoToken(detail) => (
                FaultCode::SourceRefusedCredentials,
                format!("gave none ({})", one_line(detail)),
            ),
        };
        // At the end: what is said there may be long, and what to do must not be cut off.
        let said = match &fault.trouble {
            TokenTrouble::Refused(_, said) if !said.is_empty() => {
                format!("; it says{}", colon(said))
            }
            _ => String::new(),
        };
        let (endpoint, cure) = (one_line(&fault.endpoint), fault.cure);
        self.fault(
            code,
            &format!("has no token, for {endpoint} {what}: {cure}{said}"),
        )
    }

    pub(super) fn slow(self, timeout: Duration) -> SourceFault {
        self.fault(
            FaultCode::SourceSlow,
            &format!(
                "did not answer within {} s: make the query cheaper or raise timeout_seconds",
                timeout.as_secs_f64()
            ),
        )
    }

    pub(super) fn busy(self, timeout: Duration, max_concurrent: usize) -> SourceFault {
        self.fault(
            FaultCode::SourceSlow,
            &format!(
                "had {max_concurrent} other queries running for {} s: make them cheaper or raise \
                 max_concurrent",
                timeout.as_secs_f64()
            ),
        )
    }

    fn gave_up(self, text: &str) -> SourceFault {
        self.fault(
            FaultCode::SourceSlow,
            &format!(
                "gave up on the query{}: make it cheaper, or look at the load of the source",
                colon(text)
            ),
        )
    }

    /// The fault of a source that answers nobody more at the moment.
    fn too_busy(self, error: DecodeError, body: &str) -> SourceFault {
        let told = match error {
            DecodeError::Refused { error, .. } => error,
            _ => plain_text(body),
        };
        self.fault(
            FaultCode::SourceSlow,
            &format!(
                "is asked too much (HTTP 429){}: lower max_concurrent, or raise its limits",
                colon(&told)
            ),
        )
    }

    fn rejected(self, text: &str) -> SourceFault {
        self.fault(
            FaultCode::SourceRejectedQuery,
            &format!("refused the query{}", colon(text)),
        )
    }

    fn failed(self, what: &str, text: &str) -> SourceFault {
        self.fault(
            FaultCode::SourceFailed,
            &format!("failed ({what}){}", colon(text)),
        )
    }

    fn not_prometheus(self, detail: &str) -> SourceFault {
        self.fault(
            FaultCode::SourceNotPrometheus,
            &format!(
                "does not answer like a Prometheus ({}): check its url, and for a login or a \
                 proxy in between",
                one_line(detail)
            ),
        )
    }

    pub(super) fn cut(self) -> SourceFault {
        self.fault(
            FaultCode::SourceAnswerCut,
            "broke off in the middle of its answer: look for a proxy in between that limits size \
             or time, and for restarts of the source",
        )
    }

    pub(super) fn too_large(self, max_bytes: u64) -> SourceFault {
        self.fault(
            FaultCode::AnswerTooLarge,
            &format!(
                "answered with more than {max_bytes} bytes: select fewer series, or raise \
                 max_bytes"
            ),
        )
    }

    /// The fault of an answer that was not read on, because others take all the room there is.
    pub(super) fn waited(self, timeout: Duration) -> SourceFault {
        self.fault(
            FaultCode::StillCollecting,
            &format!(
                "was not read to the end within {} s, because other answers took all the memory for \
                 them: ask for less at once, or raise max_memory_bytes",
                timeout.as_secs_f64()
            ),
        )
    }

    /// The fault of answers that would not fit if there were no others.
    pub(super) fn no_room(self, most_bytes: u64) -> SourceFault {
        self.fault(
            FaultCode::AnswerTooLarge,
            &format!(
                "answered with more than the {most_bytes} bytes of memory that one reading may take: \
                 select fewer series, or raise max_memory_bytes"
            ),
        )
    }

    pub(super) fn redirected(self, status: StatusCode, target: Option<&str>) -> SourceFault {
        let to = target.map(|host| format!(" to {host}")).unwrap_or_default();
        self.not_prometheus(&format!("it redirects{to}, HTTP {}", status.as_u16()))
    }

    /// The fault of a body that came with a status of success.
    pub(super) fn undecodable(self, error: DecodeError) -> SourceFault {
        match error {
            DecodeError::Cut => self.cut(),
            DecodeError::NotPrometheus(detail) => self.not_prometheus(&detail),
            DecodeError::TooManySeries { limit } => self.fault(
                FaultCode::TooManySeries,
                &format!(
                    "answered with more than {limit} series: select fewer, or raise max_series"
                ),
            ),
            DecodeError::TooManyBuckets { limit } => self.fault(
                FaultCode::TooManySeries,
                &format!(
                    "answered with more than {limit} buckets of native histograms: select fewer \
                     targets, or raise max_series"
                ),
            ),
            DecodeError::Refused { error_type, error } => {
                self.refused(&error_type, &error, &error_type)
            }
            DecodeError::NoNumbers => {
                self.rejected("it gives a string, and numbers are needed; change the query")
            }
        }
    }

    /// The fault of an answer that came with a status of failure.
    pub(super) fn bad_status(
        self,
        status: StatusCode,
        error: DecodeError,
        body: &str,
    ) -> SourceFault {
        let http = format!("HTTP {}", status.as_u16());
        match (status, error) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => self.fault(
                FaultCode::SourceRefusedCredentials,
                &format!(
                    "refused the credentials ({http}): {}",
                    self.credentials_cure
                ),
            ),
            // It says nothing about the query: the same one is answered later.
            (StatusCode::TOO_MANY_REQUESTS, error) => self.too_busy(error, body),
            (_, DecodeError::Refused { error_type, error }) if status.is_client_error() => {
                match error_type.as_str() {
                    "timeout" | "canceled" => self.gave_up(&error),
                    _ => self.rejected(&error),
                }
            }
            (_, DecodeError::Refused { error_type, error }) => {
                self.refused(&error_type, &error, &http)
            }
            // No Prometheus lacks the path that was asked for.
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, _) => {
                self.not_prometheus(&http)
            }
            _ if status.is_client_error() => {
                self.rejected(&format!("{http}{}", colon(&plain_text(body))))
            }
            _ if status.is_server_error() => self.failed(&http, &plain_text(body)),
            _ => self.not_prometheus(&http),
        }
    }

    /// The fault that Prometheus itself names by its type of error.
    fn refused(self, error_type: &str, error: &str, what: &str) -> SourceFault {
        match error_type {
            "timeout" | "canceled" => self.gave_up(error),
            "bad_data" | "execution" => self.rejected(error),
            _ => self.failed(what, error),
        }
    }
}

fn colon(text: &str) -> String {
    let line = one_line(text);
    if line.is_empty() {
        line
    } else {
        format!(": {line}")
    }
}

/// The body of a failure, where it is a text for people and not a page.
fn plain_text(body: &str) -> String {
    if body.trim_start().starts_with(['<', '{']) {
        String::new()
    } else {
        one_line(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_short_line() {
        assert_eq!(one_line(" a\r\n\tb\u{7}c "), "a b c");
        let long = one_line(&"é".repeat(1_000));
        assert_eq!(long.chars().count(), MAX_QUOTED_CHARS + 1);
        let words = one_line(&"word ".repeat(1_000));
        assert!(words.chars().count() <= MAX_QUOTED_CHARS + 2, "{words}");
    }
}
