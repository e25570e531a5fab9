//! The document, held against the code.

use std::collections::BTreeSet;

use serde_json::Value;
use serinus_openapi::examples;

use crate::http::document;

fn current() -> Value {
    serde_json::to_value(document(None)).unwrap()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

#[test]
fn the_document_that_is_checked_in_is_the_one_that_is_served() {
    let checked_in = include_str!("../../../../openapi/openapi.json");
    let checked_in: Value = serde_json::from_str(checked_in).unwrap();
    assert_eq!(
        checked_in,
        current(),
        "run: cargo run -p serinus -- openapi --write openapi/openapi.json"
    );
}

#[test]
fn every_operation_is_named_described_and_filed() {
    let document = current();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    let operations = operations(&document);
    assert_eq!(operations.len(), 25);
    for (name, operation) in operations {
        let text = |field: &str| operation[field].as_str().unwrap_or_default();
        assert!(!text("summary").is_empty(), "{name} has no summary");
        assert!(!text("description").is_empty(), "{name} has no description");
        assert!(ids.insert(text("operationId").to_owned()), "{name}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
    }
}

#[test]
fn every_operation_but_health_needs_exactly_one_scope() {
    let document = current();
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"]["scheme"], "bearer");
    assert_eq!(schemes["basic"]["scheme"], "basic");
    for (name, operation) in operations(&document) {
        let security = operation["security"].as_array().unwrap();
        if ["get /healthz", "get /readyz"].contains(&name.as_str()) {
            assert!(security.is_empty(), "{name}");
            continue;
        }
        let scope = security[0]["bearer"][0].as_str().unwrap();
        assert!(["read", "gate", "operate"].contains(&scope), "{name}");
        let expected = serde_json::json!([{"bearer": [scope]}, {"basic": [scope]}]);
        assert_eq!(operation["security"], expected, "{name}");
        for status in ["401", "403", "429"] {
            assert!(
                operation["responses"].get(status).is_some(),
                "{name} {status}"
            );
        }
    }
}

/// A parameter that says it is in the path is one of its template, and the other way round.
#[test]
fn every_parameter_is_where_it_says() {
    let document = current();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let parameters = operation["parameters"].as_array();
            for parameter in parameters.into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let is_in_template = path.contains(&format!("{{{name}}}"));
                let place = if is_in_template { "path" } else { "query" };
                assert_eq!(parameter["in"], place, "{name} of {path}");
            }
        }
    }
}

#[test]
fn what_a_path_names_is_in_the_path_and_all_else_in_the_query() {
    for (name, operation) in operations(&current()) {
        let Some(parameters) = operation["parameters"].as_array() else {
            continue;
        };
        for parameter in parameters {
            let is_in_path = name.contains(&format!("{{{}}}", parameter["name"].as_str().unwrap()));
            let place = if is_in_path { "path" } else { "query" };
            assert_eq!(parameter["in"], place, "{name}: {parameter}");
        }
    }
}

#[test]
fn every_example_of_a_rollout_is_one_of_the_demo() {
    let document = current();
    let mut count = 0;
    for (name, operation) in operations(&document) {
        let Some(parameters) = operation["parameters"].as_array() else {
            continue;
        };
        for parameter in parameters.iter().filter(|given| given["name"] == "id") {
            // What only an open rollout can do is tried on the one that is left open.
            let wants_open = name.ends_with("/advance") || name.ends_with("/override");
            let expected = if wants_open {
                examples::OPEN_ROLLOUT_ID
            } else {
                examples::ROLLOUT_ID
            };
            assert_eq!(parameter["example"], expected, "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

#[test]
fn every_error_is_a_problem_document() {
    for (name, operation) in operations(&current()) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let Some(content) = response["content"].as_object() else {
                assert_eq!(status, "204", "{name}");
                continue;
            };
            let is_error = status.starts_with('4') || status.starts_with('5');
            let is_readiness = name == "get /readyz";
            // To Flagger the status is the verdict: 409 is a hold, with the gate as its body.
            let is_verdict = name.starts_with("post /adapters/flagger/") && status == "409";
            if is_error && !is_readiness && !is_verdict {
                assert!(
                    content.contains_key("application/problem+json"),
                    "{name} {status}"
                );
            }
        }
    }
}

#[test]
fn every_field_is_described() {
    let document = current();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let is_text = schema["type"] == "string"
            || schema.get("oneOf").is_some()
            || schema.get("allOf").is_some();
        let Some(properties) = schema["properties"].as_object() else {
            assert!(
                is_text || schema["type"] == "number" || name.starts_with("Population"),
                "{name}"
            );
            continue;
        };
        for (field, property) in properties {
            let described = ["description", "$ref"]
                .iter()
                .any(|key| property.get(key).is_some())
                || property.get("oneOf").is_some();
            assert!(described, "{name}.{field}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn visit<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| visit(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
            _ => {}
        }
    }
    let document = current();
    let mut references = Vec::new();
    visit(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
