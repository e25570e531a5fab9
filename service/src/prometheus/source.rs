//! One source: asks a question within its deadline and its limits.

mod index;
mod told_time;
mod tries;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode};
use serinus_analysis::data::FaultCode;
use serinus_analysis::questions::Annotation;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::arriving::Arriving;
use super::asking::Asking;
use super::client::SendError;
use super::config::{SourceConfig, SourceConfigError, SourceUrl};
use super::credentials::{Credentials, Seal, TokenTrouble};
use super::decode::{DecodeError, decode};
use super::fault::Faults;
use super::health::Health;
use super::in_flight::InFlight;
use super::room::{NoRoom, Part, Share};
use super::transport::Transport;
use super::{Answer, Question, SourceFault};
use tries::{Failure, Tries};

use crate::aside::aside;
use crate::clock::SharedClock;
use crate::metrics::Metrics;

/// Share of the remaining time that the source is given for the query itself, so that its own
/// message arrives before we stop waiting.
const SERVER_SHARE: f64 = 0.9;

/// Most bytes read of an answer that is a failure.
const MAX_FAILURE_BYTES: u64 = 64 * 1024;

/// How long before the deadline one stops waiting for room, so that what is told is that, and not that
/// the source was slow.
const BEFORE_DEADLINE: Duration = Duration::from_millis(20);

/// A Prometheus that can be asked.
pub(crate) struct Source {
    name: String,
    url: SourceUrl,
    timeout: Duration,
    max_concurrent: usize,
    max_bytes: u64,
    max_series: usize,
    slots: Semaphore,
    credentials: Credentials,
    transport: Transport,
    in_flight: InFlight,
    metrics: OnceLock<Arc<Metrics>>,
    clock: OnceLock<SharedClock>,
    health: Health,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Source")
            .field("name", &self.name)
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .field("max_concurrent", &self.max_concurrent)
            .field("max_bytes", &self.max_bytes)
            .field("max_series", &self.max_series)
            .finish_non_exhaustive()
    }
}

/// Where one answer is read.
struct Place<'a, 's> {
    /// One of the queries that may run at the same time.
    slot: &'a mut Option<SemaphorePermit<'s>>,
    /// Tells those who wait for the same answer that it may take long.
    stuck: &'a CancellationToken,
    /// The memory that it takes.
    part: Part,
    deadline: Instant,
}

impl Source {
    /// Sets a source up. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`SourceConfigError`] if the configuration contradicts itself, or names a file that cannot
    /// be used.
    pub(crate) fn new(
        name: impl Into<String>,
        config: SourceConfig,
    ) -> Result<Self, SourceConfigError> {
        let name = name.into();
        let parts = config.check().and_then(|timeout| {
            let credentials = Credentials::new(&name, &config, timeout)?;
            let transport = Transport::new(&name, &config, timeout)?;
            Ok((timeout, credentials, transport))
        });
        let (timeout, credentials, transport) = match parts {
            Ok(parts) => parts,
            Err(detail) => return Err(SourceConfigError { name, detail }),
        };
        Ok(Self {
            name,
            url: config.url,
            timeout,
            max_concurrent: config.max_concurrent,
            max_bytes: config.max_bytes,
            max_series: config.max_series,
            slots: Semaphore::new(config.max_concurrent.min(Semaphore::MAX_PERMITS)),
            credentials,
            transport,
            in_flight: InFlight::default(),
            metrics: OnceLock::new(),
            clock: OnceLock::new(),
            health: Health::default(),
        })
    }

    /// The name under which it is configured.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, without user and password.
    pub(crate) fn address(&self) -> String {
        self.url.to_string()
    }

    /// Asks a question. Callers that ask the same at the same time share one query.
    ///
    /// # Errors
    ///
    /// [`SourceFault`] within the time-out, whatever the source does.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        share: &Arc<Share>,
    ) -> Result<Answer, SourceFault> {
        let deadline = Instant::now() + self.timeout;
        let asking = |stuck| {
            Box::pin(async move {
                let counted = Asking::new(&self.name, &self.health, self.metrics.get());
                let asked = self.ask_alone(question, deadline, share, &stuck).await;
                counted.ended(asked, |answer| answer.bytes)
            })
        };
        let answer = self.in_flight.ask(question, asking).await?;
        match Arc::try_unwrap(answer) {
            Ok(alone) => Ok(alone),
            Err(shared) => self.copied(shared, share).await,
        }
    }

    /// A copy of an answer that others asked for as well.
    async fn copied(&self, answer: Arc<Answer>, share: &Arc<Share>) -> Result<Answer, SourceFault> {
        let mut part = share.part();
        let deadline = Instant::now() + self.timeout;
        let growing = timeout_at(deadline, part.grow_to(answer.memory_bytes)).await;
        match growing {
            Ok(Ok(())) => part.keep(),
            Ok(Err(no_room)) => return Err(self.faults().no_room(no_room.most_bytes)),
            Err(_elapsed) => return Err(self.faults().waited(self.timeout)),
        }
        Ok(aside(move || Arc::unwrap_or_clone(answer)).await)
    }

    /// Counts the queries from now on. The first call counts.
    pub(super) fn measured_by(&self, metrics: &Arc<Metrics>) {
        let _ = self.metrics.set(Arc::clone(metrics));
    }

    fn faults(&self) -> Faults<'_> {
        Faults {
            source: &self.name,
            credentials_cure: self.credentials.cure(),
        }
    }

    async fn ask_alone(
        &self,
        question: &Question,
        deadline: Instant,
        share: &Arc<Share>,
        stuck: &CancellationToken,
    ) -> Result<Answer, SourceFault> {
        let Ok(Ok(slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return Err(self.faults().busy(self.timeout, self.max_concurrent));
        };
        let mut slot = Some(slot);
        let mut tries = Tries::until(deadline);
        loop {
            let mut place = Place {
                slot: &mut slot,
                stuck,
                part: share.part(),
                deadline,
            };
            let trying = self.try_once(question, &mut place);
            let Ok(tried) = timeout_at(deadline, trying).await else {
                return Err(tries.over(|| self.faults().slow(self.timeout)));
            };
            match tried {
                Ok(answer) => {
                    place.part.keep();
                    return Ok(answer);
                }
                Err(failure) => tries.again_after(failure).await?,
            }
        }
    }

    async fn try_once(
        &self,
        question: &Question,
        place: &mut Place<'_, '_>,
    ) -> Result<Answer, Failure> {
        let seal = self.seal().await?;
        let remaining = place.deadline.saturating_duration_since(Instant::now());
        let response = self
            .transport
            .post(question, remaining.mul_f64(SERVER_SHARE), &seal)
            .await
            .map_err(|error| self.not_sent(&error))?;
        self.note_time(&response);
        if response.status().is_success() {
            let reading = self.read_answer(response, place);
            reading.await.map_err(Failure::lasting)
        } else {
            Err(self.read_failure(response).await)
        }
    }

    /// What to send a query with now.
    async fn seal(&self) -> Result<Seal<'_>, Failure> {
        self.credentials.seal().await.map_err(|fault| Failure {
            may_be_retried: matches!(
                fault.trouble,
                TokenTrouble::Unreachable(_) | TokenTrouble::Failed(_)
            ),
            fault: self.faults().no_token(&fault),
        })
    }

    fn not_sent(&self, error: &SendError) -> Failure {
        if error.is_timeout {
            return Failure::lasting(self.faults().slow(self.timeout));
        }
        let fault = if error.is_cut {
            self.faults().cut()
        } else {
            self.faults().unavailable(&error.cause)
        };
        // A connection that was kept open may have been closed meanwhile.
        Failure {
            fault,
            may_be_retried: true,
        }
    }

    async fn read_answer(
        &self,
        mut response: Response,
        place: &mut Place<'_, '_>,
    ) -> Result<Answer, SourceFault> {
        let undecodable = |error| self.faults().undecodable(self.redact(error));
        let mut arriving = Arriving::new(self.max_series);
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_broken_off) => return Err(self.faults().cut()),
            };
            if arriving.body_bytes(chunk.len()) > self.max_bytes {
                return Err(self.faults().too_large(self.max_bytes));
            }
            self.make_room(place, arriving.memory_bytes(chunk.len()))
                .await?;
            if arriving.push(&chunk) {
                drop(chunk);
                arriving = arriving.read().await.map_err(undecodable)?;
                // There was room for the text. What it has become may be more, for a moment.
                place.part.settle(arriving.memory_bytes(0));
            }
        }
        let bytes = arriving.body_bytes(0);
        let (decoded, memory_bytes) = arriving.finish().await.map_err(undecodable)?;
        place.part.settle(memory_bytes);
        let redact = |text| self.credentials.redact(text);
        let partial = decoded.warnings.into_iter().map(redact);
        let remarks = decoded.infos.into_iter().map(redact);
        Ok(Answer {
            series: decoded.series,
            annotations: partial
                .map(Annotation::Partial)
                .chain(remarks.map(Annotation::Remark))
                .collect(),
            bytes,
            memory_bytes,
        })
    }

    /// Waits for room. Who waits does not keep others from asking the source, which has worked out its
    /// answer by then.
    async fn make_room(&self, place: &mut Place<'_, '_>, bytes: u64) -> Result<(), SourceFault> {
        let no_room = |error: NoRoom| self.faults().no_room(error.most_bytes);
        if place.part.try_grow_to(bytes).map_err(no_room)? {
            return Ok(());
        }
        *place.slot = None;
        place.stuck.cancel();
        let growing = place.part.grow_to(bytes);
        let until = place.deadline.checked_sub(BEFORE_DEADLINE);
        match timeout_at(until.unwrap_or(place.deadline), growing).await {
            Ok(grown) => grown.map_err(no_room),
            Err(_elapsed) => Err(self.faults().waited(self.timeout)),
        }
    }

    async fn read_failure(&self, mut response: Response) -> Failure {
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|location| response.url().join(location.to_str().ok()?).ok())
                .and_then(|url| url.host_str().map(str::to_owned));
            return Failure::lasting(self.faults().redirected(status, target.as_deref()));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.credentials.refused();
        }
        let mut body = Vec::new();
        // What can be read of it is enough, and a failure to read it is no news.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > MAX_FAILURE_BYTES {
                break;
            }
        }
        let text = self
            .credentials
            .redact(String::from_utf8_lossy(&body).into_owned());
        let error = match decode(text.as_bytes(), 0) {
            Err(error) => error,
            Ok(_) => DecodeError::NotPrometheus(String::new()),
        };
        let fault = self.faults().bad_status(status, error, &text);
        // A source that says that the query took too long has said its last word.
        let may_be_retried =
            matches!(status.as_u16(), 502..=504) && fault.code == FaultCode::SourceFailed;
        Failure {
            fault,
            may_be_retried,
        }
    }

    /// Blots credentials out of the texts that a source sent.
    fn redact(&self, error: DecodeError) -> DecodeError {
        match error {
            DecodeError::NotPrometheus(detail) => {
                DecodeError::NotPrometheus(self.credentials.redact(detail))
            }
            DecodeError::Refused { error_type, error } => DecodeError::Refused {
                error_type: self.credentials.redact(error_type),
                error: self.credentials.redact(error),
            },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
