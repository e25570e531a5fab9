//! Regular expressions of matchers: whether they are ones, and what they cost to compile.
//!
//! Prometheus compiles with RE2, the parser here with the crate `regex`. Both refuse look-around
//! and back-references and match in linear time. What only Prometheus refuses (the flags `x`,
//! `R` and `u`, `\u{..}`, `a**`) is told by Prometheus when it is asked; what only this parser
//! refuses (`\Q..\E`, octal escapes, an unescaped brace that is no repetition) is told here.

use std::fmt;

use regex_syntax::ast::Span;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::error::QueryError;

/// The most that the regular expressions of a query may cost to compile, in the unit of
/// [`cost`]: about 100 ms where little is optimised. `\w{1,63}` once, or several hundred
/// plain patterns.
pub(super) const MOST_COST: u64 = 100_000;

/// The cost of compiling the smallest pattern, in the unit of [`cost`].
const BASE_COST: u64 = 200;

/// The least cost of a class written by `\w`, `\pL` and the like or by square brackets: reading
/// it takes time, however few ranges come of it.
const CLASS_COST: u64 = 500;

/// The cost of one range of characters beyond ASCII: some states for its bytes in UTF-8.
const RANGE_COST: u64 = 2;

/// Most repetitions that RE2 accepts, nested ones multiplied.
const REPETITIONS: u32 = 1000;

/// Checks one pattern of a matcher and returns what it costs to compile.
pub(super) fn check(label: &str, text: &str) -> Result<u64, QueryError> {
    let needed = cost(text, MOST_COST).map_err(|reason| QueryError::Regex {
        label: label.to_owned(),
        pattern: text.to_owned(),
        reason,
    })?;
    if needed > MOST_COST {
        return Err(QueryError::RegexCost {
            label: label.to_owned(),
            pattern: text.to_owned(),
        });
    }
    Ok(needed)
}

/// Returns what the pattern costs to compile: about its characters and ranges of characters,
/// times their counted repetitions. A million cost about a second where little is optimised.
/// A pattern whose classes alone cost more than `limit` is not read further.
///
/// # Errors
///
/// What is wrong with the pattern, in a few words.
fn cost(pattern: &str, limit: u64) -> Result<u64, String> {
    let least = BASE_COST.saturating_add(classes(pattern).saturating_mul(CLASS_COST));
    if least > limit {
        return Ok(least);
    }
    let tree = regex_syntax::parse(pattern).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => placed(error.kind(), error.span()),
        regex_syntax::Error::Translate(error) => placed(error.kind(), error.span()),
        other => super::error::one_line(&other.to_string()),
    })?;
    let cost = cost_of(&tree, REPETITIONS)?;
    Ok(cost.saturating_add(BASE_COST).max(least))
}

/// What is wrong, and where. Patterns have one line.
fn placed(wrong: &dyn fmt::Display, at: &Span) -> String {
    format!("{wrong}, at character {}", at.start.column)
}

/// How many classes the pattern may hold: its opening brackets and escaped letters.
fn classes(pattern: &str) -> u64 {
    let mut count = 0;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let is_class = match character {
            '[' => true,
            '\\' => characters.next().is_some_and(char::is_alphabetic),
            _ => false,
        };
        count += u64::from(is_class);
    }
    count
}

/// Recursion is bounded: the parser of patterns refuses more than 250 levels. `repetitions` is
/// what is left of RE2's limit for the repetitions within.
fn cost_of(tree: &Hir, repetitions: u32) -> Result<u64, String> {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => Ok(1),
        HirKind::Literal(literal) => Ok(to_cost(literal.0.len())),
        HirKind::Class(class) => {
            let ranges = match class {
                Class::Unicode(class) => class.ranges().len(),
                Class::Bytes(class) => class.ranges().len(),
            };
            Ok(RANGE_COST.saturating_mul(to_cost(ranges)))
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min).max(1);
            if most > repetitions {
                return Err(format!(
                    "Prometheus repeats at most {REPETITIONS} times, nested repetitions multiplied"
                ));
            }
            let inner = cost_of(&repetition.sub, repetitions.checked_div(most).unwrap_or(1))?;
            Ok(inner.saturating_mul(u64::from(most)))
        }
        HirKind::Capture(capture) => cost_of(&capture.sub, repetitions),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().try_fold(1_u64, |sum, part| {
                Ok(sum.saturating_add(cost_of(part, repetitions)?))
            })
        }
    }
}

fn to_cost(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(pattern: &str) -> Result<u64, String> {
        super::cost(pattern, u64::MAX)
    }

    #[test]
    fn cost_grows_with_counted_repetitions_and_classes() {
        assert!(cost("5..").unwrap() < 2 * BASE_COST);
        assert!(cost("a{1000}").unwrap() > 1000);
        assert!(cost("(?:ab{30}){30}").unwrap() > 900);
        assert!(cost("\\w{100}").unwrap() > 50_000);
        assert!(cost(&"[0-9a-f]".repeat(10)).unwrap() >= 10 * CLASS_COST);
        assert!(super::cost(&"(?i)\\pL".repeat(1000), 10_000).unwrap() > 10_000);
    }

    #[test]
    fn refuse_repetitions_as_prometheus_does() {
        assert!(cost("a{1000}").is_ok());
        assert!(cost("a{1001}").is_err());
        assert!(cost("a{2,1001}").is_err());
        assert!(cost("(a{100}){10}").is_ok());
        assert!(cost("(a{100}){11}").is_err());
        assert!(cost("((a{10}){10}){11}").is_err());
    }

    #[test]
    fn say_in_a_few_words_what_is_wrong() {
        assert_eq!(cost("a(").unwrap_err(), "unclosed group, at character 2");
        assert_eq!(cost("a)|(b").unwrap_err(), "unopened group, at character 2");
        assert_eq!(cost("[b-a]").unwrap_err().lines().count(), 1);
        assert!(cost(&"(".repeat(10_000)).is_err());
        assert!(cost(&format!("{}{}", "(".repeat(2_000), ")".repeat(2_000))).is_err());
    }
}
