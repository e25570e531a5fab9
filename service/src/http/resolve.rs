//! Which pipeline and which stage a request means.

use std::fmt::Display;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serinus_analysis::pipeline::{self, Diagnostic, Pipeline, Stage, nearest_name};
use serinus_analysis::series::Populations;
use serinus_openapi::ProblemType;
use serinus_openapi::pipeline::{PipelineReference, PipelineSource};
use serinus_openapi::population::PopulationOverlay;

use super::{ApiError, App};
use crate::engine::Overlay;
use crate::pipelines::{Known, KnownPipeline};
use crate::rollouts::RolloutError;

/// The name of a pipeline that is sent without one.
pub(super) const NAMELESS: &str = "pipeline";

/// What a request says about its pipeline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// By name or in place.
    pub(super) pipeline: Option<&'a PipelineReference>,
    /// As a text.
    pub(super) pipeline_yaml: Option<&'a str>,
    /// The whole body, to tell a mistake by its line.
    pub(super) body: &'a str,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Found {
    /// A pipeline that can be used.
    Pipeline(Arc<Pipeline>),
    /// One that was sent with mistakes.
    Mistakes(Vec<Diagnostic>),
}

impl Found {
    /// The pipeline, or its mistakes as an error.
    pub(super) fn usable(self) -> Result<Arc<Pipeline>, ApiError> {
        match self {
            Self::Pipeline(pipeline) => Ok(pipeline),
            Self::Mistakes(diagnostics) => Err(ApiError::invalid_pipeline(&diagnostics)),
        }
    }
}

/// Finds the pipeline that a request means.
///
/// # Errors
///
/// None or two are given, or none of that name is known.
pub(super) async fn pipeline(app: &App, asked: Asked<'_>) -> Result<Found, ApiError> {
    let invalid = |detail: &str| ApiError::new(ProblemType::InvalidRequest, detail);
    match (asked.pipeline, asked.pipeline_yaml) {
        (None, None) => Err(invalid(
            "no pipeline: give `pipeline` (a name or an object) or `pipeline_yaml` (a text)",
        )),
        (Some(_), Some(_)) => Err(invalid(
            "two pipelines: give `pipeline` or `pipeline_yaml`, not both",
        )),
        (None, Some(yaml)) => Ok(text(yaml, NAMELESS)),
        (Some(reference), None) => match reference.source() {
            PipelineSource::Name(name) => {
                let known = known_pipeline(app, &name).await?;
                Ok(Found::Pipeline(known.pipeline))
            }
            PipelineSource::Inline(text) => {
                Ok(parse(text, NAMELESS, Position::of_pipeline(asked.body)))
            }
        },
    }
}

/// Reads the text of a pipeline file, named by its own `name` or else by `name`.
pub(super) fn text(yaml: &str, name: &str) -> Found {
    parse(yaml, name, Position::default())
}

/// Reads a pipeline that a request sends to be kept under a name, and returns its text.
///
/// # Errors
///
/// None or two are given, or it is not sent but named.
pub(super) fn sent<'a>(asked: Asked<'a>, name: &str) -> Result<(Found, &'a str), ApiError> {
    let invalid = |detail: &str| ApiError::new(ProblemType::InvalidRequest, detail);
    match (
        asked.pipeline.map(PipelineReference::source),
        asked.pipeline_yaml,
    ) {
        (None, Some(yaml)) => Ok((text(yaml, name), yaml)),
        (Some(PipelineSource::Inline(object)), None) => {
            let position = Position::of_pipeline(asked.body);
            Ok((parse(object, name, position), object))
        }
        (Some(PipelineSource::Name(_)), None) => Err(invalid(
            "`pipeline` is a name: send the pipeline itself, as an object, or as a text in \
             `pipeline_yaml`",
        )),
        (None, None) => Err(invalid(
            "no pipeline: give `pipeline_yaml` (a text) or `pipeline` (an object)",
        )),
        (Some(_), Some(_)) => Err(invalid(
            "two pipelines: give `pipeline` or `pipeline_yaml`, not both",
        )),
    }
}

/// Finds the pipeline that a request means, with its text, for those who keep it.
///
/// # Errors
///
/// As [`pipeline`], and the mistakes of one that was sent with some.
pub(super) async fn pipeline_with_text(
    app: &App,
    asked: Asked<'_>,
) -> Result<(Arc<Pipeline>, Arc<str>), ApiError> {
    if let (Some(reference), None) = (asked.pipeline, asked.pipeline_yaml)
        && let PipelineSource::Name(name) = reference.source()
    {
        let found = known_pipeline(app, &name).await?;
        return Ok((found.pipeline, found.text));
    }
    let text: Arc<str> = match (
        asked.pipeline.map(PipelineReference::source),
        asked.pipeline_yaml,
    ) {
        (Some(PipelineSource::Inline(text)), _) | (None, Some(text)) => text.into(),
        _ => "".into(),
    };
    Ok((pipeline(app, asked).await?.usable()?, text))
}

/// The pipeline has no stage of the name that a path gives.
pub(super) fn no_such_stage(pipeline: &Pipeline, id: &str) -> ApiError {
    ApiError::new(ProblemType::NoSuchStage, unknown_stage(pipeline, id))
}

/// Finds the pipeline of a name.
///
/// # Errors
///
/// None is known, or the store cannot be asked for it.
pub(super) async fn known_pipeline(app: &App, name: &str) -> Result<KnownPipeline, ApiError> {
    let found = app.pipelines().find(name).await;
    if let Some(known) = found.map_err(RolloutError::from)? {
        return Ok(known);
    }
    let known = app.pipelines().known().await;
    Err(unknown_pipeline(&known, name))
}

/// No pipeline has this name.
pub(super) fn unknown_pipeline(known: &Known, name: &str) -> ApiError {
    let detail = match known.names().count() {
        0 => format!(
            "unknown pipeline {name:?}: the server knows none, see GET /v1/pipelines; give \
             `pipeline_yaml`, put one with PUT /v1/pipelines/{name}, or start the server with \
             --pipelines"
        ),
        _ => format!(
            "unknown pipeline {name:?}{} known are: {}",
            did_you_mean(name, known.names()),
            list(known.names()),
        ),
    };
    ApiError::new(ProblemType::UnknownPipeline, detail)
}

/// Finds the stage that a request means.
///
/// # Errors
///
/// The pipeline has no such stage, or several and none is named.
pub(super) fn stage<'a>(pipeline: &'a Pipeline, id: Option<&str>) -> Result<&'a Stage, ApiError> {
    let ids = || pipeline.stages.iter().map(|stage| stage.id.as_str());
    let Some(id) = id else {
        return match pipeline.stages.as_slice() {
            [only] => Ok(only),
            stages => Err(ApiError::new(
                ProblemType::InvalidRequest,
                format!(
                    "pipeline {:?} has {} stages: give `stage`, one of: {}",
                    pipeline.name,
                    stages.len(),
                    list(ids())
                ),
            )),
        };
    };
    let found = pipeline.stages.iter().find(|stage| stage.id == id);
    found.ok_or_else(|| ApiError::new(ProblemType::UnknownStage, unknown_stage(pipeline, id)))
}

/// Says that a pipeline has no stage of a name, and which it has.
fn unknown_stage(pipeline: &Pipeline, id: &str) -> String {
    let ids = || pipeline.stages.iter().map(|stage| stage.id.as_str());
    let is_list = ids().any(|known| {
        known
            .strip_prefix(id)
            .is_some_and(|rest| rest.starts_with('.'))
    });
    let hint = if is_list {
        ", which is a list: name one of its sub-stages;".to_owned()
    } else {
        did_you_mean(id, ids())
    };
    format!(
        "unknown stage {id:?} in pipeline {:?}{hint} its stages are: {}",
        pipeline.name,
        list(ids())
    )
}

/// Reads what was sent of the populations.
///
/// # Errors
///
/// 400 for what cannot be used.
pub(super) fn given(
    control: Option<&PopulationOverlay>,
    canary: Option<&PopulationOverlay>,
) -> Result<Populations<Overlay>, ApiError> {
    let overlay = |name: &str, sent: Option<&PopulationOverlay>| {
        let read = sent.map(PopulationOverlay::to_matchers).transpose();
        let read = read.map_err(|error| unusable_population(name, &error))?;
        Ok::<_, ApiError>(Overlay::from(read.unwrap_or_default()))
    };
    Ok(Populations {
        control: overlay("control", control)?,
        canary: overlay("canary", canary)?,
    })
}

/// A population cannot be used.
pub(super) fn unusable_population(name: &str, error: &dyn Display) -> ApiError {
    ApiError::new(ProblemType::InvalidPopulation, format!("{name}: {error}"))
}

fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest_name(name, known).map_or(";".to_owned(), |near| format!(", did you mean {near:?}?"))
}

/// The first names, and how many more there are.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<_> = names.collect();
    let first: Vec<_> = names.iter().take(SHOWN).copied().collect();
    let shown = first.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Where a text starts inside the body, to tell its mistakes by the body's lines.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    lines_before: u32,
    columns_before: u32,
}

impl Position {
    /// Where the object under `pipeline` starts.
    fn of_pipeline(body: &str) -> Self {
        #[derive(Deserialize)]
        struct Places<'a> {
            #[serde(borrow)]
            pipeline: &'a RawValue,
        }
        let Ok(places) = serde_json::from_str::<Places<'_>>(body) else {
            return Self::default();
        };
        // The raw value borrows from the body, so the distance of their starts is its place.
        let start = places.pipeline.get().as_ptr().addr();
        let offset = start.saturating_sub(body.as_ptr().addr());
        let before = body.get(..offset).unwrap_or_default();
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            lines_before: count(before.matches('\n').count()),
            columns_before: count(last_line.chars().count()),
        }
    }

    fn apply(self, mut diagnostic: Diagnostic) -> Diagnostic {
        if diagnostic.line == 1 {
            diagnostic.column = diagnostic.column.saturating_add(self.columns_before);
        }
        diagnostic.line = diagnostic.line.saturating_add(self.lines_before);
        diagnostic
    }
}

fn parse(text: &str, name: &str, position: Position) -> Found {
    match pipeline::parse(text, name) {
        Ok(parsed) => Found::Pipeline(Arc::new(parsed)),
        Err(diagnostics) => Found::Mistakes(
            diagnostics
                .into_iter()
                .map(|diagnostic| position.apply(diagnostic))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_in_a_pipeline_in_place_count_in_the_body() {
        let body = "{\"stage\": \"é\",\n  \"pipeline\": {\"a\": 1,\n \"b\": 2}}";
        let position = Position::of_pipeline(body);
        let at = |line, column| {
            let moved = position.apply(Diagnostic {
                line,
                column,
                path: String::new(),
                message: String::new(),
            });
            (moved.line, moved.column)
        };
        assert_eq!(at(1, 1), (2, 15));
        assert_eq!(at(2, 2), (3, 2));
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<_> = (0..25).map(|index| format!("s{index}")).collect();
        let text = list(names.iter().map(String::as_str));
        assert!(text.ends_with("s19 and 5 more"), "{text}");
    }
}
