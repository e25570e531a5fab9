//! Reads what the whole service has failed over the window of its error budget.

use std::collections::BTreeSet;
use std::sync::Arc;

use serinus_analysis::data::{BudgetData, DataFault, FaultCode};
use serinus_analysis::pipeline::{
    Better, ErrorBudget, Metric, MetricKind, Pipeline, Selection, Stage,
};
use serinus_analysis::query::{QueryError, counter_increase, region_matcher};
use serinus_analysis::questions::{Annotation, Answered, MetricQuestion, QuestionTime};
use serinus_analysis::series::{Grid, Populations};

use crate::prometheus::{Share, Source};

use super::reading::ask_all;
use super::{AnalysisError, QueryRecord};

/// Reads the error budget at the end of the grid, and tells by which queries. Nothing when the
/// pipeline has none. What the source does wrong is a fault in the data.
///
/// # Errors
///
/// [`AnalysisError`] when its queries cannot be written.
pub(super) async fn read_error_budget(
    (source, pipeline, stage): (&Arc<Source>, &Pipeline, &Stage),
    grid: Grid,
    share: &Arc<Share>,
) -> Result<Option<(BudgetData, Vec<QueryRecord>)>, AnalysisError> {
    let Some(budget) = &pipeline.error_budget else {
        return Ok(None);
    };
    let metric = pipeline.metrics.get(&budget.metric);
    let Some((metric, [events, total])) = metric.and_then(counters) else {
        return Err(AnalysisError::Populations(format!(
            "the error budget needs a metric with `errors` (or `events`) and `total`, and {:?} has \
             none",
            budget.metric
        )));
    };
    if grid.intervals() == 0 {
        let fault = no_data("no whole interval is over yet".to_owned());
        return Ok(Some((BudgetData::Fault(fault), Vec::new())));
    }
    let ask = |selector: &str| question(budget, pipeline, stage, selector, grid);
    // Of both populations together: the texts of the old version and of the new one.
    let of_events: Vec<_> = events.every().map(&ask).collect::<Result<_, _>>()?;
    let of_total: Vec<_> = total.every().map(&ask).collect::<Result<_, _>>()?;
    let questions = [of_events.as_slice(), of_total.as_slice()].concat();
    let answers = ask_all(Populations::same(source), &questions, share).await;
    let records = questions.iter().zip(&answers).map(record).collect();
    let (of_events, of_total) = answers.split_at(of_events.len().min(answers.len()));
    let data = counted(metric, of_events, of_total).unwrap_or_else(BudgetData::Fault);
    Ok(Some((data, records)))
}

/// The selectors of the events and of all requests.
fn counters(metric: &Metric) -> Option<(&Metric, [&Selection; 2])> {
    match &metric.kind {
        MetricKind::Proportion { events, total, .. } => Some((metric, [events, total])),
        MetricKind::EventRate { .. }
        | MetricKind::Quantile { .. }
        | MetricKind::Gauge { .. }
        | MetricKind::PerRequest { .. } => None,
    }
}

fn question(
    budget: &ErrorBudget,
    pipeline: &Pipeline,
    stage: &Stage,
    selector: &str,
    grid: Grid,
) -> Result<MetricQuestion, AnalysisError> {
    let mut matchers = budget.selector.clone();
    matchers.extend(region_matcher(&pipeline.region_label, &stage.regions));
    let promql = counter_increase(selector, &matchers, i64::from(budget.window_seconds))
        .map_err(|error| unwritten(&error))?;
    Ok(MetricQuestion {
        metrics: BTreeSet::from([budget.metric.clone()]),
        promql,
        time: QuestionTime::Instant {
            at_ms: grid.end_ms(),
        },
        of: None,
    })
}

fn unwritten(error: &QueryError) -> AnalysisError {
    AnalysisError::Populations(format!("cannot ask for the error budget: {error}"))
}

fn record((question, answer): (&MetricQuestion, &Answered)) -> QueryRecord {
    let series = answer.as_ref().map_or(&[][..], |(series, _)| series);
    QueryRecord {
        metric: "error budget".to_owned(),
        promql: question.promql.clone(),
        series: series.len(),
        samples: series.iter().map(|one| one.values.len()).sum(),
    }
}

/// Both increases. A counter of failures that no target has yet counts none, as in a check; without
/// one of successes nothing is known.
fn counted(
    metric: &Metric,
    events: &[Answered],
    total: &[Answered],
) -> Result<BudgetData, DataFault> {
    let (events, total) = (increases(events)?, increases(total)?);
    let Some(total) = total else {
        return Err(no_data(format!(
            "no requests were counted for {} in the budget's window",
            metric.name
        )));
    };
    let events = match (events, metric.better) {
        (Some(events), _) => events,
        (None, Better::Lower) => 0.0,
        (None, Better::Higher) => {
            return Err(no_data(format!(
                "no successes were counted for {} in the budget's window",
                metric.name
            )));
        }
    };
    Ok(BudgetData::Counts { events, total })
}

/// The sum of what was answered, and nothing where no answer has a series.
fn increases(answers: &[Answered]) -> Result<Option<f64>, DataFault> {
    let mut sum = None;
    for answer in answers {
        if let Some(found) = increase(answer)? {
            *sum.get_or_insert(0.0) += found;
        }
    }
    Ok(sum)
}

/// The number answered, and nothing for no series.
fn increase(answer: &Answered) -> Result<Option<f64>, DataFault> {
    let (series, told) = answer.as_ref().map_err(Clone::clone)?;
    if let Some(told) = told.iter().find_map(Annotation::partial) {
        return Err(DataFault {
            code: FaultCode::PartialData,
            message: told.to_owned(),
        });
    }
    let value = series.first().and_then(|one| one.values.last()).copied();
    match value {
        Some(value) if !value.is_finite() => Err(DataFault {
            code: FaultCode::NotFinite,
            message: format!("the source counts {value}"),
        }),
        value => Ok(value),
    }
}

fn no_data(message: String) -> DataFault {
    DataFault {
        code: FaultCode::NoData,
        message,
    }
}
