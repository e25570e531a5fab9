//! Whether the populations of a pipeline are two versions of one service, as their newest series say: asked before a
//! rollout begins, by the rule that holds one.

use serinus_analysis::data::Purpose;
use serinus_analysis::judge::said_of_populations;
use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::{Check, Pipeline, Stage};
use serinus_analysis::selectors::Looked;
use serinus_analysis::series::{Grid, Populations};

use super::asked::Asked;
use super::{AnalysisInput, Engine, Stages, check_populations, parts_of};

/// The newest intervals that are looked at.
const INTERVALS: i64 = 20;

impl Engine {
    /// What is to be told of the populations, where the source has series of both and answers. Nothing where they are
    /// compared nowhere.
    pub(super) async fn look_at_populations(
        &self,
        pipeline: &Pipeline,
        populations: Populations<&Matchers>,
        source: Option<&str>,
    ) -> Vec<Looked> {
        let compares = |stage: &&Stage| stage.checks.iter().any(Check::is_relative);
        let Some(stage) = pipeline.stages.iter().find(compares) else {
            return Vec::new();
        };
        let input = AnalysisInput {
            pipeline,
            stage,
            populations: populations.map(Clone::clone),
            start_ms: None,
            end_ms: None,
            source,
            purpose: Purpose::Decide,
            stages: Stages::Alone,
            carried: None,
        };
        // What cannot be asked so is told of the selectors.
        if check_populations(&input).is_err() {
            return Vec::new();
        }
        let settings = &pipeline.analysis;
        let interval_ms = i64::from(settings.interval_seconds) * 1_000;
        let end_ms = self.clock().now_ms() - i64::from(settings.lag_seconds) * 1_000;
        let grid = Grid::covering(end_ms - INTERVALS * interval_ms, end_ms, interval_ms);
        let mut said = Vec::new();
        for part in parts_of(&input).unwrap_or_default() {
            let Ok(sources) = self.sources_of(&part) else {
                continue;
            };
            let asked = Asked {
                sources,
                part: &part,
            };
            if let Ok((data, _)) = self.reader().gather(asked, grid).await {
                said.extend(said_of_populations(pipeline, &data));
            }
        }
        said
    }
}
