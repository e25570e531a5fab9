//! Series that are one series read twice: by two monitors on one pod, by two replicas of a
//! Prometheus.
//!
//! They are equal but for labels of the scraping, and each value of one lies between the values of
//! the other before and after it. Doubled counts would make evidence too sure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::pace::Pace;
use super::track::Track;

/// A label that says who scraped, not what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScrapeLabel {
    /// The Prometheus, as its operator names it.
    Prometheus,
    /// The replica of a Prometheus, as its operator names it.
    PrometheusReplica,
    /// The replica, as Thanos, Mimir and Cortex name it.
    Replica,
    /// The job.
    Job,
    /// The named port of a monitor.
    Endpoint,
    /// The service of a monitor.
    Service,
    /// The monitor.
    Monitor,
}

impl ScrapeLabel {
    /// All of them, those first that say most.
    pub const ALL: [Self; 7] = [
        Self::PrometheusReplica,
        Self::Prometheus,
        Self::Replica,
        Self::Monitor,
        Self::Job,
        Self::Endpoint,
        Self::Service,
    ];

    /// The label's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::PrometheusReplica => "prometheus_replica",
            Self::Replica => "replica",
            Self::Job => "job",
            Self::Endpoint => "endpoint",
            Self::Service => "service",
            Self::Monitor => "monitor",
        }
    }

    fn is_name(label: &str) -> bool {
        Self::ALL.iter().any(|one| one.name() == label)
    }
}

/// Fewest values of one series that agree with values of the other that move.
const FEWEST_COMPARED: usize = 3;

/// How many of them may lie elsewhere, one of so many: the times of two scrapes may be inexact.
const ONE_ELSEWHERE_OF: usize = 10;

/// What is equal of two copies: which counts they add to, and all labels that are not of the scraping.
type Identity<'a> = (usize, Vec<(&'a str, &'a str)>);

/// The series of a target without copies, and the label that tells copies apart where there are any.
///
/// What one copy lacks because it began later or ended, another one has.
pub(super) fn without_copies(tracks: Vec<Track<'_>>) -> (Vec<Track<'_>>, Option<ScrapeLabel>) {
    let mut alike = BTreeMap::<Identity<'_>, Vec<Track<'_>>>::new();
    for track in tracks {
        let others = track.labels.iter();
        let others = others.filter(|(label, _)| !ScrapeLabel::is_name(label));
        let others = others.map(|(label, value)| (label.as_str(), value.as_str()));
        let identity = (track.column, others.collect());
        alike.entry(identity).or_default().push(track);
    }
    let mut compared = Compared::default();
    for group in alike.values_mut().filter(|group| group.len() > 1) {
        // The one with the most samples stands for all.
        group.sort_by(|one, other| {
            let by_samples = other.times_ms.len().cmp(&one.times_ms.len());
            by_samples.then_with(|| one.labels.cmp(other.labels))
        });
        if let Some((first, rest)) = group.split_first() {
            rest.iter().for_each(|other| compared.add(first, other));
        }
    }
    if !compared.are_copies() {
        return (alike.into_values().flatten().collect(), None);
    }
    let label = alike.values().find_map(|group| told_by(group));
    let merged = alike.into_values().filter_map(merge).collect();
    (merged, label)
}

/// How the values of series agree that may be copies.
#[derive(Debug, Default)]
struct Compared {
    between: usize,
    elsewhere: usize,
}

impl Compared {
    /// Holds each value of one series against the values of the other around it. What the other
    /// does not change tells nothing.
    fn add(&mut self, first: &Track<'_>, other: &Track<'_>) {
        for (at_ms, value) in other.samples() {
            let next = first.times_ms.partition_point(|&time_ms| time_ms < at_ms);
            let before = next
                .checked_sub(1)
                .and_then(|index| first.values.get(index));
            let (Some(&before), Some(&after)) = (before, first.values.get(next)) else {
                continue;
            };
            let is_equal = after.total_cmp(&value).is_eq();
            let is_same_time = first.times_ms.get(next) == Some(&at_ms);
            if before > after || (before.total_cmp(&after).is_eq() && is_equal) {
                // A restart between them, or nothing moved.
            } else if is_equal || (!is_same_time && before <= value && value <= after) {
                self.between += 1;
            } else {
                self.elsewhere += 1;
            }
        }
    }

    fn are_copies(&self) -> bool {
        self.between >= FEWEST_COMPARED
            && self.elsewhere * ONE_ELSEWHERE_OF <= self.between + self.elsewhere
    }
}

/// The first label of the scraping in which some series differ.
fn told_by(tracks: &[Track<'_>]) -> Option<ScrapeLabel> {
    ScrapeLabel::ALL.into_iter().find(|label| {
        let values: BTreeSet<_> = tracks
            .iter()
            .map(|track| track.labels.get(label.name()))
            .collect();
        values.len() > 1
    })
}

/// One series of some copies, the first of which stands for all where it has samples.
fn merge(tracks: Vec<Track<'_>>) -> Option<Track<'_>> {
    let mut tracks = tracks.into_iter();
    let mut merged = tracks.next()?;
    for other in tracks {
        let mut samples: Vec<(i64, f64)> = merged.samples().collect();
        let is_missing = |&(at_ms, _): &(i64, f64)| {
            let next = merged.times_ms.partition_point(|&time_ms| time_ms < at_ms);
            let before = next
                .checked_sub(1)
                .and_then(|index| merged.times_ms.get(index));
            let after = merged.times_ms.get(next);
            match (before, after) {
                (Some(before), Some(after)) => merged.pace.has_missed(after - before),
                (Some(before), None) => at_ms - before > merged.pace.due_ms(),
                (None, Some(after)) => after - at_ms > merged.pace.due_ms(),
                (None, None) => true,
            }
        };
        let found: Vec<(i64, f64)> = other.samples().filter(is_missing).collect();
        if found.is_empty() {
            continue;
        }
        samples.extend(found);
        samples.sort_by_key(|&(at_ms, _)| at_ms);
        samples.dedup_by_key(|&mut (at_ms, _)| at_ms);
        let (times_ms, values): (Vec<i64>, Vec<f64>) = samples.into_iter().unzip();
        let pace = Pace::of(&times_ms, &values, Some(merged.pace.period_ms), None);
        merged = Track {
            times_ms: Cow::Owned(times_ms),
            values: Cow::Owned(values),
            pace,
            ..merged
        };
    }
    Some(merged)
}
