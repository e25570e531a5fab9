//! What a reading is about.

use std::sync::Arc;

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_analysis::series::Populations;

use crate::prometheus::Source;

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) pipeline: &'a Pipeline,
    pub(super) stage: &'a Stage,
    pub(super) populations: Populations<&'a Matchers>,
}
