//! What the method of counts answers to scrapes of pods that are born, crash and are repaired, on a real Prometheus:
//! those of the method's behaviours that a judge without a source cannot show. The numbers are those of
//! `analysis/src/judge/tests/behaviours/mod.rs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use serde_json::{Value, json};
use serinus_tests::{RealPrometheus, SerinusProcess, Window, now_ms};

use crate::contract::{pipeline_with, request, set};
use crate::history::{scattered, settled};

const SCRAPE_SECONDS: i64 = 15;
/// What the control has been seen before a rollout begins, and how long a rollout is.
const BEFORE_SECONDS: i64 = 3_600;
const MINUTES: i64 = 30;
const FOR_EVER: i64 = MINUTES * 60 + 1;
/// Five of them and one canary's pod of a quarter of that have 100 requests a second.
const CONTROL_PODS: usize = 5;
const CONTROL_RATE: i64 = 19;
const CANARY_RATE: i64 = 5;
const USUAL: f64 = 0.01;

/// A pod of a track. Times are seconds from the rollout's begin.
struct Pod {
    name: String,
    track: &'static str,
    /// The label that tells what became of a request.
    label: &'static str,
    requests_a_second: i64,
    born: i64,
    dies: i64,
    /// After so many seconds its process is another one.
    restarts_each: Option<i64>,
    /// When nobody scrapes it.
    unseen: Range<i64>,
    /// The part of the requests of a second that fails.
    fails: Box<dyn Fn(i64) -> f64>,
}

impl Pod {
    fn canary(number: i64, born: i64, fails: impl Fn(i64) -> f64 + 'static) -> Self {
        Self {
            name: format!("canary-{number}"),
            track: "canary",
            label: "code",
            requests_a_second: CANARY_RATE,
            born,
            dies: FOR_EVER,
            restarts_each: None,
            unseen: 0..0,
            fails: Box::new(fails),
        }
    }

    fn control(number: usize) -> Self {
        Self {
            name: format!("stable-{number}"),
            track: "stable",
            requests_a_second: CONTROL_RATE,
            ..Self::canary(0, -BEFORE_SECONDS, |_| USUAL)
        }
    }

    /// Its scrapes: the second, the start of its process, and what has succeeded and failed since.
    fn scrapes(&self, number: u64) -> Vec<(i64, i64, [i64; 2])> {
        let (mut start, mut counts, mut scrapes) = (self.born, [0, 0], Vec::new());
        for second in self.born..self.dies.min(FOR_EVER) {
            if self
                .restarts_each
                .is_some_and(|each| second - start >= each)
            {
                (start, counts) = (second, [0, 0]);
            }
            let is_due = second.rem_euclid(SCRAPE_SECONDS) == (number % 10).cast_signed();
            if is_due && !self.unseen.contains(&second) {
                scrapes.push((second, start, counts));
            }
            for request in 0..self.requests_a_second {
                let key = (second + 2 * BEFORE_SECONDS) * 1_000 + request;
                let drawn = scattered(number, key.unsigned_abs()) as f64 / 65_536.0;
                let [good, bad] = &mut counts;
                *(if drawn < (self.fails)(second) {
                    bad
                } else {
                    good
                }) += 1;
            }
        }
        scrapes
    }
}

/// The pods of a service whose control fails one request of a hundred.
fn beside_control(canaries: Vec<Pod>) -> Vec<Pod> {
    let control = (0..CONTROL_PODS).map(Pod::control);
    control.chain(canaries).collect()
}

/// What was scraped of pods, as `OpenMetrics` text. What never failed has no series of failures.
fn scraped(pods: &[Pod], begin_seconds: i64) -> String {
    let mut families = BTreeMap::from([("200", String::new()), ("500", String::new())]);
    let mut starts = "# TYPE process_start_time_seconds gauge\n".to_owned();
    for (number, pod) in (0_u64..).zip(pods) {
        let scrapes = pod.scrapes(number);
        let ever_failed = scrapes.iter().any(|(_, _, counts)| counts[1] > 0);
        let labels = format!(
            "instance=\"{0}:80\",pod=\"{0}\",track=\"{1}\"",
            pod.name, pod.track
        );
        for (second, start, counts) in scrapes {
            let at = begin_seconds + second;
            // Writing to a string cannot fail.
            let start = begin_seconds + start;
            let _ = writeln!(
                starts,
                "process_start_time_seconds{{{labels}}} {start} {at}"
            );
            for ((code, text), count) in families.iter_mut().zip(counts) {
                if *code == "200" || ever_failed {
                    let label = pod.label;
                    let _ = writeln!(
                        text,
                        "http_requests_total{{{labels},{label}=\"{code}\"}} {count} {at}"
                    );
                }
            }
        }
    }
    let requests: String = families.into_values().collect();
    format!("# TYPE http_requests counter\n{requests}{starts}# EOF\n")
}

/// A Serinus beside a Prometheus that has scraped pods during a rollout that ends now.
struct World {
    serinus: SerinusProcess,
    _prometheus: RealPrometheus,
    begin_seconds: i64,
}

impl World {
    /// When a rollout begins that ends now.
    fn next_begin() -> i64 {
        now_ms() / 60_000 * 60 - MINUTES * 60
    }

    async fn of(pods: &[Pod]) -> anyhow::Result<Self> {
        Self::beginning(Self::next_begin(), pods).await
    }

    async fn beginning(begin_seconds: i64, pods: &[Pod]) -> anyhow::Result<Self> {
        let history = scraped(pods, begin_seconds);
        let prometheus = RealPrometheus::start_with_history("", &history).await?;
        Ok(Self {
            serinus: SerinusProcess::serve(prometheus.url()).await?,
            _prometheus: prometheus,
            begin_seconds,
        })
    }

    /// What is told so many minutes after the begin.
    async fn told(&self, pipeline: &Value, minutes: i64) -> anyhow::Result<Told> {
        let start_ms = self.begin_seconds * 1_000;
        let window = Window {
            start_ms,
            end_ms: start_ms + minutes * 60_000,
        };
        Ok(Told(
            settled(&self.serinus, &request(pipeline, Some(window))?).await?,
        ))
    }
}

struct Told(Value);

impl Told {
    fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or("")
    }

    fn verdict(&self) -> &str {
        self.text("/verdict")
    }

    fn assert(&self, verdict: &str, code: &str, says: &[&str]) {
        let (told, reason) = (&self.0, self.text("/gate/reason"));
        assert_eq!(self.verdict(), verdict, "{told}");
        assert_eq!(self.text("/reason_code"), code, "{told}");
        for what in says {
            assert!(reason.contains(what), "{what}: {reason}");
        }
    }

    fn warns(&self, code: &str) -> bool {
        let warnings = self.0.pointer("/warnings").and_then(Value::as_array);
        let warnings = warnings.into_iter().flatten();
        warnings.into_iter().any(|one| one["code"] == code)
    }
}

const FAILURES: &str = "http_requests_total{code=~\"5..\"}";

/// A stage of half an hour that asks for no more failures than the control has, and what else is said.
fn pipeline(errors: &str, more: &[(&str, Value)]) -> Value {
    let mut metric = json!({"errors": errors, "total": "http_requests_total"});
    let mut settings = json!({"split_check": "off"});
    for (key, value) in more {
        let is_of_metric = ["total", "events_may_be_absent"].contains(key);
        let whole = if is_of_metric {
            &mut metric
        } else {
            &mut settings
        };
        set(whole, key, value.clone());
    }
    let checks = json!(["error_rate < baseline * 1.1"]);
    let mut pipeline = pipeline_with(&json!({"error_rate": metric}), &checks, MINUTES as f64);
    set(&mut pipeline, "analysis", settings);
    pipeline
}

/// D8: what a new process fails at first is no harm, neither in two minutes nor in as many as a file says.
#[tokio::test]
async fn d08_a_slow_start_rolls_nothing_back() -> anyhow::Result<()> {
    for (bad_minutes, more) in [(2, vec![]), (4, vec![("warm_up", json!("5m"))])] {
        let fails = move |second| {
            if second < 60 * bad_minutes {
                5.0 * USUAL
            } else {
                USUAL
            }
        };
        let world = World::of(&beside_control(vec![Pod::canary(0, 0, fails)])).await?;
        let pipeline = pipeline(FAILURES, &more);
        for minutes in [3, 5, 7, 10, 15, 20] {
            let told = world.told(&pipeline, minutes).await?;
            assert_ne!(told.verdict(), "rollback", "{minutes}: {}", told.0);
        }
        let told = world.told(&pipeline, MINUTES).await?;
        told.assert("promote", "passed", &[]);
    }
    Ok(())
}

/// D8: a crash is found though its pod is young, and one of an old pod though another is born beside it.
#[tokio::test]
async fn d08_what_is_young_hides_no_crash() -> anyhow::Result<()> {
    let world = World::of(&beside_control(vec![Pod::canary(0, 0, |_| 0.3)])).await?;
    let told = world.told(&pipeline(FAILURES, &[]), 6).await?;
    told.assert("rollback", "check_failed", &[]);

    let breaks = |second| if second < 600 { USUAL } else { 0.3 };
    let (old, late) = (Pod::canary(0, 0, breaks), Pod::canary(1, 590, |_| USUAL));
    let world = World::of(&beside_control(vec![old, late])).await?;
    let told = world.told(&pipeline(FAILURES, &[]), 10).await?;
    assert_ne!(told.verdict(), "rollback", "{}", told.0);
    // The late pod is young until 11 minutes and 50 seconds.
    let told = world.told(&pipeline(FAILURES, &[]), 14).await?;
    told.assert("rollback", "check_failed", &[]);
    let counted = told
        .0
        .pointer("/checks/0/canary/total")
        .and_then(Value::as_f64);
    assert!(counted.is_some_and(|total| total > 4_500.0), "{}", told.0);
    Ok(())
}

/// D25: processes that never become old are judged as they are; where a pod keeps its name its next process is old.
#[tokio::test]
async fn d25_a_crash_loop_is_found() -> anyhow::Result<()> {
    const LIFE: i64 = 50;
    let born = (0..FOR_EVER / LIFE).map(|number| LIFE * number);
    let named_anew = born.map(|born| Pod {
        dies: born + LIFE,
        ..Pod::canary(born / LIFE, born, |_| 0.05)
    });
    let kept = Pod {
        restarts_each: Some(LIFE),
        ..Pod::canary(0, 0, |_| 0.05)
    };
    for (pods, are_new) in [(named_anew.collect(), true), (vec![kept], false)] {
        let world = World::of(&beside_control(pods)).await?;
        let told = world.told(&pipeline(FAILURES, &[]), 10).await?;
        told.assert("rollback", "check_failed", &[]);
        assert_eq!(told.warns("short_lived_processes"), are_new, "{}", told.0);
    }
    Ok(())
}

/// D11, D28: a canary that cannot be seen to fail is not promoted, unless the file says that it may be so.
#[tokio::test]
async fn d11_a_canary_without_a_series_of_failures_holds() -> anyhow::Result<()> {
    let absent = [("events_may_be_absent", json!(true))];
    let repaired = Pod::canary(0, 0, |_| 0.0);
    let renamed = Pod {
        label: "status",
        ..Pod::canary(0, 0, |_| 0.0)
    };
    for (canary, says) in [
        (repaired, "set events_may_be_absent: true"),
        (renamed, "they have status"),
    ] {
        let world = World::of(&beside_control(vec![canary])).await?;
        let told = world.told(&pipeline(FAILURES, &[]), MINUTES).await?;
        told.assert("hold", "canary_events_missing", &[says, "to be expected"]);
        let told = world.told(&pipeline(FAILURES, &absent), MINUTES).await?;
        told.assert("promote", "passed", &[]);
    }
    Ok(())
}

/// D11: nobody fails. A label that nobody has could never tell of it; one that all have could.
#[tokio::test]
async fn d11_where_nobody_fails_the_label_decides() -> anyhow::Result<()> {
    let mut pods = beside_control(vec![Pod::canary(0, 0, |_| 0.0)]);
    for pod in &mut pods {
        pod.fails = Box::new(|_| 0.0);
    }
    let world = World::of(&pods).await?;
    let unknown = pipeline("http_requests_total{status=~\"5..\"}", &[]);
    let told = world.told(&unknown, MINUTES).await?;
    told.assert("hold", "selector_matches_nothing", &["they have code"]);
    let told = world.told(&pipeline(FAILURES, &[]), MINUTES).await?;
    let says = "neither population has a series of the events";
    told.assert("promote", "passed", &[says]);
    assert!(told.warns("no_event_series"), "{}", told.0);
    Ok(())
}

/// D13: more failures than requests in every third interval of the canary.
#[tokio::test]
async fn d13_more_events_than_requests_hold() -> anyhow::Result<()> {
    let fails = |each: i64| move |second: i64| if second / 30 % each == 1 { 0.9 } else { 0.001 };
    let of_the_good = [("total", json!("http_requests_total{code=\"200\"}"))];
    let world = World::of(&beside_control(vec![Pod::canary(0, -60, fails(3))])).await?;
    let told = world
        .told(&pipeline(FAILURES, &of_the_good), MINUTES)
        .await?;
    told.assert(
        "hold",
        "events_exceed_total",
        &["more events than requests in"],
    );
    Ok(())
}

/// A canary that nobody scraped for six minutes, in which both versions had an incident: what it counted comes with
/// the first scrape after it, and is compared with nothing that the control counted at another time. A source is read
/// from tenth minutes of the clock on: of what was before the pause one scrape is seen.
#[tokio::test]
async fn what_a_pause_hid_is_not_compared_with_another_time() -> anyhow::Result<()> {
    const TENTH_MINUTE: i64 = 1_020;
    let begin_seconds = World::next_begin();
    let shift = 300 - (begin_seconds + TENTH_MINUTE + 300).rem_euclid(600);
    let shaken = move |second: i64| match second - shift {
        720..1_000 => 0.2,
        _ => USUAL,
    };
    let mut pods = beside_control(vec![Pod::canary(0, -600, shaken)]);
    for pod in &mut pods {
        pod.fails = Box::new(shaken);
    }
    if let Some(canary) = pods.last_mut() {
        canary.unseen = 710 + shift..1_056 + shift;
    }
    let world = World::beginning(begin_seconds, &pods).await?;
    let ends = (TENTH_MINUTE + shift) / 60 + 1;
    for minutes in ends..ends + 4 {
        let told = world.told(&pipeline(FAILURES, &[]), minutes).await?;
        assert_ne!(told.verdict(), "rollback", "{minutes}: {}", told.0);
    }
    Ok(())
}
