//! What the scrapes saw is what is counted.

mod fleet;
mod histograms;
mod prometheus;
mod rates;
mod rules;
