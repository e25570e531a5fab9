//! The few forms of PromQL that Serinus asks: a selector, its range, and an aggregation over it.

use std::str::FromStr;

/// How series are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregation {
    Sum,
    Average,
}

/// A query, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// How series are put together, and by which labels; not at all when absent.
    pub(super) aggregate: Option<(Aggregation, Vec<String>)>,
    /// The metric.
    pub(super) metric: String,
    /// The matchers.
    pub(super) matchers: Vec<Matcher>,
    /// The length of a range selector.
    pub(super) range_ms: Option<i64>,
}

/// One matcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matcher {
    /// The label.
    pub(super) label: String,
    /// What its value may be, `.` standing for any character in those of a pattern.
    pub(super) alternatives: Vec<String>,
    is_pattern: bool,
    is_negative: bool,
}

impl Matcher {
    /// Whether a series with that value of the label is selected.
    pub(super) fn selects(&self, value: &str) -> bool {
        let is_alike = |text: &String| {
            text.len() == value.len()
                && text
                    .bytes()
                    .zip(value.bytes())
                    .all(|(sought, there)| sought == there || (self.is_pattern && sought == b'.'))
        };
        self.alternatives.iter().any(is_alike) != self.is_negative
    }

    /// The values that the label has, if the matcher names them.
    pub(super) fn named(&self) -> &[String] {
        if self.is_negative {
            &[]
        } else {
            &self.alternatives
        }
    }
}

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = Rest(text.trim());
        let first = rest.word();
        let aggregation = match first {
            "sum" => Some(Aggregation::Sum),
            "avg" => Some(Aggregation::Average),
            _ => None,
        };
        let mut query = Self {
            aggregate: None,
            metric: first.to_owned(),
            matchers: Vec::new(),
            range_ms: None,
        };
        if let Some(aggregation) = aggregation {
            let mut labels = Vec::new();
            if rest.takes("by") {
                rest.expect("(")?;
                while !rest.takes(")") {
                    labels.push(rest.word().to_owned());
                    rest.takes(",");
                }
            }
            query.aggregate = Some((aggregation, labels));
            rest.expect("(")?;
            rest.word().clone_into(&mut query.metric);
        }
        if query.metric.is_empty() {
            return Err(format!("{text:?} names no metric"));
        }
        if rest.takes("{") {
            while !rest.takes("}") {
                query.matchers.push(rest.matcher()?);
                rest.takes(",");
            }
        }
        if rest.takes("[") {
            query.range_ms = Some(rest.duration_ms()?);
            rest.expect("]")?;
        }
        if query.aggregate.is_some() {
            rest.expect(")")?;
        }
        if rest.0.is_empty() {
            Ok(query)
        } else {
            Err(format!("this source does not understand {:?}", rest.0))
        }
    }
}

/// What of a text is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn split(&mut self, at: usize) -> &'a str {
        let (taken, rest) = self.0.split_at_checked(at).unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        taken
    }

    fn word(&mut self) -> &'a str {
        let is_end = |character: char| !character.is_ascii_alphanumeric() && character != '_';
        self.split(self.0.find(is_end).unwrap_or(self.0.len()))
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_there = self.0.starts_with(token);
        if is_there {
            self.split(token.len());
        }
        is_there
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) {
            Ok(())
        } else {
            Err(format!("expected {token:?} at {:?}", self.0))
        }
    }

    fn matcher(&mut self) -> Result<Matcher, String> {
        let label = self.word().to_owned();
        let (is_pattern, is_negative) = if self.takes("=~") {
            (true, false)
        } else if self.takes("!~") {
            (true, true)
        } else if self.takes("!=") {
            (false, true)
        } else {
            self.expect("=")?;
            (false, false)
        };
        self.expect("\"")?;
        let end = self.0.find('"').ok_or("a value does not end")?;
        let value = self.split(end);
        self.expect("\"")?;
        let unknown = ['\\', '*', '+', '?', '[', '(', '^', '$'];
        if is_pattern && value.contains(unknown) || value.contains('\\') {
            return Err(format!("this source does not understand {value:?}"));
        }
        let alternatives = if is_pattern {
            value.split('|').map(str::to_owned).collect()
        } else {
            vec![value.to_owned()]
        };
        Ok(Matcher {
            label,
            alternatives,
            is_pattern,
            is_negative,
        })
    }

    fn duration_ms(&mut self) -> Result<i64, String> {
        let mut total_ms = 0;
        while !self.0.is_empty() && !self.0.starts_with(']') {
            let digits = self.0.find(|character: char| !character.is_ascii_digit());
            let count = self.split(digits.unwrap_or(0));
            let count: i64 = count.parse().map_err(|_error| "a duration has no number")?;
            let unit_ms = match self.word_of_letters() {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                other => return Err(format!("unknown unit {other:?}")),
            };
            total_ms += count * unit_ms;
        }
        Ok(total_ms)
    }

    fn word_of_letters(&mut self) -> &'a str {
        let is_end = |character: char| !character.is_ascii_alphabetic();
        self.split(self.0.find(is_end).unwrap_or(self.0.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Query {
        text.parse().unwrap()
    }

    #[test]
    fn what_serinus_asks_is_read() {
        let text = r#"sum by (instance, pod, hash) (http_requests_total{code=~"5..",hash=~"a|b"})"#;
        let query = read(text);
        let labels = ["instance", "pod", "hash"].map(str::to_owned).to_vec();
        assert_eq!(query.aggregate, Some((Aggregation::Sum, labels)));
        assert_eq!(query.metric, "http_requests_total");
        let [code, hash] = query.matchers.as_slice() else {
            panic!("{query:?}");
        };
        assert!(code.selects("503") && !code.selects("404") && !code.selects("5000"));
        assert_eq!(hash.named(), ["a", "b"]);

        let query = read("process_start_time_seconds{hash=\"a\"}[1h30m]");
        assert_eq!((query.aggregate, query.range_ms), (None, Some(5_400_000)));

        let query = read("avg(process_resident_memory_bytes{hash!=\"a\"})");
        assert_eq!(query.aggregate, Some((Aggregation::Average, Vec::new())));
        assert!(query.matchers[0].selects("b") && query.matchers[0].named().is_empty());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "rate(a[5m])",
            "a + b",
            "a{b=~\"x.*\"}",
            "a{b=\"x",
            "a[5y]",
            "sum(a",
            "max(a)",
        ] {
            assert!(text.parse::<Query>().is_err(), "{text}");
        }
    }
}
