//! What a canary may be, in terms of its control: the one form of every limit.

use serde::Serialize;

/// What the canary may be, in terms of the control.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Limit {
    /// `canary <= ratio * control + offset`; without a ratio an absolute limit.
    AtMost {
        /// Factor on the control's value.
        ratio: Option<f64>,
        /// Added to it.
        offset: f64,
    },
    /// `canary >= ratio * control + offset`; without a ratio an absolute limit.
    AtLeast {
        /// Factor on the control's value.
        ratio: Option<f64>,
        /// Added to it.
        offset: f64,
    },
    /// Both `AtMost` and `AtLeast` with ratios `1 + tolerance` and `1 - tolerance`.
    Within {
        /// The tolerance as a fraction.
        tolerance: f64,
    },
}

impl Limit {
    /// Returns an absolute limit.
    pub fn absolute(wants_less: bool, limit: f64) -> Self {
        Self::one_sided(wants_less, None, limit)
    }

    /// Returns a limit relative to the control.
    pub fn relative(wants_less: bool, ratio: f64, offset: f64) -> Self {
        Self::one_sided(wants_less, Some(ratio), offset)
    }

    fn one_sided(wants_less: bool, ratio: Option<f64>, offset: f64) -> Self {
        if wants_less {
            Self::AtMost { ratio, offset }
        } else {
            Self::AtLeast { ratio, offset }
        }
    }

    /// The two sides of a tolerance.
    pub fn sides_of(tolerance: f64) -> [Self; 2] {
        [
            Self::relative(true, 1.0 + tolerance, 0.0),
            Self::relative(false, 1.0 - tolerance, 0.0),
        ]
    }

    /// Whether the limit needs a control to compare with.
    pub fn needs_control(self) -> bool {
        match self {
            Self::AtMost { ratio, .. } | Self::AtLeast { ratio, .. } => ratio.is_some(),
            Self::Within { .. } => true,
        }
    }

    /// Whether something is added to a multiple of the control.
    pub fn has_an_offset(self) -> bool {
        match self {
            Self::AtMost {
                ratio: Some(_),
                offset,
            }
            | Self::AtLeast {
                ratio: Some(_),
                offset,
            } => offset.abs() > 0.0,
            Self::AtMost { ratio: None, .. }
            | Self::AtLeast { ratio: None, .. }
            | Self::Within { .. } => false,
        }
    }

    /// The value that an absolute limit allows; nothing for one relative to the control.
    pub fn absolute_value(self) -> Option<f64> {
        match self {
            Self::AtMost {
                ratio: None,
                offset,
            }
            | Self::AtLeast {
                ratio: None,
                offset,
            } => Some(offset),
            Self::AtMost { .. } | Self::AtLeast { .. } | Self::Within { .. } => None,
        }
    }

    /// How many times as far as the limit allows a canary is: more than 1 is beyond it. Nothing
    /// without the control that the limit needs.
    pub(crate) fn times_the_limit(self, canary: f64, control: Option<f64>) -> Option<f64> {
        let (ratio, offset, most) = match self {
            Self::AtMost { ratio, offset } => (ratio, offset, true),
            Self::AtLeast { ratio, offset } => (ratio, offset, false),
            Self::Within { tolerance } => {
                let sides =
                    Self::sides_of(tolerance).map(|side| side.times_the_limit(canary, control));
                return sides.into_iter().flatten().reduce(f64::max);
            }
        };
        let base = match ratio {
            Some(ratio) => ratio * control?,
            None => 0.0,
        };
        let allowed = base + offset;
        let (value, against) = if most {
            (canary, allowed)
        } else {
            (allowed, canary)
        };
        // A ratio says nothing of values below 0, nor of none against none.
        if value <= against {
            Some(1.0)
        } else if against > 0.0 {
            Some(value / against)
        } else {
            Some(f64::INFINITY)
        }
    }

    /// Whether the limit is the control's value times a factor and nothing else.
    pub fn is_plain_ratio(self) -> bool {
        match self {
            Self::AtMost { ratio, offset } | Self::AtLeast { ratio, offset } => {
                ratio.is_some() && offset.abs() <= 0.0
            }
            Self::Within { .. } => false,
        }
    }
}
