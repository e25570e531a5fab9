//! The histories that were read, and those being read.

use std::collections::BTreeMap;
use std::time::Duration;

use serinus_analysis::data::{GaugeBefore, History};
use serinus_analysis::proof::Pods;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::packed::Name;

/// Most measurements of noise that are kept, in all histories together; beyond, those that were not
/// asked for the longest are read again. One takes about 300 bytes, and a stage has one for each metric
/// and one for each bucket of a histogram.
const MOST_MEASURED: usize = 100_000;

/// What nobody has asked for in this time is forgotten: every hour has another window.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(90);

/// What the control did before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Past {
    /// The noise between two groups of its pods.
    pub(super) history: History,
    /// What its pods differed by, by metric.
    pub(super) pods: BTreeMap<String, Pods>,
    /// What its gauges varied by, by metric.
    pub(super) gauges: BTreeMap<String, GaugeBefore>,
}

impl Past {
    /// Of which no pods are known.
    pub(super) fn without(history: History) -> Self {
        Self {
            history,
            pods: BTreeMap::new(),
            gauges: BTreeMap::new(),
        }
    }
}

/// Empty until the history was read.
pub(super) type Told = watch::Receiver<Option<Past>>;

/// The histories by what they are of.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<Name, Entry>);

#[derive(Debug)]
struct Entry {
    told: Told,
    used_at: Instant,
}

impl Entry {
    /// Measurements of noise in it.
    fn measured(&self) -> usize {
        match &*self.told.borrow() {
            Some(past) => {
                let pods = past.pods.values().map(Pods::count).sum::<usize>();
                let pods = pods + past.gauges.len();
                match &past.history {
                    History::Seen(history) => history.noise().len() + pods,
                    History::Absent(_) | History::Refused(_) | History::Late(_) => pods,
                }
            }
            None => 0,
        }
    }
}

impl Kept {
    /// One that was read, or is being read.
    pub(super) fn get(&mut self, key: Name) -> Option<Told> {
        let entry = self.0.get_mut(&key)?;
        // The task that read it may have ended without a word.
        let is_alive = entry.told.has_changed().is_ok() || entry.told.borrow().is_some();
        is_alive.then(|| {
            entry.used_at = Instant::now();
            entry.told.clone()
        })
    }

    pub(super) fn insert(&mut self, key: Name, told: Told) {
        let now = Instant::now();
        self.make_room(now, MOST_MEASURED);
        let entry = Entry { told, used_at: now };
        self.0.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: Name) {
        self.0.remove(&key);
    }

    /// Forgets what nobody asks for, and of the rest what was not asked for the longest, until it
    /// is little enough. Who waits for one that is being read still gets it.
    fn make_room(&mut self, now: Instant, most_measured: usize) {
        self.0
            .retain(|_, entry| now.duration_since(entry.used_at) < FORGOTTEN_AFTER);
        let mut measured: usize = self.0.values().map(Entry::measured).sum();
        while measured > most_measured {
            let oldest = self.0.iter().min_by_key(|(_, entry)| entry.used_at);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            if let Some(entry) = self.0.remove(&key) {
                measured -= entry.measured();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::measured;
    use super::*;

    fn entry(history: History, used_at: Instant) -> Entry {
        let past = Past {
            history,
            ..Past::without(History::default())
        };
        let (_tell, told) = watch::channel(Some(past));
        Entry { told, used_at }
    }

    #[test]
    fn the_history_that_was_not_asked_for_the_longest_makes_room() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut kept = Kept::default();
        let key = |text: &str| Name::of(&text);
        for (text, used_at) in [("a", at(20)), ("b", at(10)), ("c", at(30))] {
            kept.0.insert(key(text), entry(measured(1.0), used_at));
        }
        let left = |kept: &Kept| ["a", "b", "c"].map(|text| kept.0.contains_key(&key(text)));
        kept.make_room(at(31), 3);
        assert_eq!(kept.0.len(), 3);
        kept.make_room(at(31), 2);
        assert_eq!(left(&kept), [true, false, true]);
        kept.make_room(at(25) + FORGOTTEN_AFTER, 2);
        assert_eq!(left(&kept), [false, false, true]);
    }
}
