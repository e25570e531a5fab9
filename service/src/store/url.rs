//! Where the store is: `sqlite:PATH`, `sqlite::memory:` or a path alone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::StoreError;

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreUrl(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file; made when it is not there.
    SqliteFile(PathBuf),
    /// Forgotten at the end of the process: for tests and the demo.
    SqliteMemory,
}

impl StoreUrl {
    /// Returns the store that is forgotten at the end of the process.
    pub(crate) const fn memory() -> Self {
        Self(Place::SqliteMemory)
    }

    pub(super) const fn place(&self) -> &Place {
        &self.0
    }

    /// The file, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::SqliteFile(path) => Some(path),
            Place::SqliteMemory => None,
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::SqliteFile(path) => {
                // Two slashes of its own are told behind those of a URL, which are left out.
                let slashes = if path.as_os_str().as_encoded_bytes().starts_with(b"//") {
                    "//"
                } else {
                    ""
                };
                write!(formatter, "sqlite:{slashes}{}", path.display())
            }
            Place::SqliteMemory => formatter.write_str("sqlite::memory:"),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    /// # Errors
    ///
    /// [`StoreError::Invalid`]. The text is never repeated in it: the URL of another engine may
    /// hold a password.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match scheme(text) {
            None => file(text),
            Some(("sqlite", ":memory:")) => Ok(Self::memory()),
            Some(("sqlite", rest)) => file(rest.strip_prefix("//").unwrap_or(rest)),
            Some(("postgres" | "postgresql", _)) => Err(invalid(
                "PostgreSQL is not built yet: name a file as `sqlite:PATH`",
            )),
            Some((other, _)) => Err(invalid(&format!(
                "`{other}:` is unknown: name a file as `sqlite:PATH` (a file whose name begins so \
                 is written `./{other}:...`)"
            ))),
        }
    }
}

/// Splits `scheme:rest`. One letter is no scheme but the drive of a path.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(':')?;
    let is_scheme = name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    is_scheme.then_some((name, rest))
}

fn file(path: &str) -> Result<StoreUrl, StoreError> {
    if path.is_empty() {
        return Err(invalid("a file is missing: write `sqlite:PATH`"));
    }
    if path.ends_with('/') {
        return Err(invalid("this is a folder: name a file in it"));
    }
    // SQLite ends a name at the first, and reads parameters after the second; neither is meant.
    if path.contains(['\0', '?']) {
        return Err(invalid(
            "a path has no `?` and no NUL: parameters are not part of it",
        ));
    }
    Ok(StoreUrl(Place::SqliteFile(PathBuf::from(path))))
}

fn invalid(reason: &str) -> StoreError {
    StoreError::Invalid(format!("cannot use the store's URL: {reason}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_and_paths_name_the_same_file() {
        for (text, shown) in [
            ("serinus.db", "sqlite:serinus.db"),
            ("sqlite:serinus.db", "sqlite:serinus.db"),
            ("sqlite://serinus.db", "sqlite:serinus.db"),
            ("sqlite:///var/lib/serinus.db", "sqlite:/var/lib/serinus.db"),
            ("/var/lib/serinus.db", "sqlite:/var/lib/serinus.db"),
            ("./odd:name", "sqlite:./odd:name"),
            ("//odd", "sqlite:////odd"),
            ("sqlite:////odd", "sqlite:////odd"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_url_that_is_no_place_says_what_to_write_and_keeps_the_password() {
        for (text, part) in [
            ("", "a file is missing"),
            ("sqlite:", "a file is missing"),
            ("sqlite://", "a file is missing"),
            ("data/", "name a file in it"),
            ("sqlite:a.db?mode=ro", "no `?`"),
            ("a\0b", "no NUL"),
            ("postgres://serinus:hunter2@db/serinus", "not built yet"),
            ("postgresql://serinus:hunter2@db", "not built yet"),
            ("mysql://serinus:hunter2@db", "`mysql:` is unknown"),
            ("sqlit:serinus.db", "`sqlit:` is unknown"),
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(matches!(error, StoreError::Invalid(_)), "{text}");
            let message = error.to_string();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(text in "(sqlite:)?.*") {
            if let Ok(url) = text.parse::<StoreUrl>() {
                prop_assert_eq!(url.to_string().parse::<StoreUrl>(), Ok(url));
            }
        }
    }
}
