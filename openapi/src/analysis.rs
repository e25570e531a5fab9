//! `POST /v1/analyses`: one stage over one window.

mod answer;
mod convert;
mod reason;
mod request;

pub use answer::*;
pub use convert::{AnalysisSubject, timestamp};
pub use reason::{ReasonCode, RolloutReason};
pub(crate) use request::time;
pub use request::*;
