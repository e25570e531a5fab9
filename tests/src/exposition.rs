//! What real projects expose, written down, and a history in which it grows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;

/// Seconds between two scrapes.
const SCRAPE_SECONDS: i64 = 15;

/// For how long everything has been counted when a history begins.
const MINUTES_BEFORE: f64 = 600.0;

/// What one project exposes, of both versions: a file as `tests/tests/data/presets/README.md` has it.
#[derive(Debug)]
pub struct Exposition {
    /// The name of the file.
    pub name: String,
    /// What selects the control, as a pipeline file writes it.
    pub control: String,
    /// What selects the canary.
    pub canary: String,
    series: Vec<Series>,
}

/// Which canary there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExposedCanary {
    /// As good as its control.
    Good,
    /// It fails and is slow.
    Bad,
}

#[derive(Debug)]
struct Series {
    /// As it is written, with the labels that the scrape adds.
    text: String,
    /// Whether it is counted, and so grows.
    grows: bool,
    good: Value,
    bad: Value,
}

/// What is added in a minute, or a gauge's value.
#[derive(Debug, Clone, Copy)]
struct Value {
    number: f64,
    is_whole: bool,
}

impl Exposition {
    /// Reads all of a folder, by name.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or is not of the form.
    pub fn read_folder(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let mut all = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "prom")
            {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let text = std::fs::read_to_string(&path)?;
                let read = Self::read(&name, &text).with_context(|| name.to_string())?;
                all.insert(name.into_owned(), read);
            }
        }
        Ok(all.into_values().collect())
    }

    fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let head = |key: &str| -> anyhow::Result<String> {
            let mut found = text.lines().filter_map(|line| line.strip_prefix(key));
            Ok(found.next().context(key.to_owned())?.trim().to_owned())
        };
        let mut target = None;
        let mut types = BTreeMap::new();
        let mut series = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(labels) = line.strip_prefix("# target:") {
                target = Some(labels.trim());
            } else if let Some(told) = line.strip_prefix("# TYPE ") {
                types.extend(told.split_once(' '));
            } else if !line.starts_with('#') {
                let labels = target.context("a series before the first target")?;
                series.push(Series::read(line, labels, &types).context(line.to_owned())?);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            control: head("# control:")?,
            canary: head("# canary:")?,
            series,
        })
    }

    /// Whether it has a histogram.
    pub fn has_histogram(&self) -> bool {
        self.series.iter().any(|one| one.text.contains("_bucket{"))
    }

    /// A history of all of them in the `OpenMetrics` text format, from one second to another.
    pub fn history(all: &[Self], canary: ExposedCanary, from: i64, until: i64) -> String {
        let mut text = String::new();
        for series in all.iter().flat_map(|one| &one.series) {
            for scrape in 0..=(until - from) / SCRAPE_SECONDS {
                let seconds = scrape * SCRAPE_SECONDS;
                let value = series.after(seconds as f64 / 60.0, canary);
                let _ = writeln!(text, "{} {value} {}", series.text, from + seconds);
            }
        }
        text + "# EOF\n"
    }
}

impl Series {
    fn read(line: &str, target: &str, types: &BTreeMap<&str, &str>) -> anyhow::Result<Self> {
        // Braces may stand in values of labels.
        let end = line
            .rfind('}')
            .map_or_else(|| line.find(' '), |end| Some(end + 1));
        let (id, values) = line.split_at(end.context("no value")?);
        let (name, labels) = id.split_once('{').unwrap_or((id, "}"));
        let own = labels.trim_end_matches('}');
        let separator = if own.is_empty() { "" } else { "," };
        let (good, bad) = values.split_once('|').unwrap_or((values, values));
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| types.get(name.strip_suffix(suffix)?));
        let kind = types.get(name).or(family).context("no type")?;
        Ok(Self {
            text: format!("{name}{{{own}{separator}{target}}}"),
            grows: *kind != "gauge",
            good: Value::read(good)?,
            bad: Value::read(bad)?,
        })
    }

    fn after(&self, minutes: f64, canary: ExposedCanary) -> f64 {
        let now = match canary {
            ExposedCanary::Good => self.good,
            ExposedCanary::Bad => self.bad,
        };
        if !self.grows {
            return now.number;
        }
        let counted = self.good.number * MINUTES_BEFORE + now.number * minutes;
        if now.is_whole {
            counted.floor()
        } else {
            counted
        }
    }
}

impl Value {
    fn read(text: &str) -> anyhow::Result<Self> {
        Ok(Self {
            number: text.trim().parse()?,
            is_whole: !text.contains('.'),
        })
    }
}
