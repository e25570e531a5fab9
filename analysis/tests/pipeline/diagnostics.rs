//! Every mistake that a pipeline file can hold, and what is said about it. The files are in
//! `../data/pipelines/bad`, what is said of them in `../data/pipelines/snapshots`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serinus_analysis::matchers::{Matcher, Matchers};
use serinus_analysis::pipeline::parse;
use serinus_analysis::query::{check_counter_selector, check_gauge_expression, validate_matchers};

/// The diagnostics of a text, one a line: `line:column path: message`.
fn rendered(text: &str) -> String {
    let mut output = String::new();
    for diagnostic in parse(text, "test").err().unwrap_or_default() {
        let _ = writeln!(
            output,
            "{}:{} {}: {}",
            diagnostic.line, diagnostic.column, diagnostic.path, diagnostic.message
        );
    }
    output
}

/// The pieces that are made of the numbers of a range.
fn joined(range: std::ops::Range<usize>, make: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for index in range {
        text.push_str(&make(index));
    }
    text
}

fn assert_snapshot(name: &str, output: &str) {
    insta::with_settings!({
        snapshot_path => "../data/pipelines/snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, output);
    });
}

#[test]
fn all_mistakes_of_each_bad_file_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pipelines/bad");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 15, "the bad files are gone");
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let output = rendered(&fs::read_to_string(&path).unwrap());
        assert_ne!(output, "", "{name} has no mistake");
        assert_snapshot(&name, &output);
    }
}

const STAGE: &str = "
canary_pipeline:
  stage_1: {traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}
";

/// What can be asked is decided where queries are written; a file's diagnostic is that decision
/// at the place of the text.
#[test]
fn promql_is_told_in_the_words_of_the_query() {
    let counters = [
        "rate(errors_total[1m])",
        "errors_total{",
        "{code=\"500\"}",
        "5",
    ];
    for promql in counters {
        let message = check_counter_selector(promql).unwrap_err().to_string();
        let quoted = promql.replace('"', "\\\"");
        for (key, definition) in [
            (
                "errors",
                format!("{{total: all_total, errors: \"{quoted}\"}}"),
            ),
            ("total", format!("{{events: a_total, total: \"{quoted}\"}}")),
            (
                "histogram",
                format!("{{quantile: 0.5, histogram: \"{quoted}\"}}"),
            ),
        ] {
            let line = format!("  probe: {definition}");
            let column = line.find(&format!("{key}: ")).unwrap() + key.len() + 3;
            assert_eq!(
                rendered(&format!("metrics:\n{line}{STAGE}")),
                format!("2:{column} metrics.probe.{key}: {message}\n")
            );
        }
    }
    for promql in ["queue_depth[5m]", "queue_depth{", "vector(1)", "\u{1}"] {
        let message = check_gauge_expression(promql.trim())
            .unwrap_err()
            .to_string();
        let quoted = promql.replace('\u{1}', "\\x01");
        let text = format!("metrics:\n  probe: {{gauge: \"{quoted}\"}}{STAGE}");
        assert_eq!(
            rendered(&text),
            format!("2:18 metrics.probe.gauge: {message}\n")
        );
    }
}

#[test]
fn matchers_are_told_in_the_words_of_the_query() {
    let matchers = [
        (
            "pod: {\"=~\": \"a(\"}",
            Matcher::regex("pod", "a("),
            "3:15",
            "pod[\"=~\"]",
        ),
        (
            "__name__: up",
            Matcher::equal("__name__", "up"),
            "3:13",
            "__name__",
        ),
        ("0bad: x", Matcher::equal("0bad", "x"), "3:9", "0bad"),
        (
            "shard: \"a\\nb\"",
            Matcher::equal("shard", "a\nb"),
            "3:10",
            "shard",
        ),
    ];
    for (line, matcher, place, key) in matchers {
        let message = validate_matchers(&Matchers::from([matcher])).unwrap_err();
        assert_eq!(
            rendered(&format!("\ncanary:\n  {line}{STAGE}")),
            format!("{place} canary.{key}: {message}\n")
        );
    }
    let message = validate_matchers(&Matchers::from([Matcher::equal("my region", "any")]));
    assert_eq!(
        rendered(&format!("region_label: my region{STAGE}")),
        format!("1:15 region_label: {}\n", message.unwrap_err())
    );
}

#[test]
fn labels_that_tell_nothing_apart_are_told() {
    let told = |list: &str| rendered(&format!("target_labels: {list}{STAGE}"));
    assert_eq!(
        [
            told("[]"),
            told("pod"),
            told("[pod, pod]"),
            told("[pod, my pod]")
        ]
        .concat(),
        "1:16 target_labels: expected 1 to 16 labels, found 0: leave the key out for the usual ones\n\
         1:16 target_labels: expected the labels that tell targets apart, such as [instance, pod], found \"pod\"\n\
         1:22 target_labels[1]: \"pod\" stands here twice\n\
         1:22 target_labels[1]: \"my pod\" is not a label's name: use letters, digits and underscores, and no \
         digit at the start\n"
    );
}

/// Texts that are no documents at all: only the first mistake can be told.
#[test]
fn a_text_that_is_no_document_is_told_at_its_place() {
    let texts = [
        "",
        "# only a comment\n",
        "just words",
        "[1, 2]",
        "a: [1, 2",
        "a: \"open",
        "a: b: c",
        "a:\n\tb: 1",
        "a: 1\n b: 2",
        "a: *unknown",
        "a: &a [*a]",
        "a: !secret 1",
        "a: !!int x",
        "? [a]\n: b",
        "~: b",
        "a: 1\n---\nb: 2",
        "%YAML 3.0\n---\na: 1",
        "a: \u{1}",
        "{\"canary_pipeline\": {\"stage\": ",
        "<<: 5",
    ];
    let mut output = String::new();
    for text in texts {
        let _ = writeln!(output, "{text:?}\n  {}", rendered(text).trim_end());
    }
    assert_snapshot("no_documents", &output);
}

#[test]
fn texts_that_are_too_large_are_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for letter in 'b'..='j' {
        let before = char::from_u32(u32::from(letter) - 1).unwrap();
        let aliases = vec![format!("*{before}"); 10].join(",");
        let _ = writeln!(bomb, "{letter}: &{letter} [{aliases}]");
    }
    let stage = "{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}";
    let with_stages = |stages: String| format!("canary_pipeline:\n{stages}");
    let many_checks = |from: usize, to: usize| {
        (from..to)
            .map(|index| format!("error_rate < 0.{index:05}1"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let texts = [
        ("alias bomb", bomb),
        ("many values", format!("a: [{}]", "1,".repeat(20_000))),
        ("deep", format!("a: {}{}", "[".repeat(50), "]".repeat(50))),
        ("very deep", "[".repeat(100_000)),
        ("long", "#".repeat(256 * 1024 + 1)),
        (
            "long check",
            with_stages(format!(
                "  a: {{traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < {}]}}",
                "1".repeat(501)
            )),
        ),
        (
            "many stages",
            with_stages(joined(0..300, |index| {
                format!("  stage_{index}: {stage}\n")
            })),
        ),
        (
            "long lists",
            with_stages(format!(
                "  a: {{traffic_percent: [{}5], duration_minutes: 5, metrics: [error_rate < 1%]}}",
                "5, ".repeat(200)
            )),
        ),
        (
            "many checks",
            with_stages(format!(
                "  a: {{traffic_percent: 5, duration_minutes: 5, metrics: [{}]}}",
                many_checks(0, 101)
            )),
        ),
        (
            "many checks taken over",
            with_stages(format!(
                "  a: {{traffic_percent: 5, duration_minutes: 5, metrics: [{}]}}\n  \
                 b: {{traffic_percent: 5, duration_minutes: 5, metrics: [{}]}}\n  \
                 c: {{traffic_percent: 5, duration_minutes: 5}}",
                many_checks(0, 60),
                many_checks(60, 120)
            )),
        ),
        (
            "many metrics",
            format!(
                "metrics:\n{}canary_pipeline:\n  a: {stage}",
                joined(0..201, |index| format!(
                    "  metric_{index}: {{gauge: queue_depth}}\n"
                ))
            ),
        ),
        (
            "many matchers",
            format!(
                "canary: {{{}}}\ncanary_pipeline:\n  a: {stage}",
                joined(0..33, |index| format!("label_{index}: a, "))
            ),
        ),
        (
            "many conditions",
            format!(
                "kill_switch: [{}]\ncanary_pipeline:\n  a: {stage}",
                joined(1..52, |index| format!("queue_depth > {index}, "))
            ),
        ),
    ];
    let mut output = String::new();
    for (name, text) in texts {
        let _ = writeln!(output, "{name}\n  {}", rendered(&text).trim_end());
    }
    assert_snapshot("too_large", &output);
}

/// A file of a thousand mistakes is answered with two hundred.
#[test]
fn the_number_of_diagnostics_is_bounded() {
    let keys = joined(0..1000, |index| format!("key_{index}: 1\n"));
    let diagnostics = parse(&keys, "test").unwrap_err();
    assert_eq!(diagnostics.len(), 200);
}
