//! Aggregations: `sum`, `avg`, `min`, `max`, `count`.

use std::collections::BTreeMap;

use promql_parser::parser::token::{T_AVG, T_COUNT, T_MAX, T_MIN, T_SUM};
use promql_parser::parser::{AggregateExpr, LabelModifier};

use super::super::column::{ABSENT, is_absent};
use super::super::labels::Labels;
use super::{Evaluation, QueryError, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Sum,
    Average,
    Minimum,
    Maximum,
    Count,
}

/// A group on its way: what was gathered so far, and of how many values where that matters.
#[derive(Debug)]
struct Group {
    gathered: Vec<f64>,
    counts: Vec<u32>,
}

impl Evaluation<'_> {
    /// Evaluates an aggregation.
    pub(super) fn aggregate(&self, aggregate: &AggregateExpr) -> Result<Vec<Row>, QueryError> {
        let operator = match aggregate.op.id() {
            T_SUM => Operator::Sum,
            T_AVG => Operator::Average,
            T_MIN => Operator::Minimum,
            T_MAX => Operator::Maximum,
            T_COUNT => Operator::Count,
            _ => {
                return Err(QueryError::Unsupported(format!(
                    "the aggregation {}",
                    aggregate.op
                )));
            }
        };
        let mut groups: BTreeMap<Labels, Group> = BTreeMap::new();
        for row in self.vector(&aggregate.expr)? {
            let labels = group_labels(&row.labels, aggregate.modifier.as_ref());
            match groups.get_mut(&labels) {
                Some(group) => operator.add(group, &row.values),
                None => {
                    groups.insert(labels, operator.start(row.values));
                }
            }
        }
        Ok(groups
            .into_iter()
            .map(|(labels, group)| Row {
                labels,
                values: operator.finish(group),
            })
            .collect())
    }
}

fn group_labels(labels: &Labels, modifier: Option<&LabelModifier>) -> Labels {
    match modifier {
        None => Labels::default(),
        Some(LabelModifier::Include(names)) => labels.only(&names.labels),
        Some(LabelModifier::Exclude(names)) => labels.without(&names.labels),
    }
}

impl Operator {
    /// Starts a group with its first series.
    fn start(self, values: Vec<f64>) -> Group {
        match self {
            Self::Average | Self::Count => Group {
                counts: values
                    .iter()
                    .map(|value| u32::from(!is_absent(*value)))
                    .collect(),
                gathered: values,
            },
            Self::Sum | Self::Minimum | Self::Maximum => Group {
                counts: Vec::new(),
                gathered: values,
            },
        }
    }

    /// Adds another series to a group.
    fn add(self, group: &mut Group, values: &[f64]) {
        if matches!(self, Self::Average | Self::Count) {
            for (count, value) in group.counts.iter_mut().zip(values) {
                *count += u32::from(!is_absent(*value));
            }
        }
        for (target, value) in group.gathered.iter_mut().zip(values) {
            if is_absent(*value) {
                continue;
            }
            *target = if is_absent(*target) {
                *value
            } else {
                match self {
                    Self::Sum | Self::Average | Self::Count => *target + value,
                    Self::Minimum => target.min(*value),
                    Self::Maximum => target.max(*value),
                }
            };
        }
    }

    fn finish(self, group: Group) -> Vec<f64> {
        let finished = |value: f64, count: u32| {
            if count == 0 {
                return ABSENT;
            }
            if self == Self::Average {
                value / f64::from(count)
            } else {
                f64::from(count)
            }
        };
        match self {
            Self::Sum | Self::Minimum | Self::Maximum => group.gathered,
            Self::Average | Self::Count => group
                .gathered
                .into_iter()
                .zip(group.counts)
                .map(|(value, count)| finished(value, count))
                .collect(),
        }
    }
}
