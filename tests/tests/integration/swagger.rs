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

/// Marks the block of `POST /v1/analyses` so that selectors can name it.
const MARK_ANALYSES: &str = "
    const path = document.querySelector('.opblock-post [data-path=\"/v1/analyses\"]');
    if (!path) return false;
    path.closest('.opblock').id = 'analyses';
    return true;";

/// Whether the button for trying the operation out, or for leaving that state, is there.
const HAS_BUTTON: &str = "return !!document.querySelector('#analyses .try-out__btn')";

/// Whether the operation must first be made to be tried out.
const HAS_TRY_OUT: &str = "return !!document.querySelector('#analyses .try-out__btn:not(.cancel)')";

/// The status that the page shows for the request that it sent.
const SHOWN_STATUS: &str = "
    const cell = document.querySelector(
        '#analyses .live-responses-table tbody .response-col_status');
    return cell && cell.textContent.trim();";

/// The answer that the page shows.
const SHOWN_ANSWER: &str = "
    return document.querySelector('#analyses .live-responses-table .microlight').textContent;";

#[tokio::test]
async fn swagger_ui_lists_every_operation_and_tries_the_example_out() -> anyhow::Result<()> {
    let serinus = SerinusProcess::demo().await?;
    let document = serinus.get("/openapi.json").await?;
    let described = operations(&document.body);
    assert!(described.contains("POST /v1/analyses"), "{described:?}");

    let browser = Browser::start().await?;
    browser.open(&format!("{}/docs/", serinus.url())).await?;
    browser
        .wait_for("the page marks the operation", PAGE_BOUND, MARK_ANALYSES)
        .await?;
    let shown: BTreeSet<String> = serde_json::from_value(browser.execute(SHOWN_OPERATIONS).await?)?;
    assert_eq!(shown, described);

    browser
        .click("#analyses .opblock-summary-control", PAGE_BOUND)
        .await?;
    browser
        .wait_for("the operation is open", PAGE_BOUND, HAS_BUTTON)
        .await?;
    // The page may be set to start in this state; then the button is there to leave it.
    if browser.execute(HAS_TRY_OUT).await? == Value::Bool(true) {
        browser.click("#analyses .try-out__btn", PAGE_BOUND).await?;
    }
    browser.click("#analyses .execute", PAGE_BOUND).await?;
    let status = browser
        .wait_for("the answer is shown", PAGE_BOUND, SHOWN_STATUS)
        .await?;
    let answer = browser.execute(SHOWN_ANSWER).await?;
    assert_eq!(status, Value::from("200"), "{answer}");
    assert!(
        answer
            .as_str()
            .context("no answer")?
            .contains("\"verdict\""),
        "{answer}"
    );
    Ok(())
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
