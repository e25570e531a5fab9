//! Every value of an expression must be one of its population.
//!
//! An expression that ends in `or vector(0)` is 0 where a population has no series at all, and
//! `absent(..)` is 1 then: a canary that was never scraped would look like a good one. Nothing is
//! lost without them: no data holds.

use promql_parser::parser::token::{T_LOR, T_LUNLESS};
use promql_parser::parser::{BinaryExpr, Call, Expr};

use super::error::QueryError;
use super::place::Place;

/// Functions whose value says that there are no series.
const TELL_OF_ABSENCE: &[&str] = &["absent", "absent_over_time"];

/// The function that makes a series of a number.
const MAKES_A_SERIES: &str = "vector";

/// Checks that an expression reads series at all.
///
/// # Errors
///
/// [`QueryError::NoSelector`].
pub(super) fn check_reads_series(tree: &Expr) -> Result<(), QueryError> {
    if has_selector(tree) {
        return Ok(());
    }
    Err(QueryError::NoSelector {
        promql: tree.to_string(),
    })
}

/// Checks that an expression has a value only where the population has a series.
///
/// # Errors
///
/// [`QueryError::ConstantBranch`] for a part that has a value of its own.
pub(super) fn check(tree: &Expr) -> Result<(), QueryError> {
    let place = Place::of(tree);
    check_parts(tree, place)?;
    if is_of_population(tree, place) {
        Ok(())
    } else {
        Err(constant(tree))
    }
}

fn constant(branch: &Expr) -> QueryError {
    QueryError::ConstantBranch {
        branch: branch.to_string(),
    }
}

/// Looks at every part of a tree. Recursion is bounded by the depth of what is parsed.
fn check_parts(tree: &Expr, place: Place) -> Result<(), QueryError> {
    match tree {
        Expr::Aggregate(aggregation) => {
            if let Some(parameter) = &aggregation.param {
                check_parts(parameter, place)?;
            }
            check_parts(&aggregation.expr, place)
        }
        Expr::Unary(unary) => check_parts(&unary.expr, place),
        Expr::Binary(operation) => {
            check_or(operation, place)?;
            check_parts(&operation.lhs, place)?;
            check_parts(&operation.rhs, place)
        }
        Expr::Paren(parentheses) => check_parts(&parentheses.expr, place),
        Expr::Subquery(subquery) => check_parts(&subquery.expr, place),
        Expr::Call(call) => {
            if has_value_of_its_own(call) {
                return Err(constant(tree));
            }
            let mut arguments = call.args.args.iter();
            arguments.try_for_each(|argument| check_parts(argument, place))
        }
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Ok(()),
    }
}

fn has_value_of_its_own(call: &Call) -> bool {
    let name = call.func.name;
    let reads_series = || call.args.args.iter().any(|argument| has_selector(argument));
    TELL_OF_ABSENCE.contains(&name) || (name == MAKES_A_SERIES && !reads_series())
}

/// `a or b` has the values of b where a has none: both must be of the population, or neither, as in
/// a denominator that is the same for both.
fn check_or(operation: &BinaryExpr, place: Place) -> Result<(), QueryError> {
    if operation.op.id() != T_LOR {
        return Ok(());
    }
    let sides = [&operation.lhs, &operation.rhs];
    if let Some(side) = sides.iter().find(|side| !has_selector(side)) {
        return Err(constant(side));
    }
    let is_of = sides.map(|side| is_of_population(side, place));
    match is_of {
        [true, false] => Err(constant(&operation.rhs)),
        [false, true] => Err(constant(&operation.lhs)),
        [true, true] | [false, false] => Ok(()),
    }
}

/// Whether a tree has values only where selectors with the populations' matchers have some.
fn is_of_population(tree: &Expr, place: Place) -> bool {
    match tree {
        Expr::Aggregate(aggregation) => is_of_population(&aggregation.expr, place),
        Expr::Unary(unary) => is_of_population(&unary.expr, place),
        Expr::Binary(operation) => {
            let left = is_of_population(&operation.lhs, place);
            let right = is_of_population(&operation.rhs, place);
            match operation.op.id() {
                T_LOR => left && right,
                // What is taken away brings nothing in.
                T_LUNLESS => left,
                _ => left || right,
            }
        }
        Expr::Paren(parentheses) => is_of_population(&parentheses.expr, place),
        Expr::Subquery(subquery) => is_of_population(&subquery.expr, place),
        Expr::VectorSelector(selector) => place.includes(selector),
        Expr::MatrixSelector(range) => place.includes(&range.vs),
        Expr::Call(call) => {
            let mut arguments = call.args.args.iter();
            arguments.any(|argument| is_of_population(argument, place))
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => false,
    }
}

fn has_selector(tree: &Expr) -> bool {
    match tree {
        Expr::Aggregate(aggregation) => {
            let parameter = aggregation.param.as_deref();
            has_selector(&aggregation.expr) || parameter.is_some_and(has_selector)
        }
        Expr::Unary(unary) => has_selector(&unary.expr),
        Expr::Binary(operation) => has_selector(&operation.lhs) || has_selector(&operation.rhs),
        Expr::Paren(parentheses) => has_selector(&parentheses.expr),
        Expr::Subquery(subquery) => has_selector(&subquery.expr),
        Expr::VectorSelector(_) | Expr::MatrixSelector(_) => true,
        Expr::Call(call) => call.args.args.iter().any(|argument| has_selector(argument)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => false,
    }
}
