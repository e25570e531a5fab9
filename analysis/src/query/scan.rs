//! One pass over the characters of a query, without recursion and without its syntax: an upper
//! bound of what the parser will do with it.

use promql_parser::util::{parse_str_radix, unquote_string};

use super::error::QueryError;
use super::pattern;

/// Most seconds of a duration: 100 years.
pub(super) const DURATION_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// What one pass over a text found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Upper bound of the levels of the syntax tree.
    pub(super) depth: usize,
    /// What the regular expressions cost to compile.
    regex_cost: u64,
}

/// One pair of brackets while it is open: what is between two commas in it is one expression.
#[derive(Debug, Default)]
struct Level {
    /// Operators of the expression so far. Each may put all the others below it.
    operators: usize,
    /// Levels of the deepest brackets within the expression.
    inner: usize,
    /// Levels of the deepest expression that has ended.
    deepest: usize,
}

impl Level {
    fn end_expression(&mut self) {
        self.deepest = self.deepest.max(self.depth());
        self.operators = 0;
        self.inner = 0;
    }

    /// The levels that the pair of brackets adds to what it stands in.
    fn depth(&self) -> usize {
        self.deepest.max(self.operators + self.inner + 1)
    }
}

/// What the scan expects of the next word or string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Anything,
    Duration,
    Pattern,
}

impl Scan {
    /// Reads the text as the parser's lexer does: strings with backslashes, comments, words.
    pub(super) fn of(promql: &str) -> Result<Self, QueryError> {
        let mut scan = Self::default();
        let mut levels = Vec::<Level>::new();
        let mut level = Level::default();
        let mut expect = Expect::Anything;
        // The word or string before an operator: the label, where the operator is a matcher's.
        let mut label = "";
        let mut is_range = false;
        let mut rest = promql;
        while let Some(character) = rest.chars().next() {
            let word = word_length(rest);
            if word > 0 {
                let (text, tail) = rest.split_at(word);
                label = text;
                check_duration(text, expect)?;
                expect = if text.eq_ignore_ascii_case("offset") {
                    Expect::Duration
                } else {
                    Expect::Anything
                };
                if is_operator_word(text) {
                    level.operators += 1;
                }
                rest = tail;
                continue;
            }
            let from = rest;
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
            match character {
                '"' | '\'' | '`' => {
                    rest = after_string(rest, character);
                    let (string, _) = from.split_at(from.len() - rest.len());
                    if expect == Expect::Pattern {
                        scan.add_pattern(label, string)?;
                    }
                    label = string;
                    expect = Expect::Anything;
                }
                '#' => rest = rest.trim_start_matches(|other| other != '\n' && other != '\r'),
                '(' | '[' | '{' => {
                    levels.push(std::mem::take(&mut level));
                    if character == '[' {
                        is_range = true;
                        expect = Expect::Duration;
                    }
                }
                ')' | ']' | '}' => {
                    level.end_expression();
                    let depth = level.depth();
                    level = levels.pop().unwrap_or_default();
                    if character == ')' {
                        level.inner = level.inner.max(depth);
                    } else if character == ']' {
                        level.operators += 1;
                    }
                    is_range = false;
                    expect = Expect::Anything;
                }
                ',' => level.end_expression(),
                // Outside of a range the colon is part of a recording rule's name.
                ':' if is_range => expect = Expect::Duration,
                '~' => expect = Expect::Pattern,
                '+' | '-' => level.operators += 1,
                '*' | '/' | '%' | '^' | '=' | '!' | '<' | '>' | '@' => {
                    level.operators += 1;
                    expect = Expect::Anything;
                }
                _ => {}
            }
        }
        // Brackets left open are an error of syntax, but the parser may only notice at the end.
        level.end_expression();
        while let Some(outer) = levels.pop() {
            let depth = level.depth();
            level = outer;
            level.inner = level.inner.max(depth);
            level.end_expression();
        }
        scan.depth = level.depth();
        Ok(scan)
    }

    /// Adds the cost of a pattern, given as a string with its quotes.
    fn add_pattern(&mut self, label: &str, string: &str) -> Result<(), QueryError> {
        // A string that cannot be read is an error of syntax, which the parser tells.
        let Ok(text) = unquote_string(string) else {
            return Ok(());
        };
        let cost = pattern::check(label, &text)?;
        self.regex_cost = self.regex_cost.saturating_add(cost);
        if self.regex_cost > pattern::MOST_COST {
            return Err(QueryError::RegexCost {
                label: label.to_owned(),
                pattern: text,
            });
        }
        Ok(())
    }
}

/// The length of the word or number at the start; 0 when there is none. A number's exponent may
/// have a sign.
fn word_length(text: &str) -> usize {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
    let bytes = text.as_bytes();
    let run = |from: usize| {
        let tail = bytes.get(from..).unwrap_or_default();
        from + tail.iter().take_while(|&&byte| is_word(byte)).count()
    };
    let end = run(0);
    let word = bytes.get(..end).unwrap_or_default();
    let is_number = word
        .first()
        .is_some_and(|&byte| byte.is_ascii_digit() || byte == b'.');
    let is_hexadecimal = word.iter().any(|byte| matches!(byte, b'x' | b'X'));
    let is_exponent =
        matches!(word.last(), Some(b'e' | b'E')) && matches!(bytes.get(end), Some(b'+' | b'-'));
    if is_number && !is_hexadecimal && is_exponent {
        run(end + 1)
    } else {
        end
    }
}

/// The text after the end of a string whose opening quote was just read; empty when it does not
/// end. The parser's lexer takes backslashes for escapes in all three kinds of string.
fn after_string(text: &str, quote: char) -> &str {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            break;
        }
    }
    characters.as_str()
}

/// Whether the word is an operator between two expressions.
fn is_operator_word(word: &str) -> bool {
    ["and", "or", "unless", "atan2"]
        .iter()
        .any(|operator| word.eq_ignore_ascii_case(operator))
}

/// Refuses what the parser panics on (a bare number out of range) or reads wrongly (digits that
/// overflow 32 bits count as 0).
fn check_duration(word: &str, expect: Expect) -> Result<(), QueryError> {
    let refused = || QueryError::Duration {
        text: word.to_owned(),
    };
    let starts_with_digit = word.starts_with(|first: char| first.is_ascii_digit());
    // The parser's function for numbers panics on words with an x that is not hexadecimal.
    let is_hexadecimal = word.starts_with("0x") || word.starts_with("0X");
    let bare_number = if is_hexadecimal || !word.contains(['x', 'X']) {
        parse_str_radix(word).ok()
    } else {
        None
    };
    if let Some(seconds) = bare_number {
        return if expect == Expect::Duration && !is_duration(seconds) {
            Err(refused())
        } else {
            Ok(())
        };
    }
    if starts_with_digit && !word.contains(['x', 'X', '.']) {
        let overflows = word
            .split(|character: char| !character.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .any(|digits| digits.parse::<u32>().is_err());
        if overflows {
            return Err(refused());
        }
    }
    Ok(())
}

/// Whether the seconds are a duration that is printed as it was read: whole milliseconds.
fn is_duration(seconds: f64) -> bool {
    #[expect(
        clippy::cast_precision_loss,
        reason = "100 years in milliseconds are far below 2^53"
    )]
    let limit = (DURATION_SECONDS * 1000) as f64;
    let milliseconds = seconds * 1000.0;
    let distance = (milliseconds - milliseconds.round()).abs();
    (1.0..=limit).contains(&milliseconds) && distance < 1e-6 * milliseconds
}

#[cfg(test)]
mod tests {
    use promql_parser::parser::{self, Expr};
    use proptest::prelude::*;

    use super::*;

    fn depth(promql: &str) -> usize {
        Scan::of(promql).unwrap().depth
    }

    /// The levels of a tree, as recursion over it goes.
    fn levels(tree: &Expr) -> usize {
        1 + match tree {
            Expr::Aggregate(node) => {
                let parameter = node.param.as_ref().map_or(0, |parameter| levels(parameter));
                levels(&node.expr).max(parameter)
            }
            Expr::Binary(node) => levels(&node.lhs).max(levels(&node.rhs)),
            Expr::Unary(node) => levels(&node.expr),
            Expr::Paren(node) => levels(&node.expr),
            Expr::Subquery(node) => levels(&node.expr),
            Expr::Call(node) => {
                let arguments = node.args.args.iter();
                arguments
                    .map(|argument| levels(argument))
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Expressions of instant vectors, with brackets in strings and comments among them.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(vec![
            "a",
            "a{b=\"(((\"}",
            "a{b='\\')))', c=~`(x)`}",
            "# ((( \" '\n a:b",
            "a offset 5m",
            "vector(1)",
        ])
        .prop_map(str::to_owned);
        leaf.prop_recursive(12, 60, 3, |inner| {
            let operator = proptest::sample::select(vec![
                "+",
                "-",
                "*",
                "/",
                "%",
                "^",
                "==",
                ">= bool",
                "<",
                " and ",
                " OR ",
                " unless ",
                " atan2 ",
                "+ on (a) group_left (b) ",
            ]);
            prop_oneof![
                inner.clone().prop_map(|e| format!("({e})")),
                inner.clone().prop_map(|e| format!("-{e}")),
                inner.clone().prop_map(|e| format!("abs({e})")),
                inner.clone().prop_map(|e| format!("sum({e}) by (a, b)")),
                inner
                    .clone()
                    .prop_map(|e| format!("rate(({e})[5m:1m] @ end())")),
                (inner.clone(), inner.clone())
                    .prop_map(|(e, f)| format!("topk by (c) (scalar({e}), {f})")),
                inner
                    .clone()
                    .prop_map(|e| format!("label_join({e}, 'a', ')', \"(\")")),
                (inner.clone(), operator, inner).prop_map(|(e, o, f)| format!("{e}{o}{f}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_depth_is_an_upper_bound_of_the_levels_of_the_tree(promql in expression()) {
            if let Ok(tree) = parser::parse(&promql) {
                prop_assert!(depth(&promql) >= levels(&tree), "{}", promql);
            }
        }
    }

    #[test]
    fn count_the_levels_of_each_kind_of_nesting() {
        assert_eq!(depth("a"), 1);
        assert_eq!(depth("a+a+a+a"), 4);
        assert_eq!(depth("((((a))))"), 5);
        assert_eq!(depth("f(a, b+b, f(c))"), 3);
        assert_eq!(depth("(a+a)+(b+b+b)"), 5);
        assert_eq!(depth("----a"), 5);
        assert_eq!(depth("a[5m:][5m:]"), 3);
        assert_eq!(depth("a and b Unless c"), 3);
        // Brackets that are never closed are open all the same.
        assert_eq!(depth("((((a"), 5);
        assert_eq!(depth("\"((((\" # (((("), 1);
    }

    #[test]
    fn read_numbers_as_the_lexer_does() {
        assert_eq!(word_length("1e+300]"), 6);
        assert_eq!(word_length("0x1e+3"), 4);
        assert_eq!(word_length(".5E-1)"), 5);
        assert_eq!(word_length("ae+1"), 2);
        assert_eq!(word_length("é"), 0);
    }
}
