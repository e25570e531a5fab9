//! `serinus plan`.

mod table;

use clap::Args;
use serde::Serialize;
use serinus_analysis::data::{HistoryData, MeasuredHistory};
use serinus_analysis::foresight::{
    Noise, Past, StageOutlook, has_data, outlook, service_of, unusable,
};
use serinus_analysis::judge::measure_noise;
use serinus_analysis::pipeline::{Pipeline, Stage};

use super::output::{self, Format};
use super::past::{PastArguments, Subject};
use super::selectors::Checked;
use super::{FAILED, Failure};
use crate::engine::PastReading;
use crate::terminal::{self, Progress};

const AFTER_HELP: &str = "\
Examples:
  serinus plan checkout.yaml --prometheus http://prometheus:9090 --control app=checkout
  serinus plan checkout.yaml --requests-per-second 100 --error-rate 0.001 --output json

Reads what the service did in the last day, before any rollout, and tells for each stage how bad a
canary must be to be seen, after how long, and whether a good one can be promoted in time. Every
selector is held against the source, too. With --requests-per-second and --error-rate it only
calculates, and asks no Prometheus.

Exit codes: 0 told, 1 the service has no data that can be used, the source did not answer, or a selector can
never match, 2 usage.";

/// Tell how long each stage takes to see what
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    past: PastArguments,

    /// How many hours before now are read
    #[arg(long, value_name = "HOURS", default_value_t = 24.0, value_parser = hours)]
    hours: f64,

    /// Calculate with this traffic of the whole service, without a Prometheus
    #[arg(long, value_name = "RATE", requires = "error_rate", value_parser = positive)]
    requests_per_second: Option<f64>,

    /// The share of these requests that fails, from 0 to 1
    #[arg(long, value_name = "SHARE", requires = "requests_per_second", value_parser = share)]
    error_rate: Option<f64>,

    /// Calculate with this noise: how many times the variance of independent failures
    /// [default: measured, or assumed where nothing was]
    #[arg(long, value_name = "TIMES", value_parser = at_least_one)]
    dispersion: Option<f64>,

    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

/// Everything that is told.
#[derive(Debug, Serialize)]
struct Report {
    pipeline: String,
    basis: Basis,
    interval_seconds: u32,
    /// What the source says of the selectors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    selectors: Vec<Checked>,
    stages: Vec<StageOutlook>,
}

/// What the plan rests on.
#[derive(Debug, Serialize)]
struct Basis {
    /// `prometheus` or `given`.
    source: &'static str,
    /// In a sentence.
    text: String,
    hours: Option<f64>,
    requests_per_second: Option<f64>,
    error_rate: Option<f64>,
    /// Why the noise was not measured, where it was not.
    noise: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut subject = arguments.past.open()?;
    let given = arguments.requests_per_second.zip(arguments.error_rate);
    let report = if let Some((requests, errors)) = given {
        calculated(&subject, requests, errors, arguments.dispersion)
    } else {
        subject.settle()?;
        read(&subject, arguments.hours, arguments.dispersion)?
    };
    match arguments.output {
        Format::Json => output::line(&serde_json::to_string_pretty(&report)?),
        Format::Text => output::line(&table::of(&report, terminal::columns())),
    }
    let never_matches = report.selectors.iter().any(Checked::can_never_match);
    Ok(if never_matches { FAILED } else { 0 })
}

fn calculated(
    subject: &Subject,
    requests_per_second: f64,
    error_rate: f64,
    dispersion: Option<f64>,
) -> Report {
    let pipeline = &subject.pipeline;
    let whole = service_of(pipeline, requests_per_second, error_rate);
    let past = Past {
        whole: &whole,
        noise: dispersion.map_or(Noise::Assumed, Noise::Given),
    };
    let stages = subject
        .stages_by_regions()
        .into_iter()
        .flat_map(|(_, stages)| stages)
        .map(|stage| outlook(pipeline, stage, &past))
        .collect();
    let basis = Basis {
        source: "given",
        text: format!(
            "if the service has {requests_per_second} requests/s, of which {} % fail",
            table::number(100.0 * error_rate)
        ),
        hours: None,
        requests_per_second: Some(requests_per_second),
        error_rate: Some(error_rate),
        noise: None,
    };
    report(subject, basis, stages, Vec::new())
}

fn read(subject: &Subject, hours: f64, dispersion: Option<f64>) -> Result<Report, Failure> {
    let pipeline = &subject.pipeline;
    let reader = subject.reader()?;
    let mut outlooks = Vec::new();
    let mut why_not_measured = None;
    let (mut saw_data, mut reads_nothing) = (false, true);
    let mut wrong = Vec::new();
    for (regions, stages) in subject.stages_by_regions() {
        let checks = stages.iter().flat_map(|stage| &stage.checks);
        let reading = reader.read(checks, regions, hours)?;
        let whole = reading.whole();
        reads_nothing &= whole.metrics.is_empty();
        saw_data |= has_data(&whole);
        wrong.extend(unusable(&whole));
        let progress = Progress::new();
        progress.begin("planning", stages.len() as u64);
        for stage in stages {
            progress.announce(format!("planning {}", stage.id));
            let measured = measured(pipeline, &reading, stage);
            let noise = match (&measured, dispersion) {
                (_, Some(given)) => Noise::Given(given),
                (Ok(history), None) => Noise::Measured(history),
                (Err(why), None) => {
                    why_not_measured.get_or_insert_with(|| why.clone());
                    Noise::Assumed
                }
            };
            let past = Past {
                whole: &whole,
                noise,
            };
            outlooks.push(outlook(pipeline, stage, &past));
            progress.advance(1);
        }
    }
    let selectors = reader.look_through()?;
    // Gauges are not read, only looked up: then nothing but an answer is missing.
    let has_gauges_only = reads_nothing && !selectors.iter().any(Checked::is_unknown);
    if !saw_data && !has_gauges_only {
        return Err(nothing_to_plan_with(subject, hours, &wrong, &selectors));
    }
    let basis = Basis {
        source: "prometheus",
        text: format!("as {} was in the last {hours} h", subject.shown()),
        hours: Some(hours),
        requests_per_second: None,
        error_rate: None,
        noise: why_not_measured,
    };
    Ok(report(subject, basis, outlooks, selectors))
}

/// What the values say themselves where they cannot be used; else that there are none.
fn nothing_to_plan_with(
    subject: &Subject,
    hours: f64,
    wrong: &[String],
    selectors: &[Checked],
) -> Failure {
    let lines: Vec<String> = selectors.iter().map(|one| format!("\n{one}")).collect();
    let told = lines.concat();
    if wrong.is_empty() {
        return Failure(format!(
            "no data of {} in the last {hours} h: look whether --control and the metrics of the \
             pipeline select the service as it is before a rollout{told}",
            subject.shown()
        ));
    }
    Failure(format!(
        "nothing can be planned with {}{told}",
        wrong.join("; ")
    ))
}

fn report(
    subject: &Subject,
    basis: Basis,
    mut stages: Vec<StageOutlook>,
    selectors: Vec<Checked>,
) -> Report {
    stages.sort_by_key(|stage| subject.position(&stage.stage));
    Report {
        pipeline: subject.pipeline.name.clone(),
        basis,
        interval_seconds: subject.pipeline.analysis.interval_seconds,
        selectors,
        stages,
    }
}

/// The noise as a rollout would know it, or why it would not.
fn measured(
    pipeline: &Pipeline,
    reading: &PastReading,
    stage: &Stage,
) -> Result<MeasuredHistory, String> {
    if pipeline.analysis.history_seconds.is_none() {
        return Err("analysis.history is off".to_owned());
    }
    reading
        .split(stage.traffic_percent / 100.0)
        .and_then(|(data, split)| HistoryData::new(data, split))
        .map(|past| measure_noise(&past, stage))
        .map_err(|fault| fault.message)
}

fn number(text: &str, is_good: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|value| value.is_finite() && is_good(*value))
        .ok_or_else(|| format!("give {wanted}"))
}

fn hours(text: &str) -> Result<f64, String> {
    number(
        text,
        |value| value > 0.0 && value <= 8_760.0,
        "hours, above 0 and at most 8760",
    )
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0, "a number above 0")
}

fn share(text: &str) -> Result<f64, String> {
    number(
        text,
        |value| (0.0..=1.0).contains(&value),
        "a share from 0 to 1, such as 0.001",
    )
}

fn at_least_one(text: &str) -> Result<f64, String> {
    number(
        text,
        |value| value >= 1.0,
        "a number of at least 1; 1 is pure chance",
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    const PIPELINE: &str = "\
name: checkout
canary_pipeline:
  first:
    name: First
    traffic_percent: 1
    duration_minutes: 60
    metrics: [error_rate < baseline * 1.25, error_rate < 1%, latency_p99 < 200ms]
  second:
    name: Second
    traffic_percent: 10
    duration_minutes: 60
    metrics: [error_rate < baseline * 1.25]
";

    fn told(flags: &[&str]) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkout.yaml");
        std::fs::write(&file, PIPELINE).unwrap();
        let file = file.to_string_lossy().into_owned();
        let all = ["plan", &file].into_iter().chain(flags.iter().copied());
        let arguments = Command::try_parse_from(all).unwrap().arguments;
        let subject = arguments.past.open().unwrap();
        let (requests, errors) = (arguments.requests_per_second, arguments.error_rate);
        calculated(
            &subject,
            requests.unwrap(),
            errors.unwrap(),
            arguments.dispersion,
        )
    }

    #[test]
    fn a_calculated_plan_reads_well() {
        let report = told(&["--requests-per-second=100", "--error-rate=0.001"]);
        insta::assert_snapshot!(table::of(&report, 120));
    }

    #[test]
    fn one_stage_is_told_when_asked_for() {
        let flags = [
            "--requests-per-second=1",
            "--error-rate=0",
            "--stage=second",
        ];
        let report = told(&flags);
        assert_eq!(report.stages.len(), 1);
        assert_eq!(report.stages[0].stage, "second");
    }

    #[test]
    fn numbers_that_make_no_plan_are_refused() {
        for flags in [
            &["--requests-per-second=100"][..],
            &["--requests-per-second=0", "--error-rate=0.1"],
            &["--requests-per-second=1", "--error-rate=2"],
            &["--requests-per-second=1", "--error-rate=nan"],
            &["--hours=0"],
            &["--dispersion=0.5"],
        ] {
            let all = ["plan", "p.yaml"].into_iter().chain(flags.iter().copied());
            assert!(Command::try_parse_from(all).is_err(), "{flags:?}");
        }
    }
}
