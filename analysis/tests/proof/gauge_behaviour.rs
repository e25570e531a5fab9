//! What the evidence of gauges does, as a specification.

use serinus_analysis::proof::gauge::{
    GaugeLine, GaugeLook, GaugePast, GaugeSample, GaugeSettings, GaugeStream, GaugeUnit, Loads,
    PodValue, SpreadSource, ratio_interval, single_look,
};
use serinus_analysis::sequential::{ErrorRate, Side};

const STEP: f64 = 60.0;
/// A rollout with one check: `ln(1 / 0.01 + 1)`.
const PROVEN: f64 = 4.615_120_516_841_26;

pub(crate) fn times_the_control(ratio: f64) -> GaugeLine {
    GaugeLine::Relative {
        ratio,
        offset: 0.0,
        bad: Side::Above,
    }
}

fn below(limit: f64) -> GaugeLine {
    GaugeLine::Absolute {
        limit,
        bad: Side::Above,
        is_inclusive: false,
        has_control: true,
    }
}

pub(crate) fn stream(line: GaugeLine, unit: GaugeUnit) -> GaugeStream {
    GaugeStream::new(GaugeSettings::new(line, unit, STEP, 120))
}

pub(crate) fn sample(at: usize, canary: f64, control: f64) -> GaugeSample {
    GaugeSample {
        at_seconds: STEP * (at + 1) as f64,
        canary: Some(canary),
        control: Some(control),
        ..GaugeSample::default()
    }
}

/// Values around 1 by chance, always the same.
fn noise(at: usize, deviation: f64) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    1.0 + deviation * (2.0 * share - 1.0)
}

/// The first sample after which evidence is enough.
fn found_at(stream: &mut GaugeStream, samples: impl Iterator<Item = GaugeSample>) -> Option<usize> {
    let mut numbered = samples.enumerate();
    numbered.find_map(|(at, sample)| (stream.push(&sample) >= PROVEN).then_some(at + 1))
}

fn promoted_at(
    stream: &mut GaugeStream,
    samples: impl Iterator<Item = GaugeSample>,
) -> Option<usize> {
    let mut numbered = samples.enumerate();
    numbered.find_map(|(at, sample)| {
        stream.push(&sample);
        stream
            .promotion(ErrorRate::PROMOTION)
            .is_compliant
            .then_some(at + 1)
    })
}

#[test]
fn constants_are_decided_within_minutes() {
    let gross = (0..30).map(|at| sample(at, 900.0, 3.0));
    assert_eq!(
        found_at(&mut stream(below(100.0), GaugeUnit::Other), gross),
        Some(3)
    );
    let good = (0..30).map(|at| sample(at, 3.0, 3.0));
    assert_eq!(
        promoted_at(&mut stream(below(100.0), GaugeUnit::Other), good),
        Some(3)
    );
    let zeros = || (0..30).map(|at| sample(at, 0.0, 0.0));
    let line = times_the_control(1.25);
    assert_eq!(
        promoted_at(&mut stream(line, GaugeUnit::Other), zeros()),
        Some(3)
    );
    assert_eq!(found_at(&mut stream(line, GaugeUnit::Other), zeros()), None);
    let tenfold = (0..30).map(|at| sample(at, 1.0, 0.1));
    assert_eq!(
        found_at(&mut stream(line, GaugeUnit::Other), tenfold),
        Some(3)
    );
    // Counts: zeros seen three times do not show that a mean of a half is kept.
    let number = &mut stream(below(0.5), GaugeUnit::Number);
    assert!(promoted_at(number, zeros()).unwrap() >= 10);
}

#[test]
fn what_is_visibly_beyond_is_suspected_and_never_promoted() {
    let mut half_more = stream(times_the_control(1.25), GaugeUnit::Other);
    let samples = (0..120).map(|at| sample(at, 1.5 * noise(at, 0.01), noise(at + 500, 0.01)));
    assert_eq!(promoted_at(&mut half_more, samples), None);
    assert!(half_more.promotion(ErrorRate::PROMOTION).is_suspected);
    assert!(half_more.spread().unwrap().mean > 0.0);
}

#[test]
fn a_limit_within_a_quarter_votes_at_a_quarter_until_pods_are_measured() {
    let fifth_more = || (0..120).map(|at| sample(at, 1.2, 1.0));
    let mut alone = stream(times_the_control(1.1), GaugeUnit::Other);
    assert_eq!(found_at(&mut alone, fifth_more()), None);
    assert!(alone.is_judged_at_the_wide_ratio());
    assert_eq!(alone.spread().unwrap().source, SpreadSource::Assumed);
    let with_pods = fifth_more().map(|mut sample| {
        sample.canary_pods = vec![PodValue {
            pod: "c".into(),
            value: 1.2,
        }];
        let pod = |place: usize| PodValue {
            pod: format!("{place}").into(),
            value: 1.0,
        };
        sample.control_pods = (0..10).map(pod).collect();
        sample
    });
    let mut beside_ten = stream(times_the_control(1.1), GaugeUnit::Other);
    assert!(found_at(&mut beside_ten, with_pods).is_some());
    assert!(!beside_ten.is_judged_at_the_wide_ratio());
    assert_eq!(beside_ten.spread().unwrap().source, SpreadSource::Pods);
}

#[test]
fn pods_prove_no_more_than_one_while_the_canary_is_cold() {
    let found = |age_at_first: Option<f64>| {
        let samples = (0..120).map(|at| GaugeSample {
            canary_pods: vec![PodValue {
                pod: "c".into(),
                value: 2.0,
            }],
            control_pods: (0..10)
                .map(|place| PodValue {
                    pod: format!("{place}").into(),
                    value: 1.0,
                })
                .collect(),
            canary_age_seconds: age_at_first.map(|age| age + STEP * at as f64),
            ..sample(at, 2.0, 1.0)
        });
        found_at(
            &mut stream(times_the_control(1.25), GaugeUnit::Other),
            samples,
        )
        .unwrap()
    };
    assert_eq!(found(None), 3);
    assert!(found(Some(60.0)) > 15);
}

#[test]
fn what_the_control_does_as_well_is_the_environments() {
    let both = |at: usize| if at < 30 { 0.8 } else { 1.28 };
    let shared = (0..120).map(|at| sample(at, both(at) * noise(at, 0.02), both(at)));
    let mut stream_of_both = stream(below(1.0), GaugeUnit::Other);
    assert_eq!(found_at(&mut stream_of_both, shared), None);
    assert!(stream_of_both.is_newest_of_the_environment());
    let alone = (0..120).map(|at| GaugeSample {
        control_pods: [0.7, 0.8, 1.1]
            .iter()
            .enumerate()
            .map(|(place, value)| PodValue {
                pod: format!("{place}").into(),
                value: *value,
            })
            .collect(),
        ..sample(at, both(at) * noise(at, 0.02), 0.8)
    });
    let mut stream_of_one = stream(below(1.0), GaugeUnit::Other);
    assert!(found_at(&mut stream_of_one, alone).is_some());
    assert_eq!(stream_of_one.control_pods_beyond(), 1);
}

#[test]
fn a_late_fault_is_found_and_evidence_begins_anew_after_a_decision() {
    let threefold = |at: usize| if at < 30 { 1.0 } else { 3.0 };
    let all: Vec<GaugeSample> = (0..120)
        .map(|at| sample(at, threefold(at) * noise(at, 0.2), noise(at + 300, 0.2)))
        .collect();
    let mut stream = stream(times_the_control(1.25), GaugeUnit::Other);
    let first = found_at(&mut stream, all.iter().cloned()).unwrap();
    assert!((33..60).contains(&first), "{first}");
    let spread = stream.spread();
    stream.begin_anew();
    stream.begin_stage(None);
    assert_eq!(stream.log_evidence().to_bits(), 0.0_f64.to_bits());
    assert_eq!(stream.spread(), spread);
    assert_eq!(stream.promotion(ErrorRate::PROMOTION).samples, 0);
    let again = found_at(&mut stream, all.into_iter().skip(first)).unwrap();
    assert!(again >= 3);
}

#[test]
fn each_stage_asks_the_promotion_that_it_names() {
    let line = times_the_control(1.1);
    let mut settings = GaugeSettings::new(line, GaugeUnit::Other, STEP, 120);
    settings.promotion_ratios = vec![1.5];
    let promoted = |named: Option<f64>| {
        let mut stream = GaugeStream::new(settings.clone());
        stream.begin_stage(named);
        promoted_at(&mut stream, (0..60).map(|at| sample(at, 1.0, 1.0)))
    };
    assert_eq!(promoted(None), Some(8));
    assert_eq!(promoted(Some(1.5)), Some(22));
    // One that nobody announced.
    assert_eq!(promoted(Some(1.7)), promoted(None));
}

#[test]
fn a_tolerance_has_two_sides() {
    for factor in [0.1, 10.0] {
        let mut stream = stream(GaugeLine::Within { tolerance: 0.1 }, GaugeUnit::Other);
        assert!(found_at(&mut stream, (0..30).map(|at| sample(at, factor, 1.0))).is_some());
        assert!(!stream.promotion(ErrorRate::PROMOTION).is_compliant);
    }
    let mut same = stream(GaugeLine::Within { tolerance: 0.1 }, GaugeUnit::Other);
    assert_eq!(
        promoted_at(&mut same, (0..60).map(|at| sample(at, 1.0, 1.0))),
        Some(8)
    );
}

#[test]
fn less_load_excuses_what_does_not_depend_on_it() {
    let found = |loads: Option<Loads>| {
        let samples = (0..60).map(|at| GaugeSample {
            loads,
            ..sample(at, 4.0, 1.0)
        });
        found_at(
            &mut stream(times_the_control(1.3), GaugeUnit::Other),
            samples,
        )
    };
    assert!(found(None).is_some());
    assert_eq!(
        found(Some(Loads {
            canary: 20.0,
            control: 90.0
        })),
        None
    );
    assert_eq!(
        found(Some(Loads {
            canary: 90.0,
            control: 20.0
        })),
        found(None)
    );
}

#[test]
fn a_past_only_raises_the_spread() {
    let hours: Vec<Option<f64>> = (0..240).map(|at| Some(noise(at / 20, 0.9))).collect();
    let samples = || (0..20).map(|at| sample(at, 3.0, 1.0));
    let mut without = stream(times_the_control(1.25), GaugeUnit::Other);
    let mut with = GaugeStream::new(GaugeSettings {
        past: Some(GaugePast::measure(&hours, STEP).into()),
        ..without.settings().clone()
    });
    for sample in samples() {
        assert!(with.push(&sample) <= without.push(&sample) + 1e-12);
    }
    assert_eq!(with.spread().unwrap().source, SpreadSource::Past);
}

#[test]
fn a_single_look_and_what_is_shown() {
    let mut threefold = stream(times_the_control(1.25), GaugeUnit::Other);
    for at in 0..30 {
        threefold.push(&sample(at, 3.0 * noise(at, 0.1), noise(at + 99, 0.1)));
    }
    let spread = threefold.spread_of_the_stage().unwrap();
    assert_eq!(single_look(&spread, 0.99), GaugeLook::Violated);
    let shown = threefold.ratio_to_the_control().unwrap();
    let shown = ratio_interval((shown.mean, shown.variance, shown.degrees_of_freedom), 0.99);
    assert!((2.8..3.2).contains(&shown.estimate), "{shown:?}");
    assert!(
        0.0 < shown.lower && shown.lower < 3.0 && shown.upper > 3.0,
        "{shown:?}"
    );
    let line = times_the_control(1.25);
    assert_eq!(line.beyond_at(&sample(0, 3.0, 1.0)), Some(1.75));
    assert_eq!(below(1.0).beyond_at(&sample(0, 3.0, 2.0)), Some(0.5));
}

#[test]
fn it_does_not_grow_with_its_age() {
    let settings = GaugeSettings::new(times_the_control(1.1), GaugeUnit::Other, STEP, 20_160);
    let mut stream = GaugeStream::new(settings);
    let mut bytes = Vec::new();
    for at in 0..20_160 {
        let pods = |from: usize| {
            move |place: usize| PodValue {
                pod: format!("{place}").into(),
                value: noise(at * 31 + place + from, 0.2),
            }
        };
        stream.push(&GaugeSample {
            canary_pods: (0..2).map(pods(0)).collect(),
            control_pods: (0..6).map(pods(7)).collect(),
            ..sample(at, noise(at, 0.1), noise(at + 11, 0.1))
        });
        if [480, 5_000, 20_159].contains(&at) {
            bytes.push(stream.bytes());
        }
    }
    assert!(bytes[2] < 1_500_000 && bytes[2] < 8 * bytes[0], "{bytes:?}");
    assert!(stream.log_evidence() < 0.0, "{}", stream.log_evidence());
}
