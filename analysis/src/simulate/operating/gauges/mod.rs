//! Gauges: laws whose truth is known, a value for each pod and sample, judged by the code that judges real ones.
//!
//! [`GaugeLaw`] has the laws that the method was chosen on, [`FurtherGaugeLaw`] those on which nothing was chosen. A
//! [`GaugeTrial`] gives their samples to [`crate::proof::gauge::GaugeStream`], with the control's past where there is
//! one, and says when it rolls back and promotes.

mod further;
mod law;
mod pod;
mod signal;
#[cfg(test)]
mod tests;
mod trial;
mod values;

pub use further::{CanaryChange, FurtherGaugeLaw, SharedChange};
pub use law::{Bursts, GaugeLaw};
pub use pod::{Phase, PodLaw};
pub use trial::{GaugeLooks, GaugeOutcome, GaugeProcess, GaugeTrial, JudgedGauge};
pub use values::{GaugeValues, PodValues};
