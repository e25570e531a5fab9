//! What is remembered of a store outside of it, so that a restart on another file says so.
//!
//! A rollback is final, and nothing is as quiet as one that is forgotten: the store was deleted, a
//! backup was put in its place, its -wal file was lost, and the next process starts as if nothing
//! had been found. So the file of the [claim](super::claim) beside the store holds which store it
//! guards and what was recorded in it last. A store that does not hold that is told, in the log, by
//! `/readyz` and in the first answer of the rollouts that begin in it, for a day.
//!
//! Who removes the store and means it removes this file with it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::claim::{beside, lock, open};
use super::loss::StoreFile;
use super::names::RolloutId;
use super::place::{Place, path_of};
use crate::time::UnixMillis;

/// How long a store is told to know nothing of what was before: a key that was rolled back is
/// rolled out again within hours, if it is.
const TOLD_FOR_MS: i64 = 24 * 60 * 60 * 1_000;

/// More than is ever written.
const MOST_BYTES: u64 = 4_096;

/// In what a store differs from the one that was used here before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parting {
    /// There was none, and one was made.
    New,
    /// It is another one.
    Another,
    /// It does not hold what was recorded last.
    Older,
}

impl Parting {
    const ALL: [Self; 3] = [Self::New, Self::Another, Self::Older];

    const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Another => "another",
            Self::Older => "older",
        }
    }
}

/// Since when a store is used that does not know what was recorded before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parted {
    /// When that was noticed.
    pub since: UnixMillis,
    /// What it is.
    pub parting: Parting,
}

impl fmt::Display for Parted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = serinus_openapi::analysis::timestamp(self.since.get());
        let since = since.format("%Y-%m-%d %H:%M UTC");
        match self.parting {
            Parting::New => write!(
                formatter,
                "the store is new since {since}: rollouts of before are not known, and a rollback \
                 of one is forgotten"
            ),
            Parting::Another => write!(
                formatter,
                "the store is another one than before {since}: rollouts of before are not known, \
                 and a rollback of one is forgotten"
            ),
            Parting::Older => write!(
                formatter,
                "the store lacks what was recorded last before {since}, as a backup does: a \
                 rollback among that is forgotten"
            ),
        }
    }
}

/// The last thing that was recorded: this version of this rollout.
pub(super) type Last = (RolloutId, i64);

/// A store that is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    /// Its own name, which is inside of it.
    pub(super) identity: String,
    /// Its file, and the one of what was recorded last, which belongs to no other.
    pub(super) files: Option<(Place, Place)>,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remembered {
    store: Used,
    last: Option<Last>,
    parted: Option<Parted>,
}

/// The file beside a store.
#[derive(Debug)]
pub(super) struct Beside {
    path: PathBuf,
    file: File,
    is_shared: bool,
    remembered: Option<Remembered>,
}

/// Another process holds the file that lies in the place of the one that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeldByAnother;

impl Beside {
    /// Opens the file, and makes it where there is none.
    pub(super) fn open(store: &Path, is_shared: bool) -> io::Result<Self> {
        let path = beside(store);
        let mut file = open(&path)?;
        let remembered = read(&mut file)?;
        Ok(Self {
            path,
            file,
            is_shared,
            remembered,
        })
    }

    /// Sees to it that what is remembered lies where the next process looks for it: whoever removes
    /// the store often removes this file with it, and a restart would begin as if nothing had been.
    ///
    /// # Errors
    ///
    /// [`HeldByAnother`] when another process has begun to use the store meanwhile.
    pub(super) fn stay(&mut self) -> Result<(), HeldByAnother> {
        let own = self.file.metadata().map(|metadata| Place::of(&metadata));
        if own.ok() == Place::at(&self.path) {
            return Ok(());
        }
        let Ok(mut file) = open(&self.path) else {
            // Where no file can be made, none is found by a restart either.
            return Ok(());
        };
        if let Err(TryLockError::WouldBlock) = lock(&file, self.is_shared) {
            return Err(HeldByAnother);
        }
        tracing::warn!(
            path = %self.path.display(),
            "the file {} was removed or replaced, and is written again: it says what was recorded",
            self.path.display()
        );
        let found = read(&mut file).ok().flatten();
        self.file = file;
        let Some(remembered) = self.remembered.take() else {
            return Ok(());
        };
        // Another process that shares the store may have written it again already.
        let is_there = |found: &Remembered| {
            self.is_shared && found.store.identity == remembered.store.identity
        };
        match found.filter(is_there) {
            Some(found) => self.remembered = Some(found),
            None => self.remember(remembered),
        }
        Ok(())
    }

    /// Which store was used here last.
    pub(super) fn store(&self) -> Option<&str> {
        let remembered = self.remembered.as_ref();
        remembered.map(|remembered| remembered.store.identity.as_str())
    }

    /// Whether another file lies in the place of the store, and what was recorded last in the one of
    /// before lies beside it: SQLite would write that into it.
    pub(super) fn has_the_wal_of_another(&self, store: &Path) -> bool {
        let files = self.remembered.as_ref().and_then(|one| one.store.files);
        files.is_some_and(|(main, wal)| {
            let place = |file| Place::at(&path_of(store, file));
            place(StoreFile::Main) != Some(main) && place(StoreFile::Wal) == Some(wal)
        })
    }

    /// What was recorded in it last, by this process or another one that shares it.
    pub(super) fn last(&self) -> Option<Last> {
        let mut file = &self.file;
        io::Seek::rewind(&mut file).ok()?;
        read(&mut file).ok().flatten()?.last
    }

    /// Remembers that this store is used from now on.
    pub(super) fn uses(&mut self, store: &Used, parted: Option<Parted>) {
        let is_same = self.store() == Some(&store.identity);
        let before = self.remembered.take().filter(|_| is_same);
        let kept = before.as_ref().and_then(|before| before.parted);
        self.remember(Remembered {
            store: store.clone(),
            last: before
                .and_then(|before| before.last)
                .filter(|_| parted.is_none()),
            parted: parted.or(kept),
        });
    }

    /// Remembers what was recorded last; nothing when it may have been removed for its age.
    pub(super) fn recorded(&mut self, last: Option<Last>) {
        if let Some(before) = self.remembered.take() {
            self.remember(Remembered { last, ..before });
        }
    }

    /// Whether the store that is used does not know what was before.
    pub(super) fn parted(&self, now: UnixMillis) -> Option<Parted> {
        let parted = self.remembered.as_ref()?.parted?;
        (now.since(parted.since) < TOLD_FOR_MS).then_some(parted)
    }

    /// Not being able to remember keeps nobody from recording.
    fn remember(&mut self, remembered: Remembered) {
        let text = remembered.to_string();
        let length = u64::try_from(text.len()).unwrap_or(MOST_BYTES);
        let written = self
            .file
            .write_all_at(text.as_bytes(), 0)
            .and_then(|()| self.file.set_len(length));
        if let Err(error) = written {
            tracing::debug!(%error, "cannot remember what was recorded last beside the store: {error}");
        }
        self.remembered = Some(remembered);
    }
}

fn read(file: &mut impl io::Read) -> io::Result<Option<Remembered>> {
    let mut text = String::new();
    match file.take(MOST_BYTES).read_to_string(&mut text) {
        // What nobody can read says nothing.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
        other => other?,
    };
    Ok(Remembered::parse(&text))
}

impl fmt::Display for Remembered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "store {}", self.store.identity)?;
        if let Some((main, wal)) = self.store.files {
            writeln!(formatter, "files {main} {wal}")?;
        }
        if let Some((id, version)) = self.last {
            writeln!(formatter, "last {id} {version}")?;
        }
        if let Some(parted) = self.parted {
            writeln!(
                formatter,
                "parted {} {}",
                parted.since.get(),
                parted.parting.name()
            )?;
        }
        Ok(())
    }
}

impl Remembered {
    /// Lines that are not known are left out.
    fn parse(text: &str) -> Option<Self> {
        let line = |name: &str| {
            let mut words = text.lines().map(str::split_whitespace);
            words.find_map(|mut words| {
                let rest = (words.next() == Some(name)).then_some(words)?;
                Some(rest.collect::<Vec<_>>())
            })
        };
        let identity = (*line("store")?.first()?).to_owned();
        let files = line("files").and_then(|words| {
            let [main, wal] = words.as_slice() else {
                return None;
            };
            Some((main.parse().ok()?, wal.parse().ok()?))
        });
        let last = line("last").and_then(|words| {
            let [id, version] = words.as_slice() else {
                return None;
            };
            Some((id.parse().ok()?, version.parse().ok()?))
        });
        let parted = line("parted").and_then(|words| {
            let [since, name] = words.as_slice() else {
                return None;
            };
            let mut partings = Parting::ALL.into_iter();
            Some(Parted {
                since: UnixMillis::new(since.parse().ok()?),
                parting: partings.find(|parting| parting.name() == *name)?,
            })
        });
        Some(Self {
            store: Used { identity, files },
            last,
            parted,
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOON: UnixMillis = UnixMillis::new(1_793_606_400_000);

    fn id(number: u128) -> RolloutId {
        RolloutId::new(Uuid::from_u128(number))
    }

    fn used(identity: &str) -> Used {
        Used {
            identity: identity.to_owned(),
            files: None,
        }
    }

    #[test]
    fn what_was_recorded_last_is_read_back_by_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("serinus.db");
        let mut first = Beside::open(&store, false).unwrap();
        assert_eq!(first.store(), None);
        first.uses(&used("one"), None);
        first.recorded(Some((id(7), 3)));

        let mut second = Beside::open(&store, false).unwrap();
        assert_eq!(second.store(), Some("one"));
        assert_eq!(second.last(), Some((id(7), 3)));
        second.uses(&used("one"), None);
        assert_eq!(second.last(), Some((id(7), 3)), "the same store is used");
        // Another process that shares the store writes there too.
        first.recorded(Some((id(8), 1)));
        assert_eq!(second.last(), Some((id(8), 1)));
        second.recorded(None);
        assert_eq!(first.last(), None);
    }

    #[test]
    fn another_store_is_told_for_a_day_and_through_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("serinus.db");
        let parted = Parted {
            since: NOON,
            parting: Parting::New,
        };
        let mut first = Beside::open(&store, false).unwrap();
        first.uses(&used("one"), None);
        first.recorded(Some((id(7), 3)));
        assert_eq!(first.parted(NOON), None);
        first.uses(&used("two"), Some(parted));
        assert_eq!(first.last(), None, "of the store of before");
        first.recorded(Some((id(9), 1)));

        let mut second = Beside::open(&store, false).unwrap();
        second.uses(&used("two"), None);
        assert_eq!(second.last(), Some((id(9), 1)));
        assert_eq!(second.parted(NOON.plus(TOLD_FOR_MS - 1)), Some(parted));
        assert_eq!(second.parted(NOON.plus(TOLD_FOR_MS)), None);
        assert!(
            parted
                .to_string()
                .contains("new since 2026-11-02 08:00 UTC"),
            "{parted}"
        );
    }

    /// Removed together with the store, nothing was left to tell that a rollback was forgotten.
    #[test]
    fn it_is_written_again_where_it_was_removed_and_left_to_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("serinus.db");
        let mut first = Beside::open(&store, false).unwrap();
        first.uses(&used("one"), None);
        first.recorded(Some((id(7), 3)));
        assert_eq!(first.stay(), Ok(()));
        std::fs::remove_file(beside(&store)).unwrap();
        assert_eq!(first.stay(), Ok(()));
        first.recorded(Some((id(8), 1)));
        let next = Beside::open(&store, false).unwrap();
        assert_eq!((next.store(), next.last()), (Some("one"), Some((id(8), 1))));

        std::fs::remove_file(beside(&store)).unwrap();
        let anothers = open(&beside(&store)).unwrap();
        lock(&anothers, false).unwrap();
        assert_eq!(first.stay(), Err(HeldByAnother));
        drop(anothers);
        assert_eq!(first.stay(), Ok(()));
    }

    #[test]
    fn what_was_recorded_last_belongs_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("serinus.db");
        let wal = path_of(&store, StoreFile::Wal);
        std::fs::write(&store, "one").unwrap();
        std::fs::write(&wal, "of one").unwrap();
        let files = Place::at(&store).zip(Place::at(&wal));
        let one = Used {
            files,
            ..used("one")
        };
        Beside::open(&store, false).unwrap().uses(&one, None);
        let is_anothers = || {
            Beside::open(&store, false)
                .unwrap()
                .has_the_wal_of_another(&store)
        };
        assert!(!is_anothers());

        std::fs::write(folder.path().join("two"), "two").unwrap();
        std::fs::rename(folder.path().join("two"), &store).unwrap();
        assert!(is_anothers());
        std::fs::remove_file(&wal).unwrap();
        assert!(!is_anothers());
    }

    #[test]
    fn a_file_that_nobody_can_read_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("serinus.db");
        for text in [
            &b""[..],
            b"\xff\xfe",
            b"store",
            b"last 1 2\n",
            &[b'x'; 10_000],
        ] {
            std::fs::write(beside(&store), text).unwrap();
            let opened = Beside::open(&store, false).unwrap();
            assert_eq!((opened.store(), opened.last()), (None, None), "{text:?}");
        }
        std::fs::write(
            beside(&store),
            "later x\nstore one\nlast 7\nparted never new\n",
        )
        .unwrap();
        let opened = Beside::open(&store, false).unwrap();
        assert_eq!((opened.store(), opened.last()), (Some("one"), None));
        assert_eq!(opened.parted(NOON), None);
    }
}
