//! Everything of Serinus that touches the world: configuration, HTTP, Prometheus, the command
//! line and the demo.
//!
//! Only what the binary and the benchmarks use is public, so that the compiler finds what nothing
//! uses.

mod access;
mod aside;
mod boot;
mod cli;
mod clock;
mod clock_watch;
mod config;
mod demo;
mod engine;
mod host;
mod http;
mod metrics;
mod packed;
mod pipelines;
mod prometheus;
#[cfg(test)]
mod reference;
mod regular_file;
mod rollouts;
mod store;
mod telemetry;
mod terminal;
mod time;
mod turns;
mod watched;
mod wire;

pub use cli::main;
pub use prometheus::decode::decode;
