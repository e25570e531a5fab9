//! The steps of a stage: lists and curves of traffic and duration, expanded.

use super::cursor::{Cursor, Field, Fields, Problems, checked};
use super::stages::{MAX_STAGES, read_minutes, read_traffic};
use super::yaml::Value;

/// One step of a stage: the stage itself, or a sub-stage of it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    /// The number of the sub-stage from 1; nothing when the stage is not expanded.
    pub(super) number: Option<usize>,
    /// The canary's share of the traffic, in percent.
    pub(super) traffic_percent: f64,
    /// The least time, in minutes.
    pub(super) duration_minutes: f64,
    /// The longest time, in minutes.
    pub(super) max_duration_minutes: f64,
    /// Where the traffic is written.
    pub(super) place: Cursor<'a>,
}

/// How many times the duration a stage lasts at most when the file does not say.
const MAX_DURATION_FACTOR: f64 = 2.0;

/// The names of curves.
#[derive(Debug, Clone, Copy)]
enum Curve {
    SmoothStep,
    Linear,
}

const CURVES: &[(&str, Curve)] = &[
    ("smooth_step", Curve::SmoothStep),
    ("linear", Curve::Linear),
];

/// Reads the steps of a stage. Nothing is returned when a mistake leaves no step to be made.
pub(super) fn read_schedule<'a>(
    entry: &Field<'a>,
    fields: &Fields<'a>,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    let duration = fields.get("duration_minutes");
    if duration.is_none() {
        problems.add(
            entry.key_position,
            entry.value.path(),
            "no \"duration_minutes\": say how long the stage lasts at least",
        );
    }
    match (fields.get("traffic_percent"), fields.get("traffic_curve")) {
        (Some(traffic), None) => {
            if let Some(duration) = duration {
                return read_lists(traffic, duration, fields, problems);
            }
            for item in traffic.items_or_self() {
                read_traffic(&item, problems);
            }
        }
        (None, Some(curve)) => {
            if let Some(shares) = read_curve(curve, problems)
                && let Some(duration) = duration
            {
                return read_equal_parts(curve, &shares, duration, fields, problems);
            }
        }
        (Some(_), Some(curve)) => curve.problem(
            problems,
            "\"traffic_curve\" stands in place of \"traffic_percent\": remove one of the two",
        ),
        (None, None) => problems.add(
            entry.key_position,
            entry.value.path(),
            "no \"traffic_percent\": say which share of the traffic the canary takes",
        ),
    }
    Vec::new()
}

/// Scalars, or lists of equal length; a scalar beside a list stands for each of its items.
fn read_lists<'a>(
    traffic: &Cursor<'a>,
    duration: &Cursor<'a>,
    fields: &Fields<'a>,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    let longest = fields.get("max_duration_minutes");
    let columns = [
        ("traffic_percent", Some(traffic)),
        ("duration_minutes", Some(duration)),
        ("max_duration_minutes", longest),
    ];
    let Some(count) = common_length(&columns, problems) else {
        return Vec::new();
    };
    let traffic_percents: Vec<Option<f64>> = traffic
        .items_or_self()
        .iter()
        .map(|item| read_traffic(item, problems))
        .collect();
    let durations: Vec<Option<f64>> = duration
        .items_or_self()
        .iter()
        .map(|item| read_minutes(item, problems))
        .collect();
    let longest_items = longest.map(Cursor::items_or_self);
    let longest_durations: Vec<Option<f64>> = longest_items
        .iter()
        .flatten()
        .map(|item| read_minutes(item, problems))
        .collect();
    let places = traffic.items_or_self();
    let mut steps = Vec::new();
    for index in 0..count.unwrap_or(1) {
        let (Some(traffic_percent), Some(duration_minutes), Some(place)) = (
            repeated(&traffic_percents, index).copied().flatten(),
            repeated(&durations, index).copied().flatten(),
            repeated(&places, index),
        ) else {
            continue;
        };
        let max_duration_minutes = match &longest_items {
            None => MAX_DURATION_FACTOR * duration_minutes,
            Some(items) => {
                let Some(minutes) = repeated(&longest_durations, index).copied().flatten() else {
                    continue;
                };
                if let Some(item) = repeated(items, index) {
                    check_longest(item, minutes, duration_minutes, problems);
                }
                minutes
            }
        };
        steps.push(Step {
            number: count.map(|_| index + 1),
            traffic_percent,
            duration_minutes,
            max_duration_minutes,
            place: place.clone(),
        });
    }
    steps
}

fn check_longest(item: &Cursor<'_>, longest: f64, duration: f64, problems: &mut Problems) {
    if longest < duration {
        let message =
            format!("max_duration_minutes {longest} is shorter than duration_minutes {duration}");
        item.problem(problems, message);
    }
}

/// The item of a step: a single item stands for all steps.
fn repeated<T>(items: &[T], index: usize) -> Option<&T> {
    match items {
        [one] => Some(one),
        _ => items.get(index),
    }
}

/// The length that all lists among the columns have; `Some(None)` when there is no list.
#[expect(
    clippy::option_option,
    reason = "the outer is whether it makes sense, the inner whether there is a list"
)]
fn common_length(
    columns: &[(&str, Option<&Cursor<'_>>)],
    problems: &mut Problems,
) -> Option<Option<usize>> {
    let mut first: Option<(&str, usize)> = None;
    let mut is_right = true;
    for (name, cursor) in columns {
        let Some(cursor) = cursor else { continue };
        let Value::Sequence(items) = cursor.value() else {
            continue;
        };
        if items.is_empty() || items.len() > MAX_STAGES {
            let message = format!("expected 1 to {MAX_STAGES} items, found {}", items.len());
            cursor.problem(problems, message);
            is_right = false;
            continue;
        }
        match first {
            None => first = Some((name, items.len())),
            Some((_, length)) if length == items.len() => {}
            Some((other, length)) => {
                let message = format!(
                    "{name:?} has {} items and {other:?} has {length}: give lists of equal \
                     length, or one value for all",
                    items.len()
                );
                cursor.problem(problems, message);
                is_right = false;
            }
        }
    }
    is_right.then(|| first.map(|(_, length)| length))
}

/// Reads `{steps: 20, curve: smooth_step}` into shares of the traffic, in percent.
fn read_curve(curve: &Cursor<'_>, problems: &mut Problems) -> Option<Vec<f64>> {
    const STEPS: &str = "a whole number of steps from 2 to 100";
    let fields = curve.fields(
        "{steps: 20, curve: smooth_step}",
        &["steps", "curve"],
        problems,
    )?;
    let shape = match fields.get("curve") {
        Some(value) => value.choice(CURVES, problems),
        None => Some(Curve::SmoothStep),
    };
    let Some(value) = fields.get("steps") else {
        curve.problem(problems, "no \"steps\": say how many, such as steps: 20");
        return None;
    };
    let steps = value.number(STEPS, problems)?;
    let is_right = (2.0..=100.0).contains(&steps) && steps.fract() == 0.0;
    let steps = checked(value, steps, is_right, STEPS, problems)?;
    let shape = shape?;
    let mut shares = Vec::new();
    let mut step = 1.0;
    while step <= steps {
        shares.push(share_percent(shape, step, steps));
        step += 1.0;
    }
    Some(shares)
}

/// The share after a step, in percent. With x = step / steps, the smooth step is
/// 100 (3 x^2 - 2 x^3); its numerator and denominator are whole numbers below 2^53, so the one
/// division gives the nearest number to the true share.
fn share_percent(curve: Curve, step: f64, steps: f64) -> f64 {
    match curve {
        Curve::Linear => 100.0 * step / steps,
        Curve::SmoothStep => {
            let numerator = 100.0 * step * step * (3.0 * steps - 2.0 * step);
            numerator / (steps * steps * steps)
        }
    }
}

/// Steps that share the durations equally.
fn read_equal_parts<'a>(
    curve: &Cursor<'a>,
    shares: &[f64],
    duration: &Cursor<'a>,
    fields: &Fields<'a>,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    let count = shares.len() as f64;
    let minutes = read_minutes(duration, problems);
    let longest = match fields.get("max_duration_minutes") {
        Some(value) => {
            let longest = read_minutes(value, problems);
            if let (Some(longest), Some(minutes)) = (longest, minutes) {
                check_longest(value, longest, minutes, problems);
            }
            longest
        }
        None => minutes.map(|minutes| MAX_DURATION_FACTOR * minutes),
    };
    let (Some(minutes), Some(longest)) = (minutes, longest) else {
        return Vec::new();
    };
    shares
        .iter()
        .zip(1..)
        .map(|(&traffic_percent, number)| Step {
            number: Some(number),
            traffic_percent,
            duration_minutes: minutes / count,
            max_duration_minutes: longest / count,
            place: curve.clone(),
        })
        .collect()
}
