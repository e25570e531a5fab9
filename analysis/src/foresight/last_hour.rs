//! What the last hour of a service says of a pipeline, and no file can: whether its grid is finer than the
//! scrapes, whether pods can be told from each other, and whether enough events are to be expected.

use crate::data::{MetricData, StageData};
use crate::pipeline::{Better, Check, MetricKind, OnInconclusive, Pipeline, Stage};
use crate::proof::is_finer_than_scrapes;
use crate::selectors::{Looked, LookedLevel};
use crate::series::{Apart, ArmCount, Grid, PairedCounts};
use crate::text;

/// With fewer pods of the control what pods of one version differ by can hardly be seen.
///
/// Source: docs/design/counts.md, "8. Pods as replicates".
const FEWEST_PODS: usize = 3;

/// With fewer events to be expected of the canary a stage that promotes what is undecided passes what it should
/// not.
///
/// Source: docs/design/statistics.md, "11. The verdict of a stage".
const FEWEST_EXPECTED: f64 = 12.0;

/// What it passes then.
///
/// Source: docs/design/statistics.md, "11. The verdict of a stage".
const PASSED: &str = "of versions with 2.2 times the events a stage with 3, 6 and 12 expected passes 74, 42 and \
                      14 %, of those with 1.5 times 96, 86 and 72 %";

const SECONDS_PER_MINUTE: f64 = 60.0;
const PERCENT: f64 = 100.0;

/// What was read of the last hour.
#[derive(Debug, Clone, Copy)]
pub struct LastHour<'a> {
    /// What the whole service did: both populations are all of it.
    pub whole: &'a StageData,
    /// About how many seconds a scrape takes, where it is known.
    pub scrape_seconds: Option<f64>,
}

/// What is to be told of a pipeline by what its service did in the last hour.
pub fn said_by_the_last_hour(pipeline: &Pipeline, hour: LastHour<'_>) -> Vec<Looked> {
    let all = [
        finer_than_scrapes(pipeline, hour.scrape_seconds),
        few_pods(pipeline, hour.whole),
    ];
    let mut said: Vec<Looked> = all.into_iter().flatten().collect();
    said.extend(few_events(pipeline, hour.whole));
    said
}

fn finer_than_scrapes(pipeline: &Pipeline, scrape_seconds: Option<f64>) -> Option<Looked> {
    let settings = &pipeline.analysis;
    let period_seconds = scrape_seconds?;
    let interval_seconds = f64::from(settings.interval_seconds);
    let is_finer = is_finer_than_scrapes(interval_seconds, period_seconds);
    (settings.is_interval_given && is_finer).then(|| Looked {
        metric: "interval".to_owned(),
        level: LookedLevel::Error,
        message: format!(
            "the interval is {} s, and targets are scraped each {} s: most intervals would see nothing; \
             leave interval out, so that it follows the scrapes, or set {}s or more",
            settings.interval_seconds,
            text::digits(period_seconds),
            period_seconds.ceil()
        ),
    })
}

/// The checks of a share that compare with the control, each with its stage.
fn compared(pipeline: &Pipeline) -> impl Iterator<Item = (&Stage, &Check)> {
    let all = pipeline.stages.iter().flat_map(|stage| {
        let checks = stage.checks.iter();
        checks.map(move |check| (stage, check))
    });
    all.filter(|(stage, check)| {
        check.is_relative()
            && check.counts_at(stage.traffic_percent)
            && matches!(check.measured.kind, MetricKind::Proportion { .. })
    })
}

fn counts_of<'a>(check: &Check, whole: &'a StageData) -> Option<&'a PairedCounts> {
    match whole.metrics.get(&check.measured.name)? {
        MetricData::Counts(counts) => Some(counts),
        MetricData::Histogram(_) | MetricData::Gauge(_) | MetricData::Fault(_) => None,
    }
}

fn few_pods(pipeline: &Pipeline, whole: &StageData) -> Option<Looked> {
    if !pipeline.analysis.pod_spread {
        return None;
    }
    let counts = compared(pipeline).filter_map(|(_, check)| counts_of(check, whole));
    let pods = counts
        .filter_map(|counts| most_at_once(&counts.pods.control))
        .max()?;
    (pods < FEWEST_PODS).then(|| Looked {
        metric: "control".to_owned(),
        level: LookedLevel::Warning,
        message: format!(
            "with {} what pods of one version differ by can hardly be seen, so that a pod that is slower or \
             fails more looks like a worse version; run {FEWEST_PODS} or more",
            if pods == 1 {
                "one pod of the control".to_owned()
            } else {
                format!("{pods} pods of the control")
            }
        ),
    })
}

/// The most pods that had requests in one interval; nothing where they are not told apart.
fn most_at_once(pods: &Apart<ArmCount>) -> Option<usize> {
    let is_named = pods.names.iter().any(|name| !name.is_empty());
    let most = pods.rows.iter().map(Vec::len).max()?;
    (is_named && most > 0).then_some(most)
}

/// Checks of which a stage that promotes what is undecided sees next to nothing, each with its stages.
fn few_events(pipeline: &Pipeline, whole: &StageData) -> Vec<Looked> {
    if pipeline.analysis.on_inconclusive != OnInconclusive::Promote {
        return Vec::new();
    }
    let mut found: Vec<(&str, Vec<String>)> = Vec::new();
    for (stage, check) in compared(pipeline) {
        let is_asked = check.critical && !check.warn_only && check.measured.better == Better::Lower;
        // How the traffic is shared among regions is not known.
        if !is_asked || stage.shadow || !stage.regions.is_empty() {
            continue;
        }
        let Some(per_second) =
            counts_of(check, whole).and_then(|counts| events_per_second(counts, whole.grid))
        else {
            continue;
        };
        let seconds = stage.max_duration_minutes * SECONDS_PER_MINUTE;
        let expected = per_second * stage.traffic_percent / PERCENT * seconds;
        if expected >= FEWEST_EXPECTED {
            continue;
        }
        let told = format!("{} in {}", text::digits(expected), stage.id);
        match found.iter_mut().find(|(name, _)| *name == check.metric) {
            Some((_, stages)) if stages.contains(&told) => {}
            Some((_, stages)) => stages.push(told),
            None => found.push((&check.metric, vec![told])),
        }
    }
    let said = found.into_iter().map(|(metric, stages)| Looked {
        metric: metric.to_owned(),
        level: LookedLevel::Warning,
        message: format!(
            "on_inconclusive is promote, and so few events of a canary like the control are expected: {}; \
             {PASSED}; make the stages longer, or on_inconclusive: hold",
            stages.join(", ")
        ),
    });
    said.collect()
}

/// The events of the whole service in a second; nothing without requests.
fn events_per_second(counts: &PairedCounts, grid: Grid) -> Option<f64> {
    let whole = counts.totals().canary;
    let intervals: usize = counts.intervals.iter().map(|one| one.length).sum();
    let seconds = intervals as f64 * grid.interval_ms() as f64 / 1_000.0;
    (whole.exposure > 0.0 && seconds > 0.0).then(|| whole.events / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;
    use crate::series::{PairedInterval, Populations};
    use std::collections::BTreeMap;

    fn read(settings: &str) -> Pipeline {
        let text = format!(
            "analysis: {{{settings}}}\ncanary_pipeline:\n  a: {{traffic_percent: 10, duration_minutes: 30, \
             metrics: [error_rate < baseline * 1.1]}}\n  b: {{traffic_percent: 50, duration_minutes: 30}}\n"
        );
        parse(&text, "test").unwrap()
    }

    /// An hour of so many pods, of which so many requests fail in all.
    fn hour(pods: u32, failed: f64) -> StageData {
        let arm = |part: f64| ArmCount {
            events: failed / part,
            exposure: 1e6 / part,
        };
        let of_pod = arm(120.0 * f64::from(pods));
        let pods = Apart {
            names: (0..pods).map(|pod| format!("shop-{pod}")).collect(),
            rows: vec![(0..pods).map(|pod| (pod, of_pod)).collect(); 120],
        };
        let interval = |first| PairedInterval {
            first,
            length: 1,
            control: arm(120.0),
            canary: arm(120.0),
        };
        let counts = PairedCounts {
            intervals: (0..120).map(interval).collect(),
            pods: Populations::same(pods),
            ..PairedCounts::default()
        };
        StageData {
            metrics: BTreeMap::from([("error_rate".to_owned(), MetricData::Counts(counts))]),
            ..StageData::empty(Grid::covering(0, 3_600_000, 30_000))
        }
    }

    fn said(settings: &str, whole: &StageData, scrape_seconds: f64) -> Vec<String> {
        let hour = LastHour {
            whole,
            scrape_seconds: Some(scrape_seconds),
        };
        let said = said_by_the_last_hour(&read(settings), hour);
        let lines = said.iter();
        let lines = lines.map(|one| format!("{:?} {}: {}", one.level, one.metric, one.message));
        lines.collect()
    }

    #[test]
    fn nothing_is_said_of_a_usual_service() {
        assert_eq!(said("", &hour(3, 500.0), 15.0), [] as [&str; 0]);
        let given = said("interval: 15s", &hour(3, 500.0), 15.1);
        assert_eq!(given, [] as [&str; 0]);
        // The grid follows the scrapes where the file says nothing.
        assert_eq!(said("", &hour(3, 500.0), 60.0), [] as [&str; 0]);
    }

    #[test]
    fn an_interval_that_is_shorter_than_the_scrapes_is_an_error() {
        assert_eq!(
            said("interval: 15s", &hour(3, 500.0), 60.0),
            [
                "Error interval: the interval is 15 s, and targets are scraped each 60 s: most intervals would \
                 see nothing; leave interval out, so that it follows the scrapes, or set 60s or more"
            ]
        );
    }

    #[test]
    fn a_control_of_few_pods_is_told() {
        assert_eq!(
            said("", &hour(2, 500.0), 15.0),
            [
                "Warning control: with 2 pods of the control what pods of one version differ by can hardly be \
                 seen, so that a pod that is slower or fails more looks like a worse version; run 3 or more"
            ]
        );
        assert_eq!(
            said("pod_spread: off", &hour(2, 500.0), 15.0),
            [] as [&str; 0]
        );
    }

    #[test]
    fn promoting_what_is_undecided_is_told_with_what_passes_then() {
        // An hour at a tenth of the traffic: 2 of 20 failures.
        let told = said("on_inconclusive: promote", &hour(3, 20.0), 15.0);
        assert_eq!(
            told,
            [
                "Warning error_rate: on_inconclusive is promote, and so few events of a canary like the control \
                 are expected: 2 in a, 10 in b; of versions with 2.2 times the events a stage with 3, 6 and 12 \
                 expected passes 74, 42 and 14 %, of those with 1.5 times 96, 86 and 72 %; make the stages \
                 longer, or on_inconclusive: hold"
            ]
        );
        assert_eq!(said("", &hour(3, 20.0), 15.0), [] as [&str; 0]);
        let often = said("on_inconclusive: promote", &hour(3, 120.0), 15.0);
        assert_eq!(often, [] as [&str; 0]);
    }
}
