//! Everything of Serinus that decides.
//!
//! Pure functions over text, slices and plain data: no clock, no network, no files, no async.
//! Time, randomness and identifiers are arguments, so a verdict can be computed again from its
//! inputs, to the byte, by anyone.
//!
//! Data flows one way through the modules: [`pipeline`] reads what shall be judged, [`query`]
//! writes the PromQL for it, [`questions`] says what to ask and puts the answers together,
//! [`series`] turns samples into true counts on a fixed grid of intervals, which are the [`data`] of
//! a stage, [`sequential`] gathers evidence from them that may be polled, [`interval`] and [`rank`]
//! test them at a single look, and [`judge`] makes a verdict of the tests. [`foresight`] asks the
//! judge what will be seen, and when. [`guess`] writes the file that one begins with.

pub mod data;
pub mod foresight;
pub mod guess;
pub mod interval;
pub mod judge;
pub mod matchers;
pub mod parts;
pub mod pipeline;
pub mod populations;
pub mod proof;
pub mod query;
pub mod questions;
pub mod rank;
pub mod selectors;
pub mod sequential;
pub mod series;
pub mod simulate;
pub mod special;
mod text;

pub use text::wrapped;
