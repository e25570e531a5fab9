//! Populations on the wire: `{"track": "stable"}` and `{"pod": {"=~": "web-6d4.*"}}`.

mod overlay;
mod text;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serinus_analysis::matchers::{MatchOperator, Matcher, Matchers};
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

pub use overlay::{PopulationOverlay, is_unfilled_template};
pub use text::LabelText;

/// Most labels that one population may name.
pub const MAX_LABELS: usize = 32;

/// Longest accepted value or regular expression, in bytes.
pub const MAX_VALUE_BYTES: usize = 4096;

/// Label matchers that select one population. Added to every selector of every query.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Population(BTreeMap<String, LabelMatch>);

/// How the value of one label is matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum LabelMatch {
    /// The value itself: an exact match.
    Exact(String),
    /// One value for each operator: `=`, `!=`, `=~` (anchored regular expression) or `!~`.
    Operators(BTreeMap<Cow<'static, str>, String>),
}

/// Why a population cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopulationError {
    /// The label; empty when it is not about one.
    pub label: String,
    /// What is wrong and what to change.
    pub message: String,
}

impl fmt::Display for PopulationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.label.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "label {:?}: {}", self.label, self.message)
    }
}

impl std::error::Error for PopulationError {}

impl PopulationError {
    fn of(label: &str, message: impl Into<String>) -> Self {
        Self {
            label: label.to_owned(),
            message: message.into(),
        }
    }

    /// About no label.
    fn of_none(message: &str) -> Self {
        Self::of("", message)
    }
}

/// Refuses one label too many, and what is no name of a label.
fn check_label(index: usize, label: &str) -> Result<(), PopulationError> {
    if index >= MAX_LABELS {
        return Err(PopulationError::of(
            label,
            format!("more than {MAX_LABELS} labels"),
        ));
    }
    if !is_label_name(label) {
        return Err(PopulationError::of(
            label,
            "not a label name: use letters, digits and underscores, and do not start with a digit \
             or two underscores",
        ));
    }
    Ok(())
}

impl Population {
    /// Returns the matchers for the analysis.
    ///
    /// # Errors
    ///
    /// [`PopulationError`] names the first label that Prometheus would refuse, or that is beyond
    /// a limit. Regular expressions are checked where the query is written.
    pub fn to_matchers(&self) -> Result<Matchers, PopulationError> {
        if self.0.is_empty() {
            return Err(PopulationError::of_none(
                "no label is named, which would select everything: name one, or leave the \
                 population out",
            ));
        }
        let mut matchers = Matchers::new();
        for (index, (label, value)) in self.0.iter().enumerate() {
            check_label(index, label)?;
            matchers.extend(value.to_matchers(label)?);
        }
        Ok(matchers)
    }

    /// Whether no label is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&Matchers> for Population {
    fn from(matchers: &Matchers) -> Self {
        let mut labels = BTreeMap::<String, BTreeMap<Cow<'static, str>, String>>::new();
        for matcher in matchers {
            let operator = Cow::Borrowed(matcher.operator.as_str());
            labels
                .entry(matcher.label.clone())
                .or_default()
                .insert(operator, matcher.value.clone());
        }
        let labels = labels.into_iter();
        let simplified = labels.map(|(label, operators)| (label, LabelMatch::of(operators)));
        Self(simplified.collect())
    }
}

impl LabelMatch {
    /// Of one value for each operator; the shorter form where there is one. A value that begins like
    /// an operator has none.
    fn of(mut operators: BTreeMap<Cow<'static, str>, String>) -> Self {
        let is_plain = |value: &String| MatchOperator::meant_by(value).is_none();
        let exact = (operators.len() == 1 && operators.get("=").is_some_and(is_plain))
            .then(|| operators.remove("="))
            .flatten();
        exact.map_or(Self::Operators(operators), Self::Exact)
    }

    /// The matchers of one label.
    fn to_matchers(&self, label: &str) -> Result<Matchers, PopulationError> {
        let entries = self.entries().into_iter();
        entries
            .map(|(operator, text)| {
                if text.len() > MAX_VALUE_BYTES {
                    return Err(PopulationError::of(
                        label,
                        format!(
                            "the value has {} bytes, more than {MAX_VALUE_BYTES}",
                            text.len()
                        ),
                    ));
                }
                if text.chars().any(char::is_control) {
                    return Err(PopulationError::of(
                        label,
                        "the value has a line break or another control character: take it out",
                    ));
                }
                Ok(Matcher {
                    label: label.to_owned(),
                    operator,
                    value: text.to_owned(),
                })
            })
            .collect()
    }

    fn entries(&self) -> Vec<(MatchOperator, &str)> {
        match self {
            Self::Exact(value) => vec![(MatchOperator::Equal, value.as_str())],
            Self::Operators(operators) => MatchOperator::ALL
                .into_iter()
                .filter_map(|operator| Some((operator, operators.get(operator.as_str())?.as_str())))
                .collect(),
        }
    }
}

/// Prometheus's classic rule for label names; two leading underscores are its own.
fn is_label_name(text: &str) -> bool {
    let mut characters = text.chars();
    let starts_well = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    starts_well
        && !text.starts_with("__")
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
}

impl<'de> Deserialize<'de> for Population {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor::new()).map(Self)
    }
}

/// Reads an object of labels, each of which stands in it once.
struct LabelsVisitor<T>(PhantomData<T>);

impl<T> LabelsVisitor<T> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for LabelsVisitor<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of labels such as {\"track\": \"stable\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some(label) = map.next_key::<String>()? {
            let value = map.next_value::<T>()?;
            if labels.insert(label.clone(), value).is_some() {
                return Err(de::Error::custom(format_args!(
                    "label `{label}` is given twice"
                )));
            }
        }
        Ok(labels)
    }
}

impl<'de> Deserialize<'de> for LabelMatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelMatchVisitor;

        impl<'de> Visitor<'de> for LabelMatchVisitor {
            type Value = LabelMatch;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text, or an object such as {\"=~\": \"web-.*\"}")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(LabelMatch::Exact(value.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut operators = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let mut all = MatchOperator::ALL.map(MatchOperator::as_str).into_iter();
                    let Some(text) = all.find(|text| *text == key) else {
                        return Err(de::Error::unknown_field(&key, &["=~", "!~", "=", "!="]));
                    };
                    operators.insert(Cow::Borrowed(text), map.next_value::<String>()?);
                }
                if operators.is_empty() {
                    return Err(de::Error::custom(
                        "expected one of the operators `=`, `!=`, `=~`, `!~`",
                    ));
                }
                Ok(LabelMatch::of(operators))
            }
        }

        deserializer.deserialize_any(LabelMatchVisitor)
    }
}

impl PartialSchema for LabelMatch {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "The label's exact value. One that begins like an operator (`=~web-.*`, `~web-.*`) is \
                 refused: `{\"=\": \"~web\"}` says that it is meant.",
            ));
        let operators = MatchOperator::ALL.into_iter().fold(
            ObjectBuilder::new()
                .description(Some(
                    "One value for each operator. `=~` and `!~` take regular expressions that \
                     must match the whole value.",
                ))
                .additional_properties(Some(AdditionalProperties::FreeForm(false))),
            |object, operator| {
                let value = ObjectBuilder::new().schema_type(Type::String);
                object.property(operator.as_str(), value)
            },
        );
        OneOfBuilder::new().item(text).item(operators).into()
    }
}

impl ToSchema for LabelMatch {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("LabelMatch")
    }
}

impl PartialSchema for Population {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some(
                "Label matchers that select one population. They are added to every selector of \
                 every query.",
            ))
            .additional_properties(Some(RefOr::Ref(Ref::from_schema_name("LabelMatch"))))
            .examples([serde_json::json!({"track": "stable"})])
            .into()
    }
}

impl ToSchema for Population {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Population")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((LabelMatch::name().into_owned(), LabelMatch::schema()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matchers(json: &str) -> Result<String, String> {
        let population: Population =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        let matchers = population
            .to_matchers()
            .map_err(|error| error.to_string())?;
        let texts: Vec<_> = matchers.iter().map(ToString::to_string).collect();
        Ok(texts.join(","))
    }

    #[test]
    fn every_operator_is_read() {
        assert_eq!(
            matchers(r#"{"track": "stable", "pod": {"=~": "web-.*", "!=": "web-0"}}"#).unwrap(),
            r#"pod!="web-0",pod=~"web-.*",track="stable""#
        );
    }

    #[test]
    fn quotes_and_braces_are_values_like_any_other() {
        let text = "a\"} or up{x=\"";
        let json = serde_json::json!({ "track": text }).to_string();
        let population: Population = serde_json::from_str(&json).unwrap();
        let matchers = population.to_matchers().unwrap();
        assert_eq!(matchers.first().unwrap().value, text);
    }

    #[test]
    fn a_population_that_prometheus_would_refuse_is_refused() {
        for (json, expected) in [
            (r#"{"a-b": "x"}"#, "not a label name"),
            (r#"{"": "x"}"#, "not a label name"),
            ("{}", "no label is named"),
            (r#"{"__name__": "x"}"#, "not a label name"),
            (r#"{"a": "x\n"}"#, "control character"),
            (r#"{"a": 3}"#, "expected a text, or an object"),
            (r#"{"a": {}}"#, "expected one of the operators"),
            (r#"{"a": {"~=": "x"}}"#, "unknown field `~=`"),
            (r#"{"a": "x", "a": "y"}"#, "given twice"),
            (r#"["a"]"#, "an object of labels"),
        ] {
            let error = matchers(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn a_population_beyond_the_limits_is_refused() {
        let many: BTreeMap<_, _> = (0..=MAX_LABELS)
            .map(|index| (format!("l{index}"), "x"))
            .collect();
        let error = matchers(&serde_json::to_string(&many).unwrap()).unwrap_err();
        assert!(error.contains("more than 32 labels"), "{error}");
        let long = serde_json::json!({"a": "x".repeat(MAX_VALUE_BYTES + 1)});
        let error = matchers(&long.to_string()).unwrap_err();
        assert!(error.contains("4097 bytes"), "{error}");
    }

    #[test]
    fn the_way_there_and_back_is_the_same() {
        let json = r#"{"pod":{"!=":"web-0","=~":"web-.*"},"track":"stable"}"#;
        let population: Population = serde_json::from_str(json).unwrap();
        let back = Population::from(&population.to_matchers().unwrap());
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
    }
}
