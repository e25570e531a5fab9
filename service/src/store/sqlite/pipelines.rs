//! The pipelines that were put over HTTP.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::failure::Failure;
use super::rows::moment;
use super::{SqliteStore, within};
use crate::store::error::StoreError;
use crate::store::model::StoredPipeline;
use crate::store::statements;

impl SqliteStore {
    pub(in crate::store) async fn put_pipeline(
        &self,
        pipeline: &StoredPipeline,
    ) -> Result<bool, StoreError> {
        within("put a pipeline", async {
            let mut transaction = self.shared.writer.begin().await?;
            let outcome = put(transaction.connection()?, pipeline).await;
            transaction.end(outcome).await
        })
        .await
    }

    pub(in crate::store) async fn delete_pipeline(&self, name: &str) -> Result<bool, StoreError> {
        within("delete a pipeline", async {
            let mut transaction = self.shared.writer.begin().await?;
            let outcome = delete(transaction.connection()?, name).await;
            transaction.end(outcome).await
        })
        .await
    }

    pub(in crate::store) async fn pipeline(
        &self,
        name: &str,
    ) -> Result<Option<StoredPipeline>, StoreError> {
        within("read a pipeline", async {
            let mut reader = self.reader().await?;
            let row = sqlx::query(statements::PIPELINE)
                .bind(name)
                .fetch_optional(reader.connection()?)
                .await?;
            row.as_ref().map(pipeline).transpose()
        })
        .await
    }

    pub(in crate::store) async fn pipelines(&self) -> Result<Vec<StoredPipeline>, StoreError> {
        within("read the pipelines", async {
            let mut reader = self.reader().await?;
            let rows = sqlx::query(statements::PIPELINES)
                .fetch_all(reader.connection()?)
                .await?;
            rows.iter().map(pipeline).collect()
        })
        .await
    }
}

/// Whether it is new.
async fn put(
    connection: &mut SqliteConnection,
    pipeline: &StoredPipeline,
) -> Result<bool, Failure> {
    let before = sqlx::query(statements::PIPELINE)
        .bind(&pipeline.name)
        .fetch_optional(&mut *connection)
        .await?;
    sqlx::query(statements::PUT_PIPELINE)
        .bind(&pipeline.name)
        .bind(pipeline.updated_ms.get())
        .bind(&pipeline.text)
        .execute(connection)
        .await?;
    Ok(before.is_none())
}

/// Whether it was there.
async fn delete(connection: &mut SqliteConnection, name: &str) -> Result<bool, Failure> {
    let deleted = sqlx::query(statements::DELETE_PIPELINE)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

fn pipeline(row: &SqliteRow) -> Result<StoredPipeline, Failure> {
    Ok(StoredPipeline {
        name: row.try_get("name")?,
        updated_ms: moment(row, "updated_ms")?,
        text: row.try_get("document")?,
    })
}
