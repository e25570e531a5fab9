//! How a series is named to people: by the labels of what is scraped, shortened.

use super::Series;
use super::pod::POD_LABELS;

/// Most characters of a name.
const NAME_CHARACTERS: usize = 80;

/// The name of a series: `{pod="shop-1", instance="10.0.0.2:8080"}`, or all of its labels where it
/// has none of those. A label that is empty is none.
pub(super) fn name(series: &Series) -> String {
    let written = |label: &str, value: &str| format!("{label}={value:?}");
    let mut parts: Vec<String> = POD_LABELS
        .iter()
        .filter_map(|label| Some((*label, series.labels.get(*label)?)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| written(label, value))
        .collect();
    if parts.is_empty() {
        let all = series
            .labels
            .iter()
            .filter(|(label, _)| *label != "__name__");
        parts = all.map(|(label, value)| written(label, value)).collect();
    }
    let whole = parts.join(", ");
    match whole.char_indices().nth(NAME_CHARACTERS) {
        Some((end, _)) => format!("{{{}..}}", whole.get(..end).unwrap_or_default()),
        None => format!("{{{whole}}}"),
    }
}
