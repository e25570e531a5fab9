//! From text to a checked syntax tree and back.

use promql_parser::label::Matcher as LabelMatcher;
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    self, AggregateExpr, BinModifier, BinaryExpr, Expr, LabelModifier, StringLiteral,
    VectorMatchCardinality, VectorSelector,
};

use super::error::{QueryError, one_line};
use super::limits;

/// Parses a text after its limits are checked, and brings the tree into the form in which it is
/// printed: matchers sorted, empty lists of labels left out.
pub(super) fn parse(promql: &str) -> Result<Expr, QueryError> {
    limits::check_text(promql)?;
    let mut tree = parse_unchecked(promql)?;
    visit_nodes(&mut tree, &mut |node| match node {
        Node::Selector(selector) => {
            check_selector(selector)?;
            sort_matchers(selector);
            Ok(())
        }
        Node::Text(text) => refuse_control_characters("a string of the query", &text.val),
        Node::Aggregation(aggregation) => {
            leave_out_empty_grouping(aggregation);
            Ok(())
        }
        Node::Operation(operation) => {
            leave_out_empty_ignoring(operation);
            Ok(())
        }
    })?;
    Ok(tree)
}

fn parse_unchecked(promql: &str) -> Result<Expr, QueryError> {
    parser::parse(promql).map_err(|message| {
        if message.starts_with("no expression found in input") {
            QueryError::Empty
        } else {
            QueryError::Syntax {
                message: explained(&message),
            }
        }
    })
}

/// The parser's message on one line, with what to change where the parser does not say it.
fn explained(message: &str) -> String {
    let line = one_line(message);
    if line == "invalid promql query" {
        "an operator, a comma or a bracket is missing or out of place".to_owned()
    } else if line.starts_with("unknown escape sequence") {
        format!("{line}, write each backslash twice")
    } else if line.starts_with("illegal regex for") {
        // Its syntax has been checked: what is left is its size.
        "a regular expression is too large to compile".to_owned()
    } else {
        line
    }
}

/// Prints a tree, parses the text again and compares: what is sent is what was meant.
pub(super) fn print(tree: &Expr) -> Result<String, QueryError> {
    let promql = tree.to_string();
    limits::check_written(&promql)?;
    match parser::parse(&promql) {
        Ok(again) if again == *tree => Ok(promql),
        Ok(_) | Err(_) => Err(QueryError::Unfaithful { promql }),
    }
}

/// Checks that a tree gives one value for each series at each instant.
pub(super) fn check_is_instant_vector(tree: &Expr) -> Result<(), QueryError> {
    let promql = || tree.to_string();
    match tree.value_type() {
        ValueType::Vector => Ok(()),
        ValueType::Scalar => Err(QueryError::Scalar { promql: promql() }),
        ValueType::String => Err(QueryError::StringLiteral { promql: promql() }),
        ValueType::Matrix => Err(QueryError::RangeVector { promql: promql() }),
    }
}

/// A node of a tree that something is done with.
pub(super) enum Node<'tree> {
    /// A selector, alone or under a range.
    Selector(&'tree mut VectorSelector),
    /// A string.
    Text(&'tree mut StringLiteral),
    /// An aggregation.
    Aggregation(&'tree mut AggregateExpr),
    /// An operator between two expressions.
    Operation(&'tree mut BinaryExpr),
}

/// Calls `visit` for every node below and including `tree`. Recursion is bounded by
/// [`limits::DEPTH`].
pub(super) fn visit_nodes(
    tree: &mut Expr,
    visit: &mut dyn FnMut(Node<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    // Not the parser's own visitor, which leaves out the parameters of aggregations, and without
    // a wildcard: a new kind of node must not slip through without its matchers.
    match tree {
        Expr::Aggregate(aggregation) => {
            visit(Node::Aggregation(aggregation))?;
            if let Some(parameter) = &mut aggregation.param {
                visit_nodes(parameter, visit)?;
            }
            visit_nodes(&mut aggregation.expr, visit)
        }
        Expr::Unary(unary) => visit_nodes(&mut unary.expr, visit),
        Expr::Binary(operation) => {
            visit(Node::Operation(operation))?;
            visit_nodes(&mut operation.lhs, visit)?;
            visit_nodes(&mut operation.rhs, visit)
        }
        Expr::Paren(parentheses) => visit_nodes(&mut parentheses.expr, visit),
        Expr::Subquery(subquery) => visit_nodes(&mut subquery.expr, visit),
        Expr::NumberLiteral(_) => Ok(()),
        Expr::StringLiteral(text) => visit(Node::Text(text)),
        Expr::VectorSelector(selector) => visit(Node::Selector(selector)),
        Expr::MatrixSelector(range) => visit(Node::Selector(&mut range.vs)),
        Expr::Call(call) => call
            .args
            .args
            .iter_mut()
            .try_for_each(|argument| visit_nodes(argument, visit)),
        // Only programs make these; the parser does not.
        Expr::Extension(extension) => Err(QueryError::Unfaithful {
            promql: extension.expr.name().to_owned(),
        }),
    }
}

/// Puts matchers into the order in which they are printed, each once.
pub(super) fn sort_matchers(selector: &mut VectorSelector) {
    let matchers = &mut selector.matchers.matchers;
    matchers.sort_by_cached_key(LabelMatcher::to_string);
    matchers.dedup();
}

fn check_selector(selector: &VectorSelector) -> Result<(), QueryError> {
    if !selector.matchers.or_matchers.is_empty() {
        return Err(QueryError::OrMatchers {
            selector: selector.to_string(),
        });
    }
    selector.matchers.matchers.iter().try_for_each(|matcher| {
        refuse_control_characters(
            &format!("the value of the label {}", matcher.name),
            &matcher.value,
        )
    })
}

/// Refuses values with line breaks, tabs, zero bytes and the like.
pub(super) fn refuse_control_characters(place: &str, value: &str) -> Result<(), QueryError> {
    if value.chars().any(char::is_control) {
        Err(QueryError::ControlCharacter {
            place: place.to_owned(),
            value: value.to_owned(),
        })
    } else {
        Ok(())
    }
}

/// `sum by () (x)` is printed as `sum(x)`, which is the same.
fn leave_out_empty_grouping(aggregation: &mut AggregateExpr) {
    if matches!(&aggregation.modifier, Some(LabelModifier::Include(labels)) if labels.is_empty()) {
        aggregation.modifier = None;
    }
}

/// `a + ignoring () b` is printed as `a + b`, which is the same.
fn leave_out_empty_ignoring(operation: &mut BinaryExpr) {
    let Some(modifier) = &mut operation.modifier else {
        return;
    };
    let is_grouped = matches!(
        modifier.card,
        VectorMatchCardinality::ManyToOne(_) | VectorMatchCardinality::OneToMany(_)
    );
    if !is_grouped
        && matches!(&modifier.matching, Some(LabelModifier::Exclude(labels)) if labels.is_empty())
    {
        modifier.matching = None;
    }
    if *modifier == BinModifier::default() {
        operation.modifier = None;
    }
}
