use super::super::column::ABSENT;
use super::super::labels::Labels;
use super::*;

/// Scrapes at 0 s, 15 s, 30 s and so on.
fn column(pairs: &[(&str, &str)], values: &[f64]) -> Column {
    let mut column = Column::new(Labels::new(pairs.iter().copied()), 0, 0);
    for value in values {
        column.push(*value);
    }
    column
}

/// Two pods of one population, one of the other, and a metric with another name.
fn columns() -> Vec<Column> {
    let requests = |pod, track, code, values: &[f64]| {
        column(
            &[
                ("__name__", "requests_total"),
                ("pod", pod),
                ("track", track),
                ("code", code),
            ],
            values,
        )
    };
    vec![
        requests("a", "stable", "200", &[0.0, 30.0, 60.0, 90.0, 120.0]),
        requests("a", "stable", "500", &[ABSENT, ABSENT, 1.0, 1.0, 3.0]),
        requests("b", "stable", "200", &[10.0, 20.0, ABSENT, 40.0, 50.0]),
        requests("c", "canary", "200", &[5.0, 6.0, 7.0, ABSENT, ABSENT]),
        column(
            &[("__name__", "cores"), ("pod", "a"), ("track", "stable")],
            &[0.25, 0.5, 0.75, 1.0, 2.0],
        ),
        column(
            &[("__name__", "cores"), ("pod", "b"), ("track", "stable")],
            &[4.0, 4.0, 4.0, 4.0, 4.0],
        ),
    ]
}

/// The answer of an instant query as text: labels and value of each series, or the error.
fn at(seconds: i64, query: &str) -> String {
    let columns = columns();
    let answer = parse(query).and_then(|expr| instant(&columns, &expr, seconds * 1000));
    match answer {
        Err(error) => format!("error: {error}"),
        Ok(Answer::Value(Value::Scalar(numbers))) => format!("{}", numbers[0]),
        Ok(Answer::Value(Value::Text(text))) => format!("{text:?}"),
        Ok(Answer::Value(Value::Vector(rows))) => rows
            .iter()
            .filter(|row| !is_absent(row.values[0]))
            .map(|row| format!("{}{}", written(&row.labels), row.values[0]))
            .collect::<Vec<_>>()
            .join("; "),
        Ok(Answer::Raw(series)) => series
            .iter()
            .map(|one| format!("{}{:?}", written(&one.labels), one.samples))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn written(labels: &Labels) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "track")
        .map(|(_, value)| value.to_owned())
        .collect();
    format!("{{{}}} ", pairs.join(","))
}

#[test]
fn selectors_match_with_every_operator_and_anchored() {
    let cases = [
        (
            r#"requests_total{code="200",pod="a"}"#,
            "{requests_total,200,a} 120",
        ),
        (r#"requests_total{code!="200"}"#, "{requests_total,500,a} 3"),
        (r#"requests_total{code=~"5.."}"#, "{requests_total,500,a} 3"),
        // Anchored: a part does not match.
        (r#"requests_total{code=~"5"}"#, ""),
        (
            r#"requests_total{code!~"2..|4.."}"#,
            "{requests_total,500,a} 3",
        ),
        (
            r#"{__name__=~"req.*",code="500"}"#,
            "{requests_total,500,a} 3",
        ),
        (r#"cores{zone="",pod=~"a|x"}"#, "{cores,a} 2"),
        (r#"cores{zone!=""}"#, ""),
    ];
    for (query, expected) in cases {
        assert_eq!(at(60, query), expected, "{query}");
    }
}

#[test]
fn a_missed_scrape_and_a_gone_target_are_stale_at_once() {
    assert_eq!(
        at(29, r#"requests_total{pod="b"}"#),
        "{requests_total,200,b} 20"
    );
    assert_eq!(at(30, r#"requests_total{pod="b"}"#), "");
    assert_eq!(
        at(45, r#"requests_total{pod="b"}"#),
        "{requests_total,200,b} 40"
    );
    assert_eq!(
        at(44, r#"requests_total{pod="c"}"#),
        "{requests_total,200,c} 7"
    );
    assert_eq!(at(45, r#"requests_total{pod="c"}"#), "");
    // A target that is not stale is looked up to five minutes back.
    assert_eq!(at(359, r#"cores{pod="a"}"#), "{cores,a} 2");
    assert_eq!(at(360, r#"cores{pod="a"}"#), "");
}

#[test]
fn offsets_and_raw_samples() {
    assert_eq!(at(60, r#"cores{pod="a"} offset 30s"#), "{cores,a} 0.75");
    assert_eq!(at(30, r#"cores{pod="a"} offset -15s"#), "{cores,a} 1");
    // Open on the left: the sample at 30 s is not within 30 s before 60 s.
    assert_eq!(
        at(60, r#"requests_total{pod="b"}[30s]"#),
        "{requests_total,200,b} [(45000, 40.0), (60000, 50.0)]"
    );
    assert_eq!(
        at(75, r#"(cores{pod="a"}[31s] offset 15s)"#),
        "{cores,a} [(30000, 0.75), (45000, 1.0), (60000, 2.0)]"
    );
}

#[test]
fn functions_over_windows() {
    // 30, 60, 90, 120 within (0 s, 60 s]: 90 in 45 s, 15 s to the start, 0 s to the end.
    assert_eq!(
        at(60, r#"increase(requests_total{pod="a",code="200"}[1m])"#),
        "{200,a} 120"
    );
    assert_eq!(
        at(60, r#"rate(requests_total{pod="a",code="200"}[1m])"#),
        "{200,a} 2"
    );
    // 20, 40, 50 (one missed): 30 in 45 s, and 15 s to the start.
    assert_eq!(
        at(60, r#"increase(requests_total{pod="b"}[1m])"#),
        "{200,b} 40"
    );
    assert_eq!(
        at(60, r#"irate(requests_total{code="500"}[1m])"#),
        format!("{{500,a}} {}", 2.0 / 15.0)
    );
    assert_eq!(at(60, r#"delta(cores{pod="a"}[30s])"#), "{a} 2");
    assert_eq!(at(60, r#"sum_over_time(cores{pod="a"}[1m])"#), "{a} 4.25");
    assert_eq!(at(60, r#"avg_over_time(cores{pod="a"}[30s])"#), "{a} 1.5");
    assert_eq!(at(60, r#"max_over_time(cores{pod="a"}[1m])"#), "{a} 2");
    assert_eq!(at(60, r#"min_over_time(cores{pod="a"}[1m])"#), "{a} 0.5");
    assert_eq!(
        at(60, r#"count_over_time(requests_total{pod="b"}[1m])"#),
        "{200,b} 3"
    );
    // One sample is no rate.
    assert_eq!(at(60, r#"rate(cores{pod="a"}[10s])"#), "");
}

#[test]
fn aggregations_group_by_and_without() {
    assert_eq!(at(60, "sum by (pod) (requests_total)"), "{a} 123; {b} 50");
    assert_eq!(at(60, "sum without (code, pod) (requests_total)"), "{} 173");
    assert_eq!(at(60, "avg(cores)"), "{} 3");
    assert_eq!(at(60, "min(cores)"), "{} 2");
    assert_eq!(at(60, "max(cores)"), "{} 4");
    assert_eq!(at(60, "count by (track) (cores)"), "{} 2");
    // At 30 s one of three is stale.
    assert_eq!(at(30, r#"count(requests_total{code="200"})"#), "{} 2");
    assert_eq!(at(60, "sum(nothing)"), "");
}

#[test]
fn arithmetic_and_comparisons() {
    assert_eq!(at(60, "1 + 2 * 3 ^ 2 - 7 % 4"), "16");
    assert_eq!(at(60, "-(1 - 3)"), "2");
    assert_eq!(at(60, "2 > bool 1"), "1");
    assert_eq!(at(60, "cores * 2"), "{a} 4; {b} 8");
    assert_eq!(at(60, "1 - cores"), "{a} -1; {b} -3");
    assert_eq!(at(60, "-cores"), "{a} -2; {b} -4");
    assert_eq!(at(60, "cores > 3"), "{cores,b} 4");
    assert_eq!(at(60, "3 > cores"), "{cores,a} 2");
    assert_eq!(at(60, "cores >= bool 4"), "{a} 0; {b} 1");
    assert_eq!(at(60, "cores == 0/0"), "");
    assert_eq!(at(60, "cores / 0"), "{a} inf; {b} inf");
}

#[test]
fn vectors_are_matched_one_to_one() {
    assert_eq!(
        at(
            60,
            r#"requests_total{code="500"} / ignoring(code) requests_total{code="200"}"#
        ),
        "{a} 0.025"
    );
    assert_eq!(
        at(60, r#"requests_total{code="200"} / on(pod) cores"#),
        "{a} 60; {b} 12.5"
    );
    assert_eq!(at(60, "cores - cores"), "{a} 0; {b} 0");
    assert_eq!(at(60, "cores > on(pod) cores / 2"), "{a} 2; {b} 4");
    assert_eq!(
        at(
            60,
            r#"requests_total{code="500"} < ignoring(code) requests_total{code="200"}"#
        ),
        "{requests_total,a} 3"
    );
    assert_eq!(
        at(
            60,
            r#"requests_total{code="500"} + requests_total{code="200"}"#
        ),
        ""
    );
    assert_eq!(
        at(60, "cores / on(pod) requests_total"),
        "error: found duplicate series for the match group {pod=\"a\"} on the right hand-side of \
         the operation;many-to-many matching not allowed: matching labels must be unique on one \
         side"
    );
    assert_eq!(
        at(60, "requests_total / on(pod) cores"),
        "error: multiple matches for labels: many-to-one matching must be explicit \
         (group_left/group_right)"
    );
}

#[test]
fn other_functions() {
    assert_eq!(at(60, "time()"), "60");
    assert_eq!(at(60, "vector(7)"), "{} 7");
    assert_eq!(at(60, r#"scalar(cores{pod="a"}) + 1"#), "3");
    assert_eq!(at(60, "scalar(cores)"), "NaN");
    assert_eq!(at(67, r#"timestamp(cores{pod="a"})"#), "{a} 60");
    assert_eq!(at(67, r#"timestamp(cores{pod="a"} + 0)"#), "{a} 67");
    assert_eq!(at(60, "abs(1 - cores)"), "{a} 1; {b} 3");
    assert_eq!(at(60, "clamp_min(cores, 3)"), "{a} 3; {b} 4");
    assert_eq!(at(60, "clamp_max(cores, 3)"), "{a} 2; {b} 3");
    assert_eq!(at(60, r#""text""#), "\"text\"");
}

#[test]
fn what_is_not_supported_is_named() {
    let cases = [
        ("topk(1, cores)", "the aggregation topk"),
        ("stddev(cores)", "the aggregation stddev"),
        (
            "label_replace(cores, \"a\", \"b\", \"c\", \"d\")",
            "the function label_replace",
        ),
        ("cores or cores", "the operator or"),
        (
            "cores / on(pod) group_left requests_total",
            "group_left and group_right",
        ),
        ("max_over_time(cores[1m:15s])", "subqueries"),
        ("cores @ 30", "the @ modifier"),
        ("{pod=\"a\" or pod=\"b\"}", "\"or\" between matchers"),
    ];
    for (query, what) in cases {
        assert_eq!(
            at(60, query),
            format!("error: the demo's evaluator does not support {what}"),
            "{query}"
        );
    }
}

#[test]
fn a_vector_cannot_hold_one_set_of_labels_twice() {
    let mut columns = columns();
    columns.push(column(
        &[("__name__", "other"), ("pod", "a"), ("track", "stable")],
        &[1.0, 2.0, 3.0, 4.0, 5.0],
    ));
    let expr = parse(r#"rate({pod="a",code=""}[1m])"#).unwrap();
    assert_eq!(
        instant(&columns, &expr, 60_000).unwrap_err(),
        QueryError::same_labels()
    );
}

#[test]
fn wrong_queries_are_bad_data_and_never_a_panic() {
    let deep = format!("{}1{}", "(".repeat(8_000), ")".repeat(8_000));
    let chain = format!("1{}", "+1".repeat(8_000));
    let signs = format!("{}1", "-".repeat(16_000));
    let long = format!("sum(up{{pod=\"{}\"}})", "x".repeat(20_000));
    for query in [
        "",
        "sum(",
        "cores{",
        "cores[1e300]",
        "cores[-5m]",
        "cores{pod=~\"(\"}",
        "{}",
        &deep,
        &chain,
        &signs,
        &long,
    ] {
        let error = parse(query).map(|_| query).unwrap_err();
        assert!(matches!(error, QueryError::BadData(_)), "{query}");
        assert!(
            error
                .to_string()
                .starts_with("invalid parameter \"query\": ")
        );
    }
}

#[test]
fn the_longest_chain_fits_the_stack_of_a_thread() {
    let length = MAX_DEPTH * OPERATORS_PER_LEVEL;
    let chain = format!("1{}", "+1".repeat(length));
    let nested = format!("{}1{}", "-(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert_eq!(at(60, &chain), format!("{}", length + 1));
    assert_eq!(at(60, &nested), "1");
}

#[test]
fn a_range_is_the_instants_one_after_the_other() {
    let columns = columns();
    for query in [
        "requests_total",
        "sum by (pod) (requests_total)",
        "rate(requests_total[45s])",
        "cores / on(pod) requests_total{code=\"200\"}",
        "avg(cores) > 2",
        "time() % 7",
    ] {
        let expr = parse(query).unwrap();
        let steps = Steps::range(0, 100_000, 7_000);
        let whole = match range(&columns, &expr, steps).unwrap() {
            Value::Vector(rows) => rows,
            Value::Scalar(values) => vec![Row {
                labels: Labels::default(),
                values,
            }],
            Value::Text(_) => panic!("a text"),
        };
        for (step, at_ms) in steps.times_ms().enumerate() {
            let expected: Vec<(Labels, u64)> = whole
                .iter()
                .filter(|row| !is_absent(row.values[step]))
                .map(|row| (row.labels.clone(), row.values[step].to_bits()))
                .collect();
            let found: Vec<(Labels, u64)> = match instant(&columns, &expr, at_ms).unwrap() {
                Answer::Value(Value::Vector(rows)) => rows
                    .into_iter()
                    .map(|row| (row.labels, row.values[0].to_bits()))
                    .collect(),
                Answer::Value(Value::Scalar(values)) => {
                    vec![(Labels::default(), values[0].to_bits())]
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{query} at {at_ms}");
        }
    }
}

#[test]
fn ranges_of_ranges_and_of_texts_are_refused() {
    let refused = |query: &str| {
        let expr = parse(query).unwrap();
        range(&columns(), &expr, Steps::range(0, 1, 1))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("cores[1m]"),
        "invalid parameter \"query\": invalid expression type \"range vector\" for range query, \
         must be Scalar or instant Vector"
    );
    assert!(refused("\"text\"").contains("\"string\""));
}

#[test]
fn a_query_that_reads_too_much_is_refused() {
    let columns: Vec<Column> = (0..10)
        .map(|pod: i32| {
            column(
                &[("__name__", "big"), ("pod", &pod.to_string())],
                &[1.0; 600],
            )
        })
        .collect();
    let expr = parse("sum(count_over_time(big[1d]))").unwrap();
    let error = range(&columns, &expr, Steps::range(9_000_000, 20_000_000, 1_000))
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("too many samples"));
}
