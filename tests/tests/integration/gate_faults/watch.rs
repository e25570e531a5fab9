//! One rollout that is polled as a caller does, and what is asked of the answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use serinus_tests::{Reply, SerinusProcess};

use crate::contract::{analyse, rfc3339, set};

/// The longest that any answer may take: callers give up at ten seconds.
const ANSWER_BOUND: Duration = Duration::from_secs(8);

/// How often a caller polls.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Who is rolled out, and where its data is read.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) pipeline: Value,
    pub(super) canary: String,
    pub(super) source: String,
    pub(super) start_ms: i64,
}

/// One answer of a gate.
#[derive(Debug, Clone)]
struct Polled {
    asked_at: Instant,
    answered_at: Instant,
    verdict: String,
    code: String,
}

/// A rollout, and everything that its gate has answered.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) subject: Subject,
    id: String,
    polled: Vec<Polled>,
}

impl Subject {
    /// Starts a rollout.
    pub(super) async fn start(
        self,
        serinus: &SerinusProcess,
        name: String,
    ) -> anyhow::Result<Watched> {
        let asked_at = Instant::now();
        let body = json!({
            "pipeline": self.pipeline,
            "key": name,
            "control": {"track": "stable"},
            "canary": {"track": self.canary},
            "start": rfc3339(self.start_ms)?,
            "source": self.source,
        });
        let reply = serinus.post("/v1/rollouts", &body).await?;
        ensure!(reply.status == 201, "{} {}", reply.status, reply.body);
        ensure!(
            asked_at.elapsed() < ANSWER_BOUND,
            "{name}: the start took {:?}",
            asked_at.elapsed()
        );
        Ok(Watched {
            id: reply.text("/rollout").to_owned(),
            name,
            subject: self,
            polled: Vec::new(),
        })
    }

    /// Starts a rollout by the first call of its gate. The server knows the pipeline, which names
    /// the source.
    pub(super) async fn call(
        self,
        serinus: &SerinusProcess,
        name: String,
    ) -> anyhow::Result<Watched> {
        let more = format!(
            "&control.track=stable&canary.track={}&start={}",
            self.canary,
            rfc3339(self.start_ms)?
        );
        let mut watched = Watched {
            id: String::new(),
            name,
            subject: self,
            polled: Vec::new(),
        };
        let reply = watched.ask(serinus, &more).await?;
        reply.text("/rollout").clone_into(&mut watched.id);
        Ok(watched)
    }

    /// What an analysis of the same window says, read from that source.
    pub(super) async fn analysed(
        &self,
        serinus: &SerinusProcess,
        source: &str,
        end: &Value,
    ) -> anyhow::Result<Value> {
        let mut body = json!({
            "pipeline": self.pipeline,
            "control": {"track": "stable"},
            "canary": {"track": self.canary},
            "start": rfc3339(self.start_ms)?,
            "source": source,
        });
        set(&mut body, "end", end.clone());
        Ok(compared(analyse(serinus, &body).await?.body))
    }
}

/// Everything of an analysis but how many samples it took: that depends on the step they were
/// read at.
fn compared(mut analysis: Value) -> Value {
    if let Some(inputs) = analysis
        .pointer_mut("/inputs")
        .and_then(Value::as_object_mut)
    {
        inputs.remove("queries");
    }
    analysis
}

impl Watched {
    /// Asks the gate twice a second: at least until a time, and until it has come to a verdict, but
    /// not beyond the end.
    pub(super) async fn poll(
        &mut self,
        serinus: &SerinusProcess,
        (at_least, end): (Instant, Instant),
    ) -> anyhow::Result<()> {
        let is_over = |polled: &[Polled]| {
            let has_verdict = polled.last().is_some_and(|one| one.verdict != "hold");
            let until = if has_verdict { at_least } else { end };
            Instant::now() >= until
        };
        while !is_over(&self.polled) {
            let next = Instant::now() + POLL_EVERY;
            self.ask(serinus, "").await?;
            tokio::time::sleep_until(next.into()).await;
        }
        Ok(())
    }

    /// Asks the gate once, with more in the query than the key.
    async fn ask(&mut self, serinus: &SerinusProcess, more: &str) -> anyhow::Result<Reply> {
        let pipeline = self.subject.pipeline["name"].as_str().unwrap_or_default();
        let key = &self.name;
        let path = format!("/v1/pipelines/{pipeline}/stages/only/gate?key={key}{more}");
        let asked_at = Instant::now();
        let reply = Reply::read(serinus.request(Method::GET, &path)).await?;
        let answered_at = Instant::now();
        let shown = format!("{key}: {} {}", reply.status, reply.body);
        ensure!(reply.status == 200, "{shown}");
        ensure!(
            reply.text("/verdict") == reply.text("/gate/verdict"),
            "{shown}"
        );
        ensure!(!reply.text("/gate/reason").is_empty(), "{shown}");
        ensure!(answered_at - asked_at < ANSWER_BOUND, "too slow: {shown}");
        self.polled.push(Polled {
            asked_at,
            answered_at,
            verdict: reply.text("/verdict").to_owned(),
            code: reply.text("/reason_code").to_owned(),
        });
        Ok(reply)
    }

    /// Prints what was seen, and for which reasons it held between two times.
    pub(super) fn report(&self, (from, until): (Instant, Instant)) {
        let after = match self.verdict() {
            Ok((verdict, at)) => {
                let after = at.saturating_duration_since(until);
                format!("{verdict} {:.1} s after", after.as_secs_f64())
            }
            Err(error) => error.to_string(),
        };
        println!(
            "{:<34} {:3} answers, slowest {:4} ms, meanwhile {:?}, then {:?}, {after}",
            self.name,
            self.polled.len(),
            self.slowest().as_millis(),
            self.codes(from, until),
            self.codes(until, Instant::now()),
        );
    }

    /// How long the slowest answer took.
    fn slowest(&self) -> Duration {
        let took = self.polled.iter().map(|one| one.answered_at - one.asked_at);
        took.max().unwrap_or_default()
    }

    /// The answers to what was asked and answered between two times.
    fn between(&self, from: Instant, until: Instant) -> impl Iterator<Item = &Polled> {
        self.polled
            .iter()
            .filter(move |one| one.asked_at >= from && one.answered_at <= until)
    }

    /// How often each reason was given between two times.
    pub(super) fn codes(&self, from: Instant, until: Instant) -> BTreeMap<&str, usize> {
        let mut codes = BTreeMap::new();
        for one in self.between(from, until) {
            *codes.entry(one.code.as_str()).or_insert(0) += 1;
        }
        codes
    }

    /// The last reason given before a time.
    pub(super) fn code_before(&self, at: Instant) -> &str {
        let before = self.polled.iter().rfind(|one| one.answered_at < at);
        before.map_or("", |one| &one.code)
    }

    /// The verdict that the gate came to, and when: it never goes back on it.
    pub(super) fn verdict(&self) -> anyhow::Result<(&str, Instant)> {
        let is_final = |one: &&Polled| one.verdict != "hold";
        let first = self.polled.iter().find(is_final).with_context(|| {
            format!("{} came to no verdict: {:?}", self.name, self.polled.last())
        })?;
        let after = self.polled.iter().skip_while(|one| !is_final(one));
        for one in after {
            ensure!(
                one.verdict == first.verdict && one.code == first.code,
                "{} went back on {first:?}: {one:?}",
                self.name
            );
        }
        Ok((&first.verdict, first.answered_at))
    }

    /// Every answer between two times is `hold`: first for the reasons that came before, then, within
    /// a bound, for that of the fault alone.
    pub(super) fn holds_for(
        &self,
        (from, until): (Instant, Instant),
        before: &[&str],
        (code, within): (&str, Duration),
    ) -> anyhow::Result<()> {
        let mut is_told = false;
        for one in self.between(from, until) {
            let shown = format!("{} wants {code}: {one:?}", self.name);
            ensure!(one.verdict == "hold", "{shown}");
            if one.code == code {
                is_told = true;
                continue;
            }
            ensure!(!is_told && before.contains(&one.code.as_str()), "{shown}");
            let late = one.asked_at.saturating_duration_since(from);
            ensure!(late < within, "after {late:?}: {shown}");
        }
        ensure!(is_told, "{} never told of {code}", self.name);
        Ok(())
    }

    /// The judgement that was recorded, which is the only one of its kind.
    pub(super) async fn recorded(&self, serinus: &SerinusProcess) -> anyhow::Result<Value> {
        let events = serinus
            .get(&format!("/v1/rollouts/{}/events", self.id))
            .await?;
        let all = events.body.pointer("/events").and_then(Value::as_array);
        let decided: Vec<&Value> = all
            .context("no events")?
            .iter()
            .filter(|event| event["kind"] == "decided" && event["verdict"] != "hold")
            .collect();
        ensure!(decided.len() == 1, "{}: {decided:?}", self.name);
        let analysis = decided.first().and_then(|event| event.get("analysis"));
        Ok(compared(analysis.context("no analysis")?.clone()))
    }

    /// The recorded judgement, which has to be what an analysis of the same window says that another
    /// process, or the same, makes now of what that source tells.
    pub(super) async fn judged_as_on(
        &self,
        serinus: &SerinusProcess,
        (other, source): (&SerinusProcess, &str),
    ) -> anyhow::Result<Value> {
        let recorded = self.recorded(serinus).await?;
        let end = recorded.pointer("/window/end").context("no window")?;
        let without = self.subject.analysed(other, source, end).await?;
        ensure!(
            recorded == without,
            "{} was judged otherwise:\n{recorded:#}\nand without the fault:\n{without:#}",
            self.name
        );
        Ok(recorded)
    }
}
