//! The unit of a histogram's buckets: what `scale` says, else what the metric's name says.
//!
//! A histogram of milliseconds that is read as one of seconds keeps every limit or none, and nothing
//! in its data tells. Its name does: units are a part of it by the naming guide.
//!
//! Source: <https://prometheus.io/docs/practices/naming/>.

use crate::query;
use crate::series::Populations;
use crate::text;

use super::model::{Dimension, Metric, MetricKind};

/// A unit of time that a name may end in, what it is called, and the seconds that it has.
struct Unit {
    ending: &'static str,
    name: &'static str,
    seconds: f64,
}

const fn unit(ending: &'static str, name: &'static str, seconds: f64) -> Unit {
    Unit {
        ending,
        name,
        seconds,
    }
}

const UNITS: &[Unit] = &[
    unit("_seconds", "seconds", 1.0),
    unit("_milliseconds", "milliseconds", 1e-3),
    unit("_ms", "milliseconds", 1e-3),
    unit("_microseconds", "microseconds", 1e-6),
    unit("_us", "microseconds", 1e-6),
    unit("_nanoseconds", "nanoseconds", 1e-9),
    unit("_ns", "nanoseconds", 1e-9),
];

/// What is added to a name behind its unit.
const ADDED: &[&str] = &["_bucket", "_sum", "_count", "_total"];

/// The seconds in the unit that the name of a selector's metric says; nothing where it says none.
pub(crate) fn seconds_by_name(selector: &str) -> Option<f64> {
    unit_by_name(selector).map(|unit| unit.seconds)
}

fn unit_by_name(selector: &str) -> Option<&'static Unit> {
    let whole = query::metric_name(selector)?;
    let mut name = whole.as_str();
    while let Some(shorter) = ADDED.iter().find_map(|added| name.strip_suffix(added)) {
        name = shorter;
    }
    UNITS.iter().find(|unit| name.ends_with(unit.ending))
}

impl Metric {
    /// How the buckets of a quantile of times are read: `http_request_duration_seconds, in seconds`.
    /// Nothing for anything else.
    pub fn bucket_unit(&self) -> Option<String> {
        let MetricKind::Quantile {
            histogram, scale, ..
        } = &self.kind
        else {
            return None;
        };
        if self.dimension != Dimension::Seconds {
            return None;
        }
        let Populations { control, canary } = histogram.texts();
        let all = [(control, scale.control), (canary, scale.canary)];
        let of_each = all
            .iter()
            .flat_map(|(texts, scale)| texts.iter().map(|text| unit_of(text, *scale)));
        let mut units: Vec<String> = of_each.collect();
        units.dedup();
        Some(units.join(" and "))
    }
}

/// How the buckets of one histogram are read.
fn unit_of(histogram: &str, scale: f64) -> String {
    let is_read_as = |unit: &&Unit| (unit.seconds - scale).abs() <= 1e-12 * scale;
    let read_as = UNITS.iter().find(is_read_as).map_or_else(
        || format!("in units of {} s", text::exact(scale)),
        |unit| format!("in {}", unit.name),
    );
    let why = match unit_by_name(histogram) {
        Some(unit) if is_read_as(&unit) => String::new(),
        Some(unit) => format!(", by its scale; its name says {}", unit.name),
        None if (scale - 1.0).abs() > 0.0 => ", by its scale".to_owned(),
        None => ", as no unit is in its name".to_owned(),
    };
    format!("{histogram}, {read_as}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_unit_before_what_is_added_to_it() {
        for (selector, seconds) in [
            ("http_request_duration_seconds", Some(1.0)),
            ("work_duration_milliseconds_bucket{job=\"a\"}", Some(1e-3)),
            ("response_latency_ms", Some(1e-3)),
            ("rpc_microseconds_sum", Some(1e-6)),
            ("rpc_us", Some(1e-6)),
            ("gc_nanoseconds_total", Some(1e-9)),
            ("{__name__=\"http.server.ms\"}", None),
            ("{__name__=\"http_server_ms\"}", Some(1e-3)),
            ("status_us_east", None),
            ("envoy_cluster_upstream_rq_time", None),
            ("items", None),
        ] {
            assert_eq!(seconds_by_name(selector), seconds, "{selector}");
        }
    }
}
