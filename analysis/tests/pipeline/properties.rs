//! Properties of the reader of pipeline files: it never panics, never lets a number through that
//! is not one, and everything that it accepts can be judged.

use proptest::prelude::*;
use serinus_analysis::pipeline::{Check, Diagnostic, Limit, Pipeline, parse};

/// A file that uses every section and every key that takes a number.
const EVERY_NUMBER: &str = "\
metrics:
  wait: {quantile: 0.99, histogram: wait_ms, scale: 0.001}
analysis:
  false_rollback: 0.01
  false_promote: 0.05
  confidence: 0.99
  interval: 30
  lag: 30
  promote_ratio: 2
canary_pipeline:
  a:
    traffic_percent: 5
    duration_minutes: 60
    max_duration_minutes: 90
    metrics:
      - {check: error_rate < baseline, weight: 1, promote_ratio: 1.5}
  b:
    traffic_percent: [10, 20]
    duration_minutes: [30, 30]
    max_duration_minutes: [60, 60]
  c:
    traffic_curve: {steps: 2, curve: linear}
    duration_minutes: 60
    max_duration_minutes: 60
";

const SHIPPED: &[&str] = &[
    include_str!("../../../pipelines/blue_green.yaml"),
    include_str!("../../../pipelines/canary_pipeline.yaml"),
    include_str!("../../../pipelines/checkout.yaml"),
    include_str!("../../../pipelines/every_section.yaml"),
    include_str!("../../../pipelines/kill_switch.yaml"),
    include_str!("../../../pipelines/migration_schedule.yaml"),
    include_str!("../../../pipelines/parallel_run.yaml"),
    include_str!("../../../pipelines/success_scorecard.yaml"),
    include_str!("../../../pipelines/verify_performance.yaml"),
    EVERY_NUMBER,
];

/// What is asked of every answer.
fn assert_sound(text: &str, answer: &Result<Pipeline, Vec<Diagnostic>>) {
    match answer {
        Ok(pipeline) => assert_can_be_judged(pipeline),
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a reason");
            assert!(diagnostics.is_sorted());
            let lines = text.split(['\n', '\r']).count();
            for diagnostic in diagnostics {
                assert!(diagnostic.line >= 1 && diagnostic.column >= 1);
                assert!(
                    usize::try_from(diagnostic.line).unwrap_or(usize::MAX) <= lines + 1,
                    "{diagnostic:?} is beyond the {lines} lines"
                );
                assert!(!diagnostic.message.is_empty());
                assert!(!diagnostic.message.contains(['\n', '\r']), "{diagnostic:?}");
            }
        }
    }
}

fn assert_can_be_judged(pipeline: &Pipeline) {
    assert!(!pipeline.stages.is_empty());
    assert!(pipeline.stages.len() <= 400);
    let mut traffic_before = 0.0;
    for stage in &pipeline.stages {
        assert!(stage.traffic_percent > 0.0 && stage.traffic_percent <= 100.0);
        assert!(stage.traffic_percent >= traffic_before);
        traffic_before = stage.traffic_percent;
        assert!(stage.duration_minutes > 0.0 && stage.duration_minutes.is_finite());
        assert!(stage.max_duration_minutes >= stage.duration_minutes);
        assert!(stage.max_duration_minutes.is_finite());
        assert!(!stage.checks.is_empty());
        stage
            .checks
            .iter()
            .for_each(|check| assert_check(pipeline, check));
    }
    for check in &pipeline.kill_switch {
        assert_check(pipeline, check);
        assert!(!check.is_relative() || check.is_of_impact());
    }
    let settings = &pipeline.analysis;
    for number in [
        settings.false_rollback,
        settings.false_promote,
        settings.confidence,
    ] {
        assert!(number > 0.0 && number < 1.0);
    }
    assert!(settings.interval_seconds > 0);
}

fn assert_check(pipeline: &Pipeline, check: &Check) {
    let measured = pipeline.metrics.get(&check.measured.name);
    assert_eq!(measured, Some(&*check.measured));
    assert!(check.weight > 0.0 && check.weight.is_finite());
    for limit in [check.limit, check.promotion_limit] {
        match limit {
            Limit::AtMost { ratio, offset } | Limit::AtLeast { ratio, offset } => {
                assert!(ratio.is_none_or(|ratio| ratio > 0.0 && ratio.is_finite()));
                assert!(offset.is_finite());
            }
            Limit::Within { tolerance } => assert!(tolerance > 0.0 && tolerance < 1.0),
        }
    }
}

#[test]
fn no_number_of_the_schema_may_be_nan_or_infinite() {
    assert_can_be_judged(&parse(EVERY_NUMBER, "test").unwrap());
    let mut replaced = 0;
    let bytes = EVERY_NUMBER.as_bytes();
    for (start, byte) in bytes.iter().enumerate() {
        // A number begins after ": " or "[" or ", " and is no part of a word.
        let begins = byte.is_ascii_digit()
            && matches!(bytes[start - 1], b' ' | b'[')
            && matches!(bytes[start - 2], b':' | b' ' | b',');
        if !begins {
            continue;
        }
        let length = EVERY_NUMBER[start..]
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap();
        replaced += 1;
        let line = EVERY_NUMBER[..start].matches('\n').count() + 1;
        for wrong in [".nan", ".inf", "-.inf", "1e999", "-1e999", "nan", "'.nan'"] {
            let text = format!(
                "{}{wrong}{}",
                &EVERY_NUMBER[..start],
                &EVERY_NUMBER[start + length..]
            );
            let diagnostics = parse(&text, "test").unwrap_err();
            assert!(
                diagnostics
                    .iter()
                    .any(|diagnostic| diagnostic.line as usize == line),
                "{wrong} in line {line} is not told: {diagnostics:?}"
            );
        }
    }
    assert_eq!(replaced, 22);
}

#[test]
fn no_number_of_a_check_may_be_nan_or_infinite() {
    for wrong in [
        "nan", "NaN", ".nan", "inf", "-inf", ".inf", "1e999", "1e400%", "1e999ms",
    ] {
        for form in [
            "queue_depth < {}",
            "latency_p99 < baseline * {}",
            "latency_p99 < baseline + {}",
            "latency_p99 < {} * baseline",
            "throughput within {} of baseline",
        ] {
            let check = form.replace("{}", wrong);
            let text = format!(
                "canary_pipeline: {{a: {{traffic_percent: 5, duration_minutes: 5, metrics: [\"{check}\"]}}}}"
            );
            assert!(parse(&text, "test").is_err(), "{check} was accepted");
        }
    }
}

fn stage_with(check: &str) -> String {
    format!(
        "canary_pipeline:\n  a: {{traffic_percent: 5, duration_minutes: 60, metrics: ['{check}']}}"
    )
}

#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
fn limit_of(check: &str) -> f64 {
    parse(&stage_with(check), "test")
        .ok()
        .and_then(|pipeline| pipeline.stages[0].checks[0].limit.absolute_value())
        .unwrap_or(f64::NAN)
}

/// Pieces that files are made of, so that mutations reach further than the first character.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\n]{0,12}",
        "\\PC{0,4}",
        Just("\n  ".to_owned()),
        Just(": ".to_owned()),
        Just(".nan".to_owned()),
        Just("-1".to_owned()),
        Just("0".to_owned()),
        Just("1e308".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("null".to_owned()),
        Just("baseline".to_owned()),
        Just("*a".to_owned()),
        Just("&a ".to_owned()),
        Just("<<: ".to_owned()),
        Just("traffic_percent: 5".to_owned()),
        Just("metrics:".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\t".to_owned()),
        Just("\r\n".to_owned()),
    ]
}

/// The text with a range of its characters replaced.
#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
fn spliced(text: &str, start: usize, length: usize, replacement: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let start = start % (characters.len() + 1);
    let end = (start + length).min(characters.len());
    characters[..start]
        .iter()
        .copied()
        .chain(replacement.chars())
        .chain(characters[end..].iter().copied())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        assert_sound(&text, &parse(&text, "test"));
    }

    #[test]
    fn any_yaml_like_text_is_answered(pieces in prop::collection::vec(piece(), 0..30)) {
        let text = pieces.concat();
        assert_sound(&text, &parse(&text, "test"));
    }

    #[test]
    fn any_mutation_of_a_good_file_is_answered(
        file in prop::sample::select(SHIPPED),
        mutations in prop::collection::vec((any::<usize>(), 0_usize..20, piece()), 1..4),
    ) {
        let mut text = file.to_owned();
        for (start, length, replacement) in mutations {
            text = spliced(&text, start, length, &replacement);
        }
        assert_sound(&text, &parse(&text, "test"));
    }

    #[test]
    fn any_text_of_a_check_is_answered(check in "(error_rate|latency_p99|throughput|queue_depth)? ?(<|<=|>|>=|within|=)? ?[0-9a-z.*+% -]{0,20}") {
        let text = stage_with(&check);
        assert_sound(&text, &parse(&text, "test"));
    }

    /// A number with a unit is the number that a decimal point in its place would make: no
    /// second rounding. The right side is computed by the standard library's own parser.
    #[test]
    fn a_unit_only_moves_the_decimal_point(digits in 1_u64..10_000_000_000) {
        for (metric, unit, exponent) in [
            ("latency_p99", "ms", -3),
            ("latency_p99", "us", -6),
            ("latency_p99", "s", 0),
            ("memory_usage", "MB", 6),
            ("queue_depth", "%", -2),
            ("queue_depth", "bps", -4),
        ] {
            let expected: f64 = format!("{digits}e{exponent}").parse().unwrap();
            prop_assert_eq!(limit_of(&format!("{metric} < {digits}{unit}")).to_bits(), expected.to_bits());
            let with_space = limit_of(&format!("{metric} < {digits} {unit}"));
            prop_assert_eq!(with_space.to_bits(), expected.to_bits());
        }
        let bytes = limit_of(&format!("memory_usage < {digits}KiB"));
        prop_assert_eq!(bytes.to_bits(), (digits as f64 * 1024.0).to_bits());
    }

    #[test]
    fn a_limit_that_is_printed_is_read_back(limit in 1e-9_f64..1e9) {
        prop_assert_eq!(limit_of(&format!("queue_depth < {limit}")).to_bits(), limit.to_bits());
        prop_assert_eq!(limit_of(&format!("queue_depth < {limit:e}")).to_bits(), limit.to_bits());
    }

    /// Shares and durations in lists come out as they went in, in their order.
    #[test]
    fn lists_expand_to_what_they_hold(mut shares in prop::collection::vec(0.75_f64..100.0, 1..20)) {
        shares.sort_by(f64::total_cmp);
        let text = format!(
            "canary_pipeline:\n  a: {{traffic_percent: {shares:?}, duration_minutes: {shares:?}, metrics: [error_rate < 1%]}}"
        );
        let pipeline = parse(&text, "test").unwrap();
        let read: Vec<f64> = pipeline.stages.iter().map(|stage| stage.traffic_percent).collect();
        prop_assert_eq!(&read, &shares);
        let read: Vec<f64> = pipeline.stages.iter().map(|stage| stage.duration_minutes).collect();
        prop_assert_eq!(&read, &shares);
    }
}
