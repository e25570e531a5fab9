//! The labels of a series, sorted as Prometheus sorts them.

/// The label that holds a metric's name.
pub(super) const METRIC_NAME: &str = "__name__";

/// Names and values, by name, without empty values. The order of two sets of labels is that of
/// Prometheus's answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Labels(Vec<(String, String)>);

impl Labels {
    /// Returns these labels, sorted; of two with one name, the first.
    pub(super) fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut labels: Vec<(String, String)> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        labels.sort_by(|left, right| left.0.cmp(&right.0));
        labels.dedup_by(|later, first| later.0 == first.0);
        Self(labels)
    }

    /// Returns the value of a label, empty if there is none: PromQL makes no difference.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0
            .binary_search_by(|label| label.0.as_str().cmp(name))
            .ok()
            .and_then(|index| self.0.get(index))
            .map_or("", |label| label.1.as_str())
    }

    /// Returns names and values, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|label| (label.0.as_str(), label.1.as_str()))
    }

    /// Returns only the named labels.
    pub(super) fn only(&self, names: &[String]) -> Self {
        self.filtered(|name| names.iter().any(|kept| kept == name))
    }

    /// Returns all but the named labels and the metric's name.
    pub(super) fn without(&self, names: &[String]) -> Self {
        self.filtered(|name| name != METRIC_NAME && names.iter().all(|dropped| dropped != name))
    }

    /// Returns all but the named labels; the metric's name stays unless it is named.
    pub(super) fn except(&self, names: &[String]) -> Self {
        self.filtered(|name| names.iter().all(|dropped| dropped != name))
    }

    fn filtered(&self, keeps: impl Fn(&str) -> bool) -> Self {
        Self(
            self.0
                .iter()
                .filter(|label| keeps(&label.0))
                .cloned()
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_empty_ones_do_not_exist() {
        let labels = Labels::new([("pod", "a"), ("__name__", "up"), ("zone", "")]);
        let pairs: Vec<_> = labels.iter().collect();
        assert_eq!(pairs, [("__name__", "up"), ("pod", "a")]);
        assert_eq!(labels.get("pod"), "a");
        assert_eq!(labels.get("zone"), "");
    }

    #[test]
    fn grouping_keeps_or_drops() {
        let labels = Labels::new([("__name__", "up"), ("pod", "a"), ("track", "stable")]);
        let names = ["track".to_owned(), "none".to_owned()];
        assert_eq!(labels.only(&names), Labels::new([("track", "stable")]));
        assert_eq!(labels.without(&names), Labels::new([("pod", "a")]));
        assert_eq!(
            labels.except(&names),
            Labels::new([("__name__", "up"), ("pod", "a")])
        );
    }
}
