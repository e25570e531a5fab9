//! From samples to counts that are true: resets, births, deaths, missed scrapes and gaps on a
//! fixed grid of intervals.

mod model;

pub use model::*;
