//! Time to decode an answer: 100 series of 1,000 samples, at most 5 ms. The answer of a range query
//! and that of an instant query with a range are written alike.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serinus::decode;

const SERIES: u32 = 100;
const SAMPLES: u32 = 1_000;

/// An answer of a range query, with times that have parts of a second.
fn matrix(value_text: fn(u32) -> String) -> String {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SERIES {
        let comma = if series > 0 { "," } else { "" };
        let _ = write!(
            body,
            r#"{comma}{{"metric":{{"__name__":"http_request_duration_seconds_bucket","instance":"10.0.{series}.17:9090","le":"0.25","namespace":"shop","pod":"checkout-6d4cf56db6-{series:05}"}},"values":["#
        );
        for sample in 0..SAMPLES {
            let comma = if sample > 0 { "," } else { "" };
            let time = 1_700_000_000 + 15 * sample;
            let value = value_text(series * 7_919 + sample);
            let _ = write!(body, r#"{comma}[{time}.781,"{value}"]"#);
        }
        body.push_str("]}");
    }
    body.push_str("]}}");
    body
}

/// An answer of native histograms: each with 40 populated buckets, 100 instants.
fn native() -> String {
    let mut body = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SERIES {
        let comma = if series > 0 { "," } else { "" };
        let _ = write!(
            body,
            r#"{comma}{{"metric":{{"instance":"10.0.{series}.17:9090"}},"histograms":["#
        );
        for sample in 0..100 {
            let comma = if sample > 0 { "," } else { "" };
            let time = 1_700_000_000 + 15 * sample;
            let _ = write!(
                body,
                r#"{comma}[{time}.781,{{"count":"{sample}","sum":"1.5","buckets":["#
            );
            for bucket in 0..40 {
                let comma = if bucket > 0 { "," } else { "" };
                let (lower, upper) = (f64::from(bucket) / 8.0, f64::from(bucket + 1) / 8.0);
                let (lower, upper) = (lower.exp2(), upper.exp2());
                let _ = write!(body, r#"{comma}[0,"{lower}","{upper}","{}"]"#, sample + 1);
            }
            body.push_str("]}]");
        }
        body.push_str("]}");
    }
    body.push_str("]}}");
    body
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let counters: fn(u32) -> String = |number| number.to_string();
    // As many digits as a float has: what gauges and sums of seconds look like.
    let gauges: fn(u32) -> String = |number| (f64::from(number) * 1.000_123_4).to_string();
    for (name, value_text) in [("counters", counters), ("gauges", gauges)] {
        let body = matrix(value_text);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("100 series of 1,000 samples, {name}"), |bencher| {
            bencher.iter(|| decode(black_box(body.as_bytes()), 5_000));
        });
    }
    let body = native();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function(
        "100 native histograms of 100 samples, 40 buckets",
        |bencher| {
            bencher.iter(|| decode(black_box(body.as_bytes()), 5_000));
        },
    );
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50);
    targets = decoding
}
criterion_main!(benches);
