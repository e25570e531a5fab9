//! The counts that Serinus judges are what the scrapes saw: exactly.
//!
//! A fleet of known truth lives behind real sources that scrape it once a second. `faults` has one
//! thing happen at a time; `everything` lets all happen at once, and reads the counts in every way
//! that they are read. `make prove-counts` watches that for two whole minutes.

mod by_hand;
mod everything;
mod faults;
mod readings;
mod scene;
mod story;
