//! Native histograms are asked for by name, and kept apart from plain samples.

use super::*;
use crate::series::NativeColumn;

/// The stage's only metric is a native histogram.
fn native() -> (Pipeline, Stage) {
    let kind = MetricKind::Quantile {
        quantile: 0.99,
        histogram: "http_seconds".into(),
        is_native: true,
        scale: Populations::same(1.0),
    };
    (pipeline(), stage_of("p99", kind, 8.0))
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
        sum(", version", "http_seconds{version=~\"1|2\"}")
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

/// A counter that grows by one at each step from the start of the grid on.
fn steady(pod: &str, column: NativeColumn, grid: &Grid) -> Series {
    let steps = (grid.end_ms() - grid.start_ms()) / STEP_MS;
    let mut series = Series {
        labels: [("instance", pod), ("pod", pod)]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into(),
        timestamps_ms: (0..=steps)
            .map(|step| grid.start_ms() + step * STEP_MS)
            .collect(),
        values: (0..=steps).map(|step| step as f64).collect(),
    };
    column.label(&mut series.labels);
    series
}

#[test]
fn a_native_histogram_alone_has_a_history_and_its_buckets_are_no_further_requests() {
    let (pipeline, stage) = native();
    let grid = grid(20);
    let plan = StageQuestions::of_control(
        &pipeline,
        &stage.checks,
        &pipeline.control,
        &[],
        grid,
        STEP_MS,
        &mut QueryTexts::default(),
    )
    .unwrap();
    let bucket = NativeColumn::Bucket {
        lower: 1.0,
        upper: 2.0,
    };
    // Half of the pods fill a bucket: their requests must not count twice.
    let mut series: Vec<Series> = ["a", "b", "c", "d"]
        .map(|pod| steady(pod, NativeColumn::Count, &grid))
        .into();
    series.extend(["a", "b"].map(|pod| steady(pod, bucket, &grid)));
    let given = answers(&plan, &[("http_seconds", ok(series))]);
    let (data, split) = plan.assemble_split(&given, 0.25).unwrap();
    assert_eq!((split.canary_targets, split.control_targets), (1, 3));
    assert!((split.canary_share - 0.25).abs() < 1e-12, "{split:?}");
    assert!(matches!(
        data.metrics.get("p99"),
        Some(MetricData::Histogram(_))
    ));
}
