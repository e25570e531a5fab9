//! Everything of Serinus that touches the world: configuration, HTTP, Prometheus, the command
//! line and the demo.

pub mod access;
mod aside;
mod boot;
pub mod cli;
pub mod clock;
pub mod config;
mod demo;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod packed;
pub mod pipelines;
pub mod prometheus;
pub mod rollouts;
pub mod store;
pub mod telemetry;
pub mod time;
mod turns;
pub mod wire;
