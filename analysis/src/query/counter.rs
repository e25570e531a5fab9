//! The one plain selector that a counter or a histogram is given as.

use promql_parser::label::{MatchOp, Matcher as LabelMatcher};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{Expr, VectorSelector};

use crate::matchers::Matchers;

use super::error::QueryError;
use super::syntax;
use super::values::METRIC_NAME;

/// What Prometheus appends to a classic histogram's name for its buckets.
const BUCKET_SUFFIX: &str = "_bucket";

/// The label that holds a bucket's upper bound.
pub(super) const BUCKET_LABEL: &str = "le";

/// The label that holds a bucket's range, of `VictoriaMetrics`.
pub(super) const RANGE_LABEL: &str = "vmrange";

/// Reads a text that must be one plain selector with a name: no function, no operator, no range,
/// no other time. Parentheses around it are dropped.
pub(super) fn parse_counter(promql: &str) -> Result<VectorSelector, QueryError> {
    let mut tree = syntax::parse(promql)?;
    while let Expr::Paren(parentheses) = tree {
        tree = *parentheses.expr;
    }
    let selector = match tree {
        Expr::VectorSelector(selector) => selector,
        other => return Err(not_a_counter(&other)),
    };
    if let Some(modifier) = time_modifier(&selector) {
        return Err(QueryError::TimeModifier {
            selector: selector.to_string(),
            modifier,
        });
    }
    if metric_name(&selector).is_none() {
        return Err(QueryError::NoMetricName {
            selector: selector.to_string(),
        });
    }
    Ok(selector)
}

/// Reads a histogram's selector, given by the histogram's name or by that of its buckets, as the
/// selector of all of its buckets.
pub(super) fn parse_histogram(promql: &str) -> Result<VectorSelector, QueryError> {
    let mut selector = parse_counter(promql)?;
    if selector
        .matchers
        .matchers
        .iter()
        .any(|matcher| matcher.name == BUCKET_LABEL)
    {
        return Err(QueryError::BucketMatcher {
            selector: selector.to_string(),
        });
    }
    if let Some(name) = metric_name_mut(&mut selector)
        && !name.ends_with(BUCKET_SUFFIX)
    {
        name.push_str(BUCKET_SUFFIX);
    }
    syntax::sort_matchers(&mut selector);
    Ok(selector)
}

/// Reads a native histogram's selector.
pub(super) fn parse_native_histogram(promql: &str) -> Result<VectorSelector, QueryError> {
    let selector = parse_counter(promql)?;
    let has_bound = selector
        .matchers
        .matchers
        .iter()
        .any(|matcher| matcher.name == BUCKET_LABEL);
    let is_classic = metric_name(&selector).is_some_and(|name| name.ends_with(BUCKET_SUFFIX));
    if has_bound {
        return Err(QueryError::NativeBucketMatcher {
            selector: selector.to_string(),
        });
    }
    if is_classic {
        return Err(QueryError::NativeBucketName {
            selector: selector.to_string(),
        });
    }
    Ok(selector)
}

/// Refuses a population that is told from others by the bounds of buckets.
pub(super) fn refuse_bucket_matchers(matchers: &Matchers) -> Result<(), QueryError> {
    match matchers
        .iter()
        .find(|matcher| matcher.label == BUCKET_LABEL)
    {
        Some(matcher) => Err(QueryError::BucketMatcher {
            selector: matcher.to_string(),
        }),
        None => Ok(()),
    }
}

/// The selector of the series that say when those of another were created.
pub(super) fn created(mut selector: VectorSelector) -> VectorSelector {
    if let Some(name) = metric_name_mut(&mut selector) {
        *name = created_name(name);
    }
    selector
        .matchers
        .matchers
        .retain(|matcher| matcher.name != BUCKET_LABEL);
    syntax::sort_matchers(&mut selector);
    selector
}

/// The name of the series that say when those of a name were created.
///
/// Source: docs/design/reading-prometheus.md, "Counts".
pub(crate) fn created_name(name: &str) -> String {
    let family = ["_total", "_bucket", "_count"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix));
    format!("{}_created", family.unwrap_or(name))
}

/// The matchers by which some series of one selector are those of another: both name one metric, and
/// every matcher of the wider one is among those of the narrower one. Nothing where that cannot be
/// told from their texts.
pub(super) fn narrower_by(
    wider: &VectorSelector,
    narrower: &VectorSelector,
) -> Option<Vec<LabelMatcher>> {
    let is_one_metric = metric_name(wider) == metric_name(narrower);
    let conditions = |selector: &VectorSelector| -> Vec<LabelMatcher> {
        let matchers = selector.matchers.matchers.iter();
        matchers
            .filter(|matcher| !is_name(matcher))
            .cloned()
            .collect()
    };
    let (wide, mut narrow) = (conditions(wider), conditions(narrower));
    let has_alternatives = [wider, narrower]
        .iter()
        .any(|selector| !selector.matchers.or_matchers.is_empty());
    if !is_one_metric || has_alternatives || !wide.iter().all(|matcher| narrow.contains(matcher)) {
        return None;
    }
    narrow.retain(|matcher| !wide.contains(matcher));
    Some(narrow)
}

fn not_a_counter(tree: &Expr) -> QueryError {
    let promql = tree.to_string();
    match tree.value_type() {
        ValueType::Scalar => return QueryError::Scalar { promql },
        ValueType::String => return QueryError::StringLiteral { promql },
        ValueType::Vector | ValueType::Matrix => {}
    }
    let found = match tree {
        Expr::MatrixSelector(_) => return QueryError::CounterWithRange { promql },
        Expr::Aggregate(aggregation) => format!("the aggregation {}()", aggregation.op),
        Expr::Call(call) => format!("the function {}()", call.func.name),
        Expr::Binary(operation) => format!("an operation with {}", operation.op),
        Expr::Unary(_) => "a negation".to_owned(),
        Expr::Subquery(_) => "a subquery".to_owned(),
        Expr::Paren(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::Extension(_) => "an expression".to_owned(),
    };
    QueryError::NotACounter { promql, found }
}

fn time_modifier(selector: &VectorSelector) -> Option<String> {
    let offset = selector
        .offset
        .as_ref()
        .map(|offset| format!("offset {offset}"));
    let at = selector.at.as_ref().map(ToString::to_string);
    offset.or(at)
}

/// The name of the metric: before the braces, or in them as `__name__="..."` or a bare string.
pub(super) fn metric_name(selector: &VectorSelector) -> Option<&str> {
    let within = || {
        let mut names = selector.matchers.matchers.iter().filter(|m| is_name(m));
        names.next().map(|matcher| matcher.value.as_str())
    };
    selector.name.as_deref().or_else(within)
}

fn metric_name_mut(selector: &mut VectorSelector) -> Option<&mut String> {
    if selector.name.is_some() {
        return selector.name.as_mut();
    }
    let mut names = selector.matchers.matchers.iter_mut().filter(|m| is_name(m));
    names.next().map(|matcher| &mut matcher.value)
}

fn is_name(matcher: &LabelMatcher) -> bool {
    matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal && !matcher.value.is_empty()
}
