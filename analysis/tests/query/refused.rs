//! Every message of every refusal.

use std::fmt::Write as _;

use serinus_analysis::matchers::{Matcher, Matchers};
use serinus_analysis::query::{
    QueryError, check_counter_selector, check_gauge_branches, check_gauge_expression,
    counter_per_target, gauge_values, histogram_per_target, process_starts, validate_matchers,
};
use serinus_analysis::series::TargetLabels;

/// One refusal for each input, as `input` and `    message`; a success is written as such, so
/// that it shows.
fn messages<'text, T>(
    inputs: &[&'text str],
    check: impl Fn(&'text str) -> Result<T, QueryError>,
) -> String {
    let mut lines = String::new();
    for input in inputs {
        let message = match check(input) {
            Ok(_) => "ACCEPTED".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(
            !message.contains('\n') && !message.ends_with('.'),
            "{message}"
        );
        writeln!(lines, "{input:?}\n    {message}").unwrap();
    }
    lines
}

fn message<T>(result: Result<T, QueryError>) -> String {
    match result {
        Ok(_) => "ACCEPTED".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn refuse_what_is_not_the_selector_of_a_counter() {
    let inputs = [
        "",
        "  # nothing\n",
        "1 + 2",
        "'text'",
        "http_requests_total[5m]",
        "rate(http_requests_total[5m])",
        "sum by (code) (http_requests_total)",
        "errors_total / requests_total",
        "-requests_total",
        "max_over_time(requests_total[5m:1m])",
        "requests_total[5m:1m]",
        "{job=\"api\"}",
        "{__name__=~\"http_.*\"}",
        "requests_total{code=\"500\" or code=\"502\"}",
        "requests_total offset 5m",
        "requests_total @ 1700000000",
        "requests_total @ end()",
        "requests_total{code=\"a\\nb\"}",
    ];
    insta::assert_snapshot!(messages(&inputs, check_counter_selector), @r#"
    ""
        the query is empty: give a PromQL expression such as http_requests_total
    "  # nothing\n"
        the query is empty: give a PromQL expression such as http_requests_total
    "1 + 2"
        1 + 2 is a scalar, which is the same for control and canary: give an expression over series, such as memory_usage_bytes
    "'text'"
        "text" is a string: give an expression over series, without quotes around it
    "http_requests_total[5m]"
        http_requests_total[5m] is a range vector: give the counter itself, without the range in square brackets
    "rate(http_requests_total[5m])"
        rate(http_requests_total[5m]) is the function rate(), not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "sum by (code) (http_requests_total)"
        sum by (code) (http_requests_total) is the aggregation sum(), not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "errors_total / requests_total"
        errors_total / requests_total is an operation with /, not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "-requests_total"
        -requests_total is a negation, not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "max_over_time(requests_total[5m:1m])"
        max_over_time(requests_total[5m:1m]) is the function max_over_time(), not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "requests_total[5m:1m]"
        requests_total[5m:1m] is a subquery, not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "{job=\"api\"}"
        {job="api"} does not name its metric: write the name before the braces, such as http_requests_total{job="api"}
    "{__name__=~\"http_.*\"}"
        {__name__=~"http_.*"} does not name its metric: write the name before the braces, such as http_requests_total{job="api"}
    "requests_total{code=\"500\" or code=\"502\"}"
        requests_total{code="500" or code="502"} joins matchers with or, which not every Prometheus knows: write one matcher with =~ and a | between the values
    "requests_total offset 5m"
        requests_total offset 5m reads the counter at another time: remove "offset 5m", the stage's window is added by Serinus
    "requests_total @ 1700000000"
        requests_total @ 1700000000.000 reads the counter at another time: remove "@ 1700000000.000", the stage's window is added by Serinus
    "requests_total @ end()"
        requests_total @ end() reads the counter at another time: remove "@ end()", the stage's window is added by Serinus
    "requests_total{code=\"a\\nb\"}"
        the value of the label code holds a control character such as a line break: remove it from "a\nb"
    "#);
}

#[test]
fn refuse_what_does_not_parse() {
    let inputs = [
        "requests_total{",
        "requests_total{code=500}",
        "requests_total{code=\"500\"",
        "sum(requests_total",
        "requests_total requests_total",
        "rate(requests_total)",
        "frobnicate(requests_total)",
        "requests_total{code=~`\\d+`}",
        "requests_total{code=~\"5(..\"}",
        "requests_total{code=~\"5)|(.*\"}",
        "requests_total{code=~\"(?=5)\"}",
        "requests_total{code=~\"a{1001}\"}",
        "requests_total{code=~\"(\\\\w{100}){100}\"}",
        "requests_total{code=~\"{x}\"}",
        "requests_total{code=~\"\\\\pL{500}\"}",
        "{a=\"\"}",
    ];
    insta::assert_snapshot!(messages(&inputs, check_gauge_expression), @r#"
    "requests_total{"
        the query does not parse: unexpected end of input inside braces
    "requests_total{code=500}"
        the query does not parse: unexpected character inside braces: '5'
    "requests_total{code=\"500\""
        the query does not parse: unexpected end of input inside braces
    "sum(requests_total"
        the query does not parse: unclosed left parenthesis
    "requests_total requests_total"
        the query does not parse: an operator, a comma or a bracket is missing or out of place
    "rate(requests_total)"
        the query does not parse: expected type matrix in call to function 'rate', got vector
    "frobnicate(requests_total)"
        the query does not parse: unknown function with name 'frobnicate'
    "requests_total{code=~`\\d+`}"
        the query does not parse: unknown escape sequence 'd', write each backslash twice
    "requests_total{code=~\"5(..\"}"
        "5(.." of the label code is not a regular expression (unclosed group, at character 2): correct it, or use = for a plain value
    "requests_total{code=~\"5)|(.*\"}"
        "5)|(.*" of the label code is not a regular expression (unopened group, at character 2): correct it, or use = for a plain value
    "requests_total{code=~\"(?=5)\"}"
        "(?=5)" of the label code is not a regular expression (look-around, including look-ahead and look-behind, is not supported, at character 1): correct it, or use = for a plain value
    "requests_total{code=~\"a{1001}\"}"
        "a{1001}" of the label code is not a regular expression (Prometheus repeats at most 1000 times, nested repetitions multiplied): correct it, or use = for a plain value
    "requests_total{code=~\"(\\\\w{100}){100}\"}"
        "(\\w{100}){100}" of the label code is not a regular expression (Prometheus repeats at most 1000 times, nested repetitions multiplied): correct it, or use = for a plain value
    "requests_total{code=~\"{x}\"}"
        "{x}" of the label code is not a regular expression (repetition operator missing expression, at character 1): correct it, or use = for a plain value
    "requests_total{code=~\"\\\\pL{500}\"}"
        "\\pL{500}" of the label code makes the regular expressions of the query too costly: use shorter repetitions and fewer classes such as \w, or = for plain values
    "{a=\"\"}"
        the query does not parse: vector selector must contain at least one non-empty matcher
    "#);
}

#[test]
fn refuse_what_is_not_a_gauge() {
    let inputs = [
        "1 + 2",
        "time()",
        "'text'",
        "memory_bytes[5m]",
        "memory_bytes[5m:1m]",
        "vector(1)",
        "memory_bytes{a=\"1\" or b=\"2\"}",
        "label_join(a, \"x\", \"\\t\", \"y\")",
        "memory_bytes[0.0001s]",
        "avg_over_time(memory_bytes[0.0001])",
        "a + ignoring () group_left () b",
        "a @ -5",
    ];
    insta::assert_snapshot!(messages(&inputs, check_gauge_expression), @r#"
    "1 + 2"
        1 + 2 is a scalar, which is the same for control and canary: give an expression over series, such as memory_usage_bytes
    "time()"
        time() is a scalar, which is the same for control and canary: give an expression over series, such as memory_usage_bytes
    "'text'"
        "text" is a string: give an expression over series, without quotes around it
    "memory_bytes[5m]"
        memory_bytes[5m] is a range vector: remove the range in square brackets, or apply a function such as avg_over_time() to it
    "memory_bytes[5m:1m]"
        memory_bytes[5m:1m] is a range vector: remove the range in square brackets, or apply a function such as avg_over_time() to it
    "vector(1)"
        vector(1) has no selector, so it is the same for control and canary: give an expression over series, such as memory_usage_bytes
    "memory_bytes{a=\"1\" or b=\"2\"}"
        memory_bytes{a="1" or b="2"} joins matchers with or, which not every Prometheus knows: write one matcher with =~ and a | between the values
    "label_join(a, \"x\", \"\\t\", \"y\")"
        a string of the query holds a control character such as a line break: remove it from "\t"
    "memory_bytes[0.0001s]"
        the query does not parse: not a valid duration string: 0.0001s
    "avg_over_time(memory_bytes[0.0001])"
        the duration "0.0001" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a + ignoring () group_left () b"
        a + group_left () b cannot be written back unchanged: simplify the query, or record a rule for it
    "a @ -5"
        a @ 0.000 cannot be written back unchanged: simplify the query, or record a rule for it
    "#);
}

#[test]
fn refuse_durations_that_the_parser_cannot_hold() {
    let inputs = [
        "rate(a[1e300])",
        "rate(a[99999999999s])",
        "rate(a[5m:1e300])",
        "rate(a[1h99999999999s:])",
        "a offset 1e300",
        "a offset -1E+300",
        "a offset inf",
        "a offset nan",
        "a offset 0xffffffffffff",
        "a > 99999999999s",
    ];
    insta::assert_snapshot!(messages(&inputs, check_gauge_expression), @r#"
    "rate(a[1e300])"
        the duration "1e300" is not usable: give whole milliseconds up to 100 years, such as 5m
    "rate(a[99999999999s])"
        the duration "99999999999s" is not usable: give whole milliseconds up to 100 years, such as 5m
    "rate(a[5m:1e300])"
        the duration "1e300" is not usable: give whole milliseconds up to 100 years, such as 5m
    "rate(a[1h99999999999s:])"
        the duration "1h99999999999s" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a offset 1e300"
        the duration "1e300" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a offset -1E+300"
        the duration "1E+300" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a offset inf"
        the duration "inf" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a offset nan"
        the duration "nan" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a offset 0xffffffffffff"
        the duration "0xffffffffffff" is not usable: give whole milliseconds up to 100 years, such as 5m
    "a > 99999999999s"
        the duration "99999999999s" is not usable: give whole milliseconds up to 100 years, such as 5m
    "#);
}

#[test]
fn refuse_texts_that_are_too_long_or_too_deep() {
    let long = format!("a{}", " ".repeat(16 * 1024));
    let written = vec!["a"; 50].join("+");
    let wide = Matchers::from([Matcher::equal("b", "x".repeat(2000))]);
    let costly = Matchers::from([Matcher::regex("b", "\\w{1,50}")]);
    let lines = [
        message(check_gauge_expression(&long)),
        message(check_counter_selector(&format!(
            "{}a{}",
            "(".repeat(101),
            ")".repeat(101)
        ))),
        message(gauge_values(&written, &wide)),
        message(gauge_values("a + b + c", &costly)),
        message(process_starts(&Matchers::new(), 0)),
        message(process_starts(&Matchers::new(), i64::MAX)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    the query has 16385 bytes, the limit is 16384: shorten it or record a rule for it
    the query is nested 102 levels deep, the limit is 100: use fewer parentheses and operators, or record a rule for a part of it
    the query has 100497 bytes once the matchers are added to each of its selectors, the limit is 65536: use fewer selectors or shorter matchers
    "\\w{1,50}" of the label b makes the regular expressions of the query too costly: use shorter repetitions and fewer classes such as \w, or = for plain values
    a range of 0 seconds is not usable: give 1 second to 100 years
    a range of 9223372036854775807 seconds is not usable: give 1 second to 100 years
    "#);
}

#[test]
fn refuse_histograms_of_some_buckets() {
    let histogram = |promql: &str| {
        histogram_per_target(promql, &Matchers::new(), &TargetLabels::default(), &[])
    };
    insta::assert_snapshot!(messages(&["a_bucket{le=\"0.5\"}", "sum(a_bucket)"], histogram), @r#"
    "a_bucket{le=\"0.5\"}"
        a_bucket{le="0.5"} selects only some buckets: remove the matcher of the label le, quantiles need all of them
    "sum(a_bucket)"
        sum(a_bucket) is the aggregation sum(), not a counter: Serinus sums and differences counters by itself, so give the counter alone, such as http_requests_total{code=~"5.."}
    "#);
}

#[test]
fn refuse_expressions_with_a_value_where_a_population_has_no_series() {
    let texts = [
        "sum(a) / sum(b) or vector(0)",
        "sum(a) or on () vector(0)",
        "(a or vector(1))",
        "sum(a) / (sum(b) or vector(1))",
        "vector(0) or a",
        "absent(a)",
        "a or absent_over_time(a[5m]) * 0",
        "a or hour()",
        "vector(1) unless on () a",
        "label_replace(vector(3), \"x\", \"y\", \"\", \"\") + on () a",
        "a{__population__=\"\"} or b",
        "b unless a{__population__=\"\"}",
    ];
    insta::assert_snapshot!(messages(&texts, check_gauge_branches));
}

#[test]
fn expressions_of_their_population_alone_are_not_refused() {
    for text in [
        "sum(errors) / sum(total) or 0 * sum(total)",
        "rate(a[2m]) / rate(b[2m])",
        "a > 5",
        "time() - a",
        "a - vector(scalar(sum(b)))",
        "a unless on (pod) b",
        "rate(a[2m]) * on (pod) group_left () kube_pod_labels{__population__=\"\"}",
        "a and on (pod) kube_pod_labels{__population__=\"\"}",
        "a{__population__=\"\"} / on () group_left () (sum(b) or sum(c))",
    ] {
        assert_eq!(check_gauge_branches(text), Ok(()), "{text}");
    }
}

#[test]
fn refuse_a_mark_of_the_populations_that_is_written_otherwise() {
    let matchers = Matchers::from([Matcher::equal("__population__", "")]);
    let lines = [
        message(check_gauge_expression("a{__population__=\"canary\"}")),
        message(check_gauge_expression("a{__population__!=\"\"}")),
        message(check_counter_selector("a{__population__=~\".*\"}")),
        message(gauge_values("a", &matchers)),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn refuse_queries_that_exclude_a_population() {
    let v2 = Matchers::from([Matcher::equal("version", "v2")]);
    let both = Matchers::from([Matcher::regex("version", "v1\\.0|v2")]);
    let pattern = Matchers::from([Matcher::regex("version", "v[23]")]);
    let lines = [
        message(counter_per_target(
            "up{version=\"v1\"}",
            &v2,
            &TargetLabels::default(),
            &[],
        )),
        message(counter_per_target(
            "up{version!=\"v2\"}",
            &v2,
            &TargetLabels::default(),
            &[],
        )),
        message(counter_per_target(
            "up{version=~\"v1.*\"}",
            &v2,
            &TargetLabels::default(),
            &[],
        )),
        message(counter_per_target(
            "up{version=\"v2\"}",
            &both,
            &TargetLabels::default(),
            &[],
        )),
        message(counter_per_target(
            "up{version=\"v1\"}",
            &pattern,
            &TargetLabels::default(),
            &[],
        )),
        message(gauge_values(
            "rate(a[5m]) / rate(b{version=\"v1\"}[5m])",
            &v2,
        )),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    the query asks for version="v1", which leaves out version="v2" of the population or region: remove the matcher of the label version from the query
    the query asks for version!="v2", which leaves out version="v2" of the population or region: remove the matcher of the label version from the query
    the query asks for version=~"v1.*", which leaves out version="v2" of the population or region: remove the matcher of the label version from the query
    the query asks for version="v2", which leaves out version=~"v1\\.0|v2" of the population or region: remove the matcher of the label version from the query
    the query asks for version="v1", which leaves out version=~"v[23]" of the population or region: remove the matcher of the label version from the query
    the query asks for version="v1", which leaves out version="v2" of the population or region: remove the matcher of the label version from the query
    "#);
}

#[test]
fn refuse_matchers_that_are_none() {
    let lines = [
        Matcher::equal("", "v1"),
        Matcher::equal("1st", "v1"),
        Matcher::equal("service.name", "v1"),
        Matcher::equal("a\"} or up{b", "v1"),
        Matcher::equal("__name__", "up"),
        Matcher::equal("version", "v1\nv2"),
        Matcher::regex("version", "v\u{0}"),
        Matcher::regex("version", "v(1"),
        Matcher::regex("version", "v1)|(v2"),
        Matcher::regex("version", "(?<=v)1"),
        Matcher::regex("version", "\\w{1000}"),
        Matcher::equal("version", "x".repeat(1025)),
    ]
    .map(|matcher| message(validate_matchers(&Matchers::from([matcher]))));
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "" is not a label's name: use letters, digits and underscores, and no digit at the start
    "1st" is not a label's name: use letters, digits and underscores, and no digit at the start
    "service.name" is not a label's name: use letters, digits and underscores, and no digit at the start
    "a\"} or up{b" is not a label's name: use letters, digits and underscores, and no digit at the start
    the label __name__ is the metric's name, which each metric of the pipeline has: tell the populations apart by another label
    the value of the label version holds a control character such as a line break: remove it from "v1\nv2"
    the value of the label version holds a control character such as a line break: remove it from "v\0"
    "v(1" of the label version is not a regular expression (unclosed group, at character 2): correct it, or use = for a plain value
    "v1)|(v2" of the label version is not a regular expression (unopened group, at character 3): correct it, or use = for a plain value
    "(?<=v)1" of the label version is not a regular expression (look-around, including look-ahead and look-behind, is not supported, at character 1): correct it, or use = for a plain value
    "\\w{1000}" of the label version makes the regular expressions of the query too costly: use shorter repetitions and fewer classes such as \w, or = for plain values
    the value of the label version has 1025 bytes, the limit is 1024: shorten it
    "#);
    let twice = Matchers::from([Matcher::equal("a", "1"), Matcher::equal("a", "2")]);
    insta::assert_snapshot!(message(validate_matchers(&twice)), @r#"
    the matchers ask for a="1" and for a="2", and no series is both: remove one of them
    "#);
    let grouped = counter_per_target(
        "up",
        &Matchers::new(),
        &TargetLabels::default(),
        &["a) (up"],
    );
    insta::assert_snapshot!(message(grouped), @r#"
    "a) (up" is not a label's name: use letters, digits and underscores, and no digit at the start
    "#);
}

#[test]
fn accept_matchers_at_the_limits() {
    let matchers = Matchers::from([
        Matcher::equal("_a1", "x".repeat(1024)),
        Matcher::regex("b", ""),
        Matcher::equal("c", ""),
    ]);
    validate_matchers(&matchers).unwrap();
}
