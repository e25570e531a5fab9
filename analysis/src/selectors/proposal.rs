//! Which preset to propose, where metrics of a file are not there and those of a preset are.

use crate::data::{Mismatch, SelectorFinding};
use crate::pipeline::{Preset, presets_of};
use crate::query::QueryError;

use super::{Ask, FileLookup, Looked, LookedLevel, METRIC_NAME};

/// A preset to propose, to be found out step by step as a [`super::Lookup`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The name of the first metric that is not there, as checks say it.
    metric: String,
    /// The names of all metrics that the file reads: what is read already need not be proposed.
    read: Vec<String>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProposalStep {
    /// Ask this; the answer is the next one.
    Ask(Ask),
    /// This is to be said; nothing where no preset fits.
    Say(Option<Looked>),
}

impl Proposal {
    /// Begins with what was found of each lookup of a file. Nothing where every metric is there.
    pub fn of<'a>(
        found: impl IntoIterator<Item = (&'a FileLookup, &'a SelectorFinding)> + Clone,
    ) -> Option<Self> {
        let mut missing = found.clone().into_iter().filter(|(_, finding)| {
            matches!(
                finding,
                SelectorFinding::MatchesNothing(Mismatch::Metric { .. })
            )
        });
        let (first, _) = missing.next()?;
        let read = found
            .into_iter()
            .map(|(one, _)| one.lookup.metric().to_owned());
        Some(Self {
            metric: first.metric.clone(),
            read: read.collect(),
        })
    }

    /// What comes next, after these answers to the questions so far, in their order: the names of all
    /// metrics, then the labels of each preset that could be meant.
    ///
    /// # Errors
    ///
    /// [`QueryError`] where a question cannot be written.
    pub fn next(&self, answers: &[Vec<String>]) -> Result<ProposalStep, QueryError> {
        let Some((names, labels)) = answers.split_first() else {
            return Ok(ProposalStep::Ask(Ask::LabelValues {
                label: METRIC_NAME.to_owned(),
                selectors: Vec::new(),
            }));
        };
        let mut candidates = presets_of(names.iter().map(String::as_str));
        candidates.retain(|preset| !self.reads(preset));
        if let Some(preset) = candidates.get(labels.len()) {
            let selector = preset.errors_parts()?.whole_metric()?;
            return Ok(ProposalStep::Ask(Ask::LabelNames { selector }));
        }
        let fitting = candidates.iter().zip(labels);
        let names: Vec<&str> = fitting
            .filter(|(preset, labels)| preset.is_of(labels))
            .map(|(preset, _)| preset.name)
            .collect();
        Ok(ProposalStep::Say(self.said_of(&names)))
    }

    fn reads(&self, preset: &Preset) -> bool {
        let total = preset.total_parts();
        total.is_ok_and(|total| self.read.iter().any(|read| read == total.metric()))
    }

    fn said_of(&self, names: &[&str]) -> Option<Looked> {
        let (last, others) = names.split_last()?;
        let message = match others.first() {
            None => format!(
                "this Prometheus has the metrics of the preset {last}: write preset: {last}"
            ),
            Some(first) => format!(
                "this Prometheus has the metrics of the presets {} and {last}: write preset: {first}, \
                 or another of them",
                others.join(", ")
            ),
        };
        Some(Looked {
            metric: self.metric.clone(),
            level: LookedLevel::Hint,
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::of_file;
    use super::*;
    use crate::pipeline::parse;
    use crate::series::Populations;

    const FILE: &str = "
control: {job: shop, track: stable}
canary: {job: shop, track: canary}
canary_pipeline:
  a: {traffic_percent: 5, duration_minutes: 60, metrics: [error_rate < 1%]}
";

    /// What is proposed to a file by a source with these metrics, which all have these labels.
    fn proposed(file: &str, names: &[&str], labels: &[&str]) -> Option<String> {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let pipeline = parse(file, "test").unwrap();
        let lookups = of_file(
            &pipeline,
            Populations {
                control: &pipeline.control,
                canary: &pipeline.canary,
            },
        );
        let found: Vec<SelectorFinding> = lookups
            .iter()
            .map(|one| {
                if names.contains(&one.lookup.metric()) {
                    return SelectorFinding::CouldMatch;
                }
                SelectorFinding::MatchesNothing(Mismatch::Metric {
                    metric: one.lookup.metric().to_owned(),
                    near: Vec::new(),
                })
            })
            .collect();
        let proposal = Proposal::of(lookups.iter().zip(&found))?;
        let mut answers = vec![];
        loop {
            match proposal.next(&answers).unwrap() {
                ProposalStep::Say(said) => return said.map(|said| said.to_string()),
                ProposalStep::Ask(Ask::LabelValues { selectors, .. }) if selectors.is_empty() => {
                    answers.push(texts(names));
                }
                ProposalStep::Ask(_) => answers.push(texts(labels)),
            }
        }
    }

    #[test]
    fn the_preset_whose_metrics_are_there_is_proposed() {
        assert_eq!(
            proposed(FILE, &["up", "istio_requests_total"], &["reporter", "response_code"]),
            Some(
                "error_rate: this Prometheus has the metrics of the preset istio: write preset: istio"
                    .to_owned()
            )
        );
    }

    #[test]
    fn presets_that_cannot_be_told_apart_are_all_named() {
        let names = [
            "envoy_cluster_upstream_rq_xx",
            "envoy_cluster_upstream_rq_completed",
        ];
        let labels = ["envoy_cluster_name", "envoy_response_code_class"];
        assert_eq!(
            proposed(FILE, &names, &labels),
            Some(
                "error_rate: this Prometheus has the metrics of the presets envoy, contour, gloo and \
                 kuma: write preset: envoy, or another of them"
                    .to_owned()
            )
        );
    }

    #[test]
    fn nothing_is_proposed_where_the_files_own_metrics_are_there() {
        let names = ["http_requests_total", "istio_requests_total"];
        assert_eq!(
            proposed(FILE, &names, &["code", "response_code", "reporter"]),
            None
        );
    }

    #[test]
    fn a_preset_is_not_proposed_to_a_file_that_reads_it_already() {
        let file = format!(
            "preset: micrometer{}",
            FILE.replace("error_rate", "latency_p99")
        );
        let file = file
            .replace("< 1%", "< 1s")
            .replace("[latency", "[error_rate < 1%, latency");
        let names = ["http_server_requests_seconds_count"];
        assert_eq!(proposed(&file, &names, &["status", "uri"]), None);
    }

    #[test]
    fn nothing_is_proposed_where_the_labels_are_another_projects() {
        let names = ["http_request_duration_seconds_count"];
        assert_eq!(proposed(FILE, &names, &["code", "method"]), None);
    }
}
