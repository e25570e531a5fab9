//! What is read for both populations: the text, where its answers are, how they are told apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::data::{DataFault, FaultCode};
use crate::query::Narrowing;
use crate::series::{Populations, Series, growth, is_native};

use super::{Annotation, Answered};

/// Said where native histograms came in place of plain samples.
const NATIVE_LEFT_OUT: &str = "native histograms among the answers were left out: a quantile \
     metric with native: true reads them";

/// Said where plain samples came in place of native histograms.
const SAMPLES_LEFT_OUT: &str = "plain samples among the answers were left out: native: true reads \
     native histograms only";

/// Series, and about how much those of each of several texts grew.
type Taken<'a> = (Vec<Cow<'a, Series>>, Vec<Option<f64>>);

/// Where the series of one text and population are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The text that reads them, for messages.
    pub(super) promql: String,
    /// The questions that hold them, one after the other in time.
    pub(super) questions: Range<usize>,
    /// The label and its value that tell this population from the other of the same query.
    pub(super) told_by: Option<(String, String)>,
    /// What tells these series from the others of the same questions, where they are some of them.
    pub(super) narrowing: Option<Narrowing>,
}

/// One thing that is read: a counter, the buckets of a histogram, a gauge, the heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    /// Where each population's series are, text by text; nothing for one that is not asked for.
    pub(super) sources: Populations<Vec<Source>>,
    /// The texts that read each population, for messages; empty for one that is not asked for.
    pub(super) promql: Populations<String>,
    /// Whether native histograms are read, and not plain samples.
    pub(super) is_native: bool,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Read<'a> {
    /// The series of each population.
    pub(super) series: Populations<Vec<Cow<'a, Series>>>,
    /// Of several texts, about how much the series of each grew; nothing for one without any.
    pub(super) members: Populations<Vec<Option<f64>>>,
    /// What the source said of answers that are not complete, each once.
    pub(super) warnings: Vec<String>,
    /// What it remarked on the queries, each once.
    pub(super) remarks: Vec<String>,
}

impl Reading {
    /// Where the series of both populations are.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.control.iter().chain(&self.sources.canary)
    }

    /// The questions that this reading needs.
    pub(super) fn questions(&self) -> impl Iterator<Item = Range<usize>> {
        self.sources().map(|source| source.questions.clone())
    }

    /// Whether all series of some text are asked for, and not only found among those of another.
    pub(super) fn is_whole(&self) -> bool {
        self.sources().any(|source| source.narrowing.is_none())
    }

    /// Takes the populations' series out of the answers.
    ///
    /// # Errors
    ///
    /// The first fault among the answers that are needed.
    pub(super) fn take<'a>(&self, answers: &'a [Answered]) -> Result<Read<'a>, DataFault> {
        let mut read = Read::default();
        for questions in self.questions() {
            for index in questions {
                let (series, told) = answer(answers, index)?;
                let left_out = series
                    .iter()
                    .any(|one| is_native(one) != self.is_native)
                    .then(|| self.left_out().to_owned())
                    .map(Annotation::Partial);
                for one in told.iter().chain(&left_out) {
                    let (texts, text) = match one {
                        Annotation::Partial(text) => (&mut read.warnings, text),
                        Annotation::Remark(text) => (&mut read.remarks, text),
                    };
                    if !texts.contains(text) {
                        texts.push(text.clone());
                    }
                }
            }
        }
        let (control, of_control) = self.series(&self.sources.control, answers)?;
        let (canary, of_canary) = self.series(&self.sources.canary, answers)?;
        read.series = Populations { control, canary };
        read.members = Populations {
            control: of_control,
            canary: of_canary,
        };
        Ok(read)
    }

    /// The series of one population, each once: one that several texts select is one of them. Of several
    /// texts also about how much those of each grew.
    fn series<'a>(
        &self,
        sources: &[Source],
        answers: &'a [Answered],
    ) -> Result<Taken<'a>, DataFault> {
        let is_ours = |one: &Series| is_native(one) == self.is_native;
        if let [source] = sources {
            return Ok((source.take(answers, is_ours)?, Vec::new()));
        }
        let mut series: Vec<Cow<'a, Series>> = Vec::new();
        let mut members = Vec::new();
        for source in sources {
            let found = source.take(answers, is_ours)?;
            let seen = found.iter().filter(|one| !one.values.is_empty());
            members.push(
                seen.map(|one| growth(&one.values))
                    .reduce(|sum, one| sum + one),
            );
            let known: BTreeSet<BTreeMap<String, String>> =
                series.iter().map(|one| one.labels.clone()).collect();
            series.extend(found.into_iter().filter(|one| !known.contains(&one.labels)));
        }
        Ok((series, members))
    }

    fn left_out(&self) -> &'static str {
        if self.is_native {
            SAMPLES_LEFT_OUT
        } else {
            NATIVE_LEFT_OUT
        }
    }
}

impl Source {
    /// Takes the series of this population that are wanted.
    fn take<'a>(
        &self,
        answers: &'a [Answered],
        is_wanted: impl Fn(&Series) -> bool,
    ) -> Result<Vec<Cow<'a, Series>>, DataFault> {
        let is_ours = |one: &&Series| {
            let told_by = self.told_by.as_ref();
            let narrowing = self.narrowing.as_ref();
            told_by.is_none_or(|(label, value)| one.labels.get(label) == Some(value))
                && narrowing.is_none_or(|narrowing| narrowing.keeps(&one.labels))
                && is_wanted(one)
        };
        if self.questions.len() == 1 {
            let (series, _) = answer(answers, self.questions.start)?;
            return Ok(series.iter().filter(is_ours).map(Cow::Borrowed).collect());
        }
        let mut joined = BTreeMap::<&BTreeMap<String, String>, Series>::new();
        for index in self.questions.clone() {
            let (series, _) = answer(answers, index)?;
            for one in series.iter().filter(is_ours) {
                let whole = joined.entry(&one.labels).or_default();
                // Pieces of a past overlap: what was seen already is not taken again.
                let seen_until_ms = whole.timestamps_ms.last().copied().unwrap_or(i64::MIN);
                let old = one
                    .timestamps_ms
                    .partition_point(|&at_ms| at_ms <= seen_until_ms);
                whole
                    .timestamps_ms
                    .extend_from_slice(one.timestamps_ms.get(old..).unwrap_or_default());
                whole
                    .values
                    .extend_from_slice(one.values.get(old..).unwrap_or_default());
            }
        }
        let named = joined.into_iter().map(|(labels, series)| {
            Cow::Owned(Series {
                labels: labels.clone(),
                ..series
            })
        });
        Ok(named.collect())
    }
}

/// The answer to a question, or its fault; one that is not there was not ready in time.
pub(super) fn answer(
    answers: &[Answered],
    index: usize,
) -> Result<&(Vec<Series>, Vec<Annotation>), DataFault> {
    match answers.get(index) {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(fault)) => Err(fault.clone()),
        None => Err(DataFault {
            code: FaultCode::StillCollecting,
            message: "the query was not answered yet".to_owned(),
        }),
    }
}
