//! How the sources find the pods: their configuration, and the files of targets that they watch.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use super::{AGAIN_JOB, JOB, POD_NAME_JOB, Pod, SCRAPE_INTERVAL_MS};
use crate::source_kind::SourceKind;

/// All jobs.
const JOBS: [&str; 3] = [JOB, AGAIN_JOB, POD_NAME_JOB];

/// The configuration for a source that scrapes the fleet once a second, by paths of its own: so a
/// pod knows who asks. Targets come from files in that folder.
pub(super) fn configuration(folder: &Path, kind: SourceKind) -> String {
    let refresh = match kind {
        SourceKind::Prometheus => "\n        refresh_interval: 1s",
        // It has a flag for that.
        SourceKind::VictoriaMetrics => "",
    };
    let mut text = format!(
        "global:\n  scrape_interval: {SCRAPE_INTERVAL_MS}ms\n  scrape_timeout: 900ms\n\
         scrape_configs:\n"
    );
    for job in JOBS {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  - job_name: {job}\n    metrics_path: /metrics/{}/{job}\n    \
             file_sd_configs:\n      - files: [\"{}\"]{refresh}\n",
            kind.name(),
            folder.join(file_name(job)).display()
        );
        if job == POD_NAME_JOB {
            text.push_str("    metric_relabel_configs: [{action: labeldrop, regex: instance}]\n");
        }
    }
    text
}

/// Replaces each file in one step, so that nobody ever reads half of it.
pub(super) fn write(folder: &Path, pods: &[Pod]) -> anyhow::Result<()> {
    for job in JOBS {
        let groups: Vec<serde_json::Value> = pods
            .iter()
            .filter(|pod| pod.is_listed && pod.plan.monitors.jobs().contains(&job))
            .map(|pod| {
                let name = format!("{}-{}", pod.plan.track, pod.number);
                let name_label = pod.plan.monitors.name_label();
                json!({
                    "targets": [pod.address()],
                    "labels": {"track": pod.plan.track, name_label: name},
                })
            })
            .collect();
        let next = folder.join(format!("{job}.next"));
        std::fs::write(&next, serde_json::to_vec(&groups)?)?;
        std::fs::rename(&next, folder.join(file_name(job)))?;
    }
    Ok(())
}

fn file_name(job: &str) -> String {
    format!("{job}.json")
}
