//! The proof of counts, held against reference values that a Python program made
//! (`tests/data/vectors/counts.py` and `pods.py`; run them to make them anew).

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic"
)]

mod counts;
mod latency;
mod pods;
mod support;
