//! Checks to a stage's verdict, with reasons.
//!
//! The verdict is a pure function of the pipeline, the stage and the data on its grid. It knows
//! no poll, no clock and no earlier verdict: who asks, and how often, changes nothing.

mod check;
mod conclude;
mod error_budget;
mod evidence;
mod gauge;
mod growth;
mod history;
mod kayenta;
mod kill_switch;
mod latency;
mod levels;
mod limit;
mod measured_history;
mod model;
mod needs;
mod outlook;
mod question;
mod replay;
mod silence;
mod slice;
mod split;
mod stage;
mod text;
mod votes;
mod warm_up;

#[cfg(test)]
mod tests;

pub use error_budget::{BudgetData, BudgetReport, guard, remaining_share};
pub use history::{ControlSplit, History, HistoryData, SHORTEST_HISTORY_MS};
pub use measured_history::{MeasuredHistory, MeasuredNoise};
pub use model::*;
pub use outlook::*;
pub use replay::{Replay, WindowOutcome, replay};
pub use stage::{judge, rollback_to_percent};
pub use votes::method_of;
