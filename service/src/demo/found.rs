//! What a rollback has spared: how soon it came, whom the bad version met until then, and whom it
//! would have met with all of the traffic.

use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::{Check, Verdict};
use serinus_openapi::rollout::{Event, EventKind};

const SECONDS_PER_MINUTE: i64 = 60;
/// Numbers below are told to the last digit.
const EXACT_BELOW: f64 = 1_000.0;

/// What the trail of a rollout that was rolled back says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The stage at which it was found.
    stage: String,
    /// From the stage's begin to the rollback.
    seconds: i64,
    /// The share of the traffic.
    traffic_percent: f64,
    /// Whom it met, where a check counts requests.
    met: Option<Met>,
}

/// Requests of the canary, and what they would have been with all of the traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Met {
    requests: f64,
    failed: f64,
    all_requests: f64,
    all_failed: f64,
}

impl Found {
    /// Reads a trail; nothing where the judge rolled nothing back.
    pub(super) fn read(pipeline: &Pipeline, trail: &[Event]) -> Option<Self> {
        let is = |event: &&Event, kind: EventKind| event.kind.name() == kind.name();
        let rolled_back = trail.iter().find(|it| is(it, EventKind::RolledBack))?;
        let begins = |event: &&Event| {
            event.stage == rolled_back.stage
                && (is(event, EventKind::Started) || is(event, EventKind::StageStarted))
        };
        let begun = trail.iter().rfind(begins)?;
        let stages = &pipeline.stages;
        let stage = stages.iter().find(|stage| stage.id == rolled_back.stage)?;
        let decided = trail
            .iter()
            .filter(|event| event.verdict == Some(Verdict::Rollback))
            .find_map(|event| event.analysis.as_ref());
        Some(Self {
            stage: stage.id.clone(),
            seconds: (rolled_back.at - begun.at).num_seconds(),
            traffic_percent: stage.traffic_percent,
            met: decided.and_then(|analysis| analysis.checks.iter().find_map(Met::of)),
        })
    }

    /// `found after 2 min 30 s of stage_2, with 0.1 % of the traffic: ..`.
    pub(super) fn sentence(&self) -> String {
        let found = format!(
            "found after {} of {}, with {} % of the traffic",
            time(self.seconds),
            self.stage,
            self.traffic_percent
        );
        let Some(met) = self.met else {
            return found;
        };
        format!(
            "{found}: {} requests met it and {} of them failed; with all of the traffic it would \
             have been {} and {}",
            number(met.requests),
            number(met.failed),
            number(met.all_requests),
            number(met.all_failed)
        )
    }
}

impl Met {
    /// Of a check that counts the requests of both populations.
    fn of(check: &Check) -> Option<Self> {
        let (control, canary) = (check.control.as_ref()?, check.canary.as_ref()?);
        let (requests, failed) = (canary.total?.get(), canary.events?.get());
        let all_requests = requests + control.total?.get();
        Some(Self {
            requests,
            failed,
            all_requests,
            all_failed: all_requests * failed / requests.max(1.0),
        })
    }
}

/// `45 s`, `2 min`, `2 min 30 s`, `1 h 5 min`, `2 days 1 h`.
pub(super) fn time(seconds: i64) -> String {
    let minutes = seconds / SECONDS_PER_MINUTE;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    let two = |first: i64, unit: &str, second: i64, next: &str| {
        if second == 0 {
            format!("{first} {unit}")
        } else {
            format!("{first} {unit} {second} {next}")
        }
    };
    if minutes == 0 {
        format!("{seconds} s")
    } else if hours == 0 {
        two(minutes, "min", seconds % SECONDS_PER_MINUTE, "s")
    } else if days == 0 {
        two(hours, "h", minutes % 60, "min")
    } else {
        let unit = if days == 1 { "day" } else { "days" };
        two(days, unit, hours % 24, "h")
    }
}

/// `13`, `24,000`, `31 million`: two digits are enough for an impression.
fn number(value: f64) -> String {
    if value < EXACT_BELOW {
        return format!("{value:.0}");
    }
    let magnitude = two_digits(value);
    let rounded = (value / magnitude).round() * magnitude;
    if rounded >= 1e6 {
        return format!("{} million", rounded / 1e6);
    }
    format!("{},{:03}", (rounded / 1e3).floor(), rounded % 1e3)
}

/// The power of ten that leaves two digits before the point.
fn two_digits(value: f64) -> f64 {
    10_f64.powf(value.log10().floor() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_numbers_read_well() {
        for (seconds, told) in [
            (45, "45 s"),
            (120, "2 min"),
            (150, "2 min 30 s"),
            (3_900, "1 h 5 min"),
            (90_000, "1 day 1 h"),
            (176_940, "2 days 1 h"),
        ] {
            assert_eq!(time(seconds), told);
        }
        for (value, told) in [
            (0.0, "0"),
            (13.0, "13"),
            (24_012.0, "24,000"),
            (1_049.0, "1,000"),
            (131_234.0, "130,000"),
            (999_999.0, "1 million"),
            (24_012_345.0, "24 million"),
            (1_440_000_000.0, "1400 million"),
        ] {
            assert_eq!(number(value), told);
        }
    }

    #[test]
    fn it_says_when_and_where_it_was_found_and_what_was_spared() {
        let met = Met {
            requests: 24_012.0,
            failed: 13.0,
            all_requests: 24_012_345.0,
            all_failed: 13_001.0,
        };
        let found = Found {
            stage: "stage_2".to_owned(),
            seconds: 150,
            traffic_percent: 0.1,
            met: Some(met),
        };
        assert_eq!(
            found.sentence(),
            "found after 2 min 30 s of stage_2, with 0.1 % of the traffic: 24,000 requests met it \
             and 13 of them failed; with all of the traffic it would have been 24 million and 13,000"
        );
        let unknown = Found { met: None, ..found };
        let sentence = unknown.sentence();
        assert_eq!(
            sentence,
            "found after 2 min 30 s of stage_2, with 0.1 % of the traffic"
        );
    }
}
