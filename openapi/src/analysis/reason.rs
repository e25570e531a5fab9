//! Why a verdict or an outcome is what it is.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serinus_analysis::judge;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::explained::{self, Explained, explained_words, one_line};

/// Why a verdict or an outcome is what it is, as a stable token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReasonCode {
    /// What the judge says.
    Judge(judge::ReasonCode),
    /// What the judge itself never says.
    Rollout(RolloutReason),
    /// A token that this version does not give: it was written by another one that shares the
    /// store, or that answers a caller of this one. It is passed on as it is.
    Other(String),
}

explained_words! {
    /// Why a rollout is where it is, when no judge has said so.
    pub enum RolloutReason {
        /// A human decided.
        Override = "override", "Follow the verdict; the trail says who decided, and why.";
        /// What happens cannot be recorded, so nothing is decided.
        StoreUnavailable = "store_unavailable",
            "Make room on the disk of the store, or repair it: it goes on by itself then.";
        /// The rollout was cancelled, or it is over and its caller has said so.
        Cancelled = "cancelled",
            "Nothing, or stop the polls: the next `POST` with its key, or `GET` of the first stage's gate, \
             begins another attempt.";
        /// Another rollout of the same caller began in its place.
        Superseded = "superseded", "Look at the other one; this one is judged no more.";
        /// The rollout has not come to this stage.
        NotReached = "not_reached",
            "Wait until the stages before have passed. `POST` to the same address, or `advance`, goes on \
             without them.";
        /// The caller went on without this stage.
        Left = "left", "Ask the stage that the rollout is at.";
        /// A shadow stage: it is judged, and its caller goes on when its duration is over.
        ShadowStage = "shadow_stage",
            "Wait until it is over; `true_verdict` says what was found meanwhile.";
        /// A dry run: every stage is judged, and its caller goes on when its duration is over.
        DryRun = "dry_run", "Wait until it is over; `true_verdict` says what a real one would do.";
    }
}

impl ReasonCode {
    /// A human decided.
    pub const OVERRIDE: Self = Self::Rollout(RolloutReason::Override);
    /// What happens cannot be recorded, so nothing is decided.
    pub const STORE_UNAVAILABLE: Self = Self::Rollout(RolloutReason::StoreUnavailable);
    /// The rollout was cancelled, or it is over and its caller has said so.
    pub const CANCELLED: Self = Self::Rollout(RolloutReason::Cancelled);
    /// Another rollout of the same caller began in its place.
    pub const SUPERSEDED: Self = Self::Rollout(RolloutReason::Superseded);
    /// The rollout has not come to this stage.
    pub const NOT_REACHED: Self = Self::Rollout(RolloutReason::NotReached);
    /// The caller went on without this stage.
    pub const LEFT: Self = Self::Rollout(RolloutReason::Left);
    /// A shadow stage.
    pub const SHADOW_STAGE: Self = Self::Rollout(RolloutReason::ShadowStage);
    /// A dry run.
    pub const DRY_RUN: Self = Self::Rollout(RolloutReason::DryRun);
    /// A passed stage, an ended rollout: everything that was needed is shown.
    pub const PASSED: Self = Self::Judge(judge::ReasonCode::Passed);
    /// Not judged yet.
    pub const STILL_COLLECTING: Self = Self::Judge(judge::ReasonCode::StillCollecting);
    /// Nothing that could be judged.
    pub const NO_DATA: Self = Self::Judge(judge::ReasonCode::NoData);

    /// Every code that this version gives.
    fn known() -> impl Iterator<Item = Self> {
        let judged = judge::ReasonCode::ALL.iter().copied().map(Self::Judge);
        judged.chain(RolloutReason::all().into_iter().map(Self::Rollout))
    }

    /// The token.
    pub fn token(&self) -> &str {
        match self {
            Self::Judge(code) => code.token(),
            Self::Rollout(reason) => reason.word(),
            Self::Other(token) => token,
        }
    }
}

impl From<judge::ReasonCode> for ReasonCode {
    fn from(code: judge::ReasonCode) -> Self {
        Self::Judge(code)
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.token())
    }
}

impl<'de> Deserialize<'de> for ReasonCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = String::deserialize(deserializer)?;
        let known = Self::known().find(|code| code.token() == token);
        Ok(known.unwrap_or(Self::Other(token)))
    }
}

impl Explained for ReasonCode {
    fn all() -> Vec<Self> {
        Self::known().collect()
    }

    fn word(&self) -> &str {
        self.token()
    }

    fn meaning(&self) -> String {
        match self {
            Self::Judge(code) => one_line(code.meaning()),
            Self::Rollout(reason) => reason.meaning(),
            Self::Other(_) => "Another version of Serinus gives it.".to_owned(),
        }
    }

    fn advice(&self) -> &str {
        match self {
            Self::Judge(code) => code.advice(),
            Self::Rollout(reason) => reason.advice(),
            Self::Other(_) => "Look at the documents of that version.",
        }
    }
}

impl PartialSchema for ReasonCode {
    fn schema() -> RefOr<Schema> {
        explained::schema::<Self>("Why a verdict or an outcome is what it is, as a stable token.")
    }
}

impl ToSchema for ReasonCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ReasonCode")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::WarningCode;
    use crate::rollout::Event;
    use crate::word::Word;

    #[test]
    fn every_code_is_read_back_and_a_later_one_is_kept() {
        for code in ReasonCode::known() {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(serde_json::from_str::<ReasonCode>(&json).unwrap(), code);
        }
        let later: ReasonCode = serde_json::from_str("\"moon_phase\"").unwrap();
        assert_eq!(later, ReasonCode::Other("moon_phase".to_owned()));
        assert_eq!(serde_json::to_string(&later).unwrap(), "\"moon_phase\"");
    }

    /// A stored answer in which every word that tells something is one of a later version.
    #[test]
    fn an_answer_with_later_words_is_read_and_passed_on_as_it_is() {
        let later = json!("moon_phase");
        let mut event = json!({
            "sequence": 3, "at": "2026-03-01T00:00:00Z", "kind": later, "stage": "stage_1",
            "caused_by": "judge", "verdict": "hold", "reason_code": later,
        });
        let mut answer = crate::examples::hold_answer();
        answer["reason_code"] = later.clone();
        answer["warnings"] = json!([{"code": later, "message": "told"}]);
        let checks = answer["checks"].as_array_mut().unwrap();
        assert!(!checks.is_empty());
        for check in checks {
            for word in ["method", "reason_code", "dispersion_from"] {
                check[word] = later.clone();
            }
            check["wilson"] = json!({"classification": later});
        }
        event["analysis"] = answer;
        let read: Event = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(read.kind, Word::Other("moon_phase".to_owned()));
        assert_eq!(serde_json::to_value(&read).unwrap(), event);
    }

    #[test]
    fn a_word_of_this_version_is_known_when_it_is_read_back() {
        let known: Word<WarningCode> = serde_json::from_str("\"partial_data\"").unwrap();
        assert_eq!(known, WarningCode::PartialData);
        assert_eq!(serde_json::to_string(&known).unwrap(), "\"partial_data\"");
        assert!(serde_json::from_str::<Word<WarningCode>>("7").is_err());
    }
}
