//! The integration tests: one module a subject.

mod access;
mod bad_input;
mod between_stages;
mod cli;
mod cloud_credentials;
mod contract;
mod contracts;
mod demo;
mod examples;
mod frozen_store;
mod gate_faults;
mod helpers;
mod history;
mod init;
mod lost_store;
mod native_histograms;
mod pipelines;
mod planning;
mod polling;
mod presets;
mod selectors;
mod swagger;
mod true_counts;
mod upstream_faults;
mod verdicts;
