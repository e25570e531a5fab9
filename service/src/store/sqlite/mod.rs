//! The store in a file of SQLite, or in memory.
//!
//! A file is in WAL mode: readers see the last commit and never wait for the writer. There is one
//! connection that writes (`writer`) and a few that read. In memory there is one connection for
//! everything: a second one would see another, empty memory.
//!
//! Migrations are embedded. Cargo notices a change in one that it knows, but not a new file: touch
//! this one when adding it.

mod failure;
mod pipelines;
mod read;
mod rows;
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

use super::error::StoreError;
use failure::Failure;
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
}

impl SqliteStore {
    pub(super) async fn open_file(path: &Path) -> Result<Self, StoreError> {
        const OPERATION: &str = "open the store";
        // SQLite takes a name that begins with `file:` for a URL of its own.
        let name = Path::new(".").join(path);
        let options = options().filename(name);
        let opened = opening(OPERATION, async {
            let writes = options
                .clone()
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal);
            let mut connection = writes.connect().await?;
            require_wal(&mut connection).await?;
            MIGRATIONS.run(&mut connection).await?;
            let readers = SqlitePoolOptions::new()
                .max_connections(READERS)
                .acquire_timeout(DEADLINE)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .connect_with(options.pragma("query_only", "ON"))
                .await?;
            Ok(Self::new(
                Writer::new(writes, false, connection),
                Some(readers),
            ))
        });
        opened.await.map_err(|error| match error {
            StoreError::Unavailable { operation, reason } => StoreError::Unavailable {
                operation,
                reason: format!(
                    "{}: {reason}; its folder must exist and be writable",
                    path.display()
                ),
            },
            StoreError::Corrupt { operation, reason } => StoreError::Corrupt {
                operation,
                reason: format!("{}: {reason}", path.display()),
            },
            StoreError::Invalid(reason) => StoreError::Invalid(reason),
        })
    }

    pub(super) async fn open_memory() -> Result<Self, StoreError> {
        opening("open the store in memory", async {
            let options = options().filename(":memory:").in_memory(true);
            let mut connection = options.connect().await?;
            MIGRATIONS.run(&mut connection).await?;
            Ok(Self::new(Writer::new(options, true, connection), None))
        })
        .await
    }

    fn new(writer: Writer, readers: Option<SqlitePool>) -> Self {
        Self {
            shared: Arc::new(Shared { writer, readers }),
        }
    }

    pub(super) async fn close(self) {
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
