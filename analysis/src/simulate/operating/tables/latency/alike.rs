//! What the tables of latency have in common.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Buckets, Disturbance, JudgedQuantile, Latencies, LatencyFleetDescription, LatencyTrial, Servers,
};
use super::super::super::laws::Fault;
use super::super::super::trial::{Ends, Outcome, PodSpread, RampStage};
use super::super::bench::{Bench, completed, found, minutes_of_found};
use super::super::line::{Known, Line, Published};

/// Two minutes.
pub(super) const WARM_UP: usize = 4;
/// Where the laws lie, in seconds: of all tables, and of the one of laws.
pub(super) const SCALES: [f64; 4] = [0.03, 0.045, 0.07, 0.11];
pub(super) const SCALES_OF_LAWS: [f64; 4] = [0.0319, 0.0268, 0.05, 0.01];
/// The two laws that stand for those with one hump and with two.
pub(super) const ONE_HUMP: Latencies = Latencies::log_normal(0.8);
pub(super) const TWO_HUMPS: Latencies = Latencies::hit(0.03, 20.0);

/// 500 replicates of a cell.
pub(super) const KNOWN: Known = Known {
    replicates: 500.0,
    rounding: 0.5,
};

/// Requests of two populations alike.
pub(super) fn alike(requests_per_second: f64, law: Latencies) -> LatencyFleetDescription {
    LatencyFleetDescription {
        requests_per_second,
        interval_seconds: 30.0,
        laws: [law, law],
        scales: SCALES,
        fault: Fault::Times(1.0),
        buckets: Buckets::Default,
        disturbance: Disturbance::NONE,
        servers: Servers::ONE,
    }
}

/// The same with a canary so many times as slow.
pub(super) fn slower(
    requests_per_second: f64,
    law: Latencies,
    times: f64,
) -> LatencyFleetDescription {
    LatencyFleetDescription {
        fault: Fault::Times(times),
        ..alike(requests_per_second, law)
    }
}

/// `latency_p99 < baseline * 1.2` in a stage of 30 minutes that lasts at most 60.
pub(super) fn half_an_hour(fleet: &LatencyFleetDescription) -> LatencyTrial {
    LatencyTrial {
        fleet: *fleet,
        quantile: 0.99,
        judged: JudgedQuantile::Relative(1.2),
        ramp: vec![stage(0.05, 60)],
        ends: Ends::WhenShown,
        warm_up: WARM_UP,
        pods: PodSpread::None,
    }
}

/// A stage that may be passed after so many intervals, and lasts at most twice as long.
pub(super) fn stage(share: f64, least: usize) -> RampStage {
    RampStage {
        share,
        least,
        most: 2 * least,
        held: 0,
    }
}

/// What the design says of a cell: rolled back and promoted in percent, version 1 and version 2, and the minutes of
/// the median of those that were rolled back.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) rolled_back: Option<Published>,
    pub(super) promoted: Option<Published>,
    pub(super) minutes: Option<Published>,
}

impl Figures {
    /// What is rolled back.
    pub(super) fn rolled_back(published: impl Into<Published>) -> Self {
        Self {
            rolled_back: Some(published.into()),
            ..Self::default()
        }
    }

    /// And what is promoted.
    pub(super) fn promoted(self, published: impl Into<Published>) -> Self {
        Self {
            promoted: Some(published.into()),
            ..self
        }
    }

    /// And after how many minutes half of what is rolled back is.
    pub(super) fn after(self, published: impl Into<Published>) -> Self {
        Self {
            minutes: Some(published.into()),
            ..self
        }
    }
}

/// The lines of a cell.
pub(super) fn cell(
    bench: &Bench<'_, impl Executor>,
    case: &str,
    trial: &LatencyTrial,
    figures: Figures,
    known: Known,
) -> Vec<Line> {
    lines_of(case, &bench.run_latency(trial), figures, known)
}

pub(super) fn lines_of(
    case: &str,
    outcomes: &[Outcome],
    figures: Figures,
    known: Known,
) -> Vec<Line> {
    let rolled_back = figures.rolled_back.map(|published| {
        let quantity = format!("{case}: rolled back");
        Line::percent(quantity, found(outcomes), published, known)
    });
    let minutes = figures.minutes.map(|published| {
        let quantity = format!("{case}: median of these");
        minutes_of_found(quantity, outcomes, 0, published, known)
    });
    let promoted = figures.promoted.map(|published| {
        let quantity = format!("{case}: promoted");
        Line::percent(quantity, completed(outcomes), published, known)
    });
    [rolled_back, minutes, promoted]
        .into_iter()
        .flatten()
        .collect()
}
