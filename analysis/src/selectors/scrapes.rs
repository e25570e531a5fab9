//! How long an interval is where the file does not say: as long as a scrape of the control takes.
//!
//! Source: docs/design/counts.md, "1. Grid".

use crate::matchers::Matchers;
use crate::parts::populations_of_metric;
use crate::pipeline::Pipeline;
use crate::proof::default_interval_seconds;
use crate::query::most_samples;
use crate::series::Populations;

use super::needed::selector_of;
use super::of_file::measured;

/// The stretch of time in which scrapes are counted.
const COUNTED_SECONDS: i64 = 3_600;

/// It ends so long before the rollout begins: samples may come late.
pub const SETTLED_AFTER_SECONDS: i64 = 900;

/// The part of the scrapes that may have failed, or be missing for another reason.
const MISSED: f64 = 0.08;

/// The query that says how often the control is scraped; nothing where no metric of the pipeline is read series by
/// series, or its populations are not known.
pub fn samples_of_the_control(
    pipeline: &Pipeline,
    populations: Populations<&Matchers>,
) -> Option<String> {
    measured(pipeline).into_values().find_map(|metric| {
        let own = populations_of_metric(metric, populations).ok()?;
        let whole = selector_of(&metric.kind).ok()??;
        let selector = whole.of_population(&own.control).ok()?;
        most_samples(&selector, COUNTED_SECONDS).ok()
    })
}

/// About how many seconds a scrape takes where a series had so many samples; nothing where that is no number of
/// samples.
pub fn scrape_seconds_by_samples(most: f64) -> Option<f64> {
    (most.is_finite() && most >= 1.0).then(|| COUNTED_SECONDS as f64 / most)
}

/// The length of an interval where a scrape takes about so long.
pub fn interval_by_scrapes(scrape_seconds: f64) -> u32 {
    default_interval_seconds((1.0 - MISSED) * scrape_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;

    #[test]
    fn an_interval_is_as_long_as_a_scrape_though_some_are_missing() {
        for (samples, interval) in [
            (240.0, 30),
            (119.0, 30),
            (80.0, 60),
            (60.0, 60),
            (56.0, 60),
            (30.0, 120),
            (12.0, 300),
            (4.0, 900),
            (1.0, 3600),
        ] {
            let scrape_seconds = scrape_seconds_by_samples(samples).unwrap();
            assert_eq!(interval_by_scrapes(scrape_seconds), interval, "{samples}");
        }
        for nothing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(scrape_seconds_by_samples(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_requests_of_the_control_are_counted_of_pods_that_were_there_before() {
        let pipeline = parse(
            "canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 5, metrics: [error_rate < 1%]}}",
            "test",
        )
        .unwrap();
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let samples = "{__name__=\"http_requests_total\",track=\"stable\"}[1h]";
        assert_eq!(
            samples_of_the_control(&pipeline, populations),
            Some(format!(
                "max(count_over_time({samples}) and count_over_time({samples} offset 3600s))"
            ))
        );
    }
}
