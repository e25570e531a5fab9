//! Every example of the OpenAPI document, as "Try it out" sends it, against the demo as it is
//! shipped.

#![expect(
    clippy::indexing_slicing,
    reason = "a document without what is looked for fails the test"
)]

use anyhow::Context;
use reqwest::Method;
use serde_json::Value;
use serinus_tests::SerinusProcess;

/// One call that Swagger UI makes when nothing is typed.
#[derive(Debug)]
struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Body>,
}

#[derive(Debug, Clone)]
struct Body {
    content_type: String,
    text: String,
}

#[tokio::test]
async fn every_example_of_the_document_runs_on_the_demo() -> anyhow::Result<()> {
    let demo = SerinusProcess::demo().await?;
    let open = rollout_left_open(&demo).await?;
    let document = demo.get("/openapi.json").await?.body;
    let calls = calls(&document)?;
    assert!(calls.len() >= 29, "{} calls", calls.len());
    let mut refused = Vec::new();
    for call in &calls {
        let (status, answer) = send(&demo, call).await?;
        // To Flagger 409 is a verdict and no mistake: stay, with the gate as the body.
        let is_verdict =
            status == 409 && call.path.starts_with("/adapters/") && answer.contains("\"verdict\"");
        if !(200..300).contains(&status) && !is_verdict {
            refused.push(format!("{} {}: {status} {answer}", call.method, call.path));
        }
    }
    assert!(refused.is_empty(), "of {}: {refused:#?}", calls.len());

    // Advance and override were about the rollout that was left open.
    let after = demo.get(&open).await?;
    assert_eq!(after.text("/stage"), "stage_4.3", "{after:?}");
    assert_eq!(after.text("/verdict"), "promote", "{after:?}");
    assert_eq!(after.text("/reason_code"), "override", "{after:?}");
    Ok(())
}

/// The path of the rollout that the demo leaves open, which it names on the screen.
async fn rollout_left_open(demo: &SerinusProcess) -> anyhow::Result<String> {
    let log = demo.log();
    let (_, told) = log.split_once("\n  id ").context("no id is told")?;
    let id = told.split_whitespace().next().context("no id is told")?;
    let path = format!("/v1/rollouts/{id}");
    let rollout = demo.get(&path).await?;
    assert_eq!(rollout.text("/state"), "open", "{rollout:?}");
    assert_eq!(rollout.text("/stage"), "stage_4.2", "{rollout:?}");
    let key = format!("key {},", rollout.text("/key"));
    assert!(log.contains(&key), "no {key} in {log}");
    Ok(path)
}

async fn send(demo: &SerinusProcess, call: &Call) -> anyhow::Result<(u16, String)> {
    let mut request = demo
        .request(call.method.clone(), &call.path)
        .query(&call.query);
    if let Some(body) = &call.body {
        let (content_type, text) = (&body.content_type, &body.text);
        request = request
            .header("content-type", content_type)
            .body(text.clone());
    }
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// The calls of all operations, one for each example of a body.
fn calls(document: &Value) -> anyhow::Result<Vec<Call>> {
    let mut calls = Vec::new();
    let paths = document["paths"].as_object().context("no paths")?;
    for (path, item) in paths {
        for (method, operation) in item.as_object().context("no operations")? {
            let method: Method = method.to_uppercase().parse()?;
            let (path, query) = filled_in(path, operation)?;
            let bodies = bodies(operation);
            let bodies = if bodies.is_empty() {
                vec![None]
            } else {
                bodies.into_iter().map(Some).collect()
            };
            calls.extend(bodies.into_iter().map(|body| Call {
                method: method.clone(),
                path: path.clone(),
                query: query.clone(),
                body,
            }));
        }
    }
    Ok(calls)
}

/// The path and the query with the examples of the parameters; what is not required and has none is
/// left out.
fn filled_in(path: &str, operation: &Value) -> anyhow::Result<(String, Vec<(String, String)>)> {
    let mut path = path.to_owned();
    let mut query = Vec::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().context("no name")?;
        let Some(example) = parameter["example"].as_str() else {
            let is_required = parameter["required"] == true;
            anyhow::ensure!(!is_required, "{path}: {name} has no example");
            continue;
        };
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), example);
        } else {
            query.push((name.to_owned(), example.to_owned()));
        }
    }
    Ok((path, query))
}

fn bodies(operation: &Value) -> Vec<Body> {
    let content = operation["requestBody"]["content"].as_object();
    let mut bodies = Vec::new();
    for (content_type, media) in content.into_iter().flatten() {
        let named = media["examples"].as_object();
        let named = named.into_iter().flatten().map(|(_, one)| &one["value"]);
        for example in media.get("example").into_iter().chain(named) {
            bodies.push(Body {
                content_type: content_type.clone(),
                // A text is shown as it is, all else as JSON.
                text: example
                    .as_str()
                    .map_or_else(|| example.to_string(), str::to_owned),
            });
        }
    }
    bodies
}
