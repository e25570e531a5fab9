//! Numbers and lists as people read them.

use crate::pipeline::Dimension;

/// Writes a value with three significant digits and the unit that suits its size.
pub(crate) fn value(number: f64, dimension: Dimension) -> String {
    match dimension {
        Dimension::Fraction => format!("{} %", percent(number * 100.0)),
        other => with_unit(number, other, digits),
    }
}

/// The time of a day: `12:50 UTC`.
pub(crate) fn time_of_day(at_ms: i64) -> String {
    const MINUTE_MS: i64 = 60_000;
    const MINUTES_A_DAY: i64 = 24 * 60;
    let minute = at_ms.div_euclid(MINUTE_MS).rem_euclid(MINUTES_A_DAY);
    format!("{:02}:{:02} UTC", minute / 60, minute % 60)
}

/// Writes a value that somebody chose, such as a limit: with all the digits that it has.
pub(crate) fn exact_value(number: f64, dimension: Dimension) -> String {
    match dimension {
        Dimension::Fraction => format!("{} %", exact(number * 100.0)),
        other => with_unit(number, other, exact),
    }
}

fn with_unit(number: f64, dimension: Dimension, written: fn(f64) -> String) -> String {
    if number.is_infinite() {
        return digits(number);
    }
    match dimension {
        Dimension::Fraction | Dimension::Number => written(number),
        Dimension::Seconds if number.abs() < 1.0 => format!("{} ms", written(number * 1e3)),
        Dimension::Seconds => format!("{} s", written(number)),
        Dimension::Bytes => bytes(number, written),
    }
}

/// All digits of a number that somebody wrote, without what a change of units adds to them: 0.07 as
/// a part of 100 is 7, not 7.000000000000001.
pub(crate) fn exact(number: f64) -> String {
    const SIGNIFICANT: f64 = 12.0;
    if number == 0.0 || !number.is_finite() {
        return digits(number);
    }
    let unit = libm::pow(
        10.0,
        SIGNIFICANT - 1.0 - libm::floor(libm::log10(number.abs())),
    );
    let rounded = libm::round(number * unit) / unit;
    if rounded.is_finite() {
        rounded.to_string()
    } else {
        number.to_string()
    }
}

/// Near 100 the distance to it is what matters: 99.96 must not be told as 100.
fn percent(number: f64) -> String {
    let distance = (100.0 - number).abs();
    if !(50.0..100.0).contains(&number) || distance < 1e-6 {
        return digits(number);
    }
    let magnitude = libm::floor(libm::log10(distance));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 7"
    )]
    let decimals = (1.0 - magnitude).max(0.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Writes an interval of values.
pub(crate) fn interval(interval: crate::interval::Interval, dimension: Dimension) -> String {
    format!(
        "[{}, {}]",
        value(interval.lower(), dimension),
        value(interval.upper(), dimension)
    )
}

/// Writes a count with commas between thousands.
pub(crate) fn count(number: f64) -> String {
    let whole = format!("{:.0}", number.max(0.0));
    let mut grouped = String::with_capacity(whole.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Rounds a planned count up to two significant digits: a plan is no measurement.
pub(crate) fn about(number: f64) -> String {
    if !(number.is_finite() && number > 0.0) {
        return count(0.0);
    }
    let unit = libm::pow(10.0, libm::floor(libm::log10(number)) - 1.0).max(1.0);
    count(libm::ceil(number / unit) * unit)
}

/// From 48 hours on people count days.
const MINUTES_TOLD_IN_DAYS: f64 = 48.0 * 60.0;

/// Writes a time span given in minutes.
pub fn minutes(number: f64) -> String {
    let (count, unit) = if number < 180.0 {
        (digits(libm::ceil(number * 10.0) / 10.0), "minute")
    } else if number < MINUTES_TOLD_IN_DAYS {
        (digits(number / 60.0), "hour")
    } else {
        (digits(number / 1_440.0), "day")
    };
    counted_text(&count, unit)
}

/// Writes a time span as a file does: `30s`, `10m30s`, `1h`.
pub(crate) fn duration(seconds: i64) -> String {
    let parts = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let written: Vec<String> = parts
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    let written = written.concat();
    if written.is_empty() {
        "0s".to_owned()
    } else {
        written
    }
}

/// `1 check`, `2 checks`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    counted_text(&count.to_string(), noun)
}

fn counted_text(count: &str, noun: &str) -> String {
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Three significant digits, without trailing zeros, never in exponents between 1e-6 and 1e15.
pub(crate) fn digits(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if !number.is_finite() {
        return if number > 0.0 { "∞" } else { "-∞" }.to_owned();
    }
    let magnitude = libm::floor(libm::log10(number.abs()));
    if !(-6.0..15.0).contains(&magnitude) {
        return format!("{number:.2e}");
    }
    // The magnitude lies in -6..15, so this fits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 8"
    )]
    let decimals = (2.0 - magnitude).max(0.0) as usize;
    let text = format!("{number:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn bytes(number: f64, written: fn(f64) -> String) -> String {
    const UNITS: [(&str, f64); 3] = [
        ("GiB", 1_073_741_824.0),
        ("MiB", 1_048_576.0),
        ("KiB", 1_024.0),
    ];
    for (unit, size) in UNITS {
        if number.abs() >= size {
            return format!("{} {unit}", written(number / size));
        }
    }
    format!("{} bytes", written(number))
}

/// Longest reason in characters: callers keep it in small places.
const LONGEST_SENTENCE: usize = 300;

/// Whether a reason is short enough to be told whole.
pub(crate) fn is_short(text: &str) -> bool {
    text.chars().count() <= LONGEST_SENTENCE
}

/// Makes one line of at most 300 characters: control characters become spaces, and what is
/// too long ends in an ellipsis.
pub(crate) fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if is_short(&clean) {
        return clean;
    }
    let mut cut: String = clean.chars().take(LONGEST_SENTENCE - 1).collect();
    cut.push('…');
    cut
}

/// Breaks a text between words into lines of at most so many columns. A word that is longer is cut.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + letters.len() > columns {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        for letter in letters {
            if length == columns {
                lines.push(std::mem::take(&mut line));
                length = 0;
            }
            line.push(letter);
            length += 1;
        }
    }
    if length > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_between_words_and_only_a_long_word_within() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two", 100), ["one two"]);
        assert_eq!(wrapped("a b23456789", 4), ["a", "b234", "5678", "9"]);
        assert_eq!(wrapped("ä ö", 1), ["ä", "ö"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
    }

    #[test]
    fn values_carry_the_unit_that_suits_their_size() {
        assert_eq!(value(0.000_42, Dimension::Fraction), "0.042 %");
        assert_eq!(value(0.999_612, Dimension::Fraction), "99.961 %");
        assert_eq!(value(1.0, Dimension::Fraction), "100 %");
        assert_eq!(value(0.123_456, Dimension::Seconds), "123 ms");
        assert_eq!(value(2.5, Dimension::Seconds), "2.5 s");
        assert_eq!(value(536_870_912.0, Dimension::Bytes), "512 MiB");
        assert_eq!(value(0.0, Dimension::Number), "0");
        assert_eq!(value(12_345.678, Dimension::Number), "12346");
    }

    #[test]
    fn counts_are_grouped_and_plans_are_rounded_up() {
        assert_eq!(count(1_234_567.0), "1,234,567");
        assert_eq!(count(12.0), "12");
        assert_eq!(about(5_123.0), "5,200");
        assert_eq!(about(3.2), "4");
    }

    #[test]
    fn spans_of_time_are_told_in_the_unit_that_suits() {
        assert_eq!(minutes(41.0), "41 minutes");
        assert_eq!(minutes(240.0), "4 hours");
        assert_eq!(minutes(47.0 * 60.0), "47 hours");
        assert_eq!(minutes(48.0 * 60.0), "2 days");
        assert_eq!(minutes(10_000.0), "6.94 days");
        assert_eq!(minutes(1.0), "1 minute");
        assert_eq!(minutes(0.5), "0.5 minutes");
    }

    #[test]
    fn spans_are_written_as_a_file_has_them() {
        let written = [0, 30, 630, 3_600, 3_661].map(duration);
        assert_eq!(written, ["0s", "30s", "10m30s", "1h", "1h1m1s"]);
    }

    #[test]
    fn what_somebody_wrote_keeps_its_digits_and_gets_no_more() {
        assert_eq!(exact_value(0.07, Dimension::Fraction), "7 %");
        assert_eq!(exact_value(0.000_123_45, Dimension::Fraction), "0.012345 %");
        assert_eq!(exact_value(0.2, Dimension::Seconds), "200 ms");
        assert_eq!(exact_value(1.2345, Dimension::Seconds), "1.2345 s");
        assert_eq!(
            exact_value(1.7 * 1_073_741_824.0, Dimension::Bytes),
            "1.7 GiB"
        );
        assert_eq!(exact_value(12_345.678, Dimension::Number), "12345.678");
        assert_eq!(exact_value(0.0, Dimension::Number), "0");
    }

    #[test]
    fn one_thing_is_told_as_one() {
        assert_eq!(counted(1, "check"), "1 check");
        assert_eq!(counted(2, "check"), "2 checks");
        assert_eq!(counted(0, "check"), "0 checks");
    }

    #[test]
    fn a_sentence_is_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb"), "a b");
        assert_eq!(one_line(&"x".repeat(400)).chars().count(), LONGEST_SENTENCE);
    }
}
