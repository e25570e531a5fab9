//! The words of a pipeline's settings.

use serde::{Deserialize, Serialize};
use serinus_analysis::pipeline as domain;
use utoipa::ToSchema;

use crate::explained::explained_words;

explained_words! {
    /// Which test decides a check.
    pub enum Method {
        /// Evidence over time, valid however often one looks.
        Sequential = "sequential", "Ask as often as you like; it is the default.";
        /// Wilson intervals, valid for a single look.
        Wilson = "wilson", "Ask once, at the end of the stage: every further look adds its own risk.";
        /// Mann-Whitney over the intervals' averages, valid for a single look.
        Kayenta = "kayenta", "Ask once, at the end of the stage; use it where Kayenta is to be followed.";
    }
}

impl From<domain::Method> for Method {
    fn from(method: domain::Method) -> Self {
        match method {
            domain::Method::Sequential => Self::Sequential,
            domain::Method::Wilson => Self::Wilson,
            domain::Method::Kayenta => Self::Kayenta,
        }
    }
}

/// What happens when a stage reaches its longest duration undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnInconclusive {
    /// It goes on holding.
    Hold,
    /// It promotes.
    Promote,
    /// It rolls back.
    Rollback,
}

impl From<domain::OnInconclusive> for OnInconclusive {
    fn from(what: domain::OnInconclusive) -> Self {
        match what {
            domain::OnInconclusive::Hold => Self::Hold,
            domain::OnInconclusive::Promote => Self::Promote,
            domain::OnInconclusive::Rollback => Self::Rollback,
        }
    }
}

/// What happens when the canary does not get the share of the requests that the stage says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitCheck {
    /// The stage holds.
    Hold,
    /// A warning tells it.
    Warn,
    /// Nobody looks.
    Off,
}

impl From<domain::SplitCheck> for SplitCheck {
    fn from(what: domain::SplitCheck) -> Self {
        match what {
            domain::SplitCheck::Hold => Self::Hold,
            domain::SplitCheck::Warn => Self::Warn,
            domain::SplitCheck::Off => Self::Off,
        }
    }
}

/// What happens when the control spans services that the canary has no part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PopulationCheck {
    /// The stage holds.
    Hold,
    /// A warning tells it.
    Warn,
    /// Nobody looks.
    Off,
}

impl From<domain::PopulationCheck> for PopulationCheck {
    fn from(what: domain::PopulationCheck) -> Self {
        match what {
            domain::PopulationCheck::Hold => Self::Hold,
            domain::PopulationCheck::Warn => Self::Warn,
            domain::PopulationCheck::Off => Self::Off,
        }
    }
}
