//! The series of both populations among which a selector is to find some.

use crate::matchers::Matchers;
use crate::query::{QueryError, SelectorParts};
use crate::series::Populations;

/// The series that are looked at, as selectors: those of another service with the same metric would say
/// nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Within {
    /// Of each population, the series of the metric, with what the total's selector asks of them where
    /// the events are some of its series.
    pub(super) series: Populations<String>,
    /// Of each population the series of the total, where that is another metric: who has those and none
    /// of the events' metric is not counted by it.
    pub(super) total: Option<Populations<String>>,
}

impl Within {
    /// For a selector that stands by itself.
    ///
    /// # Errors
    ///
    /// [`QueryError`] for matchers that cannot be written.
    pub(crate) fn alone(
        selector: &SelectorParts,
        populations: &Populations<Matchers>,
    ) -> Result<Self, QueryError> {
        Ok(Self {
            series: Populations {
                control: selector.of_population(&populations.control)?,
                canary: selector.of_population(&populations.canary)?,
            },
            total: None,
        })
    }

    /// For the events of a share.
    ///
    /// # Errors
    ///
    /// [`QueryError`] for matchers that cannot be written, or that the total's selector leaves out.
    pub(crate) fn beside(
        events: &SelectorParts,
        total: &SelectorParts,
        populations: &Populations<Matchers>,
    ) -> Result<Self, QueryError> {
        let of_total = Populations {
            control: total.among(&populations.control)?,
            canary: total.among(&populations.canary)?,
        };
        if events.is_within(total) {
            return Ok(Self {
                series: of_total,
                total: None,
            });
        }
        let alone = Self::alone(events, populations)?;
        Ok(Self {
            total: (events.metric() != total.metric()).then_some(of_total),
            ..alone
        })
    }
}
