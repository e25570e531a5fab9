//! Asks the index of a source: by the same credentials, within the same deadline, with the same faults
//! as a query.

use std::sync::Arc;

use reqwest::Response;
use serde::Deserialize;
use serinus_analysis::data::FaultCode;
use tokio::time::{Instant, timeout_at};

use super::super::asking::Asking;
use super::super::decode::{DecodeError, PARTIAL_WARNING};
use super::super::room::{NoRoom, Share};
use super::super::{IndexQuestion, SourceFault};
use super::Source;
use super::tries::{Failure, Tries};

/// Most bytes of an answer: the names of some hundred thousand metrics. Who has more of them is not
/// helped by a list.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The body of an answer, as far as it matters.
#[derive(Debug, Deserialize)]
struct Body {
    status: String,
    #[serde(default)]
    data: Option<Vec<String>>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
    /// As `VictoriaMetrics` says that stores are missing.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

impl Source {
    /// Asks the index. The texts come sorted, each once.
    ///
    /// An answer that the source calls partial is a fault: what it lacks may be there.
    ///
    /// # Errors
    ///
    /// [`SourceFault`] within the time-out, whatever the source does.
    pub(crate) async fn ask_index(
        &self,
        question: &IndexQuestion,
        share: &Arc<Share>,
    ) -> Result<Vec<String>, SourceFault> {
        let counted = Asking::new(&self.name, &self.health, self.metrics.get());
        let asked = self.index_alone(question, share).await;
        let (texts, _bytes) = counted.ended(asked, |(_, bytes)| *bytes)?;
        Ok(texts)
    }

    async fn index_alone(
        &self,
        question: &IndexQuestion,
        share: &Arc<Share>,
    ) -> Result<(Vec<String>, u64), SourceFault> {
        let deadline = Instant::now() + self.timeout;
        let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return Err(self.faults().busy(self.timeout, self.max_concurrent));
        };
        let mut tries = Tries::until(deadline);
        loop {
            let trying = self.try_index(question, share);
            let Ok(tried) = timeout_at(deadline, trying).await else {
                return Err(tries.over(|| self.faults().slow(self.timeout)));
            };
            match tried {
                Ok(texts) => return Ok(texts),
                Err(failure) => tries.again_after(failure).await?,
            }
        }
    }

    async fn try_index(
        &self,
        question: &IndexQuestion,
        share: &Arc<Share>,
    ) -> Result<(Vec<String>, u64), Failure> {
        let seal = self.seal().await?;
        let response = self
            .transport
            .ask_index(question, &seal)
            .await
            .map_err(|error| self.not_sent(&error))?;
        self.note_time(&response);
        if response.status().is_success() {
            let reading = self.read_index(response, share);
            reading.await.map_err(Failure::lasting)
        } else {
            Err(self.read_failure(response).await)
        }
    }

    async fn read_index(
        &self,
        mut response: Response,
        share: &Arc<Share>,
    ) -> Result<(Vec<String>, u64), SourceFault> {
        let most = self.max_bytes.min(MOST_BYTES);
        let mut part = share.part();
        let mut body = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_broken_off) => return Err(self.faults().cut()),
            };
            let bytes = (body.len() + chunk.len()) as u64;
            if bytes > most {
                return Err(self.faults().too_large(most));
            }
            let no_room = |error: NoRoom| self.faults().no_room(error.most_bytes);
            part.grow_to(bytes).await.map_err(no_room)?;
            body.extend_from_slice(&chunk);
        }
        let texts = self.texts_of(&body)?;
        Ok((texts, body.len() as u64))
    }

    fn texts_of(&self, body: &[u8]) -> Result<Vec<String>, SourceFault> {
        let undecodable = |error| self.faults().undecodable(self.redact(error));
        let read: Body = serde_json::from_slice(body).map_err(|error| {
            undecodable(if error.is_eof() && !body.is_empty() {
                DecodeError::Cut
            } else {
                DecodeError::NotPrometheus(format!("its JSON is not as expected: {error}"))
            })
        })?;
        if read.status == "error" {
            return Err(undecodable(DecodeError::Refused {
                error_type: read.error_type,
                error: read.error,
            }));
        }
        let partial = read.is_partial.then(|| PARTIAL_WARNING.to_owned());
        if let Some(told) = read.warnings.into_iter().chain(partial).next() {
            return Err(SourceFault {
                code: FaultCode::PartialData,
                message: self.credentials.redact(told),
            });
        }
        let Some(mut texts) = read.data.filter(|_| read.status == "success") else {
            let what = "its index has no list of texts".to_owned();
            return Err(undecodable(DecodeError::NotPrometheus(what)));
        };
        texts.sort();
        texts.dedup();
        Ok(texts)
    }
}
