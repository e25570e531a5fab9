//! Who asks, how often and whom changes nothing: one history in a real Prometheus, judged by
//! pollers that ask at every interval of two processes in turn, at every tenth, and once.

use std::fmt::Write;

use serde_json::{Value, json};
use serinus_tests::{RealPrometheus, SerinusProcess, Window, now_ms};

use crate::contract::{pipeline_with, request, rfc3339, set};

const INTERVAL_SECONDS: i64 = 30;
const INTERVALS: i64 = 100;
const STAGE_MINUTES: f64 = 40.0;
const SCRAPE_SECONDS: i64 = 15;
/// Scrapes before the stage begins: Prometheus is older than the rollout.
const SECONDS_BEFORE: i64 = 300;
/// Upper bounds of the histogram in milliseconds.
const BOUNDS_MS: [u64; 8] = [50, 100, 130, 160, 180, 200, 300, 500];

#[tokio::test]
async fn any_schedule_of_polls_gives_the_same_evidence_and_the_same_final_verdict()
-> anyhow::Result<()> {
    let start = start_seconds();
    let prometheus = RealPrometheus::start_with_history("", &history(start)).await?;
    let in_turn = [
        SerinusProcess::serve(prometheus.url()).await?,
        SerinusProcess::serve(prometheus.url()).await?,
    ];
    let seldom = SerinusProcess::serve(prometheus.url()).await?;
    let last = INTERVALS - 1;

    for canary in &CANARIES {
        let mut answers: Vec<String> = Vec::new();
        for interval in 0..INTERVALS {
            let asked = in_turn
                .get(usize::try_from(interval % 2)?)
                .expect("two processes");
            answers.push(ask(asked, canary, start, interval).await?);
        }
        let answer = |interval: i64| &answers[usize::try_from(interval).unwrap_or_default()];

        for interval in (9..INTERVALS).step_by(10) {
            let other = ask(&seldom, canary, start, interval).await?;
            assert_eq!(&other, answer(interval), "{} at {interval}", canary.track);
        }
        let fresh = SerinusProcess::serve(prometheus.url()).await?;
        let once = ask(&fresh, canary, start, last).await?;
        assert_eq!(&once, answer(last), "{} asked once", canary.track);

        let verdicts: Vec<String> = answers
            .iter()
            .map(|answer| verdict(answer))
            .collect::<anyhow::Result<_>>()?;
        let reached = verdicts.iter().position(|verdict| verdict == "rollback");
        let after = verdicts.iter().skip(reached.unwrap_or(verdicts.len()));
        assert!(
            after.clone().all(|verdict| verdict == "rollback"),
            "{}: a rollback is final: {verdicts:?}",
            canary.track
        );
        assert_eq!(
            verdicts.last().map(String::as_str),
            Some(canary.verdict),
            "{}: {once}",
            canary.track
        );
        if canary.calms_down {
            assert!(reached.is_some_and(|reached| reached < 80), "{verdicts:?}");
        }
    }
    Ok(())
}

/// When the stage begins: ten minutes after a whole hour, so that no scrape is of the hour before. What pods differed by
/// in minutes of it would count, and would make a test of what is read when.
fn start_seconds() -> i64 {
    const HOUR_SECONDS: i64 = 3_600;
    const AFTER_THE_HOUR: i64 = 600;
    let latest = now_ms() / 1_000 - (INTERVALS + 4) * INTERVAL_SECONDS;
    (latest - AFTER_THE_HOUR).div_euclid(HOUR_SECONDS) * HOUR_SECONDS + AFTER_THE_HOUR
}

/// The second stage begins with what the first has proven, whoever asks, how often, and whether it was ever asked
/// before.
#[tokio::test]
async fn over_the_end_of_a_stage_the_evidence_goes_on_whoever_asks() -> anyhow::Result<()> {
    let start = start_seconds();
    let prometheus = RealPrometheus::start_with_history("", &history(start)).await?;
    let in_turn = [
        SerinusProcess::serve(prometheus.url()).await?,
        SerinusProcess::serve(prometheus.url()).await?,
    ];
    let (ended, last) = (INTERVALS / 2, INTERVALS - 1);
    let mut answers = Vec::new();
    for interval in ended..INTERVALS {
        let asked = &in_turn[usize::try_from(interval % 2)?];
        answers.push(ask_second(asked, start, (ended, interval), true).await?);
    }
    let fresh = SerinusProcess::serve(prometheus.url()).await?;
    let once = ask_second(&fresh, start, (ended, last), true).await?;
    assert_eq!(Some(&once), answers.last());

    let evidence = |answer: &str| -> anyhow::Result<f64> {
        let answer: Value = serde_json::from_str(answer)?;
        let told = answer.pointer("/checks/0/evidence/rollback");
        Ok(told.and_then(Value::as_f64).unwrap_or_default())
    };
    let alone = ask_second(&fresh, start, (ended, last), false).await?;
    let (both, alone) = (evidence(&once)?, evidence(&alone)?);
    assert!(both > 2.0 * alone, "{both}, and {alone} by the stage alone");
    Ok(())
}

/// The answer of the second of two stages, which begins after so many intervals, at the end of an interval.
async fn ask_second(
    serinus: &SerinusProcess,
    start: i64,
    (ended, interval): (i64, i64),
    tells_the_first: bool,
) -> anyhow::Result<String> {
    let at = |interval: i64| rfc3339((start + interval * INTERVAL_SECONDS) * 1_000);
    let mut pipeline = pipeline();
    let stage = json!({
        "traffic_percent": 25,
        "duration_minutes": 25,
        "metrics": ["error_rate < baseline * 1.1"],
    });
    set(
        &mut pipeline,
        "canary_pipeline",
        json!({"first": stage, "second": stage}),
    );
    if let Some(fields) = pipeline.as_object_mut() {
        fields.remove("kill_switch");
    }
    let mut body = request(&pipeline, None)?;
    set(&mut body, "canary", json!({"track": "borderline"}));
    set(&mut body, "stage", json!("second"));
    set(&mut body, "start", json!(at(ended)?));
    set(&mut body, "end", json!(at(interval + 1)?));
    if tells_the_first {
        let first = json!({"stage": "first", "start": at(0)?, "end": at(ended)?});
        set(&mut body, "stages", json!([first]));
    }
    let asked = serinus
        .request(reqwest::Method::POST, "/v1/analyses")
        .json(&body);
    Ok(asked.send().await?.error_for_status()?.text().await?)
}

/// What the stage asks of a canary: one check of every kind of data, and a kill switch.
fn pipeline() -> Value {
    let mut pipeline = pipeline_with(
        &json!({
            "error_rate": {"errors": "requests_total{code=\"500\"}", "total": "requests_total"},
            "latency_p90": {
                "quantile": 0.9, "histogram": "duration_milliseconds", "scale": 0.001,
            },
            "queue_depth": {"gauge": "queue_depth"},
            "crashes": {"events": "crashes_total", "per": "pod_hours"},
        }),
        &json!([
            "error_rate < baseline * 1.1",
            {"check": "latency_p90 < baseline * 1.2", "promote_ratio": 1.5},
            "queue_depth < baseline * 1.5",
            {"check": "crashes < baseline * 3", "critical": false},
        ]),
        STAGE_MINUTES,
    );
    set(
        &mut pipeline,
        "analysis",
        json!({"method": "sequential", "interval": format!("{INTERVAL_SECONDS}s")}),
    );
    set(&mut pipeline, "kill_switch", json!(["queue_depth > 300"]));
    // One pod of four, as the split check wants.
    if let Some(stage) = pipeline.pointer_mut("/canary_pipeline/only") {
        set(stage, "traffic_percent", json!(25));
    }
    pipeline
}

/// The text of the answer for the window from the stage's start to the end of an interval.
async fn ask(
    serinus: &SerinusProcess,
    canary: &Canary,
    start: i64,
    interval: i64,
) -> anyhow::Result<String> {
    let window = Window {
        start_ms: start * 1_000,
        end_ms: (start + (interval + 1) * INTERVAL_SECONDS) * 1_000,
    };
    let mut body = request(&pipeline(), Some(window))?;
    set(&mut body, "canary", json!({"track": canary.track}));
    let asked = serinus
        .request(reqwest::Method::POST, "/v1/analyses")
        .json(&body);
    Ok(asked.send().await?.error_for_status()?.text().await?)
}

fn verdict(answer: &str) -> anyhow::Result<String> {
    let answer: Value = serde_json::from_str(answer)?;
    let verdict = answer.pointer("/verdict").and_then(Value::as_str);
    Ok(verdict.unwrap_or_default().to_owned())
}

/// What a canary does wrong, and from which to which minute of the stage.
struct Canary {
    track: &'static str,
    trouble_minutes: (i64, i64),
    /// Failed requests of a thousand, in trouble and outside of it.
    failures: (u64, u64),
    /// How many times slower than the control it is in trouble, in percent.
    slower_percent: u64,
    /// What waits in its queue in trouble; about 100 otherwise.
    queue: u64,
    /// Scrapes between two crashes in trouble.
    scrapes_per_crash: i64,
    verdict: &'static str,
    /// Whether it is as good as the control again long before the last poll.
    calms_down: bool,
}

const GOOD: Canary = Canary {
    track: "good",
    trouble_minutes: (0, 0),
    failures: (10, 10),
    slower_percent: 100,
    queue: 100,
    scrapes_per_crash: 40,
    verdict: "promote",
    calms_down: false,
};

const CANARIES: [Canary; 7] = [
    GOOD,
    Canary {
        track: "bad",
        trouble_minutes: (5, 60),
        failures: (40, 10),
        slower_percent: 180,
        queue: 250,
        scrapes_per_crash: 2,
        verdict: "rollback",
        ..GOOD
    },
    Canary {
        track: "slow",
        trouble_minutes: (0, 60),
        slower_percent: 170,
        verdict: "rollback",
        ..GOOD
    },
    Canary {
        track: "queueing",
        trouble_minutes: (0, 60),
        queue: 220,
        verdict: "rollback",
        ..GOOD
    },
    // Many failures for twenty minutes, then far fewer than the control: evidence that was enough
    // falls far below what is enough.
    Canary {
        track: "recovering",
        trouble_minutes: (6, 26),
        failures: (50, 2),
        verdict: "rollback",
        calms_down: true,
        ..GOOD
    },
    // Beyond the kill switch for two minutes, and never again.
    Canary {
        track: "spiking",
        trouble_minutes: (20, 22),
        queue: 900,
        verdict: "rollback",
        calms_down: true,
        ..GOOD
    },
    // A little worse, all the time: neither shown to be beyond its limits nor to be within.
    Canary {
        track: "borderline",
        trouble_minutes: (0, 60),
        failures: (14, 14),
        slower_percent: 115,
        queue: 140,
        verdict: "rollback",
        ..GOOD
    },
];

/// A process that is scraped: from when to when, and what it counts.
struct Pod {
    labels: String,
    /// Minutes of the stage.
    lives: (i64, i64),
    restarts_at_minute: Option<i64>,
    /// Minutes in which no scrape succeeds.
    unseen: (i64, i64),
    seed: u64,
}

/// One family of metrics, in the order that the text format wants.
struct Family {
    head: &'static str,
    series: std::collections::BTreeMap<String, String>,
}

impl Family {
    fn new(head: &'static str) -> Self {
        Self {
            head,
            series: std::collections::BTreeMap::new(),
        }
    }

    fn sample(&mut self, series: &str, value: u64, at: i64) {
        let lines = self.series.entry(series.to_owned()).or_default();
        let _ = writeln!(lines, "{series} {value} {at}");
    }

    fn text(&self) -> String {
        let lines: String = self.series.values().map(String::as_str).collect();
        format!("# TYPE {}\n{lines}", self.head)
    }
}

/// The scrapes of three control pods and one pod of each canary. One control pod misses scrapes,
/// one ends, one is born, and every canary restarts once.
fn history(start: i64) -> String {
    let mut families = [
        Family::new("process_start_time_seconds gauge"),
        Family::new("requests counter"),
        Family::new("duration_milliseconds histogram"),
        Family::new("queue_depth gauge"),
        Family::new("crashes counter"),
    ];
    let always = (-100, 100);
    let never = (200, 200);
    let pod = |track: &str, number: u64| Pod {
        labels: format!("track=\"{track}\",instance=\"{track}-{number}:80\""),
        lives: always,
        restarts_at_minute: None,
        unseen: never,
        seed: number + 1,
    };
    let control = [
        Pod {
            unseen: (12, 14),
            ..pod("stable", 0)
        },
        Pod {
            lives: (-100, 30),
            ..pod("stable", 1)
        },
        pod("stable", 2),
        Pod {
            lives: (25, 100),
            ..pod("stable", 3)
        },
    ];
    for one in &control {
        scrape(one, &GOOD, start, &mut families);
    }
    for (number, canary) in (10..).zip(&CANARIES) {
        let one = Pod {
            restarts_at_minute: Some(17),
            ..pod(canary.track, number)
        };
        scrape(&one, canary, start, &mut families);
    }
    let texts: Vec<String> = families.iter().map(Family::text).collect();
    format!("{}# EOF\n", texts.concat())
}

/// Writes all scrapes of a pod.
fn scrape(pod: &Pod, canary: &Canary, start: i64, families: &mut [Family; 5]) {
    let [starts, requests, durations, queue, crashes] = families;
    let labels = &pod.labels;
    let end = start + (INTERVALS + 2) * INTERVAL_SECONDS;
    let mut random = pod.seed;
    let mut process_start = start + pod.lives.0 * 60;
    let (mut served, mut failed, mut slow_sum, mut crashed) = (0, 0, 0, 0);
    let mut below = [0_u64; BOUNDS_MS.len()];
    let first = (start - SECONDS_BEFORE) / SCRAPE_SECONDS;
    for scrape in first..=end / SCRAPE_SECONDS {
        // Scrapes of a target lie at an offset of its own.
        let at = scrape * SCRAPE_SECONDS + i64::try_from(pod.seed % 13).unwrap_or_default();
        let minute = (at - start).div_euclid(60);
        if !(pod.lives.0..pod.lives.1).contains(&minute) {
            continue;
        }
        if pod.restarts_at_minute == Some(minute) && process_start < at - 120 {
            process_start = at - 5;
            (served, failed, slow_sum, crashed) = (0, 0, 0, 0);
            below = [0; BOUNDS_MS.len()];
        }
        let (from, until) = canary.trouble_minutes;
        let is_in_trouble = (from..until).contains(&minute);
        let failures = if is_in_trouble {
            canary.failures.0
        } else {
            canary.failures.1
        };
        let slower = if is_in_trouble {
            canary.slower_percent
        } else {
            100
        };
        for _ in 0..600 {
            served += 1;
            failed += u64::from(draw(&mut random, 1_000) < failures);
            // Triangular between 20 and 220 ms.
            let milliseconds = 20 + draw(&mut random, 101) + draw(&mut random, 101);
            let milliseconds = milliseconds * slower / 100;
            slow_sum += milliseconds;
            for (count, bound) in below.iter_mut().zip(BOUNDS_MS) {
                *count += u64::from(milliseconds <= bound);
            }
        }
        let between = if is_in_trouble {
            canary.scrapes_per_crash
        } else {
            40
        };
        crashed += u64::from(scrape % between == 0);
        if (pod.unseen.0..pod.unseen.1).contains(&minute) {
            continue;
        }
        starts.sample(
            &format!("process_start_time_seconds{{{labels}}}"),
            u64::try_from(process_start).unwrap_or_default(),
            at,
        );
        let code = |code: u16| format!("requests_total{{{labels},code=\"{code}\"}}");
        requests.sample(&code(200), served - failed, at);
        requests.sample(&code(500), failed, at);
        for (count, bound) in below.iter().zip(BOUNDS_MS) {
            let series = format!("duration_milliseconds_bucket{{{labels},le=\"{bound}\"}}");
            durations.sample(&series, *count, at);
        }
        let all = format!("duration_milliseconds_bucket{{{labels},le=\"+Inf\"}}");
        durations.sample(&all, served, at);
        durations.sample(
            &format!("duration_milliseconds_count{{{labels}}}"),
            served,
            at,
        );
        durations.sample(
            &format!("duration_milliseconds_sum{{{labels}}}"),
            slow_sum,
            at,
        );
        let usual = if is_in_trouble { canary.queue } else { 100 };
        let waiting = usual * (80 + draw(&mut random, 41)) / 100;
        queue.sample(&format!("queue_depth{{{labels}}}"), waiting, at);
        crashes.sample(&format!("crashes_total{{{labels}}}"), crashed, at);
    }
}

/// A number below `below`: `SplitMix64`.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % below
}
