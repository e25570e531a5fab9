//! How fast evidence about one limit grows, in the judge's own terms.

use crate::pipeline::Limit;
use crate::sequential::{
    AbsoluteLimit, CountLaw, ExpectedTraffic, IntervalCounts, RelativeLimit, Side, absolute_growth,
    offset_growth, relative_growth,
};

use super::limit::{Scale, estimate};

/// The smallest ratio to the control that growth is computed for: a canary without events has no
/// logarithm, and evidence no longer grows faster here.
const SMALLEST_RATIO: f64 = 1e-6;

/// Which of its two sides a limit is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// That it is broken.
    Broken,
    /// That it is kept.
    Kept,
}

/// Returns how much `ln E` grows in an interval in which both populations do what is expected;
/// nothing when what is claimed is not true, or the limit has two sides.
///
/// Where a limit is kept, the effects that are mixed end at its square: a canary without any event
/// is seen as fast as one with the inverse of the limit.
///
/// Source: docs/design/statistics.md, "5. Absolute limits" and "12. Planning".
pub(crate) fn growth(
    limit: Limit,
    claimed: Claimed,
    scale: Scale,
    expected: &IntervalCounts,
) -> Option<f64> {
    let (ratio, offset, bad) = match limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, Side::Above),
        Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Below),
        Limit::Within { .. } => return None,
    };
    let side = match claimed {
        Claimed::Broken => bad,
        Claimed::Kept => bad.opposite(),
    };
    let canary = estimate(expected.canary)?;
    let Some(ratio) = ratio else {
        let limit = AbsoluteLimit::new(offset, side, scale.law()).ok()?;
        return absolute_growth(&limit, expected.canary.exposure, canary);
    };
    if offset.abs() > 0.0 {
        let limit = RelativeLimit::new(ratio, offset, side).ok()?;
        return offset_growth(&limit, expected);
    }
    let control = estimate(expected.control)?;
    let traffic =
        ExpectedTraffic::new(expected.canary.exposure, expected.control.exposure, control).ok()?;
    let true_ratio = match (claimed, side) {
        (Claimed::Kept, Side::Below) => (canary / control).max(1.0 / ratio),
        (Claimed::Kept, Side::Above) => (canary / control).min(1.0 / ratio),
        (Claimed::Broken, _) => (canary / control).max(SMALLEST_RATIO),
    };
    relative_growth(&traffic, side, ratio, true_ratio)
}

impl Scale {
    /// The law of the counts.
    pub(crate) fn law(self) -> CountLaw {
        match self {
            Self::Share => CountLaw::Bernoulli,
            Self::Rate => CountLaw::Poisson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::ArmCount;

    fn expected(control: f64, canary: f64) -> IntervalCounts {
        let arm = |rate: f64, exposure: f64| ArmCount {
            events: rate * exposure,
            exposure,
        };
        IntervalCounts {
            control: arm(control, 2_700.0),
            canary: arm(canary, 300.0),
        }
    }

    #[test]
    fn a_relative_limit_grows_as_the_design_says() {
        let limit = Limit::relative(true, 1.25, 0.0);
        let broken = |canary| {
            growth(
                limit,
                Claimed::Broken,
                Scale::Share,
                &expected(0.001, canary),
            )
        };
        assert!((broken(0.003).unwrap() - 0.220_457_664_485_610_66).abs() < 1e-12);
        assert_eq!(broken(0.001), None);
        let kept = Limit::relative(true, 2.0, 0.0);
        let kept = |canary| growth(kept, Claimed::Kept, Scale::Share, &expected(0.001, canary));
        assert!((kept(0.001).unwrap() - 0.077_986_385_244_990_91).abs() < 1e-12);
        assert!(kept(0.0).unwrap() > kept(0.001).unwrap(), "without events");
    }

    #[test]
    fn an_offset_counts() {
        let limit = |offset| Limit::relative(true, 1.0, offset);
        let broken = |offset| {
            growth(
                limit(offset),
                Claimed::Broken,
                Scale::Share,
                &expected(0.0, 0.003),
            )
        };
        assert_eq!(broken(0.0), None, "nothing to compare with");
        assert!(broken(0.001).unwrap() > 0.0);
        assert_eq!(broken(0.003), None);
    }

    #[test]
    fn a_limit_with_two_sides_has_no_growth_of_its_own() {
        let limit = Limit::Within { tolerance: 0.1 };
        assert_eq!(
            growth(limit, Claimed::Broken, Scale::Rate, &expected(1.0, 2.0)),
            None
        );
    }
}
