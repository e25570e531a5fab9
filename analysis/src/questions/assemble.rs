//! Answers to the data of a stage.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::data::{DataFault, FaultCode, Findings, History, MetricData, Purpose, StageData};
use crate::pipeline::{Exposure, MetricKind, Selection};
use crate::populations::{Mix, Seen, SeriesLabels};
use crate::query::Narrowing;
use crate::series::{
    self, Grid, Heartbeats, Members, PairedCounts, Populations, RateExposure, Sampling, Series,
};

use super::reading::{Read, Reading};
use super::{Answered, Form, ReadingKey, StageQuestions};

/// The text that reads one of the populations.
type PromqlOf = fn(&Populations<String>) -> &String;

/// Most characters of a query in a message: a reason has 300 in all.
const QUERY_CHARACTERS: usize = 140;

/// What was read for each key, or the fault of its answers.
pub(super) type Taken<'a> = BTreeMap<&'a ReadingKey, (&'a Reading, Result<Read<'a>, DataFault>)>;

/// Puts the answers together.
pub(super) fn assemble(plan: &StageQuestions, answers: &[Answered]) -> StageData {
    put_together(plan, take(plan, answers), plan.canary_percent)
}

/// Takes every reading out of the answers.
pub(super) fn take<'a>(plan: &'a StageQuestions, answers: &'a [Answered]) -> Taken<'a> {
    plan.readings
        .iter()
        .map(|(key, reading)| (key, (reading, reading.take(answers))))
        .collect()
}

/// Makes the data of a stage of what was read, of which the canary has `canary_percent` of the
/// traffic.
pub(super) fn put_together(
    plan: &StageQuestions,
    readings: Taken<'_>,
    canary_percent: f64,
) -> StageData {
    let parts = parts(plan, &readings);
    let mut data = StageData {
        grid: plan.grid,
        purpose: Purpose::Decide,
        starts_with_stage: true,
        canary_starts_ms: parts.heartbeats.canary.process_starts_ms(&plan.grid),
        metrics: BTreeMap::new(),
        source_warnings: BTreeMap::new(),
        source_remarks: BTreeMap::new(),
        history: History::default(),
        pods_before: BTreeMap::new(),
        gauges_before: BTreeMap::new(),
        settled_intervals: 0,
        error_budget: None,
        findings: Findings::default(),
    };
    let assembly = Assembly {
        // A past is always read so.
        summed: false,
        ..Assembly::new(plan, readings, &parts, canary_percent)
    };
    for (metric, kind) in &plan.metrics {
        if let Some(told) = assembly.told(kind, &parts.warnings) {
            data.source_warnings.insert(metric.clone(), told);
        }
        if let Some(remarks) = assembly.remarks(kind) {
            data.source_remarks.insert(metric.clone(), remarks);
        }
        let found = assembly
            .metric(metric, kind, true)
            .unwrap_or_else(MetricData::Fault);
        data.metrics.insert(metric.clone(), found.of_counters());
        if let Some(labels) = assembly.labels(metric, kind) {
            data.findings.labels.insert(metric.clone(), labels);
        }
    }
    data
}

/// What the heartbeats tell, and what is to be said about them.
pub(super) struct Parts {
    pub(super) heartbeats: Populations<Heartbeats>,
    pub(super) warnings: Vec<String>,
}

/// Reads the heartbeats among what was read, and when series were created.
pub(super) fn parts(plan: &StageQuestions, readings: &Taken<'_>) -> Parts {
    let of_nobody: &[Series] = &[];
    let unknown = || Heartbeats::of_targets_by(&plan.target_labels, of_nobody);
    let mut parts = Parts {
        heartbeats: Populations {
            control: unknown(),
            canary: unknown(),
        },
        warnings: Vec::new(),
    };
    // In the order of keys: the heartbeats first.
    for (key, (_, read)) in readings {
        match (key, read) {
            (ReadingKey::Heartbeats, Ok(read)) => {
                parts.heartbeats = heartbeats_of(plan, read);
                parts.warnings.extend(read.warnings.iter().cloned());
            }
            (ReadingKey::Created(_), Ok(read)) => {
                let Populations { control, canary } = parts.heartbeats;
                parts.heartbeats = Populations {
                    control: control.with_created(&read.series.control),
                    canary: canary.with_created(&read.series.canary),
                };
                parts.warnings.extend(read.warnings.iter().cloned());
            }
            (ReadingKey::Heartbeats | ReadingKey::Created(_), Err(fault)) => {
                let told = format!("the times of the scrapes are not known: {}", fault.message);
                parts.warnings.push(told);
            }
            _ => {}
        }
    }
    parts.warnings.sort_unstable();
    parts.warnings.dedup();
    parts
}

/// Reads the heartbeats; nothing where nobody asked for them, or the source did not tell.
pub(super) fn heartbeats(
    plan: &StageQuestions,
    answers: &[Answered],
) -> Option<Populations<Heartbeats>> {
    let reading = plan.readings.get(&ReadingKey::Heartbeats)?;
    let read = reading.take(answers).ok()?;
    Some(heartbeats_of(plan, &read))
}

fn heartbeats_of(plan: &StageQuestions, read: &Read<'_>) -> Populations<Heartbeats> {
    let series = Populations {
        control: read.series.control.as_slice(),
        canary: read.series.canary.as_slice(),
    };
    series.map(|series| Heartbeats::of_targets_by(&plan.target_labels, series))
}

/// The usual time between two scrapes: the shorter of both populations'.
pub(super) fn scrape_period_ms(heartbeats: Populations<&Heartbeats>) -> Option<i64> {
    [heartbeats.control, heartbeats.canary]
        .into_iter()
        .filter_map(Heartbeats::scrape_period_ms)
        .min()
}

/// The usual time between two samples of the counters that were read, where each sample was: of the series that has
/// most of them.
pub(super) fn sample_period_ms(plan: &StageQuestions, readings: &Taken<'_>) -> Option<i64> {
    if plan.form != Form::Samples {
        return None;
    }
    let counters = readings.iter().filter_map(|(key, (_, read))| match key {
        ReadingKey::Counter(_) | ReadingKey::Histogram(_) | ReadingKey::NativeHistogram(_) => {
            read.as_ref().ok()
        }
        ReadingKey::GaugeSamples(_) => read.as_ref().ok(),
        ReadingKey::Heartbeats | ReadingKey::Created(_) | ReadingKey::Gauge(_) => None,
    });
    let series = counters.flat_map(|read| read.series.control.iter().chain(&read.series.canary));
    let longest = series.max_by_key(|one| one.timestamps_ms.len())?;
    let times = longest.timestamps_ms.iter();
    let mut spacings: Vec<i64> = times
        .clone()
        .zip(times.skip(1))
        .map(|(one, next)| next - one)
        .collect();
    spacings.sort_unstable();
    spacings.get(spacings.len().saturating_sub(1) / 2).copied()
}

/// Everything that was read, ready to be counted.
pub(super) struct Assembly<'a> {
    grid: &'a Grid,
    sampling: Sampling,
    missed_scrapes: bool,
    summed: bool,
    form: Form,
    canary_percent: f64,
    readings: Taken<'a>,
    heartbeats: Populations<&'a Heartbeats>,
    limits: &'a BTreeMap<String, Vec<f64>>,
    telling: &'a BTreeMap<String, Narrowing>,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(
        plan: &'a StageQuestions,
        readings: Taken<'a>,
        parts: &'a Parts,
        canary_percent: f64,
    ) -> Self {
        let heartbeats = parts.heartbeats.as_ref();
        Self {
            grid: &plan.grid,
            sampling: plan.sampling(),
            missed_scrapes: match plan.form {
                Form::Samples => false,
                Form::Sums { step_ms } => scrape_period_ms(heartbeats)
                    .is_some_and(|period_ms| !series::sees_every_scrape(step_ms, period_ms)),
            },
            summed: plan.form != Form::Samples,
            form: plan.form,
            canary_percent,
            readings,
            heartbeats,
            limits: &plan.limits,
            telling: &plan.telling,
        }
    }

    /// What the source said about the answers of a metric, and what is to be said about the
    /// heartbeats it needs.
    pub(super) fn told(&self, kind: &MetricKind, of_heartbeats: &[String]) -> Option<String> {
        let mut warnings = self.warnings(kind);
        if !kind.is_gauge() {
            warnings.extend(of_heartbeats.iter().map(String::as_str));
        }
        (!warnings.is_empty()).then(|| warnings.join("; "))
    }

    /// What the source remarked on the queries of a metric.
    pub(super) fn remarks(&self, kind: &MetricKind) -> Option<String> {
        let remarks = self.each_once(kind, |read| &read.remarks);
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }

    /// What the labels of the series say of both populations. Sums do not tell their series apart.
    pub(super) fn seen(&self, metrics: &BTreeMap<String, MetricKind>) -> Seen {
        let mut seen = Seen::default();
        if self.summed {
            return seen;
        }
        let all: BTreeSet<ReadingKey> = metrics.values().filter_map(key_of_all).collect();
        for (key, (_, read)) in &self.readings {
            let is_counter = match key {
                ReadingKey::Heartbeats
                | ReadingKey::Created(_)
                | ReadingKey::Gauge(_)
                | ReadingKey::GaugeSamples(_) => false,
                ReadingKey::Counter(_)
                | ReadingKey::Histogram(_)
                | ReadingKey::NativeHistogram(_) => true,
            };
            if let (true, Ok(read)) = (is_counter, read) {
                let series = Populations {
                    control: read.series.control.as_slice(),
                    canary: read.series.canary.as_slice(),
                };
                seen.take_in(series, all.contains(*key));
            }
        }
        for (name, kind) in metrics {
            if let MetricKind::Proportion {
                events,
                total,
                strata: None,
            } = kind
                && let Some(events) = self.read(&ReadingKey::Counter(events.clone()))
                && let Some(total) = self.read(&ReadingKey::Counter(total.clone()))
            {
                seen.take_in_mix(name, Mix::of(events, total));
            }
        }
        seen
    }

    /// Which labels the series of a metric's total have, where its events are some of them.
    pub(super) fn labels(
        &self,
        name: &str,
        kind: &MetricKind,
    ) -> Option<Populations<SeriesLabels>> {
        let events = self.telling.get(name)?;
        let (_, read) = self.readings.get(&key_of_all(kind)?)?;
        let series = &read.as_ref().ok()?.series;
        Some(Populations {
            control: SeriesLabels::of(&series.control, events),
            canary: SeriesLabels::of(&series.canary, events),
        })
    }

    /// About how much each of several counters grew.
    fn members(&self, key: &ReadingKey) -> Populations<Vec<Option<f64>>> {
        let read = self
            .readings
            .get(key)
            .and_then(|(_, read)| read.as_ref().ok());
        read.map(|read| read.members.clone()).unwrap_or_default()
    }

    /// The series of both populations, where there are any.
    fn read(&self, key: &ReadingKey) -> Option<Populations<&[Cow<'a, Series>]>> {
        let (_, read) = self.readings.get(key)?;
        let read = read.as_ref().ok()?;
        Some(Populations {
            control: read.series.control.as_slice(),
            canary: read.series.canary.as_slice(),
        })
    }

    /// The data of a metric, also where the canary was not seen: then with the reason why it would
    /// not be enough alone. A fault of the answers stays one.
    pub(super) fn metric_or_none(
        &self,
        name: &str,
        kind: &MetricKind,
    ) -> (MetricData, Option<DataFault>) {
        let fault = match self.metric(name, kind, true) {
            Ok(data) => return (data, None),
            Err(fault) => fault,
        };
        match self.metric(name, kind, false) {
            Ok(data) => (data, Some(fault)),
            Err(fault) => (MetricData::Fault(fault), None),
        }
    }

    /// The data of a metric. `must_be_seen`: the canary must have series, and samples that are
    /// numbers.
    fn metric(
        &self,
        name: &str,
        kind: &MetricKind,
        must_be_seen: bool,
    ) -> Result<MetricData, DataFault> {
        if self.grid.intervals() == 0 {
            let seconds = self.grid.interval_ms() as f64 / 1_000.0;
            return Err(no_data(format!(
                "the window holds no whole interval of {seconds} s yet"
            )));
        }
        match kind {
            MetricKind::Proportion {
                events,
                total,
                strata,
            } => self.proportion(events, total, strata.as_deref(), must_be_seen),
            MetricKind::EventRate { events, per } => self.event_rate(events, *per, must_be_seen),
            MetricKind::Quantile {
                histogram,
                is_native,
                scale,
                ..
            } => {
                let key = super::histogram_key(histogram, *is_native);
                self.quantile(name, &key, (*is_native, *scale), must_be_seen)
            }
            MetricKind::Gauge {
                expression,
                load,
                pod_label,
            } => self.gauge(
                expression,
                (load.as_ref(), pod_label.as_deref()),
                must_be_seen,
            ),
            MetricKind::PerRequest { counter, total } => {
                let total = self.canary_seen(&ReadingKey::Counter(total.clone()), must_be_seen)?;
                let used = self.canary_seen(&ReadingKey::Counter(counter.clone()), must_be_seen)?;
                let on = (self.grid, self.sampling);
                Ok(MetricData::Gauge(series::per_request(
                    on,
                    used,
                    total,
                    self.heartbeats,
                )))
            }
        }
    }

    fn gauge(
        &self,
        expression: &Selection,
        (load, pod_label): (Option<&Selection>, Option<&str>),
        must_be_seen: bool,
    ) -> Result<MetricData, DataFault> {
        let key = super::gauge_key(expression, self.form);
        // Whether its values are numbers, and of whom, is for the judge to say.
        let values = self.canary_seen(&key, must_be_seen)?;
        let taken = match key {
            ReadingKey::GaugeSamples(_) => series::Taken::AsScraped,
            _ => series::Taken::AtTheEnds,
        };
        let mut gauge = series::gauge(self.grid, (taken, pod_label), values, self.heartbeats);
        if let Some(load) = load {
            gauge.loads = self.loads(load);
        }
        Ok(MetricData::Gauge(gauge))
    }

    fn quantile(
        &self,
        name: &str,
        key: &ReadingKey,
        (is_native, scale): (bool, Populations<f64>),
        must_be_seen: bool,
    ) -> Result<MetricData, DataFault> {
        let read = self.canary_seen(key, must_be_seen)?;
        let (grid, heartbeats) = (self.grid, self.heartbeats);
        let limits = self.limits.get(name).map(Vec::as_slice).unwrap_or_default();
        let mut counted = if is_native {
            // One that buckets of its own schema are read by: the file says no other.
            let scale = scale.canary;
            series::native_histogram(grid, self.sampling, read, heartbeats, scale, limits)
        } else {
            if must_be_seen {
                self.check_buckets(key, read.canary)?;
            }
            series::histogram(grid, self.sampling, read, heartbeats, scale, limits)
        };
        counted.quality.missed_scrapes = self.missed_scrapes;
        counted.quality.summed = self.summed;
        Ok(MetricData::Histogram(counted))
    }

    fn proportion(
        &self,
        events: &Selection,
        total: &Selection,
        strata: Option<&str>,
        must_be_seen: bool,
    ) -> Result<MetricData, DataFault> {
        let (of_total, of_events) = (
            ReadingKey::Counter(total.clone()),
            ReadingKey::Counter(events.clone()),
        );
        let total = self.canary_seen(&of_total, must_be_seen)?;
        let events = self.finite(&of_events, must_be_seen)?;
        let mut counts = series::proportion(
            self.grid,
            self.sampling,
            events,
            total,
            self.heartbeats,
            strata,
        );
        if let Some(label) = strata {
            self.check_strata(label, &counts, [total.control, total.canary])?;
        }
        counts.members = Members {
            events: self.members(&of_events),
            total: self.members(&of_total),
        };
        counts.quality.no_canary_event_series = is_empty(events.canary);
        counts.quality.no_event_series = is_empty(events.control) && is_empty(events.canary);
        counts.quality.missed_scrapes = self.missed_scrapes;
        counts.quality.summed = self.summed;
        Ok(MetricData::Counts(counts))
    }

    /// How many requests a pod serves, interval by interval; nothing where nobody tells.
    fn loads(&self, total: &Selection) -> Vec<Populations<Option<f64>>> {
        let Some(total) = self.read(&ReadingKey::Counter(total.clone())) else {
            return Vec::new();
        };
        let on = (self.grid, self.sampling);
        series::loads(on, total, self.heartbeats)
    }

    /// Checks that counts can be told apart by a label.
    fn check_strata(
        &self,
        label: &str,
        counts: &PairedCounts,
        total: [&[Cow<'_, Series>]; 2],
    ) -> Result<(), DataFault> {
        let all = [&counts.strata.control, &counts.strata.canary];
        let values: BTreeSet<&String> = all.iter().flat_map(|strata| &strata.names).collect();
        if values.is_empty() || values.iter().any(|value| !value.is_empty()) {
            return Ok(());
        }
        if self.summed {
            return Err(label_missing(format!(
                "there are too many series to tell them apart by {label}: the sums of targets do \
                 not have it; narrow the selectors, or allow more (max_series of the source)"
            )));
        }
        let labels: BTreeSet<&String> = total
            .into_iter()
            .flatten()
            .flat_map(|series| series.labels.keys())
            .filter(|label| *label != "__name__")
            .collect();
        let labels: Vec<&str> = labels.into_iter().map(String::as_str).collect();
        Err(label_missing(format!(
            "no series has the label {label}, which strata names; they have {}",
            labels.join(", ")
        )))
    }

    fn event_rate(
        &self,
        events: &Selection,
        per: Exposure,
        must_be_seen: bool,
    ) -> Result<MetricData, DataFault> {
        let key = ReadingKey::Counter(events.clone());
        let found = self.finite(&key, must_be_seen)?;
        // Events that only the control has had are events that exist: a canary that is scraped
        // has had none. Events that nobody has had may as well be a name that is wrong.
        let only_of_control = is_empty(found.canary) && !is_empty(found.control);
        let is_scraped = !self.heartbeats.canary.is_empty();
        if only_of_control && !is_scraped && must_be_seen {
            return Err(no_data(format!(
                "no series of the canary answers {}{}; nor does its process_start_time_seconds, which \
                 would show that it is scraped and has had none",
                self.shown(&key, |of| &of.canary),
                of_the_control(found.control)
            )));
        }
        if !only_of_control || !is_scraped {
            self.canary_seen(&key, must_be_seen)?;
        }
        let exposure = match per {
            Exposure::PodHours => RateExposure::PodHours,
            Exposure::TrafficShare => RateExposure::TrafficShare {
                canary_percent: self.canary_percent,
            },
        };
        let mut counts: PairedCounts =
            series::event_rate(self.grid, self.sampling, found, self.heartbeats, exposure);
        counts.quality.no_canary_event_series = is_empty(found.canary);
        counts.quality.missed_scrapes = self.missed_scrapes;
        counts.quality.summed = self.summed;
        Ok(MetricData::Counts(counts))
    }

    /// The series of both populations, of which the canary must have some.
    fn canary_seen(
        &self,
        key: &ReadingKey,
        must_be_seen: bool,
    ) -> Result<Populations<&[Cow<'a, Series>]>, DataFault> {
        let found = self.finite(key, must_be_seen)?;
        if must_be_seen && is_empty(found.canary) {
            let shown = self.shown(key, |of| &of.canary);
            return Err(no_data(match key {
                ReadingKey::NativeHistogram(_) => format!(
                    "no native histogram of the canary answers {shown}: Prometheus stores them \
                     only where that feature is on; leave out native to read classic buckets"
                ),
                _ => format!(
                    "no series of the canary answers {shown}{}",
                    of_the_control(found.control)
                ),
            }));
        }
        Ok(found)
    }

    /// Checks that what answers for a classic histogram are buckets.
    fn check_buckets(&self, key: &ReadingKey, canary: &[Cow<'_, Series>]) -> Result<(), DataFault> {
        if series::has_buckets(canary) {
            return Ok(());
        }
        Err(label_missing(format!(
            "no series has le or vmrange, so these are no buckets of a histogram: {}",
            self.shown(key, |of| &of.canary)
        )))
    }

    /// The series of both populations, where any sample of each is a number.
    fn finite(
        &self,
        key: &ReadingKey,
        must_be_seen: bool,
    ) -> Result<Populations<&[Cow<'a, Series>]>, DataFault> {
        let Some((_, read)) = self.readings.get(key) else {
            return Err(no_data("the query was not asked".to_owned()));
        };
        let read = read.as_ref().map_err(Clone::clone)?;
        let populations: [(&str, &[Cow<'_, Series>], PromqlOf); 2] = [
            ("canary", &read.series.canary, |of| &of.canary),
            ("control", &read.series.control, |of| &of.control),
        ];
        for (population, series, of) in populations {
            let mut values = series.iter().flat_map(|one| &one.values).peekable();
            let is_usable = |value: &f64| match key {
                // One series that is no number is left out of a mean.
                ReadingKey::Gauge(_) | ReadingKey::GaugeSamples(_) => true,
                _ => value.is_finite() && *value >= 0.0,
            };
            if must_be_seen && values.peek().is_some() && !values.any(is_usable) {
                return Err(DataFault {
                    code: FaultCode::NotFinite,
                    message: format!(
                        "every sample of the {population} is NaN, infinite or negative in {}",
                        self.shown(key, of)
                    ),
                });
            }
        }
        Ok(Populations {
            control: &read.series.control,
            canary: &read.series.canary,
        })
    }

    /// What the source said about the answers that a metric is made from.
    fn warnings(&self, kind: &MetricKind) -> Vec<&str> {
        // Those of the heartbeats are told beside.
        self.each_once(kind, |read| &read.warnings)
    }

    /// What was said about any answer that a metric is made from, but for the heartbeats, each once.
    fn each_once<'r>(
        &'r self,
        kind: &MetricKind,
        said: impl Fn(&'r Read<'a>) -> &'r [String],
    ) -> Vec<&'r str> {
        let mut texts = Vec::new();
        for key in super::reading_keys(kind, self.form) {
            if key != ReadingKey::Heartbeats
                && let Some((_, Ok(read))) = self.readings.get(&key)
            {
                for text in said(read) {
                    if !texts.contains(&text.as_str()) {
                        texts.push(text.as_str());
                    }
                }
            }
        }
        texts
    }

    /// The text that reads a population, shortened.
    fn shown(&self, key: &ReadingKey, of: fn(&Populations<String>) -> &String) -> String {
        self.readings
            .get(key)
            .map(|(reading, _)| shortened(of(&reading.promql)))
            .unwrap_or_default()
    }
}

/// The counter that every request of a metric's populations moves; nothing where it has none.
fn key_of_all(kind: &MetricKind) -> Option<ReadingKey> {
    match kind {
        MetricKind::Proportion { total, .. } | MetricKind::PerRequest { total, .. } => {
            Some(ReadingKey::Counter(total.clone()))
        }
        MetricKind::Quantile {
            histogram,
            is_native,
            ..
        } => Some(super::histogram_key(histogram, *is_native)),
        MetricKind::EventRate { .. } | MetricKind::Gauge { .. } => None,
    }
}

fn is_empty(series: &[Cow<'_, Series>]) -> bool {
    series.iter().all(|one| one.timestamps_ms.is_empty())
}

/// Whether the control has what the canary lacks: then it is the canary that is not there, and not the
/// metric.
fn of_the_control(series: &[Cow<'_, Series>]) -> &'static str {
    if is_empty(series) {
        ", nor does one of the control"
    } else {
        "; the control has some"
    }
}

fn label_missing(message: String) -> DataFault {
    DataFault {
        code: FaultCode::LabelMissing,
        message,
    }
}

fn no_data(message: String) -> DataFault {
    DataFault {
        code: FaultCode::NoData,
        message,
    }
}

/// A query as it is told: of a sum by target what is summed.
fn shortened(promql: &str) -> String {
    let summed = promql.strip_prefix("sum by (");
    let summed = summed.and_then(|rest| rest.split_once(") ("));
    let promql = summed
        .and_then(|(_, selector)| selector.strip_suffix(')'))
        .unwrap_or(promql);
    match promql.char_indices().nth(QUERY_CHARACTERS) {
        Some((end, _)) => format!("{}..", promql.get(..end).unwrap_or_default()),
        None => promql.to_owned(),
    }
}
