//! A simulated fleet: services whose truth is known, behind a real Prometheus HTTP API on a real
//! socket, in a time that can run fast.
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
mod promql;
mod services;
mod store;

pub use clock::VirtualClock;
pub use fleet::{Fleet, FleetError};
pub use services::{
    BILLING, CATALOG, CHECKOUT, PAYMENTS, SERVICES, STEADY_SHARE_PERCENT, TEMPLATE_HASH_LABEL,
    template_hash,
};
