//! The pipeline file: what a rollout goes through and what each stage must show.
//!
//! The text becomes a tree of nodes with positions, and the tree is walked by hand, so that all
//! mistakes of a file are told at once, each with its line, column and path and the nearest
//! right name.

mod check;
mod cursor;
mod error_budget;
mod expression;
mod file;
mod metrics;
mod model;
mod names;
mod population;
mod presets;
mod quantity;
mod schedule;
mod settings;
mod stages;
mod yaml;

pub use file::parse;
pub use model::*;
pub use names::nearest_name;
pub use presets::{DEFAULT_PRESET, PRESET_NAMES, preset_metrics};
pub use schedule::MOST_INTERVALS;
