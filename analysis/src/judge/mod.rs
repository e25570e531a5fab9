//! Checks to a stage's verdict, with reasons.
//!
//! The verdict is a pure function of the pipeline, the stage and the data on its grid. It knows
//! no poll, no clock and no earlier verdict: who asks, and how often, changes nothing.

mod absence;
mod advice;
pub(crate) mod age;
mod bounds;
mod by_interval;
mod check;
mod conclude;
mod counts;
mod course;
mod decide;
mod error_budget;
mod evaluated;
pub(crate) mod evidence;
mod finished;
mod gauge;
mod judged;
mod kayenta;
mod kayenta_score;
mod kill_switch;
pub(crate) mod levels;
pub(crate) mod limit;
pub(crate) mod lines;
mod load;
mod measuring;
mod measuring_gauges;
mod members;
mod model;
mod needs;
mod noisy;
mod pods;
mod populations;
pub(crate) mod quantile;
mod room;
mod seen;
mod silence;
mod since;
mod split;
pub(crate) mod stage;
mod strata;
pub(crate) mod votes;
mod walk;
pub(crate) mod warm_up;
mod warnings;
mod watching;
mod worst;
pub(crate) mod young;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::text::minutes as duration_text;
pub use age::is_stage_over;
pub use course::Course;
pub use error_budget::{BudgetReport, guard, remaining_share};
pub use measuring::{measure_noise, measure_pods};
pub use measuring_gauges::{gauges_with_a_past, measure_gauges};
pub use model::*;
pub use populations::said_of_populations;
pub(crate) use split::Split;
pub use stage::{after_stage, judge, judge_on, judge_within, rollback_to_percent};
pub use walk::Carried;
