//! The integration tests: one module a subject.

mod bad_input;
mod cli;
mod contract;
mod demo;
mod helpers;
mod history;
mod native_histograms;
mod polling;
mod swagger;
mod true_counts;
mod upstream_faults;
mod verdicts;
