//! What stands beside a verdict: what a reader should know that does not decide.

use crate::data::{History, MetricData, StageData};
use crate::pipeline::Pipeline;
use crate::text;

use super::model::{CheckReport, Outcome, Warning, WarningCode};
use super::{absence, populations};

/// Everything to know beside the verdict.
pub(super) fn warnings(
    pipeline: &Pipeline,
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
    if let History::Refused(fault) = &data.history {
        warnings.push(Warning {
            code: WarningCode::NoHistory,
            message: text::one_line(&format!(
                "the noise is assumed, because the source does not tell the history: {}",
                fault.message
            )),
        });
    }
    warnings.extend(absence::warnings(pipeline, data));
    warnings.extend(populations::warnings(pipeline, data));
    warnings.extend(quality_warnings(data));
    for report in checks {
        if report.warn_only && report.outcome == Outcome::Fail {
            let message = format!("{} (warns only)", report.reason);
            warnings.push(Warning {
                code: WarningCode::CheckFailed,
                message: text::one_line(&message),
            });
        }
    }
    let is_sequential = |report: &CheckReport| report.method.is_valid_at_any_time();
    if !data.starts_with_stage && checks.iter().any(is_sequential) {
        warnings.push(Warning {
            code: WarningCode::SlidingWindow,
            message: "without a start every answer looks at another window; polled, give the \
                      stage's start, or good releases are rolled back more often than promised"
                .to_owned(),
        });
    }
    warnings.extend(single_look(pipeline, checks));
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
        if quality.has_fallen() {
            warnings.push(Warning {
                code: WarningCode::CounterFell,
                message: text::one_line(&format!(
                    "{name}: counters fell {} times in {} changes though no process began anew; what \
                     fell counts once",
                    quality.falls, quality.moves
                )),
            });
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
