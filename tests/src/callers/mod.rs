//! Simulators of the systems that call Serinus: each as strict as the caller is, with the known
//! faults of its versions as switches. What they do is written down, with the source of each
//! fact, in `docs/integrations/`. They share nothing with Serinus but the wire.
//!
//! Where a caller only waits, time is virtual: a simulator adds up what it would have waited. A
//! test says with [`Pace`] what real time passes meanwhile.

pub mod argo;
pub mod expression;
pub mod flagger;
pub mod http;
pub mod kargo;
pub mod kargo_promotion;
pub mod spinnaker;

use std::time::Duration;

/// What real time passes while a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// None.
    Virtual,
    /// This much for every wait.
    Real(Duration),
}

impl Pace {
    /// Waits as the caller would.
    pub async fn pass(self) {
        match self {
            Self::Virtual => tokio::task::yield_now().await,
            Self::Real(time) => tokio::time::sleep(time).await,
        }
    }
}
