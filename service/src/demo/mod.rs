//! The embedded simulated fleet of the demo: services whose truth is known, behind a real
//! Prometheus HTTP API on a real socket, in a time that can run fast.
//!
//! Data flows one way: [`serinus_analysis::simulate`] makes what each scrape sees, a store keeps
//! it as columns, an evaluator of PromQL reads them, and the HTTP API writes the answers as
//! Prometheus does.

mod clock;
mod column;
mod fleet;
mod http;
mod json;
mod labels;
mod parameters;
mod play;
mod promql;
mod run;
mod services;
mod store;
mod table;

pub use clock::VirtualClock;
pub use fleet::{Fleet, FleetError};
pub use run::{DemoError, DemoOptions, run};
pub use services::{BILLING, CATALOG, CHECKOUT, PAYMENTS, SERVICES, STEADY_SHARE_PERCENT};
