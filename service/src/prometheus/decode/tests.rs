//! What Prometheus and its relatives send, what they should not, and what nobody would.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

mod native;

fn read(body: &str) -> Result<Decoded, DecodeError> {
    decode(body.as_bytes(), 100)
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    Series {
        labels: labels
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        timestamps_ms: samples.iter().map(|sample| sample.0).collect(),
        values: samples.iter().map(|sample| sample.1).collect(),
    }
}

fn success(data: &str) -> String {
    format!(r#"{{"status":"success","data":{data}}}"#)
}

fn assert_not_prometheus(body: &str, expected: &str) {
    match read(body) {
        Err(DecodeError::NotPrometheus(detail)) => {
            assert!(detail.contains(expected), "{body}: {detail}");
        }
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn a_matrix_becomes_columns_sorted_by_labels() {
    let body = success(
        r#"{"resultType":"matrix","result":[
            {"metric":{"pod":"b","__name__":"up"},"values":[[1.5,"1"],[2,"-2.5e3"]]},
            {"metric":{"pod":"a","__name__":"up"},"values":[[0,"0"]]}]}"#,
    );
    let expected = vec![
        series(&[("__name__", "up"), ("pod", "a")], &[(0, 0.0)]),
        series(
            &[("__name__", "up"), ("pod", "b")],
            &[(1_500, 1.0), (2_000, -2_500.0)],
        ),
    ];
    assert_eq!(read(&body).unwrap().series, expected);
}

#[test]
fn a_vector_and_a_scalar_are_series_of_one_sample() {
    let vector =
        success(r#"{"resultType":"vector","result":[{"metric":{},"value":[1435781451.781,"7"]}]}"#);
    let expected = vec![series(&[], &[(1_435_781_451_781, 7.0)])];
    assert_eq!(read(&vector).unwrap().series, expected);
    let scalar = success(r#"{"resultType":"scalar","result":[1435781451.781,"7"]}"#);
    assert_eq!(read(&scalar).unwrap().series, expected);
}

#[test]
fn a_string_is_refused_for_what_it_is() {
    let body = success(r#"{"resultType":"string","result":[1,"hello"]}"#);
    assert_eq!(read(&body), Err(DecodeError::NoNumbers));
}

#[test]
fn values_that_are_not_finite_are_kept() {
    let body = success(
        r#"{"resultType":"matrix","result":[
            {"metric":{},"values":[[1,"NaN"],[2,"+Inf"],[3,"-Inf"]]}]}"#,
    );
    let values = read(&body).unwrap().series.remove(0).values;
    assert!(values[0].is_nan());
    assert_eq!(values[1..], [f64::INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn the_order_of_the_fields_does_not_matter() {
    let body = r#"{"data":{"result":[{"values":[[1,"2"]],"metric":{"a":"b"}}],
        "resultType":"matrix"},"status":"success"}"#;
    let expected = vec![series(&[("a", "b")], &[(1_000, 2.0)])];
    assert_eq!(read(body).unwrap().series, expected);
}

#[test]
fn an_empty_result_is_an_answer() {
    for result in ["[]", "null"] {
        let body = success(&format!(r#"{{"resultType":"vector","result":{result}}}"#));
        assert_eq!(read(&body), Ok(Decoded::default()));
    }
}

#[test]
fn fields_of_newer_versions_and_of_relatives_are_passed_over() {
    let body = r#"{"status":"success","isPartial":false,"traceId":"x","data":{"resultType":
        "vector","result":[{"metric":{},"value":[1,"1"],"group":1}],"stats":{"deep":[[{}]]},
        "analysis":{}},"stats":{"seriesFetched":"1"},"warnings":null,"infos":[]}"#;
    let decoded = read(&body.replace('\n', " ")).unwrap();
    assert_eq!(decoded.series.len(), 1);
    assert!(decoded.warnings.is_empty());
}

#[test]
fn everything_that_makes_an_answer_partial_is_told() {
    let body = r#"{"status":"success","warnings":["a"],"infos":["b"],"isPartial":true,"data":
        {"resultType":"matrix","result":[{"metric":{"x":"2"},"values":[[1,"1"]]}]}}"#;
    let decoded = read(&body.replace('\n', " ")).unwrap();
    assert_eq!(decoded.warnings, ["a", PARTIAL_WARNING]);
    assert_eq!(decoded.infos, ["b"]);
    assert_eq!(decoded.series, [series(&[("x", "2")], &[(1_000, 1.0)])]);
}

#[test]
fn a_remark_among_the_warnings_is_one() {
    let remark = "PromQL info: metric might not be a counter: \\\"cpu_used\\\" (1:6)";
    let warning = "PromQL warning: bucket label \\\"le\\\" is missing";
    let body = format!(
        r#"{{"status":"success","warnings":["{remark}","{warning}"],"infos":["b"],"data":{{"resultType":"vector","result":[]}}}}"#
    );
    let decoded = read(&body).unwrap();
    assert_eq!(decoded.warnings, [warning.replace('\\', "")]);
    assert_eq!(decoded.infos, [remark.replace('\\', ""), "b".to_owned()]);
}

#[test]
fn warnings_are_bounded_in_number_and_length() {
    let warnings = vec![format!("\"{}\"", "x".repeat(10_000)); 1_000].join(",");
    let body = format!(
        r#"{{"status":"success","warnings":[{warnings}],"data":{{"resultType":"vector","result":[]}}}}"#
    );
    let decoded = read(&body).unwrap();
    let chars: usize = decoded
        .warnings
        .iter()
        .map(|text| text.chars().count())
        .sum();
    assert!(decoded.warnings.len() <= 20 && chars <= 20 * 201, "{chars}");
}

#[test]
fn the_error_of_prometheus_is_kept() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"no","data":null}"#;
    let expected = DecodeError::Refused {
        error_type: "bad_data".to_owned(),
        error: "no".to_owned(),
    };
    assert_eq!(read(body), Err(expected));
}

#[test]
fn too_many_series_stop_the_reading() {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for index in 0..4 {
        write!(
            body,
            r#"{{"metric":{{"i":"{index}"}},"values":[[1,"1"]]}},"#
        )
        .unwrap();
    }
    // Cut behind the limit: nobody reads so far.
    assert_eq!(
        decode(body.as_bytes(), 3),
        Err(DecodeError::TooManySeries { limit: 3 })
    );
    assert_eq!(decode(body.as_bytes(), 4), Err(DecodeError::Cut));
}

#[test]
fn what_is_no_answer_says_why() {
    for (body, expected) in [
        ("", "empty"),
        ("\n ", "empty"),
        ("<html>", "web page"),
        ("OK", "not a JSON object"),
        ("\"open", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "no status"),
        (r#"{"status":"ok"}"#, "neither success nor error"),
        (r#"{"status":5}"#, "invalid type"),
        (r#"{"status":"success"}"#, "no data"),
        (r#"{"status":"success","data":{}}"#, "missing field"),
        (
            r#"{"status":"success","data":{"result":[]}}"#,
            "no result type",
        ),
        (r#"{"status":"success","data":[]}"#, "invalid type"),
    ] {
        assert_not_prometheus(body, expected);
    }
    for (data, expected) in [
        (r#"{"resultType":"streams","result":[]}"#, "unknown variant"),
        (
            r#"{"resultType":"matrix","result":[1,"2"]}"#,
            "not of the type",
        ),
        (r#"{"resultType":"scalar","result":[]}"#, "not of the type"),
        (
            r#"{"resultType":"scalar","result":[1,"x"]}"#,
            "not a number",
        ),
        (
            r#"{"resultType":"scalar","result":[1e99,"1"]}"#,
            "out of range",
        ),
        (
            r#"{"resultType":"vector","result":["x"]}"#,
            "neither a list",
        ),
        (
            r#"{"resultType":"vector","result":[],"result":[]}"#,
            "duplicate",
        ),
    ] {
        assert_not_prometheus(&success(data), expected);
    }
    for (samples, expected) in [
        (r#"[[1,"x"]]"#, "not a number"),
        (r"[[1,null]]", "invalid type"),
        (r#"[["1","1"]]"#, "invalid type"),
        (r"[[1]]", "without a time and a value"),
        (r#"[[1,"1",2]]"#, "trailing"),
        (r#"[[1e300,"1"]]"#, "out of range"),
        (r#"[[2,"1"],[1,"1"]]"#, "order of time"),
        (r#"[[1,"1"],[1,"1"]]"#, "order of time"),
    ] {
        assert_not_prometheus(
            &success(&format!(
                r#"{{"resultType":"matrix","result":[{{"metric":{{}},"values":{samples}}}]}}"#
            )),
            expected,
        );
    }
    let twice = r#"{"metric":{"a":"b"},"value":[1,"1"]}"#;
    assert_not_prometheus(
        &success(&format!(
            r#"{{"resultType":"vector","result":[{twice},{twice}]}}"#
        )),
        "same labels",
    );
    let whole = success(r#"{"resultType":"vector","result":[]}"#);
    assert_not_prometheus(&format!("{whole}x"), "trailing");
}

#[test]
fn nesting_without_end_is_refused() {
    let mut body = String::from(r#"{"status":"success","data":{"stats":"#);
    body.push_str(&"[".repeat(1_000_000));
    assert!(read(&body).is_err());
    let series = format!(
        r#"{{"resultType":"vector","result":[{}]}}"#,
        r#"{"metric":"#.repeat(100_000)
    );
    assert!(read(&success(&series)).is_err());
}

/// Writes an answer as Prometheus does.
fn encode(all: &[Series]) -> String {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for (index, series) in all.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let labels = serde_json::to_string(&series.labels).unwrap();
        let samples: Vec<String> = series
            .timestamps_ms
            .iter()
            .zip(&series.values)
            .map(|(&time, &value)| format!("[{},\"{}\"]", seconds_text(time), value_text(value)))
            .collect();
        write!(
            body,
            r#"{comma}{{"metric":{labels},"values":[{}]}}"#,
            samples.join(",")
        )
        .unwrap();
    }
    body.push_str("]}}");
    body
}

fn seconds_text(time_ms: i64) -> String {
    let text = format!("{}.{:03}", time_ms / 1_000, time_ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn value_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn any_series() -> impl Strategy<Value = Vec<Series>> {
    let time = 0_i64..4_102_444_800_000;
    let samples = prop::collection::btree_map(time, any::<f64>(), 1..20);
    let labels = prop::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    prop::collection::btree_map(labels, samples, 0..6).prop_map(|all| {
        all.into_iter()
            .map(
                |(labels, samples): (BTreeMap<_, _>, BTreeMap<_, _>)| Series {
                    labels,
                    timestamps_ms: samples.keys().copied().collect(),
                    values: samples.values().copied().collect(),
                },
            )
            .collect()
    })
}

/// Equal to the bit, but for the payload of NaN.
fn is_same(left: &[Series], right: &[Series]) -> bool {
    let bits = |series: &Series| {
        let value_bits = |value: &f64| if value.is_nan() { 1 } else { value.to_bits() };
        series.values.iter().map(value_bits).collect::<Vec<_>>()
    };
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| {
            left.labels == right.labels
                && left.timestamps_ms == right.timestamps_ms
                && bits(left) == bits(right)
        })
}

proptest! {
    #[test]
    fn reading_gives_back_what_was_written(all in any_series()) {
        let decoded = read(&encode(&all)).unwrap();
        prop_assert!(is_same(&decoded.series, &all), "{all:?}");
        prop_assert!(decoded.warnings.is_empty());
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&body, 3);
    }

    #[test]
    fn a_changed_byte_never_panics(
        all in any_series(),
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

proptest! {
    // Each case reads the body once for each of its bytes.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn an_answer_that_is_cut_anywhere_is_an_error(all in any_series()) {
        let body = encode(&all).into_bytes();
        for length in 1..body.len() {
            prop_assert_eq!(decode(&body[..length], 100), Err(DecodeError::Cut), "{}", length);
        }
        prop_assert!(decode(&[], 100).is_err());
    }
}

/// Reads a body that arrives in pieces of some bytes.
fn read_in_pieces(body: &[u8], piece: usize, max_series: usize) -> Result<Decoded, DecodeError> {
    let mut decoding = Decoding::new(max_series);
    for bytes in body.chunks(piece) {
        decoding.push(bytes)?;
    }
    decoding.finish()
}

#[test]
fn series_that_cannot_be_told_by_their_place_are_read_with_the_rest() {
    let one = r#"{"metric":{"a":"b"},"values":[[1,"2"]]}"#;
    let body =
        format!(r#"{{"status":"success","\u0064ata":{{"resultType":"matrix","result":[{one}]}}}}"#);
    assert_eq!(
        read(&body).unwrap().series,
        [series(&[("a", "b")], &[(1_000, 2.0)])]
    );
}

#[test]
fn a_series_that_is_wrong_is_named_before_the_rest_has_arrived() {
    let mut decoding = Decoding::new(10);
    let begin = r#"{"status":"success","data":{"result":[{"metric":{},"values":[[1,"1"]]},{"metric":{},"values":[[1,"x"]]}"#;
    match decoding.push(begin.as_bytes()) {
        Err(DecodeError::NotPrometheus(detail)) => {
            assert!(
                detail.contains("in series 2") && detail.contains("not a number"),
                "{detail}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_read_is_counted_and_its_text_is_not() {
    let samples: Vec<String> = (0..10_000)
        .map(|at| format!(r#"[{at}.125,"1234567.25"]"#))
        .collect();
    let one = |name: &str| {
        let samples = samples.join(",");
        format!(r#"{{"metric":{{"name":"{name}"}},"values":[{samples}]}}"#)
    };
    let mut decoding = Decoding::new(10);
    decoding
        .push(br#"{"status":"success","data":{"resultType":"matrix","result":["#)
        .unwrap();
    for (index, name) in ["a", "b", "c"].iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        decoding
            .push(format!("{comma}{}", one(name)).as_bytes())
            .unwrap();
        let of_samples = 16 * 10_000 * (index as u64 + 1);
        let taken = decoding.bytes();
        assert!((of_samples..of_samples + 5_000).contains(&taken), "{taken}");
    }
}

proptest! {
    #[test]
    fn an_answer_in_pieces_is_read_like_the_whole(
        all in any_series(),
        piece in 1_usize..40,
        cut in any::<prop::sample::Index>(),
        max_series in 3_usize..7,
    ) {
        let whole = encode(&all).into_bytes();
        for body in [&whole[..], &whole[..cut.index(whole.len())]] {
            let (left, right) = (decode(body, max_series), read_in_pieces(body, piece, max_series));
            match (left, right) {
                (Ok(left), Ok(right)) => prop_assert!(is_same(&left.series, &right.series)),
                (left, right) => prop_assert_eq!(left.err(), right.err()),
            }
        }
    }
}
