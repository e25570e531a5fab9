//! The inner `data` object: the type of the result, and its series or its scalar. The series are read
//! one by one, as they arrive.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serinus_analysis::series::Series;

use super::histogram::{Columns, HistogramSeed, HistogramsSeed};
use super::sample::{SampleSeed, SamplesSeed, milliseconds, value};
use super::{DecodeError, beyond};

/// The most that is read of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most series.
    pub(super) series: usize,
    /// Most columns of all native histograms together.
    pub(super) columns: usize,
}

/// The limit at which reading stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Series,
    Buckets,
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResultType {
    Matrix,
    Vector,
    Scalar,
    String,
}

/// What has been read of `data`.
#[derive(Default)]
pub(super) struct Data {
    pub(super) result_type: Option<ResultType>,
    pub(super) series: Vec<Series>,
    pub(super) scalar: Option<Scalar>,
}

/// The result of a scalar or string query: `[seconds, "text"]`.
pub(super) struct Scalar {
    seconds: f64,
    text: String,
}

impl Scalar {
    pub(super) fn into_series(self) -> Result<Series, DecodeError> {
        let read = |found: Option<_>| found.ok_or_else(|| Self::unreadable(&self.text));
        let timestamp_ms = milliseconds(self.seconds)
            .ok_or_else(|| DecodeError::NotPrometheus("its time is out of range".to_owned()))?;
        Ok(Series {
            labels: BTreeMap::new(),
            timestamps_ms: vec![timestamp_ms],
            values: vec![read(value(self.text.as_bytes()))?],
        })
    }

    fn unreadable(text: &str) -> DecodeError {
        DecodeError::NotPrometheus(format!("its value {text:?} is not a number"))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum DataField {
    ResultType,
    Result,
    #[serde(other)]
    Other,
}

/// Reads `data`.
pub(super) struct DataVisitor<'a> {
    pub(super) limits: Limits,
    pub(super) exceeded: &'a mut Option<Exceeded>,
}

impl<'de> Visitor<'de> for DataVisitor<'_> {
    type Value = Data;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with resultType and result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut data = Data::default();
        let mut has_result = false;
        while let Some(field) = map.next_key()? {
            match field {
                DataField::ResultType => data.result_type = Some(map.next_value()?),
                DataField::Result if has_result => return Err(Error::duplicate_field("result")),
                DataField::Result => {
                    has_result = true;
                    map.next_value_seed(ResultSeed {
                        data: &mut data,
                        limits: self.limits,
                        exceeded: &mut *self.exceeded,
                    })?;
                }
                DataField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_result {
            return Err(Error::missing_field("result"));
        }
        Ok(data)
    }
}

/// Reads `result`, whatever its type: the type may be told after it.
struct ResultSeed<'a> {
    data: &'a mut Data,
    limits: Limits,
    exceeded: &'a mut Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for ResultSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of series, or a time with a value")
    }

    /// Some backends write null for an empty list.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let mut count = 0;
        let mut columns_left = self.limits.columns;
        loop {
            let seed = ElementSeed {
                columns_left,
                samples: 0,
                exceeded: &mut *self.exceeded,
            };
            let Some(element) = sequence.next_element_seed(seed)? else {
                break;
            };
            match element {
                Element::Series { series, columns } => {
                    count += 1;
                    if count > self.limits.series {
                        *self.exceeded = Some(Exceeded::Series);
                        return Err(Error::custom("too many series"));
                    }
                    if let Some(columns) = columns {
                        columns_left = columns_left.saturating_sub(columns.buckets());
                        self.data.series.extend(columns.into_series(&series.labels));
                    }
                    if !series.timestamps_ms.is_empty() {
                        self.data.series.push(series);
                    }
                }
                Element::Number(seconds) if count == 0 && self.data.scalar.is_none() => {
                    let seed = ElementSeed {
                        columns_left,
                        samples: 0,
                        exceeded: &mut *self.exceeded,
                    };
                    let Some(Element::Text(text)) = sequence.next_element_seed(seed)? else {
                        return Err(Error::custom("a time without a value"));
                    };
                    self.data.scalar = Some(Scalar { seconds, text });
                }
                Element::Number(_) | Element::Text(_) => {
                    return Err(Error::custom("neither a list of series nor a scalar"));
                }
            }
        }
        Ok(())
    }
}

/// The shortest text of a sample: `[1,"1"],`.
const FEWEST_SAMPLE_BYTES: usize = 8;

/// About what a series takes beside its labels' texts and its samples.
const SERIES_BYTES: usize = 700;

/// Reads series that were cut out of an answer.
#[derive(Debug)]
pub(super) struct SeriesReader {
    limits: Limits,
    columns_left: usize,
    count: usize,
    /// How many samples the last series had: mostly, all have as many.
    samples: usize,
    series: Vec<Series>,
    bytes: usize,
}

impl SeriesReader {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            columns_left: limits.columns,
            count: 0,
            samples: 0,
            series: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Reads one series.
    pub(super) fn read(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        self.count += 1;
        if self.count > self.limits.series {
            return Err(beyond(Exceeded::Series, self.limits));
        }
        let mut exceeded = None;
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let seed = ElementSeed {
            columns_left: self.columns_left,
            samples: self.samples.min(text.len() / FEWEST_SAMPLE_BYTES),
            exceeded: &mut exceeded,
        };
        let read = seed.deserialize(&mut deserializer);
        let element = read.and_then(|element| deserializer.end().map(|()| element));
        match (element, exceeded) {
            (Ok(Element::Series { series, columns }), _) => {
                self.take(series, columns);
                Ok(())
            }
            (Err(_), Some(exceeded)) => Err(beyond(exceeded, self.limits)),
            (Err(error), None) => Err(DecodeError::NotPrometheus(format!(
                "its JSON is not as expected, in series {}: {error}",
                self.count
            ))),
            // Only objects are cut out.
            (Ok(Element::Number(_) | Element::Text(_)), _) => Err(DecodeError::NotPrometheus(
                "its JSON is not as expected".to_owned(),
            )),
        }
    }

    fn take(&mut self, mut series: Series, columns: Option<Box<Columns>>) {
        if let Some(columns) = columns {
            self.columns_left = self.columns_left.saturating_sub(columns.buckets());
            for column in columns.into_series(&series.labels) {
                self.keep(column);
            }
        }
        if !series.timestamps_ms.is_empty() {
            self.samples = series.timestamps_ms.len();
            series.timestamps_ms.shrink_to_fit();
            series.values.shrink_to_fit();
            self.keep(series);
        }
    }

    fn keep(&mut self, series: Series) {
        let labels = series.labels.iter();
        let texts: usize = labels.map(|(name, value)| name.len() + value.len()).sum();
        let samples = series.timestamps_ms.capacity() * size_of::<i64>()
            + series.values.capacity() * size_of::<f64>();
        self.bytes += SERIES_BYTES + texts + samples;
        self.series.push(series);
    }

    /// About how much memory the series take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    pub(super) fn into_series(self) -> Vec<Series> {
        self.series
    }
}

/// One element of `result`.
enum Element {
    Series {
        series: Series,
        /// What its native histograms were read into, where it has any.
        columns: Option<Box<Columns>>,
    },
    Number(f64),
    Text(String),
}

struct ElementSeed<'a> {
    columns_left: usize,
    /// How many samples there may be: room is made for them at once.
    samples: usize,
    exceeded: &'a mut Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Element, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum SeriesField {
    Metric,
    Values,
    Value,
    Histogram,
    Histograms,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = Element;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a series")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let mut series = Series::default();
        let mut columns: Option<Box<Columns>> = None;
        let new_columns = || Box::new(Columns::new(self.columns_left));
        while let Some(field) = map.next_key()? {
            match field {
                SeriesField::Metric => series.labels = map.next_value()?,
                SeriesField::Values => {
                    series.timestamps_ms.reserve_exact(self.samples);
                    series.values.reserve_exact(self.samples);
                    map.next_value_seed(SamplesSeed(&mut series))?;
                }
                SeriesField::Value => map.next_value_seed(SampleSeed(&mut series))?,
                SeriesField::Histogram => {
                    let columns = columns.get_or_insert_with(new_columns);
                    map.next_value_seed(HistogramSeed(columns, &mut *self.exceeded))?;
                }
                SeriesField::Histograms => {
                    let columns = columns.get_or_insert_with(new_columns);
                    map.next_value_seed(HistogramsSeed(columns, &mut *self.exceeded))?;
                }
                SeriesField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Element::Series { series, columns })
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Element, E> {
        Ok(Element::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Element, E> {
        Ok(Element::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Element, E> {
        Ok(Element::Number(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Element, E> {
        Ok(Element::Text(text.to_owned()))
    }
}
