//! What the populations are of, by the labels that name it.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::series::{Populations, Series, growth};

/// Labels that name a service, and labels that name where it runs.
///
/// Source: docs/design/gate.md, "Populations".
const LABELS: &[(&str, KindLevel)] = &[
    ("job", KindLevel::Service),
    ("service", KindLevel::Service),
    ("app", KindLevel::Service),
    ("service_name", KindLevel::Service),
    ("destination_workload", KindLevel::Service),
    ("namespace", KindLevel::Place),
    ("cluster", KindLevel::Place),
];

/// Requests that the canary was to be expected to have of a value that it has none of. Of fewer it may
/// have none by chance, and so few do not move a verdict.
///
/// Source: docs/design/gate.md, "Selectors that can never match".
const FEWEST_EXPECTED: f64 = 5.0;

/// Most values of a label that are kept: one with more names no services.
const MOST_VALUES: usize = 100;

/// Most values that are told of a difference.
const MOST_TOLD: usize = 5;

/// The label of a bucket's bound, and the bound of the bucket that counts every request.
const BUCKET_LABEL: &str = "le";
const EVERY_REQUEST: &str = "+Inf";

/// What a label names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KindLevel {
    /// A service: another one is no control.
    Service,
    /// A place: a canary in one region is meant.
    Place,
}

/// Values of a label that the control has and the canary has no part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindDifference {
    /// The label.
    pub label: String,
    /// What it names.
    pub level: KindLevel,
    /// Some of the values, sorted.
    pub values: Vec<String>,
}

/// How much both populations counted, by label and value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Kinds(BTreeMap<String, Populations<BTreeMap<String, f64>>>);

impl Kinds {
    /// Takes in the counters of a metric that every request of both populations moves. Of buckets the
    /// one that counts every request is looked at.
    pub fn of<S: Borrow<Series>>(series: Populations<&[S]>) -> Self {
        let sums = series.map(counted);
        let mut kinds = Self::default();
        for (label, _) in LABELS {
            // A label that only one population has tells nothing.
            if let (Some(control), Some(canary)) = (sums.control.get(label), sums.canary.get(label))
            {
                let found = Populations {
                    control: control.clone(),
                    canary: canary.clone(),
                };
                kinds.0.insert((*label).to_owned(), found);
            }
        }
        kinds
    }

    /// Takes in what another stretch of time, or another metric, showed.
    pub fn absorb(&mut self, other: &Self) {
        for (label, found) in &other.0 {
            let own = self.0.entry(label.clone()).or_default();
            add(&mut own.control, &found.control);
            add(&mut own.canary, &found.canary);
        }
    }

    /// What the control spans that the canary has no part of. Names that differ one to one
    /// (`checkout-primary` and `checkout`) are none: a value that only the canary has stands for one that
    /// only the control has.
    pub fn differences(&self) -> Vec<KindDifference> {
        let difference = |(label, level): &(&str, KindLevel)| {
            let Populations { control, canary } = self.0.get(*label)?;
            let sum = |values: &BTreeMap<String, f64>| values.values().sum::<f64>();
            let share = sum(canary) / sum(control);
            let is_expected = |count: f64| share.is_finite() && count * share >= FEWEST_EXPECTED;
            let only_control: Vec<&String> = control
                .iter()
                .filter(|(value, count)| !canary.contains_key(*value) && is_expected(**count))
                .map(|(value, _)| value)
                .collect();
            let renamed = canary.keys().filter(|value| !control.contains_key(*value));
            (only_control.len() > renamed.count()).then(|| KindDifference {
                label: (*label).to_owned(),
                level: *level,
                values: only_control.into_iter().take(MOST_TOLD).cloned().collect(),
            })
        };
        LABELS.iter().filter_map(difference).collect()
    }
}

/// What the series counted, by label and value. A value without counts is there as well.
fn counted<S: Borrow<Series>>(series: &[S]) -> BTreeMap<&'static str, BTreeMap<String, f64>> {
    let mut counted = BTreeMap::<&'static str, BTreeMap<String, f64>>::new();
    for one in series.iter().map(S::borrow) {
        let bound = one.labels.get(BUCKET_LABEL);
        if one.values.is_empty() || bound.is_some_and(|bound| bound != EVERY_REQUEST) {
            continue;
        }
        let mut count = None;
        for (label, _) in LABELS {
            let Some(value) = one.labels.get(*label) else {
                continue;
            };
            let count = *count.get_or_insert_with(|| growth(&one.values));
            let values = counted.entry(label).or_default();
            add(values, &BTreeMap::from([(value.clone(), count)]));
        }
    }
    counted
}

fn add(own: &mut BTreeMap<String, f64>, other: &BTreeMap<String, f64>) {
    for (value, count) in other {
        if own.len() < MOST_VALUES || own.contains_key(value) {
            *own.entry(value.clone()).or_insert(0.0) += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series that counted so much, with one label.
    fn counters(label: &str, of: &[(&str, f64)]) -> Vec<Series> {
        let one = |(index, (value, count)): (usize, &(&str, f64))| Series {
            labels: BTreeMap::from([
                (label.to_owned(), (*value).to_owned()),
                ("pod".to_owned(), format!("pod-{index}")),
            ]),
            timestamps_ms: vec![0, 15_000, 30_000],
            values: vec![7.0, 7.0 + count / 2.0, 7.0 + count],
        };
        of.iter().enumerate().map(one).collect()
    }

    fn told(label: &str, control: &[(&str, f64)], canary: &[(&str, f64)]) -> Vec<String> {
        let (control, canary) = (counters(label, control), counters(label, canary));
        let kinds = Kinds::of(Populations {
            control: &control,
            canary: &canary,
        });
        let differences = kinds.differences();
        let texts = differences.iter().map(|one| {
            let level = one.level;
            format!("{level:?} {}: {}", one.label, one.values.join(", "))
        });
        texts.collect()
    }

    const CANARY: &[(&str, f64)] = &[("checkout", 1_000.0)];

    #[test]
    fn a_control_that_spans_another_service_is_another_kind() {
        let control = [("checkout", 9_000.0), ("payments", 9_000.0)];
        for label in [
            "job",
            "service",
            "app",
            "service_name",
            "destination_workload",
        ] {
            assert_eq!(
                told(label, &control, CANARY),
                [format!("Service {label}: payments")]
            );
        }
        for label in ["namespace", "cluster"] {
            assert_eq!(
                told(label, &control, CANARY),
                [format!("Place {label}: payments")]
            );
        }
        assert!(told("pod_template_hash", &control, CANARY).is_empty());
    }

    #[test]
    fn names_that_differ_one_to_one_are_the_same_kind() {
        assert!(told("job", &[("checkout-primary", 9_000.0)], CANARY).is_empty());
        let both = [("checkout-primary", 900.0), ("cart-primary", 900.0)];
        let canary = [("checkout", 100.0), ("cart", 100.0)];
        assert!(told("job", &both, &canary).is_empty());
        assert_eq!(
            told("job", &both, CANARY),
            ["Service job: cart-primary, checkout-primary"]
        );
        assert!(told("job", CANARY, CANARY).is_empty());
    }

    #[test]
    fn a_service_that_a_small_canary_has_no_requests_of_by_chance_is_no_difference() {
        let control = [("checkout", 9_000.0), ("gift-cards", 30.0)];
        assert!(told("service", &control, CANARY).is_empty());
        let control = [("checkout", 9_000.0), ("gift-cards", 60.0)];
        assert_eq!(told("service", &control, CANARY).len(), 1);
    }

    #[test]
    fn a_label_that_one_population_lacks_tells_nothing() {
        assert!(told("job", &[], CANARY).is_empty());
        assert!(told("job", CANARY, &[]).is_empty());
        let idle = [("checkout", 0.0), ("payments", 0.0)];
        assert!(told("job", &idle, CANARY).is_empty());
    }

    #[test]
    fn stretches_of_time_add_up() {
        let (control, canary) = (
            counters("job", &[("checkout", 900.0), ("payments", 30.0)]),
            counters("job", &[("checkout", 100.0)]),
        );
        let part = Kinds::of(Populations {
            control: &control,
            canary: &canary,
        });
        let mut whole = part.clone();
        assert!(whole.differences().is_empty());
        // Each stretch alone has three of it to be expected, two have six.
        whole.absorb(&part);
        assert_eq!(whole.differences().len(), 1);
    }

    #[test]
    fn of_buckets_the_one_of_every_request_counts() {
        let mut control = counters("job", &[("checkout", 900.0), ("payments", 900.0)]);
        for one in &mut control {
            one.labels.insert("le".to_owned(), "0.1".to_owned());
        }
        let canary = counters("job", CANARY);
        let kinds = Kinds::of(Populations {
            control: &control,
            canary: &canary,
        });
        assert!(kinds.differences().is_empty());
    }
}
