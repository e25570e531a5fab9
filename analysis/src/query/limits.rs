//! Limits that are checked on the text before the parser sees it.
//!
//! The parser works on a stack of its own, but its trees are cloned, compared, printed and
//! dropped by recursion: a deep tree overflows the thread's stack, which aborts the process and
//! which nothing catches. It panics on durations out of range, and compiles every regular
//! expression at once. So an upper bound of what a text can make it do is found first, by one
//! pass over the characters without recursion.

use super::error::QueryError;

/// Most bytes of a query that is parsed.
pub(super) const TEXT_BYTES: usize = 16 * 1024;

/// Most bytes of a query that is sent, with the matchers added to all of its selectors.
pub(super) const WRITTEN_BYTES: usize = 64 * 1024;

/// Most levels of a query's syntax tree. The worst tree of this depth needs a small part of a
/// stack of 2 MiB, the default of threads, also where nothing is optimised.
pub(super) const DEPTH: usize = 100;

/// Most regular expressions in a query: each may cost a few milliseconds to compile.
pub(super) const REGEXES: usize = 64;

/// Most seconds of a duration: 100 years.
pub(super) const DURATION_SECONDS: i64 = 100 * 365 * 24 * 60 * 60;

/// Checks the length, the depth, the durations and the number of regular expressions.
pub(super) fn check_text(promql: &str) -> Result<(), QueryError> {
    if promql.len() > TEXT_BYTES {
        return Err(QueryError::TooLong {
            bytes: promql.len(),
            limit: TEXT_BYTES,
        });
    }
    let scan = Scan::of(promql)?;
    if scan.regexes > REGEXES {
        return Err(QueryError::TooManyRegexes {
            count: scan.regexes,
            limit: REGEXES,
        });
    }
    if scan.depth > DEPTH {
        return Err(QueryError::TooDeep {
            depth: scan.depth,
            limit: DEPTH,
        });
    }
    Ok(())
}

/// What one pass over a text found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    /// Upper bound of the levels of the syntax tree.
    depth: usize,
    /// Matchers with a regular expression.
    regexes: usize,
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

/// What the scan expects of the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Anything,
    Duration,
}

impl Scan {
    /// Reads the text as the parser's lexer does: strings with backslashes, comments, words.
    fn of(promql: &str) -> Result<Self, QueryError> {
        let mut scan = Self::default();
        let mut levels = Vec::<Level>::new();
        let mut level = Level::default();
        let mut expect = Expect::Anything;
        let mut is_range = false;
        let mut rest = promql;
        while let Some(character) = rest.chars().next() {
            let word = word_length(rest);
            if word > 0 {
                let (text, tail) = rest.split_at(word);
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
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
            match character {
                '"' | '\'' | '`' => rest = after_string(rest, character),
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
                '~' => scan.regexes += 1,
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
    let is_bare_number = promql_parser::util::parse_str_radix(word);
    if let Ok(seconds) = is_bare_number {
        #[expect(
            clippy::cast_precision_loss,
            reason = "100 years in seconds are far below 2^53"
        )]
        let limit = DURATION_SECONDS as f64;
        let usable = (0.0..=limit).contains(&seconds);
        return if expect == Expect::Duration && !usable {
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
