//! The text of a check, `latency_p99 < baseline * 1.1 + 5ms`, to its parts. What the parts mean
//! for a metric is decided in [`super::check`].

use super::cursor::shortened;
use super::model::Comparison;
use super::quantity::{Quantity, leading_number};

/// The longest text of a check, in bytes.
const MAX_CHECK_BYTES: usize = 500;

/// A check as it is written.
#[derive(Debug, PartialEq)]
pub(super) struct Expression<'a> {
    /// The name of the metric.
    pub(super) metric: &'a str,
    /// What is said about it.
    pub(super) claim: Claim<'a>,
}

/// What a check says about its metric.
#[derive(Debug, PartialEq)]
pub(super) enum Claim<'a> {
    /// `metric op limit`.
    Compare {
        /// The comparison.
        comparison: Comparison,
        /// The limit: terms to be added.
        limit: Vec<Term<'a>>,
    },
    /// `metric within tolerance of control`.
    Within {
        /// The tolerance.
        tolerance: Quantity,
        /// The name given to the control.
        control: &'a str,
    },
}

/// A term of a limit: factors to be multiplied.
#[derive(Debug, PartialEq)]
pub(super) struct Term<'a> {
    /// Whether the term is subtracted.
    pub(super) is_negative: bool,
    /// The numbers in it.
    pub(super) numbers: Vec<Quantity>,
    /// The words in it: names of the control.
    pub(super) names: Vec<&'a str>,
}

/// Reads the text of a check.
///
/// # Errors
///
/// What is wrong, and what was expected.
pub(super) fn parse_expression(text: &str) -> Result<Expression<'_>, String> {
    if text.len() > MAX_CHECK_BYTES {
        return Err(format!(
            "the check has {} bytes, more than {MAX_CHECK_BYTES}",
            text.len()
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
    };
    let expression = parser.expression()?;
    match parser.take() {
        None => Ok(expression),
        Some(token) => Err(format!("did not expect {token} after the limit")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Number(&'a str),
    /// What follows a number without a space, or `%`.
    Unit(&'a str),
    Symbol(&'a str),
}

impl std::fmt::Display for Token<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Word(text) | Self::Number(text) | Self::Unit(text) | Self::Symbol(text)) = self;
        write!(formatter, "{:?}", shortened(text))
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let number = leading_number(rest);
        let (token, length) = if !number.is_empty() {
            (Token::Number(number), number.len())
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = length_while(rest, |letter| {
                letter.is_ascii_alphanumeric() || letter == '_'
            });
            (Token::Word(head(rest, length)), length)
        } else {
            let length = match head(rest, 2) {
                "<=" | ">=" | "==" | "!=" | "=~" | "=<" | "=>" | "<>" | "&&" | "||" => 2,
                _ => first.len_utf8(),
            };
            if !first.is_ascii_graphic() && first != '\u{b5}' && first != '\u{3bc}' {
                return Err(format!("did not expect the character {first:?}"));
            }
            (Token::Symbol(head(rest, length)), length)
        };
        let was_number = matches!(token, Token::Number(_));
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default();
        if was_number {
            // A unit may follow at once (200ms) or, where it cannot be a word, after a space.
            let unit = length_while(rest, is_unit_letter);
            if unit > 0 {
                tokens.push(Token::Unit(head(rest, unit)));
                rest = rest.get(unit..).unwrap_or_default();
            }
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

fn is_unit_letter(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '%' | '_' | '.')
}

fn length_while(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|letter: char| !is_part(letter))
        .unwrap_or(text.len())
}

fn head(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or_default()
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        if is_next {
            self.next += 1;
        }
        is_next
    }

    fn expression(&mut self) -> Result<Expression<'a>, String> {
        let metric = match self.take() {
            Some(Token::Word(name)) => name,
            Some(token) => {
                return Err(format!(
                    "a check begins with the name of a metric, found {token}"
                ));
            }
            None => return Err("empty check: write for example error_rate < 0.1%".to_owned()),
        };
        let claim = match self.take() {
            Some(Token::Symbol("<")) => self.compare(Comparison::Less)?,
            Some(Token::Symbol("<=")) => self.compare(Comparison::LessOrEqual)?,
            Some(Token::Symbol(">")) => self.compare(Comparison::Greater)?,
            Some(Token::Symbol(">=")) => self.compare(Comparison::GreaterOrEqual)?,
            Some(Token::Word("within")) => self.within()?,
            Some(Token::Symbol("-")) => {
                return Err(format!(
                    "expected <, <=, >, >= or within after {metric:?}, found \"-\": names of \
                     metrics are written with _"
                ));
            }
            Some(token) => {
                return Err(format!(
                    "expected <, <=, >, >= or within after {metric:?}, found {token}"
                ));
            }
            None => {
                return Err(format!(
                    "expected <, <=, >, >= or within after {metric:?}, found the end"
                ));
            }
        };
        Ok(Expression { metric, claim })
    }

    fn compare(&mut self, comparison: Comparison) -> Result<Claim<'a>, String> {
        let mut limit = Vec::new();
        let mut is_negative = self.take_symbol("-");
        loop {
            limit.push(self.term(is_negative)?);
            if self.take_symbol("+") {
                is_negative = false;
            } else if self.take_symbol("-") {
                is_negative = true;
            } else {
                return Ok(Claim::Compare { comparison, limit });
            }
        }
    }

    fn term(&mut self, is_negative: bool) -> Result<Term<'a>, String> {
        let mut term = Term {
            is_negative,
            numbers: Vec::new(),
            names: Vec::new(),
        };
        loop {
            match self.take() {
                Some(Token::Number(digits)) => term.numbers.push(self.quantity(digits)?),
                Some(Token::Word(name)) => term.names.push(name),
                Some(token) => {
                    return Err(format!("expected a number or baseline, found {token}"));
                }
                None => return Err("expected a number or baseline, found the end".to_owned()),
            }
            if !self.take_symbol("*") {
                return Ok(term);
            }
        }
    }

    fn within(&mut self) -> Result<Claim<'a>, String> {
        const FORM: &str = "write for example throughput within 5% of baseline";
        let tolerance = match self.take() {
            Some(Token::Number(digits)) => self.quantity(digits)?,
            Some(token) => {
                return Err(format!(
                    "expected a tolerance after \"within\", found {token}: {FORM}"
                ));
            }
            None => return Err(format!("expected a tolerance after \"within\": {FORM}")),
        };
        match (self.take(), self.take()) {
            (Some(Token::Word("of")), Some(Token::Word(control))) => {
                Ok(Claim::Within { tolerance, control })
            }
            _ => Err(format!(
                "expected \"of baseline\" after the tolerance: {FORM}"
            )),
        }
    }

    /// The number with the unit that may follow it, with or without a space.
    fn quantity(&mut self, digits: &str) -> Result<Quantity, String> {
        let unit = match self.peek() {
            Some(Token::Unit(unit)) => *unit,
            Some(Token::Symbol("%")) => "%",
            // A word after a number can only be a unit, but for the "of" of "within 0.05 of".
            Some(Token::Word(word)) if *word != "of" => word,
            _ => return Quantity::new(digits, ""),
        };
        self.next += 1;
        Quantity::new(digits, unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Quantity {
        super::super::quantity::parse_quantity(text).unwrap()
    }

    fn limit(text: &str) -> Vec<Term<'_>> {
        match parse_expression(text).unwrap().claim {
            Claim::Compare { limit, .. } => limit,
            Claim::Within { .. } => panic!("not a comparison"),
        }
    }

    #[test]
    fn terms_and_factors_are_told_apart() {
        let terms = limit("latency_p99 < 1.1 * baseline * 2 - 5 ms + 3s");
        assert_eq!(terms.len(), 3);
        assert_eq!(terms[0].names, ["baseline"]);
        assert_eq!(terms[0].numbers, [number("1.1"), number("2")]);
        assert!(!terms[0].is_negative);
        assert_eq!(terms[1].numbers, [number("5ms")]);
        assert!(terms[1].is_negative);
        assert_eq!(terms[2].numbers, [number("3s")]);
        assert!(!terms[2].is_negative);
    }

    #[test]
    fn spaces_do_not_matter() {
        let wide = parse_expression("  error_rate  <=  baseline * 1.1 + 0.1 % ").unwrap();
        let narrow = parse_expression("error_rate<=baseline*1.1+0.1%").unwrap();
        assert_eq!(wide, narrow);
    }

    #[test]
    fn within_takes_a_tolerance_and_the_control() {
        for text in [
            "throughput within 5% of baseline",
            "throughput within 5 % of baseline",
        ] {
            let expression = parse_expression(text).unwrap();
            assert_eq!(
                expression.claim,
                Claim::Within {
                    tolerance: number("5%"),
                    control: "baseline"
                }
            );
        }
        assert!(parse_expression("throughput within 0.05 of control").is_ok());
    }
}
