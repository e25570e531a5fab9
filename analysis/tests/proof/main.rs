//! The proof of counts and gauges, held against reference values that a Python program made
//! (`counts.py`, `pods.py` and `gauges.py` in `tests/data/vectors`; run them to make them anew).

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

mod counts;
mod gauge_behaviour;
mod gauge_properties;
mod gauge_rules;
mod gauge_vectors;
mod gauges;
mod kayenta;
mod latency;
mod pods;
mod support;
