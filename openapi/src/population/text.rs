//! One label in one text, where no JSON is sent: `track=stable`, `pod=~web-.*`, `job!=`.
//!
//! It is what PromQL writes between braces, with quotes or without.

use std::str::FromStr;

use serinus_analysis::matchers::MatchOperator;
use serinus_analysis::query;

use super::is_label_name;

const EXAMPLE: &str = "write it like track=stable or pod=~web-.*, or job!= to take a label of the \
                       pipeline away";

/// What PromQL puts around a text.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// What one text says of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelText {
    /// The label.
    pub(super) label: String,
    /// The operator and the value; nothing when the label is taken away.
    pub(super) given: Option<(MatchOperator, String)>,
}

impl LabelText {
    /// Of a name and a value that were sent apart. The operator may end the name, as in `job!` (with
    /// `=` in front of the value) or `pod!~`, or begin the value, as in `=~web-.*`.
    ///
    /// # Errors
    ///
    /// How to write it.
    pub fn of_parts(name: &str, value: &str) -> Result<Self, String> {
        let has_operator = ["!~", "=~", "!="]
            .iter()
            .any(|operator| name.ends_with(operator));
        let sign = if has_operator { "" } else { "=" };
        format!("{name}{sign}{value}").parse()
    }
}

impl FromStr for LabelText {
    type Err = String;

    /// Reads `track=stable`, `pod=~web-.*`, `pod!=web-0`, `pod!~web-.*`, each also with quotes around
    /// the value, and `job!=`, which takes the label away.
    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['=', '!']).ok_or(EXAMPLE)?;
        let (label, rest) = text.split_at(at);
        let label = label.trim_matches(' ');
        if label.is_empty() {
            return Err(format!("the label is missing: {EXAMPLE}"));
        }
        let (operator, value) = match MatchOperator::in_front_of(rest).ok_or(EXAMPLE)? {
            // The sign between a name and a value that says its operator itself: `pod==~web-.*`.
            (MatchOperator::Equal, value) => {
                MatchOperator::in_front_of(value).unwrap_or((MatchOperator::Equal, value))
            }
            told => told,
        };
        let value = value.trim_matches(' ');
        let is_taken_away = operator == MatchOperator::NotEqual && value.is_empty();
        let given = (!is_taken_away)
            .then(|| read_value(label, value).map(|value| (operator, value)))
            .transpose()?;
        Ok(Self {
            label: label.to_owned(),
            given,
        })
    }
}

/// The value behind an operator: in quotes, or as it is.
fn read_value(label: &str, value: &str) -> Result<String, String> {
    if value.starts_with(QUOTES) {
        return query::unquoted(value).ok_or_else(|| {
            format!(
                "{value} is no text as PromQL quotes it: give each label by itself, close the \
                 quotes, and write each backslash twice"
            )
        });
    }
    if let Some((meant, rest)) = MatchOperator::meant_by(value) {
        return Err(format!(
            "the value {value:?} begins like an operator: write the operator once, as in \
             {label}{meant}{rest}, or quote a value that really begins so, as in {label}={value:?}"
        ));
    }
    if let Some(other) = value.split(',').skip(1).find(|part| is_matcher(part)) {
        return Err(format!(
            "the value {value:?} holds the matcher {:?}: give each label by itself, or quote a \
             value that really has a comma, as in {label}={value:?}",
            other.trim_matches(' ')
        ));
    }
    Ok(value.to_owned())
}

/// Whether a text begins with the name of a label and an operator.
fn is_matcher(text: &str) -> bool {
    let text = text.trim_start_matches(' ');
    let Some((name, rest)) = text.find(['=', '!']).map(|at| text.split_at(at)) else {
        return false;
    };
    is_label_name(name.trim_end_matches(' ')) && MatchOperator::in_front_of(rest).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text says: `label OPERATOR value`, or `label taken away`.
    fn told(read: Result<LabelText, String>) -> String {
        match read {
            Ok(LabelText { label, given: None }) => format!("{label} taken away"),
            Ok(LabelText {
                label,
                given: Some((operator, value)),
            }) => format!("{label} {operator} {value}"),
            Err(error) => format!("refused: {error}"),
        }
    }

    fn of_text(text: &str) -> String {
        told(text.parse())
    }

    fn of_parts(name: &str, value: &str) -> String {
        told(LabelText::of_parts(name, value))
    }

    #[test]
    fn every_operator_is_read() {
        for (text, expected) in [
            ("track=stable", "track = stable"),
            ("track=", "track = "),
            ("track=a=b", "track = a=b"),
            ("track=~a", "track =~ a"),
            ("track!~a!b", "track !~ a!b"),
            ("track!=a=b", "track != a=b"),
            ("track!=", "track taken away"),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
        for text in ["track", "=x", "!=", "a!b", ""] {
            assert!(text.parse::<LabelText>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_matcher_is_read_as_promql_writes_it() {
        for (text, expected) in [
            (r#"pod=~"web-6d4.*""#, "pod =~ web-6d4.*"),
            (r#"pod !~ "web-6d4.*" "#, "pod !~ web-6d4.*"),
            ("pod='web'", "pod = web"),
            (r"pod=~`web-\d+`", r"pod =~ web-\d+"),
            (r#"pod=~"web-\\d+""#, r"pod =~ web-\d+"),
            (r#"pod="a\"b""#, r#"pod = a"b"#),
            // A label that is there, whatever its value: nothing is taken away.
            (r#"pod!="""#, "pod != "),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_begins_like_an_operator_is_written_in_quotes() {
        for (text, expected) in [
            (r#"pod="~web""#, "pod = ~web"),
            (r#"pod="=~web""#, "pod = =~web"),
            (r#"pod=~"=a.*""#, "pod =~ =a.*"),
            (r#"pod!="!x""#, "pod != !x"),
            (r#"pod="\"""#, "pod = \""),
            (r#"pod="a,b=c""#, "pod = a,b=c"),
        ] {
            assert_eq!(of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn an_operator_in_front_of_a_value_is_not_taken_as_text() {
        for (name, value, expected) in [
            ("pod", "~web-.*", "pod =~ web-.*"),
            ("pod", "=~web-.*", "pod =~ web-.*"),
            ("pod", "!~web-.*", "pod !~ web-.*"),
            ("pod", "!=web-0", "pod != web-0"),
            ("pod", "=web-0", "pod = web-0"),
            ("pod", r#"=~"web-.*""#, "pod =~ web-.*"),
            ("job", "!=", "job taken away"),
        ] {
            assert_eq!(of_parts(name, value), expected, "{name} {value}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_with_how_to_write_it() {
        for (text, expected) in [
            (
                "pod=~=~web-.*",
                "the value \"=~web-.*\" begins like an operator",
            ),
            ("pod=~~web-.*", "begins like an operator"),
            ("pod!=~web-.*", "write the operator once, as in pod=~web-.*"),
            ("pod!==x", "begins like an operator"),
            (
                "pod= ~web-.*",
                "or quote a value that really begins so, as in pod=\"~web-.*\"",
            ),
            (r#"pod=~"web-.*"#, "is no text as PromQL quotes it"),
            (r#"pod=~"web-\d""#, "write each backslash twice"),
            (r#"pod=~"web",job="x""#, "is no text as PromQL quotes it"),
            (
                "job=x,pod=~web-.*",
                "holds the matcher \"pod=~web-.*\": give each label",
            ),
            (r#"pod=~web-.*, job = "x""#, "holds the matcher"),
        ] {
            let error = text.parse::<LabelText>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        // No other matcher, though it has a comma.
        assert_eq!(of_text("pod=~a{1,3}=?"), "pod =~ a{1,3}=?");
    }

    #[test]
    fn a_name_and_a_value_say_the_same_as_a_text() {
        for (name, value, text) in [
            ("track", "stable", "track=stable"),
            ("job!", "", "job!="),
            ("job!=", "", "job!="),
            ("pod!", "web-0", "pod!=web-0"),
            ("pod=", "web-0", "pod=web-0"),
            ("pod=~", "web-.*", "pod=~web-.*"),
            ("pod!~", "web-.*", "pod!~web-.*"),
            // Where a query was cut at its first `=`.
            ("pod!~web", "1", "pod!~web=1"),
        ] {
            assert_eq!(LabelText::of_parts(name, value), text.parse(), "{text}");
        }
        assert!(LabelText::of_parts("", "x").is_err());
    }
}
