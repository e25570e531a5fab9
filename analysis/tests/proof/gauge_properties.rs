//! With everything that a source may answer: evidence of gauges is finite, and a function of the samples only.

use proptest::prelude::*;
use serinus_analysis::proof::gauge::{
    GaugeLine, GaugePast, GaugeSample, GaugeSettings, GaugeStream, GaugeUnit, Loads, PodValue,
    ratio_interval, single_look,
};
use serinus_analysis::sequential::{ErrorRate, Side};

use super::gauge_behaviour::{sample, stream, times_the_control};

#[derive(Debug, Clone)]
struct Asked {
    line: GaugeLine,
    unit: GaugeUnit,
    step: f64,
    samples: Vec<GaugeSample>,
}

fn any_value() -> impl Strategy<Value = f64> {
    let odd = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        1e12,
        -1e12,
        1e300,
        -1e300,
        1e-300,
        f64::MIN_POSITIVE,
        f64::MAX,
        1.0,
    ];
    prop_oneof![
        proptest::sample::select(odd.to_vec()),
        -2.0..2.0_f64,
        0.0..1.0_f64,
        Just(3.0)
    ]
}

fn any_line() -> impl Strategy<Value = GaugeLine> {
    let bad = proptest::sample::select(vec![Side::Above, Side::Below]);
    let factor = proptest::sample::select(vec![0.0, 0.5, 0.99, 1.0, 1.1, 2.0, 1e6]);
    let number = proptest::sample::select(vec![-1e12, -1.0, 0.0, 1e-300, 0.9, 1.0, 1e12]);
    (0..3, factor, number, bad, any::<bool>()).prop_map(|(kind, ratio, number, bad, flag)| {
        match kind {
            0 => GaugeLine::Relative {
                ratio,
                offset: if flag { number } else { 0.0 },
                bad,
            },
            1 => GaugeLine::Absolute {
                limit: number,
                bad,
                is_inclusive: flag,
                has_control: flag,
            },
            _ => GaugeLine::Within {
                tolerance: if flag { 0.1 } else { 0.9 },
            },
        }
    })
}

fn any_sample() -> impl Strategy<Value = GaugeSample> {
    let pods = || prop::collection::vec((0..9_u8, any_value()), 0..8);
    let gap = proptest::sample::select(vec![60.0, 60.0, 1.0, 0.0, -5.0, 1e9, f64::NAN]);
    let value = || proptest::option::weighted(0.9, any_value());
    let loads = proptest::option::of((any_value(), any_value()));
    (gap, value(), value(), pods(), pods(), value(), loads).prop_map(
        |(gap, canary, control, canary_pods, control_pods, age, loads)| {
            let named = |pods: Vec<(u8, f64)>| {
                let named = |(name, value)| PodValue {
                    pod: format!("{name}").into(),
                    value,
                };
                pods.into_iter().map(named).collect()
            };
            GaugeSample {
                at_seconds: gap,
                canary,
                control,
                canary_pods: named(canary_pods),
                control_pods: named(control_pods),
                canary_age_seconds: age,
                loads: loads.map(|(canary, control)| Loads { canary, control }),
                is_warming_up: false,
            }
        },
    )
}

fn any_rollout() -> impl Strategy<Value = Asked> {
    let units = vec![GaugeUnit::Fraction, GaugeUnit::Number, GaugeUnit::Other];
    let steps = vec![15.0, 60.0, 300.0, 1e9];
    let samples = prop::collection::vec(any_sample(), 1..40);
    let (units, steps) = (
        proptest::sample::select(units),
        proptest::sample::select(steps),
    );
    (any_line(), units, steps, samples).prop_map(|(line, unit, step, mut samples)| {
        let mut now = 0.0;
        for sample in &mut samples {
            if sample.at_seconds.is_finite() {
                now += sample.at_seconds;
                sample.at_seconds = now;
            }
        }
        Asked {
            line,
            unit,
            step,
            samples,
        }
    })
}

fn asked_stream(asked: &Asked) -> GaugeStream {
    let mut settings = GaugeSettings::new(asked.line, asked.unit, asked.step, 30);
    let past: Vec<Option<f64>> = asked.samples.iter().map(|sample| sample.control).collect();
    settings.past = Some(GaugePast::measure(&past.repeat(12), asked.step).into());
    settings.has_starts_beyond_the_plan = true;
    settings.promotion_ratios = vec![0.5, 1e6];
    GaugeStream::new(settings)
}

fn holds(stream: &GaugeStream) {
    let promotion = stream.promotion(ErrorRate::PROMOTION);
    assert!(promotion.log_evidence.is_finite());
    assert!(!(promotion.is_compliant && promotion.is_suspected));
    let spreads = [
        stream.spread(),
        stream.spread_of_the_stage(),
        stream.spread_of_the_promotion(),
        stream.ratio_to_the_control(),
    ];
    for spread in spreads.into_iter().flatten() {
        assert!(
            spread.mean.is_finite() && spread.variance.is_finite(),
            "{spread:?}"
        );
        assert!(
            spread.variance >= 0.0 && spread.degrees_of_freedom >= 20.0,
            "{spread:?}"
        );
        let three = (spread.mean, spread.variance, spread.degrees_of_freedom);
        let shown = ratio_interval(three, 0.99);
        assert!(
            shown.lower.is_finite() && shown.upper.is_finite(),
            "{shown:?}"
        );
        single_look(&spread, 0.99);
    }
    assert!(stream.pods().relative_variance.is_finite());
    assert!(stream.bytes() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_a_source_answers_evidence_is_finite_and_polls_do_not_change_it(
        asked in any_rollout(),
        stage_at in 0..40_usize,
        anew in any::<bool>(),
    ) {
        let (mut polled, mut replayed) = (asked_stream(&asked), asked_stream(&asked));
        for (at, sample) in asked.samples.iter().enumerate() {
            if at == stage_at {
                for stream in [&mut polled, &mut replayed] {
                    stream.begin_stage(Some(0.5));
                    if anew {
                        stream.begin_anew();
                    }
                }
            }
            let found = polled.push(sample);
            prop_assert!(found.is_finite(), "{}", found);
            asked.line.beyond_at(sample);
            holds(&polled);
            polled = polled.clone();
            replayed.push(sample);
        }
        prop_assert_eq!(&polled, &replayed);
        prop_assert_eq!(polled.log_evidence().to_bits(), replayed.log_evidence().to_bits());
    }

    #[test]
    fn neither_the_unit_nor_the_better_side_matters(
        values in prop::collection::vec((0.1..4.0_f64, 0.1..4.0_f64), 3..60),
        ratio in 1.25..3.0_f64,
    ) {
        let mut plain = stream(times_the_control(ratio), GaugeUnit::Other);
        let mut scaled = stream(times_the_control(ratio), GaugeUnit::Other);
        let below = GaugeLine::Relative {
            ratio: 1.0 / ratio, offset: 0.0, bad: Side::Below
        };
        let mut turned = stream(below, GaugeUnit::Other);
        for (at, (canary, control)) in values.into_iter().enumerate() {
            plain.push(&sample(at, canary, control));
            scaled.push(&sample(at, 1024.0 * canary, 1024.0 * control));
            turned.push(&sample(at, 1.0 / canary, 1.0 / control));
            let (one, other) = (plain.spread().unwrap(), turned.spread().unwrap());
            prop_assert!((one.mean - other.mean).abs() < 1e-9);
            prop_assert!((one.variance - other.variance).abs() < 1e-9);
        }
        prop_assert_eq!(plain.log_evidence().to_bits(), scaled.log_evidence().to_bits());
        let rate = ErrorRate::PROMOTION;
        prop_assert_eq!(plain.promotion(rate), scaled.promotion(rate));
    }
}
