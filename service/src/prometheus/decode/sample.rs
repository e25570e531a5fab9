//! One sample, `[seconds, "value"]`, straight into the columns of its series.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serinus_analysis::series::Series;

/// Largest time, in seconds either side of 1970, that is exact in milliseconds as a float.
const MAX_SECONDS: f64 = 9_007_199_254_740.0;

/// Turns seconds since 1970 into milliseconds; nothing if they are beyond any real time.
pub(super) fn milliseconds(seconds: f64) -> Option<i64> {
    if !(-MAX_SECONDS..=MAX_SECONDS).contains(&seconds) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and within the range that was checked"
    )]
    let rounded = (seconds * 1_000.0).round() as i64;
    Some(rounded)
}

/// Reads a value as Prometheus writes it: a decimal number, `NaN`, `+Inf` or `-Inf`.
pub(super) fn value(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Reads a list of samples.
pub(super) struct SamplesSeed<'a>(pub(super) &'a mut Series);

impl<'de> DeserializeSeed<'de> for SamplesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SamplesSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(SampleSeed(self.0))?.is_some() {}
        Ok(())
    }
}

/// Reads one sample and appends it.
pub(super) struct SampleSeed<'a>(pub(super) &'a mut Series);

impl<'de> DeserializeSeed<'de> for SampleSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SampleSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a time and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let (Some(timestamp_ms), Some(value)) = (
            sequence.next_element_seed(TimeVisitor)?,
            sequence.next_element_seed(ValueVisitor)?,
        ) else {
            return Err(Error::custom("a sample without a time and a value"));
        };
        let series = self.0;
        if series
            .timestamps_ms
            .last()
            .is_some_and(|&last| last >= timestamp_ms)
        {
            return Err(Error::custom("samples that are not in the order of time"));
        }
        series.timestamps_ms.push(timestamp_ms);
        series.values.push(value);
        Ok(())
    }
}

struct TimeVisitor;

impl<'de> DeserializeSeed<'de> for TimeVisitor {
    type Value = i64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_f64(self)
    }
}

impl Visitor<'_> for TimeVisitor {
    type Value = i64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("seconds since 1970")
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<i64, E> {
        milliseconds(seconds).ok_or_else(|| Error::custom("a time out of range"))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<i64, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<i64, E> {
        self.visit_f64(seconds as f64)
    }
}

struct ValueVisitor;

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ValueVisitor {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number as text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        value(text).ok_or_else(|| Error::custom("a value that is not a number"))
    }
}
