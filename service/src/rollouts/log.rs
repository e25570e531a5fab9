//! What the log says of a rollout: a line for what was recorded, with the verdict that led there.
//! Polls and intervals without news leave none.

use serinus_openapi::Word;
use serinus_openapi::analysis::{ReasonCode, Verdict};
use serinus_openapi::rollout::EventKind;
use tracing::Level;

use super::live::Live;
use super::trail::TrailEntry;

/// A line of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Line<'a> {
    entry: &'a TrailEntry,
    level: Level,
    verdict: Option<Verdict>,
    reason_code: Option<&'a ReasonCode>,
    reason: Option<&'a str>,
}

/// The lines of what was recorded together. A decision whose consequence stands beside it is told
/// with that.
fn lines(trail: &[TrailEntry]) -> Vec<Line<'_>> {
    let decision = trail.iter().find(|entry| entry.verdict.is_some());
    let has_consequence = trail.iter().any(|entry| implied(entry).is_some());
    let told = trail
        .iter()
        .filter(|entry| entry.verdict.is_none() || !has_consequence);
    told.map(|entry| {
        let implied = implied(entry);
        let why = match implied {
            Some(_) => decision.unwrap_or(entry),
            None => entry,
        };
        let verdict = implied.or(entry.verdict);
        Line {
            entry,
            level: level(entry, verdict),
            verdict,
            reason_code: why.reason_code.as_ref(),
            reason: why.reason.as_deref().or(entry.reason.as_deref()),
        }
    })
    .collect()
}

/// The verdict that an entry is the consequence of.
fn implied(entry: &TrailEntry) -> Option<Verdict> {
    match entry.kind {
        Word::Known(EventKind::RolledBack) => Some(Verdict::Rollback),
        Word::Known(EventKind::StagePassed | EventKind::Promoted) => Some(Verdict::Promote),
        Word::Known(_) | Word::Other(_) => None,
    }
}

/// A rollback is what somebody has to hear of. What is held goes on by itself.
fn level(entry: &TrailEntry, verdict: Option<Verdict>) -> Level {
    match verdict {
        Some(Verdict::Rollback) if entry.kind == EventKind::RolledBack => Level::WARN,
        Some(Verdict::Hold) => Level::DEBUG,
        Some(Verdict::Rollback | Verdict::Promote) | None => Level::INFO,
    }
}

/// What happened, between the name of the rollout and that of the stage.
fn in_words(entry: &TrailEntry) -> &str {
    match &entry.kind {
        Word::Known(kind) => match kind {
            EventKind::Started => "started at",
            EventKind::StageStarted => "is now at",
            EventKind::Decided if entry.acted == Some(false) => "would be decided, and goes on, at",
            EventKind::Decided => "is decided at",
            EventKind::StagePassed => "passed",
            EventKind::Promoted => "was promoted with",
            EventKind::RolledBack => "was rolled back at",
            EventKind::Overridden => "was decided by a person at",
            EventKind::Cancelled => "was cancelled at",
            EventKind::Superseded => "was superseded at",
            EventKind::Closed => "was closed at",
            EventKind::StageLeft => "left, before it had passed,",
            EventKind::WeightUnknown => "does not tell its share of the traffic at",
            EventKind::JudgedAnew => "is judged anew, by another version of the method, at",
        },
        Word::Other(_) => "changed at",
    }
}

/// Tells what was recorded of a rollout.
pub(super) fn tell(live: &Live, trail: &[TrailEntry]) {
    for line in lines(trail) {
        line.write(live);
    }
}

impl Line<'_> {
    fn write(&self, live: &Live) {
        // The level of a line is fixed where it is written.
        macro_rules! write_at {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    verdict = self.verdict.map(Verdict::name),
                    reason_code = self.reason_code.map(ReasonCode::token),
                    rollout.id = %live.id,
                    rollout.key = live.key.as_str(),
                    pipeline.name = live.pipeline_name,
                    stage.id = %self.entry.stage,
                    event = self.entry.kind.name(),
                    caused_by = self.entry.caused_by,
                    reason = self.reason,
                    "{}", self.sentence(live)
                )
            };
        }
        match self.level {
            Level::WARN => write_at!(Level::WARN),
            Level::DEBUG => write_at!(Level::DEBUG),
            _ => write_at!(Level::INFO),
        }
    }

    fn sentence(&self, live: &Live) -> String {
        let verdict = self.verdict.map(|verdict| format!("{}: ", verdict.name()));
        let code = self.reason_code.map(|code| format!(" ({})", code.token()));
        format!(
            "{}rollout {} of {} {} {}{}",
            verdict.unwrap_or_default(),
            live.key,
            live.pipeline_name,
            in_words(self.entry),
            self.entry.stage,
            code.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::StageId;
    use super::*;

    fn entry(kind: EventKind) -> TrailEntry {
        let stage = serde_json::from_str::<StageId>("\"stage_1\"").unwrap();
        TrailEntry::new(kind, &stage, "judge")
    }

    fn decided(verdict: Verdict, acted: Option<bool>) -> TrailEntry {
        TrailEntry {
            verdict: Some(verdict),
            acted,
            reason_code: Some(ReasonCode::NO_DATA),
            ..entry(EventKind::Decided).because("why it is so")
        }
    }

    fn told(trail: &[TrailEntry]) -> Vec<(Level, Option<Verdict>, &str, Option<&str>)> {
        let told = lines(trail).into_iter();
        told.map(|line| {
            let code = line.reason_code.map(ReasonCode::token);
            (line.level, line.verdict, in_words(line.entry), code)
        })
        .collect()
    }

    /// It was as quiet as a hold, in two lines without its verdict.
    #[test]
    fn a_rollback_is_one_warning_with_its_verdict_and_its_reason() {
        let trail = [
            decided(Verdict::Rollback, None),
            entry(EventKind::RolledBack),
        ];
        let warned = (
            Level::WARN,
            Some(Verdict::Rollback),
            "was rolled back at",
            Some("no_data"),
        );
        assert_eq!(told(&trail), [warned]);
        assert_eq!(lines(&trail)[0].reason, Some("why it is so"));
    }

    #[test]
    fn a_stage_that_passed_is_told_with_its_verdict_and_then_where_it_goes_on() {
        let trail = [
            decided(Verdict::Promote, None),
            entry(EventKind::StagePassed),
            entry(EventKind::StageStarted),
        ];
        let promote = Some(Verdict::Promote);
        let passed = (Level::INFO, promote, "passed", Some("no_data"));
        let next = (Level::INFO, None, "is now at", None);
        assert_eq!(told(&trail), [passed, next]);
    }

    #[test]
    fn a_hold_is_quiet_and_what_does_not_act_is_no_warning() {
        let hold = [decided(Verdict::Hold, None)];
        let (level, verdict, ..) = told(&hold)[0];
        assert_eq!((level, verdict), (Level::DEBUG, Some(Verdict::Hold)));
        let dry = [decided(Verdict::Rollback, Some(false))];
        let (level, verdict, ..) = told(&dry)[0];
        assert_eq!((level, verdict), (Level::INFO, Some(Verdict::Rollback)));
    }
}
