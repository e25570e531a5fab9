//! The demo: a good and a bad canary on a simulated fleet, played through the gate of a real
//! service.

mod caller;
mod closing;
mod folder;
mod found;
mod play;
mod run;
mod screen;

pub(crate) use run::{DemoOptions, run};
pub(crate) use screen::Screen;
