//! How long an interval is, where a pipeline does not say: it follows the scrapes of the control.
//!
//! Source: docs/design/counts.md, "1. Grid".

use std::borrow::Cow;

use serinus_analysis::data::{DataFault, FaultCode};
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::selectors::{
    SETTLED_AFTER_SECONDS, interval_by_scrapes, samples_of_the_control, scrape_seconds_by_samples,
};
use serinus_analysis::series::Populations;
use tokio::time::timeout;

use super::Engine;
use super::kept::Kept;
use super::lookups::{KEPT_MS, LONGEST};
use crate::packed::Name;
use crate::prometheus::{Question, QuestionTime, ReadingOf, Source};

/// About how many seconds a scrape takes, as it was found out lately.
pub(super) type Scrapes = Kept<Option<f64>>;

impl Engine {
    /// A pipeline whose intervals are as long as scrapes of the control were before a moment, which is the start of
    /// what is judged. Where the file says how long they are, or the source does not know, it is as it was.
    ///
    /// # Errors
    ///
    /// A fault after which it is worth to ask again.
    pub(crate) async fn with_interval<'a>(
        &self,
        pipeline: &'a Pipeline,
        populations: Populations<&Matchers>,
        source: Option<&str>,
        at_ms: i64,
    ) -> Result<Cow<'a, Pipeline>, DataFault> {
        if pipeline.analysis.is_interval_given {
            return Ok(Cow::Borrowed(pipeline));
        }
        let asking = self.scrape_seconds(pipeline, populations, source, at_ms);
        let Some(scrape_seconds) = asking.await? else {
            return Ok(Cow::Borrowed(pipeline));
        };
        let mut settled = pipeline.clone();
        settled.analysis.interval_seconds = interval_by_scrapes(scrape_seconds);
        Ok(Cow::Owned(settled))
    }

    /// About how many seconds a scrape of the control took before a moment, where the source knows.
    ///
    /// # Errors
    ///
    /// As [`Self::with_interval`].
    pub(crate) async fn scrape_seconds(
        &self,
        pipeline: &Pipeline,
        populations: Populations<&Matchers>,
        source: Option<&str>,
        at_ms: i64,
    ) -> Result<Option<f64>, DataFault> {
        let name = source
            .or(pipeline.sources.populations.control.as_deref())
            .or(pipeline.sources.default.as_deref());
        let (Some(promql), Ok(source)) = (
            samples_of_the_control(pipeline, populations),
            self.source(name),
        ) else {
            return Ok(None);
        };
        let at_ms = at_ms.div_euclid(KEPT_MS) * KEPT_MS - SETTLED_AFTER_SECONDS * 1_000;
        let kept = self.scrapes.of(Name::of(&(source.name(), &promql, at_ms)));
        let asking = kept.get_or_try_init(|| self.ask_for_scrapes(source, promql, at_ms));
        asking.await.copied()
    }

    async fn ask_for_scrapes(
        &self,
        source: &Source,
        promql: String,
        at_ms: i64,
    ) -> Result<Option<f64>, DataFault> {
        let question = Question {
            promql,
            at: QuestionTime::Instant { at_ms },
        };
        let share = self.reader.room.begin(ReadingOf::Stage);
        let Ok(asked) = timeout(LONGEST, source.ask(&question, &share)).await else {
            return Err(DataFault {
                code: FaultCode::StillCollecting,
                message: format!(
                    "how often the control is scraped was not answered within {} s",
                    LONGEST.as_secs()
                ),
            });
        };
        match asked.map_err(DataFault::from) {
            Ok(answer) => {
                let newest = answer.series.first().and_then(|one| one.values.last());
                Ok(newest.copied().and_then(scrape_seconds_by_samples))
            }
            Err(fault) if fault.code.is_transient() => Err(fault),
            // It would be refused again.
            Err(_) => Ok(None),
        }
    }
}
