//! The counts behind the [places](super): a pure machine, without a clock or a runtime.

use std::cmp::Reverse;
use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use tokio_util::sync::CancellationToken;

use crate::http::admission::Class;

/// The places are divided by this: one part is kept, and one address has at most one.
const PARTS: usize = 4;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It has not asked yet.
    Idle,
    /// The last that it asked for was no gate.
    Other,
    /// The last that it asked for was a gate or an adapter.
    Gate,
}

impl From<Class> for Purpose {
    fn from(class: Class) -> Self {
        match class {
            Class::Gate => Self::Gate,
            Class::Other => Self::Other,
        }
    }
}

/// Why a request gets no answer on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Crowded {
    /// Its address has as many others that are being answered as one may have.
    ByItsAddress,
    /// There are as many others that are being answered as there may be.
    ByAll,
}

/// One value for each purpose.
#[derive(Debug, Default)]
struct ByPurpose<T> {
    idle: T,
    other: T,
    gate: T,
}

impl<T> ByPurpose<T> {
    fn of(&self, purpose: Purpose) -> &T {
        match purpose {
            Purpose::Idle => &self.idle,
            Purpose::Other => &self.other,
            Purpose::Gate => &self.gate,
        }
    }

    fn of_mut(&mut self, purpose: Purpose) -> &mut T {
        match purpose {
            Purpose::Idle => &mut self.idle,
            Purpose::Other => &mut self.other,
            Purpose::Gate => &mut self.gate,
        }
    }
}

/// Connections of one purpose.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    answering: usize,
}

impl ByPurpose<Count> {
    fn held(&self) -> usize {
        self.not_kept() + self.gate.all
    }

    fn not_kept(&self) -> usize {
        self.idle.all + self.other.all
    }
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Network {
    counts: ByPurpose<Count>,
    /// Those that rest, by their turn: the first has rested longest.
    resting: ByPurpose<BTreeMap<u64, u64>>,
}

/// What is known of one connection.
#[derive(Debug)]
struct Entry {
    network: IpAddr,
    purpose: Purpose,
    standing: Standing,
    close: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Since this turn. Half a request is none: it rests as well.
    Resting(u64),
    Answering,
    /// It was told to go, and its place is free.
    Leaving,
}

#[derive(Debug)]
pub(super) struct Registry {
    pub(super) most: usize,
    entries: HashMap<u64, Entry>,
    networks: HashMap<IpAddr, Network>,
    counts: ByPurpose<Count>,
    /// Counts entering and coming to rest: an order in time without a clock.
    turn: u64,
    /// How many had to make room.
    pub(super) closed: u64,
}

impl Registry {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            entries: HashMap::new(),
            networks: HashMap::new(),
            counts: ByPurpose::default(),
            turn: 0,
            closed: 0,
        }
    }

    /// Most that idle connections and others hold.
    fn most_not_kept(&self) -> usize {
        self.most - self.most / PARTS
    }

    /// Most of them from one address.
    fn most_of_one(&self) -> usize {
        (self.most / PARTS).max(1)
    }

    pub(super) fn enter(&mut self, network: IpAddr) -> Option<(u64, CancellationToken)> {
        self.make_room_for_one_not_kept(network);
        if self.counts.held() >= self.most && !self.close_first() {
            return None;
        }
        self.turn += 1;
        let id = self.turn;
        let close = CancellationToken::new();
        let entry = Entry {
            network,
            purpose: Purpose::Idle,
            standing: Standing::Resting(id),
            close: close.clone(),
        };
        self.entries.insert(id, entry);
        let held = self.networks.entry(network).or_default();
        held.resting.idle.insert(id, id);
        self.count(network, Purpose::Idle, |count| count.all += 1);
        Some((id, close))
    }

    /// A request has come: whether it may be answered.
    pub(super) fn begin(&mut self, id: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        let Standing::Resting(turn) = entry.standing else {
            return entry.standing == Standing::Answering;
        };
        entry.standing = Standing::Answering;
        let (network, purpose) = (entry.network, entry.purpose);
        if let Some(held) = self.networks.get_mut(&network) {
            held.resting.of_mut(purpose).remove(&turn);
        }
        self.count(network, purpose, |count| count.answering += 1);
        true
    }

    /// What the request asks for.
    pub(super) fn ask(&mut self, id: u64, purpose: Purpose) -> Result<(), Crowded> {
        let Some(entry) = self.entries.get(&id) else {
            return Ok(());
        };
        let (network, before) = (entry.network, entry.purpose);
        if purpose == Purpose::Other {
            self.check_room_for_an_answer(network, before)?;
        }
        if before == purpose {
            return Ok(());
        }
        if before == Purpose::Gate {
            self.make_room_for_one_not_kept(network);
        }
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.purpose = purpose;
        }
        self.count(network, purpose, |count| {
            count.all += 1;
            count.answering += 1;
        });
        self.count(network, before, |count| {
            count.all -= 1;
            count.answering -= 1;
        });
        Ok(())
    }

    /// The request was answered.
    pub(super) fn rest(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        if entry.standing != Standing::Answering {
            return;
        }
        self.turn += 1;
        let turn = self.turn;
        entry.standing = Standing::Resting(turn);
        let (network, purpose) = (entry.network, entry.purpose);
        if let Some(held) = self.networks.get_mut(&network) {
            held.resting.of_mut(purpose).insert(turn, id);
        }
        self.count(network, purpose, |count| count.answering -= 1);
    }

    /// The connection has ended.
    pub(super) fn leave(&mut self, id: u64) {
        // Its place was free from the moment that it was told to go.
        self.free(id);
        self.entries.remove(&id);
    }

    /// Others may be answered on half of what they may hold, so that there are always connections
    /// to close for those who come.
    fn check_room_for_an_answer(&self, network: IpAddr, before: Purpose) -> Result<(), Crowded> {
        let itself = usize::from(before == Purpose::Other);
        let of_it = self.networks.get(&network);
        let of_it = of_it.map_or(0, |held| held.counts.other.answering);
        if of_it.saturating_sub(itself) >= (self.most_of_one() / 2).max(1) {
            return Err(Crowded::ByItsAddress);
        }
        if self.counts.other.answering.saturating_sub(itself) >= (self.most_not_kept() / 2).max(1) {
            return Err(Crowded::ByAll);
        }
        Ok(())
    }

    /// Makes a connection go where one more that is no gate would be too many.
    fn make_room_for_one_not_kept(&mut self, network: IpAddr) {
        let of_it = self.networks.get(&network);
        let of_it = of_it.map_or(0, |held| held.counts.not_kept());
        if of_it >= self.most_of_one() {
            let is_made =
                self.close_of(network, Purpose::Idle) || self.close_of(network, Purpose::Other);
            if is_made {
                return;
            }
        }
        if self.counts.not_kept() >= self.most_not_kept() {
            let _ = self.close_one(Purpose::Idle) || self.close_one(Purpose::Other);
        }
    }

    /// Makes the first go that can. Whether there was one.
    pub(super) fn close_first(&mut self) -> bool {
        [Purpose::Idle, Purpose::Other, Purpose::Gate]
            .into_iter()
            .any(|purpose| self.close_one(purpose))
    }

    /// Makes one that rests go, of the address that has most of them. Whether there was one.
    fn close_one(&mut self, purpose: Purpose) -> bool {
        let fullest = self.networks.iter().max_by_key(|(_network, held)| {
            let resting = held.resting.of(purpose);
            let first = resting.first_key_value().map(|(turn, _id)| *turn);
            (resting.len(), Reverse(first))
        });
        let Some((network, _held)) = fullest else {
            return false;
        };
        self.close_of(*network, purpose)
    }

    /// Makes the one of this address go that has rested longest. Whether there was one.
    fn close_of(&mut self, network: IpAddr, purpose: Purpose) -> bool {
        let held = self.networks.get(&network);
        let first = held.and_then(|held| held.resting.of(purpose).first_key_value());
        let Some((_turn, id)) = first else {
            return false;
        };
        let id = *id;
        self.free(id);
        if let Some(entry) = self.entries.get(&id) {
            entry.close.cancel();
        }
        self.closed += 1;
        true
    }

    /// Frees the place of a connection, which holds nothing afterwards.
    fn free(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let (network, purpose, standing) = (entry.network, entry.purpose, entry.standing);
        entry.standing = Standing::Leaving;
        match standing {
            Standing::Leaving => {}
            Standing::Answering => self.count(network, purpose, |count| {
                count.all -= 1;
                count.answering -= 1;
            }),
            Standing::Resting(turn) => {
                if let Some(held) = self.networks.get_mut(&network) {
                    held.resting.of_mut(purpose).remove(&turn);
                }
                self.count(network, purpose, |count| count.all -= 1);
            }
        }
    }

    /// Counts for all and for the address, which is forgotten with its last connection.
    fn count(&mut self, network: IpAddr, purpose: Purpose, change: impl Fn(&mut Count)) {
        change(self.counts.of_mut(purpose));
        if let MapEntry::Occupied(mut held) = self.networks.entry(network) {
            change(held.get_mut().counts.of_mut(purpose));
            if held.get().counts.held() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests;
