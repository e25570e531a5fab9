//! Whether both populations get the same mix of requests. A canary that gets more of an endpoint that
//! fails more often is worse as a whole though every endpoint is as good, and one that gets less of it hides
//! that it is worse.
//!
//! Source: docs/design/statistics.md, "4.8 Strata".

use std::borrow::Borrow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::series::{ArmCount, Populations, Series, growth};

/// Most values of a label that is looked at: what has more tells requests apart, not kinds of them.
const MOST_VALUES: usize = 64;

/// From which factor on another mix is worth a word.
///
/// Source: docs/design/statistics.md, "4.8 Strata".
const LEAST_FACTOR: f64 = 1.1;

/// From which share of events on a value of a label is an outcome, and no kind of request.
///
/// Source: docs/design/statistics.md, "4.8 Strata".
const LEAST_OF_AN_OUTCOME: f64 = 0.9;

/// The label of a metric's name.
const METRIC_NAME: &str = "__name__";

/// What both populations counted, by label and value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mix(BTreeMap<String, BTreeMap<String, Populations<ArmCount>>>);

/// A label of which the populations have other mixes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherMix {
    /// The label.
    pub label: String,
    /// How much higher the canary's rate of events would be for its mix alone, if each value were as the
    /// control's.
    pub factor: f64,
    /// The value whose share differs most, and its shares.
    pub value: String,
    /// Its share of the requests of each population.
    pub shares: Populations<f64>,
}

/// The same while it is counted, by the names that the series have.
#[derive(Default)]
struct Counted<'a>(BTreeMap<&'a str, BTreeMap<&'a str, Populations<ArmCount>>>);

impl<'a> Counted<'a> {
    fn take_in<S: Borrow<Series>>(
        &mut self,
        series: &'a [S],
        add: impl Fn(&mut Populations<ArmCount>, f64),
    ) {
        for one in series.iter().map(Borrow::borrow) {
            let grown = growth(&one.values);
            for (label, value) in &one.labels {
                if label == METRIC_NAME {
                    continue;
                }
                let values = self.0.entry(label).or_default();
                // A label with more values is none that is looked at.
                if values.len() <= MOST_VALUES || values.contains_key(value.as_str()) {
                    add(values.entry(value).or_default(), grown);
                }
            }
        }
    }
}

impl Mix {
    /// Takes in the series of a share's events and of all its requests, about as much as they grew.
    pub fn of<S: Borrow<Series>>(events: Populations<&[S]>, total: Populations<&[S]>) -> Self {
        let mut counted = Counted::default();
        counted.take_in(total.control, |sums, grown| sums.control.exposure += grown);
        counted.take_in(total.canary, |sums, grown| sums.canary.exposure += grown);
        counted.take_in(events.control, |sums, grown| sums.control.events += grown);
        counted.take_in(events.canary, |sums, grown| sums.canary.events += grown);
        let kinds = counted.0.into_iter();
        let kinds = kinds.filter(|(_, values)| (2..=MOST_VALUES).contains(&values.len()));
        let named = kinds.map(|(label, values)| {
            let values = values.into_iter();
            let values = values.map(|(value, sums)| (value.to_owned(), sums));
            (label.to_owned(), values.collect())
        });
        Self(named.collect())
    }

    /// Takes in what another stretch of time showed.
    pub fn absorb(&mut self, other: &Self) {
        for (label, values) in &other.0 {
            let known = self.0.entry(label.clone()).or_default();
            for (value, counts) in values {
                let sums = known.entry(value.clone()).or_default();
                sums.control = sums.control.and(counts.control);
                sums.canary = sums.canary.and(counts.canary);
            }
        }
    }

    /// The label by whose mixes the populations differ most, where that makes the rate of events another
    /// by a tenth. What tells events from other requests is no kind of request.
    pub fn difference(&self) -> Option<OtherMix> {
        let differences = self.0.iter().filter_map(|(label, values)| {
            let factor = factor(values)?;
            (factor.max(1.0 / factor) >= LEAST_FACTOR).then_some((label, values, factor))
        });
        let by_size = |factor: f64| libm::fabs(libm::log(factor));
        let (label, values, factor) = differences
            .max_by(|(.., one), (.., other)| by_size(*one).total_cmp(&by_size(*other)))?;
        let (value, shares) = shares(values)?;
        Some(OtherMix {
            label: label.clone(),
            factor,
            value,
            shares,
        })
    }
}

/// How much higher the canary's rate would be for its mix alone.
fn factor(values: &BTreeMap<String, Populations<ArmCount>>) -> Option<f64> {
    let common = || {
        values
            .values()
            .filter(|one| one.control.exposure > 0.0 && one.canary.exposure > 0.0)
    };
    // A value whose requests are all events, or nearly, is an outcome (an error's kind, a flag of the
    // proxy), and a canary that has more of it is worse; a label of which none has any tells nothing.
    let rate = |one: &Populations<ArmCount>| one.control.events / one.control.exposure;
    let is_outcome = common().any(|one| rate(one) >= LEAST_OF_AN_OUTCOME);
    let is_without_events = common().all(|one| rate(one) <= 0.0);
    if common().count() < 2 || is_outcome || is_without_events {
        return None;
    }
    let sum = |of: fn(&Populations<ArmCount>) -> f64| common().map(of).sum::<f64>();
    let control_exposure = sum(|one| one.control.exposure);
    let canary_exposure = sum(|one| one.canary.exposure);
    let as_it_is = sum(|one| one.control.events) / control_exposure;
    let at_its_mix = sum(|one| one.control.events / one.control.exposure * one.canary.exposure);
    let factor = at_its_mix / canary_exposure / as_it_is;
    (factor.is_finite() && factor > 0.0).then_some(factor)
}

/// The value whose share differs most, and both shares.
fn shares(values: &BTreeMap<String, Populations<ArmCount>>) -> Option<(String, Populations<f64>)> {
    let all = values
        .values()
        .fold(Populations::<f64>::default(), |sum, one| Populations {
            control: sum.control + one.control.exposure,
            canary: sum.canary + one.canary.exposure,
        });
    let shares = values.iter().map(|(value, one)| {
        let shares = Populations {
            control: one.control.exposure / all.control,
            canary: one.canary.exposure / all.canary,
        };
        (value.clone(), shares)
    });
    let distance = |shares: &Populations<f64>| libm::fabs(shares.control - shares.canary);
    shares.max_by(|(_, one), (_, other)| distance(one).total_cmp(&distance(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)], grown: f64) -> Series {
        Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            timestamps_ms: vec![0, 1],
            values: vec![0.0, grown],
        }
    }

    /// Requests of two routes, of which `/pay` fails in a tenth and `/cart` in a hundredth.
    fn of(pod: &str, cart: f64, pay: f64) -> Vec<Series> {
        [("/cart", cart, 0.01), ("/pay", pay, 0.1)]
            .iter()
            .flat_map(|(route, requests, share)| {
                let labels = |code| [("route", *route), ("code", code), ("pod", pod)];
                [
                    series(&labels("200"), requests * (1.0 - share)),
                    series(&labels("500"), requests * share),
                ]
            })
            .collect()
    }

    fn difference(control: &[Series], canary: &[Series]) -> Option<OtherMix> {
        let failed = |all: &[Series]| -> Vec<Series> {
            let failed = all.iter().filter(|one| one.labels["code"] == "500");
            failed.cloned().collect()
        };
        let events = (failed(control), failed(canary));
        let mix = Mix::of(
            Populations {
                control: events.0.as_slice(),
                canary: events.1.as_slice(),
            },
            Populations { control, canary },
        );
        mix.difference()
    }

    #[test]
    fn a_canary_that_gets_more_of_what_fails_more_often_has_another_mix() {
        let found = difference(&of("a", 900.0, 100.0), &of("b", 100.0, 900.0)).unwrap();
        assert_eq!(
            (found.label.as_str(), found.value.as_str()),
            ("route", "/pay")
        );
        // 9.1 % in place of 1.9 %.
        assert!(
            (found.factor - 0.091 / 0.019).abs() < 1e-9,
            "{}",
            found.factor
        );
        assert!((found.shares.canary - 0.9).abs() < 1e-12);
    }

    #[test]
    fn the_same_mix_is_no_difference_whatever_fails() {
        let mut worse = of("b", 90.0, 10.0);
        for one in &mut worse {
            // Five times the failures of each route, of as many requests.
            let requests = if one.labels["route"] == "/cart" {
                90.0
            } else {
                10.0
            };
            let share = if one.labels["route"] == "/cart" {
                0.05
            } else {
                0.5
            };
            let of_code = if one.labels["code"] == "500" {
                share
            } else {
                1.0 - share
            };
            one.values[1] = requests * of_code;
        }
        assert_eq!(difference(&of("a", 900.0, 100.0), &worse), None);
    }

    #[test]
    fn another_mix_of_what_fails_as_often_is_no_difference() {
        let even = |pod, cart, pay| {
            let mut all = of(pod, cart, pay);
            for one in &mut all {
                let share = if one.labels["code"] == "500" {
                    0.05
                } else {
                    0.95
                };
                let requests = if one.labels["route"] == "/cart" {
                    cart
                } else {
                    pay
                };
                one.values[1] = requests * share;
            }
            all
        };
        assert_eq!(
            difference(&even("a", 900.0, 100.0), &even("b", 100.0, 900.0)),
            None
        );
    }

    #[test]
    fn a_label_that_tells_how_requests_ended_is_no_kind_of_request() {
        // A tenth of the control's failures, and nine tenths of the canary's, are of one kind.
        let ended = |pod: &str, refused: f64| {
            let labels = |flag, code| [("flag", flag), ("code", code), ("pod", pod)];
            vec![
                series(&labels("-", "200"), 9_000.0),
                series(&labels("-", "500"), 90.0),
                series(&labels("refused", "500"), refused),
            ]
        };
        assert_eq!(difference(&ended("a", 10.0), &ended("b", 800.0)), None);
    }
}
