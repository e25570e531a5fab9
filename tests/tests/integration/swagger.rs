//! Swagger UI in a real browser, on the demo.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use serinus_tests::{Browser, SerinusProcess};

/// How long the page may take for each step.
const PAGE_BOUND: Duration = Duration::from_secs(30);

/// The operations that the page shows, each as `METHOD path`. The page breaks long paths with
/// zero-width spaces.
const SHOWN_OPERATIONS: &str = "
    return Array.from(document.querySelectorAll('.opblock')).map(block => {
        const method = block.querySelector('.opblock-summary-method').textContent;
        const path = block.querySelector('[data-path]').getAttribute('data-path');
        return method + ' ' + path;
    });";

#[tokio::test]
async fn swagger_ui_lists_every_operation_and_tries_the_examples_out() -> anyhow::Result<()> {
    let serinus = SerinusProcess::demo().await?;
    let document = serinus.get("/openapi.json").await?;
    let described = operations(&document.body);
    assert!(described.contains("POST /v1/analyses"), "{described:?}");

    let browser = Browser::start().await?;
    browser.open(&format!("{}/docs/", serinus.url())).await?;
    let analysis = Operation::find(&browser, "analyses", "post", "/v1/analyses").await?;
    let shown: BTreeSet<String> = serde_json::from_value(browser.execute(SHOWN_OPERATIONS).await?)?;
    assert_eq!(shown, described);
    let answer = analysis.try_out().await?;
    assert!(answer.contains("\"verdict\""), "{answer}");

    // What the two rollouts of the demo left behind, without typing anything.
    let list = Operation::find(&browser, "list", "get", "/v1/rollouts").await?;
    let answer = list.try_out().await?;
    for expected in ["6d4f9.7", "promoted", "84cd6.4", "rolled_back"] {
        assert!(answer.contains(expected), "no {expected} in {answer}");
    }
    let path = "/v1/rollouts/{id}/events";
    let events = Operation::find(&browser, "events", "get", path).await?;
    let answer = events.try_out().await?;
    for expected in ["\"started\"", "\"stage_passed\"", "\"rolled_back\""] {
        assert!(answer.contains(expected), "no {expected} in {answer}");
    }
    assert!(answer.contains("error_rate < baseline * 1.1"), "{answer}");
    let path = "/v1/pipelines/{pipeline}/stages/{stage}/gate";
    for (name, method) in [("ask", "get"), ("post", "post")] {
        let gate = Operation::find(&browser, name, method, path).await?;
        let answer = gate.try_out().await?;
        assert!(answer.contains("\"key\": \"6d4f9.7\""), "{answer}");
        assert!(answer.contains("\"verdict\": \"promote\""), "{answer}");
    }
    Ok(())
}

/// An operation of the page, which its name tells from others.
struct Operation<'a> {
    browser: &'a Browser,
    name: &'static str,
}

impl<'a> Operation<'a> {
    /// Waits until the page shows the operation, and marks its block so that selectors can name
    /// it.
    async fn find(
        browser: &'a Browser,
        name: &'static str,
        method: &str,
        path: &str,
    ) -> anyhow::Result<Self> {
        let mark = format!(
            "const path = document.querySelector('.opblock-{method} [data-path=\"{path}\"]');
            if (!path) return false;
            path.closest('.opblock').id = '{name}';
            return true;"
        );
        browser
            .wait_for("the page marks the operation", PAGE_BOUND, &mark)
            .await?;
        Ok(Self { browser, name })
    }

    /// Executes the operation with its example, and returns the answer that the page shows.
    async fn try_out(&self) -> anyhow::Result<String> {
        let Self { browser, name } = self;
        let click = async |selector: &str| {
            let selector = format!("#{name} {selector}");
            browser.click(&selector, PAGE_BOUND).await
        };
        click(".opblock-summary-control").await?;
        let has_button = format!("return !!document.querySelector('#{name} .try-out__btn')");
        browser
            .wait_for("the operation is open", PAGE_BOUND, &has_button)
            .await?;
        // The page may be set to start in this state; then the button is there to leave it.
        let has_try_out =
            format!("return !!document.querySelector('#{name} .try-out__btn:not(.cancel)')");
        if browser.execute(&has_try_out).await? == Value::Bool(true) {
            click(".try-out__btn").await?;
        }
        click(".execute").await?;
        let cells = format!("#{name} .live-responses-table");
        let shown_status = format!(
            "const cell = document.querySelector('{cells} tbody .response-col_status');
            return cell && cell.textContent.trim();"
        );
        let status = browser
            .wait_for("the answer is shown", PAGE_BOUND, &shown_status)
            .await?;
        let shown_answer =
            format!("return document.querySelector('{cells} .microlight').textContent;");
        let answer = browser.execute(&shown_answer).await?;
        let answer = answer.as_str().context("no answer")?;
        assert_eq!(status, Value::from("200"), "{name}: {answer}");
        Ok(answer.to_owned())
    }
}

/// The operations of an OpenAPI document, each as `METHOD path`.
fn operations(document: &Value) -> BTreeSet<String> {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];
    let mut found = BTreeSet::new();
    let paths = document.pointer("/paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for method in METHODS {
            if item.get(method).is_some() {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}
