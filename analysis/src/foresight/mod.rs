//! What will be seen, and when; and what would have been.
//!
//! A client of the judge: it looks at what a service did before a rollout, and tells what the checks
//! of a stage will be able to see ([`outlook`]), and what of a pipeline does not suit the service
//! ([`said_by_the_last_hour`]), or judges stretches of that past as if they had been
//! rollouts ([`replay`]). Nothing of it counts in a verdict.

mod last_hour;
mod outlook;
mod replay;

pub use last_hour::{LastHour, said_by_the_last_hour};
pub use outlook::*;
pub use replay::{Replay, WindowOutcome, replay};
