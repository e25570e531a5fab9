//! One sample, `[seconds, "value"]`, straight into the columns of its series.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serinus_analysis::series::Series;

/// Largest time, in seconds either side of 1970, that is exact in milliseconds as a float.
const MAX_SECONDS: f64 = 9_007_199_254_740.0;

/// Whole numbers up to here, and the powers of ten below, are exact as floats.
const MAX_EXACT_INTEGER: u64 = 1 << 53;

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Turns seconds since 1970 into milliseconds; nothing if they are beyond any real time.
pub(super) fn milliseconds(seconds: f64) -> Option<i64> {
    if !(-MAX_SECONDS..=MAX_SECONDS).contains(&seconds) {
        return None;
    }
    let half = 0.5_f64.copysign(seconds);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounds, within the range that was checked; a call of round costs more than the rest"
    )]
    let rounded = (seconds * 1_000.0 + half) as i64;
    Some(rounded)
}

/// Reads a value as Prometheus writes it: a decimal number, `NaN`, `+Inf` or `-Inf`.
pub(super) fn value(text: &[u8]) -> Option<f64> {
    short_decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// Reads most of the numbers that counters have in a third of the time: `digits` or
/// `digits.digits` with digits that are exact as a float. One division of two exact numbers is
/// rounded once, so the result is the nearest float, the same as that of the standard library
/// (W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990).
fn short_decimal(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut significand = 0_u64;
    let mut point = None;
    // 19 digits and a point: the product below cannot overflow.
    if digits.is_empty() || digits.len() > 20 {
        return None;
    }
    for (index, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' if significand < MAX_EXACT_INTEGER => {
                significand = significand * 10 + u64::from(byte - b'0');
            }
            b'.' if point.is_none() && digits.len() > 1 => point = Some(index),
            _ => return None,
        }
    }
    if significand > MAX_EXACT_INTEGER {
        return None;
    }
    let decimals = point.map_or(0, |index| digits.len() - index - 1);
    let magnitude = significand as f64 / POWERS_OF_TEN.get(decimals)?;
    Some(if is_negative { -magnitude } else { magnitude })
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

/// Reads a time in seconds.
pub(super) struct TimeVisitor;

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

/// Reads a number that is written as text.
pub(super) struct ValueVisitor;

impl<'de> DeserializeSeed<'de> for ValueVisitor {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        // Bytes spare a check for UTF-8 that the parsing of the number makes as well.
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for ValueVisitor {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number as text")
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<f64, E> {
        value(text).ok_or_else(|| Error::custom("a value that is not a number"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_rounded_to_milliseconds() {
        for (seconds, expected) in [
            (0.0, Some(0)),
            (1_700_000_000.781, Some(1_700_000_000_781)),
            (0.000_6, Some(1)),
            (-1.000_6, Some(-1_001)),
            (MAX_SECONDS, Some(9_007_199_254_740_000)),
            (MAX_SECONDS * 1.1, None),
            (f64::INFINITY, None),
            (f64::NAN, None),
        ] {
            assert_eq!(milliseconds(seconds), expected, "{seconds}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn values_are_those_of_the_standard_library(text in "[-+]?[0-9]{0,21}([.][0-9]{0,21})?") {
            let expected: Option<f64> = text.parse().ok();
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            prop_assert_eq!(bits(value(text.as_bytes())), bits(expected));
        }

        #[test]
        fn values_near_the_limit_are_exact(offset in 0_u64..40, decimals in 0_usize..20) {
            let mut text = (MAX_EXACT_INTEGER - 20 + offset).to_string();
            text.insert(text.len() - decimals.min(text.len()), '.');
            prop_assert_eq!(value(text.as_bytes()), text.parse().ok());
        }
    }
}
