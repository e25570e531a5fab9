//! Which service is taken, of all that were found.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::{PRESETS, nearest_name};
use crate::query::counter_parts;
use crate::text;

use super::{Counter, Service};

/// Most names that a message lists.
const MOST_LISTED: usize = 8;

/// A counter with the services that it has the requests of.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The counter.
    pub counter: Counter,
    /// Its services; none where nobody has asked anything for an hour.
    pub services: Vec<Service>,
}

/// What is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// How its requests are counted.
    pub counter: Counter,
    /// The service.
    pub service: Service,
    /// The others, most traffic first.
    pub others: Vec<OtherService>,
}

/// A service that was not taken.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherService {
    /// Its name.
    pub name: String,
    /// Its requests in a second.
    pub per_second: f64,
    /// Whether two versions of it run now.
    pub has_two_versions: bool,
}

/// Why nothing can be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// Nothing could be judged.
    #[error("{0}")]
    Nothing(String),
    /// There is no such service.
    #[error("no service {name:?} has requests here{near}; there {known}")]
    Service {
        /// The name that was asked for.
        name: String,
        /// The name that was most likely meant, in words.
        near: String,
        /// Those that there are, in words.
        known: String,
    },
}

/// Takes a service: the one that is wanted, or else the one with the most traffic, where those of which
/// two versions run come first: they can be judged now. Where several counters have its requests, those
/// come first that tell failures, then those with a histogram.
///
/// # Errors
///
/// [`NotFound`] says what there is.
pub fn choose(found: &[Found], wanted: Option<&str>, names: &[String]) -> Result<Choice, NotFound> {
    let can_judge = |one: &&Found| one.counter.errors.is_some() || one.counter.histogram.is_some();
    let usable = found.iter().filter(can_judge);
    let all: Vec<(&Counter, &Service)> = usable
        .flat_map(|one| one.services.iter().map(|service| (&one.counter, service)))
        .collect();
    if all.is_empty() {
        return Err(NotFound::Nothing(nothing(found, names)));
    }
    let is_wanted = |service: &Service| wanted.is_none_or(|name| service.is_called(name));
    let candidates = all.iter().filter(|(_, service)| is_wanted(service));
    // Of equals the first is taken, as the table of presets has them.
    let best = candidates.reduce(|best, one| {
        if better(one, best) == Ordering::Greater {
            one
        } else {
            best
        }
    });
    let known = known_services(&all);
    let Some((counter, service)) = best else {
        let name = wanted.unwrap_or_default().to_owned();
        let near = nearest_name(&name, known.iter().map(|one| one.name.as_str()));
        return Err(NotFound::Service {
            near: near.map_or(String::new(), |near| format!(": did you mean {near:?}")),
            known: listed(&known),
            name,
        });
    };
    let others = known.into_iter().filter(|one| one.name != service.name);
    Ok(Choice {
        counter: (*counter).clone(),
        service: (*service).clone(),
        others: others.collect(),
    })
}

impl Service {
    /// Whether it is meant by a name: its own, or that of one of its versions.
    fn is_called(&self, name: &str) -> bool {
        let populations = self.populations();
        let mut values = populations.control.iter().chain(&populations.canary);
        self.name == name || values.any(|one| self.selects.contains(one) && one.value == name)
    }
}

fn better(left: &(&Counter, &Service), right: &(&Counter, &Service)) -> Ordering {
    let flags = |(counter, service): &(&Counter, &Service)| {
        (
            service.has_two_versions(),
            counter.errors.is_some(),
            counter.histogram.is_some(),
        )
    };
    let by_flags = flags(left).cmp(&flags(right));
    by_flags.then_with(|| left.1.per_second.total_cmp(&right.1.per_second))
}

/// Each name once, with the most that any counter has of it, most traffic first.
fn known_services(all: &[(&Counter, &Service)]) -> Vec<OtherService> {
    let mut known: BTreeMap<&str, OtherService> = BTreeMap::new();
    for (_, service) in all {
        let one = known.entry(&service.name).or_insert_with(|| OtherService {
            name: service.name.clone(),
            per_second: 0.0,
            has_two_versions: false,
        });
        one.per_second = one.per_second.max(service.per_second);
        one.has_two_versions |= service.has_two_versions();
    }
    let mut known: Vec<OtherService> = known.into_values().collect();
    known.sort_by(|left, right| right.per_second.total_cmp(&left.per_second));
    known
}

fn listed(known: &[OtherService]) -> String {
    let names = known.iter().map(|one| one.name.as_str());
    match known.len() {
        1 => format!("is {}", some(names, 1)),
        count => format!("are {}", some(names, count)),
    }
}

/// A few names, and how many more there are.
fn some<'a>(names: impl Iterator<Item = &'a str>, count: usize) -> String {
    let mut shown: Vec<String> = names.take(MOST_LISTED).map(str::to_owned).collect();
    if count > MOST_LISTED {
        shown.push(format!("and {} more", count - MOST_LISTED));
    }
    shown.join(", ")
}

/// What was looked for, and what is there.
fn nothing(found: &[Found], names: &[String]) -> String {
    let mute = found.iter().find(|one| !one.services.is_empty());
    match (mute, found.first()) {
        (Some(Found { counter, .. }), _) => format!(
            "{} has requests, and nothing to judge them by: no label of it says which failed (it has \
             {}), and no histogram of durations with a unit is named like it; write the pipeline by \
             hand, with the metrics that tell",
            counter.metric(),
            some(
                counter.labels.iter().map(String::as_str),
                counter.labels.len()
            ),
        ),
        (None, Some(_)) => {
            let metrics: Vec<String> = found.iter().map(|one| one.counter.metric()).collect();
            let metrics = some(metrics.iter().map(String::as_str), metrics.len());
            format!(
                "nobody has asked anything within the last hour by {metrics}: try again under traffic"
            )
        }
        (None, None) => {
            let usual = PRESETS
                .iter()
                .filter_map(|preset| counter_parts(preset.requests.total).ok());
            let usual: BTreeSet<String> = usual.map(|parts| parts.metric().to_owned()).collect();
            let usual = some(usual.iter().map(String::as_str), usual.len());
            let there = if names.is_empty() {
                "there is no metric at all".to_owned()
            } else {
                let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
                let is_like = |name: &str| name.contains("request") || name.contains("http");
                sorted.sort_by_key(|name| !is_like(name));
                let shown = some(sorted.into_iter(), names.len());
                format!("there {}: {shown}", metrics(names.len()))
            };
            format!(
                "no counter of requests was found: looked for those of the {} presets ({usual}), and \
                 for others named like *requests_total; {there}",
                PRESETS.len(),
            )
        }
    }
}

fn metrics(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{verb} {}", text::counted(count, "metric"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guess::versions::versions;
    use crate::matchers::{Matcher, Matchers};

    fn service(name: &str, per_second: f64, tracks: &[&str]) -> Service {
        let values = tracks.iter().map(|track| ((*track).to_owned(), 1.0));
        Service {
            name: name.to_owned(),
            selects: Matchers::from([Matcher::equal("app", name)]),
            per_second,
            versions: versions("track", &values.collect()),
            others: Vec::new(),
        }
    }

    fn found(total: &str, errors: Option<&str>, services: Vec<Service>) -> Found {
        Found {
            counter: Counter {
                preset: None,
                total: total.to_owned(),
                errors: errors.map(str::to_owned),
                histogram: None,
                labels: vec!["app".to_owned()],
            },
            services,
        }
    }

    fn shop() -> Vec<Found> {
        let both = ["stable", "canary"];
        let services = vec![
            service("payments", 900.0, &["stable"]),
            service("checkout", 50.0, &both),
            service("cart", 40.0, &both),
        ];
        vec![found("requests_total", Some("failures_total"), services)]
    }

    fn taken(all: &[Found], wanted: Option<&str>) -> Result<String, NotFound> {
        choose(all, wanted, &[]).map(|choice| choice.service.name)
    }

    #[test]
    fn of_services_with_two_versions_the_one_with_the_most_traffic_is_taken() {
        assert_eq!(taken(&shop(), None).unwrap(), "checkout");
    }

    #[test]
    fn the_service_that_is_wanted_is_taken() {
        assert_eq!(taken(&shop(), Some("payments")).unwrap(), "payments");
    }

    #[test]
    fn a_service_that_is_not_there_is_told_with_those_that_are() {
        let error = taken(&shop(), Some("chekcout")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no service \"chekcout\" has requests here: did you mean \"checkout\"; there are payments, \
             checkout, cart"
        );
    }

    #[test]
    fn a_counter_that_tells_failures_comes_before_one_that_does_not() {
        let mut all = shop();
        all[0].counter.errors = None;
        all[0].counter.histogram = Some(crate::guess::Histogram {
            selector: "request_seconds".to_owned(),
            scale: 1.0,
        });
        let both = ["stable", "canary"];
        all.push(found(
            "b_total",
            Some("f"),
            vec![service("checkout", 1.0, &both)],
        ));
        let choice = choose(&all, Some("checkout"), &[]).unwrap();
        assert_eq!(choice.counter.total, "b_total");
    }

    #[test]
    fn where_nothing_is_found_it_is_told_what_was_looked_for_and_what_there_is() {
        let nothing = |found: &[Found], names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            choose(found, None, &names).unwrap_err().to_string()
        };
        let told = [
            nothing(
                &[],
                &["up", "go_goroutines", "prometheus_http_requests_total"],
            ),
            nothing(&[], &[]),
            nothing(
                &[found(
                    "a_requests_total",
                    None,
                    vec![service("a", 1.0, &[])],
                )],
                &[],
            ),
            nothing(&[found("a_requests_total", Some("f"), Vec::new())], &[]),
        ];
        insta::assert_snapshot!("nothing_is_found", told.join("\n"));
    }
}
