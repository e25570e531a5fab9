//! Walking the tree of a file: typed reading that collects every mistake and goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::duration::parse_duration;
use super::model::Diagnostic;
use super::names::{nearest_name, suggestion};
use super::quantity::{Quantity, parse_quantity};
use super::yaml::{Node, Position, Value};

/// The most mistakes that are told of one file; more help nobody.
const MAX_PROBLEMS: usize = 200;

/// The rules that a file is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// All of this version.
    Today,
    /// Those of every version: a file that was accepted once, and is in use.
    Ever,
}

/// The mistakes found so far.
#[derive(Debug)]
pub(super) struct Problems {
    rules: Rules,
    list: Vec<Diagnostic>,
}

impl Problems {
    /// None yet.
    pub(super) fn by(rules: Rules) -> Self {
        Self {
            rules,
            list: Vec::new(),
        }
    }

    /// Whether the rules are those of this version.
    pub(super) fn are_of_today(&self) -> bool {
        self.rules == Rules::Today
    }

    /// Adds a mistake by a rule that earlier versions did not have.
    pub(super) fn add_later(&mut self, position: Position, path: &str, message: impl Into<String>) {
        match self.rules {
            Rules::Today => self.add(position, path, message),
            Rules::Ever => {}
        }
    }

    /// Adds a mistake.
    pub(super) fn add(&mut self, position: Position, path: &str, message: impl Into<String>) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(Diagnostic {
                line: position.line,
                column: position.column,
                path: path.to_owned(),
                message: message.into(),
            });
        }
    }

    /// How many mistakes there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// The mistakes in the order of the text, each once.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort();
        self.list.dedup();
        self.list
    }
}

/// A node with its path in the document.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    node: &'a Node,
    path: String,
}

/// One key of a mapping with its value.
#[derive(Debug, Clone)]
pub(super) struct Field<'a> {
    /// The key.
    pub(super) key: &'a str,
    /// Where the key stands.
    pub(super) key_position: Position,
    /// The value.
    pub(super) value: Cursor<'a>,
}

/// The fields of a mapping whose keys are all known.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    values: BTreeMap<&'a str, Cursor<'a>>,
    /// The known keys that unknown ones were probably meant to be.
    meant: BTreeSet<String>,
}

impl<'a> Fields<'a> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Cursor<'a>> {
        self.values.get(key)
    }

    /// Whether the key is missing, and not only misspelt, which has been told already.
    pub(super) fn lacks(&self, key: &str) -> bool {
        !self.values.contains_key(key) && !self.meant.contains(key)
    }

    /// Whether any key is misspelt, which has been told already.
    pub(super) fn has_misspelt(&self) -> bool {
        !self.meant.is_empty()
    }

    /// The value of whichever of two names of the same key is given; both are a mistake.
    pub(super) fn get_either(
        &self,
        key: &str,
        other_name: &str,
        problems: &mut Problems,
    ) -> Option<&Cursor<'a>> {
        if let (Some(_), Some(second)) = (self.get(key), self.get(other_name)) {
            let message = format!("{other_name:?} is another name of {key:?}: keep one of the two");
            second.problem(problems, message);
        }
        self.get(key).or_else(|| self.get(other_name))
    }
}

impl<'a> Cursor<'a> {
    /// The root of a document.
    pub(super) fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: String::new(),
        }
    }

    /// What the node holds.
    pub(super) fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// Where the node stands.
    pub(super) fn position(&self) -> Position {
        self.node.position
    }

    /// The node's path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Tells a mistake of this node.
    pub(super) fn problem(&self, problems: &mut Problems, message: impl Into<String>) {
        problems.add(self.position(), &self.path, message);
    }

    /// Tells a mistake of this node by a rule that earlier versions did not have.
    pub(super) fn later_problem(&self, problems: &mut Problems, message: impl Into<String>) {
        problems.add_later(self.position(), &self.path, message);
    }

    /// Tells that something else was expected here.
    pub(super) fn wrong_kind(&self, problems: &mut Problems, expected: &str) {
        let message = match self.value() {
            Value::Null => format!("no value: give {expected}, or remove it"),
            other => format!("expected {expected}, found {}", describe(other)),
        };
        self.problem(problems, message);
    }

    /// The keys of a mapping in their order, each once; a key given twice is told.
    pub(super) fn entries(
        &self,
        expected: &str,
        problems: &mut Problems,
    ) -> Option<Vec<Field<'a>>> {
        let Value::Mapping(entries) = self.value() else {
            self.wrong_kind(problems, expected);
            return None;
        };
        let mut first_lines: BTreeMap<&str, u32> = BTreeMap::new();
        let mut fields = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = child_path(&self.path, &entry.key);
            if let Some(first_line) = first_lines.get(entry.key.as_str()) {
                let message = format!(
                    "duplicate key {:?}, first given in line {first_line}",
                    entry.key
                );
                problems.add(entry.key_position, &path, message);
                continue;
            }
            first_lines.insert(&entry.key, entry.key_position.line);
            fields.push(Field {
                key: &entry.key,
                key_position: entry.key_position,
                value: Cursor {
                    node: &entry.value,
                    path,
                },
            });
        }
        Some(fields)
    }

    /// The fields of a mapping that has no other keys than the known ones.
    pub(super) fn fields(
        &self,
        expected: &str,
        known: &[&str],
        problems: &mut Problems,
    ) -> Option<Fields<'a>> {
        let mut values = BTreeMap::new();
        let mut meant = BTreeSet::new();
        for field in self.entries(expected, problems)? {
            if known.contains(&field.key) {
                values.insert(field.key, field.value);
            } else {
                let nearest = nearest_name(field.key, known.iter().copied());
                let hint = match nearest {
                    Some(nearest) => format!(", did you mean {nearest:?}?"),
                    None => format!(": known here are {}", known.join(", ")),
                };
                meant.extend(nearest.map(str::to_owned));
                let message = format!("unknown key {:?}{hint}", shortened(field.key));
                problems.add(field.key_position, field.value.path(), message);
            }
        }
        Some(Fields { values, meant })
    }

    /// The value of a key, when this is a mapping that has it. Tells nothing.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let Value::Mapping(entries) = self.value() else {
            return None;
        };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        Some(Self {
            node: &entry.value,
            path: child_path(&self.path, key),
        })
    }

    /// The items of a list.
    pub(super) fn items(&self, expected: &str, problems: &mut Problems) -> Option<Vec<Self>> {
        let Value::Sequence(nodes) = self.value() else {
            self.wrong_kind(problems, expected);
            return None;
        };
        Some(self.numbered(nodes))
    }

    /// The items of a list, or the node itself where a scalar may stand in place of a list.
    pub(super) fn items_or_self(&self) -> Vec<Self> {
        match self.value() {
            Value::Sequence(nodes) => self.numbered(nodes),
            _ => vec![self.clone()],
        }
    }

    fn numbered(&self, nodes: &'a [Node]) -> Vec<Self> {
        nodes
            .iter()
            .enumerate()
            .map(|(index, node)| Self {
                node,
                path: format!("{}[{index}]", self.path),
            })
            .collect()
    }

    /// Text on one line that is not empty.
    pub(super) fn text(&self, expected: &str, problems: &mut Problems) -> Option<&'a str> {
        match self.value() {
            Value::Text(text) if text.trim().is_empty() => {
                self.problem(problems, format!("empty text: give {expected}"));
                None
            }
            Value::Text(text) if text.trim().contains(|letter: char| letter.is_control()) => {
                self.problem(
                    problems,
                    format!("expected {expected} without control characters or line breaks"),
                );
                None
            }
            Value::Text(text) => Some(text.trim()),
            Value::Number(_) | Value::Bool(_) => {
                let message = format!(
                    "expected {expected}, found {}: put quotes around it",
                    describe(self.value())
                );
                self.problem(problems, message);
                None
            }
            _ => {
                self.wrong_kind(problems, expected);
                None
            }
        }
    }

    /// `true` or `false`, and nothing that looks like it.
    pub(super) fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        if let Value::Bool(value) = self.value() {
            Some(*value)
        } else {
            self.wrong_kind(problems, "true or false");
            None
        }
    }

    /// A finite number.
    pub(super) fn number(&self, expected: &str, problems: &mut Problems) -> Option<f64> {
        match self.value() {
            Value::Number(number) if number.is_finite() => Some(*number),
            _ => {
                self.wrong_kind(problems, expected);
                None
            }
        }
    }

    /// A number, or text that is a number with a unit.
    fn quantity(&self, expected: &str, problems: &mut Problems) -> Option<NumberOrQuantity> {
        match self.value() {
            Value::Text(text) => match parse_quantity(text) {
                Ok(quantity) => Some(NumberOrQuantity::Quantity(quantity)),
                Err(reason) => {
                    self.problem(problems, format!("expected {expected}: {reason}"));
                    None
                }
            },
            _ => self
                .number(expected, problems)
                .map(NumberOrQuantity::Number),
        }
    }

    /// A fraction: `0.01` or `1%`.
    pub(super) fn fraction(&self, expected: &str, problems: &mut Problems) -> Option<f64> {
        match self.quantity(expected, problems)? {
            NumberOrQuantity::Number(number) => Some(number),
            NumberOrQuantity::Quantity(quantity)
                if quantity.is_fraction() || quantity.is_bare() =>
            {
                Some(quantity.in_base_unit())
            }
            NumberOrQuantity::Quantity(quantity) => {
                let message = format!(
                    "expected {expected}, found a number with the unit {}",
                    quantity.unit_name()
                );
                self.problem(problems, message);
                None
            }
        }
    }

    /// A share in percent: `5` or `5%`.
    pub(super) fn percent(&self, expected: &str, problems: &mut Problems) -> Option<f64> {
        match self.quantity(expected, problems)? {
            NumberOrQuantity::Number(number) => Some(number),
            NumberOrQuantity::Quantity(quantity)
                if quantity.is_bare() || quantity.unit_name() == "%" =>
            {
                Some(quantity.bare_number())
            }
            NumberOrQuantity::Quantity(quantity) => {
                let message = format!(
                    "expected {expected}, found a number with the unit {}",
                    quantity.unit_name()
                );
                self.problem(problems, message);
                None
            }
        }
    }

    /// A time in seconds: `30` or `30s` or `1m30s`.
    pub(super) fn seconds(&self, expected: &str, problems: &mut Problems) -> Option<f64> {
        if let Value::Text(text) = self.value()
            && let Some(seconds) = parse_duration(text)
        {
            return Some(seconds);
        }
        match self.quantity(expected, problems)? {
            NumberOrQuantity::Number(number) => Some(number),
            NumberOrQuantity::Quantity(quantity) if quantity.is_bare() => {
                Some(quantity.in_base_unit())
            }
            NumberOrQuantity::Quantity(quantity) => {
                let message = format!(
                    "expected {expected}, found a number with the unit {}",
                    quantity.unit_name()
                );
                self.problem(problems, message);
                None
            }
        }
    }

    /// A time in minutes: `90`, or a text with units such as `1h30m`.
    pub(super) fn minutes(&self, expected: &str, problems: &mut Problems) -> Option<f64> {
        const SECONDS_PER_MINUTE: f64 = 60.0;
        if let Value::Text(text) = self.value()
            && let Some(seconds) = parse_duration(text)
        {
            return Some(seconds / SECONDS_PER_MINUTE);
        }
        self.number(expected, problems)
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let expected = format!("one of {}", names().collect::<Vec<_>>().join(", "));
        let text = self.text(&expected, problems)?;
        if let Some((_, chosen)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*chosen);
        }
        let hint = suggestion(text, names());
        let message = format!("expected {expected}, found {:?}{hint}", shortened(text));
        self.problem(problems, message);
        None
    }
}

enum NumberOrQuantity {
    Number(f64),
    Quantity(Quantity),
}

/// Says of a number whether it lies where it must, and tells it if it does not.
pub(super) fn checked(
    cursor: &Cursor<'_>,
    number: f64,
    is_right: bool,
    expected: &str,
    problems: &mut Problems,
) -> Option<f64> {
    if number.is_finite() && is_right {
        return Some(number);
    }
    cursor.problem(problems, format!("expected {expected}, found {number}"));
    None
}

/// What a value is, for messages.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) if number.is_finite() => format!("the number {number}"),
        Value::Number(_) => "a number that is not finite".to_owned(),
        Value::Text(text) => format!("{:?}", shortened(text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

/// The beginning of a text, short enough for a message.
pub(super) fn shortened(text: &str) -> String {
    const MAX_CHARACTERS: usize = 80;
    if text.chars().count() <= MAX_CHARACTERS {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(MAX_CHARACTERS).collect();
    format!("{beginning}...")
}

fn child_path(parent: &str, key: &str) -> String {
    let is_plain = !key.is_empty()
        && key.len() <= 80
        && key
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
    match (is_plain, parent.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{parent}.{key}"),
        (false, _) => format!("{parent}[{:?}]", shortened(key)),
    }
}
