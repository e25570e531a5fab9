//! How fast evidence grows in the traffic that is expected.

use super::counts::IntervalCounts;
use super::increment::relative_increment;
use super::limit::{AbsoluteLimit, CountLaw, RelativeLimit, Side};

/// The logarithms of the effects between which the one that is there is looked for, and in how many
/// steps: from 0.1 % to a factor of 10,000.
const SMALLEST_LOG_EFFECT: f64 = 0.001;
const LARGEST_LOG_EFFECT: f64 = 9.2;
const EFFECT_STEPS: u32 = 400;

/// Returns how much `ln E` grows in an interval with this exposure against an absolute limit, for the
/// effect that is there, when the rate is `true_rate`; nothing when that is not on the limit's side.
///
/// The divergence of the Bernoulli law with `true_rate` from that with the limit, or of the Poisson law,
/// times the exposure.
pub fn absolute_growth(limit: &AbsoluteLimit, exposure: f64, true_rate: f64) -> Option<f64> {
    let (rate, line) = (true_rate, limit.limit());
    let is_on_side = match limit.side() {
        Side::Above => rate > line,
        Side::Below => rate < line,
    };
    if !is_on_side || rate < 0.0 || exposure.is_nan() || exposure <= 0.0 {
        return None;
    }
    let events = if rate > 0.0 {
        rate * libm::log(rate / line)
    } else {
        0.0
    };
    let rest = match limit.law() {
        CountLaw::Poisson => line - rate,
        CountLaw::Bernoulli if rate < 1.0 => {
            (1.0 - rate) * (libm::log1p(-rate) - libm::log1p(-line))
        }
        CountLaw::Bernoulli if rate > 1.0 => return None,
        CountLaw::Bernoulli => 0.0,
    };
    let growth = exposure * (events + rest);
    (growth > 0.0 && growth.is_finite()).then_some(growth)
}

/// Returns how much `ln E` grows in an interval in which both populations do what is expected of them,
/// for the effect that suits best; nothing when none makes it grow. For limits with an offset, which have no
/// closed form, and for a control without events.
pub fn offset_growth(limit: &RelativeLimit, expected: &IntervalCounts) -> Option<f64> {
    let step = (LARGEST_LOG_EFFECT - SMALLEST_LOG_EFFECT) / f64::from(EFFECT_STEPS);
    (0..=EFFECT_STEPS)
        .map(|at| libm::exp(SMALLEST_LOG_EFFECT + step * f64::from(at)))
        .map(|effect| relative_increment(expected, limit, effect))
        .filter(|growth| *growth > 0.0 && growth.is_finite())
        .reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::ArmCount;

    #[test]
    fn the_best_effect_without_an_offset_is_the_ratio_that_is_there() {
        let limit = RelativeLimit::new(1.25, 0.0, Side::Above).unwrap();
        let expected = IntervalCounts {
            control: ArmCount {
                events: 2.7,
                exposure: 2700.0,
            },
            canary: ArmCount {
                events: 0.9,
                exposure: 300.0,
            },
        };
        let growth = offset_growth(&limit, &expected).unwrap();
        assert!((growth - 0.220_457_664_485_610_66).abs() < 1e-4, "{growth}");
        let kept = RelativeLimit::new(4.0, 0.0, Side::Above).unwrap();
        assert_eq!(offset_growth(&kept, &expected), None);
    }

    #[test]
    fn a_limit_with_an_offset_needs_no_events_of_the_control() {
        let limit = RelativeLimit::new(1.0, 0.001, Side::Above).unwrap();
        let expected = |events| IntervalCounts {
            control: ArmCount {
                events: 0.0,
                exposure: 1e9,
            },
            canary: ArmCount {
                events,
                exposure: 1000.0,
            },
        };
        // Against a control that is as good as known it is the Poisson law with the offset.
        let line = AbsoluteLimit::new(0.001, Side::Above, CountLaw::Poisson).unwrap();
        let expected_growth = absolute_growth(&line, 1000.0, 0.003).unwrap();
        let growth = offset_growth(&limit, &expected(3.0)).unwrap();
        assert!((growth - expected_growth).abs() < 1e-3, "{growth}");
        assert_eq!(offset_growth(&limit, &expected(1.0)), None);
    }

    #[test]
    fn growth_against_an_absolute_limit_is_the_divergence() {
        let limit = |side, law| AbsoluteLimit::new(0.01, side, law).unwrap();
        let above = limit(Side::Above, CountLaw::Bernoulli);
        let growth = absolute_growth(&above, 1000.0, 0.02).unwrap();
        let expected = 1000.0 * (0.02 * 2.0_f64.ln() + 0.98 * (0.98_f64 / 0.99).ln());
        assert!((growth - expected).abs() < 1e-10);
        assert_eq!(absolute_growth(&above, 1000.0, 0.01), None);
        assert_eq!(absolute_growth(&above, f64::NAN, 0.02), None);
        assert_eq!(absolute_growth(&above, 1000.0, 1.5), None);
        assert!(absolute_growth(&above, 1000.0, 1.0).is_some());
        let below = limit(Side::Below, CountLaw::Poisson);
        let growth = absolute_growth(&below, 1000.0, 0.0).unwrap();
        assert!((growth - 10.0).abs() < 1e-12);
    }
}
