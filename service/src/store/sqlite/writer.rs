//! The one connection that writes.
//!
//! SQLite has one writer at a time, and a transaction that reads before it writes can fail halfway
//! when another writes meanwhile. So all writes take turns here, in the order they came, and begin
//! with `BEGIN IMMEDIATE`.
//!
//! sqlx's own transactions are not used: they count how deep they are nested, and when SQLite ends
//! one by itself (a full disk does that) their `ROLLBACK` fails, the count stays, and no later
//! transaction can begin. Here a transaction that did not end well leaves a mark, and whoever comes
//! next rolls back first. The same mark covers calls that were given up halfway: sqlx executes the
//! statements of a connection in order, so the rollback comes after whatever was still under way.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, MutexGuard};

use super::failure::{Failure, is_no_transaction};

#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// In memory the connection is the store: it is never replaced.
    is_memory: bool,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
pub(super) struct Slot {
    connection: Option<SqliteConnection>,
    /// Whether no transaction was left open.
    is_clean: bool,
    is_closed: bool,
}

impl Writer {
    pub(super) fn new(
        options: SqliteConnectOptions,
        is_memory: bool,
        connection: SqliteConnection,
    ) -> Self {
        Self {
            options,
            is_memory,
            slot: Mutex::new(Slot {
                connection: Some(connection),
                is_clean: true,
                is_closed: false,
            }),
        }
    }

    /// Waits for its turn; the connection is in no transaction.
    pub(super) async fn lock(&self) -> Result<MutexGuard<'_, Slot>, Failure> {
        let mut slot = self.slot.lock().await;
        if slot.is_closed {
            return Err(Failure::Closed);
        }
        if !slot.is_clean {
            slot.roll_back(self.is_memory).await?;
        }
        if slot.connection.is_none() {
            slot.connection = Some(self.options.connect().await?);
        }
        Ok(slot)
    }

    /// Begins a transaction that may write.
    pub(super) async fn begin(&self) -> Result<WriteTransaction<'_>, Failure> {
        let mut slot = self.lock().await?;
        // Before the statement: if this future is dropped meanwhile, it may have begun.
        slot.is_clean = false;
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE")
            .execute(slot.connection()?)
            .await
        {
            slot.roll_back(self.is_memory).await?;
            return Err(error.into());
        }
        Ok(WriteTransaction {
            slot,
            is_memory: self.is_memory,
        })
    }

    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        let mut slot = self.slot.lock().await;
        slot.is_closed = true;
        match slot.connection.take() {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }
}

impl Slot {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.connection.as_mut().ok_or(Failure::Closed)
    }

    /// Ends whatever transaction is open, or gives the connection up.
    async fn roll_back(&mut self, is_memory: bool) -> Result<(), Failure> {
        let Some(connection) = self.connection.as_mut() else {
            self.is_clean = true;
            return Ok(());
        };
        match sqlx::query("ROLLBACK").execute(connection).await {
            Ok(_) => {}
            Err(error) if is_no_transaction(&error) => {}
            Err(error) if is_memory => return Err(error.into()),
            // The file remembers nothing of a connection that is gone.
            Err(_) => self.connection = None,
        }
        self.is_clean = true;
        Ok(())
    }
}

/// A transaction that may write. Dropped, it is rolled back before the next.
pub(super) struct WriteTransaction<'a> {
    slot: MutexGuard<'a, Slot>,
    is_memory: bool,
}

impl WriteTransaction<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.slot.connection()
    }

    /// Commits what went well, rolls back what did not.
    pub(super) async fn end<T>(mut self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        let ended = match outcome {
            Ok(value) => sqlx::query("COMMIT")
                .execute(self.slot.connection()?)
                .await
                .map(|_| value)
                .map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match ended {
            Ok(value) => {
                self.slot.is_clean = true;
                Ok(value)
            }
            Err(failure) => {
                // The first failure is the one to tell; this one leaves its mark for the next call.
                let _ = self.slot.roll_back(self.is_memory).await;
                Err(failure)
            }
        }
    }
}
