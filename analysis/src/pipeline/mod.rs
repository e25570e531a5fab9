//! The pipeline file: what a rollout goes through and what each stage must show.
//!
//! The text becomes a tree of nodes with positions, and the tree is walked by hand, so that all
//! mistakes of a file are told at once, each with its line, column and path and the nearest
//! right name.

mod bucket_unit;
mod check;
mod condition;
mod cursor;
mod definition;
mod duration;
mod error_budget;
mod expression;
mod fewest;
mod file;
mod given;
mod kayenta;
mod kayenta_settings;
mod limit;
mod meaningless;
mod metric_kind;
mod metrics;
mod model;
mod names;
mod own_matchers;
mod population;
mod preset_keys;
mod presets;
mod quantity;
mod remarks;
mod resolve;
mod schedule;
mod selection;
mod service;
mod settings;
mod sources;
mod stages;
mod understood;
mod yaml;

pub(crate) use bucket_unit::seconds_by_name;
pub use duration::parse_duration;
pub use fewest::FewestIntervals;
pub use file::{parse, parse_of_a_rollout};
pub use kayenta_settings::KayentaSettings;
pub use limit::Limit;
pub(crate) use meaningless::untestable;
pub use model::*;
#[cfg(test)]
pub(crate) use model::{Comparison, Condition};
pub use names::nearest_name;
pub use own_matchers::{OwnMatchers, PlaceholderError};
pub use presets::{
    DEFAULT_PRESET, Durations, PRESET_NAMES, PRESETS, Preset, Requests, Resources, preset_metrics,
    presets_of,
};
pub use remarks::{Remark, RemarkCode};
#[cfg(test)]
pub(crate) use resolve::{Subject, WrittenCheck, deciding_method, is_worth_a_failure};
pub use schedule::MOST_INTERVALS;
pub use selection::Selection;
pub use yaml::MAX_TEXT_BYTES;
