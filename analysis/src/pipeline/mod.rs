//! The pipeline file: what a rollout goes through and what each stage must show.
//!
//! The text becomes a tree of nodes with positions, and the tree is walked by hand, so that all
//! mistakes of a file are told at once, each with its line, column and path and the nearest
//! right name.

mod check;
mod cursor;
mod duration;
mod error_budget;
mod expression;
mod file;
mod limit;
mod metrics;
mod model;
mod names;
mod population;
mod presets;
mod quantity;
mod resolve;
mod schedule;
mod settings;
mod stages;
mod yaml;

pub use duration::parse_duration;
pub use file::parse;
pub use limit::Limit;
pub use model::*;
#[cfg(test)]
pub(crate) use model::{Comparison, Condition};
pub use names::nearest_name;
pub use presets::{DEFAULT_PRESET, PRESET_NAMES, preset_metrics};
#[cfg(test)]
pub(crate) use resolve::{Subject, WrittenCheck, deciding_method, is_worth_a_failure};
pub use schedule::MOST_INTERVALS;
