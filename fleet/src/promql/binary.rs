//! Binary operators: arithmetic and comparisons, between scalars, vectors, and both.

use std::collections::BTreeMap;

use promql_parser::parser::token::{
    T_ADD, T_DIV, T_EQLC, T_GTE, T_GTR, T_LSS, T_LTE, T_MOD, T_MUL, T_NEQ, T_POW, T_SUB,
};
use promql_parser::parser::{BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality};

use super::super::column::{ABSENT, is_absent};
use super::super::labels::Labels;
use super::{Evaluation, QueryError, Row, Value, distinct};

/// An operator and what becomes of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Arithmetic(Arithmetic),
    /// Keeps the left value where the comparison holds.
    Filter(Comparison),
    /// 1 where the comparison holds, 0 where it does not.
    Bool(Comparison),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

impl Operator {
    fn of(binary: &BinaryExpr) -> Result<Self, QueryError> {
        let comparison = match binary.op.id() {
            T_ADD => return Ok(Self::Arithmetic(Arithmetic::Add)),
            T_SUB => return Ok(Self::Arithmetic(Arithmetic::Subtract)),
            T_MUL => return Ok(Self::Arithmetic(Arithmetic::Multiply)),
            T_DIV => return Ok(Self::Arithmetic(Arithmetic::Divide)),
            T_MOD => return Ok(Self::Arithmetic(Arithmetic::Modulo)),
            T_POW => return Ok(Self::Arithmetic(Arithmetic::Power)),
            T_EQLC => Comparison::Equal,
            T_NEQ => Comparison::NotEqual,
            T_GTR => Comparison::Greater,
            T_LSS => Comparison::Less,
            T_GTE => Comparison::GreaterOrEqual,
            T_LTE => Comparison::LessOrEqual,
            _ => {
                return Err(QueryError::Unsupported(format!(
                    "the operator {}",
                    binary.op
                )));
            }
        };
        Ok(if binary.return_bool() {
            Self::Bool(comparison)
        } else {
            Self::Filter(comparison)
        })
    }

    /// Returns whether the answer is another metric than its left side.
    fn drops_name(self) -> bool {
        !matches!(self, Self::Filter(_))
    }

    /// Applies the operator; `kept` is what a comparison that holds leaves.
    fn apply(self, left: f64, right: f64, kept: f64) -> f64 {
        match self {
            Self::Arithmetic(arithmetic) => arithmetic.apply(left, right),
            Self::Filter(comparison) if comparison.holds(left, right) => kept,
            Self::Filter(_) => ABSENT,
            Self::Bool(comparison) => f64::from(u8::from(comparison.holds(left, right))),
        }
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
        }
    }
}

impl Comparison {
    #[expect(clippy::float_cmp, reason = "PromQL's == compares exactly")]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::Less => left < right,
            Self::GreaterOrEqual => left >= right,
            Self::LessOrEqual => left <= right,
        }
    }
}

impl Evaluation<'_> {
    /// Evaluates a binary expression.
    pub(super) fn binary(&self, binary: &BinaryExpr) -> Result<Value, QueryError> {
        let operator = Operator::of(binary)?;
        let left = self.evaluate(&binary.lhs)?;
        let right = self.evaluate(&binary.rhs)?;
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => Ok(Value::Scalar(
                left.iter()
                    .zip(&right)
                    .map(|(left, right)| operator.apply(*left, *right, *left))
                    .collect(),
            )),
            (Value::Vector(rows), Value::Scalar(numbers)) => {
                with_scalar(operator, rows, &numbers, |value, number| {
                    operator.apply(value, number, value)
                })
            }
            (Value::Scalar(numbers), Value::Vector(rows)) => {
                with_scalar(operator, rows, &numbers, |value, number| {
                    operator.apply(number, value, value)
                })
            }
            (Value::Vector(left), Value::Vector(right)) => {
                one_to_one(operator, left, right, binary.modifier.as_ref())
            }
            (Value::Text(_), _) | (_, Value::Text(_)) => Err(QueryError::Execution(
                "a string cannot be an operand".to_owned(),
            )),
        }
    }
}

fn with_scalar(
    operator: Operator,
    rows: Vec<Row>,
    numbers: &[f64],
    apply: impl Fn(f64, f64) -> f64,
) -> Result<Value, QueryError> {
    let answers = rows
        .into_iter()
        .map(|row| Row {
            labels: if operator.drops_name() {
                row.labels.without(&[])
            } else {
                row.labels
            },
            values: row
                .values
                .iter()
                .zip(numbers)
                .map(|(value, number)| {
                    if is_absent(*value) {
                        ABSENT
                    } else {
                        apply(*value, *number)
                    }
                })
                .collect(),
        })
        .collect();
    distinct(answers).map(Value::Vector)
}

/// Matches the series of both sides on their labels, each with at most one.
fn one_to_one(
    operator: Operator,
    left: Vec<Row>,
    right: Vec<Row>,
    modifier: Option<&BinModifier>,
) -> Result<Value, QueryError> {
    let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
    if let Some(modifier) = modifier {
        if modifier.card != VectorMatchCardinality::OneToOne {
            return Err(QueryError::Unsupported(
                "group_left and group_right".to_owned(),
            ));
        }
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(QueryError::Unsupported("fill modifiers".to_owned()));
        }
    }
    let signature = |labels: &Labels| match matching {
        None => labels.without(&[]),
        Some(LabelModifier::Include(names)) => labels.only(&names.labels),
        Some(LabelModifier::Exclude(names)) => labels.without(&names.labels),
    };
    let mut right_values: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    for row in right {
        let key = signature(&row.labels);
        match right_values.get_mut(&key) {
            None => {
                right_values.insert(key, row.values);
            }
            Some(values) => join(values, &row.values).map_err(|Overlap| {
                many_to_many(&key, "found duplicate series for the match group", "right")
            })?,
        }
    }
    // Where a group of the left side had a partner: a second one at the same step is an error.
    let mut matched: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
    let mut answers = Vec::new();
    for row in left {
        let key = signature(&row.labels);
        let Some(partner) = right_values.get(&key) else {
            continue;
        };
        let is_pair = |left: f64, right: f64| !is_absent(left) && !is_absent(right);
        let pairs: Vec<f64> = row
            .values
            .iter()
            .zip(partner)
            .map(|(left, right)| {
                if is_pair(*left, *right) {
                    *left
                } else {
                    ABSENT
                }
            })
            .collect();
        let values = pairs
            .iter()
            .zip(partner)
            .map(|(left, right)| {
                if is_pair(*left, *right) {
                    operator.apply(*left, *right, *left)
                } else {
                    ABSENT
                }
            })
            .collect();
        answers.push(Row {
            labels: answer_labels(operator, &row.labels, matching),
            values,
        });
        match matched.get_mut(&key) {
            None => {
                matched.insert(key, pairs);
            }
            Some(before) => join(before, &pairs).map_err(|Overlap| {
                QueryError::Execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)"
                        .to_owned(),
                )
            })?,
        }
    }
    distinct(answers).map(Value::Vector)
}

fn answer_labels(operator: Operator, left: &Labels, matching: Option<&LabelModifier>) -> Labels {
    let kept = match matching {
        None => left.clone(),
        Some(LabelModifier::Include(names)) => left.only(&names.labels),
        Some(LabelModifier::Exclude(names)) => left.except(&names.labels),
    };
    if operator.drops_name() {
        kept.without(&[])
    } else {
        kept
    }
}

/// Two series of one group have a value at the same step.
struct Overlap;

/// Adds the values of another series of the group.
fn join(values: &mut [f64], others: &[f64]) -> Result<(), Overlap> {
    for (value, other) in values.iter_mut().zip(others) {
        if is_absent(*other) {
            continue;
        }
        if !is_absent(*value) {
            return Err(Overlap);
        }
        *value = *other;
    }
    Ok(())
}

fn many_to_many(group: &Labels, what: &str, side: &str) -> QueryError {
    let labels: Vec<String> = group
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    QueryError::Execution(format!(
        "{what} {{{}}} on the {side} hand-side of the operation;many-to-many matching not \
         allowed: matching labels must be unique on one side",
        labels.join(", ")
    ))
}
