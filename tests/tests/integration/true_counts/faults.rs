//! One thing at a time that exporters, stores and monitors do to counters. Each test runs against
//! every source.

use std::time::Duration;

use serinus_tests::{HistogramSeries, Miss, Monitors, PodId, PodPlan, ToldStart};

use super::readings::{Allowed, Readings};
use super::scene::{Scene, TRACKS};

/// Length of a window in which no target comes or goes.
const SHORT: Duration = Duration::from_secs(28);

/// Length of a window in which one comes: sources take up to ten seconds to find it.
const WITH_DISCOVERY: Duration = Duration::from_secs(32);

/// A pod that fails now and then.
fn failing() -> PodPlan {
    PodPlan {
        error_rate: 0.2,
        ..PodPlan::healthy("")
    }
}

/// A process that tells no start. It has counted for long, so that a fall to a few is a restart and
/// a fall by one is none.
fn untold() -> PodPlan {
    PodPlan {
        told_start: ToldStart::Untold,
        requests_before: 5_000,
        ..failing()
    }
}

/// A scene with a pod of a plan in each track, beside one to which nothing happens.
async fn open_with(plan: &PodPlan) -> anyhow::Result<(Scene, [PodId; 2])> {
    let mut scene = Scene::new(2_026)?;
    scene.add_to_both(&failing()).await?;
    let pods = scene.add_to_both(plan).await?;
    scene.open().await?;
    Ok((scene, pods))
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test]
async fn nothing_happens() -> anyhow::Result<()> {
    let (scene, _) = open_with(&failing()).await?;
    let start_ms = scene.begin().await?;
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |_| true).await
}

#[tokio::test]
async fn pods_of_both_restart_die_and_are_born() -> anyhow::Result<()> {
    restarts_births_and_deaths(&TRACKS).await
}

/// While the canary's pods are new, latency leaves them out. Where only the control's are, the
/// buckets are held against the truth as well.
#[tokio::test]
async fn pods_of_the_control_restart_die_and_are_born() -> anyhow::Result<()> {
    restarts_births_and_deaths(&[TRACKS[0]]).await
}

async fn restarts_births_and_deaths(of_tracks: &[&str]) -> anyhow::Result<()> {
    let mut scene = Scene::new(2_026)?;
    let restarting = scene.add_to_both(&failing()).await?;
    let dying = scene.add_to_both(&failing()).await?;
    let removed = scene.add_to_both(&failing()).await?;
    scene.add_to_both(&failing()).await?;
    scene.open().await?;
    let start_ms = scene.begin().await?;
    pause(1).await;
    let pods = restarting.into_iter().zip(dying).zip(removed);
    for (track, ((restarting, dying), removed)) in of_tracks.iter().zip(pods) {
        let newborn = PodPlan {
            track: (*track).to_owned(),
            error_before_first_scrape: true,
            ..failing()
        };
        scene.fleet.add(newborn).await?;
        scene.fleet.kill(dying)?;
        scene.fleet.remove(removed)?;
        let downtime = Duration::from_millis(1_500);
        scene.fleet.restart(restarting, downtime).await?;
        pause(2).await;
    }
    let window = scene.end(start_ms, WITH_DISCOVERY).await?;
    let is_whole = of_tracks.len() == TRACKS.len();
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| {
        let happened = seen.restarts >= 1 && seen.births_with_error >= 1 && seen.deaths >= 2;
        // Of the track to which nothing happens nothing is seen.
        happened || !is_whole
    })
    .await
}

#[tokio::test]
async fn missed_scrapes_are_made_good_by_the_next() -> anyhow::Result<()> {
    let (scene, pods) = open_with(&failing()).await?;
    let start_ms = scene.begin().await?;
    pause(3).await;
    scene.fleet.miss_next(pods[0], 2, Miss::ServerError)?;
    pause(6).await;
    scene.fleet.miss_next(pods[1], 3, Miss::ConnectionCut)?;
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |_| true).await
}

#[tokio::test]
async fn all_errors_that_are_forgotten_keep_their_counts_and_begin_anew() -> anyhow::Result<()> {
    forget_errors(500, failing()).await
}

#[tokio::test]
async fn one_of_two_errors_that_is_forgotten_keeps_its_count_and_begins_anew() -> anyhow::Result<()>
{
    forget_errors(503, failing()).await
}

#[tokio::test]
async fn errors_are_forgotten_also_where_no_start_is_told() -> anyhow::Result<()> {
    forget_errors(503, untold()).await
}

/// The series that comes back was created anew, and its process was not: the others go on.
#[tokio::test]
async fn a_series_that_was_created_anew_is_no_restart_of_its_target() -> anyhow::Result<()> {
    let told_start = ToldStart::Created;
    forget_errors(
        503,
        PodPlan {
            told_start,
            ..failing()
        },
    )
    .await
}

async fn forget_errors(from_code: u16, plan: PodPlan) -> anyhow::Result<()> {
    let (scene, pods) = open_with(&PodPlan {
        histogram: HistogramSeries::ByCode,
        ..plan
    })
    .await?;
    let start_ms = scene.begin().await?;
    pause(2).await;
    for pod in pods {
        scene.fleet.forget_errors(pod, from_code).await?;
    }
    pause(4).await;
    for pod in pods {
        // Fewer than before: what comes back is lower than what was forgotten.
        scene.fleet.set_error_rate(pod, 0.05)?;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| {
        seen.forgotten >= 1 && seen.returned >= 1 && seen.restarts == 0
    })
    .await
}

#[tokio::test]
async fn a_value_that_is_one_lower_once_is_no_restart_where_the_start_is_told() -> anyhow::Result<()>
{
    let told_start = ToldStart::ProcessStart;
    dip(
        PodPlan {
            told_start,
            ..untold()
        },
        Allowed::Nothing,
    )
    .await
}

#[tokio::test]
async fn a_value_that_is_one_lower_once_is_no_restart_where_created_tells_the_start()
-> anyhow::Result<()> {
    let told_start = ToldStart::Created;
    dip(
        PodPlan {
            told_start,
            ..untold()
        },
        Allowed::Nothing,
    )
    .await
}

#[tokio::test]
async fn a_value_that_is_one_lower_once_is_no_restart_where_no_start_is_told() -> anyhow::Result<()>
{
    dip(untold(), Allowed::EachDipOnce).await
}

async fn dip(plan: PodPlan, allowed: Allowed) -> anyhow::Result<()> {
    let (scene, pods) = open_with(&plan).await?;
    let start_ms = scene.begin().await?;
    pause(6).await;
    for pod in pods {
        scene.fleet.dip(pod)?;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, allowed, |seen| {
        seen.dips >= 1 && seen.restarts == 0
    })
    .await
}

#[tokio::test]
async fn a_restart_shows_in_the_values_where_no_start_is_told() -> anyhow::Result<()> {
    let (mut scene, pods) = open_with(&untold()).await?;
    let start_ms = scene.begin().await?;
    pause(4).await;
    for pod in pods {
        scene.fleet.restart(pod, Duration::from_millis(300)).await?;
        pause(3).await;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| seen.restarts >= 1).await
}

#[tokio::test]
async fn a_restart_that_the_start_tells_is_seen_also_where_no_value_falls() -> anyhow::Result<()> {
    overtaken_restart(ToldStart::ProcessStart).await
}

#[tokio::test]
async fn a_restart_that_only_created_series_tell_is_seen_also_where_no_value_falls()
-> anyhow::Result<()> {
    overtaken_restart(ToldStart::Created).await
}

async fn overtaken_restart(told_start: ToldStart) -> anyhow::Result<()> {
    let (mut scene, pods) = open_with(&PodPlan {
        told_start,
        restart_is_overtaken: true,
        ..failing()
    })
    .await?;
    let start_ms = scene.begin().await?;
    pause(4).await;
    for pod in pods {
        scene.fleet.restart(pod, Duration::from_millis(300)).await?;
        pause(3).await;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| seen.restarts >= 1).await
}

#[tokio::test]
async fn a_birth_that_only_created_series_tell_counts_from_zero() -> anyhow::Result<()> {
    let newborn = PodPlan {
        told_start: ToldStart::Created,
        error_before_first_scrape: true,
        ..failing()
    };
    let (mut scene, _) = open_with(&newborn).await?;
    let start_ms = scene.begin().await?;
    pause(1).await;
    scene.add_to_both(&newborn).await?;
    let window = scene.end(start_ms, WITH_DISCOVERY).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| {
        seen.births_with_error >= 1
    })
    .await
}

#[tokio::test]
async fn a_pod_that_is_found_late_counts_from_its_first_sample_on() -> anyhow::Result<()> {
    let old = PodPlan {
        is_listed: false,
        age: Duration::from_hours(2),
        requests_before: 2_000,
        ..failing()
    };
    let (mut scene, pods) = open_with(&old).await?;
    let start_ms = scene.begin().await?;
    for pod in pods {
        scene.fleet.discover(pod)?;
    }
    let window = scene.end(start_ms, WITH_DISCOVERY).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| {
        seen.late_discoveries >= 1
    })
    .await
}

#[tokio::test]
async fn pods_that_two_monitors_scrape_count_once() -> anyhow::Result<()> {
    let (scene, pods) = open_with(&PodPlan {
        monitors: Monitors::Two,
        ..failing()
    })
    .await?;
    for pod in pods {
        scene.fleet.fall_quiet(pod).await?;
    }
    let start_ms = scene.begin().await?;
    pause(2).await;
    for pod in pods {
        scene.fleet.serve_again(pod)?;
    }
    pause(18).await;
    for pod in pods {
        scene.fleet.fall_quiet(pod).await?;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| {
        seen.scraped_twice >= 1
    })
    .await
}

#[tokio::test]
async fn pods_without_instance_are_told_apart_by_their_name() -> anyhow::Result<()> {
    let plan = PodPlan {
        monitors: Monitors::WithoutInstance,
        ..failing()
    };
    let mut scene = Scene::new(2_026)?;
    let pods = scene.add_to_both(&plan).await?;
    // From these the first have to be told apart.
    scene.add_to_both(&plan).await?;
    scene.open().await?;
    let start_ms = scene.begin().await?;
    pause(4).await;
    for pod in pods {
        scene.fleet.restart(pod, Duration::from_millis(300)).await?;
        pause(3).await;
    }
    let window = scene.end(start_ms, SHORT).await?;
    Readings::of_scene(&scene, window, Allowed::Nothing, |seen| seen.restarts >= 1).await
}
