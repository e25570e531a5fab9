//! What stands beside a verdict: what a reader should know that does not decide.

use crate::data::{History, MetricData, StageData};
use crate::pipeline::{Dimension, Pipeline, Stage};
use crate::series::LeftOut;
use crate::text;

use super::bounds;
use super::model::{CheckReport, Outcome, Warning, WarningCode};
use super::{absence, load, populations, young};

/// Everything to know beside the verdict.
pub(super) fn warnings(
    pipeline: &Pipeline,
    stage: &Stage,
    data: &StageData,
    checks: &[CheckReport],
) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = data
        .source_warnings
        .iter()
        .map(|(metric, message)| Warning {
            code: WarningCode::PartialData,
            message: text::one_line(&format!("{metric}: {message}")),
        })
        .collect();
    warnings.extend(data.source_remarks.iter().map(|(metric, message)| Warning {
        code: WarningCode::SourceRemark,
        message: text::one_line(&format!("{metric}: the source remarks: {message}")),
    }));
    if let History::Refused(fault) = &data.history {
        warnings.push(Warning {
            code: WarningCode::NoHistory,
            message: text::one_line(&format!(
                "the noise is assumed, because the source does not tell the history: {}",
                fault.message
            )),
        });
    }
    warnings.extend(absence::warnings(pipeline, stage, data));
    warnings.extend(populations::warnings(pipeline, data));
    warnings.extend(finer_than_scrapes(data));
    warnings.extend(quality_warnings(data));
    warnings.extend(left_out(data));
    for (metric, data) in &data.metrics {
        if let MetricData::Histogram(histogram) = data {
            let dimension = pipeline.metrics.get(metric);
            let dimension = dimension.map_or(Dimension::Number, |metric| metric.dimension);
            warnings.extend(bounds::warnings(metric, histogram, dimension));
        }
    }
    let failed = checks
        .iter()
        .filter(|report| report.warn_only && report.outcome == Outcome::Fail);
    warnings.extend(failed.map(|report| Warning {
        code: WarningCode::CheckFailed,
        message: text::one_line(&format!("{} (warns only)", report.reason)),
    }));
    let is_sequential = |report: &CheckReport| report.method.is_valid_at_any_time();
    if !data.starts_with_stage && checks.iter().any(is_sequential) {
        warnings.push(Warning {
            code: WarningCode::SlidingWindow,
            message: "without a start every answer looks at another window; polled, give the \
                      stage's start, or good releases are rolled back more often than promised"
                .to_owned(),
        });
    }
    warnings.extend(short_lived(pipeline, stage, data));
    warnings.extend(load::warnings(pipeline, data));
    warnings.extend(single_look(pipeline, checks));
    warnings
}

/// A grid on which many intervals see nothing.
fn finer_than_scrapes(data: &StageData) -> Option<Warning> {
    let seconds = data.findings.scraped_each_seconds?;
    let interval_seconds = data.grid.interval_ms() / 1_000;
    Some(Warning {
        code: WarningCode::IntervalFinerThanScrapes,
        message: format!(
            "an interval is {interval_seconds} s, and targets are scraped each {seconds} s: many intervals see nothing"
        ),
    })
}

/// Processes that never live as long as a warm-up.
fn short_lived(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for check in &stage.checks {
        let Some(MetricData::Counts(counts)) = data.metrics.get(&check.measured.name) else {
            continue;
        };
        let seconds = young::warm_up_seconds(check, stage, &pipeline.analysis);
        let is_told = |one: &Warning| one.message.starts_with(&check.measured.name);
        if young::Warm::of(counts, data.grid, seconds).are_short_lived
            && !warnings.iter().any(is_told)
        {
            warnings.push(Warning {
                code: WarningCode::ShortLivedProcesses,
                message: text::one_line(&format!(
                    "{}: no process of the canary lives longer than its warm-up of {}, so they are judged \
                     from their start: does it crash again and again?",
                    check.measured.name,
                    text::minutes(seconds / 60.0)
                )),
            });
        }
    }
    warnings
}

/// A method that is valid for a single look decides one of the checks.
fn single_look(pipeline: &Pipeline, checks: &[CheckReport]) -> Option<Warning> {
    let is_kill_switch = |report: &CheckReport| {
        pipeline
            .kill_switch
            .iter()
            .any(|switch| switch.text == report.condition)
    };
    let looks_once =
        |report: &CheckReport| !report.method.is_valid_at_any_time() && !is_kill_switch(report);
    checks.iter().any(looks_once).then(|| Warning {
        code: WarningCode::SingleLook,
        message: "wilson and kayenta are valid for a single look at the data; polled, they roll \
                  back good releases more often than the confidence says"
            .to_owned(),
    })
}

/// The series that the means of gauges are without.
fn left_out(data: &StageData) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, metric) in &data.metrics {
        let MetricData::Gauge(gauge) = metric else {
            continue;
        };
        let all = gauge.intervals.len();
        let of = &gauge.left_out;
        if gauge.bare_series > 0 {
            warnings.push(Warning {
                code: WarningCode::LeftOutSeries,
                message: format!(
                    "{name}: a series without labels beside others is left out of their mean: a constant of the \
                     expression, such as `or vector(0)`"
                ),
            });
        }
        for (population, left_out) in [("control", &of.control), ("canary", &of.canary)] {
            for (why, what) in [
                (LeftOut::NotFinite, "NaN or infinite"),
                (LeftOut::Absent, "without a value"),
            ] {
                let series = left_out.iter().filter(|one| one.why == why);
                let names: Vec<String> = series
                    .map(|one| match one.why {
                        LeftOut::NotFinite => {
                            format!(
                                "{} ({} of {all} intervals)",
                                one.labels,
                                one.intervals.len()
                            )
                        }
                        // One that ended is missed until those who read it forget it.
                        LeftOut::Absent => one.labels.clone(),
                    })
                    .collect();
                if names.is_empty() {
                    continue;
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let message = format!(
                    "{name}: left out of the {population}'s mean where {what}: {}",
                    bounds::named(&names)
                );
                warnings.push(Warning {
                    code: WarningCode::LeftOutSeries,
                    message: text::one_line(&message),
                });
            }
        }
    }
    warnings
}

/// What the data leaves open, for the reader.
fn quality_warnings(data: &StageData) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (name, metric) in &data.metrics {
        let quality = match metric {
            MetricData::Counts(counts) => counts.quality,
            MetricData::Histogram(histogram) => histogram.quality,
            MetricData::Gauge(gauge) => gauge.quality,
            MetricData::Fault(_) => continue,
        };
        let of_both = [
            ("control", quality.falls.control),
            ("canary", quality.falls.canary),
        ];
        for (population, falls) in of_both {
            if falls.is_worth_a_word() {
                warnings.push(Warning {
                    code: WarningCode::CounterFell,
                    message: text::one_line(&format!(
                        "{name}: counters of the {population} fell {} times in {} steps, and no \
                         start of a process explains it; what fell counts once",
                        falls.falls, falls.steps
                    )),
                });
            }
        }
        if let Some(label) = quality.copied_by {
            warnings.push(Warning {
                code: WarningCode::DuplicatedSeries,
                message: text::one_line(&format!(
                    "{name}: some series are copies of others, told apart by the label {}: each \
                     counts once",
                    label.name()
                )),
            });
        }
        if quality.summed {
            warnings.push(Warning {
                code: WarningCode::SummedByTarget,
                message: text::one_line(&format!(
                    "{name}: too many series to read each, so the sum of each target is counted; a \
                     fall or a copy of one series is not seen"
                )),
            });
        }
        if quality.missed_scrapes {
            warnings.push(Warning {
                code: WarningCode::MissedScrapes,
                message: text::one_line(&format!(
                    "{name}: the window is too long to read every scrape; what was counted just \
                     before a restart may be lost"
                )),
            });
        }
    }
    warnings
}
