//! What was read for an error budget.

use serde::{Deserialize, Serialize};

use super::fault::DataFault;

/// What was read for an error budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BudgetData {
    /// The increases of both counters over the budget's window, over all targets.
    Counts {
        /// Events: failures, or successes of a metric of which more is better.
        events: f64,
        /// All requests.
        total: f64,
    },
    /// Nothing that can be judged, and why.
    Fault(DataFault),
}
