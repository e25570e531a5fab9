//! The cells that the documentation reports, with their targets.

mod bench;
mod delay;
mod false_rollback;
mod other;
mod promotion;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::error::OperatingError;
use super::executor::Executor;
use super::measured::Share;
use bench::Bench;

/// What a number shall be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Nothing is promised: it is reported.
    Report,
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(formatter, "at most {most}"),
            Self::AtLeast(least) => write!(formatter, "at least {least}"),
            Self::Report => formatter.write_str("reported"),
        }
    }
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// What was measured.
    pub quantity: String,
    /// The number; nothing when it is beyond the length of the simulated rollouts.
    pub measured: Option<f64>,
    /// Its standard error, for a share.
    pub standard_error: Option<f64>,
    /// What it shall be.
    pub target: Target,
    /// What stands behind it.
    pub detail: String,
}

impl Line {
    /// Whether the target is met; nothing where there is none.
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(most) => Some(self.measured.is_some_and(|value| value <= most)),
            Target::AtLeast(least) => Some(self.measured.is_some_and(|value| value >= least)),
            Target::Report => None,
        }
    }

    /// By how much the target is missed; nothing when it is met, or there is no number.
    pub fn missed_by(&self) -> Option<f64> {
        let missed = match self.target {
            Target::AtMost(most) => self.measured? - most,
            Target::AtLeast(least) => least - self.measured?,
            Target::Report => return None,
        };
        (missed > 0.0).then_some(missed)
    }

    /// The worst of the shares of several cells.
    fn worst(quantity: impl Into<String>, shares: &[Share], target: Target) -> Self {
        let (worst, all) = (Share::worst(shares), Share::pooled(shares));
        Self {
            quantity: quantity.into(),
            measured: Some(worst.rate()),
            standard_error: Some(worst.standard_error()),
            target,
            detail: format!(
                "worst cell {} of {}; in all {} of {}",
                worst.count, worst.of, all.count, all.of
            ),
        }
    }

    /// The latest of the medians of several cells. A cell without one makes it unknown.
    fn latest(quantity: impl Into<String>, medians: &[Option<f64>], target: Target) -> Self {
        let known: Vec<f64> = medians.iter().copied().flatten().collect();
        let earliest = known.iter().copied().fold(f64::INFINITY, f64::min);
        let latest = known.iter().copied().fold(0.0, f64::max);
        let unknown = medians.len() - known.len();
        let detail = match (known.is_empty(), unknown) {
            (true, _) => "not within the rollout in any cell".to_owned(),
            (false, 0) => format!("{earliest} to {latest} intervals by cell"),
            (false, _) => format!("{earliest} to {latest} intervals, {unknown} cells without"),
        };
        Self {
            quantity: quantity.into(),
            measured: (unknown == 0 && !known.is_empty()).then_some(latest),
            standard_error: None,
            target,
            detail,
        }
    }
}

/// A row of the table: one question, several numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// False rollbacks with independent failures.
    FalseRollbackIndependent,
    /// False rollbacks with beta-binomial noise.
    FalseRollbackBeta,
    /// False rollbacks with a twentieth of the traffic.
    FalseRollbackLowTraffic,
    /// False rollbacks with more noise than is assumed without history.
    HeavyNoise,
    /// False rollbacks with drift.
    Drift,
    /// False rollbacks with slow drift.
    SlowDrift,
    /// False rollbacks with bursts.
    Bursts,
    /// False rollbacks over a ramp of stages.
    Ramp,
    /// False rollbacks at 10,000 requests a second and more.
    HighTraffic,
    /// False rollbacks after a history that was quieter than the rollout.
    QuietHistory,
    /// Twenty checks on one rollout.
    TwentyChecks,
    /// Delay against the fixed-horizon test, and detection.
    Delay,
    /// Regressions that begin late.
    LateOnset,
    /// Crashes.
    Crash,
    /// False promotions at the margin.
    FalsePromotion,
    /// Time to promote.
    Promotion,
    /// Good in the first stage, bad in the second.
    SecondStage,
    /// Absolute limits.
    Absolute,
    /// Latency.
    Latency,
}

impl Row {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 19] = [
        Self::FalseRollbackIndependent,
        Self::FalseRollbackBeta,
        Self::FalseRollbackLowTraffic,
        Self::HeavyNoise,
        Self::Drift,
        Self::SlowDrift,
        Self::Bursts,
        Self::Ramp,
        Self::HighTraffic,
        Self::QuietHistory,
        Self::TwentyChecks,
        Self::Delay,
        Self::LateOnset,
        Self::Crash,
        Self::FalsePromotion,
        Self::Promotion,
        Self::SecondStage,
        Self::Absolute,
        Self::Latency,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::FalseRollbackIndependent => "iid",
            Self::FalseRollbackBeta => "beta",
            Self::FalseRollbackLowTraffic => "low-traffic",
            Self::HeavyNoise => "heavy-noise",
            Self::Drift => "drift",
            Self::SlowDrift => "slow-drift",
            Self::Bursts => "bursts",
            Self::Ramp => "ramp",
            Self::HighTraffic => "high-traffic",
            Self::QuietHistory => "quiet-history",
            Self::TwentyChecks => "twenty-checks",
            Self::Delay => "delay",
            Self::LateOnset => "late-onset",
            Self::Crash => "crash",
            Self::FalsePromotion => "false-promotion",
            Self::Promotion => "promotion",
            Self::SecondStage => "second-stage",
            Self::Absolute => "absolute",
            Self::Latency => "latency",
        }
    }

    /// Measures the row with this many rollouts in each of its cells; five times as many where only the
    /// fixed-horizon test is simulated.
    ///
    /// # Errors
    ///
    /// [`OperatingError`] where a cell cannot be simulated, which would be a mistake in this module.
    pub fn measure(
        self,
        executor: &impl Executor,
        replicates: u64,
        seed: u64,
    ) -> Result<Vec<Line>, OperatingError> {
        let bench = Bench {
            executor,
            replicates,
            seed,
        };
        match self {
            Self::FalseRollbackIndependent => false_rollback::independent(&bench),
            Self::FalseRollbackBeta => false_rollback::beta(&bench),
            Self::FalseRollbackLowTraffic => false_rollback::low_traffic(&bench),
            Self::HeavyNoise => false_rollback::heavy_noise(&bench),
            Self::Drift => false_rollback::drift(&bench),
            Self::SlowDrift => false_rollback::slow_drift(&bench),
            Self::Bursts => false_rollback::bursts(&bench),
            Self::Ramp => false_rollback::ramp(&bench),
            Self::HighTraffic => false_rollback::high_traffic(&bench),
            Self::QuietHistory => false_rollback::quiet_history(&bench),
            Self::TwentyChecks => other::twenty_checks(&bench),
            Self::Delay => delay::against_the_fixed_horizon(&bench),
            Self::LateOnset => delay::late_onset(&bench),
            Self::Crash => delay::crash(&bench),
            Self::FalsePromotion => promotion::at_the_margin(&bench),
            Self::Promotion => promotion::of_a_good_canary(&bench),
            Self::SecondStage => promotion::in_the_second_stage(&bench),
            Self::Absolute => other::absolute(&bench),
            Self::Latency => other::latency(&bench),
        }
    }
}

impl FromStr for Row {
    type Err = OperatingError;

    fn from_str(text: &str) -> Result<Self, OperatingError> {
        Self::ALL
            .into_iter()
            .find(|row| row.name() == text)
            .ok_or_else(|| OperatingError::Row {
                text: text.to_owned(),
                names: Self::ALL.map(Self::name).join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::executor::OneThread;
    use super::*;

    #[test]
    fn names_lead_back_to_their_rows() {
        for row in Row::ALL {
            assert_eq!(row.name().parse::<Row>().unwrap(), row);
        }
        let error = "everything".parse::<Row>().unwrap_err().to_string();
        assert!(error.contains("iid, beta, low-traffic"), "{error}");
    }

    /// One rollout a cell says nothing, but every cell can be simulated.
    #[test]
    fn every_row_can_be_measured() {
        for row in Row::ALL {
            let lines = row.measure(&OneThread, 1, 1).unwrap();
            assert!(!lines.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn a_missed_target_says_by_how_much() {
        let share = Share { count: 6, of: 300 };
        let line = Line::worst("x", &[share], Target::AtMost(0.015));
        assert_eq!(line.is_met(), Some(false));
        assert!((line.missed_by().unwrap() - 0.005).abs() < 1e-12);
        let line = Line::latest("x", &[Some(3.0), None], Target::AtMost(9.0));
        assert_eq!((line.is_met(), line.missed_by()), (Some(false), None));
        let line = Line::latest("x", &[Some(3.0), Some(4.0)], Target::AtLeast(4.0));
        assert_eq!((line.is_met(), line.missed_by()), (Some(true), None));
    }
}
