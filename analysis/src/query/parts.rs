//! What a selector asks of the series: which metric, which labels, which bounds.
//!
//! A matcher that the empty text satisfies (`status!~"2.."`, `route!="/healthz"`) asks for no label:
//! a series without it is selected too.

use promql_parser::label::{MatchOp, Matcher as LabelMatcher};
use promql_parser::parser::{Expr, VectorSelector};

use crate::matchers::{MatchOperator, Matcher, Matchers};

use super::counter::{self, BUCKET_LABEL};
use super::error::QueryError;
use super::push;
use super::syntax::{self, Node};
use super::values::METRIC_NAME;

/// A selector in its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectorParts {
    metric: String,
    matchers: Vec<LabelMatcher>,
}

impl SelectorParts {
    /// The name of the metric.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// The labels that a series must have to be selected, sorted, each once.
    pub fn needed_labels(&self) -> Vec<&str> {
        self.labels(|matcher| !matcher.is_match(""))
    }

    /// The labels that have matchers, of which none needs a series to have the label, sorted, each
    /// once.
    pub fn excluding_labels(&self) -> Vec<&str> {
        let needed = self.needed_labels();
        let mut labels = self.labels(|_| true);
        labels.retain(|label| !needed.contains(label));
        labels
    }

    fn labels(&self, is_wanted: impl Fn(&LabelMatcher) -> bool) -> Vec<&str> {
        let wanted = self.matchers.iter().filter(|matcher| is_wanted(matcher));
        let mut labels: Vec<&str> = wanted.map(|matcher| matcher.name.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// What the matchers of a label ask for, as PromQL: `code=~"5.."`.
    pub fn asked_of(&self, label: &str) -> String {
        let of_label = self.matchers.iter().filter(|one| one.name == label);
        let texts: Vec<String> = of_label.map(ToString::to_string).collect();
        texts.join(",")
    }

    /// The text that the first matcher of a label holds against its values; empty where it has none.
    pub fn wanted_of(&self, label: &str) -> &str {
        let of_label = self.matchers.iter().find(|one| one.name == label);
        of_label.map_or("", |one| one.value.as_str())
    }

    /// Whether the matchers of a label select only series without it.
    pub fn asks_for_none(&self, label: &str) -> bool {
        let mut of_label = self.matchers.iter().filter(|one| one.name == label);
        of_label.any(|matcher| match &matcher.op {
            MatchOp::Equal => matcher.value.is_empty(),
            MatchOp::NotRe(_) => [".+", "..*"].contains(&matcher.value.as_str()),
            MatchOp::NotEqual | MatchOp::Re(_) => false,
        })
    }

    /// Whether the matchers of a label select this value of it.
    pub fn takes(&self, label: &str, value: &str) -> bool {
        let mut of_label = self.matchers.iter().filter(|one| one.name == label);
        of_label.all(|matcher| matcher.is_match(value))
    }

    /// Whether buckets are selected by their bounds.
    pub fn needs_bound(&self) -> bool {
        self.needed_labels().contains(&BUCKET_LABEL)
    }

    /// The one bound that is asked for exactly, as it is written; nothing where none or several are.
    pub fn exact_bound(&self) -> Option<&str> {
        let mut bounds = self.matchers.iter().filter(|one| one.name == BUCKET_LABEL);
        let first = bounds.next().filter(|one| one.op == MatchOp::Equal)?;
        bounds.next().is_none().then_some(first.value.as_str())
    }

    /// The parts without the matchers that another selector has as well.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let mut own = self.clone();
        own.matchers.retain(|one| !other.matchers.contains(one));
        own
    }

    /// Whether all that is selected is selected by another selector as well.
    pub fn is_within(&self, other: &Self) -> bool {
        let is_asked = |one: &LabelMatcher| self.matchers.contains(one);
        self.metric == other.metric && other.matchers.iter().all(is_asked)
    }

    /// Whether the matchers leave nothing out, whatever the values: there are none, or they are `=~".*"`.
    pub fn takes_everything(&self) -> bool {
        let is_open = |one: &LabelMatcher| matches!(one.op, MatchOp::Re(_)) && one.value == ".*";
        self.matchers.iter().all(is_open)
    }

    /// The selector of all series of the metric, whatever their labels.
    ///
    /// # Errors
    ///
    /// [`QueryError`] for a name that cannot be written.
    pub fn whole_metric(&self) -> Result<String, QueryError> {
        self.with(&Matchers::new())
    }

    /// The selector of all series of the metric that a population's matchers select.
    ///
    /// # Errors
    ///
    /// [`QueryError`] says what to change.
    pub fn of_population(&self, population: &Matchers) -> Result<String, QueryError> {
        self.with(population)
    }

    /// The selector with its own matchers, of the series that a population's matchers select.
    ///
    /// # Errors
    ///
    /// [`QueryError`] says what to change, such as matchers that leave out the population.
    pub fn among(&self, population: &Matchers) -> Result<String, QueryError> {
        let mut selector = self.selector();
        let own = self.matchers.iter().cloned();
        selector.matchers.matchers.extend(own);
        push::push_into_selector(&mut selector, population)?;
        syntax::print(&Expr::VectorSelector(selector))
    }

    /// The selector of all series of the metric that a population's matchers select and that have every
    /// label that is needed. Bounds have to be those that are asked for: they are fixed by the program,
    /// where other values come with what happens.
    ///
    /// # Errors
    ///
    /// [`QueryError`] says what to change.
    pub fn like_it(&self, population: &Matchers) -> Result<String, QueryError> {
        let mut matchers = population.clone();
        let labels = self.needed_labels().into_iter();
        let others = labels.filter(|label| *label != BUCKET_LABEL);
        matchers.extend(others.map(|label| Matcher {
            label: label.to_owned(),
            operator: MatchOperator::NotEqual,
            value: String::new(),
        }));
        let mut selector = self.selector();
        let bounds = self.matchers.iter().filter(|one| one.name == BUCKET_LABEL);
        selector.matchers.matchers.extend(bounds.cloned());
        push::push_into_selector(&mut selector, &matchers)?;
        syntax::print(&Expr::VectorSelector(selector))
    }

    fn with(&self, matchers: &Matchers) -> Result<String, QueryError> {
        let mut selector = self.selector();
        push::push_into_selector(&mut selector, matchers)?;
        syntax::print(&Expr::VectorSelector(selector))
    }

    fn selector(&self) -> VectorSelector {
        let mut selector = VectorSelector::default();
        let name = LabelMatcher::new(MatchOp::Equal, METRIC_NAME, &self.metric);
        selector.matchers.matchers.push(name);
        selector
    }
}

/// The parts of the selector of a counter.
///
/// # Errors
///
/// [`QueryError`] as for the query of the counter.
pub fn counter_parts(promql: &str) -> Result<SelectorParts, QueryError> {
    let selector = counter::parse_counter(promql)?;
    let name = counter::metric_name(&selector).map(str::to_owned);
    parts(&selector, name.as_deref()).ok_or(QueryError::NoMetricName {
        selector: promql.to_owned(),
    })
}

/// The parts of the selector of a classic histogram's buckets.
///
/// # Errors
///
/// [`QueryError`] as for the query of the histogram.
pub fn histogram_parts(promql: &str) -> Result<SelectorParts, QueryError> {
    let selector = counter::parse_histogram(promql)?;
    let name = counter::metric_name(&selector).map(str::to_owned);
    parts(&selector, name.as_deref()).ok_or(QueryError::NoMetricName {
        selector: promql.to_owned(),
    })
}

/// The parts of every selector in an expression that names its metric, in their order, each once.
///
/// # Errors
///
/// [`QueryError`] for a text that cannot be read.
pub fn expression_parts(promql: &str) -> Result<Vec<SelectorParts>, QueryError> {
    let mut tree = syntax::parse(promql)?;
    let mut found: Vec<SelectorParts> = Vec::new();
    syntax::visit_nodes(&mut tree, &mut |node| {
        if let Node::Selector(selector) = node
            && let Some(one) = parts(selector, counter::metric_name(selector))
            && !found.contains(&one)
        {
            found.push(one);
        }
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn parts(selector: &VectorSelector, metric: Option<&str>) -> Option<SelectorParts> {
    let matchers = selector.matchers.matchers.iter();
    Some(SelectorParts {
        metric: metric?.to_owned(),
        matchers: matchers
            .filter(|matcher| matcher.name != METRIC_NAME)
            .cloned()
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(promql: &str) -> SelectorParts {
        counter_parts(promql).unwrap()
    }

    #[test]
    fn a_matcher_that_the_empty_text_satisfies_asks_for_no_label() {
        let parts = of(
            r#"http_requests_total{code=~"5..",job="shop",route!="/healthz",status!~"2..",zone=~".*",pod!=""}"#,
        );
        assert_eq!(parts.metric(), "http_requests_total");
        assert_eq!(parts.needed_labels(), ["code", "job", "pod"]);
        assert_eq!(parts.excluding_labels(), ["route", "status", "zone"]);
        assert_eq!(parts.asked_of("code"), r#"code=~"5..""#);
        // One matcher of the label needs it.
        let both = of(r#"x{code!="200",code=~"[45].."}"#);
        assert_eq!(both.needed_labels(), ["code"]);
        assert!(both.excluding_labels().is_empty());
    }

    #[test]
    fn a_name_within_the_braces_is_the_name() {
        for text in [r#"{__name__="up",job="a"}"#, r#"(up{job="a"})"#] {
            assert_eq!(of(text).metric(), "up", "{text}");
            assert_eq!(of(text).needed_labels(), ["job"], "{text}");
        }
    }

    #[test]
    fn bounds_are_matched_as_texts() {
        let exact = of(r#"d_bucket{le="1"}"#);
        assert!(exact.takes("le", "1") && !exact.takes("le", "1.0"));
        assert_eq!(exact.exact_bound(), Some("1"));
        let either = of(r#"d_bucket{le=~"1|1.0"}"#);
        assert!(either.takes("le", "1") && either.takes("le", "1.0"));
        assert!(either.needs_bound());
        assert_eq!(either.exact_bound(), None);
    }

    #[test]
    fn the_whole_metric_and_a_populations_part_of_it_can_be_asked_for() {
        let parts = of(r#"http_requests_total{code=~"5..",job="shop"}"#);
        assert_eq!(
            parts.whole_metric().unwrap(),
            r#"{__name__="http_requests_total"}"#
        );
        let canary = Matchers::from([Matcher::equal("track", "can\"ary")]);
        assert_eq!(
            parts.like_it(&canary).unwrap(),
            r#"{__name__="http_requests_total",code!="",job!="",track="can\"ary"}"#
        );
        assert_eq!(
            of("d_bucket{le=\"1\"}").like_it(&canary).unwrap(),
            r#"{__name__="d_bucket",le="1",track="can\"ary"}"#
        );
    }

    #[test]
    fn what_tells_events_from_the_total_is_what_only_they_have() {
        let events = of(r#"http_requests_total{job="shop",status!~"2.."}"#);
        let total = of(r#"http_requests_total{job="shop"}"#);
        assert_eq!(events.beyond(&total).excluding_labels(), ["status"]);
        assert!(events.beyond(&total).needed_labels().is_empty());
    }

    #[test]
    fn every_selector_of_an_expression_is_found_once() {
        let found = expression_parts("sum(a{x=\"1\"}) / sum(b) + sum(a{x=\"1\"}) > 1").unwrap();
        let names: Vec<_> = found.iter().map(SelectorParts::metric).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn buckets_are_asked_for_by_either_name() {
        for name in ["d", "d_bucket"] {
            assert_eq!(histogram_parts(name).unwrap().metric(), "d_bucket");
        }
    }
}
