//! What a reading is about.

use std::sync::Arc;

use serinus_analysis::parts::Part;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;

use crate::prometheus::Source;

/// What is asked about: a part of a stage, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) sources: Populations<&'a Arc<Source>>,
    pub(super) part: &'a Part<'a>,
}

impl<'a> Asked<'a> {
    pub(super) fn pipeline(&self) -> &'a Pipeline {
        &self.part.pipeline
    }

    pub(super) fn stage(&self) -> &'a Stage {
        &self.part.stage
    }
}
