//! The sections `control` and `canary`: label matchers.

use crate::matchers::{MatchOperator, Matcher, Matchers};

use super::cursor::{Cursor, Problems, shortened};
use super::yaml::Value;

/// The most matchers of one population.
const MAX_MATCHERS: usize = 32;
/// The longest value of a matcher, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

const OPERATORS: &[(&str, MatchOperator)] = &[
    ("=", MatchOperator::Equal),
    ("!=", MatchOperator::NotEqual),
    ("=~", MatchOperator::Regex),
    ("!~", MatchOperator::NotRegex),
];

/// Reads `{track: canary, pod: {"=~": "checkout-6d4.*"}}`.
pub(super) fn read_matchers(section: &Cursor<'_>, problems: &mut Problems) -> Matchers {
    let mut matchers = Matchers::new();
    let Some(fields) = section.entries("label matchers such as {track: canary}", problems) else {
        return matchers;
    };
    if fields.is_empty() || fields.len() > MAX_MATCHERS {
        let message = format!(
            "expected 1 to {MAX_MATCHERS} label matchers, found {}",
            fields.len()
        );
        section.problem(problems, message);
    }
    for field in fields.iter().take(MAX_MATCHERS) {
        if !is_label(field.key) {
            let message = format!(
                "{:?} is not a label's name: use letters, digits and _, not beginning with a digit",
                shortened(field.key)
            );
            problems.add(field.key_position, field.value.path(), message);
        }
        if !matches!(field.value.value(), Value::Mapping(_)) {
            add_matcher(
                field.key,
                MatchOperator::Equal,
                &field.value,
                &mut matchers,
                problems,
            );
            continue;
        }
        let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        let Some(operators) = field.value.fields("a label's value", &names, problems) else {
            continue;
        };
        let mut is_empty = true;
        for (name, operator) in OPERATORS {
            if let Some(value) = operators.get(name) {
                add_matcher(field.key, *operator, value, &mut matchers, problems);
                is_empty = false;
            }
        }
        if is_empty && matches!(field.value.value(), Value::Mapping(entries) if entries.is_empty())
        {
            field.value.problem(
                problems,
                "no operator: write for example {\"=~\": \"checkout-6d4.*\"}",
            );
        }
    }
    matchers
}

fn add_matcher(
    label: &str,
    operator: MatchOperator,
    value: &Cursor<'_>,
    matchers: &mut Matchers,
    problems: &mut Problems,
) {
    // An empty value is allowed with != only: it says that the label is there.
    let text = match value.value() {
        Value::Text(text) if text.is_empty() && operator == MatchOperator::NotEqual => "",
        _ => match value.text("a label's value", problems) {
            Some(text) => text,
            None => return,
        },
    };
    if text.len() > MAX_VALUE_BYTES {
        let message = format!("a label's value has at most {MAX_VALUE_BYTES} bytes");
        value.problem(problems, message);
        return;
    }
    matchers.insert(Matcher {
        label: label.to_owned(),
        operator,
        value: text.to_owned(),
    });
}

/// Whether a text is a label's name. UTF-8 names are not: not every server reads them.
pub(super) fn is_label(name: &str) -> bool {
    name.len() <= 100
        && name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && name != "__name__"
}
