//! How a counter of requests tells those that failed: by a label, and by the values that it has.

/// The labels that say what became of a request, the likeliest first.
///
/// They are those of the presets, and of client libraries: `code` (`client_golang`), `status`
/// (`prometheus_client`, Micrometer), `status_code` (express-prom-bundle), `http_response_status_code`
/// (OpenTelemetry).
const STATUS_LABELS: &[&str] = &[
    "code",
    "status",
    "status_code",
    "http_status",
    "http_status_code",
    "http_response_status_code",
    "http_code",
    "response_code",
    "response_code_class",
    "status_class",
    "code_class",
    "grpc_code",
    "rpc_grpc_status_code",
    "outcome",
    "result",
];

/// Words for a failure by the server, as values of such a label. In lower case.
const FAILURES: &[&str] = &[
    "error",
    "errors",
    "exception",
    "failed",
    "failure",
    "fault",
    "server_error",
    "status_code_error",
];

/// Names of gRPC's codes that are the server's fault.
///
/// Source: <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/>.
const GRPC_FAILURES: &str = "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss";

/// A name that only gRPC gives to a request that went well.
const GRPC_GOOD: &str = "OK";

/// The label that says what became of a request; nothing where none does.
pub(super) fn status_label(labels: &[String]) -> Option<&'static str> {
    let is_there = |wanted: &&&str| labels.iter().any(|label| label == **wanted);
    STATUS_LABELS.iter().find(is_there).copied()
}

/// The matcher of the failed requests, by the values that the label has: numbers (`500`), classes of
/// them (`5xx`), words, or gRPC's names. Nothing where none of them can be read. Numbers need no `5..`
/// among them: most services have no failure in most hours.
pub(super) fn failed(label: &str, values: &[String]) -> Option<String> {
    if values
        .iter()
        .any(|value| is_status(value, |digit| digit.is_ascii_digit()))
    {
        return Some(format!(r#"{label}=~"5..""#));
    }
    if let Some(class) = values
        .iter()
        .find(|value| is_status(value, |digit| matches!(digit, 'x' | 'X')))
    {
        let rest: String = class.chars().skip(1).collect();
        return Some(format!(r#"{label}="5{rest}""#));
    }
    if values.iter().any(|value| value == GRPC_GOOD) {
        return Some(format!(r#"{label}=~"{GRPC_FAILURES}""#));
    }
    let is_failure = |value: &&String| FAILURES.contains(&value.to_ascii_lowercase().as_str());
    let words: Vec<&str> = values
        .iter()
        .filter(is_failure)
        .map(String::as_str)
        .collect();
    match words.as_slice() {
        [] => None,
        [word] => Some(format!(r#"{label}="{word}""#)),
        several => Some(format!(r#"{label}=~"{}""#, several.join("|"))),
    }
}

/// Whether a value is a digit from 1 to 5 and two more characters of a kind.
fn is_status(value: &str, is_rest: impl Fn(char) -> bool) -> bool {
    let mut letters = value.chars();
    matches!(letters.next(), Some('1'..='5'))
        && letters.clone().count() == 2
        && letters.all(is_rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_of(values: &[&str]) -> Option<String> {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        failed("status", &values)
    }

    #[test]
    fn numbers_fail_from_500_on_whether_any_did_or_not() {
        assert_eq!(failed_of(&["200", "404"]).unwrap(), r#"status=~"5..""#);
    }

    #[test]
    fn classes_of_numbers_are_taken_as_they_are_written() {
        assert_eq!(failed_of(&["2xx", "4xx"]).unwrap(), r#"status="5xx""#);
        assert_eq!(failed_of(&["2XX"]).unwrap(), r#"status="5XX""#);
    }

    #[test]
    fn words_fail_only_where_they_are_there() {
        assert_eq!(failed_of(&["ok", "error"]).unwrap(), r#"status="error""#);
        assert_eq!(
            failed_of(&["Failure", "error", "ok"]).unwrap(),
            r#"status=~"Failure|error""#
        );
        assert_eq!(failed_of(&["ok", "late"]), None);
    }

    #[test]
    fn the_names_of_grpc_are_those_that_are_the_servers_fault() {
        let failed = failed_of(&["OK", "NotFound"]).unwrap();
        assert!(failed.contains("Unavailable") && !failed.contains("NotFound"));
    }

    #[test]
    fn the_label_of_the_status_is_known_by_its_name() {
        let labels = ["job", "method", "status_code"].map(str::to_owned);
        assert_eq!(status_label(&labels), Some("status_code"));
        assert_eq!(status_label(&labels[..2]), None);
    }
}
