//! Which time it is, when a wall clock may jump: numbers in, numbers out.
//!
//! The date is kept as how far it is ahead of the steady time. Small corrections of the wall clock
//! are followed at once. When it jumps, nobody knows at first whether it was right before or is
//! right now: it was set wrongly, or it was set right, or the machine slept, during which the steady
//! time stands still. Until that is known the date goes on by the steady time; the default source
//! decides, which says what time it is with every answer. Its clock is what data is stamped by.

use crate::time::{SteadyMillis, UnixMillis};

/// A wall clock that is set by up to this is followed. Little less than what a source tells, which
/// is in whole seconds and some time old, can tell apart.
const FOLLOWED_MS: i64 = 5_000;

/// A jump of more than this is told, and a source whose clock differs by less agrees.
const TOLD_MS: i64 = 60_000;

/// Both times at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// What the wall clock shows.
    pub(super) wall: UnixMillis,
    /// The time that only grows.
    pub(super) steady: SteadyMillis,
}

impl Reading {
    /// How far the wall clock is ahead of the steady time, in milliseconds.
    fn offset_ms(self) -> i64 {
        self.wall.get().saturating_sub(self.steady.get())
    }
}

/// What is new about the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockNews {
    /// The wall clock jumped by more than a minute: ahead, or back where this is negative.
    Jumped {
        /// By how much.
        by_ms: i64,
    },
    /// What time it is was in doubt and is no more.
    Settled {
        /// By how much the date moves with that: not at all when the time before was right.
        by_ms: i64,
        /// How far the wall clock is ahead of the right time.
        wall_ahead_ms: i64,
    },
}

/// What is known of the time.
#[derive(Debug)]
pub(super) struct Keeping {
    /// How far the date is ahead of the steady time.
    offset_ms: i64,
    /// How far the wall clock was, when it was looked at last.
    wall_offset_ms: i64,
    /// Whether the wall clock has jumped and it is not known whether it is right now.
    is_in_doubt: bool,
    /// Whether a source has ever agreed with the date.
    is_told: bool,
}

impl Keeping {
    pub(super) fn new(reading: Reading) -> Self {
        Self {
            offset_ms: reading.offset_ms(),
            wall_offset_ms: reading.offset_ms(),
            is_in_doubt: false,
            is_told: false,
        }
    }

    /// The date at a steady time.
    pub(super) fn date(&self, steady: SteadyMillis) -> UnixMillis {
        UnixMillis::new(steady.get().saturating_add(self.offset_ms))
    }

    /// Whether a source has agreed with the date and the wall clock has not jumped since.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_told && !self.is_in_doubt
    }

    /// How far the wall clock is ahead of the date, in milliseconds.
    pub(super) fn wall_ahead_ms(&self) -> i64 {
        self.wall_offset_ms.saturating_sub(self.offset_ms)
    }

    /// Whether the wall clock is so far from the date that somebody has to set it.
    pub(super) fn is_wall_wrong(&self) -> bool {
        self.wall_ahead_ms().saturating_abs() > TOLD_MS
    }

    /// Whether it is not known if the wall clock is right since it jumped.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// Looks at both clocks.
    pub(super) fn look(&mut self, reading: Reading) -> Vec<ClockNews> {
        let before = std::mem::replace(&mut self.wall_offset_ms, reading.offset_ms());
        let by_ms = self.wall_offset_ms.saturating_sub(before);
        let mut news = Vec::new();
        if by_ms.saturating_abs() > TOLD_MS {
            news.push(ClockNews::Jumped { by_ms });
        }
        if self.wall_ahead_ms().saturating_abs() <= FOLLOWED_MS {
            self.offset_ms = self.wall_offset_ms;
            if std::mem::take(&mut self.is_in_doubt) {
                news.push(self.settled(0));
            }
        } else if by_ms.saturating_abs() > FOLLOWED_MS {
            self.is_in_doubt = true;
        }
        news
    }

    /// The default source says what time it is. That counts while it is in doubt, and first of all:
    /// what it says later is only how long its answer was on its way.
    pub(super) fn hear(&mut self, reading: Reading, told: UnixMillis) -> Option<ClockNews> {
        if self.is_confirmed() {
            return None;
        }
        let told_offset_ms = told.get().saturating_sub(reading.steady.get());
        let away = |offset_ms: i64| told_offset_ms.saturating_sub(offset_ms).saturating_abs();
        let candidates = [self.offset_ms, reading.offset_ms()];
        let nearest = candidates.into_iter().min_by_key(|offset| away(*offset));
        // A clock that was wrong from the beginning is near to nothing.
        let right = nearest.filter(|offset_ms| away(*offset_ms) <= TOLD_MS);
        let right_ms = right.unwrap_or(told_offset_ms);
        let by_ms = right_ms.saturating_sub(self.offset_ms);
        self.wall_offset_ms = reading.offset_ms();
        self.offset_ms = right_ms;
        self.is_told = true;
        let was_in_doubt = std::mem::take(&mut self.is_in_doubt);
        let has_moved = by_ms.saturating_abs() > FOLLOWED_MS;
        (was_in_doubt || has_moved).then(|| self.settled(by_ms))
    }

    fn settled(&self, by_ms: i64) -> ClockNews {
        ClockNews::Settled {
            by_ms,
            wall_ahead_ms: self.wall_ahead_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_800_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn reading(wall_ms: i64, steady_ms: i64) -> Reading {
        Reading {
            wall: UnixMillis::new(wall_ms),
            steady: SteadyMillis::new(steady_ms),
        }
    }

    /// A clock that a source has confirmed, at a steady time of 0.
    fn confirmed() -> Keeping {
        let mut keeping = Keeping::new(reading(START_MS, 0));
        assert!(!keeping.is_confirmed());
        let news = keeping.hear(reading(START_MS, 0), UnixMillis::new(START_MS - 900));
        assert_eq!((news, keeping.is_confirmed()), (None, true));
        keeping
    }

    fn date_ms(keeping: &Keeping, steady_ms: i64) -> i64 {
        keeping.date(SteadyMillis::new(steady_ms)).get()
    }

    #[test]
    fn a_clock_that_is_set_by_seconds_is_followed_without_a_word() {
        let mut keeping = confirmed();
        for (set_by_ms, steady_ms) in [(4_000, 1_000), (-1_000, 2_000), (0, 3_000)] {
            let wall_ms = START_MS + steady_ms + set_by_ms;
            assert_eq!(keeping.look(reading(wall_ms, steady_ms)), []);
            assert_eq!(date_ms(&keeping, steady_ms), wall_ms);
            assert!(keeping.is_confirmed());
        }
    }

    #[test]
    fn a_jump_is_told_once_and_does_not_move_the_date() {
        for by_ms in [-HOUR_MS, 2 * HOUR_MS, -START_MS - HOUR_MS] {
            let mut keeping = confirmed();
            let jumped = START_MS + 1_000 + by_ms;
            let news = keeping.look(reading(jumped, 1_000));
            assert_eq!(news, [ClockNews::Jumped { by_ms }]);
            assert_eq!(keeping.look(reading(jumped + 50, 1_050)), []);
            assert_eq!(date_ms(&keeping, 1_050), START_MS + 1_050);
            assert!(!keeping.is_confirmed());
        }
    }

    #[test]
    fn a_clock_that_comes_back_by_itself_is_believed_again() {
        let mut keeping = confirmed();
        keeping.look(reading(START_MS + 2 * HOUR_MS, 0));
        let news = keeping.look(reading(START_MS + 12_000, 12_000));
        let by_ms = -2 * HOUR_MS;
        let settled = ClockNews::Settled {
            by_ms: 0,
            wall_ahead_ms: 0,
        };
        assert_eq!(news, [ClockNews::Jumped { by_ms }, settled]);
        assert_eq!(date_ms(&keeping, 12_000), START_MS + 12_000);
        assert!(keeping.is_confirmed());
    }

    #[test]
    fn a_source_says_that_the_clock_was_set_wrongly() {
        let mut keeping = confirmed();
        let wrong = reading(START_MS - HOUR_MS, 0);
        keeping.look(wrong);
        let news = keeping.hear(wrong, UnixMillis::new(START_MS - 1_400));
        let settled = ClockNews::Settled {
            by_ms: 0,
            wall_ahead_ms: -HOUR_MS,
        };
        assert_eq!(news, Some(settled));
        assert_eq!(date_ms(&keeping, 0), START_MS);
        // Settled for as long as the clock stays so far away.
        assert_eq!(keeping.look(reading(START_MS - HOUR_MS + 50, 50)), []);
        assert!(keeping.is_confirmed());
        assert_eq!(keeping.wall_ahead_ms(), -HOUR_MS);
    }

    #[test]
    fn a_source_says_that_the_machine_slept() {
        let mut keeping = confirmed();
        let awake = reading(START_MS + 8 * HOUR_MS, 0);
        keeping.look(awake);
        let told = UnixMillis::new(START_MS + 8 * HOUR_MS - 700);
        let settled = ClockNews::Settled {
            by_ms: 8 * HOUR_MS,
            wall_ahead_ms: 0,
        };
        assert_eq!(keeping.hear(awake, told), Some(settled));
        assert_eq!(date_ms(&keeping, 0), START_MS + 8 * HOUR_MS);
        assert!(keeping.is_confirmed());
    }

    #[test]
    fn a_jump_of_seconds_is_settled_without_being_told_first() {
        let mut keeping = confirmed();
        let set = reading(START_MS - 50_000, 0);
        assert_eq!(keeping.look(set), []);
        assert!(!keeping.is_confirmed());
        assert_eq!(date_ms(&keeping, 0), START_MS);
        keeping.hear(set, UnixMillis::new(START_MS - 50_900));
        assert_eq!(date_ms(&keeping, 0), START_MS - 50_000);
    }

    #[test]
    fn a_clock_that_was_wrong_from_the_beginning_is_put_right_by_the_first_answer() {
        for wrong_by_ms in [-HOUR_MS, 2 * HOUR_MS, -START_MS - HOUR_MS] {
            let wrong = reading(START_MS + wrong_by_ms, 0);
            let mut keeping = Keeping::new(wrong);
            let settled = ClockNews::Settled {
                by_ms: -wrong_by_ms,
                wall_ahead_ms: wrong_by_ms,
            };
            assert_eq!(
                keeping.hear(wrong, UnixMillis::new(START_MS)),
                Some(settled)
            );
            assert_eq!(date_ms(&keeping, 0), START_MS);
        }
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_moves_nothing() {
        let mut keeping = confirmed();
        let old = UnixMillis::new(START_MS - 2 * HOUR_MS);
        assert_eq!(keeping.hear(reading(START_MS, 0), old), None);
        assert_eq!(date_ms(&keeping, 0), START_MS);
    }

    #[test]
    fn no_number_overflows() {
        for (wall_ms, steady_ms) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN)] {
            let mut keeping = Keeping::new(reading(wall_ms, steady_ms));
            keeping.look(reading(steady_ms, wall_ms));
            keeping.hear(reading(wall_ms, wall_ms), UnixMillis::new(steady_ms));
            keeping.date(SteadyMillis::new(wall_ms));
        }
    }
}
