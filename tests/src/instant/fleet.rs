//! Services without end: every value of the label `hash` is a population of two pods that serve a
//! few requests, evenly and alike, so that nothing is ever decided about them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use super::query::{Aggregation, Query};

/// The label that names a population.
const POPULATION_LABEL: &str = "hash";
const PODS: u64 = 2;
const SCRAPE_MS: i64 = 15_000;
/// As long as Prometheus repeats a sample.
const LOOKBACK_MS: i64 = 300_000;
/// When every pod was started, in seconds since 1970: before every window, in September 2026.
const STARTED_SECONDS: i64 = 1_789_000_000;
/// Requests come in blocks that are all alike.
const BLOCK: usize = 1_000;
/// Each status code, with the requests of a block that have it: from a rank up to another.
const CODES: [(&str, usize, usize); 3] = [("500", 0, 10), ("404", 10, 30), ("200", 30, BLOCK)];
/// How far apart in rank of their status codes two requests are that follow each other. It has no
/// divisor in common with a block, so every rank occurs once.
const CODE_STRIDE: usize = 389;
/// The bounds of the histogram, with the requests of a block up to each.
const BUCKETS: [(&str, usize); 12] = [
    ("0.005", 20),
    ("0.01", 100),
    ("0.025", 300),
    ("0.05", 550),
    ("0.1", 800),
    ("0.25", 930),
    ("0.5", 970),
    ("1", 985),
    ("2.5", 995),
    ("5", 998),
    ("10", 999),
    ("+Inf", BLOCK),
];
/// As [`CODE_STRIDE`], for the time that a request takes.
const TIME_STRIDE: usize = 617;

/// How many of the first requests of a block have a rank within some bounds: one for each number of
/// requests up to a whole block.
type Among = Vec<u16>;

static AMONG_CODES: LazyLock<Vec<Among>> = LazyLock::new(|| {
    let of = |&(_, from, to): &(&str, usize, usize)| among(CODE_STRIDE, from, to);
    CODES.iter().map(of).collect()
});
static AMONG_BUCKETS: LazyLock<Vec<Among>> = LazyLock::new(|| {
    let of = |&(_, to): &(&str, usize)| among(TIME_STRIDE, 0, to);
    BUCKETS.iter().map(of).collect()
});

fn among(stride: usize, from: usize, to: usize) -> Among {
    let mut count = 0;
    let mut counts = vec![0];
    for request in 0..BLOCK {
        count += u16::from((from..to).contains(&(request * stride % BLOCK)));
        counts.push(count);
    }
    counts
}

/// The instants of a range query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instants {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

impl Instants {
    fn iter(self) -> impl Iterator<Item = i64> {
        let count = (self.end_ms - self.start_ms).div_euclid(self.step_ms) + 1;
        (0..count.max(0)).map(move |index| self.start_ms + index * self.step_ms)
    }
}

/// One series: what its labels are, and how its value follows from the time.
#[derive(Debug, Clone)]
struct Series {
    labels: BTreeMap<&'static str, String>,
    formula: Formula,
}

#[derive(Debug, Clone, Copy)]
enum Formula {
    /// Counts some of the requests, of which there are so many a second.
    Counter {
        per_second: f64,
        among: &'static [u16],
    },
    /// A gauge that swings a little around so much.
    Gauge { around: f64 },
    /// Always the same.
    Constant(f64),
}

impl Formula {
    /// The value that the last scrape before an instant saw; none when that is too long ago.
    fn at(self, at_ms: i64) -> f64 {
        let scraped_seconds = at_ms.div_euclid(SCRAPE_MS) * SCRAPE_MS / 1_000;
        let age_seconds = (scraped_seconds - STARTED_SECONDS).max(0) as f64;
        match self {
            Self::Counter { per_second, among } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of floats ends at the bounds"
                )]
                let requests = (age_seconds * per_second) as usize;
                let count = |requests| among.get(requests).copied().map_or(0, usize::from);
                (requests / BLOCK * count(BLOCK) + count(requests % BLOCK)) as f64
            }
            Self::Gauge { around } => around * (1.0 + 0.01 * (age_seconds / 60.0).sin()),
            Self::Constant(value) => value,
        }
    }
}

/// Answers a range query.
pub(super) fn range(query: &Query, instants: Instants) -> String {
    let mut answer = Answer::new("matrix");
    for (labels, formulas, aggregation) in groups(query) {
        answer.series(&labels, |answer| {
            for at_ms in instants.iter() {
                answer.sample(at_ms, value(&formulas, aggregation, at_ms));
            }
        });
    }
    answer.end()
}

/// Answers an instant query, with the scrapes themselves where a range is selected.
pub(super) fn instant(query: &Query, at_ms: i64) -> String {
    let Some(range_ms) = query.range_ms else {
        let mut answer = Answer::new("vector");
        for (labels, formulas, aggregation) in groups(query) {
            answer.single(&labels, at_ms, value(&formulas, aggregation, at_ms));
        }
        return answer.end();
    };
    let mut answer = Answer::new("matrix");
    let newest_ms = at_ms.div_euclid(SCRAPE_MS) * SCRAPE_MS;
    let oldest_ms = ((at_ms - range_ms).div_euclid(SCRAPE_MS) + 1) * SCRAPE_MS;
    let scrapes = Instants {
        start_ms: oldest_ms,
        end_ms: newest_ms,
        step_ms: SCRAPE_MS,
    };
    for series in selected(query) {
        let mut labels = series.labels;
        labels.insert("__name__", query.metric.clone());
        answer.series(&labels, |answer| {
            for scraped_ms in scrapes.iter() {
                answer.sample(scraped_ms, series.formula.at(scraped_ms));
            }
        });
    }
    answer.end()
}

fn value(formulas: &[Formula], aggregation: Aggregation, at_ms: i64) -> f64 {
    debug_assert!(SCRAPE_MS <= LOOKBACK_MS, "every instant has a scrape");
    let sum: f64 = formulas.iter().map(|formula| formula.at(at_ms)).sum();
    match aggregation {
        Aggregation::Sum => sum,
        Aggregation::Average => sum / formulas.len() as f64,
    }
}

type Group = (BTreeMap<&'static str, String>, Vec<Formula>, Aggregation);

/// The series of the answer, each with those that it is made of.
fn groups(query: &Query) -> Vec<Group> {
    let selected = selected(query);
    let Some((aggregation, by)) = &query.aggregate else {
        let alone = |mut series: Series| {
            series.labels.insert("__name__", query.metric.clone());
            (series.labels, vec![series.formula], Aggregation::Sum)
        };
        return selected.into_iter().map(alone).collect();
    };
    let mut groups = BTreeMap::<BTreeMap<&'static str, String>, Vec<Formula>>::new();
    for mut series in selected {
        series
            .labels
            .retain(|label, _| by.iter().any(|kept| kept == label));
        let group = groups.entry(series.labels).or_default();
        group.push(series.formula);
    }
    let of_group = |(labels, formulas)| (labels, formulas, *aggregation);
    groups.into_iter().map(of_group).collect()
}

/// The series that the selector of a query means.
fn selected(query: &Query) -> Vec<Series> {
    let mut populations: Vec<&String> = query
        .matchers
        .iter()
        .filter(|matcher| matcher.label == POPULATION_LABEL)
        .flat_map(|matcher| matcher.named())
        .collect();
    populations.sort_unstable();
    populations.dedup();
    let mut series = Vec::new();
    for population in populations {
        for pod in 0..PODS {
            of_pod(&query.metric, population, pod, &mut series);
        }
    }
    series.retain(|one| {
        query.matchers.iter().all(|matcher| {
            let value = one.labels.get(matcher.label.as_str());
            matcher.selects(value.map_or("", String::as_str))
        })
    });
    series
}

/// The series of a metric that a pod exposes.
fn of_pod(metric: &str, population: &str, pod: u64, series: &mut Vec<Series>) {
    let mut hasher = DefaultHasher::new();
    (population, pod).hash(&mut hasher);
    let drawn = hasher.finish();
    // From 0.15 to 0.25 requests a second.
    let per_second = 0.15 + (drawn % 1_000) as f64 / 10_000.0;
    let address = (drawn >> 16) & 0xffff;
    let target = BTreeMap::from([
        (
            "instance",
            format!("10.{pod}.{}.{}:8080", address >> 8, address & 0xff),
        ),
        ("job", "service".to_owned()),
        ("pod", format!("{population}-{pod}")),
        (POPULATION_LABEL, population.to_owned()),
    ]);
    let mut add = |label: Option<(&'static str, &str)>, formula| {
        let mut labels = target.clone();
        if let Some((label, value)) = label {
            labels.insert(label, value.to_owned());
        }
        series.push(Series { labels, formula });
    };
    let counter = |among| Formula::Counter { per_second, among };
    match metric {
        "http_requests_total" => {
            for ((code, ..), among) in CODES.iter().zip(AMONG_CODES.iter()) {
                add(Some(("code", code)), counter(among));
            }
        }
        "http_request_duration_seconds_bucket" => {
            for ((bound, _), among) in BUCKETS.iter().zip(AMONG_BUCKETS.iter()) {
                add(Some(("le", bound)), counter(among));
            }
        }
        "process_resident_memory_bytes" => {
            let around = 2e8 + (drawn % 1_000) as f64 * 1e4;
            add(None, Formula::Gauge { around });
        }
        "process_start_time_seconds" => add(None, Formula::Constant(STARTED_SECONDS as f64)),
        // A metric that nobody exposes.
        _ => {}
    }
}

/// An answer as it is written. Writing to a string cannot fail.
struct Answer {
    text: String,
    is_first_series: bool,
    is_first_sample: bool,
}

impl Answer {
    fn new(result_type: &str) -> Self {
        let text =
            format!(r#"{{"status":"success","data":{{"resultType":"{result_type}","result":["#);
        Self {
            text,
            is_first_series: true,
            is_first_sample: true,
        }
    }

    fn labels(&mut self, labels: &BTreeMap<&'static str, String>) {
        if !std::mem::take(&mut self.is_first_series) {
            self.text.push(',');
        }
        self.text.push_str(r#"{"metric":{"#);
        let mut separator = "";
        for (label, value) in labels {
            let _ = write!(self.text, r#"{separator}"{label}":{value:?}"#);
            separator = ",";
        }
        self.text.push('}');
    }

    fn series(&mut self, labels: &BTreeMap<&'static str, String>, samples: impl FnOnce(&mut Self)) {
        self.labels(labels);
        self.text.push_str(r#","values":["#);
        self.is_first_sample = true;
        samples(self);
        self.text.push_str("]}");
    }

    fn single(&mut self, labels: &BTreeMap<&'static str, String>, at_ms: i64, value: f64) {
        self.labels(labels);
        self.text.push_str(r#","value":"#);
        self.is_first_sample = true;
        self.sample(at_ms, value);
        self.text.push('}');
    }

    fn sample(&mut self, at_ms: i64, value: f64) {
        if !std::mem::take(&mut self.is_first_sample) {
            self.text.push(',');
        }
        let (seconds, rest) = (at_ms.div_euclid(1_000), at_ms.rem_euclid(1_000));
        let _ = if rest == 0 {
            write!(self.text, r#"[{seconds},"{value}"]"#)
        } else {
            write!(self.text, r#"[{seconds}.{rest:03},"{value}"]"#)
        };
    }

    fn end(mut self) -> String {
        self.text.push_str("]}}");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn ask(text: &str, at_ms: i64) -> Value {
        let query: Query = text.parse().unwrap();
        let answer = if query.range_ms.is_some() {
            instant(&query, at_ms)
        } else {
            let instants = Instants {
                start_ms: at_ms,
                end_ms: at_ms + 600_000,
                step_ms: 10_000,
            };
            range(&query, instants)
        };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer["data"]["result"].clone()
    }

    #[test]
    fn a_grouped_query_has_a_series_for_each_pod_with_the_labels_asked_for() {
        let text = "sum by (instance, pod, hash) (http_requests_total{hash=~\"a|b\"})";
        let result = ask(text, NOW_MS);
        let series = result.as_array().unwrap();
        assert_eq!(series.len(), 4);
        let labels = series[0]["metric"].as_object().unwrap();
        let names: Vec<&String> = labels.keys().collect();
        assert_eq!(names, ["hash", "instance", "pod"]);
        assert_eq!(series[0]["values"].as_array().unwrap().len(), 61);
    }

    #[test]
    fn the_sum_over_the_codes_is_the_sum_of_the_codes_and_never_falls() {
        let sum = ask("sum by (pod) (http_requests_total{hash=\"a\"})", NOW_MS);
        let codes = ask(
            "sum by (pod, code) (http_requests_total{hash=\"a\"})",
            NOW_MS,
        );
        let value = |series: &Value, index: usize| -> f64 {
            let text = series["values"][index][1].as_str().unwrap();
            text.parse().unwrap()
        };
        let of_pod: Vec<&Value> = codes
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["metric"]["pod"] == "a-0")
            .collect();
        assert_eq!(of_pod.len(), 3);
        for index in 0..61 {
            let total: f64 = of_pod.iter().map(|one| value(one, index)).sum();
            assert!((value(&sum[0], index) - total).abs() < 0.5);
            assert!(index == 0 || value(&sum[0], index) >= value(&sum[0], index - 1));
        }
        assert!(value(&sum[0], 60) > value(&sum[0], 0));
    }

    #[test]
    fn no_bucket_grows_by_more_than_the_next_one() {
        let text = "sum by (le) (http_request_duration_seconds_bucket{hash=\"a\"})";
        let result = ask(text, NOW_MS);
        let growth = |bound: &str, index: usize| -> f64 {
            let mut all = result.as_array().unwrap().iter();
            let series = all.find(|one| one["metric"]["le"] == bound).unwrap();
            let value = |index: usize| -> f64 {
                let text = series["values"][index][1].as_str().unwrap();
                text.parse().unwrap()
            };
            value(index + 3) - value(index)
        };
        for index in 0..57 {
            let growths: Vec<f64> = BUCKETS.iter().map(|(le, _)| growth(le, index)).collect();
            assert!(growths.is_sorted() && growths[0] >= 0.0, "{growths:?}");
        }
    }

    #[test]
    fn a_range_selects_the_scrapes_within_it() {
        let result = ask("process_start_time_seconds{hash=\"a\"}[1m]", NOW_MS + 7_000);
        let values = result[0]["values"].as_array().unwrap();
        let times: Vec<i64> = values.iter().map(|one| one[0].as_i64().unwrap()).collect();
        let newest = NOW_MS / 1_000;
        assert_eq!(times, [newest - 45, newest - 30, newest - 15, newest]);
        assert_eq!(
            result[0]["metric"]["__name__"],
            "process_start_time_seconds"
        );
    }

    #[test]
    fn the_same_question_has_the_same_answer_and_other_services_have_others() {
        let text = "sum by (hash) (http_requests_total{hash=~\"a|b\"})";
        let result = ask(text, NOW_MS);
        assert_eq!(result, ask(text, NOW_MS));
        assert_ne!(result[0]["values"], result[1]["values"]);
        assert_eq!(
            ask("nothing_exposes_this{hash=\"a\"}", NOW_MS),
            serde_json::json!([])
        );
    }
}
