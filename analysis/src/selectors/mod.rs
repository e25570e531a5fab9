//! Selectors that can never match: no data is never good news, and a selector that matches nothing
//! looks like no data, and like no errors.
//!
//! A [`Lookup`] is one thing to find out. It says what to ask of the source's index, step by step, and
//! what the answers mean. Which lookups a stage needs is said by [`needed`]; nothing is asked while
//! every selector finds something.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

mod alternatives;
mod nearest;
mod needed;
mod of_file;
mod proposal;

use crate::data::{CanaryLack, Mismatch, NotSeen, SelectorFinding};
use crate::matchers::Matchers;
use crate::query::{QueryError, SelectorParts, counter_parts};

pub use alternatives::soften;
pub(crate) use needed::FEWEST_EXPECTED;
pub use needed::{NamedLookup, needed};
pub use of_file::{FileLookup, Looked, LookedLevel, of_file};
pub use proposal::{Proposal, ProposalStep};

/// The label that holds a metric's name.
const METRIC_NAME: &str = "__name__";

/// The label that holds a bucket's bound.
const BUCKET_LABEL: &str = "le";

/// Most labels of a population of which the values are looked at: each is a question.
const MOST_LABELS: usize = 3;

/// One thing to find out about a selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    selector: SelectorParts,
    why: Why,
}

/// What is to be found out.
#[derive(Debug, Clone, PartialEq)]
enum Why {
    /// Whether it could select anything at all.
    Nothing,
    /// Whether its excluding labels leave anything out.
    LeavesOut(SelectorParts),
    /// Whether the canary, selected by these matchers, could have such series.
    Canary(Matchers),
    /// Where the series of a population are, selected by these matchers, that has none.
    NotSeen(Matchers),
}

/// A question to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Which labels these series have, over the time of a history.
    LabelNames {
        /// The series.
        selector: String,
    },
    /// Which values a label has, over the time of a history.
    LabelValues {
        /// The label.
        label: String,
        /// The series; all of the source where it is absent.
        selector: Option<String>,
    },
    /// Whether there are such series, within the window that is judged. Answered by any text for yes,
    /// and by none for no.
    AnySeries {
        /// The series.
        selector: String,
    },
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this; the answer is the next one.
    Ask(Ask),
    /// It is found out.
    Found(SelectorFinding),
}

/// Whether a selector could match: what is still to be asked, why not, or from which answer on others
/// follow.
enum Matching {
    Ask(Ask),
    Never(Mismatch),
    Could { answers_used: usize },
}

impl Lookup {
    /// Whether a selector could select anything at all.
    pub fn of_selector(selector: SelectorParts) -> Self {
        Self {
            selector,
            why: Why::Nothing,
        }
    }

    /// Whether the matchers that tell events from a total of the same metric leave anything out.
    /// Nothing where that is no question: they need a label, or are of another metric.
    fn of_what_is_left_out(events: SelectorParts, total: &SelectorParts) -> Option<Self> {
        let own = events.beyond(total);
        let is_asked = events.metric() == total.metric()
            && own.needed_labels().is_empty()
            && !own.excluding_labels().is_empty();
        is_asked.then_some(Self {
            selector: events,
            why: Why::LeavesOut(own),
        })
    }

    fn of_canary(events: SelectorParts, canary: Matchers) -> Self {
        Self {
            selector: events,
            why: Why::Canary(canary),
        }
    }

    /// Where the series of a population are that has none.
    pub fn of_unseen(selector: SelectorParts, population: Matchers) -> Self {
        Self {
            selector,
            why: Why::NotSeen(population),
        }
    }

    /// The name of the metric that is looked for.
    fn metric(&self) -> &str {
        self.selector.metric()
    }

    /// What comes next, after these answers to the questions so far, in their order. No more than seven
    /// questions are asked.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where a question cannot be written.
    pub fn next(&self, answers: &[Vec<String>]) -> Result<Step, QueryError> {
        match &self.why {
            Why::Nothing => Ok(match self.matching(answers)? {
                Matching::Ask(ask) => Step::Ask(ask),
                Matching::Never(why) => Step::Found(SelectorFinding::MatchesNothing(why)),
                Matching::Could { .. } => Step::Found(SelectorFinding::CouldMatch),
            }),
            Why::LeavesOut(own) => self.left_out(own, answers),
            Why::Canary(canary) => self.of_the_canary(canary, answers),
            Why::NotSeen(population) => self.not_seen(population, answers),
        }
    }

    fn matching(&self, answers: &[Vec<String>]) -> Result<Matching, QueryError> {
        let selector = &self.selector;
        let metric = || selector.metric().to_owned();
        let whole = selector.whole_metric()?;
        let Some(labels) = answers.first() else {
            return Ok(Matching::Ask(Ask::LabelNames { selector: whole }));
        };
        let names = |selector| Ask::LabelValues {
            label: METRIC_NAME.to_owned(),
            selector,
        };
        let mut answers_used = 1;
        if has_no_label(labels) {
            let Some(itself) = answers.get(1) else {
                return Ok(Matching::Ask(names(Some(whole))));
            };
            if itself.is_empty() {
                let Some(all) = answers.get(2) else {
                    return Ok(Matching::Ask(names(None)));
                };
                return Ok(Matching::Never(Mismatch::Metric {
                    metric: metric(),
                    near: nearest::metrics(selector.metric(), all),
                }));
            }
            answers_used = 2;
        }
        let mut needed = selector.needed_labels().into_iter();
        if let Some(label) = needed.find(|label| !labels.iter().any(|known| known == label)) {
            return Ok(Matching::Never(self.no_label(label, labels)));
        }
        if !selector.needs_bound() {
            return Ok(Matching::Could { answers_used });
        }
        let Some(bounds) = answers.get(answers_used) else {
            return Ok(Matching::Ask(Ask::LabelValues {
                label: BUCKET_LABEL.to_owned(),
                selector: Some(whole),
            }));
        };
        if bounds
            .iter()
            .any(|bound| selector.takes(BUCKET_LABEL, bound))
        {
            return Ok(Matching::Could {
                answers_used: answers_used + 1,
            });
        }
        let (is_same_number, near) = nearest::bounds(selector.exact_bound(), bounds);
        Ok(Matching::Never(Mismatch::Bound {
            metric: metric(),
            asked: selector.asked_of(BUCKET_LABEL),
            is_same_number,
            near,
        }))
    }

    fn no_label(&self, label: &str, known: &[String]) -> Mismatch {
        Mismatch::Label {
            metric: self.selector.metric().to_owned(),
            label: label.to_owned(),
            asked: self.selector.asked_of(label),
            near: nearest::labels(label, known),
        }
    }

    fn left_out(&self, own: &SelectorParts, answers: &[Vec<String>]) -> Result<Step, QueryError> {
        let Some(labels) = answers.first() else {
            let selector = self.selector.whole_metric()?;
            return Ok(Step::Ask(Ask::LabelNames { selector }));
        };
        let excluding = own.excluding_labels();
        let is_there = |label: &&str| labels.iter().any(|known| known == label);
        let finding = match excluding.first() {
            Some(label) if !has_no_label(labels) && !excluding.iter().any(is_there) => {
                SelectorFinding::LeavesOutNothing(self.no_label(label, labels))
            }
            _ => SelectorFinding::CouldMatch,
        };
        Ok(Step::Found(finding))
    }

    fn of_the_canary(
        &self,
        canary: &Matchers,
        answers: &[Vec<String>],
    ) -> Result<Step, QueryError> {
        let selector = &self.selector;
        let lacks = |asked: Vec<String>, near: Vec<String>| {
            Step::Found(SelectorFinding::CanaryLacksTheLabels(CanaryLack {
                metric: selector.metric().to_owned(),
                asked,
                near,
            }))
        };
        let Some(like_it) = answers.first() else {
            let selector = selector.like_it(canary)?;
            return Ok(Step::Ask(Ask::AnySeries { selector }));
        };
        if !like_it.is_empty() {
            return Ok(Step::Found(SelectorFinding::CanaryHasTheLabels));
        }
        let of_canary = selector.of_population(canary)?;
        let Some(labels) = answers.get(1) else {
            return Ok(Step::Ask(Ask::LabelNames {
                selector: of_canary,
            }));
        };
        let needed = selector.needed_labels();
        let is_missing = |label: &&&str| !labels.iter().any(|known| known == **label);
        let missing: Vec<String> = needed
            .iter()
            .filter(is_missing)
            .map(|label| (*label).to_owned())
            .collect();
        if let (Some(first), false) = (missing.first(), has_no_label(labels)) {
            let near = nearest::labels(first, labels);
            return Ok(lacks(missing, near));
        }
        if has_no_label(labels) || !selector.needs_bound() {
            let asked = needed.iter().map(|label| (*label).to_owned()).collect();
            // Where all labels exist they do not together, or did in another window.
            let others: Vec<String> = labels
                .iter()
                .filter(|label| !needed.contains(&label.as_str()))
                .cloned()
                .collect();
            return Ok(lacks(asked, nearest::labels("", &others)));
        }
        let Some(bounds) = answers.get(2) else {
            return Ok(Step::Ask(Ask::LabelValues {
                label: BUCKET_LABEL.to_owned(),
                selector: Some(of_canary),
            }));
        };
        let (_, near) = nearest::bounds(selector.exact_bound(), bounds);
        Ok(lacks(vec![selector.asked_of(BUCKET_LABEL)], near))
    }

    fn not_seen(&self, population: &Matchers, answers: &[Vec<String>]) -> Result<Step, QueryError> {
        let found = |found| Ok(Step::Found(SelectorFinding::NotSeen(found)));
        let used = match self.matching(answers)? {
            Matching::Ask(ask) => return Ok(Step::Ask(ask)),
            Matching::Never(why) => return found(NotSeen::Mismatch(why)),
            Matching::Could { answers_used } => answers_used,
        };
        let metric = || self.selector.metric().to_owned();
        let labels = answers.first().map(Vec::as_slice).unwrap_or_default();
        let of_population = counter_parts(&self.selector.of_population(population)?)?;
        let needed = of_population.needed_labels();
        for label in &needed {
            if !labels.iter().any(|known| known == label) {
                return found(NotSeen::Label {
                    metric: metric(),
                    label: (*label).to_owned(),
                    near: nearest::labels(label, labels),
                });
            }
        }
        for (index, label) in needed.iter().take(MOST_LABELS).enumerate() {
            let Some(values) = answers.get(used + index) else {
                return Ok(Step::Ask(Ask::LabelValues {
                    label: (*label).to_owned(),
                    selector: Some(self.selector.whole_metric()?),
                }));
            };
            if !values.iter().any(|value| of_population.takes(label, value)) {
                let wanted = population.iter().find(|one| one.label == **label);
                let wanted = wanted.map_or("", |one| one.value.as_str());
                return found(NotSeen::Value {
                    metric: metric(),
                    asked: of_population.asked_of(label),
                    near: nearest::values(wanted, values),
                });
            }
        }
        found(NotSeen::Elsewhere { metric: metric() })
    }
}

/// Whether an index knows no label of some series: there are none, or none of them has a label.
/// `VictoriaMetrics` names the label of the name even where there is no series.
fn has_no_label(labels: &[String]) -> bool {
    labels.iter().all(|label| label == METRIC_NAME)
}

#[cfg(test)]
mod tests;
