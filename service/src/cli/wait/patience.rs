//! How long to wait, and how long between two questions.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Longest time that can be waited: a hundred days.
const LONGEST: Duration = Duration::from_hours(100 * 24);

/// Share of a pause that is left to chance, so that many jobs do not ask at once.
const JITTER: f64 = 0.2;

/// Reads `90s`, `30m`, `4h50m`, `500ms`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = serinus_analysis::pipeline::parse_duration(text)
        .filter(|_| !text.trim().contains(char::is_whitespace))
        .ok_or_else(|| format!("{text:?} is not a time: write it like 90s, 30m or 4h50m"))?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|read| !read.is_zero() && *read <= LONGEST)
        .ok_or_else(|| format!("{text:?} is out of range: give more than 0 and up to 100d"))
}

/// The pauses between two questions.
#[derive(Debug)]
pub(super) struct Pause {
    usual: Duration,
    chance: RandomState,
    count: u64,
}

impl Pause {
    pub(super) fn new(usual: Duration) -> Self {
        Self {
            usual,
            chance: RandomState::new(),
            count: 0,
        }
    }

    /// The next pause: up to a tenth shorter or longer than usual.
    pub(super) fn next(&mut self) -> Duration {
        self.count += 1;
        let share = self.chance.hash_one(self.count) as f64 / u64::MAX as f64;
        self.usual.mul_f64(1.0 + JITTER * (share - 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let seconds = |text: &str| parse_duration(text).map(|read| read.as_secs_f64());
        assert_eq!(seconds("90s"), Ok(90.0));
        assert_eq!(seconds("4h50m"), Ok(17_400.0));
        assert_eq!(seconds("1.5m"), Ok(90.0));
        assert_eq!(seconds("500ms"), Ok(0.5));
        assert_eq!(seconds("1w"), Ok(604_800.0));
        for text in [
            "", "5", "-1s", "1x", "s", "1h-2m", "0s", "1e9d", "101d", "1 h",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pause_is_near_the_usual_one() {
        let mut pause = Pause::new(Duration::from_secs(10));
        for _ in 0..100 {
            let next = pause.next().as_secs_f64();
            assert!((9.0..=11.0).contains(&next), "{next}");
        }
    }
}
