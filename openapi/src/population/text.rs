//! One label in one text, where no JSON is sent: `track=stable`, `pod=~web-.*`, `job!=`.

use std::str::FromStr;

/// What one text says of one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelText {
    /// The label.
    pub(super) label: String,
    /// The operator and the value; nothing when the label is taken away.
    pub(super) given: Option<(&'static str, String)>,
}

impl LabelText {
    /// Of a name and a value that were sent apart: the name may end with the operator, as in
    /// `job!` (with `=` in front of the value) or `pod!~`.
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

    /// Reads `track=stable`, `pod=~web-.*`, `pod!=web-0`, `pod!~web-.*`, and `job!=`, which takes
    /// the label away.
    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write it like track=stable or pod=~web-.*, or job!= to take a \
                               label of the pipeline away";
        let at = text.find(['=', '!']).ok_or(EXAMPLE)?;
        let (label, rest) = text.split_at(at);
        // The longer ones first: `=~` begins with `=`.
        let found = ["=~", "!~", "!=", "="]
            .into_iter()
            .find_map(|operator| Some((operator, rest.strip_prefix(operator)?)));
        let (operator, value) = found.ok_or(EXAMPLE)?;
        if label.is_empty() {
            return Err(format!("the label is missing: {EXAMPLE}"));
        }
        let is_taken_away = operator == "!=" && value.is_empty();
        Ok(Self {
            label: label.to_owned(),
            given: (!is_taken_away).then(|| (operator, value.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_read() {
        for (text, expected) in [
            ("track=stable", Some(("=", "stable"))),
            ("track=", Some(("=", ""))),
            ("track=a=b", Some(("=", "a=b"))),
            ("track=~a", Some(("=~", "a"))),
            ("track!~a!b", Some(("!~", "a!b"))),
            ("track!=a=b", Some(("!=", "a=b"))),
            ("track!=", None),
        ] {
            let read: LabelText = text.parse().unwrap();
            assert_eq!(read.label, "track");
            let given = read.given.as_ref();
            let given = given.map(|(operator, value)| (*operator, value.as_str()));
            assert_eq!(given, expected, "{text}");
        }
        for text in ["track", "=x", "!=", "a!b", ""] {
            assert!(text.parse::<LabelText>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_and_a_value_say_the_same_as_a_text() {
        for (name, value, text) in [
            ("track", "stable", "track=stable"),
            ("job!", "", "job!="),
            ("job!=", "", "job!="),
            ("pod!", "web-0", "pod!=web-0"),
            ("pod", "~web-.*", "pod=~web-.*"),
            ("pod!~", "web-.*", "pod!~web-.*"),
        ] {
            assert_eq!(LabelText::of_parts(name, value), text.parse(), "{text}");
        }
        assert!(LabelText::of_parts("", "x").is_err());
    }
}
