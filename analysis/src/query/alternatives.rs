//! Whether an expression has values where some of its selectors find nothing: one side of an `or` is
//! enough.

use promql_parser::parser::token::{T_LOR, T_LUNLESS};
use promql_parser::parser::{Expr, VectorSelector};

use super::counter::metric_name;
use super::error::QueryError;
use super::parts::{SelectorParts, parts};
use super::syntax;

/// Whether an expression can have values where the selectors that `is_absent` names find nothing.
///
/// # Errors
///
/// [`QueryError`] for a text that cannot be read.
pub fn has_values_without(
    promql: &str,
    is_absent: &dyn Fn(&SelectorParts) -> bool,
) -> Result<bool, QueryError> {
    Ok(has_values(&syntax::parse(promql)?, is_absent))
}

/// Recursion is bounded by the depth of what is parsed.
fn has_values(tree: &Expr, is_absent: &dyn Fn(&SelectorParts) -> bool) -> bool {
    let has = |tree: &Expr| has_values(tree, is_absent);
    let finds = |selector: &VectorSelector| {
        parts(selector, metric_name(selector)).is_none_or(|parts| !is_absent(&parts))
    };
    match tree {
        Expr::Aggregate(aggregation) => has(&aggregation.expr),
        Expr::Unary(unary) => has(&unary.expr),
        Expr::Binary(operation) => match operation.op.id() {
            T_LOR => has(&operation.lhs) || has(&operation.rhs),
            T_LUNLESS => has(&operation.lhs),
            _ => has(&operation.lhs) && has(&operation.rhs),
        },
        Expr::Paren(parentheses) => has(&parentheses.expr),
        Expr::Subquery(subquery) => has(&subquery.expr),
        Expr::VectorSelector(selector) => finds(selector),
        Expr::MatrixSelector(range) => finds(&range.vs),
        Expr::Call(call) => call.args.args.iter().all(|argument| has(argument)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_of_an_or_is_enough() {
        for (promql, absent, expected) in [
            ("sum(rate(a[2m])) or 0 * sum(b)", "a", true),
            ("a or 0 * b", "b", true),
            ("(a or b) / c", "b", true),
            ("(a or b) / c", "c", false),
            ("a or b", "ab", false),
            ("a unless b", "b", true),
            ("a unless b", "a", false),
            ("a + b", "b", false),
            ("rate(a[2m])", "a", false),
        ] {
            let is_absent = |parts: &SelectorParts| absent.contains(parts.metric());
            let found = has_values_without(promql, &is_absent).unwrap();
            assert_eq!(found, expected, "{promql} without {absent}");
        }
    }
}
