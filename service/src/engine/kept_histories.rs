//! The histories that were read, packed so that a thousand services fit, and those being read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serinus_analysis::judge::{History, HistoryData};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::packed::{pack, unpack};

/// Most bytes of histories that are kept; beyond, those that were not asked for the longest are
/// read again. A day of four checks takes about 50 kB.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// What nobody has asked for in this time is forgotten: every hour has another window.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(90);

/// Histories that are also kept as they are judged with, for services with many rollouts.
const MOST_UNPACKED: usize = 16;

/// What was read.
#[derive(Debug, Clone)]
pub(super) enum Read {
    /// A history, packed.
    Seen(Arc<[u8]>),
    /// Why there is none.
    Other(History),
}

impl Read {
    pub(super) fn new(history: History) -> Self {
        match &history {
            History::Seen(data) => match pack(&**data) {
                Ok(bytes) => Self::Seen(bytes.into()),
                Err(_) => Self::Other(history),
            },
            _ => Self::Other(history),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Seen(bytes) => bytes.len(),
            Self::Other(_) => 0,
        }
    }
}

/// Empty until the history was read.
pub(super) type Told = watch::Receiver<Option<Read>>;

/// The histories by what they are of.
#[derive(Debug, Default)]
pub(super) struct Kept {
    entries: BTreeMap<String, Entry>,
    unpacked: VecDeque<(String, Arc<HistoryData>)>,
}

#[derive(Debug)]
struct Entry {
    told: Told,
    used_at: Instant,
}

impl Kept {
    /// One that was read, or is being read.
    pub(super) fn get(&mut self, key: &str) -> Option<Told> {
        let entry = self.entries.get_mut(key)?;
        // The task that read it may have ended without a word.
        let is_alive = entry.told.has_changed().is_ok() || entry.told.borrow().is_some();
        is_alive.then(|| {
            entry.used_at = Instant::now();
            entry.told.clone()
        })
    }

    pub(super) fn insert(&mut self, key: &str, told: Told) {
        let now = Instant::now();
        self.make_room(now, MOST_BYTES);
        let entry = Entry { told, used_at: now };
        self.entries.insert(key.to_owned(), entry);
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.entries.remove(key);
    }

    /// One that was unpacked lately.
    pub(super) fn unpacked(&mut self, key: &str) -> Option<Arc<HistoryData>> {
        let place = self.unpacked.iter().position(|(known, _)| known == key)?;
        let found = self.unpacked.remove(place)?;
        let data = Arc::clone(&found.1);
        self.unpacked.push_front(found);
        Some(data)
    }

    pub(super) fn note_unpacked(&mut self, key: &str, data: &Arc<HistoryData>) {
        self.unpacked.retain(|(known, _)| known != key);
        self.unpacked.push_front((key.to_owned(), Arc::clone(data)));
        self.unpacked.truncate(MOST_UNPACKED);
    }

    /// Forgets what nobody asks for, and of the rest what was not asked for the longest, until it
    /// is little enough. Who waits for one that is being read still gets it.
    fn make_room(&mut self, now: Instant, most_bytes: usize) {
        self.entries
            .retain(|_, entry| now.duration_since(entry.used_at) < FORGOTTEN_AFTER);
        let size = |entry: &Entry| entry.told.borrow().as_ref().map_or(0, Read::bytes);
        let mut bytes: usize = self.entries.values().map(size).sum();
        while bytes > most_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some(entry) = self.entries.remove(&key) {
                bytes -= size(&entry);
            }
        }
    }
}

/// A history as it is judged with; nothing where the bytes cannot be read.
pub(super) fn unpacked(bytes: &[u8]) -> Option<Arc<HistoryData>> {
    unpack(bytes).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize, used_at: Instant) -> Entry {
        let (_tell, told) = watch::channel(Some(Read::Seen(vec![0; bytes].into())));
        Entry { told, used_at }
    }

    #[test]
    fn the_history_that_was_not_asked_for_the_longest_makes_room() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut kept = Kept::default();
        for (key, used_at) in [("a", at(20)), ("b", at(10)), ("c", at(30))] {
            kept.entries.insert(key.to_owned(), entry(40, used_at));
        }
        kept.make_room(at(31), 100);
        assert!(kept.entries.keys().eq(["a", "c"]));
        kept.make_room(at(25) + FORGOTTEN_AFTER, 100);
        assert!(kept.entries.keys().eq(["c"]));
    }

    #[test]
    fn few_are_kept_as_they_are_judged_with() {
        use serinus_analysis::judge::{ControlSplit, MetricData, StageData};
        use serinus_analysis::series::{ArmCount, Grid, PairedCounts, PairedInterval};

        let count = ArmCount {
            events: 1.0,
            exposure: 100.0,
        };
        let intervals = (0..480).map(|first| PairedInterval {
            first,
            length: 1,
            control: count,
            canary: count,
        });
        let counts = PairedCounts {
            intervals: intervals.collect(),
            quality: <_>::default(),
        };
        let data = StageData {
            grid: Grid::covering(0, 14_400_000, 30_000),
            starts_with_stage: true,
            metrics: BTreeMap::from([("error_rate".to_owned(), MetricData::Counts(counts))]),
            source_warnings: BTreeMap::new(),
            history: History::default(),
            error_budget: None,
            canary_starts_ms: None,
        };
        let split = ControlSplit {
            canary_targets: 1,
            control_targets: 1,
            canary_share: 0.5,
        };
        let data = Arc::new(HistoryData::new(data, split).unwrap());
        let Read::Seen(bytes) = Read::new(History::Seen(Arc::clone(&data))) else {
            panic!("a history");
        };
        assert_eq!(unpacked(&bytes).as_ref(), Some(&data));
        assert!(bytes.len() < 4_000, "{} bytes", bytes.len());
        let mut kept = Kept::default();
        for number in 0..=MOST_UNPACKED {
            kept.note_unpacked(&number.to_string(), &data);
        }
        assert!(kept.unpacked("0").is_none());
        assert!(kept.unpacked("1").is_some());
    }
}
