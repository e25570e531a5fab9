//! What a caller says of a population: it is laid over the pipeline's own, label by label.
//!
//! `{"version": "v2"}` keeps `job: checkout`, and `{"job": null}` takes it away.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::query;
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{LabelMatch, LabelText, LabelsVisitor, PopulationError, check_label};

/// Labels that are laid over those of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct PopulationOverlay(BTreeMap<String, Option<LabelMatch>>);

impl PopulationOverlay {
    /// Puts labels together that were given one by one; nothing when none was.
    ///
    /// # Errors
    ///
    /// [`PopulationError`] names a label that is given twice.
    pub fn of_texts(
        texts: impl IntoIterator<Item = LabelText>,
    ) -> Result<Option<Self>, PopulationError> {
        let mut labels = BTreeMap::<String, Option<BTreeMap<Cow<'static, str>, String>>>::new();
        for text in texts {
            let twice = || PopulationError::of(&text.label, "it is given twice: give it once");
            match (text.given, labels.get_mut(&text.label)) {
                (None, None) => {
                    labels.insert(text.label, None);
                }
                (Some((operator, value)), None) => {
                    let operators = [(operator.as_str().into(), value)];
                    labels.insert(text.label, Some(operators.into()));
                }
                (Some((operator, value)), Some(Some(operators)))
                    if !operators.contains_key(operator.as_str()) =>
                {
                    operators.insert(operator.as_str().into(), value);
                }
                _ => return Err(twice()),
            }
        }
        let labels = labels.into_iter();
        let labels: BTreeMap<_, _> = labels
            .map(|(label, operators)| (label, operators.map(LabelMatch::of)))
            .collect();
        Ok((!labels.is_empty()).then_some(Self(labels)))
    }

    /// Returns the matchers that each label gets. A label without matchers is taken away.
    ///
    /// # Errors
    ///
    /// [`PopulationError`] names the first label that Prometheus would refuse, that is beyond a
    /// limit, or whose value is a template that was not filled in, begins like an operator or is no
    /// regular expression where one is meant.
    pub fn to_matchers(&self) -> Result<BTreeMap<String, Matchers>, PopulationError> {
        if self.0.is_empty() {
            return Err(PopulationError::of_none(
                "no label is named: name one, or leave the population out",
            ));
        }
        let labels = self.0.iter().enumerate();
        labels
            .map(|(index, (label, value))| {
                check_label(index, label)?;
                let Some(value) = value else {
                    return Ok((label.clone(), Matchers::new()));
                };
                let matchers = value.to_matchers(label)?;
                let unfilled = matchers
                    .iter()
                    .find(|matcher| is_unfilled_template(&matcher.value));
                if let Some(matcher) = unfilled {
                    return Err(PopulationError::of(
                        label,
                        format!(
                            "the value {:?} is a template that was not filled in: correct the \
                             expression where the call is written",
                            matcher.value
                        ),
                    ));
                }
                if let LabelMatch::Exact(value) = value
                    && let Some(advice) = query::advice_on_plain_value(value)
                {
                    return Err(PopulationError::of(label, advice));
                }
                query::validate_matchers(&matchers)
                    .map_err(|error| PopulationError::of_none(&error.to_string()))?;
                Ok((label.clone(), matchers))
            })
            .collect()
    }
}

/// Whether a text that a caller sends still holds the beginning of an expression that its system
/// was to fill in: `${parameters.version}`, `{{args.hash}}`.
///
/// Source: docs/design/gate.md, "Populations"
pub fn is_unfilled_template(text: &str) -> bool {
    text.contains("${") || text.contains("{{")
}

impl<'de> Deserialize<'de> for PopulationOverlay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor::new()).map(Self)
    }
}

impl PartialSchema for PopulationOverlay {
    fn schema() -> RefOr<Schema> {
        let nothing = ObjectBuilder::new()
            .schema_type(Type::Null)
            .description(Some("Takes the label away."));
        let label = OneOfBuilder::new()
            .item(Ref::from_schema_name("LabelMatch"))
            .item(nothing);
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some(
                "Label matchers, laid over the pipeline's own label by label: a label that is \
                 named takes the place of the pipeline's, `null` takes it away, and all others \
                 stay.",
            ))
            .additional_properties(Some(AdditionalProperties::RefOr(label.into())))
            .examples([serde_json::json!({"version": "v2", "zone": null})])
            .into()
    }
}

impl ToSchema for PopulationOverlay {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("PopulationOverlay")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((LabelMatch::name().into_owned(), LabelMatch::schema()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matchers by label, as `label: matchers;`.
    fn told(overlay: &PopulationOverlay) -> Result<String, String> {
        let labels = overlay.to_matchers().map_err(|error| error.to_string())?;
        let labels = labels.iter().map(|(label, matchers)| {
            let texts: Vec<_> = matchers.iter().map(ToString::to_string).collect();
            format!("{label}: {};", texts.join(","))
        });
        Ok(labels.collect())
    }

    fn of_json(json: &str) -> Result<String, String> {
        let overlay: PopulationOverlay =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        told(&overlay)
    }

    fn of_texts(texts: &[&str]) -> Result<String, String> {
        let texts: Result<Vec<LabelText>, _> = texts.iter().map(|text| text.parse()).collect();
        let overlay = PopulationOverlay::of_texts(texts?).map_err(|error| error.to_string())?;
        told(&overlay.unwrap())
    }

    #[test]
    fn texts_say_the_same_as_a_body() {
        for (texts, json) in [
            (&["version=v2"][..], r#"{"version": "v2"}"#),
            (&["version=v2"], r#"{"version": {"=": "v2"}}"#),
            (&["job!="], r#"{"job": null}"#),
            (&["job="], r#"{"job": ""}"#),
            (&["pod!=web-0"], r#"{"pod": {"!=": "web-0"}}"#),
            (
                &["pod=~web-.*", "pod!=web-0", "zone=a"],
                r#"{"pod": {"=~": "web-.*", "!=": "web-0"}, "zone": "a"}"#,
            ),
        ] {
            assert_eq!(of_texts(texts).unwrap(), of_json(json).unwrap(), "{json}");
        }
    }

    #[test]
    fn a_label_that_is_given_twice_is_refused() {
        for texts in [
            ["a=x", "a=y"],
            ["a=x", "a!="],
            ["a!=", "a=x"],
            ["a!=", "a!="],
        ] {
            let error = of_texts(&texts).unwrap_err();
            assert!(error.contains("label \"a\": it is given twice"), "{error}");
        }
        let error = of_json(r#"{"a": null, "a": "x"}"#).unwrap_err();
        assert!(error.contains("given twice"), "{error}");
    }

    #[test]
    fn what_was_sent_is_written_as_it_was() {
        let json = r#"{"job":null,"pod":{"=~":"web-.*"},"version":"v2"}"#;
        let overlay: PopulationOverlay = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&overlay).unwrap(), json);
    }

    #[test]
    fn a_template_that_was_not_filled_in_is_told_with_its_label() {
        for text in ["${parameters.version}", "a-{{args.hash}}", "{{ version }}"] {
            for operator in ["=", "=~"] {
                let error = of_texts(&[&format!("version{operator}{text}")]).unwrap_err();
                assert!(error.contains("label \"version\""), "{error}");
                assert!(error.contains("template that was not filled in"), "{error}");
            }
        }
        for text in ["a{3}", "a$", "{a}", "$a"] {
            assert!(of_texts(&[&format!("version={text}")]).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_text_that_begins_like_an_operator_is_refused_where_json_has_a_form_for_it() {
        for (value, cure) in [
            (
                "=~web-.*",
                r#"write {"=~": "web-.*"}, or {"=": "=~web-.*"}"#,
            ),
            ("~web-.*", r#"write {"=~": "web-.*"}, or {"=": "~web-.*"}"#),
            ("!~web-.*", r#"write {"!~": "web-.*"}"#),
            ("!=web-0", r#"write {"!=": "web-0"}"#),
            ("=web-0", r#"write {"=": "web-0"}"#),
        ] {
            let error = of_json(&serde_json::json!({ "pod": value }).to_string()).unwrap_err();
            assert!(error.contains("label \"pod\""), "{error}");
            assert!(error.contains(cure), "{error}");
        }
        assert!(of_json(r#"{"pod": {"=~": "~web"}, "zone": "!a"}"#).is_ok());
    }

    #[test]
    fn a_value_that_really_begins_like_an_operator_stays_one_on_its_way() {
        let json = r#"{"pod":{"=":"~web"}}"#;
        assert_eq!(of_json(json).unwrap(), r#"pod: pod="~web";"#);
        assert_eq!(of_texts(&[r#"pod="~web""#]), of_json(json));
        let overlay: PopulationOverlay = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&overlay).unwrap(), json);
    }

    #[test]
    fn what_is_no_regular_expression_is_told_with_its_place() {
        for error in [
            of_json(r#"{"pod": {"=~": "web-(.*"}}"#).unwrap_err(),
            of_texts(&["pod=~web-(.*"]).unwrap_err(),
        ] {
            assert_eq!(
                error,
                "\"web-(.*\" of the label pod is not a regular expression \
                 (unclosed group, at character 5): correct it, or use = for a plain value"
            );
        }
    }

    #[test]
    fn what_prometheus_would_refuse_is_refused() {
        for (json, expected) in [
            ("{}", "no label is named"),
            (r#"{"a-b": null}"#, "not a label name"),
            (r#"{"__name__": null}"#, "not a label name"),
            (r#"{"a": 3}"#, "expected a text, or an object"),
            (r#"{"a": {"=": null}}"#, "expected a string"),
            (r#"["a"]"#, "an object of labels"),
        ] {
            let error = of_json(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
