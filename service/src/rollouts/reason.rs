//! Why a person decides: a line, which the trail keeps.

/// A reason that a person gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason(String);

/// Why a text is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidReason {
    /// It says nothing.
    #[error("no reason: say why, the trail keeps it")]
    Missing,
    /// It is no line that a trail can show.
    #[error(
        "the reason has to be one line of at most {} characters",
        Reason::MOST_CHARACTERS
    )]
    NoLine,
}

impl Reason {
    /// Longest reason, in characters.
    const MOST_CHARACTERS: usize = 300;

    /// The reason of a decision: it has to be given.
    ///
    /// # Errors
    ///
    /// [`InvalidReason`] says what to give.
    pub(crate) fn of_decision(text: &str) -> Result<Self, InvalidReason> {
        let reason = Self::line(text)?;
        if reason.0.is_empty() {
            return Err(InvalidReason::Missing);
        }
        Ok(reason)
    }

    /// Any line.
    ///
    /// # Errors
    ///
    /// [`InvalidReason::NoLine`] for a text that is none.
    pub(crate) fn line(text: &str) -> Result<Self, InvalidReason> {
        let text = text.trim();
        if text.chars().count() > Self::MOST_CHARACTERS || text.chars().any(char::is_control) {
            return Err(InvalidReason::NoLine);
        }
        Ok(Self(text.to_owned()))
    }

    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_says_something() {
        let of = |text: &str| Reason::of_decision(text).map(|reason| reason.0);
        assert_eq!(of("  a known outage \n"), Ok("a known outage".to_owned()));
        assert_eq!(of(" \t"), Err(InvalidReason::Missing));
        assert_eq!(Reason::line(" "), Ok(Reason(String::new())));
        for text in ["a\nb", &"a".repeat(301)] {
            assert_eq!(Reason::line(text), Err(InvalidReason::NoLine));
        }
        assert!(of(&"é".repeat(300)).is_ok());
    }
}
