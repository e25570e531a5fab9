//! What asks the store without changing it: one statement each, so each sees one moment.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tokio::sync::MutexGuard;

use super::failure::Failure;
use super::writer::Slot;
use super::{SqliteStore, rows, within};
use crate::store::MOST_EVENTS;
use crate::store::error::StoreError;
use crate::store::model::{RolloutState, StoredEvent, StoredRollout};
use crate::store::names::{RolloutId, RolloutKey};
use crate::store::page::{Filter, MOST_ON_A_PAGE, Page, RolloutPage};
use crate::store::statements;
use crate::time::UnixMillis;

/// A connection to read with: one of the readers, or the only one there is.
pub(super) enum Reader<'a> {
    Own(PoolConnection<Sqlite>),
    Shared(MutexGuard<'a, Slot>),
}

impl Reader<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        match self {
            Self::Own(connection) => Ok(connection),
            Self::Shared(slot) => slot.connection(),
        }
    }
}

impl SqliteStore {
    pub(super) async fn reader(&self) -> Result<Reader<'_>, Failure> {
        if let Some(guard) = &self.shared.guard {
            guard.holds_what_was_recorded()?;
        }
        match &self.shared.readers {
            Some(pool) => Ok(Reader::Own(pool.acquire().await?)),
            None => Ok(Reader::Shared(self.shared.writer.lock().await?)),
        }
    }

    pub(in crate::store) async fn rollout(
        &self,
        id: RolloutId,
    ) -> Result<Option<StoredRollout>, StoreError> {
        within("read a rollout", async {
            let mut reader = self.reader().await?;
            let row = sqlx::query(statements::ROLLOUT)
                .bind(id.to_string())
                .fetch_optional(reader.connection()?)
                .await?;
            rows::at_most_one(row.as_ref())
        })
        .await
    }

    pub(in crate::store) async fn current(
        &self,
        pipeline: &str,
        key: &RolloutKey,
    ) -> Result<Option<StoredRollout>, StoreError> {
        within("read a rollout", async {
            let mut reader = self.reader().await?;
            current(reader.connection()?, pipeline, key).await
        })
        .await
    }

    pub(in crate::store) async fn open_rollouts(&self) -> Result<Vec<StoredRollout>, StoreError> {
        let mut all = Vec::new();
        // The empty text is before any id.
        let mut after = (UnixMillis::EARLIEST, String::new());
        loop {
            let page = within("read the open rollouts", async {
                let mut reader = self.reader().await?;
                let rows = sqlx::query(statements::OPEN_AFTER)
                    .bind(after.0.get())
                    .bind(&after.1)
                    .bind(limit(MOST_ON_A_PAGE))
                    .fetch_all(reader.connection()?)
                    .await?;
                rows::rollouts(&rows)
            })
            .await?;
            let is_last = page.len() < MOST_ON_A_PAGE;
            if let Some(last) = page.last() {
                after = (last.created_ms, last.id.to_string());
            }
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    pub(in crate::store) async fn list(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<RolloutPage, StoreError> {
        let statement = match (&filter.pipeline, &filter.key, filter.state) {
            (Some(_), Some(_), _) => statements::PAGE_OF_KEY,
            (Some(_), None, _) => statements::PAGE_OF_PIPELINE,
            (None, _, Some(_)) => statements::PAGE_OF_STATE,
            (None, _, None) => statements::PAGE,
        };
        let most = page.limit.clamp(1, MOST_ON_A_PAGE);
        let (created_ms, id) = page.after.map_or_else(
            || (UnixMillis::LATEST, statements::AFTER_ANY_ID.to_owned()),
            |cursor| (cursor.created_ms, cursor.id.to_string()),
        );
        within("list rollouts", async {
            let mut reader = self.reader().await?;
            let rows = sqlx::query(statement)
                .bind(&filter.pipeline)
                .bind(&filter.key)
                .bind(filter.state.map(RolloutState::as_str))
                .bind(filter.since_ms.unwrap_or(UnixMillis::EARLIEST).get())
                .bind(created_ms.get())
                .bind(id)
                .bind(limit(most.saturating_add(1)))
                .fetch_all(reader.connection()?)
                .await?;
            Ok(RolloutPage::new(rows::rollouts(&rows)?, most))
        })
        .await
    }

    pub(in crate::store) async fn events(
        &self,
        id: RolloutId,
        after_sequence: i64,
        most: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        within("read events", async {
            let mut reader = self.reader().await?;
            let rows = sqlx::query(statements::EVENTS_AFTER)
                .bind(id.to_string())
                .bind(after_sequence)
                .bind(limit(most.min(MOST_EVENTS)))
                .fetch_all(reader.connection()?)
                .await?;
            rows.iter().map(rows::event).collect()
        })
        .await
    }

    pub(in crate::store) async fn inputs(
        &self,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        within("read inputs", async {
            let mut reader = self.reader().await?;
            let bytes = sqlx::query_scalar(statements::INPUTS)
                .bind(digest)
                .fetch_optional(reader.connection()?)
                .await?;
            Ok(bytes)
        })
        .await
    }
}

pub(super) async fn current(
    connection: &mut SqliteConnection,
    pipeline: &str,
    key: &RolloutKey,
) -> Result<Option<StoredRollout>, Failure> {
    let row = sqlx::query(statements::CURRENT)
        .bind(pipeline)
        .bind(key.as_str())
        .fetch_optional(connection)
        .await?;
    rows::at_most_one(row.as_ref())
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
