//! What was counted of the chunks of a window, kept so that it is read once: by however many
//! rollouts and however many polls.
//!
//! Nothing depends on what is kept here: a chunk that was forgotten is read again and counts the
//! same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serinus_analysis::data::DataFault;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::parts::Part;
use serinus_analysis::pipeline::MetricKind;
use serinus_analysis::questions::{Chunk, ChunkData};
use serinus_analysis::series::{Grid, Populations, TargetLabels};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use crate::packed::{Name, pack, unpack};

/// Most bytes that are kept; beyond, those that were not asked for the longest are forgotten. A
/// rollout of four checks takes about 1 kB for ten minutes.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What nobody has asked for in this time belongs to a rollout that is over.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(15);

/// How often it is looked what can be forgotten.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Everything that the counts of a chunk depend on beside its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subject(Name);

/// What a subject is the name of. A limit is read as a bound of its own in a histogram.
#[derive(Serialize)]
struct Asked<'a> {
    sources: Populations<&'a str>,
    populations: Populations<&'a Matchers>,
    region_label: &'a str,
    target_labels: &'a TargetLabels,
    regions: &'a [String],
    traffic_percent: f64,
    interval_ms: i64,
    metrics: BTreeMap<&'a str, (&'a MetricKind, Vec<f64>)>,
}

impl Subject {
    /// The subject of a stage's metrics and kill switches.
    pub(super) fn new(sources: Populations<&str>, part: &Part<'_>, grid: &Grid) -> Self {
        let (pipeline, stage) = (&*part.pipeline, &*part.stage);
        let populations = part.populations.as_ref();
        let mut metrics = BTreeMap::<&str, (&MetricKind, Vec<f64>)>::new();
        for check in stage.checks.iter().chain(&pipeline.kill_switch) {
            let metric = &check.measured;
            let (_, limits) = metrics
                .entry(&metric.name)
                .or_insert((&metric.kind, Vec::new()));
            limits.extend(check.limit.absolute_value());
        }
        Self(Name::of(&Asked {
            sources,
            populations,
            region_label: &pipeline.region_label,
            target_labels: &pipeline.target_labels,
            regions: &stage.regions,
            traffic_percent: stage.traffic_percent,
            interval_ms: grid.interval_ms(),
            metrics,
        }))
    }
}

/// What a chunk counted, as bytes.
pub(super) struct Packed(Vec<u8>);

impl Packed {
    pub(super) fn new(data: &ChunkData) -> Option<Self> {
        pack(data).ok().map(Self)
    }
}

/// What is kept of one subject.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Whole chunks by the time that they were counted from, and their end.
    whole: BTreeMap<(i64, i64), Vec<u8>>,
    /// The newest part of a chunk that goes on.
    newest: Option<(Grid, Vec<u8>)>,
    /// How the source failed last, and when.
    failed: Option<(Instant, DataFault)>,
}

impl Counted {
    /// What is kept of a chunk.
    pub(super) fn get(&self, chunk: &Chunk) -> Option<ChunkData> {
        let bytes = if chunk.is_whole() {
            self.whole.get(&time_of(chunk))?
        } else {
            let (grid, bytes) = self.newest.as_ref()?;
            (*grid == chunk.counted()).then_some(bytes)?
        };
        unpack(bytes).ok()
    }

    /// Keeps what a chunk counted, of which everything was answered.
    pub(super) fn keep(&mut self, chunk: &Chunk, Packed(bytes): Packed) {
        if chunk.is_whole() {
            self.whole.insert(time_of(chunk), bytes);
        } else {
            self.newest = Some((chunk.counted(), bytes));
        }
    }

    /// Notes that the source has failed.
    pub(super) fn fail(&mut self, fault: &DataFault) {
        self.failed = Some((Instant::now(), fault.clone()));
    }

    /// How the source failed since a time. Who has waited since then for the same chunks is told so:
    /// to ask again, one after the other, would take longer than anyone waits.
    pub(super) fn failed_since(&self, waited_from: Instant) -> Option<DataFault> {
        let (at, fault) = self.failed.as_ref()?;
        (*at >= waited_from).then(|| fault.clone())
    }

    fn bytes(&self) -> usize {
        let newest = self.newest.as_ref().map_or(0, |(_, bytes)| bytes.len());
        newest + self.whole.values().map(Vec::len).sum::<usize>()
    }
}

/// The time that a chunk was counted in.
fn time_of(chunk: &Chunk) -> (i64, i64) {
    let counted = chunk.counted();
    (counted.start_ms(), counted.end_ms())
}

/// What is kept of all subjects.
#[derive(Debug, Default)]
pub(super) struct Chunks(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    entries: BTreeMap<Subject, Entry>,
    bytes: usize,
    looked_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    counted: Arc<AsyncMutex<Counted>>,
    bytes: usize,
    used_at: Instant,
}

impl Chunks {
    /// What is kept of a subject. It is held locked while it is read, so that the same question of
    /// several rollouts is asked once.
    pub(super) fn of(&self, subject: Subject) -> Arc<AsyncMutex<Counted>> {
        let now = Instant::now();
        let mut kept = self.kept();
        let entry = kept.entries.entry(subject).or_insert_with(|| Entry {
            counted: Arc::default(),
            bytes: 0,
            used_at: now,
        });
        entry.used_at = now;
        Arc::clone(&entry.counted)
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        *self.kept() = Kept::default();
    }

    /// Notes how much is kept of a subject now, and makes room.
    pub(super) fn note(&self, subject: Subject, counted: &Counted) {
        let bytes = counted.bytes();
        let mut kept = self.kept();
        let Some(entry) = kept.entries.get_mut(&subject) else {
            return;
        };
        let before = std::mem::replace(&mut entry.bytes, bytes);
        kept.bytes = kept.bytes + bytes - before;
        kept.make_room(Instant::now(), MOST_BYTES);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn make_room(&mut self, now: Instant, most_bytes: usize) {
        let has_looked = self
            .looked_at
            .is_some_and(|at| now.duration_since(at) < LOOK_EVERY);
        if !has_looked {
            self.looked_at = Some(now);
            self.entries
                .retain(|_, entry| now.duration_since(entry.used_at) < FORGOTTEN_AFTER);
            self.bytes = self.entries.values().map(|entry| entry.bytes).sum();
        }
        while self.bytes > most_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used_at);
            let Some(subject) = oldest.map(|(subject, _)| *subject) else {
                return;
            };
            if let Some(entry) = self.entries.remove(&subject) {
                self.bytes -= entry.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize, used_at: Instant) -> Entry {
        Entry {
            counted: Arc::default(),
            bytes,
            used_at,
        }
    }

    fn subject(number: u8) -> Subject {
        Subject(Name::of(&number))
    }

    #[test]
    fn what_was_not_asked_for_the_longest_makes_room() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut kept = Kept::default();
        for (number, used_at) in [(0, at(20)), (1, at(10)), (2, at(30))] {
            kept.entries.insert(subject(number), entry(40, used_at));
        }
        kept.bytes = 120;
        kept.make_room(at(31), 100);
        let left: Vec<bool> = (0..3)
            .map(|number| kept.entries.contains_key(&subject(number)))
            .collect();
        assert_eq!((left, kept.bytes), (vec![true, false, true], 80));
    }

    #[test]
    fn a_failure_is_shared_by_those_who_waited_for_it() {
        let mut counted = Counted::default();
        let before = Instant::now();
        assert_eq!(counted.failed_since(before), None);
        let fault = DataFault {
            code: serinus_analysis::data::FaultCode::SourceSlow,
            message: "slow".to_owned(),
        };
        counted.fail(&fault);
        assert_eq!(counted.failed_since(before), Some(fault));
        let after = Instant::now() + Duration::from_millis(1);
        assert_eq!(counted.failed_since(after), None);
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let start = Instant::now();
        let late = start + FORGOTTEN_AFTER;
        let mut kept = Kept::default();
        kept.entries.insert(subject(0), entry(40, start));
        kept.entries.insert(subject(1), entry(40, late));
        kept.bytes = 80;
        kept.make_room(late, usize::MAX);
        assert_eq!((kept.entries.len(), kept.bytes), (1, 40));
    }
}
