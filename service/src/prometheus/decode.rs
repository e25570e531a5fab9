//! Reading the body of an answer into columns.
//!
//! Without a tree of values in between: a matrix becomes times and values at once, 16 bytes a sample,
//! while it arrives, so that its text is never there as a whole. Three things are done that clients of
//! Prometheus often leave out: `warnings` and `infos` are kept, each for what it is, a native histogram
//! becomes a column for each bucket that is ever populated
//! ([`NativeColumn`](serinus_analysis::series::NativeColumn)), and the number of series and columns is
//! bounded while reading.

mod cut;
mod fields;
mod histogram;
mod sample;
mod series;

use serde::Deserializer;
use serinus_analysis::series::Series;

use self::cut::Cutter;
use self::fields::{Envelope, EnvelopeVisitor};
use self::series::{Exceeded, Limits, ResultType, SeriesReader};

/// Columns of native histograms allowed for each series allowed: at the default limit those of
/// 1,000 targets with 100 buckets, about 60 MB of labels. A column of one sample is 20 bytes of
/// the body, so the limit of bytes alone would not do.
const COLUMNS_PER_SERIES: usize = 20;

/// Said in [`Decoded::warnings`] when `VictoriaMetrics` marks its answer as partial.
pub(crate) const PARTIAL_WARNING: &str = "the source marked its answer as partial";

/// How a remark on a query begins. Prometheus 2.48 to 2.52 has remarks among the warnings.
///
/// Source: `util/annotations/annotations.go` of Prometheus (`PromQLInfo`).
const REMARK: &str = "PromQL info";

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The series, sorted by their labels. A scalar is one series without labels, and a native
    /// histogram several: one for each of its columns.
    pub series: Vec<Series>,
    /// `warnings`: the answer is not complete.
    pub warnings: Vec<String>,
    /// `infos`: remarks on the query, of an answer that is complete.
    pub infos: Vec<String>,
}

/// Why a body is not a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The body ends before the answer does.
    #[error("the answer ends in the middle")]
    Cut,
    /// The body is not an answer of the Prometheus API.
    #[error("{0}")]
    NotPrometheus(String),
    /// More series than allowed.
    #[error("the answer has more than {limit} series")]
    TooManySeries {
        /// Most series allowed.
        limit: usize,
    },
    /// More buckets of native histograms than allowed.
    #[error("the answer has more than {limit} buckets of native histograms")]
    TooManyBuckets {
        /// Most buckets allowed.
        limit: usize,
    },
    /// The answer is well formed and says `"status": "error"`.
    #[error("{error_type}: {error}")]
    Refused {
        /// The kind: `bad_data`, `execution`, `timeout`, ...
        error_type: String,
        /// The text.
        error: String,
    },
    /// The query gives a string.
    #[error("the query gives a string, not numbers")]
    NoNumbers,
}

/// Reads a body of `/api/v1/query` or `/api/v1/query_range`.
///
/// Unknown fields are passed over. Native histograms may have 20 buckets for each series allowed,
/// all histograms of the answer together. A body that is cut anywhere is an error, never a shorter
/// answer.
///
/// # Errors
///
/// [`DecodeError`] says what the body is in place of an answer.
pub fn decode(body: &[u8], max_series: usize) -> Result<Decoded, DecodeError> {
    let mut decoding = Decoding::new(max_series);
    decoding.push(body)?;
    decoding.finish()
}

/// A body that is read while it arrives, piece by piece. However it is cut into pieces, it is read as
/// by [`decode`].
#[derive(Debug)]
pub(crate) struct Decoding {
    cutter: Cutter,
    series: SeriesReader,
}

impl Decoding {
    /// Nothing has arrived yet.
    pub(crate) fn new(max_series: usize) -> Self {
        Self {
            cutter: Cutter::default(),
            series: SeriesReader::new(Limits {
                series: max_series,
                columns: max_series.saturating_mul(COLUMNS_PER_SERIES),
            }),
        }
    }

    /// Reads what has arrived.
    ///
    /// # Errors
    ///
    /// As [`decode`]. Nothing more is to be read then.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let series = &mut self.series;
        self.cutter.push(bytes, |one| series.read(one))
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.series.bytes() + self.cutter.bytes() as u64
    }

    /// About how much memory the series take that were read.
    pub(crate) fn series_bytes(&self) -> u64 {
        self.series.bytes()
    }

    /// All has arrived.
    ///
    /// # Errors
    ///
    /// As [`decode`].
    pub(crate) fn finish(self) -> Result<Decoded, DecodeError> {
        let rest = self.cutter.rest();
        let mut deserializer = serde_json::Deserializer::from_slice(&rest);
        let mut envelope = Envelope::new(self.series.limits());
        let read = (&mut deserializer).deserialize_map(EnvelopeVisitor {
            envelope: &mut envelope,
        });
        if let Err(error) = read.and_then(|()| deserializer.end()) {
            return Err(explain(&error, &rest, &envelope));
        }
        finish(envelope, self.series.into_series())
    }
}

/// The limit at which reading stopped, as an error.
fn beyond(exceeded: Exceeded, limits: Limits) -> DecodeError {
    match exceeded {
        Exceeded::Series => DecodeError::TooManySeries {
            limit: limits.series,
        },
        Exceeded::Buckets => DecodeError::TooManyBuckets {
            limit: limits.columns,
        },
    }
}

fn explain(error: &serde_json::Error, body: &[u8], envelope: &Envelope) -> DecodeError {
    if let Some(exceeded) = envelope.exceeded() {
        return beyond(exceeded, envelope.limits);
    }
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') if error.is_eof() => DecodeError::Cut,
        Some(b'{') => DecodeError::NotPrometheus(format!("its JSON is not as expected: {error}")),
        Some(b'<') => DecodeError::NotPrometheus("it is a web page".to_owned()),
        Some(_) => DecodeError::NotPrometheus("it is not a JSON object".to_owned()),
        None => DecodeError::NotPrometheus("it is empty".to_owned()),
    }
}

/// What the rest of the document makes of the series that were cut out of it.
fn finish(envelope: Envelope, mut series: Vec<Series>) -> Result<Decoded, DecodeError> {
    let not_prometheus = |detail: &str| Err(DecodeError::NotPrometheus(detail.to_owned()));
    match envelope.status.as_deref() {
        Some("success") => {}
        Some("error") => {
            return Err(DecodeError::Refused {
                error_type: envelope.error_type.unwrap_or_default(),
                error: envelope.error.unwrap_or_default(),
            });
        }
        Some(_) => return not_prometheus("its status is neither success nor error"),
        None => return not_prometheus("it has no status"),
    }
    let Some(data) = envelope.data else {
        return not_prometheus("it has no data");
    };
    match (data.result_type, data.scalar) {
        // Where the field is written otherwise, with escapes, nothing was cut out.
        (Some(ResultType::Matrix | ResultType::Vector), None) => series.extend(data.series),
        (Some(ResultType::Scalar), Some(scalar)) => series = vec![scalar.into_series()?],
        (Some(ResultType::String), Some(_)) => return Err(DecodeError::NoNumbers),
        (None, _) => return not_prometheus("it has no result type that is known"),
        (Some(_), _) => return not_prometheus("its result is not of the type that it says"),
    }
    series.sort_by(|left, right| left.labels.cmp(&right.labels));
    if series.windows(2).any(|pair| match pair {
        [left, right] => left.labels == right.labels,
        _ => false,
    }) {
        return not_prometheus("two of its series have the same labels");
    }
    let is_remark = |text: &String| text.starts_with(REMARK);
    let (mut infos, mut warnings): (Vec<_>, Vec<_>) =
        envelope.warnings.into_iter().partition(is_remark);
    infos.extend(envelope.infos);
    if envelope.is_partial {
        warnings.push(PARTIAL_WARNING.to_owned());
    }
    Ok(Decoded {
        series,
        warnings,
        infos,
    })
}

#[cfg(test)]
mod tests;
