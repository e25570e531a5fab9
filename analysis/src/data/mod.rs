//! What was measured: the counts and values of a stage on its grid, why some are not there, and the
//! time before the rollout.
//!
//! [`crate::questions`] makes it of a source's answers, [`crate::judge`] makes a verdict of it. It
//! knows neither of them.

mod budget;
mod fault;
mod findings;
mod gauge_before;
mod history;
mod measured;
mod stage;

pub use budget::BudgetData;
pub use fault::{DataFault, FaultCode};
pub(crate) use findings::is_a_counter;
pub use findings::{ALL_ARE_EVENTS, Findings, Lack, Mismatch, NotSeen, SelectorFinding};
pub use gauge_before::{GAUGE_PAST_MS, GaugeBefore};
pub(crate) use history::with_data;
pub use history::{ControlSplit, History, HistoryData, SHORTEST_HISTORY_MS};
pub use measured::{MeasuredHistory, MeasuredNoise};
pub use stage::{MetricData, Purpose, StageData};
