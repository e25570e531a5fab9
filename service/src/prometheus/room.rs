//! Room for answers: how much memory the answers of all sources may take, in the whole process.
//!
//! What is counted is the text of an answer that has arrived and is not read yet, and the samples that
//! were read of it, until they were counted. How much an answer will be is not known before it is there,
//! so room is taken as it comes, and whoever finds none waits: the source is not read on meanwhile.
//!
//! Readings that hold a part and wait for the rest could wait for each other for ever. So the room has
//! three parts:
//!
//! * a quarter is **common**. A reading may take of it what it leaves free for others, and no more:
//!   with many large readings at once each has little, and a small one always finds a place. (A. K.
//!   Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
//!   1998, does this with the buffers of a switch);
//! * half is for **one stage at a time**, the one that has waited since the earliest. It goes on
//!   whatever the others hold, so there is always one that comes to its end;
//! * a quarter is for one **past** at a time, which may take minutes, so that no stage waits for it.
//!
//! A reading that is larger than the part that it would have alone cannot be made, and is told so at
//! once, however much is free: what can be analysed does not depend on who else asks.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a reading is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadingOf {
    /// The window of a stage: somebody waits for it.
    Stage,
    /// The time before, read once and kept.
    Past,
}

/// A reading does not fit, even if there were no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {most_bytes} bytes are needed at once")]
pub(crate) struct NoRoom {
    /// The most that one reading may take.
    pub(crate) most_bytes: u64,
}

/// The room for the answers of a process.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: u64,
    taken: Mutex<Taken>,
    /// Told whenever room was given back.
    given_back: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// Every reading, in the order in which they began.
    readings: BTreeMap<u64, Reading>,
    next_number: u64,
    /// Bytes that are taken of the common part.
    common_bytes: u64,
    stage_turn: Option<u64>,
    past_turn: Option<u64>,
}

#[derive(Debug)]
struct Reading {
    of: ReadingOf,
    bytes: u64,
    /// How many of its answers wait for room.
    waiting: usize,
}

impl Taken {
    fn turn(&mut self, of: ReadingOf) -> &mut Option<u64> {
        match of {
            ReadingOf::Stage => &mut self.stage_turn,
            ReadingOf::Past => &mut self.past_turn,
        }
    }

    /// Whether a reading has the part that is for one at a time.
    fn has_turn(&mut self, number: u64, of: ReadingOf) -> bool {
        *self.turn(of) == Some(number)
    }

    /// Whether no other of its kind has the turn, or has waited for it since earlier.
    fn is_next(&mut self, number: u64, of: ReadingOf) -> bool {
        let is_free = self.turn(of).is_none();
        let mut earlier = self.readings.range(..number);
        is_free && !earlier.any(|(_, reading)| reading.of == of && reading.waiting > 0)
    }
}

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            taken: Mutex::default(),
            given_back: Notify::new(),
        })
    }

    /// Room without a limit: for commands that ask once and end.
    pub(crate) fn unlimited() -> Arc<Self> {
        Self::new(u64::MAX)
    }

    /// Begins a reading, which has taken nothing yet.
    pub(crate) fn begin(self: &Arc<Self>, of: ReadingOf) -> Arc<Share> {
        let mut taken = self.taken();
        let number = taken.next_number;
        taken.next_number += 1;
        let reading = Reading {
            of,
            bytes: 0,
            waiting: 0,
        };
        taken.readings.insert(number, reading);
        drop(taken);
        Arc::new(Share {
            room: Arc::clone(self),
            number,
            of,
        })
    }

    /// Bytes that are taken now.
    pub(crate) fn taken_bytes(&self) -> u64 {
        let taken = self.taken();
        taken.readings.values().map(|reading| reading.bytes).sum()
    }

    fn common_bytes(&self) -> u64 {
        self.bytes / 4
    }

    /// The most that one reading may take.
    fn most_bytes(&self, of: ReadingOf) -> u64 {
        match of {
            ReadingOf::Stage => self.bytes / 2,
            ReadingOf::Past => self.bytes / 4,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one reading has taken. All of it is given back when the last who has a part in it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    number: u64,
    of: ReadingOf,
}

impl Share {
    /// A part for one answer, empty yet.
    pub(super) fn part(self: &Arc<Self>) -> Part {
        Part {
            share: Arc::clone(self),
            bytes: 0,
        }
    }

    /// Takes more, if that can be now.
    fn try_take(&self, more: u64) -> Result<bool, NoRoom> {
        let room = &self.room;
        let mut taken = room.taken();
        let Some(reading) = taken.readings.get(&self.number) else {
            return Ok(true);
        };
        let (before, after) = (reading.bytes, reading.bytes.saturating_add(more));
        let most_bytes = room.most_bytes(self.of);
        if after > most_bytes {
            return Err(NoRoom { most_bytes });
        }
        if !taken.has_turn(self.number, self.of) {
            let free = room.common_bytes().saturating_sub(taken.common_bytes);
            let left_free = free.saturating_sub(more);
            if more <= free && after <= left_free {
                taken.common_bytes += more;
            } else if taken.is_next(self.number, self.of) {
                *taken.turn(self.of) = Some(self.number);
                taken.common_bytes = taken.common_bytes.saturating_sub(before);
                // What it had of the common part is free again.
                room.given_back.notify_waiters();
            } else {
                return Ok(false);
            }
        }
        if let Some(reading) = taken.readings.get_mut(&self.number) {
            reading.bytes = after;
        }
        Ok(true)
    }

    /// Takes what is needed already, room or not.
    fn take(&self, more: u64) {
        self.change(|bytes| bytes.saturating_add(more));
    }

    fn give_back(&self, bytes: u64) {
        self.change(|before| before.saturating_sub(bytes));
        self.room.given_back.notify_waiters();
    }

    fn change(&self, bytes: impl FnOnce(u64) -> u64) {
        let mut taken = self.room.taken();
        let is_common = !taken.has_turn(self.number, self.of);
        let Some(reading) = taken.readings.get_mut(&self.number) else {
            return;
        };
        let before = reading.bytes;
        let after = bytes(before);
        reading.bytes = after;
        if is_common {
            let others = taken.common_bytes.saturating_sub(before);
            taken.common_bytes = others.saturating_add(after);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        let had_turn = taken.has_turn(self.number, self.of);
        let reading = taken.readings.remove(&self.number);
        if had_turn {
            *taken.turn(self.of) = None;
        } else if let Some(reading) = reading {
            taken.common_bytes = taken.common_bytes.saturating_sub(reading.bytes);
        }
        drop(taken);
        self.room.given_back.notify_waiters();
    }
}

/// What one answer has taken of the share of its reading. Given back when it is dropped, unless it is
/// kept.
#[derive(Debug)]
pub(super) struct Part {
    share: Arc<Share>,
    bytes: u64,
}

impl Part {
    /// Takes room until it has so much, where there is any. Says whether there was.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] where waiting would not help.
    pub(super) fn try_grow_to(&mut self, bytes: u64) -> Result<bool, NoRoom> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !self.share.try_take(more)? {
            return Ok(false);
        }
        self.bytes += more;
        Ok(true)
    }

    /// Takes room until it has so much, and waits where there is none.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] where waiting would not help.
    pub(super) async fn grow_to(&mut self, bytes: u64) -> Result<(), NoRoom> {
        let share = Arc::clone(&self.share);
        let _waiting = Waiting::new(&share);
        loop {
            let mut given_back = pin!(share.room.given_back.notified());
            // Before it is looked: what is given back after that is not missed.
            given_back.as_mut().enable();
            if self.try_grow_to(bytes)? {
                return Ok(());
            }
            given_back.await;
        }
    }

    /// Says how much it has really become, whether or not there was room for it.
    pub(super) fn settle(&mut self, bytes: u64) {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) => self.share.take(more),
            None => self.share.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
    }

    /// Leaves it with the share, which gives it back with the rest.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.share.give_back(self.bytes);
        }
    }
}

/// An answer that waits for room, however that ends.
struct Waiting<'a>(&'a Share);

impl<'a> Waiting<'a> {
    fn new(share: &'a Share) -> Self {
        Self::count(share, |waiting| waiting + 1);
        Self(share)
    }

    fn count(share: &Share, change: impl FnOnce(usize) -> usize) {
        let mut taken = share.room.taken();
        if let Some(reading) = taken.readings.get_mut(&share.number) {
            reading.waiting = change(reading.waiting);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        Self::count(self.0, |waiting| waiting.saturating_sub(1));
        // The next in line may be another now.
        self.0.room.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
