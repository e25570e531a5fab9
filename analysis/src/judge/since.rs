//! What was seen since some time.

use super::model::{ArmReport, RatioReport};

/// Both populations over some intervals.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) control: Option<ArmReport>,
    pub(super) canary: Option<ArmReport>,
    pub(super) ratio: Option<RatioReport>,
}

/// Since when a canary is beyond its limit, and what was seen since.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Since {
    /// The time, in words.
    pub(super) when: String,
    /// Both populations since then.
    pub(super) told: Told,
    /// Whether the report tells that alone. Of counts it tells all that was counted, and the reason what was since.
    pub(super) is_all_that_is_told: bool,
}
