//! Which counters of a source could be the requests of services: those of presets, and others that are
//! named like them.

use std::collections::BTreeSet;

use crate::pipeline::{Preset, presets_of, seconds_by_name};
use crate::query::{QueryError, SelectorParts, counter_parts, histogram_parts};

use super::failures;

/// Parts of names that counters of requests have.
const REQUESTS: &[&str] = &["request", "rpc", "calls"];

/// Parts of names that other counters have, which are of some requests only, or of their sizes.
const NO_REQUESTS: &[&str] = &[
    "error",
    "fail",
    "exception",
    "timeout",
    "size",
    "bytes",
    "retr",
];

/// Beginnings of names of what watches and runs services, and serves no users.
const NO_SERVICE: &[&str] = &[
    "alertmanager_",
    "apiserver_",
    "authentication_",
    "authorization_",
    "controller_runtime_",
    "coredns_",
    "etcd_",
    "grafana_",
    "kubelet_",
    "loki_",
    "net_conntrack_",
    "prometheus_",
    "promhttp_",
    "rest_client_",
    "thanos_",
    "vm_",
    "workqueue_",
];

/// What histograms of durations have in their names.
const DURATIONS: &[&str] = &["duration", "latency", "time", "seconds"];

/// Most counters beside the presets' that are looked at: each takes questions.
const MOST_OTHERS: usize = 12;

/// A counter that could be the requests of services, by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    preset: Option<&'static Preset>,
    total: String,
    metric: String,
    histogram: Option<Histogram>,
}

/// A counter of the requests of services.
#[derive(Debug, Clone, PartialEq)]
pub struct Counter {
    /// The preset whose counter it is; nothing for others.
    pub preset: Option<&'static Preset>,
    /// Its selector.
    pub total: String,
    /// The selector of the failed ones; nothing where they cannot be told.
    pub errors: Option<String>,
    /// How long they took, where there is a histogram.
    pub histogram: Option<Histogram>,
    /// The labels that its series have.
    pub labels: Vec<String>,
}

/// A classic histogram of durations.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Its selector, without `_bucket`.
    pub selector: String,
    /// Seconds in one unit of its bounds.
    pub scale: f64,
}

/// What the labels of a candidate say.
#[derive(Debug, Clone, PartialEq)]
pub enum Fit {
    /// It counts requests.
    Counts(Counter),
    /// It does, and [`Counter::failing_by`] says how they fail, by the values of this label.
    FailsBy(Counter, &'static str),
    /// It is another's.
    Other,
}

/// The counters that could be requests, by the names of all metrics: those of presets first, in the
/// order of their table.
pub fn candidates(names: &[String]) -> Vec<Candidate> {
    let all: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let presets = presets_of(all.iter().copied());
    let of_presets = presets
        .iter()
        .filter_map(|preset| Candidate::of_preset(preset, &all));
    let is_beside_a_preset = |name: &str| {
        let histograms = presets
            .iter()
            .filter_map(|preset| preset.requests.durations);
        let mut counts = histograms.filter_map(|durations| count_of(durations.histogram));
        counts.any(|count| count == name)
    };
    let mut others: Vec<&str> = all
        .iter()
        .copied()
        .filter(|name| is_named_so(name, &all) && !is_beside_a_preset(name))
        .collect();
    others.sort_by_key(|name| !name.contains("http"));
    let others = others.into_iter().take(MOST_OTHERS);
    of_presets
        .chain(others.map(|name| Candidate::named(name, &all)))
        .collect()
}

/// The name of the counter that is a part of a histogram: the same requests as its preset's.
fn count_of(histogram: &str) -> Option<String> {
    let parts = histogram_parts(histogram).ok()?;
    let name = parts.metric().strip_suffix("_bucket")?;
    Some(format!("{name}_count"))
}

/// The counters that are worth a look: of presets that share their requests the one whose worked pair
/// of populations is there, else the most general; nothing beside a preset of the same metric.
pub fn likeliest(counters: Vec<Counter>, has_pair: impl Fn(&Counter) -> bool) -> Vec<Counter> {
    let mut kept: Vec<Counter> = Vec::new();
    for counter in counters {
        let same = kept
            .iter_mut()
            .find(|other| other.metric() == counter.metric());
        match same {
            Some(other) if counter.preset.is_some() && has_pair(&counter) && !has_pair(other) => {
                *other = counter;
            }
            Some(_) => {}
            None => kept.push(counter),
        }
    }
    kept
}

fn is_named_so(name: &str, all: &BTreeSet<&str>) -> bool {
    let counts = match name.strip_suffix("_count") {
        Some(histogram) => has_buckets(histogram, all),
        None => name.ends_with("_total"),
    };
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    counts
        && has(REQUESTS)
        && !has(NO_REQUESTS)
        && !NO_SERVICE
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

fn has_buckets(histogram: &str, all: &BTreeSet<&str>) -> bool {
    all.contains(format!("{histogram}_bucket").as_str())
}

/// The histogram of durations that is named like a counter, if its name says a unit.
fn histogram_like(counter: &str, all: &BTreeSet<&str>) -> Option<Histogram> {
    let with_unit = |name: &str| {
        seconds_by_name(name).map(|scale| Histogram {
            selector: name.to_owned(),
            scale,
        })
    };
    if let Some(own) = counter.strip_suffix("_count") {
        return with_unit(own);
    }
    // http_requests_total, http_request_duration_seconds: alike up to what is counted.
    let end = REQUESTS
        .iter()
        .filter_map(|part| counter.find(part))
        .min()?;
    let stem = counter.get(..end)?;
    let is_like =
        |name: &&str| name.starts_with(stem) && DURATIONS.iter().any(|part| name.contains(part));
    let histograms = all.iter().filter_map(|name| name.strip_suffix("_bucket"));
    let like = histograms.filter(is_like).filter(|_| !stem.is_empty());
    like.filter_map(with_unit)
        .min_by_key(|one| one.selector.len())
}

impl Candidate {
    fn of_preset(preset: &'static Preset, all: &BTreeSet<&str>) -> Option<Self> {
        let total = counter_parts(preset.requests.total).ok()?;
        let durations = preset.requests.durations.filter(|durations| {
            histogram_parts(durations.histogram).is_ok_and(|parts| all.contains(parts.metric()))
        });
        Some(Self {
            preset: Some(preset),
            total: preset.requests.total.to_owned(),
            metric: total.metric().to_owned(),
            histogram: durations.map(|durations| Histogram {
                selector: durations.histogram.to_owned(),
                scale: durations.scale,
            }),
        })
    }

    fn named(name: &str, all: &BTreeSet<&str>) -> Self {
        Self {
            preset: None,
            total: name.to_owned(),
            metric: name.to_owned(),
            histogram: histogram_like(name, all),
        }
    }

    /// The selectors whose labels say more: of all requests, and of the failed ones where they are of
    /// another metric.
    ///
    /// # Errors
    ///
    /// [`QueryError`] for a name that cannot be written.
    pub fn selectors(&self) -> Result<Vec<String>, QueryError> {
        let mut all = vec![counter_parts(&self.total)?.whole_metric()?];
        if let Some(preset) = self.preset {
            let errors = counter_parts(preset.requests.errors)?.whole_metric()?;
            if !all.contains(&errors) {
                all.push(errors);
            }
        }
        Ok(all)
    }

    /// What it is, by the labels of its [`Candidate::selectors`], in their order.
    pub fn with_labels(self, labels: &[Vec<String>]) -> Fit {
        let (Some(of_total), Some(of_errors)) = (labels.first(), labels.last()) else {
            return Fit::Other;
        };
        let mut counter = Counter {
            preset: self.preset,
            total: self.total,
            errors: None,
            histogram: self.histogram,
            labels: of_total.clone(),
        };
        match self.preset {
            Some(preset) if preset.is_of(of_errors) => {
                counter.errors = Some(preset.requests.errors.to_owned());
                Fit::Counts(counter)
            }
            Some(_) => Fit::Other,
            None => match failures::status_label(of_total) {
                Some(label) => Fit::FailsBy(counter, label),
                None => Fit::Counts(counter),
            },
        }
    }

    /// Whether it is a preset's.
    pub fn is_of_preset(&self) -> bool {
        self.preset.is_some()
    }

    /// The name of its metric.
    pub fn metric(&self) -> &str {
        &self.metric
    }
}

impl Counter {
    /// Says how requests fail, by the values of a label.
    #[must_use]
    pub fn failing_by(mut self, label: &str, values: &[String]) -> Self {
        let failed = failures::failed(label, values);
        self.errors = failed.map(|matcher| format!("{}{{{matcher}}}", self.total));
        self
    }

    /// The name of its metric; empty where the selector names none.
    pub fn metric(&self) -> String {
        let parts = counter_parts(&self.total);
        parts
            .as_ref()
            .map(SelectorParts::metric)
            .unwrap_or_default()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|one| (*one).to_owned()).collect()
    }

    fn named(all: &[&str]) -> Vec<String> {
        let found = candidates(&texts(all));
        let name = |one: Candidate| {
            one.preset
                .map_or(one.metric, |preset| preset.name.to_owned())
        };
        found.into_iter().map(name).collect()
    }

    #[test]
    fn the_counters_of_presets_come_before_others() {
        assert_eq!(
            named(&["istio_requests_total", "app_requests_total", "up"]),
            ["istio", "app_requests_total", "istio_requests_total"]
        );
    }

    #[test]
    fn what_watches_and_runs_services_is_no_service() {
        let none = [
            "prometheus_http_requests_total",
            "promhttp_metric_handler_requests_total",
            "rest_client_requests_total",
        ];
        assert_eq!(named(&none), [] as [&str; 0]);
    }

    #[test]
    fn the_count_of_a_presets_histogram_is_the_same_requests_again() {
        let histogram = "istio_request_duration_milliseconds";
        let (bucket, count) = (format!("{histogram}_bucket"), format!("{histogram}_count"));
        assert_eq!(
            named(&["istio_requests_total", &bucket, &count]),
            ["istio", "istio_requests_total"]
        );
    }

    #[test]
    fn failures_and_sizes_are_no_requests() {
        assert_eq!(
            named(&["app_request_errors_total", "app_request_size_bytes_total"]),
            [] as [&str; 0]
        );
    }

    #[test]
    fn a_count_is_a_counter_only_where_it_is_of_a_histogram() {
        let count = "app_request_duration_seconds_count";
        assert_eq!(named(&[count]), [] as [&str; 0]);
        assert_eq!(
            named(&[count, "app_request_duration_seconds_bucket"]),
            [count]
        );
    }

    #[test]
    fn the_histogram_of_a_counter_is_named_like_it_and_says_its_unit() {
        let of = |histogram: &str| {
            let all = [histogram, "shop_requests_total"];
            histogram_like("shop_requests_total", &all.into_iter().collect())
        };
        let found = of("shop_request_duration_milliseconds_bucket").unwrap();
        assert_eq!(found.selector, "shop_request_duration_milliseconds");
        assert!((found.scale - 0.001).abs() < 1e-12);
        assert_eq!(of("cart_request_duration_seconds_bucket"), None);
        assert_eq!(of("shop_request_duration_bucket"), None);
    }

    #[test]
    fn a_preset_whose_status_has_another_name_is_spelled_out() {
        let all = texts(&["http_requests_total"]);
        let labels = [texts(&["job", "status"])];
        let fits: Vec<Fit> = candidates(&all)
            .into_iter()
            .map(|candidate| candidate.with_labels(&labels))
            .collect();
        let Some(Fit::FailsBy(counter, label)) = fits.last().cloned() else {
            panic!("{fits:?}");
        };
        assert!(fits[..fits.len() - 1].iter().all(|fit| *fit == Fit::Other));
        let counter = counter.failing_by(label, &texts(&["200"]));
        assert_eq!(
            counter.errors.unwrap(),
            r#"http_requests_total{status=~"5.."}"#
        );
    }

    #[test]
    fn of_presets_with_the_same_requests_the_one_whose_pair_is_there_is_taken() {
        let labels = [texts(&["code", "job"])];
        let counters = || {
            let all = candidates(&texts(&["http_requests_total"]));
            let fits = all.into_iter().map(|one| one.with_labels(&labels));
            fits.filter_map(|fit| match fit {
                Fit::Counts(counter) => Some(counter),
                _ => None,
            })
        };
        let name = |pair: &str| {
            let of_pair = |one: &Counter| one.preset.is_some_and(|preset| preset.name == pair);
            let kept = likeliest(counters().collect(), of_pair);
            kept.first().and_then(|one| one.preset).unwrap().name
        };
        assert_eq!(name("kubernetes"), "kubernetes");
        assert_eq!(name("none"), "prometheus");
    }
}
