//! Numbers that JSON can say.
//!
//! JSON has no NaN and no infinity, and one bare `NaN` makes a whole body "not JSON", which some
//! callers read as success. [`Number`] is finite by construction, so no answer can carry one.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// Whole numbers up to this size (2^53) are told as integers: `812`, not `812.0`.
const LARGEST_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Number(f64);

impl Number {
    /// Returns the number, or nothing when it is NaN or infinite.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// Returns a traffic share in percent, held to 0..=100. What is no number becomes 0: no
    /// traffic is the safe reading of a share that is not known.
    pub fn percent(value: f64) -> Self {
        if value.is_nan() {
            return Self(0.0);
        }
        Self(value.clamp(0.0, 100.0))
    }

    /// The value.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= LARGEST_EXACT_INTEGER {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within 2^53, so the cast is exact"
            )]
            return serializer.serialize_i64(self.0 as i64);
        }
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?)
            .ok_or_else(|| de::Error::custom("expected a finite number"))
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::Double,
            )))
            .into()
    }
}

impl ToSchema for Number {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_cannot_say_is_no_number() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Number::new(value), None);
        }
        assert_eq!(Number::percent(f64::NAN).get().to_bits(), 0);
        assert_eq!(Number::percent(f64::INFINITY), Number(100.0));
    }

    #[test]
    fn whole_numbers_are_told_as_integers() {
        let json = |value: f64| serde_json::to_string(&Number::new(value)).unwrap();
        assert_eq!(json(812.0), "812");
        assert_eq!(json(-0.0), "0");
        assert_eq!(json(0.1), "0.1");
        assert_eq!(json(1e300), "1e+300");
    }
}
