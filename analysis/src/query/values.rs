//! Matchers that callers give: checked, compared with those of a query, made of regions.

use promql_parser::label::Matcher as LabelMatcher;
use promql_parser::parser::token::{T_EQL, T_EQL_REGEX, T_NEQ, T_NEQ_REGEX};

use crate::matchers::{MatchOperator, Matcher, Matchers};

use super::error::QueryError;
use super::pattern;
use super::place::POPULATION;
use super::syntax::refuse_control_characters;

/// Most bytes of a value that a caller gives.
const VALUE_BYTES: usize = 1024;

/// The label that holds a metric's name.
pub(super) const METRIC_NAME: &str = "__name__";

/// Characters with a meaning in the regular expressions of Prometheus, outside of classes.
const REGEX_CHARACTERS: &str = r"\.+*?()|[]{}^$";

/// Checks matchers that a caller gives: names of labels, regular expressions, no control
/// characters, values of at most 1024 bytes, no two values for one label.
///
/// Everything else is a plain value: quotes, backslashes and braces are told from syntax when a
/// query is written.
///
/// # Errors
///
/// [`QueryError`] names the first matcher that cannot be used.
pub fn validate_matchers(matchers: &Matchers) -> Result<(), QueryError> {
    for matcher in matchers {
        to_label_matcher(matcher)?;
        if matcher.value.len() > VALUE_BYTES {
            return Err(QueryError::ValueTooLong {
                label: matcher.label.clone(),
                bytes: matcher.value.len(),
                limit: VALUE_BYTES,
            });
        }
    }
    refuse_contradictions(matchers)
}

/// What to write for the plain value of a label that begins like an operator, in JSON or YAML;
/// nothing for any other value. It would be taken as text, which is hardly what was meant.
pub fn advice_on_plain_value(value: &str) -> Option<String> {
    let (operator, rest) = MatchOperator::meant_by(value)?;
    Some(format!(
        "the value {value:?} begins like an operator: write {{\"{operator}\": {rest:?}}}, or \
         {{\"=\": {value:?}}} for a value that really begins so"
    ))
}

/// The text between PromQL's quotes, which are `"`, `'` or backticks; nothing where the quotes are not
/// closed, or a backslash stands in front of what it cannot escape.
pub fn unquoted(text: &str) -> Option<String> {
    promql_parser::util::unquote_string(text).ok()
}

/// Returns the regular expression that matches exactly the text, in the syntax of Prometheus.
pub fn regex_escape(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if REGEX_CHARACTERS.contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// Returns the matcher that selects the regions: `=` for one, `=~` for several, none for none
/// (all regions).
pub fn region_matcher(label: &str, regions: &[String]) -> Option<Matcher> {
    let regions = regions.iter().collect::<std::collections::BTreeSet<_>>();
    match regions.len() {
        0 => None,
        1 => regions.first().map(|region| Matcher::equal(label, *region)),
        _ => Some(Matcher::regex(
            label,
            alternatives(regions.into_iter().map(String::as_str)),
        )),
    }
}

/// Returns the regular expression that matches each of the values and nothing else.
pub(super) fn alternatives<'value>(values: impl IntoIterator<Item = &'value str>) -> String {
    values
        .into_iter()
        .map(regex_escape)
        .collect::<Vec<_>>()
        .join("|")
}

/// Returns the values that the pattern lists, when it is only a list of plain values: the
/// inverse of [`alternatives`].
pub(super) fn listed_values(pattern: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut value = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '|' => values.push(std::mem::take(&mut value)),
            '\\' => {
                let escaped = characters.next().filter(char::is_ascii_punctuation)?;
                value.push(escaped);
            }
            other if REGEX_CHARACTERS.contains(other) => return None,
            other => value.push(other),
        }
    }
    values.push(value);
    Some(values)
}

/// Returns the matcher as the parser has it, after checking it.
pub(super) fn to_label_matcher(matcher: &Matcher) -> Result<LabelMatcher, QueryError> {
    check_label_name(&matcher.label)?;
    if matcher.label == METRIC_NAME {
        return Err(QueryError::MetricNameMatcher);
    }
    if matcher.label == POPULATION {
        return Err(QueryError::PopulationMarkMatcher);
    }
    refuse_control_characters(
        &format!("the value of the label {}", matcher.label),
        &matcher.value,
    )?;
    let token = match matcher.operator {
        MatchOperator::Equal => T_EQL,
        MatchOperator::NotEqual => T_NEQ,
        MatchOperator::Regex => T_EQL_REGEX,
        MatchOperator::NotRegex => T_NEQ_REGEX,
    };
    if matches!(
        matcher.operator,
        MatchOperator::Regex | MatchOperator::NotRegex
    ) {
        pattern::check(&matcher.label, &matcher.value)?;
    }
    LabelMatcher::new_matcher(token, matcher.label.clone(), matcher.value.clone()).map_err(
        |reason| QueryError::Regex {
            label: matcher.label.clone(),
            pattern: matcher.value.clone(),
            reason,
        },
    )
}

/// Checks that a label has the form that every Prometheus knows.
pub(super) fn check_label_name(label: &str) -> Result<(), QueryError> {
    let starts_well = label.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on_well = label
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || character == '_');
    if starts_well && goes_on_well {
        Ok(())
    } else {
        Err(QueryError::LabelName {
            label: label.to_owned(),
        })
    }
}

/// Refuses matchers of one population that no series satisfies.
fn refuse_contradictions(matchers: &Matchers) -> Result<(), QueryError> {
    let pins = || {
        matchers
            .iter()
            .filter(|matcher| matcher.operator == MatchOperator::Equal)
    };
    // Sorted, so that pins of one label are neighbours.
    for (first, second) in pins().zip(pins().skip(1)) {
        if first.label == second.label {
            return Err(QueryError::Contradiction {
                first: first.to_string(),
                second: second.to_string(),
            });
        }
    }
    Ok(())
}
