//! Regular expressions of matchers: whether they are ones, and what they cost to compile.
//!
//! Prometheus compiles with RE2, the parser here with the crate `regex`. Both refuse look-around
//! and back-references and match in linear time. What only Prometheus refuses (the flags `x`,
//! `R` and `u`, `\u{..}`, `a**`) is told by Prometheus when it is asked; what only this parser
//! refuses (`\Q..\E`, octal escapes, an unescaped brace that is no repetition) is told here.

use regex_syntax::hir::{Class, Hir, HirKind};

/// The cost of compiling the smallest pattern, in the unit of [`cost`].
const BASE_COST: u64 = 200;

/// Most repetitions that RE2 accepts.
const REPETITIONS: u32 = 1000;

/// Returns what the pattern costs to compile: about its characters and ranges of characters,
/// times their counted repetitions. A million cost about half a second where little is optimised.
///
/// # Errors
///
/// What is wrong with the pattern, in a few words.
pub(super) fn cost(pattern: &str) -> Result<u64, String> {
    let tree = regex_syntax::parse(pattern).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => super::error::one_line(&other.to_string()),
    })?;
    Ok(cost_of(&tree)?.saturating_add(BASE_COST))
}

/// Recursion is bounded: the parser of patterns refuses more than 250 levels.
fn cost_of(tree: &Hir) -> Result<u64, String> {
    match tree.kind() {
        HirKind::Empty | HirKind::Look(_) => Ok(1),
        HirKind::Literal(literal) => Ok(to_cost(literal.0.len())),
        HirKind::Class(Class::Unicode(class)) => Ok(to_cost(class.ranges().len())),
        HirKind::Class(Class::Bytes(class)) => Ok(to_cost(class.ranges().len())),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min).max(1);
            if most > REPETITIONS {
                return Err(format!("Prometheus repeats at most {REPETITIONS} times"));
            }
            Ok(cost_of(&repetition.sub)?.saturating_mul(u64::from(most)))
        }
        HirKind::Capture(capture) => cost_of(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .try_fold(1_u64, |sum, part| Ok(sum.saturating_add(cost_of(part)?))),
    }
}

fn to_cost(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_grows_with_counted_repetitions_and_classes() {
        let plain = cost("5..").unwrap();
        assert!(plain < 2 * BASE_COST);
        assert!(cost("a{1000}").unwrap() > 1000);
        assert!(cost("(a{100}){100}").unwrap() > 10_000);
        assert!(cost("\\w{100}").unwrap() > 50_000);
        assert!(cost("((((\\w{1000}){1000}){1000}){1000}){1000}").unwrap() > 1_000_000_000);
    }

    #[test]
    fn say_in_a_few_words_what_is_wrong() {
        assert_eq!(cost("a(").unwrap_err(), "unclosed group");
        assert_eq!(cost("a)|(b").unwrap_err(), "unopened group");
        assert_eq!(cost("[b-a]").unwrap_err().lines().count(), 1);
        assert!(cost(&"(".repeat(10_000)).is_err());
        assert!(cost(&format!("{}{}", "(".repeat(2_000), ")".repeat(2_000))).is_err());
    }
}
