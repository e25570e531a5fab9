//! What the tables of gauges have in common.

use super::super::super::gauges::{
    GaugeLaw, GaugeLooks, GaugeOutcome, GaugeProcess, GaugeTrial, JudgedGauge,
};
use super::super::super::measured::Share;
use super::super::line::{Known, Line, Published};
use crate::proof::gauge::COLD_START_SECONDS;

/// The earliest promotion, in minutes.
const PROMOTED_FROM: f64 = 5.0;

/// A trial as most are.
pub(super) fn usual(name: &str, law: GaugeLaw) -> GaugeTrial {
    GaugeTrial {
        name: name.to_owned(),
        process: GaugeProcess::Chosen(law),
        judged: JudgedGauge::Relative {
            ratio: 1.25,
            offset: 0.0,
        },
        step_seconds: 60.0,
        minutes: 120.0,
        left_out_minutes: 0.0,
        cold_start_seconds: COLD_START_SECONDS,
        looks: GaugeLooks::OfTheDesign,
        promoted_from_minute: PROMOTED_FROM,
    }
}

/// What is asked of the outcomes by some minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Rolled back, whether or not somebody promoted before.
    RolledBack,
    /// Rolled back before a promotion.
    RolledBackFirst,
    /// Promoted before a rollback.
    PromotedFirst,
}

impl Asked {
    fn words(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            Self::RolledBackFirst => "rolled back before a promotion",
            Self::PromotedFirst => "promoted",
        }
    }

    pub(super) fn share(self, trial: &GaugeTrial, outcomes: &[GaugeOutcome], by: f64) -> Share {
        let is_by = |at: Option<usize>| at.is_some_and(|at| trial.minute(at) <= by);
        Share::counted(outcomes, |one| match self {
            Self::RolledBack => is_by(one.rolled_back_at),
            // What ends with a rollback was promoted earlier, or not.
            Self::RolledBackFirst => is_by(one.rolled_back_at) && one.promoted_at.is_none(),
            Self::PromotedFirst => is_by(one.promoted_at),
        })
    }
}

/// The lines of one question by several minutes. Shares only grow, so what is 0 at a later minute is left out before
/// it, and what is 100 % at an earlier one after it.
pub(super) fn by_minutes(
    asked: Asked,
    (trial, outcomes): (&GaugeTrial, &[GaugeOutcome]),
    figures: &[(f64, Published)],
    known: Known,
) -> Vec<Line> {
    let now = |place: usize| figures.get(place).map(|figure| figure.1.now);
    let is_said = |place: usize| {
        let is_nothing = now(place).zip(now(place + 1)) == Some((0.0, 0.0));
        let before = place.checked_sub(1).and_then(now);
        let is_all = now(place).zip(before) == Some((100.0, 100.0));
        !is_nothing && !is_all
    };
    let said = figures
        .iter()
        .enumerate()
        .filter(|(place, _)| is_said(*place));
    said.map(|(_, (by, published))| {
        let share = asked.share(trial, outcomes, *by);
        let quantity = format!("{}: {} by {by} min", trial.name, asked.words());
        let mut line = Line::percent(quantity, share, *published, known);
        if asked == Asked::RolledBack && trial.looks == GaugeLooks::OfTheDesign {
            let is_crossed =
                |one: &GaugeOutcome| one.crossed_at.is_some_and(|at| trial.minute(at) <= *by);
            let crossed = Share::counted(outcomes, is_crossed).count;
            if crossed > share.count {
                line.detail = format!("{}, {crossed} by every sample", line.detail);
            }
        }
        line
    })
    .collect()
}

/// Half of the last digit of a figure that has two digits, and none below the tenth.
pub(super) fn rounding(figure: f64) -> f64 {
    if figure < 10.0 { 0.05 } else { 0.5 }
}
