//! What the fleet's scrapes have left behind: columns of samples, extended as time goes on.

use serinus_analysis::simulate::{
    BUCKET_COUNT, BUCKET_UPPER_BOUNDS_SECONDS, PodCounters, PodIdentity, RESPONSE_CODES,
    SCRAPE_INTERVAL_MS, Scrape, ServiceSimulation, ShareHistory, SimulationError,
};

use super::column::{ABSENT, Column, is_absent};
use super::labels::{Labels, METRIC_NAME};
use super::services::{FleetService, TEMPLATE_HASH_LABEL, template_hash};

/// How long samples are kept: three days.
const RETAINED_MS: i64 = 3 * 24 * 60 * 60 * 1000;

/// Samples are forgotten an hour at a time.
const FORGOTTEN_TICKS: usize = 240;

/// Series of a pod: codes, buckets, and ten single ones.
const SLOTS: usize = RESPONSE_CODES.len() + BUCKET_COUNT + SINGLE_METRICS.len();

/// The metrics of a pod that have one series, in the order of [`values_of`].
const SINGLE_METRICS: [&str; 9] = [
    "http_request_duration_seconds_sum",
    "http_request_duration_seconds_count",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "orders_total",
    "customer_complaints_total",
    "queue_depth",
    UP,
];

const UP: &str = "up";

/// Every series of the fleet.
#[derive(Debug)]
pub(super) struct Store {
    services: Vec<StoredService>,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct StoredService {
    name: String,
    simulation: ServiceSimulation,
    shares: ShareHistory,
    pods: Vec<StoredPod>,
}

/// Where a pod's series are. A series has a column from its first sample on: the first error of a
/// code makes one, as in a program.
#[derive(Debug)]
struct StoredPod {
    labels: Vec<(&'static str, String)>,
    phase_ms: i64,
    columns: [Option<usize>; SLOTS],
}

impl Store {
    /// Returns the fleet of these services as it starts at `origin_ms`.
    ///
    /// # Errors
    ///
    /// [`SimulationError`] if a description makes no sense.
    pub(super) fn new(
        seed: u64,
        services: &[FleetService],
        origin_ms: i64,
    ) -> Result<Self, SimulationError> {
        let stored = services
            .iter()
            .map(|service| {
                let simulation = ServiceSimulation::new(seed, &service.description, origin_ms)?;
                let mut shares = ShareHistory::default();
                shares.set(origin_ms, service.share_percent);
                let name = service.description.name.clone();
                let pods = simulation
                    .pods()
                    .map(|(identity, phase_ms)| StoredPod {
                        labels: pod_labels(&name, identity),
                        phase_ms,
                        columns: [None; SLOTS],
                    })
                    .collect();
                Ok(StoredService {
                    name,
                    simulation,
                    shares,
                    pods,
                })
            })
            .collect::<Result<_, SimulationError>>()?;
        Ok(Self {
            services: stored,
            columns: Vec::new(),
        })
    }

    /// Returns every series.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Makes every scrape that is due by `now_ms`.
    pub(super) fn extend(&mut self, now_ms: i64) {
        let retained = usize::try_from(RETAINED_MS / SCRAPE_INTERVAL_MS).unwrap_or(usize::MAX);
        let columns = &mut self.columns;
        for service in &mut self.services {
            let pods = &mut service.pods;
            service
                .simulation
                .advance(&service.shares, now_ms, |pod, tick, scrape| {
                    if let Some(pod) = pods.get_mut(pod) {
                        pod.record(tick, scrape, columns, retained);
                    }
                });
        }
    }

    /// Sets the traffic share of a service's canary from `at_ms` on, up to which the store must
    /// have been extended. Returns whether there is such a service.
    pub(super) fn set_share(&mut self, service: &str, at_ms: i64, percent: f64) -> bool {
        let found = self.services.iter_mut().find(|known| known.name == service);
        if let Some(known) = found {
            known.shares.set(at_ms, percent);
            return true;
        }
        false
    }
}

impl StoredPod {
    fn record(
        &mut self,
        tick: i64,
        scrape: Scrape<'_>,
        columns: &mut Vec<Column>,
        retained: usize,
    ) {
        let values = match scrape {
            Scrape::Answered(counters) => values_of(counters),
            Scrape::Missed => {
                let mut nothing_but_down = [ABSENT; SLOTS];
                if let Some(up) = nothing_but_down.last_mut() {
                    *up = 0.0;
                }
                nothing_but_down
            }
            Scrape::Absent => [ABSENT; SLOTS],
        };
        for (slot, value) in values.into_iter().enumerate() {
            let Some(place) = self.columns.get_mut(slot) else {
                continue;
            };
            let index = match *place {
                Some(index) => index,
                None if is_absent(value) => continue,
                None => {
                    columns.push(Column::new(
                        series_labels(&self.labels, slot),
                        self.phase_ms,
                        tick,
                    ));
                    *place.insert(columns.len() - 1)
                }
            };
            if let Some(column) = columns.get_mut(index) {
                column.push(value);
                column.forget(retained, FORGOTTEN_TICKS);
            }
        }
    }
}

fn pod_labels(service: &str, identity: &PodIdentity) -> Vec<(&'static str, String)> {
    vec![
        ("job", service.to_owned()),
        ("service", service.to_owned()),
        ("track", identity.track.as_str().to_owned()),
        ("instance", identity.instance.clone()),
        ("pod", identity.name.clone()),
        ("region", identity.region.to_owned()),
        (
            TEMPLATE_HASH_LABEL,
            template_hash(service, identity.track).to_owned(),
        ),
    ]
}

/// The labels of the series in a slot, which is numbered as in [`values_of`].
fn series_labels(pod: &[(&'static str, String)], slot: usize) -> Labels {
    let bound;
    let (metric, own) = if let Some(code) = RESPONSE_CODES.get(slot) {
        ("http_requests_total", ("code", *code))
    } else if slot < RESPONSE_CODES.len() + BUCKET_COUNT {
        bound = BUCKET_UPPER_BOUNDS_SECONDS
            .get(slot - RESPONSE_CODES.len())
            .map_or_else(|| "+Inf".to_owned(), ToString::to_string);
        (
            "http_request_duration_seconds_bucket",
            ("le", bound.as_str()),
        )
    } else {
        let single = SINGLE_METRICS.get(slot - RESPONSE_CODES.len() - BUCKET_COUNT);
        (single.copied().unwrap_or_default(), ("", ""))
    };
    Labels::new(
        pod.iter()
            .map(|(name, value)| (*name, value.as_str()))
            .chain([(METRIC_NAME, metric), own]),
    )
}

/// The values of all series of a pod: codes (absent until the first such answer of the process),
/// cumulative buckets, then [`SINGLE_METRICS`].
fn values_of(counters: &PodCounters) -> [f64; SLOTS] {
    let codes = counters.requests_by_code.iter().map(|count| match count {
        0 => ABSENT,
        count => *count as f64,
    });
    let mut requests = 0;
    let buckets = counters.requests_by_bucket.map(|count| {
        requests += count;
        requests as f64
    });
    let singles: [f64; SINGLE_METRICS.len()] = [
        counters.duration_seconds,
        requests as f64,
        counters.cpu_seconds,
        counters.resident_memory_bytes,
        counters.started_ms as f64 / 1000.0,
        counters.orders as f64,
        counters.complaints as f64,
        counters.queue_depth as f64,
        1.0,
    ];
    let mut values = [ABSENT; SLOTS];
    for (target, value) in values.iter_mut().zip(codes.chain(buckets).chain(singles)) {
        *target = value;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::services::{CHECKOUT, fleet_services};
    use super::*;

    const ORIGIN_MS: i64 = 1_800_000_000_000;
    const MINUTE_MS: i64 = 60_000;

    fn store() -> Store {
        Store::new(1, &fleet_services(), ORIGIN_MS).unwrap()
    }

    fn series<'a>(store: &'a Store, pairs: &[(&str, &str)]) -> Vec<&'a Column> {
        store
            .columns()
            .iter()
            .filter(|column| {
                pairs
                    .iter()
                    .all(|(name, value)| column.labels.get(name) == *value)
            })
            .collect()
    }

    #[test]
    fn a_pod_exposes_what_a_client_library_does() {
        let mut store = store();
        store.extend(ORIGIN_MS + 10 * MINUTE_MS);
        let pod = series(&store, &[("pod", "checkout-stable-0"), ("code", "")]);
        let names: std::collections::BTreeSet<&str> = pod
            .iter()
            .map(|column| column.labels.get(METRIC_NAME))
            .collect();
        let mut expected: std::collections::BTreeSet<&str> = SINGLE_METRICS.into_iter().collect();
        expected.insert("http_request_duration_seconds_bucket");
        assert_eq!(names, expected);
        let all = series(
            &store,
            &[
                ("pod", "checkout-stable-0"),
                ("le", "+Inf"),
                ("instance", "10.0.0.1:8080"),
                ("region", "us-west-2"),
                ("job", "checkout"),
                ("service", "checkout"),
                ("track", "stable"),
                ("rollouts_pod_template_hash", "5c8f7"),
            ],
        );
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_canary_has_series_only_while_it_has_traffic() {
        let mut store = store();
        let canary = [("service", CHECKOUT), ("track", "canary")];
        store.extend(ORIGIN_MS + MINUTE_MS);
        assert!(series(&store, &canary).is_empty());
        assert!(store.set_share(CHECKOUT, ORIGIN_MS + MINUTE_MS, 0.01));
        store.extend(ORIGIN_MS + 3 * MINUTE_MS);
        let up = [
            ("service", CHECKOUT),
            ("track", "canary"),
            (METRIC_NAME, UP),
        ];
        let at = |store: &Store, at_ms| {
            series(store, &up)
                .iter()
                .filter(|column| column.sample_at(at_ms).is_some())
                .count()
        };
        assert_eq!(at(&store, ORIGIN_MS + 3 * MINUTE_MS), 3);
        store.set_share(CHECKOUT, ORIGIN_MS + 3 * MINUTE_MS, 0.0);
        store.extend(ORIGIN_MS + 4 * MINUTE_MS);
        assert_eq!(at(&store, ORIGIN_MS + 4 * MINUTE_MS), 0);
        assert!(!store.set_share("unknown", 0, 1.0));
    }

    #[test]
    fn an_error_series_is_born_with_the_first_error() {
        let mut store = store();
        store.set_share(CHECKOUT, ORIGIN_MS, 0.01);
        store.extend(ORIGIN_MS + 30 * MINUTE_MS);
        let errors = series(
            &store,
            &[("track", "canary"), ("code", "500"), ("service", CHECKOUT)],
        );
        assert!(!errors.is_empty());
        for column in errors {
            let mut samples = Vec::new();
            column.collect_samples(0, i64::MAX, &mut samples);
            let first = samples[0];
            assert!(first.1 >= 1.0 && first.1 < 5.0, "{first:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut store = store();
        let days = 5;
        for day in 1..=days {
            store.extend(ORIGIN_MS + day * 24 * 60 * MINUTE_MS);
        }
        let mut samples = Vec::new();
        for column in series(&store, &[(METRIC_NAME, UP), ("track", "stable")]) {
            column.collect_samples(0, i64::MAX, &mut samples);
            assert!(samples.len() >= 3 * 5_760);
            assert!(samples.len() < 3 * 5_760 + FORGOTTEN_TICKS);
        }
    }
}
