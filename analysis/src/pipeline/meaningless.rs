//! Limits that can be written and mean nothing: no data could ever decide them, or nobody can tell
//! what number was meant. Earlier versions accepted them, so a rollout that runs keeps them.

use crate::proof::{Kept, Promotion};
use crate::sequential::{AbsoluteLimit, CountLaw, RelativeLimit, SequentialError, Side};

use super::definition::{DefinedKind, Definition};
use super::expression::{Claim, Expression};
use super::limit::Limit;
use super::model::{Check, Comparison, Condition, Dimension, Method, MetricKind, Use};
use super::quantity::{Quantity, dimension_name};

/// From this many bytes on nobody means mebibytes.
const MANY_BYTES: f64 = 1e6;

/// What is wrong with an absolute limit on the edge of what a share or a rate can be: no number of
/// requests shows that a share is 0 or 1, and beyond them there is nothing to show.
pub(super) fn edge(metric: &Definition, condition: Condition, used_as: Use) -> Option<String> {
    let Condition::Absolute { comparison, limit } = condition else {
        return None;
    };
    let (is_share, least) = match metric.kind {
        DefinedKind::Measured(MetricKind::Proportion { .. }) => (true, "0.01%"),
        DefinedKind::Measured(MetricKind::EventRate { .. }) => (false, "0.01"),
        DefinedKind::Measured(
            MetricKind::Quantile { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. },
        )
        | DefinedKind::ImpactOf(_) => return None,
    };
    let name = &metric.name;
    let wants_less = comparison.wants_less();
    if limit <= 0.0 {
        return match (used_as, comparison) {
            (Use::KillSwitch, Comparison::Greater) => None,
            (Use::Check, _) if wants_less => Some(format!(
                "no amount of data shows that {name} is 0: write < {least}, or a kill switch > 0"
            )),
            (Use::KillSwitch, _) if wants_less => Some(format!(
                "no amount of data shows that {name} is 0, so this never fires: write < {least}"
            )),
            (Use::Check, _) => Some(format!(
                "{name} is never below 0, so this says nothing: write > {least}"
            )),
            (Use::KillSwitch, _) => Some(format!(
                "{name} is never below 0, so this always fires: write > 0"
            )),
        };
    }
    if !is_share || limit < 1.0 {
        return None;
    }
    match (used_as, comparison) {
        (Use::KillSwitch, Comparison::Less) => None,
        (Use::Check, _) if wants_less => Some(format!(
            "{name} is a part of all requests and never above 1: did you mean {limit}%?"
        )),
        (Use::KillSwitch, _) if wants_less => Some(format!(
            "{name} is never above 100%, so this always fires: write < 100%"
        )),
        (Use::Check, _) => Some(format!(
            "no amount of data shows that {name} is 100%: write > 99.99%, or a kill switch < 100%"
        )),
        (Use::KillSwitch, _) => Some(format!(
            "no amount of data shows that {name} is 100%, so this never fires: write > 99.99%"
        )),
    }
}

/// What is wrong with a time or a size that has no unit: 200 is milliseconds to one reader and
/// seconds to another.
pub(super) fn without_unit(expression: &Expression<'_>, metric: &Definition) -> Option<String> {
    let Claim::Compare { comparison, limit } = &expression.claim else {
        return None;
    };
    let bare = limit
        .iter()
        .filter(|term| term.names.is_empty())
        .flat_map(|term| &term.numbers)
        .find(|number| number.is_bare() && number.in_base_unit() != 0.0)?;
    let [first, second] = readings(bare, metric.dimension)?;
    let sign = match comparison {
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    };
    let is_whole_limit = limit.len() == 1;
    let reading = |unit: &str| {
        let digits = bare.digits();
        if is_whole_limit {
            format!("{} {sign} {digits}{unit}", expression.metric)
        } else {
            format!("{digits}{unit}")
        }
    };
    Some(format!(
        "{} is {}, and {} has no unit: write {} or {}",
        metric.name,
        dimension_name(metric.dimension),
        bare.digits(),
        reading(first),
        reading(second)
    ))
}

/// The two units that a number without one was probably meant in.
fn readings(number: &Quantity, dimension: Dimension) -> Option<[&'static str; 2]> {
    match dimension {
        Dimension::Seconds => Some(["ms", "s"]),
        Dimension::Bytes if number.in_base_unit() < MANY_BYTES => Some(["MiB", "B"]),
        Dimension::Bytes => Some(["B", "KiB"]),
        Dimension::Fraction | Dimension::Number => None,
    }
}

/// Why the sequential method could never decide a check of counts, if it could not. Whoever judges
/// asks the same, so that nothing is refused without a word.
pub(crate) fn untestable(check: &Check) -> Option<String> {
    let law = match check.measured.kind {
        MetricKind::Proportion { .. } => CountLaw::Bernoulli,
        MetricKind::EventRate { .. } => CountLaw::Poisson,
        // Limits of a quantile become those of shares at the bounds that its histogram has.
        MetricKind::Quantile { .. } | MetricKind::Gauge { .. } | MetricKind::PerRequest { .. } => {
            return None;
        }
    };
    if check.method != Method::Sequential {
        return None;
    }
    let tested = is_testable(check.limit, law, Claimed::Broken)
        .and_then(|()| is_testable(check.promotion_limit, law, Claimed::Kept));
    tested.err().map(|error| error.to_string())
}

/// What is asked of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimed {
    Broken,
    Kept,
}

fn is_testable(limit: Limit, law: CountLaw, claimed: Claimed) -> Result<(), SequentialError> {
    let (ratio, offset, broken_side) = match limit {
        Limit::AtMost { ratio, offset } => (ratio, offset, Side::Above),
        Limit::AtLeast { ratio, offset } => (ratio, offset, Side::Below),
        Limit::Within { tolerance } => {
            let is_part = tolerance > 0.0 && tolerance < 1.0;
            return if is_part {
                Ok(())
            } else {
                Err(SequentialError::Tolerance { tolerance })
            };
        }
    };
    let side = match claimed {
        Claimed::Broken => broken_side,
        Claimed::Kept => broken_side.opposite(),
    };
    let Some(ratio) = ratio else {
        return AbsoluteLimit::new(offset, side, law).map(drop);
    };
    let line = RelativeLimit::new(ratio, offset, side)?;
    match claimed {
        Claimed::Broken => Ok(()),
        Claimed::Kept if Promotion::new(Kept::Relative(line)).is_possible() => Ok(()),
        Claimed::Kept => Err(SequentialError::NeverCompliant { ratio, offset }),
    }
}
