//! Whether a gauge is a counter: its name ends like a counter's, and the other parts of a histogram or a summary stand
//! beside it. Names alone do not tell: the gauge `jvm_threads_count` is none.
//!
//! Source: docs/design/gauges.md, "1. Samples".

use crate::data::SelectorFinding;
use crate::pipeline::Selection;
use crate::proof::gauge::named_like_a_counter;
use crate::query::{QueryError, SelectorParts, counter_parts};

use super::asking::{Pause, Told};
use super::{Lookup, METRIC_NAME};

/// What the parts of a histogram or a summary end in.
const PARTS: [&str; 3] = ["_sum", "_count", "_bucket"];

/// What has to be found out of a gauge: whether it is a counter. Nothing where its name says that it is none.
pub(super) fn of_gauge(expression: &Selection) -> Result<Option<Lookup>, QueryError> {
    let mut names = expression.every().filter_map(named_like_a_counter);
    names
        .next()
        .map(|name| counter_parts(&name).map(Lookup::of_counter))
        .transpose()
}

/// Whether it is a counter.
pub(super) fn is_counter(
    selector: &SelectorParts,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    let metric = selector.metric();
    let Some(base) = PARTS.iter().find_map(|part| metric.strip_suffix(part)) else {
        // A name that ends in _total is a counter's.
        return Ok(SelectorFinding::Counter {
            metric: metric.to_owned(),
            beside: None,
        });
    };
    let others: Vec<String> = PARTS
        .iter()
        .map(|part| format!("{base}{part}"))
        .filter(|other| other != metric)
        .collect();
    let beside = format!("{{{METRIC_NAME}=~\"{}\"}}", others.join("|"));
    let found = told.label_values(METRIC_NAME, &[&beside])?;
    Ok(match found.iter().find(|one| others.contains(one)) {
        Some(beside) => SelectorFinding::Counter {
            metric: metric.to_owned(),
            beside: Some(beside.clone()),
        },
        None => SelectorFinding::NoCounter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selectors::{Ask, Step};

    /// What is found of an expression by a source that has these names.
    fn found(expression: &str, there: &[&str]) -> Option<SelectorFinding> {
        let lookup = of_gauge(&expression.into()).unwrap()?;
        let mut answers: Vec<Vec<String>> = Vec::new();
        loop {
            match lookup.next(&answers).unwrap() {
                Step::Found(finding) => return Some(finding),
                Step::Ask(Ask::LabelValues { selectors, .. }) => {
                    let is_asked = |name: &&&str| selectors.iter().any(|one| one.contains(**name));
                    let some = there.iter().filter(is_asked);
                    answers.push(some.map(|name| (*name).to_owned()).collect());
                }
                Step::Ask(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_part_of_a_histogram_is_a_counter_and_a_gauge_with_its_name_is_none() {
        let counter = |metric: &str, beside: Option<&str>| {
            Some(SelectorFinding::Counter {
                metric: metric.to_owned(),
                beside: beside.map(str::to_owned),
            })
        };
        let there = ["work_sum", "work_count", "threads_count"];
        assert_eq!(found("sum(x_total)", &there), counter("x_total", None));
        assert_eq!(
            found("sum by (pod) (work_count)", &there),
            counter("work_count", Some("work_sum"))
        );
        assert_eq!(
            found("threads_count", &there),
            Some(SelectorFinding::NoCounter)
        );
        assert_eq!(found("work_count * 1", &there), None);
        assert_eq!(found("rate(x_total[2m])", &there), None);
        assert_eq!(found("queue_depth", &there), None);
    }
}
