//! What is remembered of a rollout, as the document that the store keeps.

use std::fmt;

use serde::{Deserialize, Serialize};
use serinus_analysis::pipeline::{Diagnostic, Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{AdvanceMode, RolloutState};

use super::beginning::{Earlier, StageStart};
use crate::time::UnixMillis;

/// The id of a stage that its pipeline has, or had when this was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StageId(String);

impl StageId {
    /// The id of a stage.
    pub(crate) fn of(stage: &Stage) -> Self {
        Self(stage.id.clone())
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a stage has this id.
    pub(crate) fn names(&self, stage: &Stage) -> bool {
        self.0 == stage.id
    }
}

impl PartialEq<str> for StageId {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What is remembered of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The text of its pipeline when it was started: a file that changes later changes no rollout
    /// that runs.
    pub pipeline_yaml: String,
    /// Selects the control.
    pub control: Population,
    /// Selects the canary.
    pub canary: Population,
    /// The name of the source; the pipeline's or the default when absent.
    pub source: Option<String>,
    /// Judge without acting.
    pub dry_run: bool,
    /// Who moves it to the next stage.
    pub advance: AdvanceMode,
    /// The stages that have begun.
    pub stages: Begun,
    /// What was recorded last.
    pub decision: Option<Decision>,
    /// As what it ended, of one that is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_as: Option<RolloutState>,
    /// When its caller began another one in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_ms: Option<UnixMillis>,
    /// What is known of a caller that counts steps.
    #[serde(default, skip_serializing_if = "Steps::is_unknown")]
    pub steps: Steps,
    /// The length of its intervals, where its pipeline does not say: as the control was scraped when it began.
    /// The default where that was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u32>,
    /// The version of the method that judges it: 1 where none is said.
    #[serde(default = "first_method")]
    pub method_version: u32,
}

/// The version of the method that judges through all stages.
pub(crate) const METHOD_VERSION: u32 = 2;

fn first_method() -> u32 {
    1
}

/// What is known of a caller whose yes lets the traffic take one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Whether it tells its events: then it also tells how much traffic the canary has.
    #[serde(default)]
    pub tells_events: bool,
    /// When it was given a yes of which it has not told the step.
    #[serde(default)]
    pub allowed_ms: Option<UnixMillis>,
}

impl Steps {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// The stages that have begun, in the order of their beginning. There is always one that the
/// rollout is at: the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<StageRecord>", into = "Vec<StageRecord>")]
pub(crate) struct Begun {
    earlier: Vec<StageRecord>,
    current: StageRecord,
}

/// A stage that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StageRecord {
    stage: StageId,
    started_ms: UnixMillis,
    passed_ms: Option<UnixMillis>,
    /// Where the data ends that it passed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged_until_ms: Option<UnixMillis>,
    /// What a person has decided of it, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overriding: Option<String>,
    /// What its checks found where that does not act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<Found>,
    /// The name of its data, of a stage that is over: later stages are judged with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// Whether it was over before the rollout was judged through all of its stages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_of_before: bool,
}

/// What the checks of a stage found that is judged without acting: the verdict that would have
/// ended it, or that none did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// When it was found.
    pub at_ms: UnixMillis,
}

/// A verdict that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// The stage it is about.
    pub stage: StageId,
    /// The true verdict, also when it is not acted on.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far the stage was.
    pub progress: String,
}

impl StageRecord {
    /// A stage that begins. When it does, only the rule of [`beginning`](super::beginning) says.
    pub(super) fn begins(stage: StageId, start: StageStart) -> Self {
        Self {
            stage,
            started_ms: start.at(),
            passed_ms: None,
            judged_until_ms: None,
            overriding: None,
            found: None,
            sealed: None,
            is_of_before: false,
        }
    }

    /// Its id.
    pub(crate) fn stage(&self) -> &StageId {
        &self.stage
    }

    /// When it began.
    pub(crate) fn started(&self) -> UnixMillis {
        self.started_ms
    }

    /// When it passed, or a person let it pass.
    pub(crate) fn passed(&self) -> Option<UnixMillis> {
        self.passed_ms
    }

    /// Until when its data was judged, as far as that is over: of a stage that is still judged its
    /// beginning.
    fn judged_until(&self) -> UnixMillis {
        self.judged_until_ms.unwrap_or(self.started_ms)
    }

    /// What a person has decided of it.
    pub(super) fn overriding(&self) -> Option<&str> {
        self.overriding.as_deref()
    }

    /// The name of its data, of a stage that is over.
    pub(crate) fn sealed(&self) -> Option<&str> {
        self.sealed.as_deref()
    }

    /// Whether it was over before the rollout was judged through all of its stages: then later ones are not
    /// judged with it.
    pub(crate) fn is_of_before(&self) -> bool {
        self.is_of_before
    }

    /// Whether the evidence of later stages begins anew after it: a person has decided it, or what it has found
    /// did not act.
    pub(crate) fn is_decided(&self) -> bool {
        let is_broken = |found: &Found| found.verdict == Verdict::Rollback;
        self.overriding.is_some() || self.found.as_ref().is_some_and(is_broken)
    }

    /// What its checks found, of a stage that is judged without acting.
    pub(crate) fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }
}

impl Begun {
    /// The first stage begins.
    pub(super) fn first(record: StageRecord) -> Self {
        Self {
            earlier: Vec::new(),
            current: record,
        }
    }

    /// The stage it is at.
    pub(crate) fn current(&self) -> &StageRecord {
        &self.current
    }

    /// All of them, in the order of their beginning.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &StageRecord> {
        self.earlier.iter().chain([&self.current])
    }

    /// The stages that are over, each with the moment at which the next began.
    pub(crate) fn over(&self) -> impl Iterator<Item = (&StageRecord, UnixMillis)> {
        let next = self.iter().skip(1).map(StageRecord::started);
        self.earlier.iter().zip(next)
    }

    /// Remembers the name of the data of a stage that is over.
    pub(super) fn seal(&mut self, stage: &StageId, started: UnixMillis, digest: String) {
        let is_it = |one: &&mut StageRecord| one.stage == *stage && one.started_ms == started;
        if let Some(record) = self.earlier.iter_mut().find(is_it) {
            record.sealed = Some(digest);
        }
    }

    /// The stages that are over were judged each by itself, by an earlier version.
    pub(super) fn leave_behind(&mut self) {
        for record in &mut self.earlier {
            record.is_of_before = true;
        }
    }

    /// What the beginning of another one is held against.
    pub(super) fn earlier(&self) -> Vec<Earlier<'_>> {
        self.iter().map(Earlier::from).collect()
    }

    /// The current stage passes by what was judged until a moment.
    pub(super) fn pass(&mut self, at: UnixMillis, judged_until: UnixMillis) {
        self.current.passed_ms.get_or_insert(at);
        self.current.judged_until_ms.get_or_insert(judged_until);
    }

    /// A person decides the current stage.
    pub(super) fn decide(&mut self, sentence: String) {
        self.current.overriding = Some(sentence);
    }

    /// The checks of the current stage have found something that does not act. What was found
    /// first stays, but that a rollback comes after a promotion.
    pub(super) fn find(&mut self, found: Found) {
        let is_worse = |before: &Found| {
            before.verdict != Verdict::Rollback && found.verdict == Verdict::Rollback
        };
        if self.current.found.as_ref().is_none_or(is_worse) {
            self.current.found = Some(found);
        }
    }

    /// The current stage begins only now.
    pub(super) fn begin_again(&mut self, start: StageStart) {
        self.current.started_ms = start.at();
    }

    /// Another stage begins.
    pub(super) fn begin(&mut self, record: StageRecord) {
        let before = std::mem::replace(&mut self.current, record);
        self.earlier.push(before);
    }
}

impl<'a> From<&'a StageRecord> for Earlier<'a> {
    fn from(record: &'a StageRecord) -> Self {
        Self {
            stage: record.stage.as_str(),
            started: record.started_ms,
            judged_until: record.judged_until(),
        }
    }
}

impl TryFrom<Vec<StageRecord>> for Begun {
    type Error = &'static str;

    fn try_from(mut records: Vec<StageRecord>) -> Result<Self, Self::Error> {
        let current = records.pop().ok_or("no stage has begun")?;
        Ok(Self {
            earlier: records,
            current,
        })
    }
}

impl From<Begun> for Vec<StageRecord> {
    fn from(begun: Begun) -> Self {
        let mut records = begun.earlier;
        records.push(begun.current);
        records
    }
}

impl Document {
    /// The stage it is at.
    pub(crate) fn current(&self) -> &StageRecord {
        self.stages.current()
    }

    /// Whether the stage it is at was allowed its first traffic by a caller that tells its events, and
    /// has not told that yet: then there is nothing to pass by.
    pub(crate) fn awaits_its_traffic(&self) -> bool {
        let is_awaited = self.steps.tells_events && self.steps.allowed_ms.is_some();
        is_awaited && self.current().passed().is_none()
    }

    /// The newest record of a stage that has begun.
    pub(crate) fn record_of(&self, stage: &str) -> Option<&StageRecord> {
        let mut newest_first = self.stages.iter().rev();
        newest_first.find(|record| *record.stage() == *stage)
    }

    /// The same, with what an earlier version left to be concluded: it kept a person's decision of a
    /// stage only as what was recorded last.
    pub(super) fn completed(mut self) -> Self {
        let current = self.stages.current();
        let decided = self.decision.as_ref().filter(|decision| {
            decision.stage == *current.stage()
                && decision.reason_code == ReasonCode::OVERRIDE
                && decision.verdict == Verdict::Promote
        });
        if let Some(decision) = decided
            && current.passed().is_some()
            && current.overriding().is_none()
        {
            let sentence = decision.reason.clone();
            self.stages.decide(sentence);
        }
        self
    }

    /// Reads the pipeline again. What this version refuses and the one that began the rollout did
    /// not is kept as it was meant: a rollout that runs must go on.
    ///
    /// # Errors
    ///
    /// The mistakes, when a newer Serinus can no longer read what an older one did.
    pub(crate) fn pipeline(&self, name: &str) -> Result<Pipeline, Vec<Diagnostic>> {
        let mut pipeline =
            serinus_analysis::pipeline::parse_of_a_rollout(&self.pipeline_yaml, name)?;
        name.clone_into(&mut pipeline.name);
        if let Some(seconds) = self.interval_seconds {
            pipeline.analysis.interval_seconds = seconds;
        }
        // However the control is scraped later, its grid stays.
        pipeline.analysis.is_interval_given = true;
        Ok(pipeline)
    }
}

/// The stage of that id, with its place.
pub(super) fn stage_of<'a>(pipeline: &'a Pipeline, id: &str) -> Option<(usize, &'a Stage)> {
    pipeline
        .stages
        .iter()
        .enumerate()
        .find(|(_, stage)| stage.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that what is found at its traffic changes nothing after an update either.
    #[test]
    fn an_override_of_an_earlier_version_covers_its_stage() {
        let text = r#"{"pipeline_yaml":"","control":{},"canary":{},"source":null,"dry_run":false,
            "advance":"caller","stages":[{"stage":"one","started_ms":5,"passed_ms":7}],
            "decision":{"stage":"one","verdict":"promote","reason_code":"override",
            "reason":"ada decided: an outage","progress":"at one"}}"#;
        let document: Document = serde_json::from_str(text).unwrap();
        assert_eq!(document.current().overriding(), None);
        let completed = document.completed();
        assert_eq!(
            completed.current().overriding(),
            Some("ada decided: an outage")
        );
    }

    /// Stores of earlier versions hold this text.
    #[test]
    fn the_stages_that_have_begun_are_kept_as_a_list() {
        let text = r#"[{"stage":"one","started_ms":5,"passed_ms":7},{"stage":"two","started_ms":8,"passed_ms":null}]"#;
        let begun: Begun = serde_json::from_str(text).unwrap();
        assert_eq!(*begun.current().stage(), *"two");
        assert_eq!(begun.iter().count(), 2);
        assert_eq!(serde_json::to_string(&begun).unwrap(), text);
        assert!(serde_json::from_str::<Begun>("[]").is_err());
    }

    /// Earlier versions accepted these checks: a rollout that they began goes on as it was meant.
    #[test]
    fn a_pipeline_that_this_version_refuses_is_kept_by_its_rollout() {
        let yaml = "canary_pipeline: {one: {traffic_percent: 1, duration_minutes: 2, metrics: \
                    [latency_p99 < 200, error_rate <= 0, throughput > 0]}}";
        assert_eq!(
            serinus_analysis::pipeline::parse(yaml, "shop")
                .unwrap_err()
                .len(),
            3
        );
        let document = Document {
            pipeline_yaml: yaml.to_owned(),
            control: Population::default(),
            canary: Population::default(),
            source: None,
            dry_run: false,
            advance: AdvanceMode::Automatic,
            stages: serde_json::from_str(r#"[{"stage":"one","started_ms":5,"passed_ms":null}]"#)
                .unwrap(),
            decision: None,
            ended_as: None,
            superseded_ms: None,
            steps: Steps::default(),
            interval_seconds: None,
            method_version: METHOD_VERSION,
        };
        let pipeline = document.pipeline("shop").unwrap();
        let limits: Vec<_> = pipeline.stages[0]
            .checks
            .iter()
            .map(|check| check.limit.absolute_value())
            .collect();
        assert_eq!(limits, [Some(200.0), Some(0.0), Some(0.0)]);
    }
}
