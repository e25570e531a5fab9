//! Which of the values of a label is the version that runs, and which the one that is tried.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::matchers::{MatchOperator, Matcher};
use crate::query::regex_escape;

/// Words for what is tried, as a part of a value. In lower case.
const TRIED: &[&str] = &[
    "canary",
    "preview",
    "candidate",
    "next",
    "new",
    "experiment",
];

/// Words for what runs.
const RUNS: &[&str] = &[
    "stable",
    "primary",
    "baseline",
    "control",
    "current",
    "active",
    "old",
    "prod",
    "production",
];

/// Those of the words that say a version within the name of a service; others are names themselves.
const IN_NAMES: &[&str] = &[
    "canary",
    "preview",
    "candidate",
    "stable",
    "primary",
    "baseline",
];

/// The label that holds what is tried and is empty for what runs.
const ONLY_OF_THE_CANARY: &str = "canary";

/// Values of that label for what runs.
const NO_CANARY: &[&str] = &["", "false", "no", "0"];

/// Values that the canary of a service without one will most likely have, by that of what runs.
const COUNTERPARTS: &[(&str, &str)] = &[
    ("stable", "canary"),
    ("primary", "canary"),
    ("baseline", "canary"),
    ("control", "canary"),
    ("active", "preview"),
    ("current", "next"),
    ("old", "new"),
];

/// From this share of the smaller on, traffic does not say which version is the older.
const ABOUT_HALF: f64 = 0.4;

/// One version of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// What selects it beside its service.
    pub matcher: Matcher,
    /// Its requests in a second.
    pub per_second: f64,
}

/// Two versions that run at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The one that runs.
    pub control: Version,
    /// The one that is tried.
    pub canary: Version,
    /// What it was told by.
    pub why: Why,
    /// Values that neither has: further versions.
    pub more: Vec<String>,
}

/// What tells which of two versions is the control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The words of their values.
    Words,
    /// It has more of the traffic.
    MoreTraffic,
    /// Both have about the same, and it has the lower number.
    LowerNumber,
}

/// The versions that a label tells apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Versions {
    /// Two of them.
    Two(Pair),
    /// Only one runs now; the other matcher selects what may come beside it.
    One {
        /// The one that runs.
        control: Version,
        /// What a canary would have.
        canary: Matcher,
    },
}

/// The versions among the values of a label, with the requests in a second of each; nothing without
/// any.
pub(super) fn versions(label: &str, values: &BTreeMap<String, f64>) -> Option<Versions> {
    let mut all: Vec<(&String, f64)> = values.iter().map(|(value, rate)| (value, *rate)).collect();
    all.sort_by(|left, right| right.1.total_cmp(&left.1));
    let is_said = |value: &str| says(label, value);
    let first_that = |wanted: Option<Said>, but: Option<&String>| {
        let mut those = all.iter().filter(|(value, _)| Some(*value) != but);
        those.find(|(value, _)| wanted.is_none() || is_said(value) == wanted)
    };
    let (most, _) = all.first()?;
    let runs = first_that(Some(Said::Runs), None);
    let tried = first_that(Some(Said::Tried), None);
    let (control, canary, why) = match (runs, tried) {
        (Some(runs), Some(tried)) => (runs, Some(tried), Why::Words),
        (Some(runs), None) => (runs, first_that(None, Some(runs.0)), Why::Words),
        // What is tried alone is nobody's control.
        (None, Some(tried)) => (first_that(None, Some(tried.0))?, Some(tried), Why::Words),
        (None, None) => {
            let (most, next) = (first_that(None, None)?, first_that(None, Some(most)));
            match next {
                Some(next) if is_older(*next, *most) => (next, Some(most), Why::LowerNumber),
                next => (most, next, why_of(*most, next.copied())),
            }
        }
    };
    let version = |(value, per_second): &(&String, f64)| Version {
        matcher: Matcher::equal(label, value.as_str()),
        per_second: *per_second,
    };
    let Some(canary) = canary else {
        return Some(Versions::One {
            canary: counterpart(label, control.0),
            control: version(control),
        });
    };
    let of_pair = [control.0, canary.0];
    let more = all.iter().filter(|(value, _)| !of_pair.contains(value));
    Some(Versions::Two(Pair {
        more: more.map(|(value, _)| (*value).clone()).collect(),
        control: version(control),
        canary: version(canary),
        why,
    }))
}

/// The versions among pods, by the parts of their names that the pods of one template share.
pub(super) fn of_pods(label: &str, pods: &BTreeMap<String, f64>) -> Option<Versions> {
    let mut templates: BTreeMap<String, f64> = BTreeMap::new();
    for (pod, rate) in pods {
        if let Some(template) = template_of(pod) {
            *templates.entry(template.to_owned()).or_default() += rate;
        }
    }
    let pattern = |matcher: &mut Matcher| {
        matcher.operator = match matcher.operator {
            MatchOperator::NotEqual => MatchOperator::NotRegex,
            _ => MatchOperator::Regex,
        };
        matcher.value = format!("{}-.*", regex_escape(&matcher.value));
    };
    let mut found = versions(label, &templates)?;
    match &mut found {
        Versions::Two(pair) => {
            pattern(&mut pair.control.matcher);
            pattern(&mut pair.canary.matcher);
        }
        Versions::One { control, canary } => {
            pattern(&mut control.matcher);
            pattern(canary);
        }
    }
    Some(found)
}

/// A name of a service without the words that say a version: `checkout-canary` is of `checkout`.
pub(super) fn without_version(name: &str) -> String {
    let mut kept = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let separator = rest
            .find(|letter: char| letter.is_alphanumeric())
            .unwrap_or(rest.len());
        let (between, after) = rest.split_at(separator);
        let end = after
            .find(|letter: char| !letter.is_alphanumeric())
            .unwrap_or(after.len());
        let (word, next) = after.split_at(end);
        if !IN_NAMES.contains(&word.to_ascii_lowercase().as_str()) {
            kept.push_str(between);
            kept.push_str(word);
        }
        rest = next;
    }
    let short = kept.trim_start_matches(['-', '_', '.']);
    if short.is_empty() {
        name.to_owned()
    } else {
        short.to_owned()
    }
}

/// A name of a pod without what differs between the pods of one template: Kubernetes writes
/// `checkout-6d4cf56db6-x2x7k`, in letters that make no words.
fn template_of(pod: &str) -> Option<&str> {
    const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
    let is_hash = |text: &str, fewest: usize, most: usize| {
        (fewest..=most).contains(&text.len()) && text.chars().all(|letter| LETTERS.contains(letter))
    };
    let (template, own) = pod.rsplit_once('-')?;
    let (_, hash) = template.rsplit_once('-')?;
    (is_hash(own, 5, 5) && is_hash(hash, 5, 10)).then_some(template)
}

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Runs,
    Tried,
}

fn says(label: &str, value: &str) -> Option<Said> {
    if label == ONLY_OF_THE_CANARY {
        let runs = NO_CANARY.contains(&value);
        return Some(if runs { Said::Runs } else { Said::Tried });
    }
    let lower = value.to_ascii_lowercase();
    let has = |words: &[&str]| {
        let mut parts = lower.split(|letter: char| !letter.is_alphanumeric());
        parts.any(|part| words.contains(&part))
    };
    if has(TRIED) {
        Some(Said::Tried)
    } else {
        has(RUNS).then_some(Said::Runs)
    }
}

fn counterpart(label: &str, value: &str) -> Matcher {
    let known = COUNTERPARTS.iter().find(|(runs, _)| *runs == value);
    match known {
        Some((_, tried)) => Matcher::equal(label, *tried),
        // Whatever comes beside it.
        None => Matcher {
            label: label.to_owned(),
            operator: MatchOperator::NotEqual,
            value: value.to_owned(),
        },
    }
}

/// Whether a version with less of the traffic is the older one all the same.
fn is_older(less: (&String, f64), more: (&String, f64)) -> bool {
    is_about_half(less.1, more.1) && natural(less.0, more.0) == Ordering::Less
}

fn why_of(most: (&String, f64), next: Option<(&String, f64)>) -> Why {
    match next {
        Some(next)
            if is_about_half(next.1, most.1) && natural(most.0, next.0) == Ordering::Less =>
        {
            Why::LowerNumber
        }
        _ => Why::MoreTraffic,
    }
}

fn is_about_half(less: f64, more: f64) -> bool {
    less >= ABOUT_HALF * (less + more)
}

/// Compares two versions by the numbers in them: 1.9 is before 1.10. Those without are equal, for their
/// letters say nothing.
fn natural(left: &str, right: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        let parts = text.split(|letter: char| !letter.is_ascii_digit());
        parts.filter_map(|part| part.parse().ok()).collect()
    };
    let letters =
        |text: &str| -> String { text.chars().filter(|one| !one.is_ascii_digit()).collect() };
    // Hashes have numbers too, in other places.
    let same_form = {
        let plain = |text: &str| {
            letters(text)
                .chars()
                .filter(|one| *one != '.')
                .collect::<String>()
        };
        plain(left) == plain(right)
    };
    if same_form {
        numbers(left).cmp(&numbers(right))
    } else {
        Ordering::Equal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(label: &str, values: &[(&str, f64)]) -> Option<Versions> {
        let values = values
            .iter()
            .map(|(value, rate)| ((*value).to_owned(), *rate));
        versions(label, &values.collect())
    }

    fn two(label: &str, values: &[(&str, f64)]) -> (String, String, Why) {
        match of(label, values) {
            Some(Versions::Two(pair)) => (
                pair.control.matcher.value,
                pair.canary.matcher.value,
                pair.why,
            ),
            other => panic!("{other:?}"),
        }
    }

    fn texts(control: &str, canary: &str, why: Why) -> (String, String, Why) {
        (control.to_owned(), canary.to_owned(), why)
    }

    #[test]
    fn words_say_which_is_the_control_whoever_has_more_traffic() {
        let found = two("track", &[("stable", 1.0), ("canary", 9.0)]);
        assert_eq!(found, texts("stable", "canary", Why::Words));
        let found = two(
            "deployment",
            &[("checkout", 9.0), ("checkout-primary", 1.0)],
        );
        assert_eq!(found, texts("checkout-primary", "checkout", Why::Words));
        let found = two(
            "service",
            &[
                ("shop-checkout-canary-80@kubernetescrd", 9.0),
                ("shop-checkout-80@kubernetescrd", 1.0),
            ],
        );
        assert_eq!(found.0, "shop-checkout-80@kubernetescrd");
    }

    #[test]
    fn without_words_the_control_is_the_one_with_more_traffic() {
        let found = two(
            "rollouts_pod_template_hash",
            &[("84cd6", 1.0), ("7b9d5", 9.0)],
        );
        assert_eq!(found, texts("7b9d5", "84cd6", Why::MoreTraffic));
        let found = two("version", &[("v1", 1.0), ("v2", 9.0)]);
        assert_eq!(found, texts("v2", "v1", Why::MoreTraffic));
    }

    #[test]
    fn at_about_half_of_the_traffic_the_control_is_the_lower_number() {
        let found = two("version", &[("1.9.0", 4.9), ("1.10.0", 5.1)]);
        assert_eq!(found, texts("1.9.0", "1.10.0", Why::LowerNumber));
        let found = two(
            "rollouts_pod_template_hash",
            &[("84cd6", 4.9), ("7b9d5", 5.1)],
        );
        assert_eq!(found, texts("7b9d5", "84cd6", Why::MoreTraffic));
    }

    #[test]
    fn the_label_canary_is_empty_for_what_runs() {
        let found = two("canary", &[("shop-checkout-80", 1.0), ("", 9.0)]);
        assert_eq!(found, texts("", "shop-checkout-80", Why::Words));
    }

    #[test]
    fn further_versions_are_told() {
        let found = of("version", &[("v1", 9.0), ("v2", 1.0), ("v3", 0.5)]);
        let Some(Versions::Two(pair)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(pair.more, ["v3"]);
    }

    #[test]
    fn a_version_alone_waits_for_its_counterpart() {
        let canary = |label: &str, value: &str| match of(label, &[(value, 1.0)]) {
            Some(Versions::One { canary, .. }) => canary.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(canary("track", "stable"), r#"track="canary""#);
        assert_eq!(canary("version", "1.8.0"), r#"version!="1.8.0""#);
        assert_eq!(of("track", &[("canary", 1.0)]), None);
    }

    #[test]
    fn pods_of_two_templates_are_two_versions() {
        let pods = [
            ("checkout-6d4cf56db6-x2x7k", 5.0),
            ("checkout-6d4cf56db6-m9q4t", 4.0),
            ("checkout-7f9d8c6b5-w2x7k", 1.0),
        ];
        let pods = pods.map(|(pod, rate)| (pod.to_owned(), rate));
        let found = of_pods("pod", &BTreeMap::from(pods));
        let Some(Versions::Two(pair)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(
            pair.control.matcher.to_string(),
            r#"pod=~"checkout-6d4cf56db6-.*""#
        );
        assert_eq!(
            pair.canary.matcher.to_string(),
            r#"pod=~"checkout-7f9d8c6b5-.*""#
        );
        let stateful = BTreeMap::from([("checkout-0".to_owned(), 1.0)]);
        assert_eq!(of_pods("pod", &stateful), None);
    }

    #[test]
    fn a_name_is_known_without_the_words_of_versions() {
        for (name, service) in [
            ("checkout-canary", "checkout"),
            ("shop_checkout-canary_80", "shop_checkout_80"),
            (
                "shop-checkout-canary-80@kubernetescrd",
                "shop-checkout-80@kubernetescrd",
            ),
            ("next-door", "next-door"),
            ("canary", "canary"),
        ] {
            assert_eq!(without_version(name), service);
        }
    }
}
