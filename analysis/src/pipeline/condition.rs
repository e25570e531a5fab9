//! What the text of a check says of its metric, and whether it can be said of it.

use super::cursor::shortened;
use super::definition::{DefinedKind, Definition};
use super::expression::{Claim, Expression, Term, parse_expression};
use super::meaningless::{edge, without_unit};
use super::metrics::KnownMetrics;
use super::model::{Better, Comparison, Condition, Dimension, MetricKind, Use};
use super::names::suggestion;
use super::quantity::{Quantity, dimension_name, units_of};

/// Names of the control in a limit.
const CONTROL_NAMES: &[&str] = &["baseline", "control", "legacy"];

/// What a text says.
#[derive(Debug)]
pub(super) struct Meaning<'m> {
    /// Of which metric.
    pub(super) metric: &'m Definition,
    /// What.
    pub(super) condition: Condition,
    /// What is wrong with it by rules that earlier versions did not have.
    pub(super) later_mistakes: Vec<String>,
}

/// The metric and the condition of a text, or everything that is wrong with it.
///
/// # Errors
///
/// Why it says nothing of any metric.
pub(super) fn condition_of<'m>(
    text: &str,
    metrics: &'m KnownMetrics,
    used_as: Use,
) -> Result<Meaning<'m>, Vec<String>> {
    let expression = parse_expression(text).map_err(|message| vec![message])?;
    let metric = metrics
        .resolve(expression.metric)
        .map_err(|message| message.into_iter().collect::<Vec<_>>())?;
    let condition = resolve(&expression, metric).map_err(|message| vec![message])?;
    if used_as == Use::KillSwitch && !matches!(condition, Condition::Absolute { .. }) {
        return Err(vec![
            "a kill switch knows no control: give an absolute limit, such as error_rate > 5%"
                .to_owned(),
        ]);
    }
    check_direction(metric, condition, used_as).map_err(|message| vec![message])?;
    let later_mistakes = edge(metric, condition, used_as)
        .into_iter()
        .chain(without_unit(&expression, metric))
        .collect();
    Ok(Meaning {
        metric,
        condition,
        later_mistakes,
    })
}

fn resolve(expression: &Expression<'_>, metric: &Definition) -> Result<Condition, String> {
    match &expression.claim {
        Claim::Within { tolerance, control } => {
            check_control_name(control, expression.metric, metric)?;
            if !tolerance.is_fraction() && !tolerance.is_bare() {
                return Err(
                    "a tolerance is a part of the control's value, such as 5% or 0.05".to_owned(),
                );
            }
            let tolerance = tolerance.in_base_unit();
            if tolerance <= 0.0 || tolerance >= 1.0 {
                return Err(format!(
                    "a tolerance lies between 0 and 100%, found {}%",
                    tolerance * 100.0
                ));
            }
            Ok(Condition::Within { tolerance })
        }
        Claim::Compare { comparison, limit } => {
            let sum = Sum::of(limit, expression.metric, metric)?;
            match sum.ratio {
                None => absolute(*comparison, sum.offset, metric),
                Some(ratio) if ratio > 0.0 && ratio.is_finite() => Ok(Condition::Relative {
                    comparison: *comparison,
                    ratio,
                    offset: sum.offset,
                }),
                Some(ratio) => Err(format!(
                    "the factor of baseline must be above 0, found {ratio}"
                )),
            }
        }
    }
}

/// A limit as `control * ratio + offset`.
struct Sum {
    ratio: Option<f64>,
    offset: f64,
}

impl Sum {
    fn of(terms: &[Term<'_>], written_name: &str, metric: &Definition) -> Result<Self, String> {
        let mut sum = Self {
            ratio: None,
            offset: 0.0,
        };
        let is_relative = terms.iter().any(|term| !term.names.is_empty());
        for term in terms {
            let sign = if term.is_negative { -1.0 } else { 1.0 };
            match term.names.as_slice() {
                [] => {
                    let quantity = single_number(term)?;
                    check_unit(quantity, metric, is_relative, term.is_negative)?;
                    sum.offset += sign * quantity.in_base_unit();
                }
                [name] => {
                    check_control_name(name, written_name, metric)?;
                    if sum.ratio.is_some() {
                        return Err(
                            "the control stands twice in the limit: add the factors".to_owned()
                        );
                    }
                    sum.ratio = Some(sign * factor(term)?);
                }
                _ => return Err("the control cannot be multiplied by itself".to_owned()),
            }
        }
        if sum.offset.is_finite() {
            Ok(sum)
        } else {
            Err("the limit is too large".to_owned())
        }
    }
}

fn single_number<'t>(term: &'t Term<'_>) -> Result<&'t Quantity, String> {
    match term.numbers.as_slice() {
        [quantity] => Ok(quantity),
        _ => Err("numbers are not multiplied here: write their product".to_owned()),
    }
}

fn factor(term: &Term<'_>) -> Result<f64, String> {
    let mut product = 1.0;
    for quantity in &term.numbers {
        if !quantity.is_bare() && !quantity.is_fraction() {
            return Err(format!(
                "a factor of the control has no unit, found one in {}",
                quantity.unit_name()
            ));
        }
        product *= quantity.in_base_unit();
    }
    Ok(product)
}

fn check_unit(
    quantity: &Quantity,
    metric: &Definition,
    is_relative: bool,
    is_negative: bool,
) -> Result<(), String> {
    let name = &metric.name;
    if is_relative && quantity.is_fraction() && metric.dimension != Dimension::Fraction {
        // "+ 10%" could mean a tenth of the control or a tenth of a unit: ask.
        let part = quantity.in_base_unit();
        let ratio = if is_negative { 1.0 - part } else { 1.0 + part };
        return Err(format!(
            "a percentage cannot be added to {name}: write baseline * {ratio}"
        ));
    }
    if quantity.fits(metric.dimension) {
        return Ok(());
    }
    Err(format!(
        "{name} is {}: use {}, not {}, or say what it counts with \"unit\" where it is defined",
        dimension_name(metric.dimension),
        units_of(metric.dimension),
        quantity.unit_name()
    ))
}

/// `baseline`, `control`, `legacy`, or one of them with the metric's name or the end of it:
/// `legacy_error_rate`, `legacy_p99`.
fn check_control_name(name: &str, written_name: &str, metric: &Definition) -> Result<(), String> {
    if CONTROL_NAMES.contains(&name) {
        return Ok(());
    }
    let suffix = CONTROL_NAMES
        .iter()
        .find_map(|control| name.strip_prefix(control)?.strip_prefix('_'));
    let Some(suffix) = suffix else {
        let hint = suggestion(name, CONTROL_NAMES.iter().copied());
        let hint = if hint.is_empty() {
            ": a limit is a number, or baseline with a factor".to_owned()
        } else {
            hint
        };
        return Err(format!(
            "unknown name {:?} in the limit{hint}",
            shortened(name)
        ));
    };
    let is_end_of = |whole: &str| {
        whole
            .strip_suffix(suffix)
            .is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    if !suffix.is_empty() && (is_end_of(written_name) || is_end_of(&metric.name)) {
        Ok(())
    } else {
        Err(format!(
            "{:?} is not the control's {written_name}: a metric is compared with itself, write \
             baseline",
            shortened(name)
        ))
    }
}

fn absolute(comparison: Comparison, limit: f64, metric: &Definition) -> Result<Condition, String> {
    let name = &metric.name;
    let message = match metric.kind {
        DefinedKind::Measured(MetricKind::Proportion { .. }) if limit > 1.0 => Some(format!(
            "{name} is a part of all requests and never above 1: did you mean {limit}%?"
        )),
        DefinedKind::ImpactOf(_) if limit >= 1.0 => Some(format!(
            "{name} is the part that is lost and never above 1: did you mean {limit}%?"
        )),
        DefinedKind::Measured(MetricKind::Gauge { .. }) | DefinedKind::ImpactOf(_) => None,
        DefinedKind::Measured(MetricKind::Quantile { .. }) if limit <= 0.0 => Some(format!(
            "the limit of {name} must be above 0, found {limit}"
        )),
        DefinedKind::Measured(_) if limit < 0.0 => {
            Some(format!("{name} is never below 0, found the limit {limit}"))
        }
        DefinedKind::Measured(_) => None,
    };
    match message {
        Some(message) => Err(message),
        None => Ok(Condition::Absolute { comparison, limit }),
    }
}

/// A check that asks for what is bad, or a kill switch that fires on what is good, is the other
/// one written in the wrong place: it would roll back every good canary.
fn check_direction(metric: &Definition, condition: Condition, used_as: Use) -> Result<(), String> {
    let wants_less = match condition {
        Condition::Absolute { comparison, .. } | Condition::Relative { comparison, .. } => {
            comparison.wants_less()
        }
        Condition::Within { .. } => return Ok(()),
    };
    // A gauge or a rate may have a good range with two ends.
    if matches!(
        metric.kind,
        DefinedKind::Measured(MetricKind::Gauge { .. } | MetricKind::EventRate { .. })
    ) {
        return Ok(());
    }
    let less_is_good = metric.better == Better::Lower;
    let name = &metric.name;
    let good = if less_is_good { "less" } else { "more" };
    match used_as {
        Use::Check if wants_less != less_is_good => {
            let sign = if less_is_good { "<" } else { ">" };
            let other = if less_is_good { "higher" } else { "lower" };
            let hint = match metric.kind {
                DefinedKind::ImpactOf(_) => String::new(),
                DefinedKind::Measured(_) => {
                    format!(", or \"better: {other}\" where {name} is defined")
                }
            };
            Err(format!(
                "a check says what must hold, and {good} of {name} is better: write {sign}{hint}"
            ))
        }
        Use::KillSwitch if wants_less == less_is_good => {
            let sign = if less_is_good { ">" } else { "<" };
            Err(format!(
                "a kill switch says what must not happen, and {good} of {name} is better: write \
                 {sign}"
            ))
        }
        _ => Ok(()),
    }
}
