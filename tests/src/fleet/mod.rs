//! A fleet of simulated pods whose counts are known.
//!
//! Every pod is a target of its own on a loopback port. It counts requests and errors by a plan
//! and a seed, and remembers exactly what it served in every scrape, for each source and job that
//! scrapes it. Tests let pods restart, be born, die, miss scrapes, forget series and answer what is
//! a little too low, while real sources read them once a second.

mod counters;
mod exposition;
mod plan;
mod pod;
mod process;
mod targets;
mod truth;

use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

pub use self::plan::{HistogramSeries, Miss, Monitors, PodPlan, ToldStart};
pub use self::truth::{TrackTruth, Window};

use self::pod::Pod;
use crate::network::wait_until;
use crate::source_kind::SourceKind;

/// The `job` label of pods that are scraped as most are.
const JOB: &str = "truth";

/// That of the second job of pods that are scraped twice.
const AGAIN_JOB: &str = "truth-again";

/// That of pods without `instance`.
const POD_NAME_JOB: &str = "truth-by-pod-name";

/// Distance of two scrapes, in milliseconds.
const SCRAPE_INTERVAL_MS: i64 = 1_000;

/// How long to wait until all who scrape have seen what a pod counted.
const SEEN_BOUND: Duration = Duration::from_secs(10);

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

    /// The configuration for a source that scrapes the fleet once a second. Targets come from
    /// files that it watches; it takes up to about ten seconds to follow a change.
    pub fn configuration(&self, kind: SourceKind) -> String {
        targets::configuration(self.folder.path(), kind)
    }

    /// [`TruthFleet::configuration`] for a Prometheus.
    pub fn prometheus_configuration(&self) -> String {
        self.configuration(SourceKind::Prometheus)
    }

    /// Starts a pod. It is told to the sources unless its plan hides it.
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

    /// Tells the sources of a pod that was hidden.
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

    /// Lets the next scrapes of a pod fail, of everyone who scrapes it. What is counted meanwhile is
    /// served by the next good one.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn miss_next(&self, id: PodId, count: u32, miss: Miss) -> anyhow::Result<()> {
        self.pod(id)?.state().miss_next(count, miss);
        Ok(())
    }

    /// Lets the next scrape of a pod, by everyone who scrapes it, be what it saw last with each
    /// counter 1 lower, as a store may answer that keeps one of two samples. Nothing restarted, and
    /// the scrape after that sees all.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn dip(&self, id: PodId) -> anyhow::Result<()> {
        self.pod(id)?.state().dip_next();
        Ok(())
    }

    /// Ends a pod's errors and, once everyone has seen the last of them, shows their series (of 500
    /// and 503, or only of 503) from a code on no more, as an exporter forgets what is idle. The
    /// process lives on; its next error begins them anew.
    ///
    /// # Errors
    ///
    /// When they are not seen within ten seconds.
    pub async fn forget_errors(&self, id: PodId, from_code: u16) -> anyhow::Result<()> {
        let pod = self.pod(id)?;
        pod.state().set_error_rate(0.0);
        wait_until("all errors are seen", SEEN_BOUND, async || {
            Ok(pod.state().forget_errors(from_code).then_some(()))
        })
        .await
    }

    /// Ends a pod's requests, and waits until everyone has seen the last of them.
    ///
    /// # Errors
    ///
    /// When they are not seen within ten seconds.
    pub async fn fall_quiet(&self, id: PodId) -> anyhow::Result<()> {
        let pod = self.pod(id)?;
        pod.state().set_traffic((0, 0));
        wait_until("all requests are seen", SEEN_BOUND, async || {
            Ok(pod.state().is_all_seen().then_some(()))
        })
        .await
    }

    /// Lets a pod serve the requests of its plan again.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn serve_again(&self, id: PodId) -> anyhow::Result<()> {
        let pod = self.pod(id)?;
        pod.state().set_traffic(pod.plan.requests_per_second);
        Ok(())
    }

    /// Changes the share of a pod's requests that fail from now on.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn set_error_rate(&self, id: PodId, error_rate: f64) -> anyhow::Result<()> {
        self.pod(id)?.state().set_error_rate(error_rate);
        Ok(())
    }

    /// Waits until every listed pod has served that many scrapes of Prometheus.
    ///
    /// # Errors
    ///
    /// When one has not within the bound.
    pub async fn wait_for_scrapes(&self, count: usize, bound: Duration) -> anyhow::Result<()> {
        self.wait_for_scrapes_of(SourceKind::Prometheus, count, bound)
            .await
    }

    /// Waits until every listed pod has served that many scrapes of each job of a source.
    ///
    /// # Errors
    ///
    /// When one has not within the bound.
    pub async fn wait_for_scrapes_of(
        &self,
        kind: SourceKind,
        count: usize,
        bound: Duration,
    ) -> anyhow::Result<()> {
        let is_scraped = |pod: &Pod| {
            let state = pod.state();
            pod.plan.monitors.jobs().iter().all(|job| {
                let scraper = state.scraper(kind.name(), job);
                scraper.is_some_and(|scraper| scraper.served.len() >= count)
            })
        };
        wait_until("every pod is scraped", bound, async || {
            let mut listed = self.pods.iter().filter(|pod| pod.is_listed);
            Ok(listed.all(is_scraped).then_some(()))
        })
        .await
    }

    fn pod(&self, id: PodId) -> anyhow::Result<&Pod> {
        self.pods.get(id.0).context("no such pod")
    }

    fn pod_mut(&mut self, id: PodId) -> anyhow::Result<&mut Pod> {
        self.pods.get_mut(id.0).context("no such pod")
    }

    fn write_targets(&self) -> anyhow::Result<()> {
        targets::write(self.folder.path(), &self.pods)
    }
}
