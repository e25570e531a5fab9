//! Which labels the series of a total have, and which values of those that tell its events apart.
//!
//! Events that are some of the total's own series need no question to the source: what was read says
//! whether they could be told apart at all.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::query::Narrowing;
use crate::series::Series;

/// Most values of a label that are kept, the first by their letters: they are told, nothing more.
const MOST_VALUES: usize = 20;

/// The labels of the series of one population.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeriesLabels {
    /// The names of all labels; none where there are no series.
    pub names: BTreeSet<String>,
    /// What the labels are like that tell the events from the others, each by its name.
    pub telling: BTreeMap<String, TellingLabel>,
    /// Whether some series are no events.
    pub has_others: bool,
}

/// A label that tells events from other series.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TellingLabel {
    /// Some of its values.
    pub values: BTreeSet<String>,
    /// Whether some series lack it.
    pub is_lacked: bool,
    /// Whether the events' matchers of it take one of its values.
    pub is_taken: bool,
    /// Whether some value is not written as an HTTP status is.
    pub has_other_than_statuses: bool,
}

impl SeriesLabels {
    /// Takes in the series of a total, of which the narrowing tells the events.
    pub(crate) fn of<S: Borrow<Series>>(series: &[S], events: &Narrowing) -> Self {
        let mut seen = Self::default();
        let telling = events.labels();
        let with_samples = series.iter().map(S::borrow);
        for one in with_samples.filter(|one| !one.timestamps_ms.is_empty()) {
            for name in one.labels.keys() {
                if !seen.names.contains(name) {
                    seen.names.insert(name.clone());
                }
            }
            seen.has_others |= !events.keeps(&one.labels);
            for label in &telling {
                let own = seen.telling.entry((*label).to_owned()).or_default();
                own.take_in(one.labels.get(*label), |value| events.takes(label, value));
            }
        }
        seen
    }

    /// Takes in what another stretch of time showed.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.has_others |= other.has_others;
        for (label, found) in &other.telling {
            self.telling.entry(label.clone()).or_default().absorb(found);
        }
    }

    /// Whether there are no series.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether some series have a label.
    pub fn has(&self, label: &str) -> bool {
        self.names.contains(label)
    }

    /// Whether all series have a label.
    pub fn all_have(&self, label: &str) -> bool {
        self.has(label) && self.telling.get(label).is_none_or(|own| !own.is_lacked)
    }

    /// Whether any of the telling labels is on no series.
    pub(crate) fn lacks_some(&self) -> bool {
        self.telling.keys().any(|label| !self.has(label))
    }
}

impl TellingLabel {
    fn take_in(&mut self, value: Option<&String>, is_taken: impl Fn(&str) -> bool) {
        let Some(value) = value else {
            self.is_lacked = true;
            return;
        };
        // Most series have a value that another one has as well.
        if self.values.contains(value) {
            return;
        }
        self.is_taken |= is_taken(value);
        self.has_other_than_statuses |= !is_status(value);
        self.values.insert(value.clone());
        self.keep_the_first();
    }

    fn absorb(&mut self, other: &Self) {
        self.values.extend(other.values.iter().cloned());
        self.keep_the_first();
        self.is_lacked |= other.is_lacked;
        self.is_taken |= other.is_taken;
        self.has_other_than_statuses |= other.has_other_than_statuses;
    }

    /// The first of all, in whatever order they came.
    fn keep_the_first(&mut self) {
        while self.values.len() > MOST_VALUES {
            self.values.pop_last();
        }
    }
}

/// Whether a text is an HTTP status as it is written: three digits.
pub(crate) fn is_status(value: &str) -> bool {
    value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)]) -> Series {
        let labels = labels.iter();
        Series {
            labels: labels
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            timestamps_ms: vec![0],
            values: vec![1.0],
        }
    }

    fn seen(all: &[Series]) -> SeriesLabels {
        let failures = Narrowing::of("x", r#"x{code=~"5..",route!="/healthz"}"#).unwrap();
        SeriesLabels::of(all, &failures)
    }

    #[test]
    fn the_series_of_a_total_say_which_labels_could_tell_its_events() {
        let found = seen(&[
            series(&[("code", "200"), ("pod", "a")]),
            series(&[("code", "500"), ("pod", "a")]),
        ]);
        assert!(found.all_have("code") && found.has_others);
        let code = &found.telling["code"];
        assert!(code.is_taken && !code.has_other_than_statuses);
        assert!(!found.has("route") && found.lacks_some());
        assert!(found.telling["route"].is_lacked);
    }

    #[test]
    fn stretches_of_time_show_together_what_one_would_whatever_their_order() {
        let many: Vec<Series> = (0..50)
            .map(|index| series(&[("code", &format!("5{index:02}")), ("pod", "a")]))
            .chain([series(&[("pod", "b")])])
            .collect();
        let whole = seen(&many);
        assert_eq!(whole.telling["code"].values.len(), MOST_VALUES);
        let (early, late) = (seen(&many[..17]), seen(&many[17..]));
        for (one, other) in [(&early, &late), (&late, &early)] {
            let mut joined = one.clone();
            joined.absorb(other);
            assert_eq!(joined, whole);
        }
    }

    #[test]
    fn a_series_without_samples_is_not_there() {
        let mut empty = series(&[("code", "200")]);
        empty.timestamps_ms.clear();
        assert!(seen(&[empty]).is_empty());
    }
}
