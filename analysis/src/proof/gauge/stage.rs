//! The stage that a rollout is at: what its samples sum up to, and how many lack a side.
//!
//! Source: docs/design/gauges.md, "1. Samples" and "5. Promotion".

use super::reading::is_lacking;
use super::segment::Segment;

/// The samples of the stage that the rollout is at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub(super) segment: Segment,
    /// Which promotion it asks.
    pub(super) promotion: usize,
    with_a_value: usize,
    lacking: usize,
}

impl Stage {
    pub(super) fn begin(segment: Segment, promotion: usize) -> Self {
        Self {
            segment,
            promotion,
            with_a_value: 0,
            lacking: 0,
        }
    }

    pub(super) fn notice(&mut self, has_any: bool, lacks: bool) {
        self.with_a_value += usize::from(has_any);
        self.lacking += usize::from(lacks);
    }

    /// Whether more than a fifth of its samples lack a side.
    pub(super) fn is_lacking(&self) -> bool {
        is_lacking(self.with_a_value, self.lacking)
    }
}
