//! `serinus calibrate`.

mod report;

use clap::Args;
use serinus_analysis::foresight::{Replay, replay};
use serinus_analysis::pipeline::{Pipeline, Stage};

use super::Failure;
use super::output::{self, Format};
use super::past::{PastArguments, Subject};
use super::simulate::Threads;
use crate::engine::PastReading;
use crate::terminal;
use report::{Report, StageReport};
use serinus_analysis::simulate::operating::Executor;

const AFTER_HELP: &str = "\
Examples:
  serinus calibrate checkout.yaml --prometheus http://prometheus:9090 --control app=checkout
  serinus calibrate checkout.yaml --days 7 --stage stage_2 --output json

Replays releases that never were: some of the service's own pods play the canary, against the others,
in windows as long as the stage. Both run the same version, so each rollback is a false one. Choose
days without a rollout. Gauges take no part.

Exit codes: 0 told, 1 the service has no data or the source did not answer, 2 usage.";

/// How often this service's identical releases would have been rolled back
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    past: PastArguments,

    /// How many days before now are replayed; the history before them is read in addition
    #[arg(long, value_name = "DAYS", default_value_t = 3.0, value_parser = days)]
    days: f64,

    /// How many windows are replayed for each stage, evenly spaced; more than fit one after
    /// another overlap [default: as many as fit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    windows: Option<u32>,

    /// How to write the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut subject = arguments.past.open()?;
    subject.settle()?;
    let reader = subject.reader()?;
    let history_hours = subject
        .pipeline
        .analysis
        .history_seconds
        .map_or(0.0, |seconds| f64::from(seconds) / 3_600.0);
    let replayed_hours = 24.0 * arguments.days;
    let threads = Threads::available();
    threads.expect(steps(&subject, replayed_hours, arguments.windows));
    let mut stages = Vec::new();
    for (regions, group) in subject.stages_by_regions() {
        let checks = group.iter().flat_map(|stage| &stage.checks);
        let checks = checks.chain(&subject.pipeline.kill_switch);
        let reading = reader.read(checks, regions, history_hours + replayed_hours)?;
        for stage in group {
            let told = replay_stage(
                &subject,
                stage,
                &reading,
                replayed_hours,
                arguments.windows,
                &threads,
            );
            stages.push(told?);
        }
    }
    // The line of progress goes before the answer comes.
    drop(threads);
    stages.sort_by_key(|stage| subject.position(&stage.stage));
    let report = Report::new(&subject, arguments.days, stages);
    match arguments.output {
        Format::Json => output::line(&serde_json::to_string_pretty(&report)?),
        Format::Text => output::line(&report.text(terminal::columns())),
    }
    Ok(0)
}

fn replay_stage(
    subject: &Subject,
    stage: &Stage,
    reading: &PastReading,
    replayed_hours: f64,
    windows: Option<u32>,
    threads: &Threads,
) -> Result<StageReport, Failure> {
    let pipeline = &subject.pipeline;
    let share = stage.traffic_percent / 100.0;
    let cannot = |message: &str| {
        Failure(format!(
            "cannot replay {}: {message}; look whether --control selects the service, and whether \
             it has two pods or more",
            stage.id
        ))
    };
    let (split, groups) = reading
        .split(share)
        .map_err(|fault| cannot(&fault.message))?;
    let targets = reading
        .split_targets(share)
        .map_err(|fault| cannot(&fault.message))?;
    let Lengths { replayed, window } = Lengths::of(pipeline, stage, replayed_hours);
    let intervals = split.grid.intervals();
    let replayed = replayed.min(intervals);
    let starts = starts(intervals - replayed, intervals, window, windows);
    let count = u64::try_from(starts.len()).unwrap_or(u64::MAX);
    threads.announce(format!("replaying {}", stage.id), window as u64);
    let replays: Vec<Replay> = threads.map(count, |index| {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let first = starts.get(at).copied().unwrap_or(0);
        replay(pipeline, stage, &split, groups, first, window)
    });
    Ok(StageReport::new(pipeline, stage, groups, targets, &replays))
}

/// In intervals.
struct Lengths {
    /// Of what is replayed.
    replayed: usize,
    /// Of each window.
    window: usize,
}

impl Lengths {
    fn of(pipeline: &Pipeline, stage: &Stage, replayed_hours: f64) -> Self {
        let interval_minutes = f64::from(pipeline.analysis.interval_seconds) / 60.0;
        Self {
            replayed: whole(replayed_hours * 60.0 / interval_minutes),
            window: whole(stage.max_duration_minutes / interval_minutes).max(1),
        }
    }
}

/// The intervals of all windows of all stages: how much there is to replay.
fn steps(subject: &Subject, replayed_hours: f64, windows: Option<u32>) -> u64 {
    let groups = subject.stages_by_regions();
    let stages = groups.iter().flat_map(|(_, stages)| stages);
    let of_stage = |stage: &&Stage| {
        let Lengths { replayed, window } = Lengths::of(&subject.pipeline, stage, replayed_hours);
        (starts(0, replayed, window, windows).len() * window) as u64
    };
    stages.map(of_stage).sum()
}

/// The first intervals of the windows in `from..to`: as many as fit one after another, or as many as
/// asked for, evenly spaced. The newest ends with the time.
fn starts(from: usize, to: usize, length: usize, windows: Option<u32>) -> Vec<usize> {
    let room = to.saturating_sub(from);
    if length == 0 || room < length {
        return Vec::new();
    }
    let fitting = room / length;
    let count = windows.map_or(fitting, |windows| windows as usize);
    let last = to - length;
    let free = room - length;
    (0..count)
        .map(|back| match windows {
            None => last - back * length,
            Some(_) if count == 1 => last,
            Some(_) => last - back * free / (count - 1),
        })
        .rev()
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are positive and bounded"
)]
fn whole(intervals: f64) -> usize {
    intervals.ceil() as usize
}

fn days(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|days| *days > 0.0 && *days <= 365.0)
        .ok_or_else(|| "give days, above 0 and at most 365".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fill_the_days_from_their_end() {
        assert_eq!(starts(100, 460, 120, None), [100, 220, 340]);
        assert_eq!(starts(100, 470, 120, None), [110, 230, 350]);
        assert!(starts(100, 200, 120, None).is_empty());
        assert!(starts(0, 0, 0, None).is_empty());
    }

    #[test]
    fn windows_that_are_asked_for_are_evenly_spaced() {
        assert_eq!(starts(0, 400, 100, Some(1)), [300]);
        assert_eq!(starts(0, 400, 100, Some(2)), [0, 300]);
        assert_eq!(
            starts(0, 400, 100, Some(7)),
            [0, 50, 100, 150, 200, 250, 300]
        );
    }
}
