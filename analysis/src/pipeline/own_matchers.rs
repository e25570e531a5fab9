//! The matchers of one metric, where it does not select the populations as the pipeline does. Their
//! values may hold what a caller sends: `checkout-${canary.hash}-.*`.

use serde::Serialize;

use crate::matchers::{MatchOperator, Matcher, Matchers};
use crate::query::{regex_escape, validate_matchers};
use crate::series::Populations;

/// Begins a placeholder.
const BEGINS: &str = "${";

/// Ends a placeholder.
const ENDS: char = '}';

/// Stands for any value where a text is only looked at.
const ANY: &str = "any";

/// The matchers of one metric and population. A value may hold placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OwnMatchers(Matchers);

/// Why a placeholder has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// Its population has no matcher of the label.
    #[error(
        "{placeholder} has no value: no caller sent the label {label} of the {population}, and the \
         pipeline does not say it; send it, such as {population}: {{{label}: \"6d4f9\"}}"
    )]
    Missing {
        /// The placeholder as it is written.
        placeholder: String,
        /// `control` or `canary`.
        population: &'static str,
        /// The label.
        label: String,
    },
    /// The label is not matched by one exact value.
    #[error(
        "{placeholder} has no value: the {population} is selected by {matcher}, and a placeholder \
         takes the value of an exact matcher; send {label} as one value"
    )]
    NotExact {
        /// The placeholder as it is written.
        placeholder: String,
        /// `control` or `canary`.
        population: &'static str,
        /// The label.
        label: String,
        /// How it is matched.
        matcher: String,
    },
    /// The label is matched by an empty value, which selects what does not have it.
    #[error(
        "{placeholder} is empty: the {population} is selected by {matcher}; send a value, such as \
         {population}: {{{label}: \"6d4f9\"}}"
    )]
    Empty {
        /// The placeholder as it is written.
        placeholder: String,
        /// `control` or `canary`.
        population: &'static str,
        /// The label.
        label: String,
        /// How it is matched.
        matcher: String,
    },
    /// With the values the matchers cannot be used.
    #[error("{0}")]
    Matchers(String),
}

impl PlaceholderError {
    /// What `lint` takes in place of what callers send: `--canary hash=6d4f9`.
    pub fn flag(&self) -> Option<String> {
        match self {
            Self::Missing {
                population, label, ..
            }
            | Self::NotExact {
                population, label, ..
            }
            | Self::Empty {
                population, label, ..
            } => Some(format!("--{population} {label}=6d4f9")),
            Self::Matchers(_) => None,
        }
    }
}

/// A part of a value.
enum Piece<'a> {
    Text(&'a str),
    Placeholder {
        whole: &'a str,
        population: &'static str,
        label: &'a str,
    },
}

impl OwnMatchers {
    /// Matchers as a file writes them.
    ///
    /// # Errors
    ///
    /// What is wrong with a placeholder, or with a matcher.
    pub(super) fn new(matchers: Matchers) -> Result<Self, String> {
        let any = filled(&matchers, |_, _, _| Ok::<_, String>(ANY.to_owned()))?;
        validate_matchers(&any).map_err(|error| error.to_string())?;
        Ok(Self(matchers))
    }

    /// The matchers as the file writes them, with their placeholders.
    pub(super) fn as_written(&self) -> &Matchers {
        &self.0
    }

    /// The matchers, with the values of the populations that are judged in place of placeholders.
    ///
    /// # Errors
    ///
    /// [`PlaceholderError`] says what to send.
    pub fn filled(
        &self,
        populations: Populations<&Matchers>,
    ) -> Result<Matchers, PlaceholderError> {
        let value = |whole: &str, population: &'static str, label: &str| {
            let matchers = match population {
                CONTROL => populations.control,
                _ => populations.canary,
            };
            let mut of_label = matchers.iter().filter(|one| one.label == label);
            let (Some(matcher), None) = (of_label.next(), of_label.next()) else {
                return Err(PlaceholderError::Missing {
                    placeholder: whole.to_owned(),
                    population,
                    label: label.to_owned(),
                });
            };
            match matcher.operator {
                MatchOperator::Equal if matcher.value.is_empty() => Err(PlaceholderError::Empty {
                    placeholder: whole.to_owned(),
                    population,
                    label: label.to_owned(),
                    matcher: matcher.to_string(),
                }),
                MatchOperator::Equal => Ok(matcher.value.clone()),
                MatchOperator::NotEqual | MatchOperator::Regex | MatchOperator::NotRegex => {
                    Err(PlaceholderError::NotExact {
                        placeholder: whole.to_owned(),
                        population,
                        label: label.to_owned(),
                        matcher: matcher.to_string(),
                    })
                }
            }
        };
        let filled = filled(&self.0, value)?;
        validate_matchers(&filled)
            .map_err(|error| PlaceholderError::Matchers(error.to_string()))?;
        Ok(filled)
    }
}

impl From<String> for PlaceholderError {
    fn from(message: String) -> Self {
        Self::Matchers(message)
    }
}

const CONTROL: &str = "control";
const CANARY: &str = "canary";

/// The matchers with values in place of placeholders. In a regular expression a value means itself.
fn filled<E: From<String>>(
    matchers: &Matchers,
    value_of: impl Fn(&str, &'static str, &str) -> Result<String, E>,
) -> Result<Matchers, E> {
    let fill = |matcher: &Matcher| {
        let mut value = String::new();
        for piece in pieces(&matcher.value)? {
            match piece {
                Piece::Text(text) => value.push_str(text),
                Piece::Placeholder {
                    whole,
                    population,
                    label,
                } => {
                    let found = value_of(whole, population, label)?;
                    match matcher.operator {
                        MatchOperator::Equal | MatchOperator::NotEqual => value.push_str(&found),
                        MatchOperator::Regex | MatchOperator::NotRegex => {
                            value.push_str(&regex_escape(&found));
                        }
                    }
                }
            }
        }
        Ok(Matcher {
            value,
            ..matcher.clone()
        })
    };
    matchers.iter().map(fill).collect()
}

/// The pieces of a value.
fn pieces(value: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = value;
    while let Some((before, begun)) = rest.split_once(BEGINS) {
        let wrong = || {
            format!(
                "{value:?} has a placeholder that is none: write ${{canary.label}} or \
                 ${{control.label}}, with a label that callers send"
            )
        };
        let (inside, after) = begun.split_once(ENDS).ok_or_else(wrong)?;
        let (population, label) = inside.split_once('.').ok_or_else(wrong)?;
        let population = [CONTROL, CANARY]
            .into_iter()
            .find(|known| *known == population)
            .ok_or_else(wrong)?;
        let named = Matchers::from([Matcher::equal(label, ANY)]);
        validate_matchers(&named).map_err(|_| wrong())?;
        let whole_length = BEGINS.len() + inside.len() + ENDS.len_utf8();
        let whole = rest.get(before.len()..before.len() + whole_length);
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Placeholder {
            whole: whole.unwrap_or_default(),
            population,
            label,
        });
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(matcher: Matcher) -> Result<OwnMatchers, String> {
        OwnMatchers::new(Matchers::from([matcher]))
    }

    fn filled_by(matcher: Matcher, canary: &[Matcher]) -> Result<Matchers, PlaceholderError> {
        let canary = canary.iter().cloned().collect();
        own(matcher).unwrap().filled(Populations {
            control: &Matchers::new(),
            canary: &canary,
        })
    }

    #[test]
    fn a_value_means_itself_also_in_a_regular_expression() {
        let sent = [Matcher::equal("hash", "6d4.9")];
        assert_eq!(
            filled_by(Matcher::regex("pod", "web-${canary.hash}-.*"), &sent),
            Ok(Matchers::from([Matcher::regex("pod", r"web-6d4\.9-.*")]))
        );
        assert_eq!(
            filled_by(
                Matcher::equal("pod", "${canary.hash}/${canary.hash}"),
                &sent
            ),
            Ok(Matchers::from([Matcher::equal("pod", "6d4.9/6d4.9")]))
        );
    }

    #[test]
    fn a_placeholder_without_a_value_says_what_to_send() {
        let told = |canary: &[Matcher]| {
            let pod = Matcher::regex("pod", "web-${canary.hash}-.*");
            filled_by(pod, canary).unwrap_err().to_string()
        };
        assert_eq!(
            told(&[]),
            "${canary.hash} has no value: no caller sent the label hash of the canary, and the \
             pipeline does not say it; send it, such as canary: {hash: \"6d4f9\"}"
        );
        assert_eq!(
            told(&[Matcher::regex("hash", "6.*")]),
            "${canary.hash} has no value: the canary is selected by hash=~\"6.*\", and a \
             placeholder takes the value of an exact matcher; send hash as one value"
        );
    }

    #[test]
    fn a_placeholder_with_an_empty_value_is_refused() {
        let pod = Matcher::regex("pod", "web-${canary.hash}-.*");
        let told = filled_by(pod, &[Matcher::equal("hash", "")]).unwrap_err();
        assert_eq!(
            told.to_string(),
            "${canary.hash} is empty: the canary is selected by hash=\"\"; send a value, such as \
             canary: {hash: \"6d4f9\"}"
        );
    }

    #[test]
    fn what_is_no_placeholder_is_told() {
        for value in [
            "${hash}",
            "${canary.hash",
            "${stable.hash}",
            "${canary.my hash}",
        ] {
            let message = own(Matcher::equal("pod", value)).unwrap_err();
            assert!(message.contains("placeholder that is none"), "{message}");
        }
        assert!(own(Matcher::regex("pod", "web-$")).is_ok());
    }
}
