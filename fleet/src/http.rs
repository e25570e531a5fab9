//! The Prometheus HTTP API of the simulated fleet.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use promql_parser::parser::{Expr, VectorSelector};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::column::Column;
use super::fleet::Fleet;
use super::json;
use super::parameters::Parameters;
use super::promql::{self, Answer, QueryError};

/// How often the fleet catches up by itself, in real time: often enough that no query finds much
/// to do, seldom enough to cost nothing.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The version that the fleet answers with: the semantics are those of Prometheus 3.
const BUILD_INFO: &[u8] = br#"{"status":"success","data":{"version":"3.0.0+serinus-demo","revision":"","branch":"","buildUser":"","buildDate":"","goVersion":""}}"#;

/// An answer's status and body, or why there is none.
type Outcome = Result<Vec<u8>, QueryError>;

impl Fleet {
    /// Serves the Prometheus HTTP API on `listener` until `cancel` is cancelled.
    ///
    /// # Errors
    ///
    /// What the socket fails with.
    pub async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        cancel: CancellationToken,
    ) -> io::Result<()> {
        let catching_up = catch_up_now_and_then(Arc::clone(&self), cancel.clone());
        let serving = axum::serve(listener, router(self))
            .with_graceful_shutdown(cancel.cancelled_owned())
            .into_future();
        let (served, ()) = tokio::join!(serving, catching_up);
        served
    }
}

/// Returns the routes of the API.
pub(super) fn router(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/api/v1/query", get(query).post(query))
        .route("/api/v1/query_range", get(query_range).post(query_range))
        .route("/api/v1/labels", get(labels).post(labels))
        .route("/api/v1/label/{name}/values", get(label_values))
        .route(
            "/api/v1/status/buildinfo",
            get(|| async { answer(StatusCode::OK, BUILD_INFO.to_vec()) }),
        )
        .route(
            "/-/ready",
            get(|| async { "Prometheus Server is Ready.\n" }),
        )
        .with_state(fleet)
}

async fn catch_up_now_and_then(fleet: Arc<Fleet>, cancel: CancellationToken) {
    loop {
        let known = Arc::clone(&fleet);
        // A day of scrapes takes a while the first time; a task that was cancelled at shutdown
        // has nothing left to do.
        let _ = tokio::task::spawn_blocking(move || known.catch_up()).await;
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(CATCH_UP_INTERVAL) => {}
        }
    }
}

async fn query(State(fleet): State<Arc<Fleet>>, request: Request) -> Response {
    respond(fleet, request, |fleet, parameters| {
        let at_ms = parameters.instant_ms(fleet.now_ms())?;
        let expr = promql::parse(parameters.get("query"))?;
        let store = fleet.read();
        Ok(match promql::instant(store.columns(), &expr, at_ms)? {
            Answer::Value(value) => json::instant(&value, at_ms),
            Answer::Raw(series) => json::raw(&series),
        })
    })
    .await
}

async fn query_range(State(fleet): State<Arc<Fleet>>, request: Request) -> Response {
    respond(fleet, request, |fleet, parameters| {
        let steps = parameters.steps()?;
        let expr = promql::parse(parameters.get("query"))?;
        let value = promql::range(fleet.read().columns(), &expr, steps)?;
        Ok(json::range(&value, steps))
    })
    .await
}

async fn labels(State(fleet): State<Arc<Fleet>>, request: Request) -> Response {
    respond(fleet, request, |fleet, parameters| {
        let store = fleet.read();
        let chosen = chosen(store.columns(), parameters)?;
        let names: BTreeSet<&str> = chosen
            .into_iter()
            .flat_map(|column| column.labels.iter().map(|label| label.0))
            .collect();
        Ok(json::texts(names.into_iter()))
    })
    .await
}

async fn label_values(
    State(fleet): State<Arc<Fleet>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    respond(fleet, request, move |fleet, parameters| {
        let store = fleet.read();
        let chosen = chosen(store.columns(), parameters)?;
        let values: BTreeSet<&str> = chosen
            .into_iter()
            .map(|column| column.labels.get(&name))
            .filter(|value| !value.is_empty())
            .collect();
        Ok(json::texts(values.into_iter()))
    })
    .await
}

/// The series that the selectors in `match[]` name; all without any. `start` and `end` are not
/// looked at: Prometheus promises no more than that they may narrow the answer.
fn chosen<'a>(
    columns: &'a [Column],
    parameters: &Parameters,
) -> Result<Vec<&'a Column>, QueryError> {
    let selectors = parameters
        .all("match[]")
        .map(selector)
        .collect::<Result<Vec<_>, _>>()?;
    if selectors.is_empty() {
        return Ok(columns.iter().collect());
    }
    let mut chosen = Vec::new();
    for selector in &selectors {
        chosen.extend(promql::matching(columns, selector)?);
    }
    Ok(chosen)
}

fn selector(text: &str) -> Result<VectorSelector, QueryError> {
    match promql::parse(text)? {
        Expr::VectorSelector(selector) => Ok(selector),
        _ => Err(QueryError::BadData(format!(
            "invalid parameter \"match[]\": {text:?} is not a selector"
        ))),
    }
}

/// Reads the parameters, works on a thread that may block, and answers in Prometheus's words.
async fn respond(
    fleet: Arc<Fleet>,
    request: Request,
    work: impl FnOnce(&Fleet, &Parameters) -> Outcome + Send + 'static,
) -> Response {
    let outcome = match Parameters::read(request).await {
        Ok(parameters) => tokio::task::spawn_blocking(move || work(&fleet, &parameters)).await,
        Err(error) => Ok(Err(error)),
    };
    match outcome {
        Ok(Ok(body)) => answer(StatusCode::OK, body),
        Ok(Err(error)) => {
            let (status, kind) = match &error {
                QueryError::BadData(_) => (StatusCode::BAD_REQUEST, "bad_data"),
                QueryError::Execution(_) | QueryError::Unsupported(_) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "execution")
                }
            };
            answer(status, json::error(kind, &error.to_string()))
        }
        Err(_) => answer(
            StatusCode::INTERNAL_SERVER_ERROR,
            json::error("internal", "the query was not finished"),
        ),
    }
}

fn answer(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

#[cfg(test)]
mod tests;
