//! Rows to values. What does not fit is a damaged file, never a panic and never a default.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::failure::Failure;
use crate::store::model::{RolloutState, StoredEvent, StoredRollout};
use crate::store::names::RolloutKey;
use crate::time::UnixMillis;

/// A rollout, and how many events it has.
pub(super) struct RolloutRow {
    pub(super) rollout: StoredRollout,
    pub(super) event_count: i64,
}

pub(super) fn rollout(row: &SqliteRow) -> Result<RolloutRow, Failure> {
    let id: &str = row.try_get("id")?;
    let state: &str = row.try_get("state")?;
    let rollout = StoredRollout {
        id: id
            .parse()
            .map_err(|_| Failure::Value(format!("`{id}` is no id")))?,
        pipeline: row.try_get("pipeline")?,
        key: RolloutKey::kept(row.try_get("rollout_key")?),
        attempt: row.try_get("attempt")?,
        state: RolloutState::from_name(state)
            .ok_or_else(|| Failure::Value(format!("rollout {id}: `{state}` is no state")))?,
        is_current: row.try_get::<i64, _>("is_current")? == 1,
        version: row.try_get("version")?,
        created_ms: moment(row, "created_ms")?,
        updated_ms: moment(row, "updated_ms")?,
        closed_ms: row
            .try_get::<Option<i64>, _>("closed_ms")?
            .map(UnixMillis::new),
        document: row.try_get("document")?,
    };
    Ok(RolloutRow {
        rollout,
        event_count: row.try_get("event_count")?,
    })
}

pub(super) fn at_most_one(row: Option<&SqliteRow>) -> Result<Option<StoredRollout>, Failure> {
    row.map(|row| rollout(row).map(|read| read.rollout))
        .transpose()
}

pub(super) fn rollouts(rows: &[SqliteRow]) -> Result<Vec<StoredRollout>, Failure> {
    rows.iter()
        .map(|row| rollout(row).map(|read| read.rollout))
        .collect()
}

pub(super) fn event(row: &SqliteRow) -> Result<StoredEvent, Failure> {
    Ok(StoredEvent {
        sequence: row.try_get("sequence")?,
        at_ms: moment(row, "at_ms")?,
        kind: row.try_get("kind")?,
        document: row.try_get("document")?,
    })
}

pub(super) fn moment(row: &SqliteRow, column: &str) -> Result<UnixMillis, Failure> {
    Ok(UnixMillis::new(row.try_get(column)?))
}
