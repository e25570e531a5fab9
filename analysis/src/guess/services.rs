//! The services that a counter has the requests of, and the versions of each.

use std::collections::{BTreeMap, BTreeSet};

use crate::matchers::{Matcher, Matchers};
use crate::query::{QueryError, rates_by};
use crate::series::{Populations, Series};

use super::labels::{Roles, pod_label};
use super::versions::{self, Versions};
use super::{Counter, PRESENT_SECONDS};

/// Where nothing tells versions apart: the labels of the shipped pipelines.
const NO_VERSIONS: (&str, &str, &str) = ("track", "stable", "canary");

/// What a service is called that no label names.
const UNNAMED: &str = "service";

/// A service as a counter has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name, without words for versions.
    pub name: String,
    /// What selects it; nothing where the label of its versions does.
    pub selects: Matchers,
    /// Its requests in a second.
    pub per_second: f64,
    /// Its versions; nothing where no label tells them apart.
    pub versions: Option<Versions>,
    /// Other labels with two values, with these: they may tell versions apart as well.
    pub others: Vec<(String, Vec<String>)>,
}

/// Requests in a second with these labels.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    labels: BTreeMap<String, String>,
    per_second: f64,
}

/// The question for the requests of a counter, told apart by all labels that may say something.
///
/// # Errors
///
/// [`QueryError`] where it cannot be written.
pub fn traffic_question(counter: &Counter) -> Result<String, QueryError> {
    let roles = Roles::of(counter);
    rates_by(
        &counter.total,
        &Matchers::new(),
        PRESENT_SECONDS,
        &roles.all(),
    )
}

/// The question for the requests of the pods of a service, where only their names may tell its versions
/// apart; nothing where a label does, or there are no names.
///
/// # Errors
///
/// [`QueryError`] where it cannot be written.
pub fn pods_question(counter: &Counter, service: &Service) -> Option<Result<String, QueryError>> {
    let is_told = matches!(service.versions, Some(Versions::Two(_)));
    let label = pod_label(counter).filter(|_| !is_told)?;
    Some(rates_by(
        &counter.total,
        &service.selects,
        PRESENT_SECONDS,
        &[label],
    ))
}

/// The services in the answer to [`traffic_question`], most traffic first.
pub fn services(counter: &Counter, answer: &[Series]) -> Vec<Service> {
    let rows: Vec<Row> = answer.iter().filter_map(row).collect();
    let roles = Roles::of(counter);
    let Some(label) = service_label(&roles, &rows) else {
        return if rows.is_empty() {
            Vec::new()
        } else {
            vec![service(UNNAMED.to_owned(), None, &rows, &roles)]
        };
    };
    let mut by_name: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows {
        if let Some(value) = row.labels.get(label) {
            let name = versions::without_version(value);
            by_name.entry(name).or_default().push(row);
        }
    }
    let found = by_name.into_iter();
    let mut found: Vec<Service> = found
        .map(|(name, rows)| service(name, Some(label), &rows, &roles))
        .collect();
    found.sort_by(|left, right| right.per_second.total_cmp(&left.per_second));
    found
}

impl Service {
    /// Takes the versions that the names of its pods tell, if they tell more.
    #[must_use]
    pub fn with_pods(mut self, counter: &Counter, answer: &[Series]) -> Self {
        let rows: Vec<Row> = answer.iter().filter_map(row).collect();
        let Some(label) = pod_label(counter) else {
            return self;
        };
        let found = versions::of_pods(label, &by_value(label, &rows));
        if self.versions.is_none() || matches!(found, Some(Versions::Two(_))) {
            self.versions = found.or(self.versions);
        }
        self
    }

    /// Whether two versions of it run now.
    pub fn has_two_versions(&self) -> bool {
        matches!(self.versions, Some(Versions::Two(_)))
    }

    /// What selects its control and its canary.
    pub fn populations(&self) -> Populations<Matchers> {
        let with = |matcher: Matcher| {
            let mut all = self.selects.clone();
            all.insert(matcher);
            all
        };
        let (control, canary) = match &self.versions {
            Some(Versions::Two(pair)) => {
                (pair.control.matcher.clone(), pair.canary.matcher.clone())
            }
            Some(Versions::One { control, canary }) => (control.matcher.clone(), canary.clone()),
            None => {
                let (label, runs, tried) = NO_VERSIONS;
                (Matcher::equal(label, runs), Matcher::equal(label, tried))
            }
        };
        Populations {
            control: with(control),
            canary: with(canary),
        }
    }
}

/// Requests that somebody makes, with labels that a pipeline may name.
fn row(series: &Series) -> Option<Row> {
    let per_second = series.values.last().copied()?;
    let mut values = series.labels.values();
    let is_plain = !values.any(|value| value.chars().any(char::is_control));
    (is_plain && per_second.is_finite() && per_second > 0.0).then(|| Row {
        labels: series.labels.clone(),
        per_second,
    })
}

/// The label that tells the most services apart; of those that tell as many, the likeliest.
fn service_label<'a>(roles: &'a Roles, rows: &[Row]) -> Option<&'a str> {
    let names = |label: &str| {
        let values = rows.iter().filter_map(|row| row.labels.get(label));
        values
            .map(|value| versions::without_version(value))
            .collect::<BTreeSet<_>>()
            .len()
    };
    let mut best: Option<(&str, usize)> = None;
    for label in &roles.services {
        let count = names(label);
        if count > best.map_or(0, |(_, most)| most) {
            best = Some((label, count));
        }
    }
    best.map(|(label, _)| label)
}

/// The requests in a second by the values of a label. A series without it has the empty value.
fn by_value(label: &str, rows: &[Row]) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for row in rows {
        let value = row.labels.get(label).cloned().unwrap_or_default();
        *values.entry(value).or_default() += row.per_second;
    }
    values
}

/// A service of these rows, of which the label holds its name, more or less.
fn service(name: String, label: Option<&str>, rows: &[Row], roles: &Roles) -> Service {
    let (scope, rows) = narrowed(rows, roles);
    let mut selects = Matchers::new();
    selects.extend(scope);
    let per_second = rows.iter().map(|row| row.per_second).sum();
    let names = label.map(|label| (label, by_value(label, &rows)));
    if let Some((label, values)) = &names
        && values.len() > 1
    {
        return Service {
            name,
            selects,
            per_second,
            versions: versions::versions(label, values),
            others: Vec::new(),
        };
    }
    let only = names.and_then(|(label, values)| {
        let (value, _) = values.into_iter().next()?;
        Some(Matcher::equal(label, value))
    });
    selects.extend(only);
    let labels = roles
        .versions
        .iter()
        .filter(|one| Some(one.as_str()) != label);
    let told: Vec<(&String, BTreeMap<String, f64>)> = labels
        .map(|label| (label, by_value(label, &rows)))
        .collect();
    let has = |count: usize| told.iter().find(|(_, values)| values.len() == count);
    let best = has(2).or_else(|| told.iter().find(|(_, values)| values.len() > 2));
    // One value that is empty is no label at all.
    let alone = || told.iter().find(|(_, values)| !values.contains_key(""));
    let chosen = best.or_else(alone);
    let others = told.iter().filter(|(label, values)| {
        values.len() == 2 && chosen.is_some_and(|(taken, _)| taken != label)
    });
    let others = others.map(|(label, values)| ((*label).clone(), values.keys().cloned().collect()));
    Service {
        others: others.collect(),
        versions: chosen.and_then(|(label, values)| versions::versions(label, values)),
        name,
        selects,
        per_second,
    }
}

/// The rows of the scope with the most traffic, where there are several: the same name in another
/// namespace is another service.
fn narrowed(rows: &[Row], roles: &Roles) -> (Vec<Matcher>, Vec<Row>) {
    let mut kept = rows.to_vec();
    let mut scope = Vec::new();
    for label in &roles.scopes {
        let values = by_value(label, &kept);
        let most = values
            .iter()
            .max_by(|left, right| left.1.total_cmp(right.1));
        if let Some((value, _)) = most.filter(|_| values.len() > 1) {
            kept.retain(|row| row.labels.get(label).map_or("", String::as_str) == value.as_str());
            scope.push(Matcher::equal(label, value));
        }
    }
    (scope, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::PRESETS;

    fn counter(preset: Option<&str>, labels: &[&str]) -> Counter {
        Counter {
            preset: preset.and_then(|name| PRESETS.iter().find(|one| one.name == name)),
            total: "requests_total".to_owned(),
            errors: None,
            histogram: None,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    fn series(labels: &str, per_second: f64) -> Series {
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        Series {
            labels: pairs
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            timestamps_ms: vec![0],
            values: vec![per_second],
        }
    }

    fn populations(service: &Service) -> String {
        let Populations { control, canary } = service.populations();
        let shown = |all: &Matchers| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            all.join(",")
        };
        format!("{} | {}", shown(&control), shown(&canary))
    }

    #[test]
    fn services_are_told_apart_by_the_label_with_the_most_of_them() {
        let counter = counter(None, &["app", "job", "track"]);
        let found = services(
            &counter,
            &[
                series("app=shop,job=pods,track=stable", 3.0),
                series("app=cart,job=pods,track=stable", 7.0),
                series("app=cart,job=pods,track=canary", 1.0),
            ],
        );
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["cart", "shop"]);
        assert_eq!(
            populations(&found[0]),
            r#"app="cart",track="stable" | app="cart",track="canary""#
        );
        assert!(found[0].has_two_versions() && !found[1].has_two_versions());
    }

    #[test]
    fn a_label_with_two_values_comes_before_one_with_more_and_others_are_told() {
        let counter = counter(None, &["app", "version", "release", "revision"]);
        let found = services(
            &counter,
            &[
                series("app=cart,version=1,revision=a,release=x", 7.0),
                series("app=cart,version=2,revision=b,release=x", 1.0),
                series("app=cart,version=3,revision=b,release=y", 1.0),
            ],
        );
        assert_eq!(
            populations(&found[0]),
            r#"app="cart",revision="a" | app="cart",revision="b""#
        );
        let other = ("release".to_owned(), vec!["x".to_owned(), "y".to_owned()]);
        assert_eq!(found[0].others, [other]);
    }

    #[test]
    fn two_names_of_one_service_are_its_versions() {
        let counter = counter(Some("linkerd"), &["deployment", "namespace"]);
        let found = services(
            &counter,
            &[
                series("deployment=checkout-primary,namespace=shop", 9.0),
                series("deployment=checkout,namespace=shop", 1.0),
                series("deployment=cart,namespace=shop", 3.0),
            ],
        );
        assert_eq!(found[0].name, "checkout");
        assert_eq!(
            populations(&found[0]),
            r#"deployment="checkout-primary" | deployment="checkout""#
        );
    }

    #[test]
    fn the_same_name_in_another_namespace_is_another_service() {
        let counter = counter(None, &["app", "namespace", "track"]);
        let found = services(
            &counter,
            &[
                series("app=cart,namespace=shop,track=stable", 9.0),
                series("app=cart,namespace=test,track=canary", 1.0),
            ],
        );
        assert_eq!(
            populations(&found[0]),
            r#"app="cart",namespace="shop",track="stable" | app="cart",namespace="shop",track="canary""#
        );
        assert!(!found[0].has_two_versions());
    }

    #[test]
    fn where_no_label_tells_versions_apart_the_names_of_pods_may() {
        let counter = counter(None, &["app", "pod"]);
        let found = services(&counter, &[series("app=cart", 9.0)]).remove(0);
        assert_eq!(found.versions, None);
        let question = pods_question(&counter, &found).unwrap().unwrap();
        assert_eq!(
            question,
            r#"sum by (pod) (rate(requests_total{app="cart"}[1h]))"#
        );
        let pods = [
            series("pod=cart-6d4cf56db6-x2x7k", 8.0),
            series("pod=cart-7f9d8c6b5-w2x7k", 1.0),
        ];
        assert!(found.with_pods(&counter, &pods).has_two_versions());
    }

    #[test]
    fn where_nothing_tells_versions_apart_the_labels_of_the_shipped_pipelines_are_taken() {
        let counter = counter(None, &["app"]);
        let found = services(&counter, &[series("app=cart", 9.0)]);
        assert_eq!(
            populations(&found[0]),
            r#"app="cart",track="stable" | app="cart",track="canary""#
        );
    }

    #[test]
    fn requests_that_nobody_makes_are_of_no_service() {
        assert_eq!(
            services(&counter(None, &["app"]), &[series("app=cart", 0.0)]),
            []
        );
    }
}
