//! Looks at what a source has, to guess a pipeline to begin with.

use std::sync::Arc;

use serinus_analysis::guess::{
    Candidate, Choice, Counter, Fit, Found, Guess, NotFound, Present, candidates, choose, has_pair,
    likeliest, pods_question, services, traffic_question,
};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::query::QueryError;
use serinus_analysis::series::Series;

use crate::prometheus::{
    IndexOf, IndexQuestion, Question, QuestionTime, ReadingOf, Share, Source, SourceFault,
};
use crate::time::UnixMillis;

use super::{AnalysisError, Engine};

/// The time over which names and labels are looked for. What has a name and no traffic in the last hour
/// is told as such.
const LOOKED_FOR_MS: i64 = 3_600_000;

/// The label that holds a metric's name.
const METRIC_NAME: &str = "__name__";

/// The label that holds a bucket's bound.
const BUCKET_LABEL: &str = "le";

/// Why nothing can be guessed. The messages are for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GuessError {
    /// The source is not known.
    #[error(transparent)]
    Source(#[from] AnalysisError),
    /// The source does not answer as it should.
    #[error("cannot see what there is: {0}")]
    Fault(#[from] SourceFault),
    /// There is nothing to begin with.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// A question that cannot be written of what the source has.
    #[error(transparent)]
    Query(#[from] QueryError),
}

/// Asks one source about its present.
struct Asking<'a> {
    source: &'a Source,
    share: Arc<Share>,
    now_ms: i64,
}

impl Engine {
    /// Looks at what a source has, and guesses how a service is judged by it: the service of that name,
    /// or the one that [`choose`] takes.
    ///
    /// # Errors
    ///
    /// [`GuessError`] says what to change.
    pub(crate) async fn guess(
        &self,
        source: Option<&str>,
        service: Option<&str>,
    ) -> Result<Guess, GuessError> {
        let asking = Asking {
            source: self.source(source)?,
            share: self.reader().room.begin(ReadingOf::Past),
            now_ms: self.clock().now_ms(),
        };
        let names = asking
            .index(IndexOf::ValuesOf(METRIC_NAME.to_owned()), None)
            .await?;
        let mut found = Vec::new();
        for counter in asking.counters(&names).await? {
            let answer = asking.series(traffic_question(&counter)?).await?;
            found.push(Found {
                services: services(&counter, &answer),
                counter,
            });
        }
        let mut choice = choose(&found, service, &names)?;
        if let Some(question) = pods_question(&choice.counter, &choice.service) {
            let pods = asking.series(question?).await?;
            choice.service = choice.service.with_pods(&choice.counter, &pods);
        }
        let populations = choice.service.populations();
        let control = asking.present(&choice, &populations.control).await?;
        let canary = if choice.service.has_two_versions() {
            Some(asking.present(&choice, &populations.canary).await?)
        } else {
            None
        };
        let bounds = match choice.buckets()? {
            Some(selector) => {
                let of = IndexOf::ValuesOf(BUCKET_LABEL.to_owned());
                asking.index(of, Some(selector)).await?
            }
            None => Vec::new(),
        };
        let date = UnixMillis::new(asking.now_ms).date();
        Ok(Guess {
            largest_bound_seconds: choice.largest_bound_seconds(&bounds),
            choice,
            control,
            canary,
            read_from: asking.source.address(),
            source: source.map(str::to_owned),
            date: date.map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string()),
        })
    }
}

impl Asking<'_> {
    async fn counters(&self, names: &[String]) -> Result<Vec<Counter>, GuessError> {
        let mut counters: Vec<Counter> = Vec::new();
        for candidate in candidates(names) {
            let is_known = counters
                .iter()
                .any(|one| one.metric() == candidate.metric());
            if candidate.is_of_preset() || !is_known {
                counters.extend(self.counter(candidate).await?);
            }
        }
        Ok(likeliest(counters, has_pair))
    }

    async fn counter(&self, candidate: Candidate) -> Result<Option<Counter>, GuessError> {
        let mut labels = Vec::new();
        for selector in candidate.selectors()? {
            labels.push(self.index(IndexOf::LabelNames, Some(selector)).await?);
        }
        let selector = candidate.selectors()?.into_iter().next();
        Ok(match candidate.with_labels(&labels) {
            Fit::Counts(counter) => Some(counter),
            Fit::FailsBy(counter, label) => {
                let values = self
                    .index(IndexOf::ValuesOf(label.to_owned()), selector)
                    .await?;
                Some(counter.failing_by(label, &values))
            }
            Fit::Other => None,
        })
    }

    async fn present(&self, choice: &Choice, population: &Matchers) -> Result<Present, GuessError> {
        let questions = choice.questions(population)?;
        let scale = choice
            .counter
            .histogram
            .as_ref()
            .map_or(1.0, |histogram| histogram.scale);
        let per_second = self
            .value(Some(questions.requests))
            .await?
            .unwrap_or_default();
        let tells_errors = questions.errors.is_some();
        let errors = self.value(questions.errors).await?;
        Ok(Present {
            per_second,
            // Where nothing failed there is no series.
            errors_per_second: tells_errors.then(|| errors.unwrap_or_default()),
            latency_seconds: self
                .value(questions.latency)
                .await?
                .map(|value| value * scale),
            memory_bytes: self.value(questions.memory).await?,
        })
    }

    /// The one value of an answer, if it is a number.
    async fn value(&self, promql: Option<String>) -> Result<Option<f64>, GuessError> {
        let Some(promql) = promql else {
            return Ok(None);
        };
        let answer = self.series(promql).await?;
        let value = answer
            .first()
            .and_then(|series| series.values.last().copied());
        Ok(value.filter(|value| value.is_finite()))
    }

    async fn series(&self, promql: String) -> Result<Vec<Series>, GuessError> {
        let question = Question {
            promql,
            at: QuestionTime::Instant { at_ms: self.now_ms },
        };
        let answer = self.source.ask(&question, &self.share).await;
        Ok(answer?.series)
    }

    async fn index(
        &self,
        of: IndexOf,
        selector: Option<String>,
    ) -> Result<Vec<String>, GuessError> {
        let question = IndexQuestion {
            of,
            selector,
            start_ms: self.now_ms.saturating_sub(LOOKED_FOR_MS),
            end_ms: self.now_ms,
        };
        Ok(self.source.ask_index(&question, &self.share).await?)
    }
}
