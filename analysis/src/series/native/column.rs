//! How one bucket of a native histogram travels: as a series with a label of its own.

use std::collections::BTreeMap;

use crate::series::Series;

/// The label that makes a series a column. Names that begin with two underscores are Prometheus'
/// own, so no exporter has it.
const LABEL: &str = "__native_column__";

/// What the label says of the number of all observations.
const COUNT: &str = "count";

/// What a series that is part of a native histogram holds.
///
/// ```
/// use serinus_analysis::series::{NativeColumn, Series, is_native};
///
/// let mut series = Series::default();
/// let bucket = NativeColumn::Bucket { lower: 0.5, upper: 1.0 };
/// bucket.label(&mut series.labels);
/// assert_eq!(NativeColumn::of(&series), Some(bucket));
/// assert!(is_native(&series) && !is_native(&Series::default()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NativeColumn {
    /// The number of all observations, at every instant at which the histogram was there.
    Count,
    /// The number of observations in one bucket, not cumulative, at the instants at which there
    /// are any.
    Bucket {
        /// The lower bound.
        lower: f64,
        /// The upper bound, at least the lower one.
        upper: f64,
    },
}

impl NativeColumn {
    /// Adds the label that says what the series holds.
    pub fn label(self, labels: &mut BTreeMap<String, String>) {
        let value = match self {
            Self::Count => COUNT.to_owned(),
            // The shortest decimals that are read as the same numbers.
            Self::Bucket { lower, upper } => format!("{lower:e} {upper:e}"),
        };
        labels.insert(LABEL.to_owned(), value);
    }

    /// Reads what a series holds. Nothing for one that is no column.
    pub fn of(series: &Series) -> Option<Self> {
        let value = series.labels.get(LABEL)?;
        if value == COUNT {
            return Some(Self::Count);
        }
        let (lower, upper) = value.split_once(' ')?;
        let (lower, upper) = (lower.parse().ok()?, upper.parse().ok()?);
        (lower <= upper).then_some(Self::Bucket { lower, upper })
    }

    /// The labels of a column without the one that says what it holds: those of its histogram.
    pub(super) fn others(series: &Series) -> Vec<(&str, &str)> {
        series
            .labels
            .iter()
            .filter(|(label, _)| *label != LABEL)
            .map(|(label, value)| (label.as_str(), value.as_str()))
            .collect()
    }
}

/// Whether a series is part of a native histogram.
pub fn is_native(series: &Series) -> bool {
    series.labels.contains_key(LABEL)
}
