//! When a method is asked for its verdict.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use super::error::OperatingError;

/// After which intervals somebody looks. The end of the rollout is always among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// After every n-th interval.
    Every(NonZeroUsize),
    /// At the end only.
    Once,
}

impl Looks {
    /// After every interval.
    pub const EVERY_INTERVAL: Self = Self::Every(NonZeroUsize::MIN);

    /// Whether somebody looks after `interval` (the first is 1) of a rollout of `intervals`.
    pub fn includes(self, interval: usize, intervals: usize) -> bool {
        interval == intervals
            || match self {
                Self::Every(step) => interval.is_multiple_of(step.get()),
                Self::Once => false,
            }
    }

    /// Returns the first look at or after `interval`.
    pub fn at_or_after(self, interval: usize, intervals: usize) -> usize {
        match self {
            Self::Every(step) => interval.next_multiple_of(step.get()).min(intervals),
            Self::Once => intervals,
        }
    }
}

impl FromStr for Looks {
    type Err = OperatingError;

    fn from_str(text: &str) -> Result<Self, OperatingError> {
        match text {
            "every" => Ok(Self::EVERY_INTERVAL),
            "once" => Ok(Self::Once),
            number => number
                .parse()
                .map(Self::Every)
                .map_err(|_| OperatingError::Looks {
                    text: text.to_owned(),
                }),
        }
    }
}

impl fmt::Display for Looks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(step) if step.get() == 1 => formatter.write_str("every"),
            Self::Every(step) => write!(formatter, "{step}"),
            Self::Once => formatter.write_str("once"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_always_looked_at() {
        for (text, looked_at) in [
            ("every", vec![1, 2, 3, 4, 5, 6, 7]),
            ("3", vec![3, 6, 7]),
            ("once", vec![7]),
        ] {
            let looks: Looks = text.parse().unwrap();
            let actual: Vec<usize> = (1..=7).filter(|&k| looks.includes(k, 7)).collect();
            assert_eq!(actual, looked_at);
            for interval in 1..=7 {
                let next = looked_at.iter().find(|&&look| look >= interval);
                assert_eq!(Some(&looks.at_or_after(interval, 7)), next);
            }
            assert_eq!(looks.to_string(), text);
        }
        assert!("0".parse::<Looks>().is_err());
        assert!("never".parse::<Looks>().is_err());
    }
}
