//! Answers as Prometheus writes them, byte for byte, straight into a buffer.

use std::io::Write;

use super::column::is_absent;
use super::labels::Labels;
use super::promql::{RawSeries, Row, Steps, Value};

const START: &[u8] = br#"{"status":"success","data":"#;

/// Returns the answer of an instant query.
pub(super) fn instant(value: &Value, at_ms: i64) -> Vec<u8> {
    let mut buffer = START.to_vec();
    match value {
        Value::Scalar(numbers) => {
            buffer.extend_from_slice(br#"{"resultType":"scalar","result":"#);
            let number = numbers.first().copied().unwrap_or(f64::NAN);
            buffer.push(b'[');
            write_float_time(&mut buffer, at_ms);
            buffer.extend_from_slice(b",\"");
            write_plain_number(&mut buffer, number);
            buffer.extend_from_slice(b"\"]");
        }
        Value::Text(text) => {
            buffer.extend_from_slice(br#"{"resultType":"string","result":["#);
            write_float_time(&mut buffer, at_ms);
            buffer.push(b',');
            write_text(&mut buffer, text);
            buffer.push(b']');
        }
        Value::Vector(rows) => {
            buffer.extend_from_slice(br#"{"resultType":"vector","result":["#);
            let present = rows.iter().filter_map(|row| {
                let value = row.values.first().copied()?;
                (!is_absent(value)).then_some((&row.labels, value))
            });
            separated(&mut buffer, present, |buffer, (labels, value)| {
                buffer.extend_from_slice(br#"{"metric":"#);
                write_labels(buffer, labels);
                buffer.extend_from_slice(br#","value":"#);
                write_sample(buffer, at_ms, value);
                buffer.push(b'}');
            });
            buffer.push(b']');
        }
    }
    buffer.extend_from_slice(b"}}");
    buffer
}

/// Returns the answer of an instant query of a range selector.
pub(super) fn raw(series: &[RawSeries]) -> Vec<u8> {
    let mut buffer = START.to_vec();
    buffer.extend_from_slice(br#"{"resultType":"matrix","result":["#);
    separated(&mut buffer, series.iter(), |buffer, one| {
        write_series(buffer, &one.labels, one.samples.iter().copied());
    });
    buffer.extend_from_slice(b"]}}");
    buffer
}

/// Returns the answer of a range query.
pub(super) fn range(value: &Value, steps: Steps) -> Vec<u8> {
    // A scalar over a range is a series without labels.
    let unlabelled;
    let rows: &[Row] = match value {
        Value::Vector(rows) => rows,
        Value::Text(_) => &[],
        Value::Scalar(numbers) => {
            unlabelled = [Row {
                labels: Labels::default(),
                values: numbers.clone(),
            }];
            &unlabelled
        }
    };
    // Time, value and brackets of a sample take about 30 bytes.
    let samples: usize = rows.iter().map(|row| row.values.len()).sum();
    let mut buffer = Vec::with_capacity(samples.saturating_mul(30).saturating_add(1024));
    buffer.extend_from_slice(START);
    buffer.extend_from_slice(br#"{"resultType":"matrix","result":["#);
    separated(
        &mut buffer,
        rows.iter().filter(|row| !row.is_empty()),
        |buffer, row| {
            let samples = steps
                .times_ms()
                .zip(row.values.iter().copied())
                .filter(|(_, value)| !is_absent(*value));
            write_series(buffer, &row.labels, samples);
        },
    );
    buffer.extend_from_slice(b"]}}");
    buffer
}

/// Returns a list of texts as an answer.
pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut buffer = START.to_vec();
    buffer.push(b'[');
    separated(&mut buffer, texts, write_text);
    buffer.extend_from_slice(b"]}");
    buffer
}

/// Returns the answer of a request that failed.
pub(super) fn error(kind: &str, message: &str) -> Vec<u8> {
    let mut buffer = br#"{"status":"error","errorType":"#.to_vec();
    write_text(&mut buffer, kind);
    buffer.extend_from_slice(br#","error":"#);
    write_text(&mut buffer, message);
    buffer.push(b'}');
    buffer
}

fn write_series(buffer: &mut Vec<u8>, labels: &Labels, samples: impl Iterator<Item = (i64, f64)>) {
    buffer.extend_from_slice(br#"{"metric":"#);
    write_labels(buffer, labels);
    buffer.extend_from_slice(br#","values":["#);
    separated(buffer, samples, |buffer, (time_ms, value)| {
        write_sample(buffer, time_ms, value);
    });
    buffer.extend_from_slice(b"]}");
}

fn write_labels(buffer: &mut Vec<u8>, labels: &Labels) {
    buffer.push(b'{');
    separated(buffer, labels.iter(), |buffer, (name, value)| {
        write_text(buffer, name);
        buffer.push(b':');
        write_text(buffer, value);
    });
    buffer.push(b'}');
}

fn write_sample(buffer: &mut Vec<u8>, time_ms: i64, value: f64) {
    buffer.push(b'[');
    write_time(buffer, time_ms);
    buffer.extend_from_slice(b",\"");
    write_number(buffer, value);
    buffer.extend_from_slice(b"\"]");
}

/// Seconds with up to three digits after the point, none if they are all 0.
fn write_time(buffer: &mut Vec<u8>, time_ms: i64) {
    if time_ms < 0 {
        buffer.push(b'-');
    }
    let milliseconds = time_ms.unsigned_abs();
    write_whole(buffer, milliseconds / 1000);
    let fraction = milliseconds % 1000;
    if fraction != 0 {
        buffer.push(b'.');
        for digit in [fraction / 100, fraction / 10 % 10, fraction % 10] {
            buffer.push(digit_of(digit));
        }
    }
}

/// Seconds as the shortest number: scalars and texts go another way through Prometheus.
fn write_float_time(buffer: &mut Vec<u8>, time_ms: i64) {
    write_formatted(buffer, format_args!("{}", time_ms as f64 / 1000.0));
}

/// The shortest digits without an exponent, as scalars have it.
fn write_plain_number(buffer: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_formatted(buffer, format_args!("{value}"));
    } else {
        write_number(buffer, value);
    }
}

/// The shortest digits that give the number back, as Go's `FormatFloat(f, 'f', -1, 64)`; with an
/// exponent below 1e-6 and from 1e21 on.
fn write_number(buffer: &mut Vec<u8>, value: f64) {
    /// Up to here every whole number is its own shortest form.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    let size = value.abs();
    if value.is_nan() {
        buffer.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        buffer.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if size < WHOLE && value.fract().abs() <= 0.0 {
        // Most samples are counts.
        if value.is_sign_negative() {
            buffer.push(b'-');
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 to 2^53"
        )]
        write_whole(buffer, size as u64);
    } else if (1e-6..1e21).contains(&size) {
        write_formatted(buffer, format_args!("{value}"));
    } else {
        let digits = format!("{value:e}");
        let (significand, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
        let (sign, exponent) = exponent
            .strip_prefix('-')
            .map_or(('+', exponent), |rest| ('-', rest));
        write_formatted(buffer, format_args!("{significand}e{sign}{exponent:0>2}"));
    }
}

fn write_whole(buffer: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut left = number;
    let mut length = 0;
    for target in digits.iter_mut().rev() {
        *target = digit_of(left % 10);
        left /= 10;
        length += 1;
        if left == 0 {
            break;
        }
    }
    let written = digits.get(digits.len() - length..);
    buffer.extend_from_slice(written.unwrap_or_default());
}

/// The character of a digit, 0 to 9.
fn digit_of(digit: u64) -> u8 {
    b'0' + u8::try_from(digit % 10).unwrap_or_default()
}

fn write_text(buffer: &mut Vec<u8>, text: &str) {
    // Neither a string nor a vector can fail to take the text.
    let quoted = serde_json::Value::from(text);
    write_formatted(buffer, format_args!("{quoted}"));
}

fn write_formatted(buffer: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let written = buffer.write_fmt(text);
    debug_assert!(written.is_ok(), "a vector takes every byte");
}

/// Writes items with commas between them.
fn separated<T>(
    buffer: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            buffer.push(b',');
        }
        write(buffer, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> String {
        let mut buffer = Vec::new();
        write_number(&mut buffer, value);
        String::from_utf8(buffer).unwrap()
    }

    fn time(time_ms: i64) -> String {
        let mut buffer = Vec::new();
        write_time(&mut buffer, time_ms);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        // From strconv's and Prometheus's own tests of the same format.
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-42.0, "-42"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (1e-7, "1e-07"),
            (-1.5e-9, "-1.5e-09"),
            (5e-324, "5e-324"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_have_three_digits_or_none() {
        assert_eq!(time(1_435_781_451_781), "1435781451.781");
        assert_eq!(time(1_435_781_451_000), "1435781451");
        assert_eq!(time(1_050), "1.050");
        assert_eq!(time(7), "0.007");
        assert_eq!(time(-1_500), "-1.500");
        assert_eq!(time(0), "0");
    }

    #[test]
    fn scalars_and_texts_have_times_and_numbers_of_their_own() {
        // As Prometheus 2.42 answered the same.
        let answer = |value: &Value| String::from_utf8(instant(value, 1_800_000_000_250)).unwrap();
        for (value, text) in [(1e-7, "0.0000001"), (1e21, "1000000000000000000000")] {
            assert_eq!(
                answer(&Value::Scalar(vec![value])),
                format!(
                    r#"{{"status":"success","data":{{"resultType":"scalar","result":[1800000000.25,"{text}"]}}}}"#
                )
            );
        }
        assert_eq!(
            answer(&Value::Text("t".to_owned())),
            r#"{"status":"success","data":{"resultType":"string","result":[1800000000.25,"t"]}}"#
        );
    }

    #[test]
    fn texts_are_escaped() {
        let found = texts(["a\"b", "\n\\"].into_iter());
        let parsed: serde_json::Value = serde_json::from_slice(&found).unwrap();
        assert_eq!(parsed["data"][0], "a\"b");
        assert_eq!(parsed["data"][1], "\n\\");
    }
}
