//! The demo: a good and a bad canary on a simulated fleet, played through the gate of a real
//! service.

mod play;
mod run;
mod table;

pub(crate) use run::{DemoOptions, run};
