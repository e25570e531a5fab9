//! Numbers with units: `200ms`, `0.1%`, `512MiB`. A condition holds one of them; what lasts some
//! time may be several in a row (`1m30s`) and is read by [`super::duration`].

use super::model::Dimension;
use super::names::suggestion;

/// What a unit measures, with what turns a number of it into base units:
/// `number * 10^shift * factor`.
///
/// Powers of ten are kept apart so that they can be added to the exponent of the decimal text:
/// `0.1%` is then the same floating-point number as `0.001`, and `200ms` the same as `0.2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    name: &'static str,
    measures: Measure,
    shift: i32,
    factor: f64,
}

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// A part of a whole.
    Fraction,
    /// A time.
    Time,
    /// A size.
    Size,
}

const fn unit(name: &'static str, measures: Measure, shift: i32, factor: f64) -> Unit {
    Unit {
        name,
        measures,
        shift,
        factor,
    }
}

/// The units, as they are written.
const UNITS: &[Unit] = &[
    unit("%", Measure::Fraction, -2, 1.0),
    unit("bps", Measure::Fraction, -4, 1.0),
    unit("us", Measure::Time, -6, 1.0),
    unit("µs", Measure::Time, -6, 1.0),
    unit("ms", Measure::Time, -3, 1.0),
    unit("s", Measure::Time, 0, 1.0),
    unit("m", Measure::Time, 0, 60.0),
    unit("min", Measure::Time, 0, 60.0),
    unit("h", Measure::Time, 0, 3600.0),
    unit("d", Measure::Time, 0, 86_400.0),
    unit("B", Measure::Size, 0, 1.0),
    unit("KB", Measure::Size, 3, 1.0),
    unit("kB", Measure::Size, 3, 1.0),
    unit("MB", Measure::Size, 6, 1.0),
    unit("GB", Measure::Size, 9, 1.0),
    unit("KiB", Measure::Size, 0, 1024.0),
    unit("MiB", Measure::Size, 0, 1_048_576.0),
    unit("GiB", Measure::Size, 0, 1_073_741_824.0),
];

/// A number as it was written, with its unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantity {
    digits: String,
    unit: Option<Unit>,
}

impl Quantity {
    /// Makes a quantity of a decimal number without a sign, such as `1`, `.5` or `2e-3`, and a
    /// unit, which may be empty.
    ///
    /// # Errors
    ///
    /// What is wrong with the unit or the number.
    pub(super) fn new(digits: &str, unit_name: &str) -> Result<Self, String> {
        let unit = if unit_name.is_empty() {
            None
        } else {
            Some(find_unit(unit_name)?)
        };
        let quantity = Self {
            digits: digits.to_owned(),
            unit,
        };
        if quantity.in_base_unit().is_finite() {
            Ok(quantity)
        } else {
            Err(format!("the number {digits}{unit_name} is too large"))
        }
    }

    /// The number in its base unit: seconds, bytes or a fraction.
    pub(super) fn in_base_unit(&self) -> f64 {
        let (shift, factor) = self.unit.map_or((0, 1.0), |unit| (unit.shift, unit.factor));
        shifted(&self.digits, shift) * factor
    }

    /// The number as it was written.
    pub(super) fn digits(&self) -> &str {
        &self.digits
    }

    /// The number without regard to its unit.
    pub(super) fn bare_number(&self) -> f64 {
        shifted(&self.digits, 0)
    }

    /// Whether the unit is `%` or `bps`.
    pub(super) fn is_fraction(&self) -> bool {
        self.unit
            .is_some_and(|unit| unit.measures == Measure::Fraction)
    }

    /// Whether there is no unit.
    pub(super) fn is_bare(&self) -> bool {
        self.unit.is_none()
    }

    /// Whether the unit measures time.
    pub(super) fn is_time(&self) -> bool {
        self.unit.is_some_and(|unit| unit.measures == Measure::Time)
    }

    /// The unit as it was written; empty when there is none.
    pub(super) fn unit_name(&self) -> &'static str {
        self.unit.map_or("", |unit| unit.name)
    }

    /// Whether the unit can stand with a metric of this dimension.
    pub(super) fn fits(&self, dimension: Dimension) -> bool {
        let Some(unit) = self.unit else {
            return true;
        };
        match dimension {
            Dimension::Number => true,
            Dimension::Fraction => unit.measures == Measure::Fraction,
            Dimension::Seconds => unit.measures == Measure::Time,
            Dimension::Bytes => unit.measures == Measure::Size,
        }
    }
}

/// What the units of a dimension are, for messages.
pub(super) fn units_of(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Fraction => "%, bps or no unit",
        Dimension::Seconds => "us, ms, s, min or h",
        Dimension::Bytes => "B, KB, MB, GB, KiB, MiB or GiB",
        Dimension::Number => "any unit or none",
    }
}

/// What a dimension is called in messages.
pub(super) fn dimension_name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Fraction => "a fraction",
        Dimension::Seconds => "a time",
        Dimension::Bytes => "a size",
        Dimension::Number => "a number",
    }
}

/// Reads a text that is one number with a unit or none: `30s`, `99%`, `0.5`.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn parse_quantity(text: &str) -> Result<Quantity, String> {
    let trimmed = text.trim();
    let digits = leading_number(trimmed);
    if digits.is_empty() {
        return Err(format!("expected a number, found {trimmed:?}"));
    }
    let unit_name = trimmed.get(digits.len()..).unwrap_or_default().trim_start();
    Quantity::new(digits, unit_name)
}

/// Returns the longest beginning of the text that is a decimal number without a sign.
pub(super) fn leading_number(text: &str) -> &str {
    let bytes = text.as_bytes();
    let digits_from = |start: usize| {
        bytes
            .iter()
            .skip(start)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let whole = digits_from(0);
    let mut end = whole;
    if bytes.get(end) == Some(&b'.') {
        let decimals = digits_from(end + 1);
        if decimals > 0 {
            end += 1 + decimals;
        }
    }
    if end == 0 {
        return "";
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits_from(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    text.get(..end).unwrap_or_default()
}

fn find_unit(name: &str) -> Result<Unit, String> {
    // U+03BC, the Greek letter, looks the same as U+00B5, the micro sign.
    let name = name.replace('\u{3bc}', "\u{b5}");
    if let Some(unit) = UNITS.iter().find(|unit| unit.name == name) {
        return Ok(*unit);
    }
    let other_case = UNITS
        .iter()
        .find(|unit| unit.name.eq_ignore_ascii_case(&name))
        .map(|unit| format!(", did you mean {:?}?", unit.name));
    let hint = other_case.unwrap_or_else(|| suggestion(&name, UNITS.iter().map(|unit| unit.name)));
    let hint = if hint.is_empty() {
        ": use %, bps, us, ms, s, min, h, d, B, KB, MB, GB, KiB, MiB or GiB".to_owned()
    } else {
        hint
    };
    Err(format!("unknown unit {name:?}{hint}"))
}

/// The value of `digits * 10^shift`, rounded once.
fn shifted(digits: &str, shift: i32) -> f64 {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        // An exponent of more digits than an i32 holds is as good as infinite.
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(i32::MAX)),
        None => (digits, 0),
    };
    format!("{mantissa}e{}", exponent.saturating_add(shift))
        .parse()
        .unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::float_cmp, reason = "rounded once, so exactly equal")]
    fn assert_base(text: &str, expected: f64) {
        assert_eq!(
            parse_quantity(text).unwrap().in_base_unit(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn units_are_converted_without_a_second_rounding() {
        assert_base("200ms", 0.2);
        assert_base("0.1%", 0.001);
        assert_base("0.3%", 0.003);
        assert_base("7bps", 0.0007);
        assert_base("1.1 us", 1.1e-6);
        assert_base("3µs", 3e-6);
        assert_base("3\u{3bc}s", 3e-6);
        assert_base("2min", 120.0);
        assert_base("2m", 120.0);
        assert_base("1.5h", 5400.0);
        assert_base("1KB", 1000.0);
        assert_base("1kB", 1000.0);
        assert_base("512MiB", 536_870_912.0);
        assert_base("2GiB", 2_147_483_648.0);
        assert_base(".5", 0.5);
        assert_base("1e3", 1000.0);
        assert_base("1e3ms", 1.0);
        assert_base("5e-1%", 0.005);
    }

    #[test]
    fn wrong_units_and_numbers_are_told() {
        let message = |text: &str| parse_quantity(text).unwrap_err();
        assert_eq!(
            message("5 msec"),
            "unknown unit \"msec\", did you mean \"ms\"?"
        );
        assert_eq!(message("5mb"), "unknown unit \"mb\", did you mean \"MB\"?");
        assert!(message("5 parsec").starts_with("unknown unit \"parsec\""));
        assert_eq!(message("soon"), "expected a number, found \"soon\"");
        assert_eq!(message("1e999"), "the number 1e999 is too large");
        assert_eq!(
            message("1e99999999999s"),
            "the number 1e99999999999s is too large"
        );
        assert_eq!(message("nan"), "expected a number, found \"nan\"");
        assert_eq!(message("-5"), "expected a number, found \"-5\"");
    }

    #[test]
    fn a_number_ends_where_its_unit_begins() {
        assert_eq!(leading_number("12.5ms"), "12.5");
        assert_eq!(leading_number("1e3s"), "1e3");
        assert_eq!(leading_number("1e"), "1");
        assert_eq!(leading_number("1.e"), "1");
        assert_eq!(leading_number("."), "");
        assert_eq!(leading_number("é"), "");
    }
}
