//! What a file holds is looked through: when it is opened, and when another program wrote into it.
//!
//! SQLite tells of damage where it comes across it: a rollback that lies in a damaged page is missed
//! by nobody until it is asked for.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::time::Instant;

use super::failure::{Failure, is_interrupted, is_unreadable};
use super::guard::Guard;
use crate::store::beside::Last;
use crate::store::statements;

/// How long opening looks: a store of some hundred megabytes. Of a larger one the tables that decide
/// are looked through first.
pub(super) const AT_THE_START: Duration = Duration::from_secs(1);

/// How long is looked after another program wrote: a call waits for it.
pub(super) const WHILE_IN_USE: Duration = Duration::from_secs(1);

/// The tables, those first whose damage would be missed the most.
const TABLES: [&str; 6] = [
    "store_identity",
    "rollouts",
    "events",
    "pipelines",
    "probes",
    "inputs",
];

/// How many steps of SQLite's machine pass between two looks at the clock.
const STEPS: i32 = 10_000;

/// What a look through the tables came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Soundness {
    /// Every page is where it belongs.
    Sound,
    /// As far as it went; the time was over.
    SoundSoFar,
    /// What is wrong.
    Damaged(String),
}

/// Looks the tables through, for as long as `patience` lasts.
pub(super) async fn look_through(
    connection: &mut SqliteConnection,
    patience: Duration,
) -> Result<Soundness, sqlx::Error> {
    let until = Instant::now() + patience;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || Instant::now() < until);
    let found = tables(connection).await;
    connection.lock_handle().await?.remove_progress_handler();
    match found {
        Err(error) if is_interrupted(&error) => Ok(Soundness::SoundSoFar),
        Err(error) if is_unreadable(&error) => Ok(Soundness::Damaged(error.to_string())),
        other => other,
    }
}

async fn tables(connection: &mut SqliteConnection) -> Result<Soundness, sqlx::Error> {
    for table in TABLES {
        let statement = AssertSqlSafe(format!("PRAGMA quick_check({table})"));
        let rows = sqlx::query(statement).fetch_all(&mut *connection).await?;
        let found: Option<&str> = rows.first().map(|row| row.try_get(0)).transpose()?;
        match found {
            Some("ok") | None => {}
            Some(damage) => return Ok(Soundness::Damaged(format!("{table}: {damage}"))),
        }
    }
    Ok(Soundness::Sound)
}

/// The name of the store that a file holds.
pub(super) async fn identity(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar(statements::IDENTITY)
        .fetch_one(connection)
        .await
}

/// Whether a file holds what was recorded last.
pub(super) async fn holds(
    connection: &mut SqliteConnection,
    (id, version): Last,
) -> Result<bool, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar(statements::VERSION)
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    Ok(found.is_some_and(|found| found >= version))
}

/// Looks whether the file is still the store that was opened, after another program wrote into it.
///
/// By a connection of its own: the others remember pages, and would answer from them. It is never the
/// last one, so that closing it changes nothing.
pub(super) async fn verify(guard: &Guard, options: &SqliteConnectOptions) -> Result<(), Failure> {
    match looked_at(guard, options).await {
        Ok(None) => {
            guard.note();
            Ok(())
        }
        Ok(Some(detail)) => Err(Failure::Lost(guard.overwritten(detail))),
        Err(error) if is_unreadable(&error) => {
            Err(Failure::Lost(guard.overwritten(error.to_string())))
        }
        Err(error) => Err(error.into()),
    }
}

/// What is wrong with the file, if anything is.
async fn looked_at(
    guard: &Guard,
    options: &SqliteConnectOptions,
) -> Result<Option<String>, sqlx::Error> {
    if guard.is_empty() {
        // For SQLite a new one, whose -wal file it would remove.
        return Ok(Some("it is empty".to_owned()));
    }
    if guard.was_cut() {
        // Where in the -wal file what is, the -shm file goes on saying.
        return Ok(Some(
            "a part of it, or of its -wal file, was cut off".to_owned(),
        ));
    }
    let mut connection = options.clone().read_only(true).connect().await?;
    if identity(&mut connection).await? != guard.identity() {
        return Ok(Some("it holds another store".to_owned()));
    }
    if let Some(last) = guard.last()
        && !holds(&mut connection, last).await?
    {
        return Ok(Some("it lacks what was recorded last".to_owned()));
    }
    let found = look_through(&mut connection, WHILE_IN_USE).await?;
    connection.close().await?;
    match found {
        Soundness::Damaged(detail) => Ok(Some(detail)),
        Soundness::SoundSoFar => {
            tracing::warn!(
                "another program wrote into the file of the store, which is too large to be looked \
                 through in {} s: what was looked at is sound",
                WHILE_IN_USE.as_secs()
            );
            Ok(None)
        }
        Soundness::Sound => {
            tracing::debug!("another program wrote into the file of the store, which is sound");
            Ok(None)
        }
    }
}
