//! The counts that Serinus judges are what the scrapes saw: exactly.
//!
//! A fleet of known truth lives behind a real Prometheus that scrapes it once a second, while
//! pods restart, are born, die, are found late and miss scrapes. `make prove-counts` watches it
//! for two whole minutes.

use std::time::{Duration, Instant};

use anyhow::Context;
use serinus_tests::{
    Miss, PodId, PodPlan, RealPrometheus, SerinusProcess, TrackTruth, TruthFleet, Window, now_ms,
};

use crate::contract::{analyse, error_rate_pipeline, request};

/// How long the fleet is watched, in seconds, unless the variable says otherwise.
const DEFAULT_SECONDS: u64 = 45;

/// Names the number of seconds.
const SECONDS_VARIABLE: &str = "SERINUS_COUNTS_SECONDS";

/// The last part of the window is quiet: Prometheus takes up to ten seconds to follow a change
/// of the targets, and a scrape that is missed at the very end leaves counts that belong to the
/// time after the window.
const QUIET_SECONDS: u64 = 16;

/// Length of the grid's intervals, as in [`error_rate_pipeline`].
const INTERVAL_MS: i64 = 5_000;

#[tokio::test]
async fn requests_and_errors_are_exactly_what_the_scrapes_saw() -> anyhow::Result<()> {
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().context(SECONDS_VARIABLE)?,
        Err(_) => DEFAULT_SECONDS,
    };
    let mut story = Story::begin().await?;
    let window = story.play(Duration::from_secs(seconds)).await?;
    // Scrapes up to the window's end are stored, and the pipeline's lag is over.
    tokio::time::sleep(Duration::from_secs(4)).await;

    let truth = story.fleet.truth(&story.prometheus, window).await?;
    let stable = *truth.get("stable").context("no stable pods")?;
    let canary = *truth.get("canary").context("no canary pods")?;
    println!("stable: {stable:?}\ncanary: {canary:?}");
    assert_story_happened(&stable, &canary);

    let serinus = SerinusProcess::serve(story.prometheus.url()).await?;
    let request = request(&error_rate_pipeline(), Some(window))?;
    let reply = analyse(&serinus, &request).await?;
    for (population, truth) in [("control", stable), ("canary", canary)] {
        for (field, expected) in [("events", truth.errors), ("total", truth.requests)] {
            let counted = reply.number(&format!("/checks/0/{population}/{field}"))?;
            println!("{population} {field}: counted {counted}, true {expected}");
            let difference = counted - expected as f64;
            assert!(
                difference.abs() < f64::EPSILON,
                "{population} {field}: counted {counted}, true {expected}: {}",
                reply.body
            );
        }
    }

    let again = analyse(&serinus, &request).await?;
    assert_eq!(again.body, reply.body, "the same question, asked again");
    Ok(())
}

/// Everything that the proof claims to cover must have been seen by the scrapes.
fn assert_story_happened(stable: &TrackTruth, canary: &TrackTruth) {
    for (track, truth) in [("stable", stable), ("canary", canary)] {
        assert!(truth.requests > 1_000, "{track}: {truth:?}");
        assert!(truth.errors > 0, "{track}: {truth:?}");
        assert!(truth.restarts >= 1, "{track}: {truth:?}");
        assert!(truth.births >= 1, "{track}: {truth:?}");
        assert!(truth.deaths >= 1, "{track}: {truth:?}");
        assert!(truth.first_errors >= 1, "{track}: {truth:?}");
        assert!(truth.missed_scrapes >= 2, "{track}: {truth:?}");
    }
    assert!(canary.births_with_error >= 1, "{canary:?}");
    assert!(stable.late_discoveries >= 1, "{stable:?}");
}

/// The fleet and what happens to it.
struct Story {
    fleet: TruthFleet,
    prometheus: RealPrometheus,
    stable: Pods,
    canary: Pods,
    hidden: PodId,
}

/// The pods of one track, by what happens to them.
struct Pods {
    /// Restarts.
    restarting: PodId,
    /// Is killed, or taken from the targets.
    dying: PodId,
    /// Has no error at first.
    faultless: PodId,
    /// Only misses scrapes.
    steady: PodId,
}

impl Pods {
    async fn start(fleet: &mut TruthFleet, track: &str) -> anyhow::Result<Self> {
        let healthy = PodPlan::healthy(track);
        let faultless = PodPlan {
            error_rate: 0.0,
            ..healthy.clone()
        };
        Ok(Self {
            restarting: fleet.add(healthy.clone()).await?,
            dying: fleet.add(healthy.clone()).await?,
            faultless: fleet.add(faultless).await?,
            steady: fleet.add(healthy).await?,
        })
    }
}

impl Story {
    /// Starts the fleet and Prometheus, and waits until every pod is scraped.
    async fn begin() -> anyhow::Result<Self> {
        let mut fleet = TruthFleet::new(2_026)?;
        let stable = Pods::start(&mut fleet, "stable").await?;
        let canary = Pods::start(&mut fleet, "canary").await?;
        let hidden = fleet
            .add(PodPlan {
                is_listed: false,
                error_before_first_scrape: true,
                ..PodPlan::healthy("stable")
            })
            .await?;
        let prometheus = RealPrometheus::start(&fleet.prometheus_configuration()).await?;
        fleet.wait_for_scrapes(4, Duration::from_secs(30)).await?;
        Ok(Self {
            fleet,
            prometheus,
            stable,
            canary,
            hidden,
        })
    }

    /// Lets things happen for that long, and returns the window in which they did: whole
    /// intervals of the grid.
    async fn play(&mut self, length: Duration) -> anyhow::Result<Window> {
        let start_ms = (now_ms() / INTERVAL_MS + 1) * INTERVAL_MS;
        sleep_until_ms(start_ms).await?;
        let started = Instant::now();

        self.let_pods_be_born().await?;
        let last_event = length.saturating_sub(Duration::from_secs(QUIET_SECONDS));
        let mut round = 0;
        while round == 0 || started.elapsed() < last_event {
            self.play_round(round).await?;
            round += 1;
        }

        let length_ms = i64::try_from(length.max(started.elapsed()).as_millis())?;
        let end_ms = (start_ms + length_ms + INTERVAL_MS - 1) / INTERVAL_MS * INTERVAL_MS;
        sleep_until_ms(end_ms).await?;
        Ok(Window { start_ms, end_ms })
    }

    async fn let_pods_be_born(&mut self) -> anyhow::Result<()> {
        let newborn = PodPlan {
            error_before_first_scrape: true,
            ..PodPlan::healthy("canary")
        };
        self.fleet.add(newborn).await?;
        self.fleet.add(PodPlan::healthy("stable")).await?;
        self.fleet.discover(self.hidden)
    }

    /// About twelve seconds in which each kind of thing happens once; the deaths in the first
    /// round only.
    async fn play_round(&mut self, round: u32) -> anyhow::Result<()> {
        let pause = async || tokio::time::sleep(Duration::from_millis(1_300)).await;
        let fleet = &mut self.fleet;
        pause().await;
        fleet
            .restart(self.stable.restarting, Duration::from_millis(2_400))
            .await?;
        fleet.miss_next(self.canary.steady, 1, Miss::ServerError)?;
        fleet.set_error_rate(self.canary.faultless, 0.2)?;
        pause().await;
        // So short that hardly a scrape notices the connection refused.
        fleet
            .restart(self.canary.restarting, Duration::from_millis(300))
            .await?;
        fleet.miss_next(self.stable.steady, 2, Miss::ConnectionCut)?;
        fleet.set_error_rate(self.stable.faultless, 0.2)?;
        pause().await;
        if round == 0 {
            fleet.kill(self.stable.dying)?;
            fleet.remove(self.canary.dying)?;
        }
        pause().await;
        fleet.miss_next(self.canary.steady, 3, Miss::ConnectionCut)?;
        pause().await;
        // An error before the restart and one after: the counter of errors does not fall.
        fleet
            .restart(self.canary.faultless, Duration::from_millis(1_500))
            .await?;
        pause().await;
        Ok(())
    }
}

async fn sleep_until_ms(at_ms: i64) -> anyhow::Result<()> {
    let left = u64::try_from((at_ms - now_ms()).max(0))?;
    tokio::time::sleep(Duration::from_millis(left)).await;
    Ok(())
}
