//! Matchers added to the selectors of a syntax tree.

use promql_parser::label::{MatchOp, Matcher as LabelMatcher};
use promql_parser::parser::{Expr, VectorSelector};

use crate::matchers::Matchers;

use super::error::QueryError;
use super::place::{Place, take_mark};
use super::syntax::{Node, sort_matchers, visit_nodes};
use super::values::{listed_values, to_label_matcher};

/// Adds the matchers to the selectors of the tree in which they belong: see [`Place`].
pub(super) fn push_matchers(tree: &mut Expr, matchers: &Matchers) -> Result<(), QueryError> {
    let wanted = to_label_matchers(matchers)?;
    let place = Place::of(tree);
    visit_nodes(tree, &mut |node| {
        let Node::Selector(selector) = node else {
            return Ok(());
        };
        if place.includes(selector) {
            push_into(selector, &wanted)
        } else {
            Ok(())
        }
    })
}

/// Adds the matchers to one selector.
pub(super) fn push_into_selector(
    selector: &mut VectorSelector,
    matchers: &Matchers,
) -> Result<(), QueryError> {
    push_into(selector, &to_label_matchers(matchers)?)
}

fn to_label_matchers(matchers: &Matchers) -> Result<Vec<LabelMatcher>, QueryError> {
    matchers.iter().map(to_label_matcher).collect()
}

fn push_into(selector: &mut VectorSelector, wanted: &[LabelMatcher]) -> Result<(), QueryError> {
    take_mark(selector)?;
    for matcher in wanted {
        for present in &selector.matchers.matchers {
            if present.name == matcher.name && excludes(present, matcher) {
                return Err(QueryError::PinnedLabel {
                    label: matcher.name.clone(),
                    present: present.to_string(),
                    wanted: matcher.to_string(),
                });
            }
        }
    }
    selector.matchers.matchers.extend_from_slice(wanted);
    sort_matchers(selector);
    Ok(())
}

/// Whether the matcher that is present in a query leaves out a value that is wanted. Where the
/// values are not listed (two patterns, or an exclusion), both matchers stand and Prometheus
/// decides.
fn excludes(present: &LabelMatcher, wanted: &LabelMatcher) -> bool {
    match (&present.op, &wanted.op) {
        (_, MatchOp::Equal) => !present.is_match(&wanted.value),
        (_, MatchOp::Re(_)) if let Some(values) = listed_values(&wanted.value) => {
            !values.iter().all(|value| present.is_match(value))
        }
        (MatchOp::Equal, _) => !wanted.is_match(&present.value),
        _ => false,
    }
}
