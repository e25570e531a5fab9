//! The key `source`: which configured Prometheus servers are read.

use std::collections::BTreeMap;

use crate::series::Populations;

use super::cursor::{Cursor, Fields, Problems, shortened};
use super::model::{SourceNames, Stage};
use super::population::read_source;
use super::yaml::Value;

/// Reads the name of one server for all, or a mapping from regions to theirs. Those of the populations
/// stand with them.
pub(super) fn read_sources(
    fields: &Fields<'_>,
    populations: Populations<Option<String>>,
    problems: &mut Problems,
) -> SourceNames {
    let mut sources = SourceNames {
        populations,
        ..SourceNames::default()
    };
    match fields.get("source") {
        Some(value) if matches!(value.value(), Value::Mapping(_)) => {
            sources.regions = read_regions(value, problems);
        }
        Some(value) => sources.default = read_source(value, problems),
        None => {}
    }
    sources
}

fn read_regions(value: &Cursor<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let regions = value.entries("a mapping of regions to configured servers", problems);
    let regions = regions.unwrap_or_default();
    if regions.is_empty() {
        value.problem(problems, "no region: give such as {eu: prometheus-eu}");
    }
    let named = regions.iter().filter_map(|field| {
        let source = read_source(&field.value, problems)?;
        Some((field.key.to_owned(), source))
    });
    named.collect()
}

/// Tells the regions of stages that have no source.
pub(super) fn check_regions(
    sources: &SourceNames,
    section: Option<&Cursor<'_>>,
    stages: &[Stage],
    problems: &mut Problems,
) {
    let Some(section) = section.filter(|_| !sources.regions.is_empty()) else {
        return;
    };
    let known: Vec<&str> = sources.regions.keys().map(String::as_str).collect();
    let mut told: Vec<&str> = Vec::new();
    let all = stages.iter().flat_map(|stage| &stage.regions);
    for region in all.filter(|region| !sources.regions.contains_key(*region)) {
        if told.contains(&region.as_str()) {
            continue;
        }
        told.push(region);
        let message = format!(
            "the region {:?} has no source: add it under \"source\", beside {}",
            shortened(region),
            known.join(", ")
        );
        section.problem(problems, message);
    }
}
