//! Spans of time as Prometheus writes them: `30s`, `1m30s`, `4h50m`, `1d`, `1w`.
//!
//! One reading for the keys of a pipeline and for the flags of the command line. Not
//! `promql_parser::util::parse_duration`: it knows neither the fractions (`1.5h`) nor the `min` and
//! `us` that pipelines have always been written with, reads digits beyond 32 bits as nothing, takes
//! a bare number for seconds and panics on one below 0. It still reads the durations inside of
//! PromQL, where Prometheus has the word.

use super::quantity::{Quantity, leading_number};

/// Reads one number with a unit of time, or several in a row, and returns their sum in seconds.
///
/// A number without a unit is none: what it counts is for whoever asks to say. Years have 365 days.
///
/// ```
/// use serinus_analysis::pipeline::parse_duration;
///
/// assert_eq!(parse_duration("4h50m"), Some(17_400.0));
/// assert_eq!(parse_duration("1.5m"), Some(90.0));
/// assert_eq!(parse_duration("90"), None);
/// assert_eq!(parse_duration("5%"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    loop {
        let digits = leading_number(rest);
        if digits.is_empty() {
            return None;
        }
        let after = rest.get(digits.len()..)?;
        // `5.m`, as other readers of numbers take it.
        let after = match after.strip_prefix('.') {
            Some(others) if digits.bytes().all(|digit| digit.is_ascii_digit()) => others,
            _ => after,
        };
        let end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.');
        let (unit, others) = after.split_at_checked(end.unwrap_or(after.len()))?;
        // Weeks and years are Prometheus' own: a limit of a condition is never so long.
        let (unit, times) = match unit.trim() {
            "w" => ("d", 7.0),
            "y" => ("d", 365.0),
            other => (other, 1.0),
        };
        let part = Quantity::new(digits, unit).ok()?;
        if !part.is_time() {
            return None;
        }
        seconds += times * part.in_base_unit();
        rest = others;
        if rest.is_empty() {
            return seconds.is_finite().then_some(seconds);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_prometheus_reads_is_read_alike() {
        for text in [
            "30s",
            "1m30s",
            "4h50m",
            "1d",
            "1w",
            "1y",
            "5ms",
            "1h0m1s",
            "1y1w1d1h1m1s1ms",
        ] {
            let theirs = promql_parser::util::parse_duration(text).unwrap();
            let ours = parse_duration(text).unwrap();
            assert!((ours - theirs.as_secs_f64()).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn fractions_and_spaces_are_read_as_of_any_quantity() {
        for (text, seconds) in [
            ("1.5h", 5_400.0),
            (".5m", 30.0),
            ("5.m", 300.0),
            ("1.h30m", 5_400.0),
            ("2min", 120.0),
            ("1e3ms", 1.0),
            ("200ms", 0.2),
            (" 30 s ", 30.0),
            ("1h 30m", 5_400.0),
            ("50m4h", 17_400.0),
            ("0s", 0.0),
        ] {
            assert_eq!(parse_duration(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in [
            "",
            " ",
            "90",
            "s",
            "-1s",
            "1x",
            "1h-2m",
            "1h30",
            "5%",
            "1h5MiB",
            "1..s",
            "é",
            "1é",
            "1e308y9e307y",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in ".*|([0-9.]{0,3}[smhdwy]{0,2} ?){0,6}") {
            prop_assert!(parse_duration(&text).is_none_or(|seconds| seconds >= 0.0));
        }
    }
}
