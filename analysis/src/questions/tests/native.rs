//! Native histograms are asked for by name, and kept apart from plain samples.

use super::*;
use crate::pipeline::Comparison;
use crate::series::NativeColumn;

/// The stage's only metric is a native histogram.
fn native() -> (Pipeline, Stage) {
    let mut pipeline = pipeline();
    let kind = MetricKind::Quantile {
        quantile: 0.99,
        histogram: "http_seconds".to_owned(),
        is_native: true,
        scale: 1.0,
    };
    pipeline.metrics.extend([metric("p99", kind)]);
    let mut stage = stage(&["p99"]);
    if let Some(check) = stage.checks.first_mut() {
        check.condition = Condition::Absolute {
            comparison: Comparison::Less,
            limit: 8.0,
        };
    }
    (pipeline, stage)
}

fn column(version: &str, column: NativeColumn, values: [f64; 4]) -> Series {
    let mut series = counter(version, &[], values);
    column.label(&mut series.labels);
    series
}

/// One populated bucket, in which all observations are.
fn histogram(version: &str, values: [f64; 4]) -> [Series; 2] {
    let bucket = NativeColumn::Bucket {
        lower: 1.0,
        upper: 2.0,
    };
    [
        column(version, bucket, values),
        column(version, NativeColumn::Count, values),
    ]
}

#[test]
fn the_histogram_itself_is_asked_for_and_counted_at_the_limit_too() {
    let (pipeline, stage) = native();
    let plan = plan_of(&pipeline, &stage);
    assert_eq!(
        texts(&plan)[0],
        "sum by (instance, pod, version) (http_seconds{version=~\"1|2\"})"
    );
    let mut series = histogram("1", [5.0, 6.0, 7.0, 8.0]).to_vec();
    series.extend(histogram("2", [0.0, 1.0, 2.0, 4.0]));
    let data = plan.assemble(&answers(&plan, &[("http_seconds", ok(series))]));
    let Some(MetricData::Histogram(counted)) = data.metrics.get("p99") else {
        panic!("{:?}", data.metrics);
    };
    assert_eq!(
        counted.upper_bounds,
        [1.0, 2.0, 4.0, 8.0, f64::INFINITY],
        "one bucket a doubling, up to the limit"
    );
    assert_eq!(counted.control, ndarray::array![[0.0, 3.0, 3.0, 3.0, 3.0]]);
    assert_eq!(counted.canary, ndarray::array![[0.0, 4.0, 4.0, 4.0, 4.0]]);
    assert!(data.source_warnings.is_empty());
}

#[test]
fn without_native_histograms_there_is_no_data_and_what_to_change_is_told() {
    let (pipeline, stage) = native();
    let plan = plan_of(&pipeline, &stage);
    let data = plan.assemble(&answers(&plan, &[("http_seconds", requests())]));
    let told = fault(&data, "p99");
    assert_eq!(told.code, FaultCode::NoData);
    assert!(told.message.contains("no native histogram of the canary"));
    assert!(told.message.contains("leave out native"));
    let warning = &data.source_warnings["p99"];
    assert!(warning.contains("plain samples"), "{warning}");
}

#[test]
fn native_histograms_among_plain_samples_are_left_out_with_a_warning() {
    // With one query for both populations, and with two.
    for pipeline in [pipeline(), apart()] {
        let plan = plan_of(&pipeline, &stage(&["error_rate"]));
        let (mut series, _) = requests().unwrap();
        series.extend(histogram("1", [0.0, 1.0, 2.0, 100.0]));
        let with = plan.assemble(&answers(&plan, &[("requests_total", ok(series))]));
        let without = plan.assemble(&answers(&plan, &[("requests_total", requests())]));
        assert_eq!(with.metrics, without.metrics);
        let warning = &with.source_warnings["error_rate"];
        assert!(warning.contains("native: true reads them"), "{warning}");
    }
}
