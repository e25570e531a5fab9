//! A part of a stage's data, so that many windows can be judged out of one long read.

use super::model::{MetricData, StageData};

impl StageData {
    /// The data of `length` intervals from the one at index `first` on, as if only they had been
    /// read. A part that begins later does not begin with the stage.
    ///
    /// What a missed scrape joined to an interval outside is left out: it cannot be divided.
    #[must_use]
    pub fn slice(&self, first: usize, length: usize) -> Self {
        let grid = self.grid.part(first, length);
        let length = grid.intervals();
        let metrics = self
            .metrics
            .iter()
            .map(|(name, metric)| {
                let part = match metric {
                    MetricData::Counts(counts) => MetricData::Counts(counts.slice(first, length)),
                    MetricData::Histogram(histogram) => {
                        MetricData::Histogram(histogram.slice(first, length))
                    }
                    MetricData::Gauge(gauge) => MetricData::Gauge(gauge.slice(first, length)),
                    MetricData::Fault(fault) => MetricData::Fault(fault.clone()),
                };
                (name.clone(), part)
            })
            .collect();
        Self {
            grid,
            metrics,
            source_warnings: self.source_warnings.clone(),
            starts_with_stage: self.starts_with_stage && first == 0,
            canary_starts_ms: self.canary_starts_ms.clone(),
            history: self.history.clone(),
            // It was read for the end of the whole.
            error_budget: None,
        }
    }
}
