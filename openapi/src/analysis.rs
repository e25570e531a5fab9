//! `POST /v1/analyses`: one stage over one window.

mod answer;
mod convert;
mod gate;
mod reason;
mod request;
mod words;

pub use answer::*;
pub use convert::{AnalysisSubject, timestamp};
pub use gate::Gate;
pub use reason::{ReasonCode, RolloutReason};
pub(crate) use request::time;
pub use request::*;
