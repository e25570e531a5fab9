//! YAML text to a tree of nodes that know where they stand.
//!
//! Why not derive the schema with serde: a derived reader stops at the first mistake, and we
//! want all of them at once. So serde-saphyr only gives the tree, within a budget of our own,
//! and the rest of this module walks it by hand.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{DefaultMessageFormatter, Error, Location, MessageFormatter, Spanned};

use super::model::Diagnostic;

/// The longest text that is read, in bytes. The largest pipeline we know of has 6 KiB.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
/// The most nodes of a document, aliases counted as often as they are used. A pipeline of 100
/// stages with ten checks each has about 3,000.
const MAX_NODES: usize = 10_000;
/// The deepest nesting. A check's mapping within a stage stands at 6.
const MAX_DEPTH: usize = 24;
/// The most anchors and the most uses of anchors.
const MAX_ALIASES: usize = 500;

/// Where a node stands in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Line, from 1.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) column: u32,
}

impl Position {
    /// The beginning of the text, for mistakes of the whole document.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(location: Location) -> Self {
        // The library says 0 where it does not know.
        let at_least_one = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        Self {
            line: at_least_one(location.line()),
            column: at_least_one(location.column()),
        }
    }
}

/// One node of the document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it stands; for an alias, where the alias stands.
    pub(super) position: Position,
    /// What it holds.
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`; `yes` and `on` are text.
    Bool(bool),
    /// An integer or a decimal number; may be NaN or infinite.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order of the text. Keys may occur twice: the walk tells them.
    Mapping(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key as text.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) key_position: Position,
    /// Its value.
    pub(super) value: Node,
}

/// Reads the text into a tree.
///
/// # Errors
///
/// The one mistake that keeps the text from being a document: of syntax, or of size.
pub(super) fn read(text: &str) -> Result<Node, Diagnostic> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "the file has {} bytes, more than the {MAX_TEXT_BYTES} that are read: split it into \
             several pipelines",
            text.len()
        );
        return Err(at_document(Position::START, message));
    }
    let spanned: Spanned<Value> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| explain(&error))?;
    if matches!(spanned.value, Value::Null) {
        return Err(at_document(
            Position::START,
            "the file is empty: a pipeline is a mapping with the key \"canary_pipeline\""
                .to_owned(),
        ));
    }
    Ok(Node::from(spanned))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 3 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_documents: 2,
            max_recorded_anchor_events: 3 * MAX_NODES,
            max_recorded_anchor_bytes: 4 * MAX_TEXT_BYTES,
            max_total_scalar_bytes: 4 * MAX_TEXT_BYTES,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 3 * MAX_NODES,
            max_replay_stack_depth: MAX_DEPTH,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Says in our words what the library found.
fn explain(error: &Error) -> Diagnostic {
    let position = error.location().map_or(Position::START, Position::of);
    let message = match innermost(error) {
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => format!(
            "the document is too large once its aliases are expanded: at most {MAX_NODES} values, \
             {MAX_DEPTH} levels and {MAX_ALIASES} aliases are read"
        ),
        Error::MultipleDocuments { .. } => {
            "a second document begins here: one file holds one pipeline".to_owned()
        }
        // The tree asks for text in one place only: where a key stands.
        Error::Unexpected { .. }
        | Error::NullIntoString { .. }
        | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            "a key must be text: a list, a mapping or nothing cannot be one".to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "this alias stands within its own anchor: a value cannot hold itself".to_owned()
        }
        Error::UnknownAnchor { .. } => "this alias names an anchor that is not defined".to_owned(),
        other => format!(
            "not valid YAML: {}",
            one_line(&DefaultMessageFormatter.format_message(other))
        ),
    };
    at_document(position, message)
}

/// The error without what the library wraps around it.
fn innermost(error: &Error) -> &Error {
    let mut inner = error.without_snippet();
    while let Error::AliasError { error, .. } = inner {
        inner = error.without_snippet();
    }
    inner
}

/// The text on one line, beginning in lower case and without a full stop.
fn one_line(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let trimmed = joined.trim_end_matches('.');
    let mut characters = trimmed.chars();
    match (characters.next(), characters.as_str()) {
        // An abbreviation such as YAML keeps its capitals.
        (Some(first), rest) if !rest.starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(rest.chars()).collect()
        }
        _ => trimmed.to_owned(),
    }
}

fn at_document(position: Position, message: String) -> Diagnostic {
    Diagnostic {
        line: position.line,
        column: position.column,
        path: String::new(),
        message,
    }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self {
            position: Position::of(spanned.referenced),
            value: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a scalar, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    // Integers above 2^53 lose digits; no number of a pipeline is that large.
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(item) = sequence.next_element::<Spanned<Value>>()? {
            nodes.push(Node::from(item));
        }
        Ok(Value::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = mapping.next_key::<Spanned<String>>()? {
            let key_position = Position::of(key.referenced);
            let value = Node::from(mapping.next_value::<Spanned<Value>>()?);
            entries.push(Entry {
                key: key.value,
                key_position,
                value,
            });
        }
        Ok(Value::Mapping(entries))
    }
}
