//! What a caller gives of the populations, beside what its pipeline says.

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;

/// The populations that are judged: one that a caller gives takes the place of the pipeline's own.
pub(crate) fn populations_of(
    pipeline: &Pipeline,
    given: &Populations<Option<Matchers>>,
) -> Populations<Matchers> {
    let or_own = |given: &Option<Matchers>, own: &Matchers| given.as_ref().unwrap_or(own).clone();
    Populations {
        control: or_own(&given.control, &pipeline.control),
        canary: or_own(&given.canary, &pipeline.canary),
    }
}
