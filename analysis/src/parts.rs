//! The parts of a stage: what is read of the same populations, from the same sources.
//!
//! A metric may select the populations by labels of its own, a population may be on a server of its own,
//! and each region on one. Each part is a stage by itself, with the metrics that are read so; what was
//! read of them is put together again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::matchers::Matchers;
use crate::pipeline::{Check, Metric, Own, Pipeline, PlaceholderError, Stage};
use crate::series::Populations;

/// A part of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// The pipeline, with the kill switches that are of the part's metrics.
    pub pipeline: Cow<'a, Pipeline>,
    /// The stage, with the checks that are of the part's metrics.
    pub stage: Cow<'a, Stage>,
    /// What selects the populations.
    pub populations: Populations<Matchers>,
    /// The configured servers that are read; the default one where nothing is said.
    pub sources: Populations<Option<String>>,
    /// The region, where each has a server of its own.
    pub region: Option<String>,
}

/// Why a metric cannot be read of the populations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot select the {population} of metric {metric:?}: {error}")]
pub struct PartError {
    /// The name of the metric.
    pub metric: String,
    /// `control` or `canary`.
    pub population: &'static str,
    /// What to send.
    pub error: Box<PlaceholderError>,
}

/// What a part is told by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    region: Option<String>,
    /// Whether it is another than the pipeline's own.
    is_other: bool,
    populations: Populations<Matchers>,
    sources: Populations<Option<String>>,
}

impl<'a> Part<'a> {
    /// A stage that is one part.
    pub fn whole(
        pipeline: &'a Pipeline,
        stage: &'a Stage,
        populations: Populations<&Matchers>,
    ) -> Self {
        Self {
            pipeline: Cow::Borrowed(pipeline),
            stage: Cow::Borrowed(stage),
            populations: populations.map(Clone::clone),
            sources: Populations::default(),
            region: None,
        }
    }

    /// Whether the populations are on servers of their own.
    pub fn is_apart(&self) -> bool {
        self.sources.control != self.sources.canary
    }

    /// Divides a stage into its parts: region by region, and of each first what is read of the populations
    /// that are judged. A stage without metrics is one part. `source` is what a caller names in place of
    /// the pipeline's own.
    ///
    /// # Errors
    ///
    /// Everything that the caller has to send, at once.
    pub fn of_stage(
        pipeline: &'a Pipeline,
        stage: &'a Stage,
        populations: Populations<&Matchers>,
        source: Option<&str>,
    ) -> Result<Vec<Self>, Vec<PartError>> {
        let groups = groups(pipeline, stage, populations, source)?;
        let is_whole = groups.len() == 1;
        let parts = groups.into_iter().map(|(told, names)| Self {
            pipeline: if is_whole {
                Cow::Borrowed(pipeline)
            } else {
                Cow::Owned(Pipeline {
                    kill_switch: of_metrics(&pipeline.kill_switch, &names),
                    ..pipeline.clone()
                })
            },
            stage: if is_whole && told.region.is_none() {
                Cow::Borrowed(stage)
            } else {
                Cow::Owned(Stage {
                    checks: of_metrics(&stage.checks, &names),
                    regions: match &told.region {
                        Some(region) => named_by_label(pipeline, region),
                        None => stage.regions.clone(),
                    },
                    ..stage.clone()
                })
            },
            populations: told.populations,
            sources: told.sources,
            region: told.region,
        });
        let mut parts: Vec<Self> = parts.collect();
        if parts.is_empty() {
            let default = source.map(str::to_owned);
            let default = default.or_else(|| pipeline.sources.default.clone());
            parts.push(Self {
                sources: Populations::same(default),
                ..Self::whole(pipeline, stage, populations)
            });
        }
        Ok(parts)
    }
}

/// The metrics of each part.
fn groups<'a>(
    pipeline: &'a Pipeline,
    stage: &'a Stage,
    populations: Populations<&Matchers>,
    source: Option<&str>,
) -> Result<BTreeMap<Told, BTreeSet<&'a str>>, Vec<PartError>> {
    let mut metrics = BTreeMap::<&str, &Metric>::new();
    for check in stage.checks.iter().chain(&pipeline.kill_switch) {
        metrics.insert(&check.measured.name, &check.measured);
    }
    let regions = regions(pipeline, stage);
    let mut errors = Vec::new();
    let mut groups = BTreeMap::<Told, BTreeSet<&str>>::new();
    for (name, metric) in metrics {
        let own = match populations_of_metric(metric, populations) {
            Ok(own) => own,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let is_judged = own.as_ref() == populations;
        for region in &regions {
            let sources = sources(pipeline, metric, region.as_deref(), source);
            let told = Told {
                region: region.clone(),
                is_other: !is_judged,
                populations: own.clone(),
                sources,
            };
            groups.entry(told).or_default().insert(name);
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(groups)
}

/// The populations of one metric: its own, or those that are judged.
///
/// # Errors
///
/// [`PartError`] says what to send.
pub fn populations_of_metric(
    metric: &Metric,
    populations: Populations<&Matchers>,
) -> Result<Populations<Matchers>, PartError> {
    let of = |population, own: &Own, judged: &Matchers| match &own.matchers {
        None => Ok(judged.clone()),
        Some(own) => own.filled(populations).map_err(|error| PartError {
            metric: metric.name.clone(),
            population,
            error: Box::new(error),
        }),
    };
    Ok(Populations {
        control: of("control", &metric.own.control, populations.control)?,
        canary: of("canary", &metric.own.canary, populations.canary)?,
    })
}

/// The regions that are read by themselves: those of the stage, or all, where they have servers of their
/// own.
fn regions(pipeline: &Pipeline, stage: &Stage) -> Vec<Option<String>> {
    if pipeline.sources.regions.is_empty() {
        return vec![None];
    }
    if stage.regions.is_empty() {
        return pipeline.sources.regions.keys().cloned().map(Some).collect();
    }
    stage.regions.iter().cloned().map(Some).collect()
}

/// The servers of a metric: what is said of the metric's population goes before what is said of the
/// population, that before the region's, and that before what is said of all.
fn sources(
    pipeline: &Pipeline,
    metric: &Metric,
    region: Option<&str>,
    source: Option<&str>,
) -> Populations<Option<String>> {
    let names = &pipeline.sources;
    let of_region = region.and_then(|region| names.regions.get(region));
    let of = |own: &Own, population: &Option<String>| {
        let said = own.source.as_ref().or(population.as_ref()).or(of_region);
        said.cloned()
            .or_else(|| source.map(str::to_owned))
            .or_else(|| names.default.clone())
    };
    Populations {
        control: of(&metric.own.control, &names.populations.control),
        canary: of(&metric.own.canary, &names.populations.canary),
    }
}

/// The regions that a part must ask for by their label: its own, where its server is that of others as
/// well. A server of one region alone need not name it.
fn named_by_label(pipeline: &Pipeline, region: &str) -> Vec<String> {
    let all = &pipeline.sources.regions;
    let server = all.get(region);
    let is_shared = all
        .iter()
        .any(|(other, source)| other != region && Some(source) == server);
    if is_shared {
        vec![region.to_owned()]
    } else {
        Vec::new()
    }
}

fn of_metrics(checks: &[Check], names: &BTreeSet<&str>) -> Vec<Check> {
    let is_of_them = |check: &&Check| names.contains(check.measured.name.as_str());
    checks.iter().filter(is_of_them).cloned().collect()
}
