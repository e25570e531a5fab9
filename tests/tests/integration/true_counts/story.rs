//! All that happens to a fleet at once, round after round.

use std::time::{Duration, Instant};

use serinus_tests::{
    HistogramSeries, Miss, Monitors, PodId, PodPlan, ToldStart, TrackTruth, Window,
};

use super::scene::{Scene, sleep_to_boundary};

/// How long a round lasts, about.
const ROUND: Duration = Duration::from_secs(25);

/// The last part of the window is quiet: a scrape that is missed at the very end leaves counts that
/// belong to the time after the window.
const QUIET: Duration = Duration::from_secs(5);

/// The shortest window: sources take up to ten seconds to follow a change of the targets, which is
/// made in the first round.
const SHORTEST: Duration = Duration::from_secs(36);

/// Everything that the proof claims to cover must have been seen by the scrapes.
pub(super) fn assert_story_happened(track: &str, truth: &TrackTruth) {
    assert!(truth.requests > 1_000, "{track}: {truth:?}");
    // Restarts that are told, that only `_created` tells, and that nothing tells.
    assert!(truth.restarts >= 5, "{track}: {truth:?}");
    assert!(truth.births >= 1, "{track}: {truth:?}");
    assert!(truth.births_with_error >= 1, "{track}: {truth:?}");
    assert!(truth.late_discoveries >= 1, "{track}: {truth:?}");
    assert!(truth.deaths >= 1, "{track}: {truth:?}");
    assert!(truth.first_errors >= 1, "{track}: {truth:?}");
    assert!(truth.missed_scrapes >= 2, "{track}: {truth:?}");
    assert!(truth.forgotten >= 1, "{track}: {truth:?}");
    assert!(truth.returned >= 1, "{track}: {truth:?}");
    assert!(truth.dips >= 1, "{track}: {truth:?}");
    assert!(truth.scraped_twice >= 1, "{track}: {truth:?}");
}

/// The fleet and what happens to it: of each kind of pod one of each track.
pub(super) struct Story {
    pub(super) scene: Scene,
    /// Restarts.
    restarting: [PodId; 2],
    /// Is killed, or taken from the targets.
    dying: [PodId; 2],
    /// Has no error at first.
    faultless: [PodId; 2],
    /// Only misses scrapes.
    missing: [PodId; 2],
    /// Is old, and found late.
    hidden: [PodId; 2],
    /// Forgets its errors.
    forgetful: [PodId; 2],
    /// Is one lower for a scrape.
    dipping: [PodId; 2],
    /// Is scraped by two jobs.
    twice: [PodId; 2],
    /// Has a name and no instance, and restarts.
    named: [PodId; 2],
    /// Tells its restarts by `_created` alone.
    created: [PodId; 2],
    /// Does not tell its restarts.
    untold: [PodId; 2],
}

impl Story {
    /// Starts the fleet and the sources, and waits until every pod is scraped.
    pub(super) async fn begin() -> anyhow::Result<Self> {
        let mut scene = Scene::new(2_026)?;
        let healthy = PodPlan::healthy("");
        let failing = PodPlan {
            error_rate: 0.1,
            ..healthy.clone()
        };
        let named = PodPlan {
            monitors: Monitors::WithoutInstance,
            ..failing.clone()
        };
        // From these the others without an instance have to be told apart.
        scene.add_to_both(&named).await?;
        let mut story = Self {
            restarting: scene.add_to_both(&healthy).await?,
            dying: scene.add_to_both(&healthy).await?,
            faultless: scene
                .add_to_both(&PodPlan {
                    error_rate: 0.0,
                    ..healthy.clone()
                })
                .await?,
            missing: scene.add_to_both(&healthy).await?,
            hidden: scene
                .add_to_both(&PodPlan {
                    is_listed: false,
                    age: Duration::from_hours(2),
                    requests_before: 2_000,
                    ..failing.clone()
                })
                .await?,
            forgetful: scene
                .add_to_both(&PodPlan {
                    error_rate: 0.2,
                    histogram: HistogramSeries::ByCode,
                    ..healthy.clone()
                })
                .await?,
            dipping: scene
                .add_to_both(&PodPlan {
                    requests_before: 5_000,
                    ..failing.clone()
                })
                .await?,
            twice: scene
                .add_to_both(&PodPlan {
                    monitors: Monitors::Two,
                    ..failing.clone()
                })
                .await?,
            named: scene.add_to_both(&named).await?,
            created: scene
                .add_to_both(&PodPlan {
                    told_start: ToldStart::Created,
                    restart_is_overtaken: true,
                    ..failing.clone()
                })
                .await?,
            untold: scene
                .add_to_both(&PodPlan {
                    told_start: ToldStart::Untold,
                    requests_before: 5_000,
                    ..failing
                })
                .await?,
            scene,
        };
        story.scene.open().await?;
        Ok(story)
    }

    /// Lets things happen for that long, in a window of whole intervals of the grid. The start of the
    /// window and a time after the first round are told as they come: times at which a rollout may
    /// begin.
    pub(super) async fn play(
        &mut self,
        length: Duration,
        mut begins: impl AsyncFnMut(i64) -> anyhow::Result<()>,
    ) -> anyhow::Result<Window> {
        let start_ms = self.quiet_boundary().await?;
        let started = Instant::now();
        begins(start_ms).await?;
        self.change_targets().await?;
        let mut round = 0;
        while round == 0 || started.elapsed() + ROUND + QUIET < length {
            self.play_round(round).await?;
            if round == 0 {
                let edge_ms = self.quiet_boundary().await?;
                begins(edge_ms).await?;
            }
            round += 1;
        }
        for pod in self.twice {
            self.scene.fleet.fall_quiet(pod).await?;
        }
        let least = length.max(started.elapsed() + QUIET).max(SHORTEST);
        self.scene.end(start_ms, least).await
    }

    /// Sleeps to a boundary of the grid at which both jobs that scrape a pod have seen the same, and
    /// lets it serve on when each of them has scraped it again.
    async fn quiet_boundary(&self) -> anyhow::Result<i64> {
        let fleet = &self.scene.fleet;
        for pod in self.twice {
            fleet.fall_quiet(pod).await?;
        }
        let boundary_ms = sleep_to_boundary().await?;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        for pod in self.twice {
            fleet.serve_again(pod)?;
        }
        Ok(boundary_ms)
    }

    /// Pods are born, found late, killed and taken away.
    async fn change_targets(&mut self) -> anyhow::Result<()> {
        let newborn = PodPlan {
            error_before_first_scrape: true,
            ..PodPlan::healthy("")
        };
        self.scene.add_to_both(&newborn).await?;
        self.scene
            .add_to_both(&PodPlan {
                told_start: ToldStart::Created,
                ..newborn
            })
            .await?;
        for pod in self.hidden {
            self.scene.fleet.discover(pod)?;
        }
        self.scene.fleet.kill(self.dying[0])?;
        self.scene.fleet.remove(self.dying[1])
    }

    /// Each kind of thing happens once; dips in every second round, because what falls all the time
    /// is no counter.
    async fn play_round(&mut self, round: u32) -> anyhow::Result<()> {
        let pause = async || tokio::time::sleep(Duration::from_millis(1_300)).await;
        let fleet = &mut self.scene.fleet;
        for pod in self.forgetful {
            // In the first round all of them, later one of two.
            fleet
                .forget_errors(pod, if round == 0 { 500 } else { 503 })
                .await?;
        }
        if round.is_multiple_of(2) {
            for pod in self.dipping {
                fleet.dip(pod)?;
            }
        }
        pause().await;
        fleet
            .restart(self.restarting[0], Duration::from_millis(2_400))
            .await?;
        fleet.miss_next(self.missing[1], 1, Miss::ServerError)?;
        fleet.set_error_rate(self.faultless[1], 0.2)?;
        pause().await;
        // So short that hardly a scrape notices the connection refused.
        for pod in [self.restarting[1], self.created[0], self.named[1]] {
            fleet.restart(pod, Duration::from_millis(300)).await?;
        }
        fleet.miss_next(self.missing[0], 2, Miss::ConnectionCut)?;
        fleet.set_error_rate(self.faultless[0], 0.2)?;
        pause().await;
        for pod in self.forgetful {
            // Fewer than before: what comes back is lower than what was forgotten.
            fleet.set_error_rate(pod, 0.05)?;
        }
        for pod in [self.untold[0], self.created[1], self.named[0]] {
            fleet.restart(pod, Duration::from_millis(300)).await?;
        }
        pause().await;
        fleet.miss_next(self.missing[1], 3, Miss::ConnectionCut)?;
        fleet
            .restart(self.untold[1], Duration::from_millis(300))
            .await?;
        pause().await;
        // An error before the restart and one after: the counter of errors does not fall.
        for pod in self.faultless {
            fleet.restart(pod, Duration::from_millis(1_500)).await?;
        }
        for pod in self.forgetful {
            // So many by the next round that those which come back then are fewer again.
            fleet.set_error_rate(pod, 0.3)?;
        }
        pause().await;
        pause().await;
        Ok(())
    }
}
