//! The store in a file of SQLite, or in memory.
//!
//! A file is in WAL mode: readers see the last commit and never wait for the writer. There is one
//! connection that writes (`writer`) and a few that read. In memory there is one connection for
//! everything: a second one would see another, empty memory.
//!
//! Migrations are embedded. Cargo notices a change in one that it knows, but not a new file: touch
//! this one when adding it.

mod failure;
mod guard;
mod pipelines;
mod read;
mod rows;
mod soundness;
#[cfg(test)]
mod tests;
mod write;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::time::timeout;

use super::Use;
use super::beside::{Beside, Parted, Parting};
use super::error::StoreError;
use super::loss::StoreLoss;
use crate::time::UnixMillis;
use failure::Failure;
use guard::Guard;
use soundness::Soundness;
use writer::Writer;

/// How long a call may take. Less than the eight seconds within which a gate must answer, so that
/// two calls in a row still leave it time to say so.
const DEADLINE: Duration = Duration::from_secs(3);

/// How long SQLite waits for another process that writes: less than the deadline, so that the
/// reason is told.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// How long opening may take, with all migrations.
const OPEN_DEADLINE: Duration = Duration::from_mins(1);

/// Readers. Their work is short and from memory mostly: more would wait for the same cores.
const READERS: u32 = 4;

/// After how many pages the WAL is moved into the file, as soon as nobody reads from it. A quarter of
/// SQLite's own number: what waits in the WAL takes its room on the disk twice, and when a small disk
/// is full of it, it cannot be moved any more.
const WAL_PAGES: &str = "256";

/// What the WAL file is cut back to after a large transaction has made it grow.
const WAL_BYTES: &str = "67108864";

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations/sqlite");

/// The store in a file of SQLite, or in memory. A clone is the same store.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    writer: Writer,
    /// None in memory: there the writer reads.
    readers: Option<SqlitePool>,
    /// Looks after the files. None in memory.
    guard: Option<Guard>,
}

impl SqliteStore {
    pub(super) async fn open_file(path: &Path, usage: Use) -> Result<Self, StoreError> {
        const OPERATION: &str = "open the store";
        // SQLite takes a name that begins with `file:` for a URL of its own.
        let name = Path::new(".").join(path);
        let is_new = std::fs::metadata(&name).map_or(true, |metadata| metadata.len() == 0);
        let options = options().filename(name);
        let beside = match usage {
            Use::Look => None,
            Use::Alone => open_beside(path, false),
            Use::Shared => open_beside(path, true),
        };
        let opened = opening(OPERATION, async {
            if !is_new
                && beside
                    .as_ref()
                    .is_some_and(|one| one.has_the_wal_of_another(path))
            {
                return Err(Failure::Refused(
                    "its -wal file is of another file, which lay in its place before, and would be \
                     written into it: remove -wal and -shm, or put that file back",
                ));
            }
            // Only now: a connection that is made later makes no file and changes none.
            let makes = options.clone().journal_mode(SqliteJournalMode::Wal);
            let mut connection = makes.create_if_missing(true).connect().await?;
            require_wal(&mut connection).await?;
            MIGRATIONS.run(&mut connection).await?;
            require_sound(&mut connection).await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(READERS)
                // All at once: one that is made later could find another file.
                .min_connections(READERS)
                .acquire_timeout(DEADLINE)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(options.clone().pragma("query_only", "ON"))
                .await?;
            let identity = soundness::identity(&mut connection).await?;
            let guard = Guard::new(path, identity, usage != Use::Shared);
            if let Some(beside) = beside {
                let parting = parting(&beside, is_new, guard.identity(), &mut connection).await?;
                guard.remember(beside, parting);
            }
            let writer = Writer::new(options, Some(guard.clone()), connection);
            Ok(Self::new(writer, Some(readers), Some(guard)))
        });
        opened.await.map_err(|error| in_file(path, error))
    }

    pub(super) async fn open_memory() -> Result<Self, StoreError> {
        opening("open the store in memory", async {
            let options = options().filename(":memory:").in_memory(true);
            let mut connection = options.connect().await?;
            MIGRATIONS.run(&mut connection).await?;
            Ok(Self::new(
                Writer::new(options, None, connection),
                None,
                None,
            ))
        })
        .await
    }

    fn new(writer: Writer, readers: Option<SqlitePool>, guard: Option<Guard>) -> Self {
        Self {
            shared: Arc::new(Shared {
                writer,
                readers,
                guard,
            }),
        }
    }

    /// Looks now whether the files are still those that were opened.
    pub(super) fn look(&self) -> Result<(), StoreLoss> {
        self.shared.guard.as_ref().map_or(Ok(()), Guard::look)
    }

    /// Whether another program wrote into files that only this process writes; it cannot be told
    /// while it does.
    pub(super) fn was_changed(&self) -> bool {
        let Shared { writer, guard, .. } = &*self.shared;
        guard
            .as_ref()
            .is_some_and(|guard| guard.is_alone() && writer.is_at_rest() && guard.was_changed())
    }

    /// What has become of the files, by a look that is a moment old at most.
    pub(super) fn loss(&self) -> Option<StoreLoss> {
        self.shared.guard.as_ref()?.loss()
    }

    /// Since when it is used without what was recorded before, if it is.
    pub(super) fn parted(&self, now: UnixMillis) -> Option<Parted> {
        self.shared.guard.as_ref()?.parted(now)
    }

    pub(super) async fn close(self) {
        // So that the next process finds what was recorded, whatever was removed here.
        let _ = self.look();
        let closing = async {
            if let Some(readers) = &self.shared.readers {
                readers.close().await;
            }
            // Last, because the last one moves what is in the WAL into the file.
            self.shared.writer.close().await
        };
        match timeout(DEADLINE, closing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the store did not close well"),
            Err(_) => tracing::warn!("the store did not close in time"),
        }
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("journal_size_limit", WAL_BYTES)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        // A container may have no folder for temporary files.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// SQLite stays silent when a file system has no shared memory for the WAL.
async fn require_wal(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(connection)
        .await?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Failure::Engine(sqlx::Error::Io(std::io::Error::other(
        format!("this file system cannot hold it (the journal mode is {mode}, not wal)"),
    ))))
}

/// Refuses a file that is damaged, as far as that shows in a second.
async fn require_sound(connection: &mut SqliteConnection) -> Result<(), Failure> {
    match soundness::look_through(connection, soundness::AT_THE_START).await? {
        Soundness::Sound => Ok(()),
        Soundness::SoundSoFar => {
            tracing::info!(
                "the store is too large to be looked through in {} s: what was looked at is sound, \
                 and sqlite3 FILE 'PRAGMA quick_check' looks at the rest",
                soundness::AT_THE_START.as_secs()
            );
            Ok(())
        }
        Soundness::Damaged(detail) => Err(Failure::Value(detail)),
    }
}

/// Opens what is remembered of a store; without it all goes on.
fn open_beside(path: &Path, is_shared: bool) -> Option<Beside> {
    let opened = Beside::open(path, is_shared);
    opened
        .inspect_err(|error| {
            tracing::warn!(%error, "cannot remember beside the store what is recorded: {error}");
        })
        .ok()
}

/// In what a store differs from what is remembered of the one that was used here last.
async fn parting(
    beside: &Beside,
    is_new: bool,
    identity: &str,
    connection: &mut SqliteConnection,
) -> Result<Option<Parting>, Failure> {
    let is_another = beside.store().is_some_and(|known| known != identity);
    Ok(match (is_another, beside.last()) {
        (true, _) if is_new => Some(Parting::New),
        (true, _) => Some(Parting::Another),
        (false, Some(last)) if !soundness::holds(connection, last).await? => Some(Parting::Older),
        (false, _) => None,
    })
}

/// Says which file it is, and what to do.
fn in_file(path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Unavailable { operation, reason } => StoreError::Unavailable {
            operation,
            reason: format!("{path}: {reason}; its folder must exist and be writable"),
        },
        StoreError::Corrupt { operation, reason } => StoreError::Corrupt {
            operation,
            reason: format!(
                "{path}: {reason}; put a backup in its place (without the -wal and -shm of \
                 before), or move it away to begin with a new one, which knows nothing of the \
                 rollouts and rollbacks of before"
            ),
        },
        other @ (StoreError::Lost { .. } | StoreError::Invalid(_)) => other,
    }
}

async fn opening<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, StoreError> {
    limited(OPEN_DEADLINE, operation, work).await
}

/// Does one operation within its deadline.
async fn within<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, StoreError> {
    limited(DEADLINE, operation, work).await
}

async fn limited<T>(
    deadline: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, StoreError> {
    match timeout(deadline, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(failure)) => Err(failure.of(operation)),
        Err(_) => Err(StoreError::too_slow(operation, deadline)),
    }
}
