//! Series that are one series read twice: by two monitors on one pod, by two replicas of a
//! Prometheus.
//!
//! They are equal but for labels of the scraping, and each value of one lies between the values of
//! the other before and after it. Doubled counts would make evidence too sure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pace::{Pace, Usual};
use super::track::Track;
use super::{Sampling, Series};

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
const FEWEST_COMPARED: usize = 5;

/// Most series of a group that each is compared with.
const MOST_COMPARED: usize = 8;

/// How many of them may lie elsewhere, one of so many: the times of two scrapes may be inexact.
const ONE_ELSEWHERE_OF: usize = 25;

/// What is equal of two copies: which counts they add to, and all labels that are not of the scraping.
type Identity<'a> = (usize, Vec<(&'a str, &'a str)>);

/// The labels of the scraping in which two series differ, with both values.
type Difference<'a> = Vec<(ScrapeLabel, [Option<&'a str>; 2])>;

/// The series of a target without copies, and the label that tells copies apart where there are any.
///
/// What one copy lacks because it began later or ended, another one has. Two series that move too little
/// to be compared are copies where others of the target are that differ in the same way, and none that
/// differs so is not.
pub(super) fn without_copies(tracks: Vec<Track<'_>>) -> (Vec<Track<'_>>, Option<ScrapeLabel>) {
    let mut alike = BTreeMap::<Identity<'_>, Vec<Track<'_>>>::new();
    for track in tracks {
        let identity = (track.column, labels_of_what_is_read(track.labels));
        alike.entry(identity).or_default().push(track);
    }
    if alike.values().all(|group| group.len() == 1) {
        return (alike.into_values().flatten().collect(), None);
    }
    for group in alike.values_mut() {
        // The one with the most samples stands for all.
        group.sort_by(|one, other| {
            let by_samples = other.times_ms.len().cmp(&one.times_ms.len());
            by_samples.then_with(|| one.labels.cmp(other.labels))
        });
    }
    let decided = decided(alike.values());
    let mut label = None;
    let mut all = Vec::new();
    for group in alike.into_values() {
        let mut copies: Vec<Vec<Track<'_>>> = Vec::new();
        for track in group {
            let of = copies.iter_mut().find(|copies| {
                let first = copies.first();
                first.is_some_and(|first| are_one(first, &track, &decided))
            });
            match of {
                Some(copies) => {
                    let first = copies.first();
                    label = label.or_else(|| Some(difference(first?, &track).first()?.0));
                    copies.push(track);
                }
                None => copies.push(vec![track]),
            }
        }
        all.extend(copies.into_iter().filter_map(merge));
    }
    (all, label)
}

/// Whether two series are one that was read twice: their values agree, whatever labels of the scraping
/// tell them apart.
pub(crate) fn are_copies(one: &Series, other: &Series) -> bool {
    if labels_of_what_is_read(&one.labels) != labels_of_what_is_read(&other.labels) {
        return false;
    }
    let sampling = Sampling::Scrapes { from_ms: i64::MIN };
    let track = |series| Track::of(series, 0, sampling, Usual::default(), None).0;
    Compared::of(&track(one), &track(other)).verdict() == Some(true)
}

/// The labels that are not of the scraping: two series with the same may be one that was read twice.
pub(crate) fn labels_of_what_is_read(labels: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    let others = labels.iter();
    let others = others.filter(|(label, _)| !ScrapeLabel::is_name(label));
    others
        .map(|(label, value)| (label.as_str(), value.as_str()))
        .collect()
}

/// In what two series differ, by the labels of the scraping.
fn difference<'a>(one: &Track<'a>, other: &Track<'a>) -> Difference<'a> {
    let value =
        |track: &Track<'a>, label: ScrapeLabel| track.labels.get(label.name()).map(String::as_str);
    let all = ScrapeLabel::ALL.into_iter();
    let values = all.map(|label| (label, [value(one, label), value(other, label)]));
    let mut differing: Difference<'a> = values.filter(|(_, [one, other])| one != other).collect();
    // Which of the two is the first does not matter.
    let is_reversed = differing
        .first()
        .is_some_and(|(_, [one, other])| one > other);
    if is_reversed {
        for (_, values) in &mut differing {
            values.reverse();
        }
    }
    differing
}

/// The differences of which pairs that move tell whether they are those of copies.
fn decided<'g, 'a: 'g>(
    groups: impl Iterator<Item = &'g Vec<Track<'a>>>,
) -> BTreeMap<Difference<'a>, bool> {
    let mut decided = BTreeMap::new();
    for group in groups {
        for (index, one) in group.iter().enumerate() {
            for other in group.iter().skip(index + 1).take(MOST_COMPARED) {
                if let Some(verdict) = Compared::of(one, other).verdict() {
                    let known = decided.entry(difference(one, other)).or_insert(true);
                    *known &= verdict;
                }
            }
        }
    }
    decided
}

fn are_one<'a>(
    one: &Track<'a>,
    other: &Track<'a>,
    decided: &BTreeMap<Difference<'a>, bool>,
) -> bool {
    let compared = Compared::of(one, other);
    let by_others = || decided.get(&difference(one, other)).copied();
    let untold = || compared.elsewhere == 0 && by_others().unwrap_or(false);
    compared.verdict().unwrap_or_else(untold)
}

/// How the values of two series agree that may be copies.
#[derive(Debug, Default)]
struct Compared {
    between: usize,
    elsewhere: usize,
}

impl Compared {
    /// Holds each value of one series against the values of the other around it. What the other
    /// does not change tells nothing.
    fn of(first: &Track<'_>, other: &Track<'_>) -> Self {
        let mut compared = Self::default();
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
                compared.between += 1;
            } else {
                compared.elsewhere += 1;
            }
        }
        compared
    }

    /// Whether they are copies; nothing where too little moved to tell.
    fn verdict(&self) -> Option<bool> {
        let all = self.between + self.elsewhere;
        let agree = self.elsewhere * ONE_ELSEWHERE_OF <= all;
        (all >= FEWEST_COMPARED).then_some(agree)
    }
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
        let pace = Pace::of(
            &times_ms,
            &values,
            Some(merged.pace.period_ms),
            Usual::default(),
        );
        merged = Track {
            times_ms: Cow::Owned(times_ms),
            values: Cow::Owned(values),
            pace,
            ..merged
        };
    }
    Some(merged)
}
