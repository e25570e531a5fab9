//! What was guessed and why, in sentences.

use crate::matchers::Matcher;
use crate::text;

use super::{Choice, Counter, OtherService, Pair, Service, Versions, Why};

/// A canary with more of the requests than this is most likely one of a rollout that is nearly over.
const MOST_OF_A_CANARY: f64 = 0.6;

/// By what requests are counted.
pub(super) fn counted_by(counter: &Counter) -> String {
    let metric = counter.metric();
    match counter.preset {
        Some(preset) => format!("Requests are counted by {metric}: {}.", preset.project),
        None => format!("Requests are counted by {metric}, which is of no preset."),
    }
}

/// What the counter cannot tell; nothing where it tells all.
pub(super) fn not_told(choice: &Choice, has_latency: bool) -> Vec<String> {
    let mut said = Vec::new();
    if choice.counter.errors.is_none() {
        said.push(format!(
            "No label of {} says which requests failed: error_rate is missing.",
            choice.counter.metric()
        ));
    }
    if !has_latency {
        let needs = choice.counter.preset.and_then(|preset| {
            let durations = preset.requests.durations?;
            let mut sentences = preset.about.split_inclusive(". ");
            let found = sentences.find(|one| one.starts_with("Latencies need"));
            let needs = found.map_or(String::new(), |found| format!(" {}", found.trim()));
            Some((durations.histogram, needs))
        });
        said.push(match needs {
            Some((histogram, needs)) => {
                format!("Nothing is in {histogram}: latency_p99 is missing.{needs}")
            }
            None => "There is no histogram of durations: latency_p99 is missing.".to_owned(),
        });
    }
    said
}

/// What tells the versions apart, and which is which.
pub(super) fn told_apart(service: &Service) -> Vec<String> {
    let mut said = match &service.versions {
        Some(Versions::Two(pair)) => of_pair(pair),
        Some(Versions::One { control, canary }) => vec![format!(
            "Only one version runs now, {}: a canary is expected with {}.",
            shown(&control.matcher),
            shown(canary),
        )],
        None => vec![
            "No label tells two versions apart. The track is a label that the pods must have and the \
             scrape must copy: change it to what yours have."
                .to_owned(),
        ],
    };
    let others = service.others.iter();
    said.extend(others.map(|(label, values)| {
        let values: Vec<&str> = values.iter().map(|value| named(value)).collect();
        format!("{label} has two values as well: {}.", values.join(" and "))
    }));
    said
}

fn of_pair(pair: &Pair) -> Vec<String> {
    let label = &pair.control.matcher.label;
    let control = named(&pair.control.matcher.value);
    let (more, less) = (pair.control.per_second, pair.canary.per_second);
    let why = match pair.why {
        Why::Words => "by their names".to_owned(),
        Why::MoreTraffic => format!(
            "since it has {} of their requests",
            percent(more, more + less)
        ),
        Why::LowerNumber => "since its number is lower".to_owned(),
    };
    let mut said = vec![format!(
        "{label} tells the versions apart; {control} is the control, {why}."
    )];
    // A rollout that is nearly over.
    if less > MOST_OF_A_CANARY * (more + less) {
        said.push(format!(
            "The canary has {} of their requests: late in a rollout the control has little to compare \
             with. Judge it earlier, or swap control and canary if {control} is the new one.",
            percent(less, more + less)
        ));
    }
    if !pair.more.is_empty() {
        let more: Vec<&str> = pair.more.iter().map(|value| named(value)).collect();
        let (are, they) = match more.len() {
            1 => ("is", "it is"),
            _ => ("are", "they are"),
        };
        said.push(format!(
            "There {are} {label} {} as well: {they} in neither population. Is the right pair compared?",
            more.join(", ")
        ));
    }
    said
}

/// A service that was not taken.
pub(super) fn other(other: &OtherService) -> String {
    let versions = if other.has_two_versions {
        "two versions"
    } else {
        "one version"
    };
    format!("{}: {}, {versions}", other.name, requests(other.per_second))
}

/// A value that is read, even if it is empty.
fn named(value: &str) -> &str {
    if value.is_empty() {
        "(without it)"
    } else {
        value
    }
}

/// `track=canary`, without what programs need.
fn shown(matcher: &Matcher) -> String {
    format!("{}{}{}", matcher.label, matcher.operator, matcher.value)
}

/// `90 %`.
pub(super) fn percent(part: f64, all: f64) -> String {
    format!("{} %", text::digits((part / all * 1_000.0).round() / 10.0))
}

/// `12,000 requests a second`.
pub(super) fn requests(per_second: f64) -> String {
    let number = if per_second >= 10.0 {
        text::count(per_second)
    } else {
        text::digits(per_second)
    };
    format!("{number} requests a second")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guess::Version;

    fn pair(control: f64, canary: f64, more: &[&str]) -> String {
        let version = |value: &str, per_second| Version {
            matcher: Matcher::equal("track", value),
            per_second,
        };
        let said = of_pair(&Pair {
            control: version("stable", control),
            canary: version("canary", canary),
            why: Why::Words,
            more: more.iter().map(|value| (*value).to_owned()).collect(),
        });
        said.join(" ")
    }

    const USUAL: &str = "track tells the versions apart; stable is the control, by their names.";

    #[test]
    fn a_canary_that_has_most_of_the_traffic_is_told() {
        assert_eq!(pair(9.0, 1.0, &[]), USUAL);
        assert_eq!(pair(5.0, 5.0, &[]), USUAL);
        assert_eq!(
            pair(1.0, 9.0, &[]),
            format!(
                "{USUAL} The canary has 90 % of their requests: late in a rollout the control has little to \
                 compare with. Judge it earlier, or swap control and canary if stable is the new one."
            )
        );
    }

    #[test]
    fn further_versions_are_told_to_be_in_neither_population() {
        assert_eq!(
            pair(9.0, 1.0, &["old"]),
            format!(
                "{USUAL} There is track old as well: it is in neither population. Is the right pair compared?"
            )
        );
        assert!(
            pair(9.0, 1.0, &["old", "older"])
                .contains("There are track old, older as well: they are in")
        );
    }
}
