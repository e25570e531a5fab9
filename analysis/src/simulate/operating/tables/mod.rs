//! The tables that the documentation reports, each beside what the design has measured.

mod bench;
mod cold_start;
mod delay;
mod environment;
mod false_rollbacks;
mod gauges;
mod hidden;
mod history;
mod latency;
mod line;
mod planning;
mod pods;
mod promotion;
mod shared;
mod short_stages;
mod split;
mod stages;
mod whole_rollouts;

use std::str::FromStr;

use super::error::OperatingError;
use super::executor::Executor;
use bench::Bench;
pub use line::{Line, Target, Unit};

/// A table: one question, many numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Whole rollouts.
    WholeRollouts,
    /// False rollbacks by the noise of the failures.
    FalseRollbacks,
    /// Through all stages.
    Stages,
    /// Absolute limits and shared incidents.
    Environment,
    /// Stages of few intervals.
    ShortStages,
    /// Promotion.
    Promotion,
    /// Faults that hide.
    HiddenFaults,
    /// Canaries that are slow to start.
    ColdStart,
    /// Noise that was measured before.
    History,
    /// Planned and simulated medians.
    Planning,
    /// How long it takes to find a fault.
    Delay,
    /// The share of the requests.
    Split,
    /// Shared incidents and held stages.
    SharedIncidents,
    /// Good canaries among pods that differ.
    PodsIdentical,
    /// Faults among pods that differ.
    PodsFaults,
    /// Promotion among pods that differ.
    PodsPromotion,
    /// Latency without chance.
    LatencyInfiniteData,
    /// Laws of latency.
    LatencyLaws,
    /// Noise of latency.
    LatencyNoise,
    /// Latency by traffic.
    LatencyTraffic,
    /// Latency in short stages.
    LatencyShortStages,
    /// Other limits of latency.
    LatencyLimits,
    /// Other buckets of latency.
    LatencyBuckets,
    /// Latency through all stages.
    LatencyStages,
    /// Latency among pods that differ.
    LatencyPods,
    /// Laws of latency on which nothing was chosen.
    LatencyFurtherLaws,
    /// Gauges of identical versions.
    GaugesIdentical,
    /// Gauges of canaries that are worse.
    GaugesFound,
    /// Gauges that are sampled otherwise.
    GaugesSampling,
    /// Gauges that are promoted.
    GaugesPromotion,
    /// Other laws and limits of gauges.
    GaugesOthers,
    /// Gauges on their absolute limit.
    GaugesAbsoluteEdge,
    /// Gauges off their absolute limit.
    GaugesAbsoluteDistance,
    /// Other gauges with an absolute limit.
    GaugesAbsoluteOthers,
    /// Success rates as gauges.
    GaugesSuccessRates,
    /// Laws of gauges on which nothing was chosen.
    GaugesFurtherLaws,
    /// Absolute limits of these.
    GaugesFurtherAbsolute,
}

impl Row {
    /// All, in the order of the document.
    pub const ALL: [Self; 37] = [
        Self::WholeRollouts,
        Self::FalseRollbacks,
        Self::Stages,
        Self::Environment,
        Self::ShortStages,
        Self::Promotion,
        Self::HiddenFaults,
        Self::ColdStart,
        Self::History,
        Self::Planning,
        Self::Delay,
        Self::Split,
        Self::SharedIncidents,
        Self::PodsIdentical,
        Self::PodsFaults,
        Self::PodsPromotion,
        Self::LatencyInfiniteData,
        Self::LatencyLaws,
        Self::LatencyNoise,
        Self::LatencyTraffic,
        Self::LatencyShortStages,
        Self::LatencyLimits,
        Self::LatencyBuckets,
        Self::LatencyStages,
        Self::LatencyPods,
        Self::LatencyFurtherLaws,
        Self::GaugesIdentical,
        Self::GaugesFound,
        Self::GaugesSampling,
        Self::GaugesPromotion,
        Self::GaugesOthers,
        Self::GaugesAbsoluteEdge,
        Self::GaugesAbsoluteDistance,
        Self::GaugesAbsoluteOthers,
        Self::GaugesSuccessRates,
        Self::GaugesFurtherLaws,
        Self::GaugesFurtherAbsolute,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::WholeRollouts => "whole-rollouts",
            Self::FalseRollbacks => "false-rollbacks",
            Self::Stages => "stages",
            Self::Environment => "environment",
            Self::ShortStages => "short-stages",
            Self::Promotion => "promotion",
            Self::HiddenFaults => "hidden-faults",
            Self::ColdStart => "cold-start",
            Self::History => "history",
            Self::Planning => "planning",
            Self::Delay => "delay",
            Self::Split => "split",
            Self::SharedIncidents => "shared-incidents",
            Self::PodsIdentical => "pods-identical",
            Self::PodsFaults => "pods-faults",
            Self::PodsPromotion => "pods-promotion",
            Self::LatencyInfiniteData => "latency-infinite-data",
            Self::LatencyLaws => "latency-laws",
            Self::LatencyNoise => "latency-noise",
            Self::LatencyTraffic => "latency-traffic",
            Self::LatencyShortStages => "latency-short-stages",
            Self::LatencyLimits => "latency-limits",
            Self::LatencyBuckets => "latency-buckets",
            Self::LatencyStages => "latency-stages",
            Self::LatencyPods => "latency-pods",
            Self::LatencyFurtherLaws => "latency-further-laws",
            Self::GaugesIdentical => "gauges-identical",
            Self::GaugesFound => "gauges-found",
            Self::GaugesSampling => "gauges-sampling",
            Self::GaugesPromotion => "gauges-promotion",
            Self::GaugesOthers => "gauges-others",
            Self::GaugesAbsoluteEdge => "gauges-absolute-edge",
            Self::GaugesAbsoluteDistance => "gauges-absolute-distance",
            Self::GaugesAbsoluteOthers => "gauges-absolute-others",
            Self::GaugesSuccessRates => "gauges-success-rates",
            Self::GaugesFurtherLaws => "gauges-further-laws",
            Self::GaugesFurtherAbsolute => "gauges-further-absolute",
        }
    }

    /// What is simulated, and what its numbers are.
    pub fn title(self) -> &'static str {
        match self {
            Self::WholeRollouts => {
                "Whole rollouts through 5, 25 and 50 %, stages of so many minutes that last at most twice as long; at \
                 the longest time of a stage that shows nothing it is held, or promoted unless something is visible"
            }
            Self::FalseRollbacks => "Good canaries rolled back within an hour, %",
            Self::Stages => "Through all stages, each of which the clock ends",
            Self::Environment => {
                "An absolute limit of 1 %, and incidents that both populations share, within an hour"
            }
            Self::ShortStages => "Stages of few intervals, promoted at the end or held",
            Self::Promotion => "One stage of 30 minutes that lasts at most 60, % by its end",
            Self::HiddenFaults => "Faults that hide, within an hour",
            Self::ColdStart => {
                "Canaries that are slow to start, in a stage of 30 minutes that lasts at most 60"
            }
            Self::History => {
                "Noise that was measured before: one pod of the control's four against the others"
            }
            Self::Planning => {
                "Planned and simulated medians, in intervals: of a rollback in a stage of four hours, of a promotion"
            }
            Self::Delay => "How long it takes to find a fault in a stage of an hour",
            Self::Split => {
                "A canary that gets another share of the requests than the 5 % of its stage, within 30 minutes"
            }
            Self::SharedIncidents => {
                "Shared incidents, stages that are held, and noise of one population, within an hour; A is 50 rps \
                 1 %, B 500 rps 0.5 %"
            }
            Self::PodsIdentical => {
                "Good canaries among pods that differ, rolled back within an hour; control pods : canary pods"
            }
            Self::PodsFaults => "Faults among pods that differ, found within an hour",
            Self::PodsPromotion => "Promoted among pods that differ, by 60 minutes",
            Self::LatencyInfiniteData => latency::titles::INFINITE_DATA,
            Self::LatencyLaws => latency::titles::LAWS,
            Self::LatencyNoise => latency::titles::NOISE,
            Self::LatencyTraffic => latency::titles::TRAFFIC,
            Self::LatencyShortStages => latency::titles::SHORT_STAGES,
            Self::LatencyLimits => latency::titles::LIMITS,
            Self::LatencyBuckets => latency::titles::BUCKETS,
            Self::LatencyStages => latency::titles::STAGES,
            Self::LatencyPods => latency::titles::PODS,
            Self::LatencyFurtherLaws => latency::titles::FURTHER_LAWS,
            Self::GaugesIdentical => gauges::titles::IDENTICAL,
            Self::GaugesFound => gauges::titles::FOUND,
            Self::GaugesSampling => gauges::titles::SAMPLING,
            Self::GaugesPromotion => gauges::titles::PROMOTION,
            Self::GaugesOthers => gauges::titles::OTHERS,
            Self::GaugesAbsoluteEdge => gauges::titles::EDGE,
            Self::GaugesAbsoluteDistance => gauges::titles::DISTANCE,
            Self::GaugesAbsoluteOthers => gauges::titles::ABSOLUTE,
            Self::GaugesSuccessRates => gauges::titles::SUCCESS,
            Self::GaugesFurtherLaws => gauges::titles::FURTHER,
            Self::GaugesFurtherAbsolute => gauges::titles::FURTHER_ABSOLUTE,
        }
    }

    /// Measures the table with this many rollouts in each of its cells; a part of them where a rollout takes long.
    pub fn measure(self, executor: &impl Executor, replicates: u64, seed: u64) -> Vec<Line> {
        let bench = Bench {
            executor,
            replicates,
            seed,
        };
        match self {
            Self::WholeRollouts => whole_rollouts::lines(&bench),
            Self::FalseRollbacks => false_rollbacks::lines(&bench),
            Self::Stages => stages::lines(&bench),
            Self::Environment => environment::lines(&bench),
            Self::ShortStages => short_stages::lines(&bench),
            Self::Promotion => promotion::lines(&bench),
            Self::HiddenFaults => hidden::lines(&bench),
            Self::ColdStart => cold_start::lines(&bench),
            Self::History => history::lines(&bench),
            Self::Planning => planning::lines(&bench),
            Self::Delay => delay::lines(&bench),
            Self::Split => split::lines(&bench),
            Self::SharedIncidents => shared::lines(&bench),
            Self::PodsIdentical => pods::identical(&bench),
            Self::PodsFaults => pods::faults(&bench),
            Self::PodsPromotion => pods::promoted(&bench),
            Self::LatencyInfiniteData => latency::of_infinite_data(&bench),
            Self::LatencyLaws => latency::of_laws(&bench),
            Self::LatencyNoise => latency::of_noise(&bench),
            Self::LatencyTraffic => latency::of_traffic(&bench),
            Self::LatencyShortStages => latency::of_short_stages(&bench),
            Self::LatencyLimits => latency::of_limits(&bench),
            Self::LatencyBuckets => latency::of_buckets(&bench),
            Self::LatencyStages => latency::of_stages(&bench),
            Self::LatencyPods => latency::of_pods(&bench),
            Self::LatencyFurtherLaws => latency::of_further_laws(&bench),
            Self::GaugesIdentical => gauges::of_table(&bench, "identical"),
            Self::GaugesFound => gauges::of_table(&bench, "found"),
            Self::GaugesSampling => gauges::of_table(&bench, "sampling"),
            Self::GaugesPromotion => gauges::of_table(&bench, "promotion"),
            Self::GaugesOthers => gauges::of_table(&bench, "others"),
            Self::GaugesAbsoluteEdge => gauges::of_table(&bench, "absolute-edge"),
            Self::GaugesAbsoluteDistance => gauges::of_table(&bench, "absolute-distance"),
            Self::GaugesAbsoluteOthers => gauges::of_table(&bench, "absolute-others"),
            Self::GaugesSuccessRates => gauges::of_success_rates(&bench),
            Self::GaugesFurtherLaws => gauges::of_further_laws(&bench),
            Self::GaugesFurtherAbsolute => gauges::of_further_absolute(&bench),
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
        assert!(error.contains("whole-rollouts, false-rollbacks"), "{error}");
    }

    /// Twenty rollouts a cell: three standard errors of so few hold nearly all.
    #[test]
    fn a_table_is_measured_beside_its_targets() {
        let lines = Row::HiddenFaults.measure(&OneThread, 20, 1);
        assert_eq!(lines.len(), 11);
        assert_met(&lines);
        // Three medians of these are half a minute to four later in the design.
        let lines = Row::LatencyLimits.measure(&OneThread, 8, 1);
        assert_eq!(lines.len(), 65);
        assert_met(&lines);
        // What has no chance is the same with any number of replicates.
        let lines = Row::LatencyInfiniteData.measure(&OneThread, 1, 1);
        assert_met(&lines);
        let lines = Row::GaugesSampling.measure(&OneThread, 20, 1);
        assert_eq!(lines.len(), 106);
        assert_met(&lines);
        let lines = Row::LatencyFurtherLaws.measure(&OneThread, 1, 1);
        assert!(lines.iter().all(|line| line.is_met().is_none()));
    }

    fn assert_met(lines: &[Line]) {
        let missed: Vec<&Line> = lines
            .iter()
            .filter(|line| line.is_met() == Some(false))
            .collect();
        assert!(missed.len() <= 2, "{missed:#?}");
    }
}
