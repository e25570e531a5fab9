//! What a source says of the present in its own words: for people, who are told about how much there
//! is. No verdict rests on it.

use crate::matchers::Matchers;

use super::{QueryError, counter_samples, histogram_samples, values};

/// Writes `sum by (..labels) (rate(selector{matchers}[range]))`: about how much a counter gains in a
/// second, told apart by the labels.
///
/// # Errors
///
/// [`QueryError`] says what to change; a range below 1 second or above 100 years is one.
pub fn rates_by(
    selector: &str,
    matchers: &Matchers,
    range_seconds: i64,
    labels: &[&str],
) -> Result<String, QueryError> {
    for label in labels {
        values::check_label_name(label)?;
    }
    let samples = counter_samples(selector, matchers, range_seconds)?;
    let by = labels.join(", ");
    Ok(format!("sum by ({by}) (rate({samples}))"))
}

/// Writes `histogram_quantile(q, sum by (le) (rate(name_bucket{matchers}[range])))`: about where a
/// quantile of a classic histogram is, in the unit of its bounds.
///
/// # Errors
///
/// As [`rates_by`].
pub fn quantile_of_rates(
    quantile: f64,
    histogram: &str,
    matchers: &Matchers,
    range_seconds: i64,
) -> Result<String, QueryError> {
    let samples = histogram_samples(histogram, matchers, range_seconds)?;
    Ok(format!(
        "histogram_quantile({quantile}, sum by (le) (rate({samples})))"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matchers::Matcher;

    #[test]
    fn rates_are_told_apart_by_labels() {
        let only = Matchers::from([Matcher::equal("job", "shop")]);
        let written = rates_by("http_requests_total", &only, 3_600, &["track", "version"]);
        assert_eq!(
            written.unwrap(),
            r#"sum by (track, version) (rate(http_requests_total{job="shop"}[1h]))"#
        );
        assert!(rates_by("up", &only, 60, &["no label"]).is_err());
    }

    #[test]
    fn a_quantile_is_of_all_buckets_together() {
        let written = quantile_of_rates(0.99, "work_seconds", &Matchers::new(), 60);
        assert_eq!(
            written.unwrap(),
            "histogram_quantile(0.99, sum by (le) (rate(work_seconds_bucket[1m])))"
        );
    }
}
