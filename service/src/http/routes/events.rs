//! What happened to a rollout and why: as JSON, or as it happens.

#![expect(
    unused_qualifications,
    reason = "the macro that documents a query names it by its path"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as SentEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serinus_openapi::ProblemType;
use serinus_openapi::rollout::{Event, EventList};
use tokio::sync::watch;
use utoipa::IntoParams;

use super::caller::Holder;
use crate::access::{Principal, Scope};
use crate::http::no_store::no_store;
use crate::http::path::RolloutPath;
use crate::http::streams::StreamPlace;
use crate::http::{ApiError, App, problems};
use crate::rollouts::{Live, RolloutError, read_event};
use crate::store::MOST_EVENTS;

/// How long a stream waits before it looks in the store, whatever it was told: another process
/// may have written there.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What a stream needs, also after it began.
pub(super) const SCOPE: Scope = Scope::Read;

/// The last line of a stream whose token was taken out, or may not read any more.
const NO_LONGER_ALLOWED: &str = "the token that asked for this is no longer good for it";

/// How often a silent stream says that it is there: proxies close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only those after this sequence number.
    #[param(nullable = false, minimum = 0)]
    after: Option<i64>,
}

/// What happened to a rollout
///
/// Every decision with its time, stage, verdict, reason, evidence, cause and the digest of its
/// inputs, oldest first. With `Accept: text/event-stream` as server-sent events: what was, then
/// what comes, until the client leaves or its token is good for this no longer; `Last-Event-ID`
/// continues. Of one holder of a token, or of one address without, there are 16 streams at most.
#[utoipa::path(
    get,
    path = "/v1/rollouts/{id}/events",
    operation_id = "list_events",
    tag = "rollouts",
    params(
        RolloutPath,
        EventsQuery,
    ),
    responses(
        (status = 200, description = "The events", content(
            (EventList = "application/json"),
            (String = "text/event-stream"),
        )),
        problems::Parameters,
        problems::NoSuchRollout,
        problems::NotRead,
    )
)]
pub(super) async fn events(
    State(app): State<Arc<App>>,
    path: RolloutPath,
    holder: Holder,
    headers: HeaderMap,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let invalid = |detail: String| ApiError::new(ProblemType::InvalidRequest, detail);
    let Query(query) = query.map_err(|error| invalid(error.body_text()))?;
    let after = query.after.unwrap_or(0);
    if after < 0 {
        return Err(invalid(format!("after is {after}: give 0 or more")));
    }
    let live = path.find(&app).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wants_stream =
        text(header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/event-stream"));
    if wants_stream {
        let last = text("last-event-id").and_then(|id| id.parse().ok());
        let held = match app.streams().open(holder.payer) {
            Ok(held) => held,
            Err(no_stream) => return Ok(no_stream.into_response()),
        };
        let sent = sent_events(Place {
            changes: live.changes(),
            app,
            principal: holder.principal,
            _held: held,
            live,
            after: last.unwrap_or(after),
            waiting: Vec::new().into_iter(),
        });
        let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
        return Ok(no_store(Sse::new(sent).keep_alive(keep_alive)));
    }
    let events = read(&app, &live, after).await?;
    let last_sequence = events.last().map_or(after, |event| event.sequence);
    Ok(no_store(Json(EventList {
        events,
        last_sequence,
    })))
}

/// All events after a sequence number.
async fn read(app: &App, live: &Live, mut after: i64) -> Result<Vec<Event>, ApiError> {
    let mut events = Vec::new();
    loop {
        let page = app
            .rollouts()
            .store()
            .events(live.id, after, MOST_EVENTS)
            .await
            .map_err(RolloutError::from)?;
        let is_last = page.len() < MOST_EVENTS;
        for stored in &page {
            after = stored.sequence;
            match read_event(stored) {
                Ok(event) => events.push(event),
                Err(error) => {
                    tracing::error!(
                        rollout.id = %live.id, error = %error,
                        "event {} of rollout {} cannot be read: {error}", stored.sequence, live.id
                    );
                }
            }
        }
        if is_last {
            return Ok(events);
        }
    }
}

/// Where a stream is.
struct Place {
    app: Arc<App>,
    principal: Principal,
    /// Counted as long as the stream is.
    _held: StreamPlace,
    live: Arc<Live>,
    after: i64,
    waiting: std::vec::IntoIter<Event>,
    changes: watch::Receiver<u64>,
}

fn sent_events(place: Place) -> impl Stream<Item = Result<SentEvent, Infallible>> {
    stream::unfold(Some(place), |place| async move {
        let mut place = place?;
        loop {
            // Before each event: a client that reads slowly is sent many in a long time.
            let access = place.app.access();
            if !access.still_lets(&place.principal, SCOPE).await {
                let end = SentEvent::default().comment(NO_LONGER_ALLOWED);
                return Some((Ok(end), None));
            }
            if let Some(event) = place.waiting.next() {
                place.after = event.sequence;
                // A name with a line break cannot be sent: of a store that was tampered with.
                let name = event.kind.name().replace(['\r', '\n'], " ");
                let sent = SentEvent::default()
                    .id(event.sequence.to_string())
                    .event(name)
                    .json_data(&event)
                    .unwrap_or_default();
                return Some((Ok(sent), Some(place)));
            }
            // Nothing more will be sent: the client asks the next process.
            if place.app.is_draining() {
                return None;
            }
            // A store that fails now is asked again.
            if let Ok(events) = read(&place.app, &place.live, place.after).await
                && !events.is_empty()
            {
                place.waiting = events.into_iter();
                continue;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, place.changes.changed()).await;
        }
    })
}
