//! A fleet behind every real source, and windows of time in which something happens to it.

use std::time::Duration;

use serinus_tests::{PodId, PodPlan, RealSource, SourceKind, TruthFleet, Window, now_ms};

/// Length of the grid's intervals.
pub(super) const INTERVAL_MS: i64 = 2_000;

/// How long discovery and the first scrapes may take.
const FIRST_SCRAPES: Duration = Duration::from_secs(40);

/// From the end of a window until its last scrapes are stored and the pipeline's lag is over.
const STORED_AFTER: Duration = Duration::from_secs(6);

/// The tracks of a fleet: the control's and the canary's.
pub(super) const TRACKS: [&str; 2] = ["stable", "canary"];

/// A fleet and the sources that scrape it.
pub(super) struct Scene {
    pub(super) fleet: TruthFleet,
    pub(super) sources: Vec<RealSource>,
}

impl Scene {
    /// A fleet without pods. The same seed gives the same requests.
    pub(super) fn new(seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            fleet: TruthFleet::new(seed)?,
            sources: Vec::new(),
        })
    }

    /// Adds a pod of a plan to each track.
    pub(super) async fn add_to_both(&mut self, plan: &PodPlan) -> anyhow::Result<[PodId; 2]> {
        let [stable, canary] = TRACKS.map(|track| PodPlan {
            track: track.to_owned(),
            ..plan.clone()
        });
        Ok([self.fleet.add(stable).await?, self.fleet.add(canary).await?])
    }

    /// Starts the sources, and waits until each of them scrapes every pod.
    pub(super) async fn open(&mut self) -> anyhow::Result<()> {
        for kind in SourceKind::chosen()? {
            let configuration = self.fleet.configuration(kind);
            self.sources
                .push(RealSource::start(kind, &configuration).await?);
        }
        for source in &self.sources {
            self.fleet
                .wait_for_scrapes_of(source.kind(), 4, FIRST_SCRAPES)
                .await?;
        }
        Ok(())
    }

    /// Begins a window: sleeps until it does.
    pub(super) async fn begin(&self) -> anyhow::Result<i64> {
        sleep_to_boundary().await
    }

    /// Ends a window that is at least that long, after all of it is stored.
    pub(super) async fn end(&self, start_ms: i64, least: Duration) -> anyhow::Result<Window> {
        let least_end_ms = start_ms + i64::try_from(least.as_millis())?;
        sleep_until_ms(least_end_ms - 1).await?;
        let end_ms = sleep_to_boundary().await?;
        tokio::time::sleep(STORED_AFTER).await;
        Ok(Window { start_ms, end_ms })
    }
}

/// Sleeps to the next boundary of the grid, and returns it.
pub(super) async fn sleep_to_boundary() -> anyhow::Result<i64> {
    let boundary_ms = (now_ms().div_euclid(INTERVAL_MS) + 1) * INTERVAL_MS;
    sleep_until_ms(boundary_ms).await?;
    Ok(boundary_ms)
}

async fn sleep_until_ms(at_ms: i64) -> anyhow::Result<()> {
    let left = u64::try_from((at_ms - now_ms()).max(0))?;
    tokio::time::sleep(Duration::from_millis(left)).await;
    Ok(())
}
