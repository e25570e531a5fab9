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
use super::guard::Guard;
use super::soundness::verify;

#[derive(Debug)]
pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// Looks after the files. None in memory, where the connection is the store: it is never
    /// replaced.
    guard: Option<Guard>,
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
        guard: Option<Guard>,
        connection: SqliteConnection,
    ) -> Self {
        Self {
            options,
            guard,
            slot: Mutex::new(Slot {
                connection: Some(connection),
                is_clean: true,
                is_closed: false,
            }),
        }
    }

    /// Whether nobody writes, and all that was written is done.
    pub(super) fn is_at_rest(&self) -> bool {
        self.slot.try_lock().is_ok_and(|slot| slot.is_clean)
    }

    /// Waits for its turn; the connection is in no transaction.
    pub(super) async fn lock(&self) -> Result<MutexGuard<'_, Slot>, Failure> {
        let mut slot = self.slot.lock().await;
        if slot.is_closed {
            return Err(Failure::Closed);
        }
        if let Some(guard) = &self.guard {
            // Before a connection could be made to another file.
            guard.look()?;
        }
        if !slot.is_clean {
            slot.roll_back(self.guard.as_ref()).await?;
        }
        if slot.connection.is_none() {
            slot.connection = Some(self.options.connect().await?);
        }
        Ok(slot)
    }

    /// Begins a transaction that may write.
    pub(super) async fn begin(&self) -> Result<WriteTransaction<'_>, Failure> {
        let mut slot = self.lock().await?;
        if let Some(guard) = self.guard.as_ref().filter(|guard| guard.was_changed()) {
            verify(guard, &self.options).await?;
        }
        // Before the statement: if this future is dropped meanwhile, it may have begun.
        slot.is_clean = false;
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE")
            .execute(slot.connection()?)
            .await
        {
            slot.roll_back(self.guard.as_ref()).await?;
            return Err(error.into());
        }
        Ok(WriteTransaction {
            slot,
            guard: self.guard.as_ref(),
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
    async fn roll_back(&mut self, guard: Option<&Guard>) -> Result<(), Failure> {
        let Some(connection) = self.connection.as_mut() else {
            self.is_clean = true;
            return Ok(());
        };
        match sqlx::query("ROLLBACK").execute(connection).await {
            Ok(_) => {}
            Err(error) if is_no_transaction(&error) => {}
            Err(error) if guard.is_none() => return Err(error.into()),
            // The file remembers nothing of a connection that is gone.
            Err(_) => self.connection = None,
        }
        self.is_clean = true;
        if let Some(guard) = guard {
            guard.note();
        }
        Ok(())
    }
}

/// A transaction that may write. Dropped, it is rolled back before the next.
pub(super) struct WriteTransaction<'a> {
    slot: MutexGuard<'a, Slot>,
    guard: Option<&'a Guard>,
}

impl WriteTransaction<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.slot.connection()
    }

    /// Commits what went well, rolls back what did not. What was committed into files that are not
    /// those of the path was not.
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
                if let Some(guard) = self.guard {
                    guard.note();
                    guard.look()?;
                }
                Ok(value)
            }
            Err(failure) => {
                // The first failure is the one to tell; this one leaves its mark for the next call.
                let _ = self.slot.roll_back(self.guard).await;
                Err(failure)
            }
        }
    }
}
