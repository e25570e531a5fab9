//! Which presets a source has the metrics of.

use crate::query::{QueryError, SelectorParts, counter_parts};

use super::{PRESETS, Preset};

/// The presets whose requests are among these names of metrics, in the order of the table. Several
/// may share their names, so ask [`Preset::is_of`] about the labels.
///
/// ```
/// use serinus_analysis::pipeline::presets_of;
///
/// let found = presets_of(["up", "istio_requests_total"]);
/// assert_eq!(found.iter().map(|one| one.name).collect::<Vec<_>>(), ["istio"]);
/// ```
pub fn presets_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'static Preset> {
    let names: Vec<&str> = names.into_iter().collect();
    let is_there = |parts: Result<SelectorParts, QueryError>| {
        parts.is_ok_and(|parts| names.contains(&parts.metric()))
    };
    let has_requests =
        |preset: &&Preset| is_there(preset.errors_parts()) && is_there(preset.total_parts());
    PRESETS.iter().filter(has_requests).collect()
}

impl Preset {
    /// Whether series with these labels, of the metric of its failed requests, could be its own: they
    /// have those that tell failures apart.
    pub fn is_of(&self, labels: &[String]) -> bool {
        self.errors_parts().is_ok_and(|parts| {
            let mut needed = parts.needed_labels().into_iter();
            needed.all(|label| labels.iter().any(|known| known == label))
        })
    }

    /// The counter of failed requests in its parts. That each is a selector is held by a test.
    pub(crate) fn errors_parts(&self) -> Result<SelectorParts, QueryError> {
        counter_parts(self.requests.errors)
    }

    /// The counter of all requests in its parts.
    pub(crate) fn total_parts(&self) -> Result<SelectorParts, QueryError> {
        counter_parts(self.requests.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<&'static str> {
        let found = presets_of(names.iter().copied());
        found.into_iter().map(|preset| preset.name).collect()
    }

    #[test]
    fn each_preset_is_found_by_the_names_of_its_own_requests() {
        for preset in PRESETS {
            let (errors, total) = (preset.errors_parts(), preset.total_parts());
            let names = [errors.unwrap(), total.unwrap()];
            let names = names.each_ref().map(SelectorParts::metric);
            assert!(found(&names).contains(&preset.name), "{}", preset.name);
        }
    }

    #[test]
    fn presets_that_share_their_names_are_all_found_the_general_one_first() {
        let names = [
            "envoy_cluster_upstream_rq_xx",
            "envoy_cluster_upstream_rq_completed",
        ];
        assert_eq!(found(&names), ["envoy", "contour", "gloo", "kuma"]);
    }

    #[test]
    fn half_of_the_requests_is_not_enough() {
        assert_eq!(found(&["envoy_cluster_upstream_rq_xx"]), [] as [&str; 0]);
        assert_eq!(found(&["nginx_http_requests_total"]), [] as [&str; 0]);
    }

    #[test]
    fn the_labels_tell_presets_with_one_name_apart() {
        let labels = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let node = PRESETS.iter().find(|preset| preset.name == "node").unwrap();
        assert!(node.is_of(&labels(&["method", "status_code"])));
        assert!(!node.is_of(&labels(&["code", "method"])));
    }
}
