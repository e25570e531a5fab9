//! From samples to counts that are true: resets, births, deaths, missed scrapes and gaps on a
//! fixed grid of intervals.
//!
//! `increase()` and `rate()` extrapolate to the edges of each step and give nothing for a series
//! that is born with the value 1, so the first error of a new pod is never seen. Here the
//! cumulative values themselves are read, one series for each target, at a step so fine that
//! every scrape is seen ([`fine_step_ms`]), and differences are taken.
//!
//! What counts, over the whole window, is exactly what the scrapes saw:
//!
//! * between two scrapes of one process the difference;
//! * after a restart (the value fell, or [`Heartbeats`] tell of a new process) the whole value;
//! * of a series first seen inside the window the whole value if its process was born inside the
//!   window or its target was seen in the window before without the series.
//!
//! What does not count: what a process did after its last scrape; the first value of a target
//! that was found late but is older than the window; samples that are NaN, infinite or negative
//! (the next good one makes it up); a value at the window's start that was scraped more than one
//! and a half scrape periods before; and the intervals at the window's end that cannot be closed
//! yet ([`DataQuality::held_back_intervals`]).
//!
//! A boundary of the grid that some target's increment spans, because a scrape was missed there,
//! is taken away for both populations: the intervals on its two sides become one. Pairs of counts
//! then always belong to the same time.

mod apart;
mod bounds;
mod buckets;

mod copies;
mod counting;
mod cumulative;
mod gauge;
mod heartbeat;
mod histogram;
mod join;
mod ledger;
mod life;
mod model;
mod naming;
mod native;
mod pace;
mod per_request;
mod pod;
mod pod_buckets;
mod proportion;
mod ranges;
mod rate;
mod regions;
mod slice;
mod target;
mod track;
mod walker;

pub use apart::Apart;
pub use buckets::has_buckets;

pub use copies::ScrapeLabel;
pub(crate) use copies::{are_copies, labels_of_what_is_read};
pub use gauge::{Taken, gauge};
pub use heartbeat::{
    Heartbeats, affordable_step_ms, distinct_process_starts, fine_step_ms, sees_every_scrape,
};
pub use histogram::histogram;
pub use join::{Place, Placed};
pub use model::*;
pub use native::{NativeColumn, is_native, native_histogram};
pub use per_request::{loads, per_request};
pub(crate) use pod::{pod_hash, pod_name};
pub use pod_buckets::PodBuckets;
pub use proportion::proportion;
pub use rate::{RateExposure, event_rate};
pub use target::TargetLabels;
pub(crate) use track::growth;
