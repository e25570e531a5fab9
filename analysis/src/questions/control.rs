//! A plan that asks for the control alone, over a past, and splits its targets into two groups: one
//! that plays the canary, and the rest. What both do is the noise between pods of the same version.

use std::collections::BTreeMap;

use crate::data::{ControlSplit, DataFault, FaultCode, StageData};
use crate::matchers::Matchers;
use crate::pipeline::{Check, MetricKind, Pipeline};
use crate::query;
use crate::series::{Grid, NativeColumn, Populations, Series, growth, pod_name};

use super::assemble::{Taken, put_together, take};
use super::question::Questions;
use super::split::Splitter;
use super::{
    Answered, Asker, Form, QueryTexts, QuestionError, ReadingKey, StageQuestions, absolute_limits,
    histogram_key, measured, usable_step_ms,
};

/// How much of a past is asked for at once, so that no single query is heavy. Whole intervals.
const PIECE_MS: i64 = 2 * 3_600_000;

impl StageQuestions {
    /// Plans the questions about the control alone for some checks, over a past that is read in
    /// pieces of two hours (or the whole intervals in them), the newest ending with the grid. A
    /// shorter past with the same end has the same newest pieces.
    ///
    /// The readings are those of [`StageQuestions::with_texts`], without gauges: their series need not
    /// be those of targets, so nothing of theirs can be split ([`StageQuestions::of_control_gauges`] asks for
    /// them whole). The regions are added to the control's matchers. [`StageQuestions::assemble_split`] reads the
    /// answers.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::new`].
    pub fn of_control<'c>(
        pipeline: &Pipeline,
        checks: impl IntoIterator<Item = &'c Check>,
        control: &Matchers,
        regions: &[String],
        grid: Grid,
        step_ms: i64,
        texts: &mut QueryTexts,
    ) -> Result<Self, Vec<QuestionError>> {
        let counts: Vec<&Check> = checks
            .into_iter()
            .filter(|check| !check.measured.kind.is_gauge())
            .collect();
        Self::of_one_population(
            pipeline,
            &counts,
            (control, regions),
            (grid, step_ms),
            texts,
        )
    }

    /// Plans the questions about the control's gauges alone: of those checks that are of gauges, as
    /// [`StageQuestions::of_control`]. [`StageQuestions::assemble_whole`] reads the answers.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::new`].
    pub fn of_control_gauges<'c>(
        pipeline: &Pipeline,
        checks: impl IntoIterator<Item = &'c Check>,
        control: &Matchers,
        regions: &[String],
        grid: Grid,
        step_ms: i64,
        texts: &mut QueryTexts,
    ) -> Result<Self, Vec<QuestionError>> {
        let gauges: Vec<&Check> = checks
            .into_iter()
            .filter(|check| check.measured.kind.is_gauge())
            .collect();
        Self::of_one_population(
            pipeline,
            &gauges,
            (control, regions),
            (grid, step_ms),
            texts,
        )
    }

    fn of_one_population(
        pipeline: &Pipeline,
        checks: &[&Check],
        (control, regions): (&Matchers, &[String]),
        (grid, step_ms): (Grid, i64),
        texts: &mut QueryTexts,
    ) -> Result<Self, Vec<QuestionError>> {
        query::validate_matchers(control).map_err(|error| {
            let population = "control";
            vec![QuestionError::Matchers { population, error }]
        })?;
        let mut metrics = measured(checks.iter().copied());
        metrics.values_mut().for_each(without_strata);
        let step_ms = usable_step_ms(&grid, step_ms);
        let form = Form::Sums { step_ms };
        let mut plan = Self {
            grid,
            form,
            target_labels: pipeline.target_labels.clone(),
            canary_percent: 0.0,
            questions: Questions::default(),
            readings: BTreeMap::new(),
            metrics,
            telling: BTreeMap::new(),
            limits: absolute_limits(checks.iter().copied()),
        };
        if grid.intervals() > 0 {
            let mut matchers = control.clone();
            matchers.extend(query::region_matcher(&pipeline.region_label, regions));
            let whole_intervals = (PIECE_MS / grid.interval_ms()).max(1);
            let mut asker = Asker {
                texts,
                target_labels: &pipeline.target_labels,
                is_apart: false,
                populations: Populations {
                    control: matchers,
                    canary: Matchers::new(),
                },
                combined: None,
                asks: Populations {
                    control: true,
                    canary: false,
                },
                grid,
                form,
                piece_ms: Some(whole_intervals * grid.interval_ms()),
            };
            plan.ask(&mut asker)?;
        }
        Ok(plan)
    }

    /// Puts the answers of [`StageQuestions::of_control`] together, with some of the control's targets in
    /// the place of the canary.
    ///
    /// Targets are known by their label `pod`, else `instance`, and are ordered by a fixed hash of
    /// that name. The first of them play the canary, at least one and not all, so many that their
    /// part of the exposure is the nearest to `canary_share` (a fraction). The exposure is the
    /// growth of the counter of all requests; of a histogram's count, where there is no such
    /// counter; or the number of scrapes. A target that restarts stays in its group.
    ///
    /// A fault of one metric's answers is a [`crate::data::MetricData::Fault`] of that metric.
    ///
    /// # Errors
    ///
    /// [`DataFault`] when there are fewer than two targets with an exposure, or the source did not
    /// tell their exposure.
    pub fn assemble_split(
        &self,
        answers: &[Answered],
        canary_share: f64,
    ) -> Result<(StageData, ControlSplit), DataFault> {
        let mut taken = take(self, answers);
        let exposures = self.exposures(&taken)?;
        let splitter = splitter(&exposures, canary_share)?;
        for (_, read) in taken.values_mut() {
            if let Ok(read) = read {
                let whole = std::mem::take(&mut read.series.control);
                read.series = splitter.divide(whole);
            }
        }
        let split = splitter.split();
        let data = put_together(self, taken, split.canary_share * 100.0);
        Ok((data, split))
    }

    /// Puts the answers of [`StageQuestions::of_control`] together with all of the control in the place of
    /// both populations: what the whole service did.
    pub fn assemble_whole(&self, answers: &[Answered]) -> StageData {
        const HALF_PERCENT: f64 = 50.0;
        let mut taken = take(self, answers);
        for (_, read) in taken.values_mut() {
            if let Ok(read) = read {
                read.series.canary = read.series.control.clone();
            }
        }
        put_together(self, taken, HALF_PERCENT)
    }

    /// Returns the names of the targets that [`StageQuestions::assemble_split`] puts into each group, in the
    /// order of the alphabet.
    ///
    /// # Errors
    ///
    /// As [`StageQuestions::assemble_split`].
    pub fn split_targets(
        &self,
        answers: &[Answered],
        canary_share: f64,
    ) -> Result<Populations<Vec<String>>, DataFault> {
        let exposures = self.exposures(&take(self, answers))?;
        let splitter = splitter(&exposures, canary_share)?;
        let (canary, control) = exposures
            .into_keys()
            .partition(|name| splitter.is_canary(name));
        Ok(Populations { control, canary })
    }

    /// How much each target did.
    fn exposures(&self, taken: &Taken<'_>) -> Result<BTreeMap<String, f64>, DataFault> {
        let totals = self.metrics.values().find_map(|kind| match kind {
            MetricKind::Proportion { total, .. } => Some(ReadingKey::Counter(total.clone())),
            MetricKind::EventRate { .. }
            | MetricKind::Quantile { .. }
            | MetricKind::Gauge { .. }
            | MetricKind::PerRequest { .. } => None,
        });
        let histograms = || {
            self.metrics.values().find_map(|kind| match kind {
                MetricKind::Quantile {
                    histogram,
                    is_native,
                    ..
                } => Some(histogram_key(histogram, *is_native)),
                MetricKind::Proportion { .. }
                | MetricKind::EventRate { .. }
                | MetricKind::Gauge { .. }
                | MetricKind::PerRequest { .. } => None,
            })
        };
        let counter = totals.or_else(histograms);
        let key = counter.clone().unwrap_or(ReadingKey::Heartbeats);
        let Some((_, read)) = taken.get(&key) else {
            return Ok(BTreeMap::new());
        };
        let read = read.as_ref().map_err(Clone::clone)?;
        let mut exposures = BTreeMap::<String, f64>::new();
        for one in read.series.control.iter().filter(|one| is_of_all(one)) {
            let exposure = match &counter {
                Some(_) => growth(&one.values),
                None => one.values.len() as f64,
            };
            *exposures.entry(pod_name(one).to_owned()).or_default() += exposure;
        }
        Ok(exposures)
    }
}

/// Sums of targets have no other label: what strata name is read all together.
fn without_strata(kind: &mut MetricKind) {
    if let MetricKind::Proportion { strata, .. } = kind {
        *strata = None;
    }
}

fn splitter(exposures: &BTreeMap<String, f64>, canary_share: f64) -> Result<Splitter, DataFault> {
    Splitter::new(exposures, canary_share).ok_or_else(|| {
        let found = exposures.values().filter(|exposure| **exposure > 0.0);
        DataFault {
            code: FaultCode::NoControl,
            message: match found.count() {
                0 => "the control had no traffic".to_owned(),
                _ => "the control had traffic on one target only, and it takes two to compare"
                    .to_owned(),
            },
        }
    })
}

/// Whether a series counts all observations: a counter, the last bucket of a histogram, or the count
/// of a native one.
fn is_of_all(series: &Series) -> bool {
    match NativeColumn::of(series) {
        Some(NativeColumn::Count) => true,
        Some(NativeColumn::Bucket { .. }) => false,
        None => series
            .labels
            .get("le")
            .is_none_or(|bound| bound.trim().parse() == Ok(f64::INFINITY)),
    }
}
