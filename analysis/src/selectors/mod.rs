//! Selectors that can never match: no data is never good news, and a selector that matches nothing
//! looks like no data, and like no errors.
//!
//! A [`Lookup`] is one thing to find out. It says what to ask of the source's index, step by step, and
//! what the answers mean. Which lookups a stage needs is said by [`needed`]; nothing is asked while
//! every selector finds something, nor where the labels of the series that were read tell it.
//!
//! Source: docs/design/gate.md, "Selectors that can never match".

mod alternatives;
mod asking;
mod counters;
mod matching;
mod nearest;
mod needed;
mod of_file;
mod proposal;
mod scrapes;
mod seen;
mod statuses;
mod unseen;
mod within;

use crate::data::SelectorFinding;
use crate::matchers::Matchers;
use crate::query::{QueryError, SelectorParts};

use asking::{Pause, Told};

pub use alternatives::said_of_all;
pub use asking::{Ask, Step};
pub(crate) use needed::FEWEST_EXPECTED;
pub use needed::{NamedLookup, needed};
pub use of_file::{FileLookup, Looked, LookedLevel, not_looked_at, of_file};
pub use proposal::{Proposal, ProposalStep};
pub use scrapes::{
    SETTLED_AFTER_SECONDS, interval_by_scrapes, samples_of_the_control, scrape_seconds_by_samples,
};
pub(crate) use within::Within;

/// The label that holds a metric's name.
const METRIC_NAME: &str = "__name__";

/// The label that holds a bucket's bound.
const BUCKET_LABEL: &str = "le";

/// Most labels of which the values are looked at: each is a question.
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
    /// Whether it could select anything of the populations, or of the source where none are given.
    Nothing(Option<Within>),
    /// Whether its excluding labels leave anything out.
    LeavesOut {
        /// What tells the events from the total.
        own: SelectorParts,
        within: Option<Within>,
    },
    /// Whether the canary, selected by these matchers, could have such series.
    Canary(Matchers),
    /// Where the series of a population are, selected by these matchers, that has none.
    NotSeen(Matchers),
    /// Whether what is given as a gauge is a counter.
    Counter,
    /// What the series that were read tell already, but for whether others have the label that they
    /// lack.
    Known(SelectorFinding),
}

impl Lookup {
    /// Whether a selector could select anything, of some populations or at all.
    pub(crate) fn of_selector(selector: SelectorParts, within: Option<Within>) -> Self {
        Self {
            selector,
            why: Why::Nothing(within),
        }
    }

    /// Whether the matchers that tell events from a total of the same metric leave anything out.
    /// Nothing where that is no question: they need a label, or are of another metric.
    fn of_what_is_left_out(
        events: SelectorParts,
        total: &SelectorParts,
        within: Option<Within>,
    ) -> Option<Self> {
        let own = events.beyond(total);
        if !events.is_within(total) || !own.needed_labels().is_empty() {
            return None;
        }
        Some(if own.takes_everything() {
            Self::known(events, SelectorFinding::AllAreEvents)
        } else {
            Self {
                selector: events,
                why: Why::LeavesOut { own, within },
            }
        })
    }

    fn of_canary(events: SelectorParts, canary: Matchers) -> Self {
        Self {
            selector: events,
            why: Why::Canary(canary),
        }
    }

    fn of_counter(selector: SelectorParts) -> Self {
        Self {
            selector,
            why: Why::Counter,
        }
    }

    fn known(selector: SelectorParts, finding: SelectorFinding) -> Self {
        Self {
            selector,
            why: Why::Known(finding),
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

    /// What comes next, after these answers to the questions so far, in their order. No more than
    /// twelve questions are asked.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where a question cannot be written.
    pub fn next(&self, answers: &[Vec<String>]) -> Result<Step, QueryError> {
        match self.find(&mut Told::of(answers)) {
            Ok(finding) => Ok(Step::Found(finding)),
            Err(Pause::Ask(ask)) => Ok(Step::Ask(ask)),
            Err(Pause::Unwritten(error)) => Err(error),
        }
    }

    fn find(&self, told: &mut Told<'_>) -> Result<SelectorFinding, Pause> {
        let selector = &self.selector;
        match &self.why {
            Why::Nothing(within) => matching::could_match(selector, within.as_ref(), told),
            Why::LeavesOut { own, within } => {
                matching::left_out(selector, own, within.as_ref(), told)
            }
            Why::Canary(canary) => unseen::of_the_canary(selector, canary, told),
            Why::NotSeen(population) => unseen::not_seen(selector, population, told),
            Why::Counter => counters::is_counter(selector, told),
            Why::Known(finding) => seen::with_others(selector, finding, told),
        }
    }
}

/// Whether an index knows no label of some series: there are none, or none of them has a label.
/// `VictoriaMetrics` names the label of the name even where there is no series.
fn has_no_label(labels: &[String]) -> bool {
    labels.iter().all(|label| label == METRIC_NAME)
}

#[cfg(test)]
mod tests;
