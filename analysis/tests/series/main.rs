//! What the scrapes saw is what is counted.

#![expect(
    clippy::float_cmp,
    reason = "counts are whole numbers: anything but equality would be an error"
)]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests, outside the functions that clippy knows as tests"
)]

mod fleet;
mod histograms;
mod native;
mod per_request;
mod prometheus;
mod rates;
mod rules;
mod series_by_series;
