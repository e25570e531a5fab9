//! What is asked of the index, and what the answers mean.

use super::*;
use crate::data::{Mismatch, SelectorFinding};
use crate::matchers::Matcher;
use crate::query::counter_parts;
use crate::series::Populations;

fn lookup(selector: &str) -> Lookup {
    Lookup::of_selector(counter_parts(selector).unwrap(), None)
}

fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Goes on until it is found out, with an index of labels by selector, and of values.
fn found(lookup: &Lookup, answer: impl Fn(&Ask) -> Vec<String>) -> (SelectorFinding, Vec<Ask>) {
    let (mut asked, mut answers) = (Vec::new(), Vec::new());
    loop {
        match lookup.next(&answers).unwrap() {
            Step::Found(finding) => return (finding, asked),
            Step::Ask(ask) => {
                answers.push(answer(&ask));
                asked.push(ask);
                assert!(asked.len() <= 12, "{asked:?}");
            }
        }
    }
}

/// An index in which every selector has these labels, and every label these values.
fn index<'a>(labels: &'a [&str], values: &'a [&str]) -> impl Fn(&Ask) -> Vec<String> + 'a {
    move |ask| match ask {
        Ask::LabelNames { .. } => texts(labels),
        // As VictoriaMetrics: the name is a label even where there is no series.
        Ask::LabelValues { label, selectors }
            if !selectors.is_empty()
                && label == METRIC_NAME
                && labels.iter().all(|label| *label == METRIC_NAME) =>
        {
            Vec::new()
        }
        Ask::LabelValues { .. } => texts(values),
        Ask::AnySeries { .. } => Vec::new(),
    }
}

fn reason(finding: &SelectorFinding) -> String {
    match finding {
        SelectorFinding::MatchesNothing(why) | SelectorFinding::LeavesOutNothing(why) => {
            why.to_string()
        }
        SelectorFinding::LacksTheLabels(lack) => lack.to_string(),
        SelectorFinding::NotSeen(why) => why.to_string(),
        other => panic!("{other:?} has no reason"),
    }
}

const FAILURES: &str = r#"http_requests_total{code=~"5.."}"#;

#[test]
fn a_label_that_no_series_of_the_metric_has_is_told_with_those_that_are_there() {
    let (finding, asked) = found(&lookup(FAILURES), index(&["pod", "status", "track"], &[]));
    assert_eq!(
        reason(&finding),
        "code=~\"5..\" finds nothing: no series of http_requests_total has the label code; they \
         have status, pod, track"
    );
    // Whatever the labels of a population: a control that has it is enough.
    let whole = Ask::LabelNames {
        selector: r#"{__name__="http_requests_total"}"#.to_owned(),
    };
    assert_eq!(asked, [whole]);
}

#[test]
fn a_label_that_some_series_has_could_match() {
    let (finding, _) = found(&lookup(FAILURES), index(&["code", "pod"], &[]));
    assert_eq!(finding, SelectorFinding::CouldMatch);
}

#[test]
fn a_name_that_is_nowhere_is_told_with_names_that_are_like_it() {
    let metric = lookup("http_request_failures_total");
    let names = ["http_requests_total", "http_requests_failed_total", "up"];
    // Prometheus knows no label of it then, VictoriaMetrics that of the name.
    for labels in [&[][..], &["__name__"]] {
        let (finding, asked) = found(&metric, index(labels, &names));
        assert_eq!(
            reason(&finding),
            "no series is named http_request_failures_total; there are \
             http_requests_failed_total, http_requests_total"
        );
        let all_names = Ask::LabelValues {
            label: "__name__".to_owned(),
            selectors: Vec::new(),
        };
        assert_eq!(asked[2], all_names);
    }
}

#[test]
fn a_series_without_a_label_is_there_by_its_name() {
    let (finding, _) = found(&lookup("failures_total"), |ask| match ask {
        Ask::LabelNames { .. } => texts(&["__name__"]),
        _ => texts(&["failures_total"]),
    });
    assert_eq!(finding, SelectorFinding::CouldMatch);
}

#[test]
fn a_bound_that_is_written_otherwise_is_told_as_it_is_written() {
    let bound = lookup(r#"d_bucket{le="1"}"#);
    let (finding, _) = found(&bound, index(&["le"], &["0.5", "1.0", "2.5"]));
    assert_eq!(
        reason(&finding),
        "le=\"1\" finds nothing, 1.0 is there: write it so"
    );
    let (finding, _) = found(&bound, index(&["le"], &["0.5", "1"]));
    assert_eq!(finding, SelectorFinding::CouldMatch);
    let between = lookup(r#"d_bucket{le="0.7"}"#);
    let (finding, _) = found(&between, index(&["le"], &["0.5", "1.0"]));
    assert_eq!(
        reason(&finding),
        "le=\"0.7\" finds nothing: the bounds of d_bucket are 0.5, 1.0"
    );
    let either = lookup(r#"d_bucket{le=~"1|1.0"}"#);
    let (finding, _) = found(&either, index(&["le"], &["0.5", "1.0"]));
    assert_eq!(finding, SelectorFinding::CouldMatch);
}

#[test]
fn what_leaves_nothing_out_selects_everything() {
    let parts = |text| counter_parts(text).unwrap();
    let total = parts("http_requests_total{job=\"shop\"}");
    let events = parts(r#"http_requests_total{job="shop",status!~"2.."}"#);
    let lookup = Lookup::of_what_is_left_out(events, &total, None).unwrap();
    let (finding, _) = found(&lookup, index(&["code", "job"], &[]));
    assert_eq!(
        finding,
        SelectorFinding::LeavesOutNothing(Mismatch::Label {
            metric: "http_requests_total".to_owned(),
            label: "status".to_owned(),
            asked: r#"status!~"2..""#.to_owned(),
            near: texts(&["code", "job"]),
            others_have_it: false,
        })
    );
    let (finding, _) = found(&lookup, index(&["status", "job"], &[]));
    assert_eq!(finding, SelectorFinding::CouldMatch);
    // A label that is needed, or another metric, could not select everything.
    for other in [FAILURES, r#"failures_total{status!~"2.."}"#] {
        assert_eq!(
            Lookup::of_what_is_left_out(parts(other), &total, None),
            None
        );
    }
}

fn canary() -> Matchers {
    Matchers::from([Matcher::equal("track", "canary")])
}

#[test]
fn a_canary_with_another_label_has_renamed_it() {
    let lookup = Lookup::of_canary(counter_parts(FAILURES).unwrap(), canary());
    let (finding, asked) = found(&lookup, index(&["status", "track"], &[]));
    assert_eq!(
        reason(&finding),
        "the canary has no series of http_requests_total with code; they have status, track"
    );
    let like_it = Ask::AnySeries {
        selector: r#"{__name__="http_requests_total",code!="",track="canary"}"#.to_owned(),
    };
    assert_eq!(asked[0], like_it);
    let (finding, _) = found(&lookup, index(&[], &[]));
    assert_eq!(
        reason(&finding),
        "the canary has no series of http_requests_total"
    );
}

#[test]
fn a_canary_with_every_label_has_had_no_event() {
    let lookup = Lookup::of_canary(counter_parts(FAILURES).unwrap(), canary());
    let (finding, _) = found(&lookup, |ask| match ask {
        Ask::AnySeries { .. } => texts(&["yes"]),
        _ => Vec::new(),
    });
    assert_eq!(finding, SelectorFinding::CanaryHasTheLabels);
}

#[test]
fn a_canary_that_writes_its_bounds_otherwise_is_no_canary_without_fast_requests() {
    let bound = counter_parts(r#"d_bucket{le="1"}"#).unwrap();
    let lookup = Lookup::of_canary(bound, canary());
    let (finding, asked) = found(&lookup, index(&["le", "track"], &["0.5", "1.0"]));
    assert_eq!(
        reason(&finding),
        "the canary has no series of d_bucket with le=\"1\"; they have 1.0, 0.5"
    );
    let with_the_bound = Ask::AnySeries {
        selector: r#"{__name__="d_bucket",le="1",track="canary"}"#.to_owned(),
    };
    assert_eq!(asked[0], with_the_bound);
}

#[test]
fn a_population_that_is_not_there_is_looked_for_label_by_label() {
    let unseen = |selector| Lookup::of_unseen(counter_parts(selector).unwrap(), canary());
    let of_total = unseen("http_requests_total");
    let (finding, _) = found(&of_total, index(&["version", "pod"], &[]));
    assert_eq!(
        reason(&finding),
        "no series of http_requests_total has the label track; they have version, pod"
    );
    let (finding, _) = found(&of_total, index(&["track"], &["stable", "next"]));
    assert_eq!(
        reason(&finding),
        "no series of http_requests_total has track=\"canary\"; there is next, stable"
    );
    let (finding, _) = found(&of_total, index(&["track"], &["canary", "stable"]));
    assert_eq!(
        reason(&finding),
        "http_requests_total has series for each of these matchers, but none in this window for all of \
         them: not there yet, or not any more"
    );
    let (finding, _) = found(&of_total, index(&[], &["http_request_total"]));
    assert_eq!(
        reason(&finding),
        "no series is named http_requests_total; there are http_request_total"
    );
}

/// An index in which these services have a metric each, with their labels and values.
fn services<'a>(
    of: &'a [(&'a str, &'a [&'a str], &'a [&'a str])],
) -> impl Fn(&Ask) -> Vec<String> + 'a {
    move |ask| {
        let asked = |service: &str, selectors: &[String]| {
            selectors
                .iter()
                .any(|one| !one.contains("job=") || one.contains(service))
        };
        let mut found: Vec<String> = Vec::new();
        for (service, labels, values) in of {
            match ask {
                Ask::LabelNames { selector } if asked(service, std::slice::from_ref(selector)) => {
                    found.extend(texts(labels));
                }
                Ask::LabelValues { selectors, .. } if asked(service, selectors) => {
                    found.extend(texts(values));
                }
                _ => {}
            }
        }
        found
    }
}

fn of_the_shop(events: &str, total: &str) -> Lookup {
    let (events, total) = (
        counter_parts(events).unwrap(),
        counter_parts(total).unwrap(),
    );
    let of = |track: &str| {
        Matchers::from([
            Matcher::equal("job", "shop"),
            Matcher::equal("track", track),
        ])
    };
    let populations = Populations {
        control: of("stable"),
        canary: of("canary"),
    };
    let within = Within::beside(&events, &total, &populations).unwrap();
    Lookup::of_selector(events, Some(within))
}

#[test]
fn a_label_that_only_other_services_have_is_looked_for_among_the_populations() {
    let lookup = of_the_shop(FAILURES, "http_requests_total");
    let index = services(&[
        ("shop", &["status", "job"], &[]),
        ("cart", &["code", "job"], &[]),
    ]);
    let (finding, asked) = found(&lookup, index);
    assert_eq!(
        reason(&finding),
        "code=~\"5..\" finds nothing: no series of http_requests_total of control or canary has the \
         label code (others or older ones have); they have status, job"
    );
    assert_eq!(asked.len(), 3);
    let of_canary = Ask::LabelNames {
        selector: r#"{__name__="http_requests_total",job="shop",track="canary"}"#.to_owned(),
    };
    assert_eq!(asked[2], of_canary);
}

#[test]
fn a_metric_that_only_other_services_have_counts_nothing_of_the_populations() {
    let lookup = of_the_shop("failures_total", "shop_requests_total");
    let index = |ask: &Ask| match ask {
        Ask::LabelNames { selector }
            if selector.contains("failures_total") && selector.contains("shop") =>
        {
            Vec::new()
        }
        _ => texts(&["job", "track"]),
    };
    let (finding, _) = found(&lookup, index);
    assert_eq!(
        reason(&finding),
        "no series of control or canary is named failures_total, others are"
    );
    // Nobody is there: that is told of the populations.
    let (finding, _) = found(&lookup, |ask| match ask {
        Ask::LabelNames { selector } if selector.contains("shop\"") => Vec::new(),
        _ => texts(&["job", "track"]),
    });
    assert_eq!(finding, SelectorFinding::CouldMatch);
}

#[test]
fn a_value_is_looked_for_among_the_populations_with_one_question() {
    let lookup = of_the_shop(
        r#"http_requests_total{code=~"5..."}"#,
        "http_requests_total",
    );
    let index = services(&[
        ("shop", &["code", "job"], &["200", "500"]),
        ("cart", &["code", "job"], &["50000"]),
    ]);
    let (finding, asked) = found(&lookup, index);
    assert_eq!(
        reason(&finding),
        "code=~\"5...\" finds nothing: there is 500, 200, and no HTTP status is like that"
    );
    let of_both = Ask::LabelValues {
        label: "code".to_owned(),
        selectors: ["stable", "canary"]
            .map(|track| {
                format!(r#"{{__name__="http_requests_total",job="shop",track="{track}"}}"#)
            })
            .into(),
    };
    assert_eq!(asked[3..], [of_both]);
}

#[test]
fn a_metric_whose_matchers_need_what_a_caller_sends_is_said_not_to_be_looked_at() {
    let text = "\
metrics:
  faults:
    errors: 'f_total{code=~\"5..\"}'
    total: f_total
    canary: {pod: {\"=~\": \"shop-${canary.hash}-.*\"}}
canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 60, metrics: [faults < 1%]}}
";
    let pipeline = crate::pipeline::parse(text, "test").unwrap();
    let said = |canary: &[Matcher]| {
        let canary = canary.iter().cloned().collect();
        let populations = Populations {
            control: &pipeline.control,
            canary: &canary,
        };
        let said = not_looked_at(&pipeline, populations).into_iter();
        said.map(|one| format!("{}: {}", one.metric, one.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        said(&[]),
        [
            "faults: not looked at: ${canary.hash} has no value: no caller sent the label hash of the canary, \
             and the pipeline does not say it; send it, such as canary: {hash: \"6d4f9\"}; to look at it, \
             give lint a value: --canary hash=6d4f9"
        ]
    );
    assert_eq!(said(&[Matcher::equal("hash", "6d4f9")]), [] as [&str; 0]);
}
