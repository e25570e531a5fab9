//! Which targets of the control play the canary.
//!
//! A target is assigned by its own name alone: one that restarts stays where it was, and one that
//! is new falls where its name puts it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::data::ControlSplit;
use crate::series::{Populations, Series, pod_hash, pod_name};

/// A target's place in the fixed order of all names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    hash: u64,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn of(name: &'a str) -> Self {
        Self {
            hash: pod_hash(name),
            name,
        }
    }
}

/// Tells which target belongs to which group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Splitter {
    /// The last target, in the fixed order, that plays the canary.
    last_canary: String,
    split: ControlSplit,
}

impl Splitter {
    /// Splits targets with these exposures so that the share of those that play the canary is as
    /// near as possible to `planned_share`: the first of them in the fixed order, at least one and
    /// not all. Nothing unless two targets have an exposure.
    pub(super) fn new(exposures: &BTreeMap<String, f64>, planned_share: f64) -> Option<Self> {
        let mut targets: Vec<(Place<'_>, f64)> = exposures
            .iter()
            .filter(|(_, exposure)| exposure.is_finite() && **exposure > 0.0)
            .map(|(name, exposure)| (Place::of(name), *exposure))
            .collect();
        targets.sort_by_key(|(place, _)| *place);
        let all: f64 = targets.iter().map(|(_, exposure)| exposure).sum();
        let mut best: Option<Self> = None;
        let mut least_distance = f64::INFINITY;
        let mut seen = 0.0;
        for (index, (place, exposure)) in targets.iter().enumerate() {
            let canary_targets = index + 1;
            if canary_targets == targets.len() {
                break;
            }
            seen += exposure;
            let canary_share = seen / all;
            let distance = (canary_share - planned_share).abs();
            if distance < least_distance {
                least_distance = distance;
                best = Some(Self {
                    last_canary: place.name.to_owned(),
                    split: ControlSplit {
                        canary_targets,
                        control_targets: targets.len() - canary_targets,
                        canary_share,
                    },
                });
            }
        }
        best
    }

    /// The sizes of both groups.
    pub(super) fn split(&self) -> ControlSplit {
        self.split
    }

    /// Whether a target of this name plays the canary.
    pub(super) fn is_canary(&self, name: &str) -> bool {
        Place::of(name) <= Place::of(&self.last_canary)
    }

    /// Puts each series into the group of its target.
    pub(super) fn divide<'a>(
        &self,
        series: Vec<Cow<'a, Series>>,
    ) -> Populations<Vec<Cow<'a, Series>>> {
        let (canary, control) = series
            .into_iter()
            .partition(|one| self.is_canary(pod_name(one)));
        Populations { control, canary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::growth;

    fn exposures(names: &[String], exposure: f64) -> BTreeMap<String, f64> {
        names.iter().map(|name| (name.clone(), exposure)).collect()
    }

    fn pods(count: usize) -> Vec<String> {
        (0..count).map(|pod| format!("shop-7d9f-{pod}")).collect()
    }

    fn series(pod: &str) -> Series {
        Series {
            labels: BTreeMap::from([("pod".to_owned(), pod.to_owned())]),
            ..Series::default()
        }
    }

    fn plays_the_canary(splitter: &Splitter, pod: &str) -> bool {
        !splitter
            .divide(vec![Cow::Owned(series(pod))])
            .canary
            .is_empty()
    }

    #[test]
    fn the_share_is_the_nearest_to_the_planned_one() {
        for (count, planned) in [(20, 0.05), (20, 0.25), (10, 0.33), (7, 0.5), (100, 0.01)] {
            let splitter = Splitter::new(&exposures(&pods(count), 30.0), planned).unwrap();
            let split = splitter.split();
            let half_a_target = 0.5 / count as f64;
            assert!((split.canary_share - planned).abs() <= half_a_target + 1e-12);
            assert_eq!(split.canary_targets + split.control_targets, count);
        }
    }

    #[test]
    fn no_group_is_empty_however_small_or_large_the_planned_share_is() {
        let split = |planned| {
            Splitter::new(&exposures(&pods(4), 1.0), planned)
                .unwrap()
                .split()
                .canary_targets
        };
        assert_eq!((split(0.0001), split(1.0)), (1, 3));
    }

    #[test]
    fn fewer_than_two_targets_with_traffic_cannot_be_split() {
        assert_eq!(Splitter::new(&BTreeMap::new(), 0.5), None);
        assert_eq!(Splitter::new(&exposures(&pods(1), 1.0), 0.5), None);
        let mut one_idle = exposures(&pods(2), 0.0);
        one_idle.insert("shop-7d9f-0".to_owned(), 5.0);
        assert_eq!(Splitter::new(&one_idle, 0.5), None);
    }

    #[test]
    fn a_target_stays_where_it_is_whatever_the_order_and_the_others() {
        let known = pods(10);
        let splitter = Splitter::new(&exposures(&known, 1.0), 0.3).unwrap();
        let assigned: Vec<bool> = known
            .iter()
            .map(|pod| plays_the_canary(&splitter, pod))
            .collect();
        assert_eq!(assigned.iter().filter(|is_canary| **is_canary).count(), 3);
        // A new pod comes: those that are after the last of the group stay, by their own names.
        let mut more = known.clone();
        more.push("shop-7d9f-new".to_owned());
        let again = Splitter::new(&exposures(&more, 1.0), 3.0 / 11.0).unwrap();
        let moved = known
            .iter()
            .zip(&assigned)
            .filter(|(pod, was)| plays_the_canary(&again, pod) != **was)
            .count();
        assert!(moved <= 1, "{moved} moved");
        // One that nobody had seen is assigned all the same.
        let unseen = plays_the_canary(&splitter, "shop-other-1");
        assert_eq!(unseen, plays_the_canary(&splitter, "shop-other-1"));
    }

    #[test]
    fn growth_counts_a_restart_whole() {
        let counter = Series {
            values: vec![100.0, 130.0, f64::NAN, 20.0, 25.0],
            ..Series::default()
        };
        assert!((growth(&counter.values) - 55.0).abs() < 1e-12);
    }
}
