//! Native histograms become columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serinus_analysis::series::NativeColumn;

use super::{assert_not_prometheus, read, success, value_text};
use crate::prometheus::decode::{DecodeError, decode};

/// Samples of one column.
type Samples = Vec<(i64, f64)>;

/// The columns of an answer: labels of the histogram, what the column holds, its samples.
fn columns(body: &str) -> Vec<(String, NativeColumn, Samples)> {
    let decoded = read(body).unwrap();
    assert!(decoded.warnings.is_empty());
    decoded
        .series
        .iter()
        .map(|series| {
            let samples = series
                .timestamps_ms
                .iter()
                .copied()
                .zip(series.values.iter().copied());
            (
                series.labels.get("pod").cloned().unwrap_or_default(),
                NativeColumn::of(series).unwrap(),
                samples.collect(),
            )
        })
        .collect()
}

fn bucket(lower: f64, upper: f64) -> NativeColumn {
    NativeColumn::Bucket { lower, upper }
}

#[test]
fn each_bucket_has_values_where_it_is_populated() {
    // What Prometheus 2.42 answers, but for the numbers.
    let body = success(
        r#"{"resultType":"matrix","result":[{"histograms":[
            [1.5,{"count":"0","sum":"0"}],
            [2.5,{"count":"3","sum":"-0.5","buckets":[[1,"-2","-1","1"],
                [3,"-2.938735877055719e-39","2.938735877055719e-39","2"]]}],
            [3.5,{"sum":"NaN","buckets":[[3,"-2.938735877055719e-39","2.938735877055719e-39","2"],
                [0,"0.25","0.5","4"]],"count":"7","newer":{}}]],
            "metric":{"pod":"a"}}]}"#,
    );
    let zero = 2.938_735_877_055_719e-39;
    let at = |column, samples: &[(i64, f64)]| ("a".to_owned(), column, samples.to_vec());
    let mut found = columns(&body);
    found.sort_by_key(|(_, column, _)| format!("{column:?}"));
    assert_eq!(
        found,
        [
            at(bucket(-2.0, -1.0), &[(2_500, 1.0)]),
            at(bucket(-zero, zero), &[(2_500, 2.0), (3_500, 2.0)]),
            at(bucket(0.25, 0.5), &[(3_500, 4.0)]),
            at(
                NativeColumn::Count,
                &[(1_500, 0.0), (2_500, 3.0), (3_500, 7.0)]
            ),
        ]
    );
}

#[test]
fn a_vector_and_a_series_with_both_forms_are_read() {
    let body = success(
        r#"{"resultType":"vector","result":[
            {"metric":{"pod":"a"},"histogram":[1,{"count":"3","buckets":[[0,"1","2","3"]]}]},
            {"metric":{"pod":"b"},"value":[1,"5"]}]}"#,
    );
    let series = read(&body).unwrap().series;
    assert_eq!(series.len(), 3);
    let mixed = success(
        r#"{"resultType":"matrix","result":[{"metric":{"pod":"a"},"values":[[1,"5"]],
            "histograms":[[2,{"count":"0","buckets":null}]]},{"metric":{},"histograms":[]}]}"#,
    );
    let series = read(&mixed).unwrap().series;
    let kinds: Vec<_> = series.iter().map(NativeColumn::of).collect();
    assert_eq!(kinds.len(), 2);
    assert!(kinds.contains(&None) && kinds.contains(&Some(NativeColumn::Count)));
}

#[test]
fn what_is_no_histogram_says_why() {
    let bucketed = |buckets: &str| format!(r#"[[1,{{"count":"1","buckets":{buckets}}}]]"#);
    for (histograms, expected) in [
        (r"[[1]]".to_owned(), "without a time or without buckets"),
        (r"[[]]".to_owned(), "without a time or without buckets"),
        (r"[[1,{}]]".to_owned(), "missing field `count`"),
        (r#"[[1,{"count":1}]]"#.to_owned(), "invalid type"),
        (r#"[[1,{"count":"x"}]]"#.to_owned(), "not a number"),
        (
            r#"[[1,{"count":"1","sum":"x"}]]"#.to_owned(),
            "not a number",
        ),
        (r#"[[1,{"count":"1"},2]]"#.to_owned(), "trailing"),
        (
            r#"[[2,{"count":"1"}],[1,{"count":"1"}]]"#.to_owned(),
            "order of time",
        ),
        (r#"[[1e99,{"count":"1"}]]"#.to_owned(), "out of range"),
        (r"[5]".to_owned(), "invalid type"),
        (r"5".to_owned(), "invalid type"),
        (bucketed("5"), "invalid type"),
        (bucketed("[5]"), "invalid type"),
        (bucketed(r#"[[0,"1","2"]]"#), "without bounds and count"),
        (bucketed(r#"[[4,"1","2","3"]]"#), "no known rule"),
        (bucketed(r#"[[-1,"1","2","3"]]"#), "invalid value"),
        (bucketed(r#"[[0,"2","1","3"]]"#), "do not ascend"),
        (bucketed(r#"[[0,"NaN","1","3"]]"#), "do not ascend"),
        (bucketed(r#"[[0,"1","2","3",4]]"#), "trailing"),
        (
            bucketed(r#"[[0,"1","2","3"],[0,"1","2","3"]]"#),
            "there twice",
        ),
    ] {
        assert_not_prometheus(
            &success(&format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{{}},"histograms":{histograms}}}]}}"#
            )),
            expected,
        );
    }
    assert_not_prometheus(
        &success(r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1,null]}]}"#),
        "invalid type",
    );
}

#[test]
fn too_many_buckets_stop_the_reading() {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..2 {
        write!(body, r#"{{"metric":{{"pod":"{series}"}},"histograms":["#).unwrap();
        for time in 0..3 {
            let comma = if time > 0 { "," } else { "" };
            let buckets: Vec<_> = (1..=20)
                .map(|bound| format!(r#"[0,"{bound}","{}","1"]"#, bound + 1))
                .collect();
            let buckets = buckets.join(",");
            write!(
                body,
                r#"{comma}[{time},{{"count":"20","buckets":[{buckets}]}}]"#
            )
            .unwrap();
        }
        body.push_str("]},");
    }
    // Cut behind the limit: nobody reads so far. The same buckets again are no new ones.
    assert_eq!(decode(body.as_bytes(), 2), Err(DecodeError::Cut));
    let more = body.replace(r#"[0,"2","3","1"]"#, r#"[0,"2","3","1"],[0,"2","2.5","1"]"#);
    assert_eq!(
        decode(more.as_bytes(), 2),
        Err(DecodeError::TooManyBuckets { limit: 40 })
    );
    // Those of one series may be too many already.
    assert_eq!(
        decode(more.as_bytes(), 1),
        Err(DecodeError::TooManyBuckets { limit: 20 })
    );
}

/// A histogram by time, its buckets by the bits of their bounds.
type Histograms = BTreeMap<i64, (f64, BTreeMap<(u64, u64), f64>)>;

fn any_histograms() -> impl Strategy<Value = Vec<Histograms>> {
    let bound = prop_oneof![any::<f64>(), -8.0_f64..8.0];
    let bucket = ((bound.clone(), bound), any::<f64>())
        .prop_filter("numbers", |((left, right), _)| {
            !left.is_nan() && !right.is_nan()
        })
        .prop_map(|((left, right), count)| {
            let (lower, upper) = (left.min(right) + 0.0, left.max(right) + 0.0);
            ((lower.to_bits(), upper.to_bits()), count)
        });
    let buckets = prop::collection::btree_map(bucket.clone().prop_map(|b| b.0), any::<f64>(), 0..6);
    let one = prop::collection::btree_map(0_i64..4_000_000_000, (any::<f64>(), buckets), 1..6);
    prop::collection::vec(one, 0..4)
}

fn encode(all: &[Histograms]) -> String {
    let mut series = Vec::new();
    for (index, histograms) in all.iter().enumerate() {
        let mut samples = Vec::new();
        for (time_ms, (count, buckets)) in histograms {
            let buckets: Vec<_> = buckets
                .iter()
                .map(|((lower, upper), count)| {
                    format!(
                        r#"[0,"{}","{}","{}"]"#,
                        value_text(f64::from_bits(*lower)),
                        value_text(f64::from_bits(*upper)),
                        value_text(*count)
                    )
                })
                .collect();
            samples.push(format!(
                r#"[{}.{:03},{{"count":"{}","sum":"1","buckets":[{}]}}]"#,
                time_ms / 1_000,
                time_ms % 1_000,
                value_text(*count),
                buckets.join(",")
            ));
        }
        series.push(format!(
            r#"{{"metric":{{"pod":"{index}"}},"histograms":[{}]}}"#,
            samples.join(",")
        ));
    }
    success(&format!(
        r#"{{"resultType":"matrix","result":[{}]}}"#,
        series.join(",")
    ))
}

/// Equal to the bit, but for the payload of NaN.
fn bits(value: f64) -> u64 {
    if value.is_nan() { 1 } else { value.to_bits() }
}

proptest! {
    #[test]
    fn reading_gives_back_what_was_written(all in any_histograms()) {
        let mut written = BTreeMap::new();
        for (index, histograms) in all.iter().enumerate() {
            for (&time_ms, (count, buckets)) in histograms {
                written.insert((index.to_string(), None, time_ms), bits(*count));
                for (bounds, count) in buckets {
                    written.insert((index.to_string(), Some(*bounds), time_ms), bits(*count));
                }
            }
        }
        let mut found = BTreeMap::new();
        for (pod, column, samples) in columns(&encode(&all)) {
            let bounds = match column {
                NativeColumn::Count => None,
                NativeColumn::Bucket { lower, upper } => Some((lower.to_bits(), upper.to_bits())),
            };
            for (time_ms, value) in samples {
                found.insert((pod.clone(), bounds, time_ms), bits(value));
            }
        }
        prop_assert_eq!(found, written);
    }

    #[test]
    fn a_changed_byte_never_panics(
        all in any_histograms(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut body = encode(&all).into_bytes();
        let index = position.index(body.len());
        body[index] = byte;
        if let Ok(decoded) = decode(&body, 100) {
            for series in &decoded.series {
                prop_assert_eq!(series.timestamps_ms.len(), series.values.len());
                prop_assert!(series.timestamps_ms.is_sorted());
            }
        }
    }
}
