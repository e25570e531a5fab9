//! A check of a gauge: samples of pods, and how well their mean is known.
//!
//! Source: docs/design/gauges.md, "The method of gauges".

mod asked;
mod look;
mod looked;
mod newest;
mod outlook;
mod proof;
mod rows;
mod told;
mod unknown;

pub(super) use asked::is_per_request;
pub(crate) use asked::{GaugeKey, key_of};
pub(super) use look::look;
pub(super) use looked::LookedGauge;
pub(super) use newest::{Newest, watch};
pub(super) use proof::GaugeProof;
pub(crate) use rows::GaugeRows;
pub(super) use unknown::not_finite;
