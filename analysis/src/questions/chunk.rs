//! A window is counted chunk by chunk: stretches of ten minutes that are fixed on the clock, each
//! from the samples of its own time and of the minutes before it. What a whole chunk counted never
//! changes, so it needs to be read once.
//!
//! The counts of a window are made of the same chunks whether they were read one by one as time
//! went on or all at once, so the verdict does not know how it was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::data::{DataFault, FaultCode, Findings, History, MetricData, Purpose, StageData};
use crate::pipeline::MetricKind;
use crate::populations::{Seen, SeriesLabels};
use crate::proof::is_finer_than_scrapes;
use crate::series::{
    Grid, PairedCounts, PairedGauge, PairedHistogram, Place, Populations, Series,
    distinct_process_starts,
};

use super::assemble::{self, Assembly};
use super::reading::Source;
use super::{
    Annotation, Answered, Form, LOOKBACK_SECONDS, ReadingKey, StageQuestions, samples_from_ms,
};

/// The length of a chunk, rounded down to whole intervals; at least one.
const CHUNK_MS: i64 = 600_000;

/// How long before a chunk it is counted from, and one interval more, so that a scrape that was missed
/// before the chunk is seen from both sides, and that who was there before is known.
const MARGIN_MS: i64 = 210_000;

/// One chunk of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The grid it is counted on: to its end or the window's, with the margin before it, but
    /// nothing before the window. What a process did before then was not in it.
    counted: Grid,
    /// The intervals of the window that are its own.
    own: Grid,
    is_whole: bool,
}

impl Chunk {
    /// Cuts a window into its chunks, in the order of time.
    pub fn of_window(window: &Grid) -> Vec<Self> {
        let interval_ms = window.interval_ms();
        let length = (CHUNK_MS / interval_ms).max(1);
        let length_ms = length.saturating_mul(interval_ms);
        let margin = MARGIN_MS / interval_ms + i64::from(MARGIN_MS % interval_ms != 0) + 1;
        let margin_ms = margin.saturating_mul(interval_ms);
        let mut chunks = Vec::new();
        let mut start_ms = window.start_ms();
        while start_ms < window.end_ms() {
            let begins_ms = start_ms.div_euclid(length_ms).saturating_mul(length_ms);
            let ends_ms = begins_ms.saturating_add(length_ms);
            let end_ms = ends_ms.min(window.end_ms());
            let from_ms = begins_ms.saturating_sub(margin_ms).max(window.start_ms());
            chunks.push(Self {
                counted: Grid::covering(from_ms, end_ms, interval_ms),
                own: Grid::covering(start_ms, end_ms, interval_ms),
                is_whole: end_ms == ends_ms,
            });
            start_ms = ends_ms;
        }
        chunks
    }

    /// The grid that its samples are read and counted on: the same for all windows that begin
    /// long enough before it.
    pub fn counted(&self) -> Grid {
        self.counted
    }

    /// Whether it ends with the chunk and not with the window: then nothing can be added to it.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Where it lies in its window.
    pub fn place(&self, window: &Grid) -> Place {
        let index = |until_ms: i64| {
            let intervals = (until_ms - window.start_ms()) / window.interval_ms();
            usize::try_from(intervals).unwrap_or(0)
        };
        Place {
            counted_from: index(self.counted.start_ms()),
            own: index(self.own.start_ms())..index(self.own.end_ms()),
        }
    }
}

/// What one chunk counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChunkData {
    metrics: BTreeMap<String, CountedMetric>,
    canary_starts_ms: Option<Vec<i64>>,
    source_warnings: BTreeMap<String, String>,
    source_remarks: BTreeMap<String, String>,
    /// What the labels of the series say of both populations.
    seen: Seen,
    /// By metric, which labels the series of its total have, where its events are some of them.
    labels: BTreeMap<String, Populations<SeriesLabels>>,
    /// The usual time between two scrapes.
    scrape_period_ms: Option<i64>,
    /// Series and samples of each question of the chunk's plan, in their order.
    answered: Vec<(usize, usize)>,
}

/// What one chunk counted of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct CountedMetric {
    /// The counts, or a fault of the answers.
    data: MetricData,
    /// Why there would be nothing to judge if the window were this chunk alone.
    unseen: Option<DataFault>,
}

impl StageQuestions {
    /// The part of the answers that a shorter plan, for one chunk, would have been given: samples
    /// of its time alone. Both plans are of the same stage, populations and step.
    pub fn cut(&self, answers: &[Answered], shorter: &Self) -> Vec<Answered> {
        let mut cut: Vec<Answered> = shorter
            .questions()
            .iter()
            .map(|_| Ok((Vec::new(), Vec::new())))
            .collect();
        let mut done = BTreeSet::new();
        for (key, reading) in &shorter.readings {
            let Some(whole) = self.readings.get(key) else {
                continue;
            };
            let (after_ms, until_ms) = shorter.time_of(key);
            for (short, long) in reading.sources().zip(whole.sources()) {
                // One question may answer for both populations, and for several readings.
                if done.insert(short.questions.start)
                    && let Some(slot) = cut.get_mut(short.questions.start)
                {
                    *slot = cut_out(answers, long, after_ms, until_ms);
                }
            }
        }
        cut
    }

    /// As [`StageQuestions::cut`], of answers that nobody needs after that: their samples are moved and
    /// not copied where one question holds all of them.
    pub fn cut_last(&self, mut answers: Vec<Answered>, shorter: &Self) -> Vec<Answered> {
        let mut moved = BTreeMap::new();
        for (key, reading) in &shorter.readings {
            let Some(whole) = self.readings.get(key) else {
                continue;
            };
            let time = shorter.time_of(key);
            for (short, long) in reading.sources().zip(whole.sources()) {
                if long.questions.len() == 1
                    && let Some(answer) = answers.get_mut(long.questions.start)
                    && answer.is_ok()
                    && !moved.contains_key(&short.questions.start)
                {
                    let taken = std::mem::replace(answer, Ok((Vec::new(), Vec::new())));
                    moved.insert(
                        short.questions.start,
                        taken.map(|taken| cut_down(taken, time)),
                    );
                }
            }
        }
        let mut cut = self.cut(&answers, shorter);
        for (index, answer) in moved {
            if let Some(slot) = cut.get_mut(index) {
                *slot = answer;
            }
        }
        cut
    }

    /// The time whose samples are read for a key: after the first, up to the second.
    fn time_of(&self, key: &ReadingKey) -> (i64, i64) {
        let grid = &self.grid;
        let after_ms = match (key, self.form) {
            // The value at the end of an interval.
            (ReadingKey::Gauge(_), _) => grid.start_ms(),
            (_, Form::Samples) => samples_from_ms(grid),
            (ReadingKey::Heartbeats, Form::Sums { .. }) => {
                grid.start_ms() - LOOKBACK_SECONDS * 1_000
            }
            // The first instant is what later ones are compared with.
            (_, Form::Sums { .. }) => grid.start_ms() - 1,
        };
        (after_ms, grid.end_ms())
    }

    /// Counts a chunk for which this plan was made.
    pub fn assemble_chunk(&self, answers: &[Answered]) -> ChunkData {
        let readings = assemble::take(self, answers);
        let parts = assemble::parts(self, &readings);
        let mut chunk = ChunkData {
            metrics: BTreeMap::new(),
            canary_starts_ms: parts.heartbeats.canary.process_starts_ms(&self.grid),
            source_warnings: BTreeMap::new(),
            source_remarks: BTreeMap::new(),
            seen: Seen::default(),
            labels: BTreeMap::new(),
            scrape_period_ms: assemble::scrape_period_ms(parts.heartbeats.as_ref())
                .or_else(|| assemble::sample_period_ms(self, &readings)),
            answered: answers.iter().map(sizes).collect(),
        };
        let assembly = Assembly::new(self, readings, &parts, self.canary_percent);
        for (metric, kind) in &self.metrics {
            if let Some(told) = assembly.told(kind, &parts.warnings) {
                chunk.source_warnings.insert(metric.clone(), told);
            }
            if let Some(remarks) = assembly.remarks(kind) {
                chunk.source_remarks.insert(metric.clone(), remarks);
            }
            if let Some(labels) = assembly.labels(metric, kind) {
                chunk.labels.insert(metric.clone(), labels);
            }
            let (data, unseen) = assembly.metric_or_none(metric, kind);
            chunk
                .metrics
                .insert(metric.clone(), CountedMetric { data, unseen });
        }
        chunk.seen = assembly.seen(&self.metrics);
        chunk
    }

    /// Puts the chunks of a window together, for which [`Chunk::of_window`] gave them in this
    /// order. This plan is one of the same stage and populations. The window is taken to start
    /// with the stage, as by [`StageQuestions::assemble`].
    ///
    /// A fault of the answers of one chunk is one of the whole window. That the canary has no
    /// series is one only if it has none in any chunk.
    pub fn join(&self, window: Grid, chunks: &[(Chunk, ChunkData)]) -> StageData {
        let places: Vec<Place> = chunks
            .iter()
            .map(|(chunk, _)| chunk.place(&window))
            .collect();
        let metrics = self.metrics.iter().map(|(name, kind)| {
            let counted = chunks.iter().map(|(_, data)| data.metrics.get(name));
            let data = join_metric(kind, &places, counted);
            let data = data.unwrap_or_else(MetricData::Fault);
            (name.clone(), data.of_counters())
        });
        let whole = chunks.iter().take_while(|(chunk, _)| chunk.is_whole);
        let settled = whole.map(|(chunk, _)| chunk.own.intervals()).sum();
        StageData {
            grid: window,
            purpose: Purpose::Decide,
            metrics: metrics.collect(),
            source_warnings: join_texts(chunks, |data| &data.source_warnings),
            source_remarks: join_texts(chunks, |data| &data.source_remarks),
            starts_with_stage: true,
            canary_starts_ms: join_starts(&window, chunks),
            history: History::default(),
            pods_before: BTreeMap::new(),
            gauges_before: BTreeMap::new(),
            settled_intervals: settled,
            error_budget: None,
            findings: join_findings(&window, chunks),
        }
    }
}

impl ChunkData {
    /// Whether all that was asked for it was answered, not partially, with something, and mostly with
    /// numbers: else it need not be what everybody else would count. A source that answers nothing or
    /// `NaN` for a while must not be believed for good; that one pod of many has `NaN` as long as it
    /// is idle is ordinary, and a remark on a query says nothing against its answer.
    pub fn is_settled(answers: &[Answered]) -> bool {
        let is_whole = |answer: &Answered| {
            answer.as_ref().is_ok_and(|(series, told)| {
                let values = || series.iter().flat_map(|one| &one.values);
                let numbers = values().filter(|value| value.is_finite()).count();
                let is_partial = told.iter().any(|one| one.partial().is_some());
                !is_partial && 2 * numbers >= values().count()
            })
        };
        let has_samples = |answer: &Answered| {
            answer
                .as_ref()
                .is_ok_and(|(series, _)| series.iter().any(|one| !one.values.is_empty()))
        };
        answers.iter().all(is_whole) && answers.iter().any(has_samples)
    }

    /// Series and samples that were counted for each question of the chunk's plan, in their order.
    pub fn answered(&self) -> &[(usize, usize)] {
        &self.answered
    }
}

fn sizes(answer: &Answered) -> (usize, usize) {
    let series = answer.as_ref().map(|(series, _)| series.as_slice());
    let series = series.unwrap_or_default();
    let samples = series.iter().map(|one| one.values.len()).sum();
    (series.len(), samples)
}

/// The samples of a source within a time, of all the questions that hold them.
fn cut_out(answers: &[Answered], source: &Source, after_ms: i64, until_ms: i64) -> Answered {
    let mut warnings = Vec::new();
    let mut found = BTreeMap::<&BTreeMap<String, String>, Series>::new();
    for index in source.questions.clone() {
        let (series, told) = super::reading::answer(answers, index)?;
        for warning in told {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        for one in series {
            // Pieces may have the instant between them in common.
            let told_ms = found
                .get(&one.labels)
                .and_then(|part| part.timestamps_ms.last());
            let after_ms = told_ms.map_or(after_ms, |told_ms| after_ms.max(*told_ms));
            let first = one.timestamps_ms.partition_point(|&at| at <= after_ms);
            let end = one.timestamps_ms.partition_point(|&at| at <= until_ms);
            let (Some(times_ms), Some(values)) = (
                one.timestamps_ms.get(first..end),
                one.values.get(first..end),
            ) else {
                continue;
            };
            if times_ms.is_empty() {
                continue;
            }
            let part = found.entry(&one.labels).or_insert_with(|| Series {
                labels: one.labels.clone(),
                ..Series::default()
            });
            part.timestamps_ms.extend_from_slice(times_ms);
            part.values.extend_from_slice(values);
        }
    }
    Ok((found.into_values().collect(), warnings))
}

/// What is left of an answer within a time.
fn cut_down(
    (mut series, told): (Vec<Series>, Vec<Annotation>),
    (after_ms, until_ms): (i64, i64),
) -> (Vec<Series>, Vec<Annotation>) {
    series.retain_mut(|one| {
        let first = one.timestamps_ms.partition_point(|&at| at <= after_ms);
        let end = one.timestamps_ms.partition_point(|&at| at <= until_ms);
        one.timestamps_ms.truncate(end);
        one.values.truncate(end);
        one.timestamps_ms.drain(..first.min(end));
        one.values.drain(..first.min(end));
        !one.timestamps_ms.is_empty()
    });
    let mut warnings = Vec::new();
    for warning in told {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    (series, warnings)
}

/// Puts together what the chunks counted of one metric.
fn join_metric<'a>(
    kind: &MetricKind,
    places: &[Place],
    counted: impl Iterator<Item = Option<&'a CountedMetric>>,
) -> Result<MetricData, DataFault> {
    let mut counts: Vec<(&Place, &PairedCounts)> = Vec::new();
    let mut histograms: Vec<(&Place, &PairedHistogram)> = Vec::new();
    let mut gauges: Vec<(&Place, &PairedGauge)> = Vec::new();
    let mut unseen = None;
    let mut is_seen = false;
    for (place, counted) in places.iter().zip(counted) {
        let Some(counted) = counted else {
            continue;
        };
        match &counted.data {
            MetricData::Counts(found) => counts.push((place, found)),
            MetricData::Histogram(found) => histograms.push((place, found)),
            MetricData::Gauge(found) => gauges.push((place, found)),
            MetricData::Fault(fault) => return Err(fault.clone()),
        }
        match &counted.unseen {
            Some(fault) => unseen = unseen.or_else(|| Some(fault.clone())),
            None => is_seen = true,
        }
    }
    if !is_seen {
        return Err(unseen.unwrap_or_else(|| DataFault {
            code: FaultCode::NoData,
            message: "nothing was read".to_owned(),
        }));
    }
    Ok(match kind {
        MetricKind::Quantile { is_native, .. } => {
            MetricData::Histogram(PairedHistogram::join(&histograms, *is_native))
        }
        MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            MetricData::Gauge(PairedGauge::join(&gauges))
        }
        MetricKind::Proportion { .. } | MetricKind::EventRate { .. } => {
            MetricData::Counts(PairedCounts::join(&counts))
        }
    })
}

/// What the source said beside the answers of any chunk, each once.
fn join_texts(
    chunks: &[(Chunk, ChunkData)],
    of: impl Fn(&ChunkData) -> &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::<String, Vec<&str>>::new();
    for (name, told) in chunks.iter().flat_map(|(_, data)| of(data)) {
        let known = joined.entry(name.clone()).or_default();
        if !known.contains(&told.as_str()) {
            known.push(told);
        }
    }
    let texts = joined.into_iter();
    texts.map(|(name, told)| (name, told.join("; "))).collect()
}

/// What the labels of all series say. Why a selector found nothing is looked up where the data is known.
fn join_findings(window: &Grid, chunks: &[(Chunk, ChunkData)]) -> Findings {
    let mut seen = Seen::default();
    let mut labels = BTreeMap::<String, Populations<SeriesLabels>>::new();
    for (_, data) in chunks {
        seen.absorb(&data.seen);
        for (metric, found) in &data.labels {
            let own = labels.entry(metric.clone()).or_default();
            own.control.absorb(&found.control);
            own.canary.absorb(&found.canary);
        }
    }
    Findings {
        selectors: BTreeMap::new(),
        overlap: seen.overlap().map(str::to_owned),
        differences: seen.differences(),
        mixes: seen.other_mixes(),
        labels,
        scraped_each_seconds: scraped_each_seconds(window, chunks),
    }
}

/// How often targets are scraped, in whole seconds, where that is less often than the grid has intervals.
fn scraped_each_seconds(window: &Grid, chunks: &[(Chunk, ChunkData)]) -> Option<u32> {
    let periods = chunks.iter().filter_map(|(_, data)| data.scrape_period_ms);
    let period_ms = periods.min()?;
    let (interval_seconds, scrape_seconds) = (
        window.interval_ms() as f64 / 1_000.0,
        period_ms as f64 / 1_000.0,
    );
    is_finer_than_scrapes(interval_seconds, scrape_seconds)
        .then(|| u32::try_from((period_ms + 500) / 1_000).unwrap_or(u32::MAX))
}

/// When the canary's processes started, as any chunk saw it.
fn join_starts(window: &Grid, chunks: &[(Chunk, ChunkData)]) -> Option<Vec<i64>> {
    let mut known = chunks
        .iter()
        .filter_map(|(_, data)| data.canary_starts_ms.as_ref())
        .peekable();
    known.peek()?;
    Some(distinct_process_starts(
        known.flatten().copied().collect(),
        window,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series {
            timestamps_ms: (0..).take(values.len()).collect(),
            values: values.to_vec(),
            ..Series::default()
        }
    }

    #[test]
    fn what_a_source_may_answer_otherwise_later_is_not_settled() {
        let answered = |values: &[f64]| Ok((vec![series(values)], Vec::new()));
        let nothing = || Ok((Vec::new(), Vec::new()));
        let text = || "a store is missing".to_owned();
        let partial = Ok((Vec::new(), vec![Annotation::Partial(text())]));
        let fault = Err(DataFault {
            code: FaultCode::SourceSlow,
            message: String::new(),
        });
        let whole = answered(&[1.0, 2.0]);
        // No series of the errors is what a faultless service has.
        assert!(ChunkData::is_settled(&[whole.clone(), nothing()]));
        assert!(!ChunkData::is_settled(&[nothing(), nothing()]));
        for wrong in [partial, fault, answered(&[1.0, f64::NAN, f64::NAN])] {
            assert!(!ChunkData::is_settled(&[whole.clone(), wrong]));
        }
        let remarked = Ok((Vec::new(), vec![Annotation::Remark(text())]));
        for right in [remarked, answered(&[1.0, f64::NAN])] {
            assert!(ChunkData::is_settled(&[whole.clone(), right]));
        }
    }
}
