//! The steps of a stage: lists and curves of traffic and duration, expanded.

use super::cursor::{Cursor, Field, Fields, Problems, checked};
use super::model::AnalysisSettings;
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

/// The most stages after expansion.
pub(super) const MAX_STAGES: usize = 200;

/// How many times the duration a stage lasts at most when the file does not say.
const MAX_DURATION_FACTOR: f64 = 2.0;

const SECONDS_PER_MINUTE: f64 = 60.0;

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

/// What a duration is where the file's own is wrong: the mistake is told, and the traffic can
/// still be looked at. Zero, so that no longest duration is shorter than it.
const PLACEHOLDER_MINUTES: f64 = 0.0;

/// The most intervals of one window, and so of one stage: a week of 30 s. Longer ones would ask
/// Prometheus for more than anybody waits for.
pub const MOST_INTERVALS: usize = 20_160;

/// The lengths of an interval that are proposed, in seconds: those that people think in.
const USUAL_INTERVALS_SECONDS: &[f64] = &[
    2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0,
];

/// Reads the steps of a stage. Nothing is returned when a mistake leaves no step to be made.
pub(super) fn read_schedule<'a>(
    entry: &Field<'a>,
    fields: &Fields<'a>,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    if fields.lacks("duration_minutes") {
        problems.add(
            entry.key_position,
            entry.value.path(),
            "no \"duration_minutes\": say how long the stage lasts at least",
        );
    }
    match (fields.get("traffic_percent"), fields.get("traffic_curve")) {
        (Some(_), None) => return read_lists(fields, settings, problems),
        (None, Some(curve)) => return read_curve(curve, fields, settings, problems),
        (Some(_), Some(curve)) => {
            curve.problem(
                problems,
                "\"traffic_curve\" stands in place of \"traffic_percent\": remove one of the two",
            );
            read_shares(curve, problems);
        }
        (None, None) if !fields.lacks("traffic_percent") || !fields.lacks("traffic_curve") => {}
        (None, None) => problems.add(
            entry.key_position,
            entry.value.path(),
            "no \"traffic_percent\": say which share of the traffic the canary takes",
        ),
    }
    // No step can be made of it, but what stands there can be wrong, too.
    read_lists(fields, settings, problems);
    Vec::new()
}

/// Scalars, or lists of equal length; a scalar beside a list stands for each of its items.
fn read_lists<'a>(
    fields: &Fields<'a>,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    let column = |key: &'static str| Some((key, fields.get(key)?.clone()));
    let columns: Vec<(&str, Cursor<'a>)> = [
        "traffic_percent",
        "duration_minutes",
        "max_duration_minutes",
    ]
    .into_iter()
    .filter_map(column)
    .collect();
    let common = common_length(&columns, problems);
    let places = items(fields, "traffic_percent");
    let shares: Vec<Option<f64>> = places
        .iter()
        .map(|item| read_traffic(item, problems))
        .collect();
    let durations = read_durations(fields, "duration_minutes", problems);
    let longest = read_durations(fields, "max_duration_minutes", problems);
    let Some(count) = common else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    for index in 0..count.unwrap_or(1) {
        let duration = repeated(&durations, index);
        let duration_minutes = duration
            .and_then(|(_, minutes)| *minutes)
            .unwrap_or(PLACEHOLDER_MINUTES);
        let max_duration_minutes = match (repeated(&longest, index), duration) {
            (Some((item, Some(minutes))), _) => {
                check_longest(item, *minutes, duration_minutes, problems);
                check_intervals(item, *minutes, settings, problems);
                *minutes
            }
            (None, Some((item, Some(minutes)))) => {
                let longest = MAX_DURATION_FACTOR * minutes;
                check_intervals(item, longest, settings, problems);
                longest
            }
            _ => MAX_DURATION_FACTOR * duration_minutes,
        };
        let (Some(Some(traffic_percent)), Some(place)) =
            (repeated(&shares, index), repeated(&places, index))
        else {
            continue;
        };
        steps.push(Step {
            number: count.map(|_| index + 1),
            traffic_percent: *traffic_percent,
            duration_minutes,
            max_duration_minutes,
            place: place.clone(),
        });
    }
    steps
}

/// The durations under a key, each with its place; none when there is no such key.
fn read_durations<'a>(
    fields: &Fields<'a>,
    key: &str,
    problems: &mut Problems,
) -> Vec<(Cursor<'a>, Option<f64>)> {
    let mut durations = Vec::new();
    for item in items(fields, key) {
        let minutes = read_minutes(&item, problems);
        durations.push((item, minutes));
    }
    durations
}

/// The items under a key; none when there is no such key.
fn items<'a>(fields: &Fields<'a>, key: &str) -> Vec<Cursor<'a>> {
    fields
        .get(key)
        .map(Cursor::items_or_self)
        .unwrap_or_default()
}

/// Tells a step that cannot be judged as a whole, because its window would have too many
/// intervals before `longest` minutes are over.
fn check_intervals(
    item: &Cursor<'_>,
    longest: f64,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) {
    let most = MOST_INTERVALS as f64;
    let seconds = longest * SECONDS_PER_MINUTE;
    let intervals = (seconds / f64::from(settings.interval_seconds)).ceil();
    if intervals <= most {
        return;
    }
    let fitting = USUAL_INTERVALS_SECONDS
        .iter()
        .find(|usual| seconds / **usual <= most);
    let advice = match fitting {
        Some(fitting) => format!("set interval under \"analysis\" to {fitting}s"),
        None => "make the stage shorter".to_owned(),
    };
    let message = format!(
        "the stage lasts up to {longest} minutes, which are {intervals} intervals of {} s, more \
         than {MOST_INTERVALS}: {advice}",
        settings.interval_seconds
    );
    item.problem(problems, message);
}

fn check_longest(item: &Cursor<'_>, longest: f64, duration: f64, problems: &mut Problems) {
    if longest < duration {
        let message =
            format!("max_duration_minutes {longest} is shorter than duration_minutes {duration}");
        item.problem(problems, message);
    }
}

/// Reads `traffic_percent` of one step.
fn read_traffic(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    const TRAFFIC: &str = "a share of the traffic above 0 and up to 100 percent";
    let percent = value.percent(TRAFFIC, problems)?;
    checked(
        value,
        percent,
        percent > 0.0 && percent <= 100.0,
        TRAFFIC,
        problems,
    )
}

/// Reads a duration of one step.
fn read_minutes(value: &Cursor<'_>, problems: &mut Problems) -> Option<f64> {
    // A year: a grid of intervals must be finite, and so must the patience of its readers.
    const MAX_MINUTES: f64 = 525_600.0;
    const MINUTES: &str = "minutes above 0 and up to 525600, or a time such as 1h30m";
    let minutes = value.minutes(MINUTES, problems)?;
    checked(
        value,
        minutes,
        minutes > 0.0 && minutes <= MAX_MINUTES,
        MINUTES,
        problems,
    )
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
fn common_length(columns: &[(&str, Cursor<'_>)], problems: &mut Problems) -> Option<Option<usize>> {
    let mut first: Option<(&str, usize)> = None;
    let mut is_right = true;
    for (name, cursor) in columns {
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

/// Reads `{steps: 20, curve: smooth_step}`: steps that share the durations equally.
fn read_curve<'a>(
    curve: &Cursor<'a>,
    fields: &Fields<'a>,
    settings: &AnalysisSettings,
    problems: &mut Problems,
) -> Vec<Step<'a>> {
    let shares = read_shares(curve, problems).unwrap_or_default();
    // The least that a curve has, where the file's own number is wrong.
    let count = (shares.len() as f64).max(2.0);
    let minutes_of = |key: &str, problems: &mut Problems| {
        let value = fields.get(key)?;
        Some((value, read_minutes(value, problems)?))
    };
    let given = minutes_of("duration_minutes", problems);
    let duration = given
        .as_ref()
        .map_or(PLACEHOLDER_MINUTES, |(_, minutes)| *minutes);
    let longest = match (minutes_of("max_duration_minutes", problems), given) {
        (Some((value, minutes)), _) => {
            check_longest(value, minutes, duration, problems);
            check_intervals(value, minutes / count, settings, problems);
            minutes
        }
        (None, Some((value, minutes))) => {
            let longest = MAX_DURATION_FACTOR * minutes;
            if fields.get("max_duration_minutes").is_none() {
                check_intervals(value, longest / count, settings, problems);
            }
            longest
        }
        (None, None) => MAX_DURATION_FACTOR * duration,
    };
    shares
        .iter()
        .zip(1..)
        .map(|(&traffic_percent, number)| Step {
            number: Some(number),
            traffic_percent,
            duration_minutes: duration / count,
            max_duration_minutes: longest / count,
            place: curve.clone(),
        })
        .collect()
}

/// The shares of the traffic after each step of a curve, in percent.
fn read_shares(curve: &Cursor<'_>, problems: &mut Problems) -> Option<Vec<f64>> {
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
    if fields.lacks("steps") {
        curve.problem(problems, "no \"steps\": say how many, such as steps: 20");
    }
    let value = fields.get("steps")?;
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
