//! Whether both populations get the same mix of requests. A canary that gets more of an endpoint that
//! fails more often is worse as a whole though every endpoint is as good, and one that gets less of it hides
//! that it is worse.
//!
//! Source: docs/design/statistics.md, "4.8 Strata".

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::series::{ArmCount, Populations, Series, growth, pod_hash};

/// Most values of a label that are kept by their names. Which of very many is chosen by the names alone, so that
/// each chunk of a window chooses the same.
const MOST_NAMED: usize = 128;

/// As many groups, by the names alone, have the values beyond those.
const GROUPS: u64 = 32;

/// Most kinds of requests that are told apart: the most frequent values, and one of all others.
const MOST_KINDS: usize = 64;

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
pub struct Mix(BTreeMap<String, Values>);

/// What both populations counted of the values of one label.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Values {
    /// Of those values that are kept by their names: with the smallest hashes.
    named: BTreeMap<String, Populations<ArmCount>>,
    /// Of the others, in groups by their names.
    grouped: BTreeMap<u64, Populations<ArmCount>>,
}

/// A label of which the populations have other mixes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherMix {
    /// The label.
    pub label: String,
    /// How much higher the canary's rate of events would be for its mix alone, if each value were as the
    /// control's.
    pub factor: f64,
    /// The value whose share differs most, of those that are known by name.
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
                add(values.entry(value).or_default(), grown);
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
        let kinds = kinds.filter(|(_, values)| values.len() > 1);
        Self(
            kinds
                .map(|(label, values)| (label.to_owned(), Values::of(&values)))
                .collect(),
        )
    }

    /// Takes in what another stretch of time showed.
    pub fn absorb(&mut self, other: &Self) {
        for (label, values) in &other.0 {
            self.0.entry(label.clone()).or_default().absorb(values);
        }
    }

    /// The label by whose mixes the populations differ most, where that makes the rate of events another
    /// by a tenth. What tells events from other requests is no kind of request.
    pub fn difference(&self) -> Option<OtherMix> {
        let differences = self.0.iter().filter_map(|(label, values)| {
            let kinds = values.kinds();
            let factor = factor(&kinds)?;
            (factor.max(1.0 / factor) >= LEAST_FACTOR).then_some((label, kinds, factor))
        });
        let by_size = |factor: f64| libm::fabs(libm::log(factor));
        let (label, values, factor) = differences
            .max_by(|(.., one), (.., other)| by_size(*one).total_cmp(&by_size(*other)))?;
        let (value, shares) = shares(&values)?;
        Some(OtherMix {
            label: label.clone(),
            factor,
            value,
            shares,
        })
    }
}

/// A kind of requests and what both populations counted of it; without a name that of all rarer values.
type Kind<'a> = (Option<&'a str>, Populations<ArmCount>);

impl Values {
    fn of(counted: &BTreeMap<&str, Populations<ArmCount>>) -> Self {
        let mut values = Self::default();
        let grouped: BTreeSet<&str> = beyond_most(counted.keys().copied());
        for (value, counts) in counted {
            if grouped.contains(value) {
                values.group(value, *counts);
            } else {
                values.named.insert((*value).to_owned(), *counts);
            }
        }
        values
    }

    /// One that is beyond the named ones of both together was so in each of them that had as many, so that
    /// its sums are all in its group.
    fn absorb(&mut self, other: &Self) {
        for (value, counts) in &other.named {
            add(self.named.entry(value.clone()).or_default(), *counts);
        }
        for (group, counts) in &other.grouped {
            add(self.grouped.entry(*group).or_default(), *counts);
        }
        let beyond = beyond_most(self.named.keys().map(String::as_str));
        let beyond: Vec<String> = beyond.into_iter().map(str::to_owned).collect();
        for value in beyond {
            if let Some(counts) = self.named.remove(&value) {
                self.group(&value, counts);
            }
        }
    }

    fn group(&mut self, value: &str, counts: Populations<ArmCount>) {
        let group = pod_hash(value) % GROUPS;
        add(self.grouped.entry(group).or_default(), counts);
    }

    /// The most frequent ones by themselves and the others together: of rare ones next to nothing is known.
    fn kinds(&self) -> Vec<Kind<'_>> {
        let named = self.named.iter();
        let named = named.map(|(value, counts)| (Some(value.as_str()), *counts));
        let grouped = self.grouped.values().map(|counts| (None, *counts));
        let mut kinds: Vec<Kind<'_>> = named.chain(grouped).collect();
        if kinds.len() > MOST_KINDS {
            let requests = |(_, one): &Kind<'_>| one.control.exposure + one.canary.exposure;
            kinds.sort_by(|one, other| requests(other).total_cmp(&requests(one)));
            let rarer = kinds.split_off(MOST_KINDS - 1);
            let mut together = Populations::default();
            for (_, counts) in rarer {
                add(&mut together, counts);
            }
            kinds.push((None, together));
        }
        kinds
    }
}

fn add(sums: &mut Populations<ArmCount>, counts: Populations<ArmCount>) {
    sums.control = sums.control.and(counts.control);
    sums.canary = sums.canary.and(counts.canary);
}

/// The values that are not kept by their names: all but those with the smallest hashes.
fn beyond_most<'a>(values: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut hashes: Vec<(u64, &str)> = values.map(|value| (pod_hash(value), value)).collect();
    hashes.sort_unstable();
    let beyond = hashes.into_iter().skip(MOST_NAMED);
    beyond.map(|(_, value)| value).collect()
}

/// How much higher the canary's rate would be for its mix alone.
fn factor(kinds: &[Kind<'_>]) -> Option<f64> {
    let common = || {
        let counts = kinds.iter().map(|(_, counts)| counts);
        counts.filter(|one| one.control.exposure > 0.0 && one.canary.exposure > 0.0)
    };
    // A value whose requests are all events, or nearly, is an outcome (an error's kind, a flag of the
    // proxy), and a canary that has more of it is worse; a label of which none has any tells nothing. One that
    // is so in the control alone is a rare kind of request, of which the only one failed.
    let rate = |arm: ArmCount| arm.events / arm.exposure;
    let is_outcome = common().any(|one| {
        rate(one.control) >= LEAST_OF_AN_OUTCOME && rate(one.canary) >= LEAST_OF_AN_OUTCOME
    });
    let is_without_events = common().all(|one| rate(one.control) <= 0.0);
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

/// The value whose share differs most of those that are known by name, and both shares.
fn shares(kinds: &[Kind<'_>]) -> Option<(String, Populations<f64>)> {
    let all = kinds
        .iter()
        .fold(Populations::<f64>::default(), |sum, (_, one)| Populations {
            control: sum.control + one.control.exposure,
            canary: sum.canary + one.canary.exposure,
        });
    let shares = kinds.iter().filter_map(|(value, one)| {
        let shares = Populations {
            control: one.control.exposure / all.control,
            canary: one.canary.exposure / all.canary,
        };
        Some(((*value)?.to_owned(), shares))
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

    /// So many routes, of which every tenth fails in a fifth and the others in a hundredth of their requests; how
    /// many requests the first ones have, and the others.
    fn many(routes: usize, pod: &str, failing: f64, others: f64) -> Vec<Series> {
        let of_route = |route: usize| {
            let name = format!("/{route}");
            let (requests, share) = if route.is_multiple_of(10) {
                (failing, 0.2)
            } else {
                (others, 0.01)
            };
            let labels = |code| [("route", name.as_str()), ("code", code), ("pod", pod)];
            [
                series(&labels("200"), requests * (1.0 - share)),
                series(&labels("500"), requests * share),
            ]
        };
        (0..routes).flat_map(of_route).collect()
    }

    #[test]
    fn another_mix_of_many_values_is_found_too() {
        for routes in [64, 65, 100, 1_000] {
            let control = many(routes, "a", 100.0, 100.0);
            let canary = many(routes, "b", 900.0, 10.0);
            let found = difference(&control, &canary);
            let found = found.unwrap_or_else(|| panic!("{routes} routes"));
            assert_eq!(found.label, "route");
            assert!(found.factor > 1.5, "{routes}: {}", found.factor);
            assert_eq!(difference(&control, &many(routes, "b", 10.0, 10.0)), None);
        }
    }

    #[test]
    fn each_part_of_a_window_decides_alike_which_values_it_keeps() {
        let mix = |control: &[Series], canary: &[Series]| {
            let nothing: &[Series] = &[];
            Mix::of(
                Populations {
                    control: nothing,
                    canary: nothing,
                },
                Populations { control, canary },
            )
        };
        let (control, canary) = (many(500, "a", 90.0, 50.0), many(500, "b", 10.0, 50.0));
        let whole = mix(&control, &canary);
        let mut parts = mix(&control[..300], &canary[..300]);
        parts.absorb(&mix(&control[300..], &canary[300..]));
        let (whole, parts) = (&whole.0["route"], &parts.0["route"]);
        assert_eq!(whole.named.len(), MOST_NAMED);
        assert_eq!(whole.named, parts.named);
        for (group, counts) in &whole.grouped {
            let of_parts = parts.grouped[group];
            assert!((counts.control.exposure - of_parts.control.exposure).abs() < 1e-9);
            assert!((counts.canary.exposure - of_parts.canary.exposure).abs() < 1e-9);
        }
    }

    #[test]
    fn a_rare_kind_whose_only_request_failed_is_no_outcome() {
        let mut control = of("a", 900.0, 100.0);
        let mut canary = of("b", 100.0, 900.0);
        let rare = |pod, code| series(&[("route", "/rare"), ("code", code), ("pod", pod)], 1.0);
        control.push(rare("a", "500"));
        canary.push(rare("b", "200"));
        assert_eq!(difference(&control, &canary).unwrap().label, "route");
    }
}
