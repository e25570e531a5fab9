//! Where in an expression the populations' matchers belong.
//!
//! Everywhere, unless the text says where: in an expression that joins a metric with one that has
//! the populations' labels, only the second may be asked for them.
//!
//! ```text
//! rate(container_cpu_usage_seconds_total[2m])
//!   * on (namespace, pod) group_left () kube_pod_labels{__population__=""}
//! ```

use promql_parser::label::{MatchOp, Matcher as LabelMatcher};
use promql_parser::parser::{Expr, VectorSelector};

use super::error::QueryError;

/// The label of the matcher that stands where the matchers belong. It never leaves Serinus.
pub(super) const POPULATION: &str = "__population__";

/// Which selectors of an expression get the populations' matchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// All of them.
    Everywhere,
    /// Those that hold `{__population__=""}`.
    WhereMarked,
}

impl Place {
    /// Where the matchers of an expression belong.
    pub(super) fn of(tree: &Expr) -> Self {
        if has_mark(tree) {
            Self::WhereMarked
        } else {
            Self::Everywhere
        }
    }

    /// Whether a selector gets the matchers.
    pub(super) fn includes(self, selector: &VectorSelector) -> bool {
        match self {
            Self::Everywhere => true,
            Self::WhereMarked => is_marked(selector),
        }
    }
}

/// Takes the mark out of a selector.
///
/// # Errors
///
/// A mark that is not written as it must be.
pub(super) fn take_mark(selector: &mut VectorSelector) -> Result<(), QueryError> {
    let matchers = &mut selector.matchers.matchers;
    let wrong = |one: &&LabelMatcher| {
        one.name == POPULATION && !(matches!(one.op, MatchOp::Equal) && one.value.is_empty())
    };
    if let Some(matcher) = matchers.iter().find(wrong) {
        return Err(QueryError::PopulationMark {
            matcher: matcher.to_string(),
        });
    }
    matchers.retain(|one| one.name != POPULATION);
    Ok(())
}

fn is_marked(selector: &VectorSelector) -> bool {
    let mut matchers = selector.matchers.matchers.iter();
    matchers.any(|one| one.name == POPULATION)
}

/// Whether any selector of a tree is marked. Recursion is bounded by the depth of what is parsed.
fn has_mark(tree: &Expr) -> bool {
    match tree {
        Expr::Aggregate(aggregation) => {
            let parameter = aggregation.param.as_deref();
            has_mark(&aggregation.expr) || parameter.is_some_and(has_mark)
        }
        Expr::Unary(unary) => has_mark(&unary.expr),
        Expr::Binary(operation) => has_mark(&operation.lhs) || has_mark(&operation.rhs),
        Expr::Paren(parentheses) => has_mark(&parentheses.expr),
        Expr::Subquery(subquery) => has_mark(&subquery.expr),
        Expr::VectorSelector(selector) => is_marked(selector),
        Expr::MatrixSelector(range) => is_marked(&range.vs),
        Expr::Call(call) => call.args.args.iter().any(|argument| has_mark(argument)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => false,
    }
}
