//! Native histograms, `[seconds, {"count": "..", "sum": "..", "buckets": [..]}]`, straight into
//! columns: one for the number of all observations, one for each bucket that is ever populated.
//!
//! A bucket is `[rule, "lower", "upper", "count"]`. The rule says which of its bounds belong to
//! it: 0 the upper one, 1 the lower one, 2 none, 3 both. It is read and not kept: at a bound
//! itself a bucket is counted as Prometheus counts it, whichever bucket that is.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serinus_analysis::series::{NativeColumn, Series};

use super::sample::{TimeVisitor, ValueVisitor};
use super::series::Exceeded;

/// The largest rule of a bucket's bounds.
const MOST_RULE: u64 = 3;

/// The columns of one native histogram, while it is read.
pub(super) struct Columns {
    count: Series,
    buckets: Vec<(NativeColumn, Series)>,
    /// Where the column of a bucket is, by the bits of its bounds.
    places: BTreeMap<(u64, u64), usize>,
    most_buckets: usize,
}

impl Columns {
    /// No column yet, and at most that many of buckets.
    pub(super) fn new(most_buckets: usize) -> Self {
        Self {
            count: Series::default(),
            buckets: Vec::new(),
            places: BTreeMap::new(),
            most_buckets,
        }
    }

    /// How many buckets there are.
    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The columns as series with these labels and one of their own. None without any sample.
    pub(super) fn into_series(
        self,
        labels: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = Series> {
        let count = (NativeColumn::Count, self.count);
        let has_samples = !count.1.timestamps_ms.is_empty();
        let columns = std::iter::once(count).chain(self.buckets);
        columns
            .filter(move |_| has_samples)
            .map(|(column, mut series)| {
                series.labels.clone_from(labels);
                column.label(&mut series.labels);
                series
            })
    }

    /// The column of a bucket, or nothing when there are too many.
    fn bucket(&mut self, lower: f64, upper: f64) -> Option<&mut Series> {
        let bounds = (lower.to_bits(), upper.to_bits());
        let place = match self.places.get(&bounds) {
            Some(&place) => place,
            None if self.buckets.len() >= self.most_buckets => return None,
            None => {
                let column = NativeColumn::Bucket { lower, upper };
                self.buckets.push((column, Series::default()));
                self.places.insert(bounds, self.buckets.len() - 1);
                self.buckets.len() - 1
            }
        };
        self.buckets.get_mut(place).map(|(_, series)| series)
    }
}

/// Reads a list of histograms of one series.
pub(super) struct HistogramsSeed<'a>(
    pub(super) &'a mut Columns,
    pub(super) &'a mut Option<Exceeded>,
);

impl<'de> DeserializeSeed<'de> for HistogramsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for HistogramsSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of histograms")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self(columns, exceeded) = self;
        while sequence
            .next_element_seed(HistogramSeed(columns, exceeded))?
            .is_some()
        {}
        Ok(())
    }
}

/// Reads one histogram and appends it.
pub(super) struct HistogramSeed<'a>(
    pub(super) &'a mut Columns,
    pub(super) &'a mut Option<Exceeded>,
);

impl<'de> DeserializeSeed<'de> for HistogramSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for HistogramSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a time and a histogram")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let Self(columns, exceeded) = self;
        let without = || Error::custom("a histogram without a time or without buckets");
        let timestamp_ms = sequence
            .next_element_seed(TimeVisitor)?
            .ok_or_else(without)?;
        let times_ms = &mut columns.count.timestamps_ms;
        if times_ms.last().is_some_and(|&last| last >= timestamp_ms) {
            return Err(Error::custom(
                "histograms that are not in the order of time",
            ));
        }
        let count = sequence
            .next_element_seed(ContentsSeed {
                timestamp_ms,
                columns: &mut *columns,
                exceeded,
            })?
            .ok_or_else(without)?;
        columns.count.timestamps_ms.push(timestamp_ms);
        columns.count.values.push(count);
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Count,
    Sum,
    Buckets,
    #[serde(other)]
    Other,
}

/// Reads what a histogram holds, and returns the number of its observations.
struct ContentsSeed<'a> {
    timestamp_ms: i64,
    columns: &'a mut Columns,
    exceeded: &'a mut Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for ContentsSeed<'_> {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ContentsSeed<'_> {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a histogram with its count and buckets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<f64, A::Error> {
        let Self {
            timestamp_ms,
            columns,
            exceeded,
        } = self;
        let mut count = None;
        while let Some(field) = map.next_key()? {
            match field {
                Field::Count => count = Some(map.next_value_seed(ValueVisitor)?),
                Field::Sum => {
                    map.next_value_seed(ValueVisitor)?;
                }
                Field::Buckets => map.next_value_seed(BucketsSeed {
                    timestamp_ms,
                    columns: &mut *columns,
                    exceeded: &mut *exceeded,
                })?,
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        count.ok_or_else(|| Error::missing_field("count"))
    }
}

/// Reads the buckets of a histogram. A histogram without observations has none, or null.
struct BucketsSeed<'a> {
    timestamp_ms: i64,
    columns: &'a mut Columns,
    exceeded: &'a mut Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for BucketsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BucketsSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of buckets")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(Bucket {
            lower,
            upper,
            count,
        }) = sequence.next_element_seed(BucketVisitor)?
        {
            let Some(column) = self.columns.bucket(lower, upper) else {
                *self.exceeded = Some(Exceeded::Buckets);
                return Err(Error::custom("too many buckets"));
            };
            if column.timestamps_ms.last() == Some(&self.timestamp_ms) {
                return Err(Error::custom("a bucket that is there twice"));
            }
            column.timestamps_ms.push(self.timestamp_ms);
            column.values.push(count);
        }
        Ok(())
    }
}

/// One bucket, as it is written.
struct Bucket {
    lower: f64,
    upper: f64,
    count: f64,
}

struct BucketVisitor;

impl<'de> DeserializeSeed<'de> for BucketVisitor {
    type Value = Bucket;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bucket, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for BucketVisitor {
    type Value = Bucket;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a bucket's rule, bounds and count")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Bucket, A::Error> {
        let rule: Option<u64> = sequence.next_element()?;
        let (Some(rule), Some(lower), Some(upper), Some(count)) = (
            rule,
            sequence.next_element_seed(ValueVisitor)?,
            sequence.next_element_seed(ValueVisitor)?,
            sequence.next_element_seed(ValueVisitor)?,
        ) else {
            return Err(Error::custom("a bucket without bounds and count"));
        };
        if rule > MOST_RULE {
            return Err(Error::custom("a bucket whose bounds follow no known rule"));
        }
        if lower > upper || lower.is_nan() || upper.is_nan() {
            return Err(Error::custom("a bucket whose bounds do not ascend"));
        }
        // A bound is equal to itself however it is written: -0 is 0.
        Ok(Bucket {
            lower: lower + 0.0,
            upper: upper + 0.0,
            count,
        })
    }
}
