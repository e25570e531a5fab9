//! The wire contract of Serinus: what requests and answers look like.
//!
//! Wire types are apart from the types of `serinus-analysis`, so that the API stays put while the
//! mathematics moves; the conversions between the two live here. Everything that is sent derives
//! its schema from the same type, so the document (`openapi/openapi.json`) cannot say anything
//! else than what goes over the wire.

pub mod analysis;
pub mod examples;
pub mod explained;
pub mod flagger;
pub mod number;
pub mod operations;
pub mod pipeline;
pub mod population;
pub mod problem;
pub mod rollout;
mod word;

pub use explained::Explained;
pub use number::Number;
pub use problem::{Problem, ProblemType};
pub use word::Word;
