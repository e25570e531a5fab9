//! What is told of a rollout: its verdict, why, and how far it is, in the words that every caller
//! reads. The only place that says it. Source: docs/design/gate.md, "What is told".

use serinus_analysis::pipeline::{Pipeline, Stage};
use serinus_openapi::analysis::{ReasonCode, Verdict};

use super::acting::Acting;
use super::document::{Decision, Found, StageId, StageRecord, stage_of};
use super::live::Present;
use super::standing::Standing;
use super::wording::{self, minutes_of};
use crate::store::RolloutState;

/// What is told of a rollout, or of one stage of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// What the caller is to do.
    pub verdict: Verdict,
    /// Why, as a token.
    pub reason_code: ReasonCode,
    /// Why, in one sentence.
    pub reason: String,
    /// How far it is.
    pub progress: String,
    /// Whether it is judged without acting: a dry run, or a shadow stage.
    pub is_without_acting: bool,
    /// What the checks say and why, where that does not act.
    pub truth: Option<(Verdict, String)>,
}

impl Told {
    /// A `promote` that rests on no judgement.
    pub(super) fn may_go(self, reason: String) -> Self {
        Self {
            verdict: Verdict::Promote,
            reason_code: ReasonCode::PASSED,
            reason,
            ..self
        }
    }

    /// A `hold` that rests on no judgement.
    pub(super) fn stays(self, reason: String) -> Self {
        Self {
            verdict: Verdict::Hold,
            reason_code: ReasonCode::STILL_COLLECTING,
            reason,
            ..self
        }
    }

    /// The same, and what this call itself has changed. That comes last: nothing is to hide why.
    pub(super) fn with_news(self, news: Option<&str>) -> Self {
        match news {
            None => self,
            Some(news) => Self {
                reason: format!("{}; {news}", self.reason),
                ..self
            },
        }
    }

    /// A `hold` of a call that means no rollout that can be told of.
    pub(super) fn of_none(reason_code: ReasonCode, reason: String) -> Self {
        Self {
            verdict: Verdict::Hold,
            reason_code,
            reason,
            progress: "no rollout is known".to_owned(),
            is_without_acting: false,
            truth: None,
        }
    }
}

/// The stage of which something is told.
struct Shown<'a> {
    present: &'a Present,
    pipeline: &'a Pipeline,
    stage: &'a Stage,
    acting: Acting,
    standing: Standing<'a>,
    /// Whether it is told of the rollout, and not of one of its earlier stages.
    is_of_rollout: bool,
}

impl Present {
    /// What is told of one stage, or of the whole rollout.
    pub(crate) fn told(&self, pipeline: &Pipeline, stage: Option<&str>) -> Told {
        let current = self.document.current().stage();
        let id = stage.unwrap_or(current.as_str());
        let Some((_, stage)) = stage_of(pipeline, id) else {
            // Nobody asks for a stage that the pipeline has not: that is looked at before.
            return Told::of_none(
                ReasonCode::NOT_REACHED,
                format!("the pipeline has no stage {id}"),
            );
        };
        let shown = Shown {
            present: self,
            pipeline,
            stage,
            acting: Acting::of(&self.document, pipeline, stage),
            standing: self.standing(pipeline, stage),
            is_of_rollout: *current == *id,
        };
        shown.told()
    }
}

impl Shown<'_> {
    fn told(&self) -> Told {
        match self.present.state {
            RolloutState::RolledBack if self.was_rolled_back_without_acting() => {
                self.rolled_back_without_acting()
            }
            RolloutState::RolledBack => self.rolled_back(),
            RolloutState::Cancelled | RolloutState::Closed => {
                self.hold(ReasonCode::CANCELLED, self.over())
            }
            RolloutState::Superseded => {
                let reason = wording::superseded(self.present.document.superseded_ms);
                self.hold(ReasonCode::SUPERSEDED, reason)
            }
            RolloutState::Promoted if self.is_of_rollout => self.promoted(),
            RolloutState::Promoted | RolloutState::Open => self.of_the_stage(),
        }
    }

    /// Why a rollout holds that is over; a dry run that went to its end goes on saying what it found.
    fn over(&self) -> String {
        let ended_as = self.present.document.ended_as;
        let reason = wording::over(self.present.state, ended_as);
        let is_dry = ended_as
            .is_some_and(|ended| RolloutState::from(ended) == RolloutState::Promoted)
            && self.acting == Acting::DryRun;
        if is_dry {
            let (_, summary) = wording::dry_run(self.present, self.pipeline);
            return format!("{reason}; {summary}");
        }
        reason
    }

    fn of_the_stage(&self) -> Told {
        let id = &self.stage.id;
        match self.standing {
            Standing::Open(record) if self.acting.acts() => self.open(record),
            Standing::Passed(record) if self.acting.acts() => self.passed(record),
            Standing::Open(record) | Standing::Passed(record) => self.without_acting(record),
            Standing::Overridden(record, sentence) => self.overridden(record, sentence),
            Standing::Left(next) => self.hold(ReasonCode::LEFT, wording::left(id, next)),
            Standing::Waiting => self.hold(
                ReasonCode::NOT_REACHED,
                wording::not_reached(self.present.document.current(), self.pipeline, self.stage),
            ),
            // Told before, of the rollout.
            Standing::Failed(_) => self.rolled_back(),
        }
    }

    fn rolled_back(&self) -> Told {
        match &self.present.document.decision {
            Some(decision) => self.decided(Verdict::Rollback, decision),
            None => self.with(
                Verdict::Rollback,
                ReasonCode::OVERRIDE,
                "it was rolled back".to_owned(),
            ),
        }
    }

    /// An earlier version rolled back what was judged without acting, and told `promote` of it: of
    /// every stage of a dry run, and of the shadow stage in which that was found.
    fn was_rolled_back_without_acting(&self) -> bool {
        let document = &self.present.document;
        let by_checks = document
            .decision
            .as_ref()
            .is_some_and(|decision| decision.reason_code != ReasonCode::OVERRIDE);
        by_checks
            && match self.acting {
                Acting::DryRun => true,
                Acting::Shadow => self.is_of_rollout,
                Acting::Acts | Acting::Decided => false,
            }
    }

    fn rolled_back_without_acting(&self) -> Told {
        let (code, name) = self.name_of_acting();
        let decision = self.present.document.decision.as_ref();
        let truth = decision.map(|decision| (Verdict::Rollback, decision.reason.clone()));
        let why = decision.map_or("", |decision| decision.reason.as_str());
        let reason = format!("{name}, over: its checks say rollback: {why}");
        Told {
            truth,
            ..self.with(Verdict::Promote, code, reason)
        }
    }

    /// What a person has decided, and what was found at its traffic since.
    fn overridden(&self, record: &StageRecord, sentence: &str) -> Told {
        let decision = self.present.document.decision.as_ref();
        let found = decision.filter(|decision| {
            decision.stage == *record.stage() && decision.reason_code != ReasonCode::OVERRIDE
        });
        let told = self.with(Verdict::Promote, ReasonCode::OVERRIDE, sentence.to_owned());
        let Some(found) = found else {
            return told;
        };
        let says = found.verdict.name();
        Told {
            reason: format!("{sentence}; since then its checks say {says}"),
            truth: Some((found.verdict, found.reason.clone())),
            ..told
        }
    }

    fn open(&self, record: &StageRecord) -> Told {
        match &self.present.judgement {
            Some(judgement) if judgement.is_of(record) && judgement.verdict == Verdict::Hold => {
                Told {
                    progress: judgement.progress.clone(),
                    ..self.hold(judgement.reason_code.clone(), judgement.reason.clone())
                }
            }
            // What is not recorded is not told.
            _ => self.hold(
                ReasonCode::STILL_COLLECTING,
                format!("{} is not judged yet", record.stage()),
            ),
        }
    }

    fn passed(&self, record: &StageRecord) -> Told {
        let judged = self.present.judgement.as_ref();
        let unrecorded = judged.filter(|judgement| {
            judgement.is_of(record) && judgement.reason_code == ReasonCode::STORE_UNAVAILABLE
        });
        if let Some(judgement) = unrecorded {
            // What was found since cannot be recorded, and so not be told: but it was found.
            return self.hold(judgement.reason_code.clone(), judgement.reason.clone());
        }
        match &self.present.document.decision {
            Some(decision)
                if decision.stage == *record.stage() && decision.verdict == Verdict::Promote =>
            {
                Told {
                    progress: format!("{}, passed", self.progress()),
                    ..self.decided(Verdict::Promote, decision)
                }
            }
            _ => {
                let at = self.present.document.current().stage();
                let reason = format!("{} has passed; the rollout is at {at}", record.stage());
                self.with(Verdict::Promote, ReasonCode::PASSED, reason)
            }
        }
    }

    /// Of a stage that is judged without acting: `hold` for its duration, then `promote`, and the
    /// truth beside it.
    fn without_acting(&self, record: &StageRecord) -> Told {
        let (code, name) = self.name_of_acting();
        let truth = self.truth(record);
        let lasts = wording::duration(self.stage.duration_minutes);
        let (verdict, how_far) = if record.passed().is_some() {
            (Verdict::Promote, format!("{name}, its {lasts} are over"))
        } else {
            let judged = self.present.judgement.as_ref();
            let judged = judged.filter(|judgement| judgement.is_of(record));
            let until = judged.map_or(record.started(), |judgement| judgement.end_ms);
            let over = minutes_of(until.since(record.started()));
            let all = self.stage.duration_minutes;
            (Verdict::Hold, format!("{name}, {over} of {all} minutes"))
        };
        let reason = match &truth {
            Some((verdict, why)) => format!("{how_far}; its checks say {}: {why}", verdict.name()),
            None => how_far,
        };
        Told {
            truth,
            ..self.with(verdict, code, reason)
        }
    }

    fn name_of_acting(&self) -> (ReasonCode, &'static str) {
        let name = self.acting.without_acting();
        name.unwrap_or((ReasonCode::DRY_RUN, "dry run"))
    }

    /// What the checks of a stage say that does not act: what would have ended it, else the newest.
    fn truth(&self, record: &StageRecord) -> Option<(Verdict, String)> {
        let of = |found: &Found| (found.verdict, found.reason.clone());
        let found = record.found();
        if record.passed().is_some() || found.is_some_and(|one| one.verdict == Verdict::Rollback) {
            return found.map(of);
        }
        let judged = self.present.judgement.as_ref();
        let judged = judged.filter(|judgement| judgement.is_of(record));
        judged
            .map(|judgement| (judgement.verdict, judgement.reason.clone()))
            .or_else(|| found.map(of))
    }

    /// Of a rollout of which every stage is over.
    fn promoted(&self) -> Told {
        let told = self.of_the_stage();
        let progress = wording::stages_over(self.present, self.pipeline);
        if self.acting == Acting::DryRun {
            let (truth, summary) = wording::dry_run(self.present, self.pipeline);
            return Told {
                progress,
                reason: summary.clone(),
                truth: Some((truth, summary)),
                ..told
            };
        }
        let reason = match self.standing {
            Standing::Passed(_) if self.acting.acts() => {
                wording::promoted(self.present, self.pipeline)
            }
            _ => told.reason.clone(),
        };
        Told {
            reason,
            progress,
            ..told
        }
    }

    fn hold(&self, code: ReasonCode, reason: String) -> Told {
        self.with(Verdict::Hold, code, reason)
    }

    fn with(&self, verdict: Verdict, reason_code: ReasonCode, reason: String) -> Told {
        Told {
            verdict,
            reason_code,
            reason,
            progress: self.progress(),
            is_without_acting: self.acting.without_acting().is_some()
                || Acting::is_dry_run(&self.present.document, self.pipeline),
            truth: None,
        }
    }

    fn decided(&self, verdict: Verdict, decision: &Decision) -> Told {
        Told {
            progress: decision.progress.clone(),
            ..self.with(
                verdict,
                decision.reason_code.clone(),
                decision.reason.clone(),
            )
        }
    }

    fn progress(&self) -> String {
        let stage = StageId::of(self.stage);
        wording::progress(self.pipeline, &stage)
    }
}

/// What the answer of a call says once: that it left stages.
pub(super) fn news(left: &[StageId], to: &str) -> Option<String> {
    /// As many as a sentence bears.
    const NAMED: usize = 3;
    let names: Vec<&str> = left.iter().take(NAMED).map(StageId::as_str).collect();
    let more = match left.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("{to} begins without {}{more}", names.join(", ")))
}
