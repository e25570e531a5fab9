//! A fleet of simulated pods whose counts are known.
//!
//! Every pod is a target of its own on a loopback port. It counts requests and errors by a plan
//! and a seed, and remembers exactly what it served in every scrape. Tests let pods restart, be
//! born, die, and miss scrapes while a real Prometheus reads them once a second.

mod counters;
mod plan;
mod pod;
mod truth;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tempfile::TempDir;

pub use self::plan::PodPlan;
pub use self::pod::Miss;
pub use self::truth::{TrackTruth, Window};

use self::pod::Pod;
use crate::network::wait_until;

/// The `job` label of all pods.
pub(crate) const JOB: &str = "truth";

/// Distance of two scrapes, in milliseconds.
pub(crate) const SCRAPE_INTERVAL_MS: i64 = 1_000;

/// Names a pod of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(usize);

/// A fleet of pods.
#[derive(Debug)]
pub struct TruthFleet {
    folder: TempDir,
    seed: u64,
    pods: Vec<Pod>,
}

impl TruthFleet {
    /// Returns a fleet without pods. The same seed gives the same requests.
    ///
    /// # Errors
    ///
    /// When no temporary folder can be made.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let fleet = Self {
            folder: tempfile::tempdir()?,
            seed,
            pods: Vec::new(),
        };
        fleet.write_targets()?;
        Ok(fleet)
    }

    /// The configuration for a Prometheus that scrapes the fleet once a second. Targets come from
    /// a file that Prometheus watches; it takes up to about ten seconds to follow a change.
    pub fn prometheus_configuration(&self) -> String {
        format!(
            "global:\n  scrape_interval: {SCRAPE_INTERVAL_MS}ms\n  scrape_timeout: 900ms\n\
             scrape_configs:\n  - job_name: {JOB}\n    file_sd_configs:\n      \
             - files: [\"{}\"]\n        refresh_interval: 1s\n",
            self.targets_file().display()
        )
    }

    /// Starts a pod. It is told to Prometheus unless its plan hides it.
    ///
    /// # Errors
    ///
    /// When it cannot listen.
    pub async fn add(&mut self, plan: PodPlan) -> anyhow::Result<PodId> {
        let id = PodId(self.pods.len());
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(id.0 as u64);
        self.pods.push(Pod::start(id.0, plan, seed).await?);
        self.write_targets()?;
        Ok(id)
    }

    /// Tells Prometheus of a pod that was hidden.
    ///
    /// # Errors
    ///
    /// When the targets cannot be written.
    pub fn discover(&mut self, id: PodId) -> anyhow::Result<()> {
        self.pod_mut(id)?.is_listed = true;
        self.write_targets()
    }

    /// Ends a pod's process and starts another in its place after the downtime. Until then the
    /// connection is refused; afterwards all counters start at zero.
    ///
    /// # Errors
    ///
    /// When it cannot listen again.
    pub async fn restart(&mut self, id: PodId, downtime: Duration) -> anyhow::Result<()> {
        let pod = self.pod_mut(id)?;
        pod.stop();
        tokio::time::sleep(downtime).await;
        pod.start_again().await
    }

    /// Ends a pod's process for good, and leaves it among the targets: connections are refused.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn kill(&mut self, id: PodId) -> anyhow::Result<()> {
        self.pod_mut(id)?.stop();
        Ok(())
    }

    /// Takes a pod from the targets. Its process runs on unseen, as in a rolling update.
    ///
    /// # Errors
    ///
    /// When the targets cannot be written.
    pub fn remove(&mut self, id: PodId) -> anyhow::Result<()> {
        self.pod_mut(id)?.is_listed = false;
        self.write_targets()
    }

    /// Lets the next scrapes of a pod fail. What is counted meanwhile is served by the next good
    /// one.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn miss_next(&mut self, id: PodId, count: u32, miss: Miss) -> anyhow::Result<()> {
        self.pod_mut(id)?.state().miss_next(count, miss);
        Ok(())
    }

    /// Waits until every listed pod has served that many scrapes.
    ///
    /// # Errors
    ///
    /// When one has not within the bound.
    pub async fn wait_for_scrapes(&self, count: usize, bound: Duration) -> anyhow::Result<()> {
        wait_until("every pod is scraped", bound, async || {
            let mut listed = self.pods.iter().filter(|pod| pod.is_listed);
            Ok(listed
                .all(|pod| pod.state().served.len() >= count)
                .then_some(()))
        })
        .await
    }

    /// Changes the share of a pod's requests that fail from now on.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn set_error_rate(&mut self, id: PodId, error_rate: f64) -> anyhow::Result<()> {
        self.pod_mut(id)?.state().set_error_rate(error_rate);
        Ok(())
    }

    fn pod_mut(&mut self, id: PodId) -> anyhow::Result<&mut Pod> {
        self.pods.get_mut(id.0).context("no such pod")
    }

    fn targets_file(&self) -> PathBuf {
        self.folder.path().join("targets.json")
    }

    /// Replaces the file in one step, so that Prometheus never reads half of it.
    fn write_targets(&self) -> anyhow::Result<()> {
        let groups: Vec<serde_json::Value> = self
            .pods
            .iter()
            .filter(|pod| pod.is_listed)
            .map(|pod| {
                json!({
                    "targets": [pod.instance()],
                    "labels": {
                        "track": pod.plan.track,
                        "pod": format!("{}-{}", pod.plan.track, pod.number),
                    },
                })
            })
            .collect();
        let next = self.folder.path().join("targets.next");
        std::fs::write(&next, serde_json::to_vec(&groups)?)?;
        std::fs::rename(&next, self.targets_file())?;
        Ok(())
    }
}
