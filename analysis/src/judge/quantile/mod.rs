//! A check of a latency quantile: counts of slow requests, read off the buckets of a histogram.
//!
//! Source: docs/design/latency.md, "1. The claim".

mod asked;
mod blind;
mod counted;
mod look;
mod reader;
mod rows;
mod told;

pub(crate) use asked::{Asked, kept_beyond};
pub(crate) use blind::{blind_spot, listed, quantile_name};
pub(super) use counted::{claims_of, counted, totals_of};
pub(super) use look::look;
pub(crate) use reader::{Known, Read, Reader};
pub(crate) use rows::QuantileRows;
pub(super) use told::{Buckets, arm_report};
