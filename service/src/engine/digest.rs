//! The name of exactly what was judged.

use std::fmt::Write;

use serinus_analysis::data::{
    BudgetData, ControlSplit, History, MeasuredNoise, MetricData, StageData,
};
use serinus_analysis::judge::ReasonCode;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::{ArmCount, DataQuality};
use sha2::{Digest, Sha256};

/// Returns `sha256:` and the digest of the pipeline, the stage and the data on its grid, which is
/// everything that a verdict depends on: the same digest gives the same verdict to the byte.
///
/// It is taken of the counts and not of the samples, so that replicas that read the same truth at
/// different steps agree.
pub fn digest(pipeline: &Pipeline, stage: &Stage, data: &StageData) -> String {
    let mut hash = Hash(Sha256::new());
    // The derived text holds every field in order, and floats so that they read back the same.
    hash.text(&format!("{pipeline:?}"));
    hash.text(&stage.id);
    hash.integers(&[data.grid.start_ms(), data.grid.interval_ms()]);
    hash.size(data.grid.intervals());
    hash.size(usize::from(data.starts_with_stage));
    if let Some(starts_ms) = &data.canary_starts_ms {
        hash.size(starts_ms.len());
        hash.integers(starts_ms);
    }
    for (name, metric) in &data.metrics {
        hash.text(name);
        hash.metric(metric);
    }
    for (name, warning) in &data.source_warnings {
        hash.text(name);
        hash.text(warning);
    }
    hash.history(&data.history);
    if let Some(budget) = &data.error_budget {
        hash.error_budget(budget);
    }
    let mut name = "sha256:".to_owned();
    for byte in hash.0.finalize() {
        // A text takes whatever is written to it.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

struct Hash(Sha256);

impl Hash {
    fn text(&mut self, text: &str) {
        self.size(text.len());
        self.0.update(text.as_bytes());
    }

    fn size(&mut self, size: usize) {
        self.0.update((size as u64).to_be_bytes());
    }

    fn integers(&mut self, values: &[i64]) {
        for value in values {
            self.0.update(value.to_be_bytes());
        }
    }

    fn number(&mut self, value: f64) {
        self.0.update(value.to_bits().to_be_bytes());
    }

    fn arm(&mut self, arm: &ArmCount) {
        self.number(arm.events);
        self.number(arm.exposure);
    }

    fn quality(&mut self, quality: &DataQuality) {
        self.text(&format!("{quality:?}"));
    }

    fn history(&mut self, history: &History) {
        match history {
            History::Seen(past) => {
                self.text("history");
                self.integers(&[past.grid().start_ms(), past.grid().interval_ms()]);
                self.size(past.grid().intervals());
                let ControlSplit {
                    canary_targets,
                    control_targets,
                    canary_share,
                } = past.split();
                self.size(canary_targets);
                self.size(control_targets);
                self.number(canary_share);
                self.size(past.intervals_with_data());
                for noise in past.noise() {
                    self.noise(noise);
                }
            }
            History::Absent(why) => {
                self.text("no history");
                self.text(why);
            }
            History::Refused(fault) => {
                self.text("history refused");
                self.text(ReasonCode::from(fault.code).token());
                self.text(&fault.message);
            }
            History::Late(fault) => {
                self.text("history late");
                self.text(ReasonCode::from(fault.code).token());
                self.text(&fault.message);
            }
        }
    }

    fn noise(&mut self, noise: &MeasuredNoise) {
        self.text(&noise.metric);
        for value in [noise.bound, noise.limit] {
            self.size(usize::from(value.is_some()));
            self.number(value.unwrap_or(0.0));
        }
        self.number(noise.history.mean_effective_exposure());
        self.size(noise.history.by_block_length().len());
        for block in noise.history.by_block_length() {
            self.size(block.block_length);
            self.number(block.dispersion);
            self.number(block.degrees_of_freedom);
        }
    }

    fn error_budget(&mut self, budget: &BudgetData) {
        match budget {
            BudgetData::Counts { events, total } => {
                self.text("error budget");
                self.number(*events);
                self.number(*total);
            }
            BudgetData::Fault(fault) => {
                self.text("error budget fault");
                self.text(ReasonCode::from(fault.code).token());
                self.text(&fault.message);
            }
        }
    }

    fn metric(&mut self, metric: &MetricData) {
        match metric {
            MetricData::Counts(counts) => {
                self.text("counts");
                self.size(counts.intervals.len());
                for interval in &counts.intervals {
                    self.size(interval.first);
                    self.size(interval.length);
                    self.arm(&interval.control);
                    self.arm(&interval.canary);
                }
                self.quality(&counts.quality);
            }
            MetricData::Histogram(histogram) => {
                self.text("histogram");
                self.size(histogram.upper_bounds.len());
                for bound in &histogram.upper_bounds {
                    self.number(*bound);
                }
                self.size(histogram.spans.len());
                for (first, length) in &histogram.spans {
                    self.size(*first);
                    self.size(*length);
                }
                for value in histogram.control.iter().chain(&histogram.canary) {
                    self.number(*value);
                }
                self.quality(&histogram.quality);
            }
            MetricData::Gauge(gauge) => {
                self.text("gauge");
                self.size(gauge.intervals.len());
                for pair in &gauge.intervals {
                    for value in [pair.control, pair.canary] {
                        self.number(value.unwrap_or(f64::NAN));
                    }
                }
                self.quality(&gauge.quality);
            }
            MetricData::Fault(fault) => {
                self.text("fault");
                self.text(ReasonCode::from(fault.code).token());
                self.text(&fault.message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serinus_analysis::pipeline::parse;
    use serinus_analysis::series::Grid;

    use super::super::tests::measured;
    use super::*;

    #[test]
    fn a_history_is_part_of_the_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |history| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                starts_with_stage: true,
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                history,
                canary_starts_ms: None,
                error_budget: None,
            };
            digest(&pipeline, &pipeline.stages[0], &data)
        };
        assert_eq!(named(measured(1.0)), named(measured(1.0)));
        assert_ne!(named(measured(1.0)), named(measured(2.0)));
        assert_ne!(named(measured(1.0)), named(History::default()));
    }

    /// The same counts can be judged otherwise when nobody knows how long the stage has lasted.
    #[test]
    fn a_window_that_starts_with_the_stage_has_another_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |starts_with_stage| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                starts_with_stage,
                canary_starts_ms: None,
                error_budget: None,
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                history: History::default(),
            };
            digest(&pipeline, &pipeline.stages[0], &data)
        };
        assert_eq!(named(true), named(true));
        assert_ne!(named(true), named(false));
        assert_eq!(named(true).len(), "sha256:".len() + 64);
    }

    /// What was read for the error budget can turn a promotion into a hold.
    #[test]
    fn an_error_budget_is_part_of_the_name() {
        let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
        let pipeline = parse(&format!("canary_pipeline: {{a: {stage}}}"), "test").unwrap();
        let named = |error_budget| {
            let data = StageData {
                grid: Grid::covering(0, 300_000, 30_000),
                starts_with_stage: true,
                canary_starts_ms: None,
                error_budget,
                metrics: BTreeMap::new(),
                source_warnings: BTreeMap::new(),
                history: History::default(),
            };
            digest(&pipeline, &pipeline.stages[0], &data)
        };
        let counts = |events| {
            Some(BudgetData::Counts {
                events,
                total: 100.0,
            })
        };
        assert_eq!(named(counts(1.0)), named(counts(1.0)));
        assert_ne!(named(counts(1.0)), named(counts(2.0)));
        assert_ne!(named(counts(1.0)), named(None));
    }
}
