//! The file of tokens, read again when its text changes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Tokens;
use crate::prometheus::read_small;

/// How long a look at the file is good for: a token that is taken out is good for this long.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The file of tokens.
pub(crate) struct TokensFile {
    path: PathBuf,
    good_for: Duration,
    state: Mutex<State>,
}

struct State {
    looked_at: Instant,
    /// What was read last, or why nothing was.
    read: Result<Vec<u8>, String>,
    tokens: Arc<Tokens>,
    problem: Option<String>,
}

/// Why a file of tokens cannot be used at the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the tokens file {path:?}: {detail}")]
pub(crate) struct TokensFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, without anything of its content.
    pub detail: String,
}

impl fmt::Debug for TokensFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokensFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl TokensFile {
    /// Reads the file for the first time.
    ///
    /// # Errors
    ///
    /// [`TokensFileError`] when it cannot be used: a mistake should show at the start, and no
    /// tokens at all would lock everybody out.
    pub(crate) fn open(path: &Path) -> Result<Self, TokensFileError> {
        let in_file = |detail| TokensFileError {
            path: path.to_owned(),
            detail,
        };
        let bytes = read_small(path).map_err(in_file)?;
        let tokens = parse(&bytes).map_err(in_file)?;
        Ok(Self {
            path: path.to_owned(),
            good_for: GOOD_FOR,
            state: Mutex::new(State {
                looked_at: Instant::now(),
                read: Ok(bytes),
                tokens: Arc::new(tokens),
                problem: None,
            }),
        })
    }

    /// Returns the tokens, after a look at the file if the last is more than a second old. One
    /// caller looks, the others go on with what is known: a disk that hangs keeps one request
    /// waiting and not all of them.
    pub(crate) async fn tokens(self: &Arc<Self>) -> Arc<Tokens> {
        {
            let mut state = self.locked();
            if state.looked_at.elapsed() < self.good_for {
                return Arc::clone(&state.tokens);
            }
            state.looked_at = Instant::now();
        }
        let file = Arc::clone(self);
        // Only fails when the runtime stops; what was known still is.
        let _ = tokio::task::spawn_blocking(move || file.look()).await;
        Arc::clone(&self.locked().tokens)
    }

    /// Looks at the file now. Blocks on the disk. A form that cannot be used keeps the last good
    /// one and is told once, in the log and by [`TokensFile::problem`].
    pub(crate) fn look(&self) {
        let read = read_small(&self.path);
        let mut state = self.locked();
        if state.read == read {
            return;
        }
        let shown = self.path.display();
        match read.as_deref().map_err(Clone::clone).and_then(parse) {
            Ok(tokens) => {
                let count = tokens.count();
                tracing::info!(
                    tokens.count = count,
                    "{count} tokens read again from {shown}"
                );
                state.tokens = Arc::new(tokens);
                state.problem = None;
            }
            Err(problem) => {
                tracing::warn!(
                    "cannot use the new form of the tokens file {shown}, the last good one \
                     counts: {problem}"
                );
                state.problem = Some(problem);
            }
        }
        state.read = read;
    }

    /// Why the newest form of the file is not the one that counts.
    pub(crate) fn problem(&self) -> Option<String> {
        self.locked().problem.clone()
    }

    /// A panic while the lock was held leaves the state as it was before or after a look.
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(bytes: &[u8]) -> Result<Tokens, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    Tokens::parse(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::digest_hex;
    use super::*;

    fn entry(name: &str, token: &str) -> String {
        let digest = digest_hex(token);
        format!("- {{name: {name}, sha256: \"{digest}\", scopes: [gate]}}\n")
    }

    fn opened(text: &str, good_for: Duration) -> (tempfile::TempDir, PathBuf, Arc<TokensFile>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        fs::write(&path, text).unwrap();
        let mut file = TokensFile::open(&path).unwrap();
        file.good_for = good_for;
        (folder, path, Arc::new(file))
    }

    #[tokio::test]
    async fn a_new_token_counts_and_an_old_one_does_not_once_the_text_changes() {
        let (_folder, path, file) = opened(&entry("a", "one"), Duration::ZERO);
        assert!(file.tokens().await.find("one").is_some());
        // Same size, and within one tick of most clocks.
        fs::write(&path, entry("a", "two")).unwrap();
        let tokens = file.tokens().await;
        assert!(tokens.find("one").is_none());
        assert_eq!(tokens.find("two").unwrap().name(), "a");
    }

    #[tokio::test]
    async fn a_broken_or_vanished_file_keeps_the_last_good_form_and_is_told() {
        let (_folder, path, file) = opened(&entry("a", "one"), Duration::ZERO);
        for broken in ["- {name: a", ""] {
            fs::write(&path, broken).unwrap();
            assert!(file.tokens().await.find("one").is_some());
            assert!(file.problem().unwrap().contains("write each entry like"));
        }
        fs::remove_file(&path).unwrap();
        assert!(file.tokens().await.find("one").is_some());
        assert!(file.problem().unwrap().contains("tokens.yaml"));
        fs::write(&path, entry("b", "two")).unwrap();
        assert!(file.tokens().await.find("two").is_some());
        assert_eq!(file.problem(), None);
    }

    #[tokio::test]
    async fn a_look_is_good_for_a_while() {
        let (_folder, path, file) = opened(&entry("a", "one"), Duration::from_hours(1));
        fs::write(&path, entry("a", "two")).unwrap();
        assert!(file.tokens().await.find("one").is_some());
    }

    #[test]
    fn a_file_that_cannot_be_used_at_the_start_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        let missing = TokensFile::open(&path).unwrap_err().to_string();
        assert!(missing.contains("tokens.yaml"), "{missing}");
        fs::write(&path, [0xff]).unwrap();
        let binary = TokensFile::open(&path).unwrap_err().to_string();
        assert!(binary.contains("UTF-8"), "{binary}");
    }
}
