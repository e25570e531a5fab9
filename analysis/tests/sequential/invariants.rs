//! What holds for all inputs.

use proptest::prelude::*;
use serinus_analysis::sequential::{
    AbsoluteEvidence, AbsoluteLimit, CountLaw, ErrorRate, EvidenceConfig, IntervalCounts,
    NoiseHistory, NoiseState, RelativeCompliance, RelativeEvidence, RelativeLimit, Side,
    WeightedEvidence, adjusted_log_evidence, combined_log_evidence, deflate, log_sum_exp,
    ratio_interval, relative_increment,
};
use serinus_analysis::series::{ArmCount, Populations};

use super::support::counts;

/// Traffic as it may be, with gaps and changing splits.
fn traffic() -> impl Strategy<Value = Vec<IntervalCounts>> {
    let interval = (0_u32..30, 100.0..2000.0, 0_u32..90, 500.0..9000.0, 0_u8..10);
    prop::collection::vec(interval, 1..70).prop_map(|rows| {
        rows.into_iter()
            .map(|(x, n, y, m, gap)| {
                let n = if gap == 0 { 0.0 } else { n };
                counts(f64::from(x), n, f64::from(y), m)
            })
            .collect()
    })
}

/// Numbers that no sane source sends.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        0.0..1e6,
        prop::sample::select(vec![
            0.0,
            -1.0,
            1e15,
            9.1e15,
            1e-300,
            1e30,
            f64::NAN,
            f64::INFINITY
        ]),
    ]
}

fn wild_intervals() -> impl Strategy<Value = Vec<IntervalCounts>> {
    prop::collection::vec((wild(), wild(), wild(), wild()), 1..40).prop_map(|rows| {
        rows.into_iter()
            .map(|(x, n, y, m)| counts(x, n, y, m))
            .collect()
    })
}

fn limit(ratio: f64, offset: f64, side: Side) -> RelativeLimit {
    RelativeLimit::new(ratio, offset, side).unwrap()
}

fn config(history: Option<NoiseHistory>) -> EvidenceConfig {
    EvidenceConfig {
        longest_rollout_intervals: 60,
        history,
    }
}

fn is_near(actual: f64, expected: f64, tolerance: f64) -> bool {
    (actual - expected).abs() <= tolerance * expected.abs().max(1.0)
}

proptest! {
    #[test]
    fn evidence_is_finite_whatever_is_pushed(
        intervals in wild_intervals(),
        before in wild_intervals(),
        ratio in prop_oneof![Just(1e-6), 0.1..10.0, Just(1e6)],
        offset in prop_oneof![Just(0.0), -0.01..0.01, Just(1e30), Just(-1e30)],
    ) {
        let history = NoiseHistory::measure(&before);
        for side in [Side::Above, Side::Below] {
            let limit = limit(ratio, offset, side);
            let mut evidence = RelativeEvidence::new(limit, &config(history.clone()));
            let mut compliance = RelativeCompliance::new(limit, 0);
            for counts in &intervals {
                let log_evidence = evidence.push(counts);
                prop_assert!(log_evidence.is_finite(), "{}", log_evidence);
                if let Ok(compliance) = &mut compliance {
                    compliance.push(counts);
                    prop_assert!(compliance.log_evidence(evidence.noise()).is_finite());
                }
                let dispersion = evidence.dispersion();
                prop_assert!(dispersion.value >= 1.0 && dispersion.value.is_finite());
                prop_assert!(dispersion.degrees_of_freedom > 0.0);
            }
            let shown = ratio_interval(&intervals, evidence.dispersion(), ErrorRate::PROMOTION);
            if let Some(shown) = shown {
                prop_assert!(shown.value.is_none_or(f64::is_finite));
            }
        }
    }

    #[test]
    fn absolute_evidence_is_finite_whatever_is_pushed(
        rows in prop::collection::vec((wild(), wild()), 1..40),
        level in prop_oneof![Just(1e-30), 1e-6..0.999],
    ) {
        for side in [Side::Above, Side::Below] {
            for law in [CountLaw::Bernoulli, CountLaw::Poisson] {
                let limit = AbsoluteLimit::new(level, side, law).unwrap();
                let mut evidence = AbsoluteEvidence::new(limit, &config(None));
                for &(events, exposure) in &rows {
                    let log_evidence = evidence.push(&ArmCount { events, exposure });
                    prop_assert!(log_evidence.is_finite(), "{}", log_evidence);
                }
            }
        }
    }

    #[test]
    fn sums_of_exponentials_are_finite_for_finite_values(
        values in prop::collection::vec(-1e300..1e300, 1..20),
        log_evidence in -1e300..1e300,
        degrees_of_freedom in 1e-3..1e6,
    ) {
        let sum = log_sum_exp(&values);
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(sum >= largest && sum.is_finite());
        let deflated = deflate(log_evidence, degrees_of_freedom);
        prop_assert!(deflated.is_finite() && deflated <= log_evidence);
    }

    /// Polls, replays and restarts see the same numbers.
    #[test]
    fn replaying_gives_the_bytes_of_pushing(
        intervals in traffic(),
        before in prop::option::of(traffic()),
        cut in 0_usize..70,
        ratio in 0.5..2.0,
    ) {
        let history = before.and_then(|before| NoiseHistory::measure(&before));
        let config = config(history);
        let limit = limit(ratio, 0.0, Side::Above);
        let replayed = RelativeEvidence::replay(limit, &config, &intervals);
        let mut evidence = RelativeEvidence::new(limit, &config);
        for (index, counts) in intervals.iter().enumerate() {
            // A second caller who goes on from a copy, and readings in between, change nothing.
            if index == cut {
                let _ = evidence.clone().push(counts);
                let _ = evidence.noise().dispersion(index);
            }
            prop_assert_eq!(evidence.push(counts).to_bits(), replayed[index].to_bits());
        }
        let prefix = cut.min(intervals.len());
        let shorter = RelativeEvidence::replay(limit, &config, &intervals[..prefix]);
        prop_assert_eq!(&shorter[..], &replayed[..prefix]);
        let single: Vec<ArmCount> = intervals.iter().map(|counts| counts.canary).collect();
        let level = AbsoluteLimit::new(0.01, Side::Above, CountLaw::Bernoulli).unwrap();
        let replayed = AbsoluteEvidence::replay(level, &config, &single);
        let mut evidence = AbsoluteEvidence::new(level, &config);
        for (count, expected) in single.iter().zip(replayed) {
            prop_assert_eq!(evidence.push(count).to_bits(), expected.to_bits());
        }
    }

    /// Canary and control exchanged, with `1 / r`, map above to below.
    #[test]
    fn exchanging_the_populations_exchanges_the_sides(
        intervals in traffic(),
        ratio in 0.2..5.0,
        effect in 1.01..100.0,
    ) {
        for counts in intervals {
            let exchanged = Populations { control: counts.canary, canary: counts.control };
            let above = relative_increment(&counts, &limit(ratio, 0.0, Side::Above), effect);
            let below = limit(1.0 / ratio, 0.0, Side::Below);
            let below = relative_increment(&exchanged, &below, effect);
            prop_assert!(is_near(above, below, 1e-11), "{} is not {}", above, below);
        }
    }

    /// Only the ratio of the exposures matters.
    #[test]
    fn the_unit_of_the_exposure_changes_nothing(
        intervals in traffic(),
        unit in prop::sample::select(vec![1e-9, 1.0 / 7.0, 60.0, 1e9]),
        ratio in 0.5..2.0,
    ) {
        let scaled: Vec<IntervalCounts> = intervals
            .iter()
            .map(|counts| counts.map(|arm| ArmCount { exposure: arm.exposure * unit, ..arm }))
            .collect();
        for side in [Side::Above, Side::Below] {
            let limit = limit(ratio, 0.0, side);
            let mut evidence = RelativeEvidence::new(limit, &config(None));
            let mut of_scaled = RelativeEvidence::new(limit, &config(None));
            for (counts, scaled) in intervals.iter().zip(&scaled) {
                let (a, b) = (evidence.push(counts), of_scaled.push(scaled));
                prop_assert!(is_near(b, a, 1e-7), "{} is not {}", b, a);
            }
            let (a, b) = (evidence.dispersion(), of_scaled.dispersion());
            prop_assert!(is_near(b.value, a.value, 1e-8));
            prop_assert!(is_near(b.degrees_of_freedom, a.degrees_of_freedom, 1e-8));
        }
    }

    #[test]
    fn without_events_there_is_no_evidence(intervals in traffic(), ratio in 0.5..2.0) {
        let silent: Vec<IntervalCounts> = intervals
            .iter()
            .map(|counts| counts.map(|arm| ArmCount { events: 0.0, ..arm }))
            .collect();
        for side in [Side::Above, Side::Below] {
            let path = RelativeEvidence::replay(limit(ratio, 0.0, side), &config(None), &silent);
            for log_evidence in path {
                prop_assert!(log_evidence.abs() < 1e-14, "{}", log_evidence);
            }
        }
    }

    /// Both the point and every ratio between the bounds are undecided; beyond the bounds not.
    #[test]
    fn the_interval_of_the_ratio_holds_the_ratio(intervals in traffic()) {
        let mut noise = NoiseState::relative(None);
        for counts in &intervals {
            noise.push(counts);
        }
        let shown = ratio_interval(&intervals, noise.dispersion(0), ErrorRate::PROMOTION);
        let Some(shown) = shown else { return Ok(()) };
        prop_assert!(shown.interval.lower() <= shown.interval.upper());
        let wider = ratio_interval(&intervals, noise.dispersion(0), ErrorRate::ROLLBACK).unwrap();
        prop_assert!(wider.interval.lower() <= shown.interval.lower());
        prop_assert!(wider.interval.upper() >= shown.interval.upper());
    }

    /// Never weaker than Bonferroni; nothing adjusted is above what it was or above the mean.
    #[test]
    fn the_mean_is_never_weaker_than_bonferroni(
        values in prop::collection::vec(-20.0..200.0, 1..20),
    ) {
        let count = values.len() as f64;
        let checks: Vec<WeightedEvidence> = values
            .iter()
            .map(|&log_evidence| WeightedEvidence { weight: 1.0 / count, log_evidence })
            .collect();
        let combined = combined_log_evidence(&checks);
        let adjusted = adjusted_log_evidence(&values);
        for (value, adjusted) in values.iter().zip(adjusted) {
            prop_assert!(combined >= value - count.ln() - 1e-9);
            prop_assert!(adjusted <= *value);
            prop_assert!(adjusted <= combined + 1e-9);
        }
    }
}
