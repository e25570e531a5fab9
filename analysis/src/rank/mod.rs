//! Rank tests: the Mann-Whitney test, and the classification that Kayenta builds on it.
//!
//! They compare the values of two samples by their order alone, so an outlier weighs no more than any
//! other value. All are valid for a single look, and for values that are independent of each other:
//! with a correlation of 0.8 from one value to the next, 34 % of good canaries are called bad.
//!
//! Written here because `statrs` marks ranks that are not set by the number 999 and compares all
//! pairs, and because Kayenta's interval exists nowhere else.

pub(crate) mod brent;
mod kayenta;
mod kayenta_score;
mod mann_whitney;

pub use kayenta::{
    KayentaParameters, KayentaReport, NoDataCause, RankClass, kayenta_classification, kayenta_noise,
};
pub use kayenta_score::{
    KayentaClass, KayentaResult, KayentaScore, ScoreAnswer, ScoreBasis, ScoreLimits, kayenta_score,
};
pub use mann_whitney::{Alternative, RankTest, mann_whitney, mann_whitney_exact};
