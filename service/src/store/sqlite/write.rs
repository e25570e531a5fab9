//! What changes the store, one transaction each.

use sqlx::sqlite::SqliteConnection;

use super::failure::Failure;
use super::rows::{self, RolloutRow};
use super::{SqliteStore, read, within};
use crate::store::error::StoreError;
use crate::store::model::{
    Inputs, NewEvent, NewRollout, Recorded, Retention, RolloutState, RolloutUpdate, Started,
    StoredRollout,
};
use crate::store::names::RolloutId;
use crate::store::statements;
use crate::time::UnixMillis;

/// How many rollouts one transaction removes: each may have thousands of events.
const PRUNED_AT_ONCE: i64 = 20;

/// How many transactions one call of `prune` makes at most.
const MOST_BATCHES: usize = 50;

/// What a check writes: more than the free space within a page, so that it needs pages of its own.
static PROBE: [u8; 32 * 1024] = [0; 32 * 1024];

impl SqliteStore {
    pub(in crate::store) async fn start(&self, new: NewRollout) -> Result<Started, StoreError> {
        within("start a rollout", async {
            // A gate that starts on its first call asks this on each: most find it, and those do
            // not wait for the writer.
            let mut reader = self.reader().await?;
            let found = read::current(reader.connection()?, &new.pipeline, &new.key).await?;
            drop(reader);
            if let Some(existing) = found {
                return Ok(Started::Existing(existing));
            }
            let mut transaction = self.shared.writer.begin().await?;
            let outcome = start(transaction.connection()?, new).await;
            let started = transaction.end(outcome).await?;
            if let Started::Created(rollout) = &started {
                self.remember(Some(rollout));
            }
            Ok(started)
        })
        .await
    }

    pub(in crate::store) async fn record(
        &self,
        id: RolloutId,
        expected_version: i64,
        update: RolloutUpdate,
        events: Vec<NewEvent>,
        inputs: Option<Inputs>,
    ) -> Result<Recorded, StoreError> {
        within("record a rollout", async {
            let mut transaction = self.shared.writer.begin().await?;
            let connection = transaction.connection()?;
            let outcome = record(connection, id, expected_version, update, events, inputs).await;
            let recorded = transaction.end(outcome).await?;
            if let Recorded::Done(rollout) = &recorded {
                self.remember(Some(rollout));
            }
            Ok(recorded)
        })
        .await
    }

    /// Remembers outside of the store what was recorded last.
    fn remember(&self, last: Option<&StoredRollout>) {
        if let Some(guard) = &self.shared.guard {
            guard.recorded(last.map(|rollout| (rollout.id, rollout.version)));
        }
    }

    pub(in crate::store) async fn prune(
        &self,
        keep: &Retention,
        now: UnixMillis,
    ) -> Result<u64, StoreError> {
        let closed_until_ms = now.minus(keep.closed_for_ms.max(0)).get();
        let most_closed = i64::try_from(keep.most_closed).unwrap_or(i64::MAX);
        let mut removed = 0;
        for _ in 0..MOST_BATCHES {
            let batch = within("remove old rollouts", async {
                let mut transaction = self.shared.writer.begin().await?;
                let connection = transaction.connection()?;
                let outcome = prune_batch(connection, closed_until_ms, most_closed).await;
                transaction.end(outcome).await
            })
            .await?;
            removed += batch;
            if batch > 0 {
                // What was recorded last may be among them.
                self.remember(None);
            }
            if batch < PRUNED_AT_ONCE.unsigned_abs() {
                break;
            }
        }
        for _ in 0..MOST_BATCHES {
            let batch = within("remove old inputs", async {
                let mut transaction = self.shared.writer.begin().await?;
                let outcome = prune_inputs(transaction.connection()?, closed_until_ms).await;
                transaction.end(outcome).await
            })
            .await?;
            if batch == 0 {
                break;
            }
        }
        Ok(removed)
    }

    pub(in crate::store) async fn check(&self) -> Result<(), StoreError> {
        within("write a check", async {
            let mut transaction = self.shared.writer.begin().await?;
            let outcome = probe(transaction.connection()?).await;
            transaction.end(outcome).await
        })
        .await
    }
}

async fn start(connection: &mut SqliteConnection, new: NewRollout) -> Result<Started, Failure> {
    // Again, now that nobody else can write.
    if let Some(existing) = read::current(connection, &new.pipeline, &new.key).await? {
        return Ok(Started::Existing(existing));
    }
    let last_attempt: i64 = sqlx::query_scalar(statements::LAST_ATTEMPT)
        .bind(&new.pipeline)
        .bind(new.key.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let rollout = StoredRollout {
        id: new.id,
        pipeline: new.pipeline,
        key: new.key,
        attempt: last_attempt.saturating_add(1),
        state: RolloutState::Open,
        is_current: true,
        version: 1,
        created_ms: new.created_ms,
        updated_ms: new.created_ms,
        closed_ms: None,
        document: new.document,
    };
    let id = rollout.id.to_string();
    sqlx::query(statements::INSERT_ROLLOUT)
        .bind(&id)
        .bind(&rollout.pipeline)
        .bind(rollout.key.as_str())
        .bind(rollout.attempt)
        .bind(rollout.state.as_str())
        .bind(i64::from(rollout.is_current))
        .bind(rollout.version)
        .bind(1_i64)
        .bind(rollout.created_ms.get())
        .bind(rollout.updated_ms.get())
        .bind(rollout.closed_ms.map(UnixMillis::get))
        .bind(&rollout.document)
        .execute(&mut *connection)
        .await?;
    insert_event(connection, &id, 1, &new.first_event).await?;
    Ok(Started::Created(rollout))
}

async fn record(
    connection: &mut SqliteConnection,
    id: RolloutId,
    expected_version: i64,
    update: RolloutUpdate,
    events: Vec<NewEvent>,
    inputs: Option<Inputs>,
) -> Result<Recorded, Failure> {
    let id = id.to_string();
    let row = sqlx::query(statements::ROLLOUT)
        .bind(&id)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else {
        return Ok(Recorded::Unknown);
    };
    let RolloutRow {
        rollout: before,
        event_count,
    } = rows::rollout(&row)?;
    if before.version != expected_version {
        return Ok(Recorded::Conflict(before));
    }
    let mut sequence = event_count;
    for event in &events {
        sequence = sequence.saturating_add(1);
        insert_event(connection, &id, sequence, event).await?;
    }
    if let Some(inputs) = &inputs {
        sqlx::query(statements::INSERT_INPUTS)
            .bind(&id)
            .bind(&inputs.digest)
            .bind(&inputs.bytes)
            .execute(&mut *connection)
            .await?;
    }
    let after = StoredRollout {
        state: update.state,
        is_current: update.is_current,
        version: before.version.saturating_add(1),
        updated_ms: update.updated_ms,
        closed_ms: update.closed_ms,
        document: update.document,
        ..before
    };
    sqlx::query(statements::UPDATE_ROLLOUT)
        .bind(&id)
        .bind(expected_version)
        .bind(after.state.as_str())
        .bind(i64::from(after.is_current))
        .bind(after.version)
        .bind(sequence)
        .bind(after.updated_ms.get())
        .bind(after.closed_ms.map(UnixMillis::get))
        .bind(&after.document)
        .execute(&mut *connection)
        .await?;
    Ok(Recorded::Done(after))
}

async fn insert_event(
    connection: &mut SqliteConnection,
    id: &str,
    sequence: i64,
    event: &NewEvent,
) -> Result<(), Failure> {
    sqlx::query(statements::INSERT_EVENT)
        .bind(id)
        .bind(sequence)
        .bind(event.at_ms.get())
        .bind(&event.kind)
        .bind(&event.document)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes the rollouts that are over the longest and are too old or too many; returns how many.
async fn prune_batch(
    connection: &mut SqliteConnection,
    closed_until_ms: i64,
    most_closed: i64,
) -> Result<u64, Failure> {
    let first_too_many: Option<(i64, String)> = sqlx::query_as(statements::FIRST_TOO_MANY)
        .bind(most_closed)
        .fetch_optional(&mut *connection)
        .await?;
    // Both conditions take the longest closed first, so the one that reaches further holds both.
    let too_old = (closed_until_ms, statements::AFTER_ANY_ID.to_owned());
    let (closed_ms, id) = first_too_many.map_or(too_old.clone(), |place| place.max(too_old));
    let deleted = sqlx::query(statements::DELETE_OVER)
        .bind(closed_ms)
        .bind(id)
        .bind(PRUNED_AT_ONCE)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}

/// Removes the inputs of the longest rolled back; returns how many.
async fn prune_inputs(
    connection: &mut SqliteConnection,
    closed_until_ms: i64,
) -> Result<u64, Failure> {
    let deleted = sqlx::query(statements::DELETE_INPUTS_OF_ROLLED_BACK)
        .bind(closed_until_ms)
        .bind(PRUNED_AT_ONCE)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected())
}

async fn probe(connection: &mut SqliteConnection) -> Result<(), Failure> {
    sqlx::query(statements::IDENTITY)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query(statements::INSERT_PROBE)
        .bind(PROBE.as_slice())
        .execute(&mut *connection)
        .await?;
    sqlx::query(statements::DELETE_PROBES)
        .execute(connection)
        .await?;
    Ok(())
}
