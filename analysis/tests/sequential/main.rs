//! The sequential method: its reference vectors, the numbers of its specification, its properties.
//! The specification is docs/design/statistics.md: numbers of sections are those of its headings.

#![expect(
    clippy::float_cmp,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails may panic; corner cases and replays are exact"
)]

mod formulas;
mod ratio;

mod support;
