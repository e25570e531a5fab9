//! What holds for any input.

use promql_parser::label::{MatchOp, Matcher as LabelMatcher};
use promql_parser::parser::{self, Expr, VectorSelector};
use proptest::prelude::*;
use serinus_analysis::matchers::{Matcher, Matchers};
use serinus_analysis::query::{
    check_counter_selector, check_gauge_expression, combine, counter_per_target, gauge_values,
    histogram_per_target, process_starts, regex_escape, region_matcher, validate_matchers,
};
use serinus_analysis::series::TargetLabels;

/// A gauge with a selector in every place that can hold one: 12.
const EVERYWHERE: &str = "topk(scalar(s1), sum by (pod) (rate(s2{a=\"1\"}[5m]))) \
    / on (pod) group_left (x) (avg_over_time((s3 - s4)[10m:1m] offset 5m)) \
    + quantile(scalar(s5), s6) unless label_replace(-s7, \"a\", \"$1\", \"b\", \".*\") \
    and clamp(s8, scalar(s9), scalar(last_over_time(s10[5m:]) and s11)) > bool histogram_quantile(0.9, s12)";

/// Any value that holds no control character, with those that have a meaning in PromQL or in
/// patterns made likely.
fn value() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => proptest::sample::select(r#""'`\{}()[]|,=~!#$^*+?.- nrtx01"#.chars().collect::<Vec<_>>()),
        1 => any::<char>(),
    ];
    proptest::collection::vec(character, 0..40).prop_map(|characters| {
        characters
            .into_iter()
            .filter(|character| !character.is_control())
            .collect()
    })
}

fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z_][a-zA-Z0-9_]{0,8}".prop_filter("reserved", |label| label != "__name__")
}

/// The selectors of a text. The parser's own visitor leaves out the parameters of aggregations.
fn selectors(promql: &str) -> Vec<VectorSelector> {
    fn collect(tree: &Expr, found: &mut Vec<VectorSelector>) {
        match tree {
            Expr::VectorSelector(selector) => found.push(selector.clone()),
            Expr::MatrixSelector(range) => found.push(range.vs.clone()),
            Expr::Aggregate(aggregation) => {
                if let Some(parameter) = &aggregation.param {
                    collect(parameter, found);
                }
                collect(&aggregation.expr, found);
            }
            Expr::Binary(operation) => {
                collect(&operation.lhs, found);
                collect(&operation.rhs, found);
            }
            Expr::Unary(unary) => collect(&unary.expr, found),
            Expr::Paren(parentheses) => collect(&parentheses.expr, found),
            Expr::Subquery(subquery) => collect(&subquery.expr, found),
            Expr::Call(call) => call
                .args
                .args
                .iter()
                .for_each(|argument| collect(argument, found)),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }
    let mut found = Vec::new();
    collect(&parser::parse(promql).unwrap(), &mut found);
    found
}

fn with_label<'selector>(
    selector: &'selector VectorSelector,
    label: &str,
) -> Vec<&'selector LabelMatcher> {
    let matchers = selector.matchers.matchers.iter();
    matchers.filter(|matcher| matcher.name == label).collect()
}

proptest! {
    #[test]
    fn values_come_back_equal(label in label(), value in value()) {
        prop_assume!(label != "a" && label != "le");
        let matchers = Matchers::from([Matcher::equal(&label, &value)]);
        prop_assert_eq!(validate_matchers(&matchers), Ok(()));
        let counter = counter_per_target("up{a=~\"x.*\"}", &matchers, &TargetLabels::default(), &[&label]).unwrap();
        let histogram = histogram_per_target("up", &matchers, &TargetLabels::default(), &[]).unwrap();
        let starts = process_starts(&matchers, 60).unwrap();
        let gauge = gauge_values("up / up", &matchers).unwrap();
        for (promql, count) in [(counter, 1), (histogram, 1), (starts, 1), (gauge, 2)] {
            let found = selectors(&promql);
            prop_assert_eq!(found.len(), count);
            for selector in &found {
                let expected = LabelMatcher::new(MatchOp::Equal, &label, &value);
                prop_assert_eq!(with_label(selector, &label), vec![&expected]);
            }
        }
    }

    #[test]
    fn every_selector_gets_every_matcher(first in value(), second in value()) {
        let matchers = Matchers::from([
            Matcher::equal("first", &first),
            Matcher::regex("second", regex_escape(&second)),
        ]);
        let found = selectors(&gauge_values(EVERYWHERE, &matchers).unwrap());
        prop_assert_eq!(found.len(), 12);
        for selector in &found {
            prop_assert_eq!(&with_label(selector, "first")[0].value, &first);
            prop_assert_eq!(&with_label(selector, "second")[0].value, &regex_escape(&second));
        }
    }

    #[test]
    fn control_characters_are_refused(
        before in value(),
        control in proptest::sample::select(vec!['\n', '\r', '\t', '\0', '\x1b', '\x7f', '\u{85}']),
        after in value(),
    ) {
        let value = format!("{before}{control}{after}");
        let matchers = Matchers::from([Matcher::equal("version", &value)]);
        prop_assert!(validate_matchers(&matchers).is_err());
        prop_assert!(counter_per_target("up", &matchers, &TargetLabels::default(), &[]).is_err());
        prop_assert!(gauge_values("up", &matchers).is_err());
        prop_assert!(process_starts(&matchers, 60).is_err());
    }

    #[test]
    fn an_escaped_value_matches_itself_and_nothing_else(value in value(), other in value()) {
        let promql = counter_per_target(
            "up",
            &Matchers::from([Matcher::regex("version", regex_escape(&value))]), &TargetLabels::default(),
            &[]);
        let found = selectors(&promql.unwrap());
        let matcher = with_label(&found[0], "version")[0];
        prop_assert!(matcher.is_match(&value));
        prop_assert_eq!(matcher.is_match(&other), other == value);
    }

    #[test]
    fn combined_populations_select_both_and_no_other(
        control in value(), canary in value(), other in value(),
    ) {
        prop_assume!(control != canary && !control.is_empty() && !canary.is_empty());
        let combined = combine(
            &Matchers::from([Matcher::equal("version", &control)]),
            &Matchers::from([Matcher::equal("version", &canary)]), &TargetLabels::default()).unwrap();
        let promql = counter_per_target("up", &combined.matchers, &TargetLabels::default(), &["version"]).unwrap();
        let found = selectors(&promql);
        let matcher = with_label(&found[0], "version")[0];
        prop_assert!(matcher.is_match(&control) && matcher.is_match(&canary));
        prop_assert_eq!(matcher.is_match(&other), other == control || other == canary);
        // A query that pins the control must not silently lose the canary.
        let pinned = LabelMatcher::new(MatchOp::Equal, "version", &control);
        let selector = format!("up{{{pinned}}}");
        prop_assert!(counter_per_target(&selector, &combined.matchers, &TargetLabels::default(), &[]).is_err());
    }

    #[test]
    fn regions_select_each_and_no_other(
        regions in proptest::collection::vec(value(), 1..5), other in value(),
    ) {
        let matcher = region_matcher("region", &regions).unwrap();
        let promql = counter_per_target("up", &Matchers::from([matcher]), &TargetLabels::default(), &[]).unwrap();
        let found = selectors(&promql);
        let matcher = with_label(&found[0], "region")[0];
        prop_assert!(regions.iter().all(|region| matcher.is_match(region)));
        prop_assert_eq!(matcher.is_match(&other), regions.contains(&other));
    }

    #[test]
    fn writing_again_changes_nothing(value in value()) {
        let matchers = Matchers::from([Matcher::equal("version", &value)]);
        let once = gauge_values(EVERYWHERE, &matchers).unwrap();
        prop_assert_eq!(gauge_values(&once, &matchers).unwrap(), once);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = check_counter_selector(&text);
        let _ = check_gauge_expression(&text);
    }

    #[test]
    fn no_words_of_promql_panic(words in proptest::collection::vec(word(), 0..60)) {
        let text = words.concat();
        let _ = check_counter_selector(&text);
        let _ = check_gauge_expression(&text);
        let matchers = Matchers::from([Matcher::equal("version", "v2")]);
        let _ = histogram_per_target(&text, &matchers, &TargetLabels::default(), &[&text]);
        let _ = regex_escape(&text);
        let _ = validate_matchers(&Matchers::from([Matcher::regex(&text, &text)]));
    }
}

fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "a",
        "b:c",
        "sum",
        "rate",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "bool",
        "or",
        "and",
        "unless",
        "offset",
        "@",
        "start()",
        "end()",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "5m",
        "1e300",
        "1e",
        "0x",
        "08",
        "inf",
        "nan",
        "-",
        "+",
        "*",
        "/",
        "^",
        "==",
        "=",
        "=~",
        "!~",
        "!=",
        ":",
        ",",
        "\"x\"",
        "'",
        "`",
        "\"",
        "\\",
        "#",
        "\n",
        " ",
        " ",
        "é",
        "1",
        "0",
        ".5",
        "99999999999s",
        "label_replace",
        "scalar",
        "vector",
        "time()",
        "topk",
        "quantile",
        "fill",
    ])
}

/// Texts of one kind of nesting, of at most the bytes that are parsed.
fn nested(open: &str, middle: &str, close: &str, levels: usize) -> String {
    format!("{}{middle}{}", open.repeat(levels), close.repeat(levels))
}

const NESTINGS: [(&str, &str, &str); 13] = [
    ("(", "a", ")"),
    ("-", "a", ""),
    ("+", "a", ""),
    ("abs(", "a", ")"),
    ("sum(", "a", ")"),
    ("sum by (b) (", "a", ")"),
    ("", "a", "+a"),
    ("", "a", "^a"),
    ("", "a", " and a"),
    ("a>bool ", "a", ""),
    ("avg_over_time(", "a", "[1s:])"),
    ("topk(scalar(", "a", "),a)"),
    ("label_replace(-(", "a", "),'','','','')"),
];

#[test]
fn deep_texts_are_refused_and_never_overflow_a_thread_of_2_mib() {
    let check = || {
        for (open, middle, close) in NESTINGS {
            let mut accepted = 0;
            for levels in (1..120).chain([500, 16 * 1024 / (open.len() + close.len()) - 1]) {
                let text = nested(open, middle, close, levels);
                assert!(text.len() <= 16 * 1024);
                if check_gauge_expression(&text).is_ok() {
                    accepted = levels;
                }
            }
            assert!((30..=100).contains(&accepted), "{open}{close}: {accepted}");
        }
    };
    std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(check)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn brackets_within_strings_and_comments_do_not_count() {
    let brackets = "(((".repeat(60);
    let text = format!("up{{a=\"{brackets}\", b='\\'{brackets}'}} # {brackets}\n + up");
    check_gauge_expression(&text).unwrap();
    // A string cannot hide brackets either.
    let hidden = format!(
        "{}label_replace(a,'',')))))','',''){}",
        "(".repeat(150),
        ")".repeat(150)
    );
    assert!(check_gauge_expression(&hidden).is_err());
}
