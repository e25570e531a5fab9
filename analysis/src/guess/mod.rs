//! What to begin with: a pipeline guessed from what a source has, so that nobody begins from an empty
//! file.
//!
//! Step by step, each an answer of the source: the names of all metrics say which [`candidates`] there
//! are, their labels which of them are [`Counter`]s of requests, the requests of the last hour which
//! [`services`] they are of and in which versions. [`choose`] takes one, [`Choice::questions`] asks how
//! it does, and [`Guess`] writes the file and says what was guessed.

mod choice;
mod counters;
mod failures;
mod file;
mod labels;
mod present;
mod reasons;
mod services;
mod versions;

pub use choice::{Choice, Found, NotFound, OtherService, choose};
pub use counters::{Candidate, Counter, Fit, Histogram, candidates, likeliest};
pub use file::Guess;
pub use labels::has_pair;
pub use present::{Present, PresentQuestions};
pub use services::{Service, pods_question, services, traffic_question};
pub use versions::{Pair, Version, Versions, Why};

/// The time before now that is the present: an hour is long enough for a service with little traffic,
/// and short enough that an earlier rollout is no longer in it.
const PRESENT_SECONDS: i64 = 3_600;
