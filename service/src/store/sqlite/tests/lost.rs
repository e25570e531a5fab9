//! Files that are taken away or overwritten while they are in use.

use super::*;

fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::Lost { .. })
}

#[tokio::test]
async fn a_file_that_is_moved_away_takes_nothing_until_it_is_back() {
    let (store, folder) = in_a_file().await;
    let (path, aside) = (
        folder.path().join("serinus.db"),
        folder.path().join("aside"),
    );
    store.start(new_rollout(1)).await.unwrap();
    assert_eq!((store.look(), store.loss()), (Ok(()), None));

    std::fs::rename(&path, &aside).unwrap();
    assert!(store.look().is_err());
    assert!(
        store
            .start(new_rollout(2))
            .await
            .is_err_and(|error| is_lost(&error))
    );
    assert!(store.check().await.is_err_and(|error| is_lost(&error)));
    assert!(!path.exists(), "another store was made in its place");
    // What was recorded can be read.
    assert!(store.rollout(id(1)).await.unwrap().is_some());
    assert_eq!(store.rollout(id(2)).await, Ok(None));

    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(store.look(), Ok(()));
    assert_eq!(store.check().await, Ok(()));
    assert!(store.start(new_rollout(2)).await.is_ok());
}

#[tokio::test]
async fn what_was_committed_as_the_file_went_away_was_not_recorded() {
    let (store, folder) = in_a_file().await;
    let Store::Sqlite(SqliteStore { shared }) = &store;
    let mut transaction = shared.writer.begin().await.unwrap();
    sqlx::query("DELETE FROM probes")
        .execute(transaction.connection().unwrap())
        .await
        .unwrap();
    std::fs::remove_file(folder.path().join("serinus.db")).unwrap();
    assert!(transaction.end(Ok(())).await.is_err());
}

#[tokio::test]
async fn a_change_by_another_program_is_looked_through_before_the_next_write() {
    let (store, folder) = in_a_file().await;
    store.start(new_rollout(1)).await.unwrap();
    assert!(!store.was_changed());
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(folder.path().join("serinus.db"))
        .unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(store.was_changed());
    assert_eq!(store.check().await, Ok(()), "it is sound");
    assert!(!store.was_changed());

    file.set_len(0).unwrap();
    assert!(store.was_changed());
    assert!(
        store
            .start(new_rollout(2))
            .await
            .is_err_and(|error| is_lost(&error))
    );
    assert!(store.loss().is_some(), "and it stays lost");
}
