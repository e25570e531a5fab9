//! What SQLite and sqlx report, told apart as callers need it.

use sqlx::migrate::MigrateError;

use crate::store::error::StoreError;
use crate::store::loss::StoreLoss;

/// Why a step failed; the operation that it was part of is added at the border.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite or sqlx reported it.
    Engine(sqlx::Error),
    /// The tables cannot be brought up to date.
    Migration(MigrateError),
    /// A column holds what no Serinus writes.
    Value(String),
    /// The file must not be used as it lies there.
    Refused(&'static str),
    /// The store was closed before.
    Closed,
    /// Its files are not those that were opened.
    Lost(StoreLoss),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::Migration(error)
    }
}

impl From<StoreLoss> for Failure {
    fn from(loss: StoreLoss) -> Self {
        Self::Lost(loss)
    }
}

impl Failure {
    pub(super) fn of(self, operation: &'static str) -> StoreError {
        match self {
            Self::Engine(error) => engine(operation, &error),
            Self::Migration(error) => migration(operation, error),
            Self::Value(reason) => StoreError::corrupt(operation, reason),
            Self::Refused(reason) => StoreError::Invalid(format!("cannot {operation}: {reason}")),
            Self::Closed => StoreError::closed(operation),
            Self::Lost(loss) => StoreError::Lost { operation, loss },
        }
    }
}

/// Primary result codes, <https://www.sqlite.org/rescode.html>.
const ERROR: i32 = 1;
const INTERRUPT: i32 = 9;
const CORRUPT: i32 = 11;
const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const FORMAT: i32 = 24;
const NOT_A_DATABASE: i32 = 26;

/// The primary result code of an error, if SQLite reported it.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    // An extended code holds the primary one in its lowest byte.
    code.parse::<i32>().ok().map(|extended| extended & 0xff)
}

/// Whether a `ROLLBACK` failed because there was nothing to roll back: SQLite ends the transaction
/// itself upon some errors, a full disk among them.
pub(super) fn is_no_transaction(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(ERROR)
}

/// Whether a statement was ended because its time was over.
pub(super) fn is_interrupted(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(INTERRUPT)
}

/// Whether the file is none that a Serinus has written, wherever that was noticed.
pub(super) fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::RowNotFound)
        || matches!(engine("read the store", error), StoreError::Corrupt { .. })
}

fn engine(operation: &'static str, error: &sqlx::Error) -> StoreError {
    use sqlx::Error;

    let reason = match error {
        Error::Database(database) => database.to_string(),
        other => other.to_string(),
    };
    match (error, primary_code(error)) {
        (Error::PoolClosed, _) => StoreError::closed(operation),
        (_, Some(CONSTRAINT | TOO_BIG)) => StoreError::Invalid(format!(
            "cannot {operation}: it does not go with what is stored: {reason}"
        )),
        // A plain error is a statement that does not fit the tables: they are not ours.
        (_, Some(ERROR | CORRUPT | MISMATCH | FORMAT | NOT_A_DATABASE))
        | (
            Error::ColumnDecode { .. }
            | Error::Decode(_)
            | Error::ColumnNotFound(_)
            | Error::ColumnIndexOutOfBounds { .. }
            | Error::TypeNotFound { .. },
            None,
        ) => StoreError::Corrupt { operation, reason },
        _ => StoreError::Unavailable { operation, reason },
    }
}

fn migration(operation: &'static str, error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            engine(operation, &source)
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            StoreError::Invalid(format!(
                "cannot {operation}: a newer version of Serinus has written it (its tables are of \
                 version {version}): use that version, or another file"
            ))
        }
        other => StoreError::corrupt(operation, other.to_string()),
    }
}
