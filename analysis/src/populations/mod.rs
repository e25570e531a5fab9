//! Whether both populations are what they are taken for: two versions of one service.
//!
//! A control that spans another service is compared with the canary all the same, and a series that is
//! in both is compared with itself. Neither shows in the counts, so the labels of the series are looked
//! at.
//!
//! Source: docs/design/gate.md, "Populations".

mod apart;
mod kind;
mod labels;
mod mix;

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::series::{Populations, Series, are_copies, labels_of_what_is_read};

pub use apart::not_apart;
pub use kind::{KindDifference, KindLevel, Kinds};
pub(crate) use labels::is_status;
pub use labels::{SeriesLabels, TellingLabel};
pub use mix::{Mix, OtherMix};

/// Most series of the control that one of the canary is compared with.
const MOST_COMPARED: usize = 8;

/// Most labels of a series that are told.
const MOST_LABELS: usize = 6;

/// What the labels of the series of some time say of both populations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Seen {
    kinds: Kinds,
    overlap: Option<String>,
    /// By metric, of shares that are not compared within strata.
    mixes: BTreeMap<String, Mix>,
}

impl Seen {
    /// Takes in the series of one counter, with all their labels. `counts_all` says that every request
    /// of both populations moves it: of other counters, a series that is not there tells nothing.
    pub fn take_in<S: Borrow<Series>>(&mut self, series: Populations<&[S]>, counts_all: bool) {
        if self.overlap.is_none() {
            self.overlap = overlap(series);
        }
        if counts_all {
            self.kinds.absorb(&Kinds::of(series));
        }
    }

    /// Takes in what another stretch of time showed.
    pub fn absorb(&mut self, other: &Self) {
        self.kinds.absorb(&other.kinds);
        if self.overlap.is_none() {
            self.overlap.clone_from(&other.overlap);
        }
        for (metric, mix) in &other.mixes {
            self.mixes.entry(metric.clone()).or_default().absorb(mix);
        }
    }

    /// Takes in the mix of a share's requests.
    pub fn take_in_mix(&mut self, metric: &str, mix: Mix) {
        self.mixes.insert(metric.to_owned(), mix);
    }

    /// The metrics whose populations get other mixes of requests.
    pub fn other_mixes(&self) -> BTreeMap<String, OtherMix> {
        let found = self.mixes.iter();
        found
            .filter_map(|(metric, mix)| Some((metric.clone(), mix.difference()?)))
            .collect()
    }

    /// One series that is in both populations.
    pub fn overlap(&self) -> Option<&str> {
        self.overlap.as_deref()
    }

    /// What the control spans that the canary has no part of.
    pub fn differences(&self) -> Vec<KindDifference> {
        self.kinds.differences()
    }
}

/// One series that is in both populations, as PromQL writes its labels; nothing where there is none: the
/// same labels on both sides, or the same but for labels of the scraping, and values that agree.
///
/// The labels must be all that the series have: without those that tell series apart, different ones
/// look the same.
pub fn overlap<S: Borrow<Series>>(series: Populations<&[S]>) -> Option<String> {
    let with_samples = |one: &&Series| !one.timestamps_ms.is_empty();
    let mut control = BTreeMap::<Vec<(&str, &str)>, Vec<&Series>>::new();
    let all = series.control.iter().map(S::borrow);
    for one in all.filter(with_samples) {
        control
            .entry(labels_of_what_is_read(&one.labels))
            .or_default()
            .push(one);
    }
    let mut canary = series.canary.iter().map(S::borrow).filter(with_samples);
    let in_both = canary.find(|one| {
        let like_it = control
            .get(&labels_of_what_is_read(&one.labels))
            .into_iter()
            .flatten();
        like_it
            .take(MOST_COMPARED)
            .any(|other| one.labels == other.labels || are_copies(one, other))
    })?;
    let labels = in_both.labels.iter().take(MOST_LABELS);
    let texts: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    Some(format!("{{{}}}", texts.join(",")))
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    fn series(labels: &[(&str, &str)], samples: usize) -> Series {
        Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            timestamps_ms: (0..).take(samples).collect(),
            values: vec![1.0; samples],
        }
    }

    fn in_both(control: &[Series], canary: &[Series]) -> Option<String> {
        overlap(Populations { control, canary })
    }

    #[test]
    fn the_same_labels_on_both_sides_are_one_series() {
        let stable = series(&[("code", "200"), ("pod", "shop-0")], 2);
        let next = series(&[("code", "200"), ("pod", "shop-next-0")], 2);
        assert_eq!(
            in_both(slice::from_ref(&stable), slice::from_ref(&next)),
            None
        );
        assert_eq!(
            in_both(&[stable, next.clone()], &[next]),
            Some("{code=\"200\",pod=\"shop-next-0\"}".to_owned())
        );
    }

    #[test]
    fn what_was_seen_of_an_overlap_stays_seen() {
        let next = series(&[("pod", "shop-next-0")], 2);
        let both = Populations {
            control: &[next.clone()][..],
            canary: &[next][..],
        };
        let mut early = Seen::default();
        early.take_in(both, false);
        let mut whole = Seen::default();
        whole.absorb(&early);
        whole.absorb(&Seen::default());
        assert_eq!(whole.overlap(), Some("{pod=\"shop-next-0\"}"));
        assert!(whole.differences().is_empty());
    }

    #[test]
    fn a_series_without_samples_is_in_neither() {
        let empty = series(&[("pod", "shop-0")], 0);
        assert_eq!(
            in_both(slice::from_ref(&empty), slice::from_ref(&empty)),
            None
        );
        assert_eq!(in_both(&[], &[]), None);
    }
}
