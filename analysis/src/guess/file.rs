//! The file: short, commented, with what was guessed and how the service does now.

use crate::matchers::{MatchOperator, Matchers};
use crate::pipeline::Dimension;
use crate::text;

use super::reasons;
use super::{Choice, Counter, Present};

/// Columns that the file is laid out for.
const COLUMNS: usize = 80;

/// Most letters of a pipeline's name.
const MOST_LETTERS: usize = 64;

/// Failures of a canary that the first stage is to see, before a limit relative to the control's alone
/// can be shown to be kept.
const FEWEST_FAILURES: f64 = 100.0;

/// The traffic of the first stage, and its seconds.
const FIRST_SHARE: f64 = 0.1;
const FIRST_SECONDS: f64 = 3_600.0;

/// How many times today's value the kill switch lets pass, and the least that it does.
const KILLED_FROM: f64 = 10.0;
const KILLED_SHARE: f64 = 0.05;
const MOST_KILLED_SHARE: f64 = 0.5;

/// How many times today's latency the kill switch lets pass at least.
const FEWEST_TIMES: f64 = 2.0;

/// A pipeline to begin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// What was taken.
    pub choice: Choice,
    /// How its control does.
    pub control: Present,
    /// How its canary does, where one runs now.
    pub canary: Option<Present>,
    /// The largest bound of its histogram, in seconds: what is beyond it cannot be seen.
    pub largest_bound_seconds: Option<f64>,
    /// The address that was read.
    pub read_from: String,
    /// The name of the source, where it is not the default one.
    pub source: Option<String>,
    /// The date, for people.
    pub date: String,
}

/// Lines of a file.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn comment(&mut self, text: &str) {
        for line in text::wrapped(text, COLUMNS - 2) {
            self.line(&format!("# {line}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// A line with a comment behind it, or before it where it would be too long.
    fn noted(&mut self, text: &str, note: &str) {
        let both = format!("{text}  # {note}");
        if both.chars().count() <= COLUMNS {
            self.line(&both);
        } else {
            let indent = text.chars().take_while(|letter| *letter == ' ').count();
            for line in text::wrapped(note, COLUMNS - indent - 2) {
                self.line(&format!("{:indent$}# {line}", ""));
            }
            self.line(text);
        }
    }
}

impl Guess {
    /// The file.
    pub fn file(&self) -> String {
        let mut lines = Lines::default();
        self.head(&mut lines);
        self.populations(&mut lines);
        self.measured(&mut lines);
        self.kill_switch(&mut lines);
        self.stages(&mut lines);
        lines.0
    }

    /// What was guessed, in sentences for people.
    pub fn said(&self) -> Vec<String> {
        let mut said = vec![reasons::counted_by(&self.choice.counter)];
        said.extend(reasons::told_apart(&self.choice.service));
        said.extend(reasons::not_told(&self.choice, self.has_latency()));
        said
    }

    /// The services that were not taken, one line each.
    pub fn other_services(&self) -> Vec<String> {
        self.choice.others.iter().map(reasons::other).collect()
    }

    /// The name of the pipeline: the service's, in the letters that names may have.
    pub fn name(&self) -> String {
        let is_plain = |letter: &char| letter.is_ascii_alphanumeric() || "_-.".contains(*letter);
        let letters = self.choice.service.name.chars();
        let letters = letters.map(|letter| if is_plain(&letter) { letter } else { '-' });
        let name: String = letters.take(MOST_LETTERS).collect();
        let name = name.trim_matches(['-', '.', '_']);
        if name.is_empty() {
            "service".to_owned()
        } else {
            name.to_owned()
        }
    }

    fn has_errors(&self) -> bool {
        self.choice.counter.errors.is_some()
    }

    fn has_latency(&self) -> bool {
        self.control.latency_seconds.is_some()
    }

    fn head(&self, lines: &mut Lines) {
        lines.comment(&format!(
            "Written by serinus init from {} on {}. What was guessed says so: read it once, and change \
             what is not so. Today's values are of the last hour.",
            self.read_from, self.date
        ));
        lines.line(&format!("name: {}", scalar(&self.name())));
        if let Some(source) = &self.source {
            lines.line(&format!("source: {}", scalar(source)));
        }
        lines.line("");
    }

    fn populations(&self, lines: &mut Lines) {
        lines.comment(&format!(
            "Guessed: {}",
            reasons::told_apart(&self.choice.service).join(" ")
        ));
        lines.comment("What a caller sends is laid over these, label by label.");
        let both = self.choice.service.populations();
        let all = self.control.per_second + self.canary.map_or(0.0, |canary| canary.per_second);
        let requests = reasons::requests(all);
        let share = |present: &Present| {
            format!(
                "{} of its {requests}",
                reasons::percent(present.per_second, all)
            )
        };
        let control = format!("control: {}", mapping(&both.control));
        let today = match &self.canary {
            Some(_) => format!("today: {}", share(&self.control)),
            None if self.control.per_second > 0.0 => format!("today: {requests}"),
            None => "no series has these labels now".to_owned(),
        };
        lines.noted(&control, &today);
        let canary = format!("canary: {}", mapping(&both.canary));
        match &self.canary {
            Some(present) => lines.noted(&canary, &format!("today: {}", share(present))),
            None => lines.noted(&canary, "none runs now"),
        }
        lines.line("");
    }

    fn measured(&self, lines: &mut Lines) {
        let counter = &self.choice.counter;
        lines.comment(&reasons::counted_by(counter));
        for sentence in reasons::not_told(&self.choice, self.has_latency()) {
            lines.comment(&sentence);
        }
        match counter.preset {
            Some(preset) => lines.line(&format!("preset: {}", preset.name)),
            None => metrics(lines, counter, self.has_latency()),
        }
        lines.line("");
    }

    fn kill_switch(&self, lines: &mut Lines) {
        lines.comment(
            "Rolls back at once, in every stage, unless the control is beyond it too. About ten times \
             today's values, as far as the buckets reach; of errors no less than 5 %.",
        );
        let limits = lines.0.len();
        if self.has_errors() {
            let share = self.control.error_share().unwrap_or_default();
            let limit = round_up(share * KILLED_FROM).clamp(KILLED_SHARE, MOST_KILLED_SHARE);
            let limit = text::exact_value(limit, Dimension::Fraction).replace(' ', "");
            lines.noted(
                &format!("  - error_rate > {limit}"),
                &self.today_of(error_rate),
            );
        }
        if let Some(seconds) = self.control.latency_seconds {
            let wanted = round_up(seconds * KILLED_FROM);
            let limit = self
                .largest_bound_seconds
                .map_or(wanted, |bound| wanted.min(bound));
            // Below that it would roll back a good canary now and then.
            if limit > seconds * FEWEST_TIMES {
                let limit = text::exact_value(limit, Dimension::Seconds).replace(' ', "");
                lines.noted(
                    &format!("  - latency_p99 > {limit}"),
                    &self.today_of(latency),
                );
            }
        }
        let head = if lines.0.len() == limits {
            "kill_switch: []  # nothing reaches so far\n"
        } else {
            "kill_switch:\n"
        };
        lines.0.insert_str(limits, head);
        lines.line("");
    }

    fn stages(&self, lines: &mut Lines) {
        lines.comment(
            "Relative to the control at the same time. serinus plan FILE says what each stage can show, \
             and how long that takes with your traffic.",
        );
        lines.line("canary_pipeline:");
        lines.line("  stage_1:");
        lines.line("    name: A tenth");
        lines.line("    traffic_percent: 10");
        lines.line("    duration_minutes: 60");
        lines.line("    metrics:");
        if self.has_errors() {
            let errors = self.control.errors_per_second.unwrap_or_default();
            if errors * FIRST_SHARE * FIRST_SECONDS < FEWEST_FAILURES {
                lines.line(
                    "      # Failures are few: 0.1 % more are let pass, so that an hour can show it.",
                );
                lines.noted(
                    "      - error_rate < baseline * 1.2 + 0.1%",
                    &self.today_of(error_rate),
                );
            } else {
                lines.noted(
                    "      - error_rate < baseline * 1.2",
                    &self.today_of(error_rate),
                );
            }
        }
        if self.has_latency() {
            lines.noted(
                "      - latency_p99 < baseline * 1.2",
                &self.today_of(latency),
            );
        }
        let has_memory = |present: &Present| present.memory_bytes.is_some();
        if has_memory(&self.control) && self.canary.as_ref().is_none_or(has_memory) {
            let check = "      - {check: memory_usage < baseline * 1.3, warn_only: true}";
            lines.noted(check, &self.today_of(memory));
        }
        lines.line("  stage_2:");
        lines.line("    name: The rest, with the same checks");
        lines.line("    traffic_percent: [25, 50]");
        lines.line("    duration_minutes: [60, 60]");
    }

    /// The present values of both versions, for people.
    fn today_of(&self, value: fn(&Present) -> Option<String>) -> String {
        let known = |present: Option<&Present>| present.and_then(value);
        match (known(Some(&self.control)), known(self.canary.as_ref())) {
            (Some(control), Some(canary)) => format!("today: {control}, canary {canary}"),
            (Some(control), None) => format!("today: {control}"),
            (None, _) => "nothing is known of today".to_owned(),
        }
    }
}

fn error_rate(present: &Present) -> Option<String> {
    let share = present.error_share()?;
    Some(if share > 0.0 {
        text::value(share, Dimension::Fraction)
    } else {
        "none".to_owned()
    })
}

fn latency(present: &Present) -> Option<String> {
    present
        .latency_seconds
        .map(|seconds| text::value(seconds, Dimension::Seconds))
}

fn memory(present: &Present) -> Option<String> {
    present
        .memory_bytes
        .map(|bytes| text::value(bytes, Dimension::Bytes))
}

fn metrics(lines: &mut Lines, counter: &Counter, has_latency: bool) {
    lines.line("metrics:");
    if let Some(errors) = &counter.errors {
        lines.line("  error_rate:");
        lines.line(&format!("    errors: {}", scalar(errors)));
        lines.line(&format!("    total: {}", scalar(&counter.total)));
    }
    if let Some(histogram) = counter.histogram.as_ref().filter(|_| has_latency) {
        lines.line("  latency_p99:");
        lines.line("    quantile: 0.99");
        lines.line(&format!("    histogram: {}", scalar(&histogram.selector)));
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 0.0;
    }
    let power = libm::pow(10.0, libm::floor(libm::log10(value)));
    let steps = [1.0, 2.0, 5.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(10.0 * power)
}

/// Matchers as a pipeline file writes them.
fn mapping(matchers: &Matchers) -> String {
    let all = matchers.iter().map(|one| {
        let (label, value) = (scalar(&one.label), scalar(&one.value));
        match one.operator {
            MatchOperator::Equal => format!("{label}: {value}"),
            other => format!("{label}: {{\"{other}\": {value}}}"),
        }
    });
    format!("{{{}}}", all.collect::<Vec<_>>().join(", "))
}

/// A text as YAML writes it: in quotes where it could be read as anything else. It has no line breaks.
fn scalar(text: &str) -> String {
    const NO_TEXTS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let begins_well = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let is_plain = text
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
    if begins_well && is_plain && !NO_TEXTS.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guess::{Found, Histogram, choose, services};
    use crate::pipeline::{PRESETS, parse};
    use crate::series::Series;

    fn counter(preset: Option<&str>, labels: &[&str]) -> Counter {
        Counter {
            preset: preset.and_then(|name| PRESETS.iter().find(|one| one.name == name)),
            total: "http_requests_total".to_owned(),
            errors: Some(r#"http_requests_total{status=~"5.."}"#.to_owned()),
            histogram: Some(Histogram {
                selector: "http_request_duration_seconds".to_owned(),
                scale: 1.0,
            }),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    fn guess(counter: Counter, rows: &[(&[(&str, &str)], f64)]) -> Guess {
        let series = rows.iter().map(|(labels, per_second)| Series {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            timestamps_ms: vec![0],
            values: vec![*per_second],
        });
        let series: Vec<Series> = series.collect();
        let services = services(&counter, &series);
        let choice = choose(&[Found { counter, services }], None, &[]).unwrap();
        let present = |per_second: f64| Present {
            per_second,
            errors_per_second: Some(per_second * 0.003),
            latency_seconds: Some(0.18),
            memory_bytes: None,
        };
        Guess {
            control: present(189.0),
            canary: choice.service.has_two_versions().then(|| present(21.0)),
            choice,
            largest_bound_seconds: Some(10.0),
            read_from: "http://prometheus:9090".to_owned(),
            source: None,
            date: "2026-11-30".to_owned(),
        }
    }

    const TWO: &[(&[(&str, &str)], f64)] = &[
        (
            &[
                ("job", "checkout"),
                ("track", "stable"),
                ("version", "1.8.0"),
            ],
            189.0,
        ),
        (
            &[
                ("job", "checkout"),
                ("track", "canary"),
                ("version", "1.9.0"),
            ],
            21.0,
        ),
    ];

    fn both() -> Guess {
        guess(
            counter(Some("prometheus"), &["job", "track", "version"]),
            TWO,
        )
    }

    fn lone(value: &str) -> Guess {
        let labels: &[(&str, &str)] = &[("job", "checkout"), ("version", value)];
        guess(counter(None, &["job", "version"]), &[(labels, 189.0)])
    }

    fn parsed(guess: &Guess) -> crate::pipeline::Pipeline {
        let file = guess.file();
        parse(&file, "guess").unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{file}"))
    }

    #[test]
    fn a_file_of_two_versions_reads_well() {
        insta::assert_snapshot!("two_versions", both().file());
    }

    #[test]
    fn a_file_of_a_version_alone_and_of_no_preset_reads_well() {
        insta::assert_snapshot!("one_version", lone("1.8.0").file());
    }

    #[test]
    fn what_was_guessed_is_told() {
        let mut without = lone("1.8.0");
        without.control.latency_seconds = None;
        without.choice.service.versions = None;
        without.choice.counter.errors = None;
        let told = [both().said(), without.said()].map(|said| said.join("\n"));
        insta::assert_snapshot!("said", told.join("\n\n"));
    }

    #[test]
    fn every_file_is_a_pipeline_without_mistakes_of_at_most_80_columns() {
        let mut all = vec![both()];
        all.extend(["1.8", "true", "", "it's", "a \"b\"", "ü # x: y"].map(lone));
        for guess in all {
            let pipeline = parsed(&guess);
            assert_eq!(pipeline.control, guess.choice.service.populations().control);
            assert_eq!(pipeline.name, "checkout");
            let file = guess.file();
            let long = file.lines().find(|line| line.chars().count() > COLUMNS);
            assert_eq!(long, None);
        }
    }

    #[test]
    fn a_service_with_many_failures_is_held_to_the_ratio_alone() {
        let mut guess = both();
        assert!(guess.file().contains("error_rate < baseline * 1.2 "));
        guess.control.errors_per_second = Some(0.001);
        assert!(guess.file().contains("error_rate < baseline * 1.2 + 0.1%"));
    }

    #[test]
    fn the_kill_switch_is_about_ten_times_of_today_and_no_tighter_than_5_percent() {
        let mut guess = both();
        guess.control.errors_per_second = Some(189.0 * 0.03);
        assert!(guess.file().contains("error_rate > 50%"));
        guess.control.errors_per_second = Some(0.0);
        assert!(guess.file().contains("error_rate > 5%"));
        assert!(guess.file().contains("latency_p99 > 2s"));
    }

    #[test]
    fn the_kill_switch_lies_no_further_than_the_buckets_reach() {
        let mut guess = both();
        guess.largest_bound_seconds = Some(0.5);
        assert!(guess.file().contains("latency_p99 > 500ms"));
        guess.largest_bound_seconds = Some(0.25);
        assert!(!guess.file().contains("latency_p99 >"));
    }

    #[test]
    fn memory_is_watched_only_where_both_versions_show_it() {
        let mut guess = both();
        guess.control.memory_bytes = Some(4e8);
        assert!(!guess.file().contains("memory_usage"));
        guess.canary = guess.canary.map(|canary| Present {
            memory_bytes: Some(4e8),
            ..canary
        });
        assert!(
            parsed(&guess).stages[0]
                .checks
                .iter()
                .any(|check| check.warn_only)
        );
    }

    #[test]
    fn limits_are_rounded_up_to_1_2_and_5() {
        for (value, limit) in [
            (0.03, 0.05),
            (1.8, 2.0),
            (2.0, 2.0),
            (6.0, 10.0),
            (0.0, 0.0),
        ] {
            assert!((round_up(value) - limit).abs() < 1e-9, "{value}");
        }
    }
}
