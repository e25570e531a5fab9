//! A source that answers at once: it speaks as much of Prometheus's API as is needed to be asked
//! about any number of services, and computes every sample from a formula, so that what is measured
//! is the one who asks.

mod fleet;
mod query;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Form, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use self::fleet::Instants;
use self::query::Query;

/// As Prometheus: more instants of one range are refused.
const MOST_INSTANTS: i64 = 11_000;

/// What was asked so far.
#[derive(Debug, Default)]
struct Asked {
    queries: AtomicU64,
    answer_bytes: AtomicU64,
    different: Mutex<HashSet<u64>>,
}

/// The parameters of a question, from the body of a POST or the query string of a GET.
type Parameters = BTreeMap<String, String>;

/// Returns the source: its API, `/-/ready`, and `/asked`, which tells how much was asked.
pub fn instant_source() -> Router {
    Router::new()
        .route("/-/ready", get(async || "ready"))
        .route("/asked", get(asked))
        .route("/api/v1/query_range", get(range).post(range))
        .route("/api/v1/query", get(instant).post(instant))
        .with_state(Arc::<Asked>::default())
}

async fn asked(State(asked): State<Arc<Asked>>) -> Response {
    let different = asked
        .different
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len();
    Json(json!({
        "queries": asked.queries.load(Ordering::Relaxed),
        "answer_bytes": asked.answer_bytes.load(Ordering::Relaxed),
        "different": different,
    }))
    .into_response()
}

async fn range(State(asked): State<Arc<Asked>>, Form(form): Form<Parameters>) -> Response {
    let read = || {
        let query: Query = text(&form, "query")?.parse()?;
        let instants = Instants {
            start_ms: milliseconds(&form, "start")?,
            end_ms: milliseconds(&form, "end")?,
            step_ms: milliseconds(&form, "step")?,
        };
        if instants.step_ms <= 0 || query.range_ms.is_some() {
            return Err("a range query needs a step and an instant vector".to_owned());
        }
        if (instants.end_ms - instants.start_ms) / instants.step_ms >= MOST_INSTANTS {
            return Err("exceeded maximum resolution of 11,000 points per timeseries".to_owned());
        }
        Ok(fleet::range(&query, instants))
    };
    answer(&asked, &form, read())
}

async fn instant(State(asked): State<Arc<Asked>>, Form(form): Form<Parameters>) -> Response {
    let read = || {
        let query: Query = text(&form, "query")?.parse()?;
        Ok(fleet::instant(&query, milliseconds(&form, "time")?))
    };
    answer(&asked, &form, read())
}

fn answer(asked: &Asked, form: &Parameters, body: Result<String, String>) -> Response {
    let mut hasher = DefaultHasher::new();
    form.get("query").hash(&mut hasher);
    asked
        .different
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(hasher.finish());
    asked.queries.fetch_add(1, Ordering::Relaxed);
    match body {
        Ok(body) => {
            let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
            asked.answer_bytes.fetch_add(bytes, Ordering::Relaxed);
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(detail) => {
            let body = json!({"status": "error", "errorType": "bad_data", "error": detail});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

fn text<'a>(form: &'a Parameters, name: &str) -> Result<&'a str, String> {
    let value = form.get(name).map(String::as_str);
    value.ok_or_else(|| format!("the parameter {name:?} is missing"))
}

/// Decimal seconds as milliseconds.
fn milliseconds(form: &Parameters, name: &str) -> Result<i64, String> {
    let seconds: f64 = text(form, name)?
        .parse()
        .map_err(|_error| format!("{name:?} is no number of seconds"))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of floats ends at the bounds"
    )]
    let milliseconds = (seconds * 1e3).round() as i64;
    Ok(milliseconds)
}
