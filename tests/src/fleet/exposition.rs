//! What a scrape is answered: series with their values, as text.

use std::fmt::Write;

/// The value of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Counts up.
    Counter(u64),
    /// Anything else, as it is written.
    Other(String),
}

/// Metrics of one name.
#[derive(Debug, Clone, PartialEq)]
struct Family {
    name: &'static str,
    kind: &'static str,
    /// Each series as it is written, with its value.
    series: Vec<(String, Value)>,
}

/// The series of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Exposition {
    families: Vec<Family>,
}

impl Exposition {
    /// Begins a family of metrics.
    pub(super) fn family(&mut self, name: &'static str, kind: &'static str) {
        self.families.push(Family {
            name,
            kind,
            series: Vec::new(),
        });
    }

    /// Adds a series to the family that was begun last.
    pub(super) fn series(&mut self, name: &str, labels: &[(&str, &str)], value: Value) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{text}\""))
            .collect();
        if let Some(family) = self.families.last_mut() {
            family
                .series
                .push((format!("{name}{{{}}}", labels.join(",")), value));
        }
    }

    /// The same series, each counter 1 lower: what a store answers that keeps, of two scrapes at
    /// nearly the same time, the one that came a moment earlier.
    pub(super) fn one_lower(mut self) -> Self {
        let series = self
            .families
            .iter_mut()
            .flat_map(|family| &mut family.series);
        for (_, value) in series {
            if let Value::Counter(count) = value {
                *count = count.saturating_sub(1);
            }
        }
        self
    }

    /// The text exposition format.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for family in &self.families {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# TYPE {} {}", family.name, family.kind);
            for (series, value) in &family.series {
                let _ = match value {
                    Value::Counter(count) => writeln!(text, "{series} {count}"),
                    Value::Other(written) => writeln!(text, "{series} {written}"),
                };
            }
        }
        text
    }
}

/// Milliseconds since 1970 as seconds.
pub(super) fn seconds(at_ms: i64) -> Value {
    let (whole, rest) = (at_ms.div_euclid(1_000), at_ms.rem_euclid(1_000));
    Value::Other(format!("{whole}.{rest:03}"))
}
