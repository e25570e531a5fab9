//! A gauge that waits for what the whole rollout proves.

use crate::pipeline::Check;

use super::super::evaluated::{Evaluated, Situation};
use super::super::judged::Judged;
use super::super::model::CheckReport;
use super::proof::GaugeProof;
use super::told::concluded;

/// A gauge that is judged over the rollout.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::judge) struct LookedGauge<'a> {
    pub(super) report: CheckReport,
    pub(in crate::judge) judged: Judged<'a>,
}

impl LookedGauge<'_> {
    /// Concludes from what the whole rollout proves. Whether it rolls back is decided over all checks together.
    pub(in crate::judge) fn concluded(
        self,
        check: &Check,
        proof: &GaugeProof,
        situation: Situation<'_>,
    ) -> Evaluated {
        concluded(self.report, check, proof, situation)
    }

    /// What is told where nothing was walked.
    pub(in crate::judge) fn into_report(self) -> CheckReport {
        self.report
    }
}
