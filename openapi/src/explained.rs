//! Closed lists of words, each with what it means and what to do about it: for the OpenAPI document,
//! and for the reference pages that are written from it.

use std::fmt::Write as _;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// A list of words that explains itself.
pub trait Explained: Sized {
    /// Every word of this version, in the order of declaration.
    fn all() -> Vec<Self>;

    /// The word as it is sent.
    fn word(&self) -> &str;

    /// What it means, in one or two sentences.
    fn meaning(&self) -> String;

    /// What to do about it, in one or two sentences.
    fn advice(&self) -> &str;
}

/// The lines of a comment as one line.
pub(crate) fn one_line(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// The schema of a list: every word with its meaning and with what to do.
pub(crate) fn schema<T: Explained>(about: &str) -> RefOr<Schema> {
    let words = T::all();
    let mut description = format!("{about}\n");
    for word in &words {
        // A String takes all that is written to it.
        let _ = write!(
            description,
            "\n* `{}`: {} {}",
            word.word(),
            word.meaning(),
            word.advice()
        );
    }
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words.iter().map(|word| word.word().to_owned())))
        .into()
}

/// Declares a list of words that is sent and read back. The comment of a word is what it means; the
/// text behind it is what to do, which the compiler asks for.
macro_rules! explained_words {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident {
            $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal, $advice:literal;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[doc = $meaning])+ #[serde(rename = $word)] $variant,)+
        }

        impl $crate::explained::Explained for $name {
            fn all() -> Vec<Self> {
                vec![$(Self::$variant),+]
            }

            fn word(&self) -> &str {
                match self { $(Self::$variant => $word,)+ }
            }

            fn meaning(&self) -> String {
                $crate::explained::one_line(match self {
                    $(Self::$variant => &[$($meaning),+],)+
                })
            }

            fn advice(&self) -> &str {
                match self { $(Self::$variant => $advice,)+ }
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::explained::schema::<Self>(&$crate::explained::one_line(&[$($about),+]))
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

pub(crate) use explained_words;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Debug;

    use super::*;
    use crate::ProblemType;
    use crate::analysis::{NoiseSource, ReasonCode, SpreadSource, WarningCode};
    use crate::pipeline::Method;

    fn holds<T: Explained + Debug>() {
        let all = T::all();
        let words: BTreeSet<&str> = all.iter().map(Explained::word).collect();
        assert_eq!(words.len(), all.len());
        for word in &all {
            for sentence in [word.meaning().as_str(), word.advice()] {
                assert!(sentence.ends_with('.'), "{word:?}: {sentence}");
                assert!(!sentence.contains(['!', '|', '\n']), "{word:?}: {sentence}");
            }
        }
    }

    #[test]
    fn every_word_is_explained_in_sentences() {
        holds::<ReasonCode>();
        holds::<WarningCode>();
        holds::<Method>();
        holds::<NoiseSource>();
        holds::<SpreadSource>();
        holds::<ProblemType>();
    }
}
