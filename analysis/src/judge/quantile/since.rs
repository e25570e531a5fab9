//! What was seen since some time.

use super::super::model::{ArmReport, RatioReport};

/// Both populations over some intervals.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) struct Told {
    pub(in crate::judge) control: Option<ArmReport>,
    pub(in crate::judge) canary: Option<ArmReport>,
    pub(in crate::judge) ratio: Option<RatioReport>,
}

/// Since when a quantile is beyond its limit, and what was seen since.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) struct Since {
    /// The time, in words.
    pub(in crate::judge) when: String,
    /// Both populations since then.
    pub(in crate::judge) told: Told,
}
