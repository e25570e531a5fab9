//! What can never be asked, told without a source: the questions of every stage are written.

use crate::matchers::Matchers;
use crate::parts::Part;
use crate::pipeline::Pipeline;
use crate::series::{Grid, Populations};

use super::{Form, QueryTexts, QuestionError, StageQuestions};

/// What a gate would refuse to ask of these populations, stage by stage, each once: a query that names
/// one value of a label where a population names another.
pub fn unaskable(pipeline: &Pipeline, populations: Populations<&Matchers>) -> Vec<QuestionError> {
    let interval_ms = i64::from(pipeline.analysis.interval_seconds) * 1_000;
    let grid = Grid::covering(0, interval_ms, interval_ms);
    let mut texts = QueryTexts::default();
    let mut all: Vec<QuestionError> = Vec::new();
    for stage in &pipeline.stages {
        // What only callers send is not known here.
        let parts = Part::of_stage(pipeline, stage, populations, None);
        for part in parts.unwrap_or_default() {
            let written = StageQuestions::with_texts(&part, grid, Form::Samples, &mut texts);
            all.extend(written.err().unwrap_or_default());
        }
    }
    let mut once: Vec<QuestionError> = Vec::new();
    for error in all {
        if !once.contains(&error) {
            once.push(error);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::parse;

    fn told(populations: &str, errors: &str) -> Vec<String> {
        let text = format!(
            "{populations}\nmetrics: {{failures: {{errors: '{errors}', total: http_requests_total}}}}\n\
             canary_pipeline:\n  \
             a: {{traffic_percent: 5, duration_minutes: 60, metrics: [failures < 1%]}}\n  \
             b: {{traffic_percent: 9, duration_minutes: 60, metrics: [failures < 1%]}}\n"
        );
        let pipeline = parse(&text, "test").unwrap();
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let all = unaskable(&pipeline, populations);
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_query_that_leaves_out_a_population_is_told_once() {
        let tracks = "control: {job: a, track: stable}\ncanary: {job: a, track: canary}";
        assert_eq!(told(tracks, "errors_total"), [] as [&str; 0]);
        assert_eq!(
            told(tracks, r#"errors_total{track="stable"}"#),
            [
                "cannot ask for metric \"failures\": the query asks for track=\"stable\", which leaves \
                 out track=\"canary\" of the population or region: remove the matcher of the label \
                 track from the query"
            ]
        );
    }
}
