//! What was counted or measured, apart by name: by pod, because how much pods of one version differ is what
//! one of them has to be told from; by stratum, because populations with other mixes of them cannot be
//! compared as a whole.
//!
//! Source: docs/design/reading-prometheus.md, "Pods", "Strata".

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Lives;
use super::pod::pod_hash;

/// Most names of a population that are kept apart. Which of them is chosen by the names alone, so that each
/// chunk of a window chooses the same.
const MOST_NAMES: usize = 400;

/// Something of each pod (or stratum) of one population, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Apart<T> {
    /// The names of those that have something in any row, ascending.
    pub names: Vec<String>,
    /// For each row what they had: the place of each among [`Self::names`], ascending. One that had nothing
    /// is not there.
    pub rows: Vec<Vec<(u32, T)>>,
}

impl<T> Default for Apart<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// Which rows of a part one row adds up, and which of those made before it takes away again.
pub(super) type Made = (Range<usize>, Range<usize>);

/// The rows that are made of one part.
#[derive(Debug)]
pub(super) struct MadeOf<'a, T> {
    /// The part.
    pub(super) part: &'a Apart<T>,
    /// The rows.
    pub(super) rows: &'a [Made],
}

impl<T> Apart<T> {
    /// Whether there may be names that are not kept: there are as many as are kept at most.
    pub fn is_full(&self) -> bool {
        self.names.len() >= MOST_NAMES
    }
}

impl<T: Clone> Apart<T> {
    /// Puts together what each had, by row.
    pub(super) fn of_names(rows: usize, mut pods: BTreeMap<String, Vec<(usize, T)>>) -> Self {
        pods.retain(|_, had| !had.is_empty());
        for pod in beyond_most(pods.keys()) {
            pods.remove(&pod);
        }
        let mut made = Self {
            names: Vec::with_capacity(pods.len()),
            rows: vec![Vec::new(); rows],
        };
        for (place, (pod, had)) in (0..).zip(pods) {
            made.names.push(pod);
            for (row, value) in had {
                if let Some(row) = made.rows.get_mut(row) {
                    row.push((place, value));
                }
            }
        }
        made
    }

    /// Makes rows of those of parts, in their order. `add` and `take_away` say what two values make.
    pub(super) fn join(
        parts: &[MadeOf<'_, T>],
        add: impl Fn(T, T) -> T,
        take_away: impl Fn(T, T) -> T,
    ) -> Self {
        let names = parts.iter().flat_map(|made| &made.part.names);
        let mut known: BTreeSet<String> = names.cloned().collect();
        for pod in beyond_most(known.iter()) {
            known.remove(&pod);
        }
        let pods: Vec<String> = known.into_iter().collect();
        let mut rows: Vec<Vec<(u32, T)>> = Vec::new();
        for MadeOf { part, rows: made } in parts {
            let places: Vec<Option<u32>> =
                part.names.iter().map(|pod| place_of(&pods, pod)).collect();
            for (added, told) in *made {
                let mut row = BTreeMap::new();
                let added = part.rows.get(added.clone()).unwrap_or_default();
                for (place, value) in added.iter().flatten() {
                    let place = places.get(*place as usize).copied().flatten();
                    if let Some(place) = place {
                        let value = value.clone();
                        let sum = match row.remove(&place) {
                            Some(sum) => add(sum, value),
                            None => value,
                        };
                        row.insert(place, sum);
                    }
                }
                let told = rows.get(told.clone()).unwrap_or_default();
                for (place, value) in told.iter().flatten() {
                    if let Some(sum) = row.remove(place) {
                        row.insert(*place, take_away(sum, value.clone()));
                    }
                }
                rows.push(row.into_iter().collect());
            }
        }
        Self { names: pods, rows }.without_absent()
    }

    /// What two have in the same rows. `add` says what two values of one name make.
    #[must_use]
    pub(super) fn beside(&self, other: &Self, add: impl Fn(T, T) -> T) -> Self {
        let mut of_names = BTreeMap::<String, BTreeMap<usize, T>>::new();
        for part in [self, other] {
            for (row, had) in part.rows.iter().enumerate() {
                for (place, value) in had {
                    if let Some(name) = part.names.get(*place as usize) {
                        let of_name = of_names.entry(name.clone()).or_default();
                        let sum = match of_name.remove(&row) {
                            Some(sum) => add(sum, value.clone()),
                            None => value.clone(),
                        };
                        of_name.insert(row, sum);
                    }
                }
            }
        }
        let rows = self.rows.len().max(other.rows.len());
        let of_names = of_names.into_iter();
        let had = of_names.map(|(name, had)| (name, had.into_iter().collect()));
        Self::of_names(rows, had.collect())
    }

    /// Some of the rows.
    #[must_use]
    pub(super) fn slice(&self, rows: Range<usize>) -> Self {
        Self {
            names: self.names.clone(),
            rows: self.rows.get(rows).unwrap_or_default().to_vec(),
        }
        .without_absent()
    }

    /// Without the names of pods that are in no row.
    fn without_absent(mut self) -> Self {
        let all = self.rows.iter().flatten();
        let present: BTreeSet<u32> = all.map(|(place, _)| *place).collect();
        if present.len() == self.names.len() {
            return self;
        }
        let places: BTreeMap<u32, u32> = present.into_iter().zip(0..).collect();
        let pods = (0..).zip(self.names);
        let named = pods.filter(|(place, _)| places.contains_key(place));
        self.names = named.map(|(_, pod)| pod).collect();
        for (place, _) in self.rows.iter_mut().flatten() {
            *place = places.get(place).copied().unwrap_or(*place);
        }
        self
    }
}

/// The place of a pod among others.
fn place_of(pods: &[String], pod: &str) -> Option<u32> {
    let place = pods.binary_search_by(|known| known.as_str().cmp(pod));
    place.ok().and_then(|place| u32::try_from(place).ok())
}

/// The lives of those pods that are kept apart.
pub(super) fn few_lives(mut lives: Lives) -> Lives {
    for pod in beyond_most(lives.keys()) {
        lives.remove(&pod);
    }
    lives
}

/// The pods that are not kept apart: all but those whose names have the smallest hashes.
fn beyond_most<'a>(pods: impl ExactSizeIterator<Item = &'a String>) -> Vec<String> {
    if pods.len() <= MOST_NAMES {
        return Vec::new();
    }
    let mut hashes: Vec<(u64, &String)> = pods.map(|pod| (pod_hash(pod), pod)).collect();
    hashes.sort_unstable();
    let beyond = hashes.iter().skip(MOST_NAMES);
    beyond.map(|(_, pod)| (*pod).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: usize, pods: &[(&str, &[(usize, u32)])]) -> Apart<u32> {
        let pods = pods.iter();
        let pods = pods.map(|(pod, had)| ((*pod).to_owned(), had.to_vec()));
        Apart::of_names(rows, pods.collect())
    }

    fn join(parts: &[MadeOf<'_, u32>]) -> Apart<u32> {
        Apart::join(parts, |a, b| a + b, u32::saturating_sub)
    }

    #[test]
    fn pods_of_parts_meet_by_their_names() {
        let first = of(2, &[("b", &[(0, 1), (1, 2)])]);
        let second = of(2, &[("a", &[(1, 5)]), ("b", &[(0, 3), (1, 4)])]);
        let rows = |numbers: &[usize]| -> Vec<Made> {
            numbers.iter().map(|&row| (row..row + 1, 0..0)).collect()
        };
        let joined = join(&[
            MadeOf {
                part: &first,
                rows: &rows(&[0, 1]),
            },
            MadeOf {
                part: &second,
                rows: &rows(&[1]),
            },
        ]);
        let expected = of(3, &[("a", &[(2, 5)]), ("b", &[(0, 1), (1, 2), (2, 4)])]);
        assert_eq!(joined, expected);
    }

    #[test]
    fn of_a_row_that_was_told_in_part_only_the_rest_is_told() {
        let first = of(1, &[("a", &[(0, 2)]), ("gone", &[(0, 7)])]);
        let second = of(2, &[("a", &[(0, 3), (1, 4)]), ("new", &[(1, 1)])]);
        let joined = join(&[
            MadeOf {
                part: &first,
                rows: &[(0..1, 0..0)],
            },
            MadeOf {
                part: &second,
                rows: &[(0..2, 0..1)],
            },
        ]);
        let expected = of(
            2,
            &[
                ("a", &[(0, 2), (1, 5)]),
                ("gone", &[(0, 7)]),
                ("new", &[(1, 1)]),
            ],
        );
        assert_eq!(joined, expected);
    }

    #[test]
    fn a_pod_that_is_in_no_row_of_a_slice_has_no_name_there() {
        let whole = of(3, &[("a", &[(0, 1)]), ("b", &[(1, 2), (2, 3)])]);
        assert_eq!(whole.slice(1..3), of(2, &[("b", &[(0, 2), (1, 3)])]));
    }

    #[test]
    fn which_pods_are_kept_of_very_many_depends_on_their_names_alone() {
        let names: Vec<String> = (0..1_000).map(|pod| format!("web-{pod}")).collect();
        let of_list = |names: &[String]| {
            let pods = names.iter().map(|name| (name.clone(), vec![(0, 1)]));
            Apart::of_names(1, pods.collect())
        };
        let (whole, half) = (of_list(&names), of_list(&names[..500]));
        assert_eq!(whole.names.len(), MOST_NAMES);
        let of_half = |pod: &&String| names[..500].contains(pod);
        assert!(
            whole
                .names
                .iter()
                .filter(of_half)
                .all(|pod| half.names.contains(pod))
        );
        let joined = join(&[
            MadeOf {
                part: &half,
                rows: &[(0..1, 0..0)],
            },
            MadeOf {
                part: &of_list(&names[500..]),
                rows: &[(0..1, 0..0)],
            },
        ]);
        assert_eq!(joined.names, whole.names);
    }
}
