//! What is SQLite's own: files, locks, a disk that is full.

mod lost;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;
use uuid::Uuid;

use super::SqliteStore;
use crate::store::{
    Inputs, NewEvent, NewRollout, Recorded, RolloutId, RolloutKey, RolloutState, RolloutUpdate,
    Started, Store, StoreError, StoreUrl, Use, conformance, statements,
};
use crate::time::UnixMillis;

async fn in_a_file() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url_in(&folder), Use::Alone).await.unwrap();
    (store, folder)
}

async fn in_memory() -> (Store, ()) {
    (
        Store::open(&StoreUrl::memory(), Use::Alone).await.unwrap(),
        (),
    )
}

conformance::on!(file, in_a_file);
conformance::on!(memory, in_memory);

fn url_in(folder: &TempDir) -> StoreUrl {
    let path = folder.path().join("serinus.db");
    path.to_str().unwrap().parse().unwrap()
}

fn id(number: u128) -> RolloutId {
    RolloutId::new(Uuid::from_u128(number))
}

fn new_rollout(number: u128) -> NewRollout {
    NewRollout {
        id: id(number),
        pipeline: "checkout".to_owned(),
        key: RolloutKey::new(format!("key-{number}")).unwrap(),
        created_ms: UnixMillis::new(1),
        document: "{}".to_owned(),
        first_event: event(),
    }
}

fn event() -> NewEvent {
    NewEvent {
        at_ms: UnixMillis::new(1),
        kind: "judged".to_owned(),
        document: "{}".to_owned(),
    }
}

fn open_update(document: String) -> RolloutUpdate {
    RolloutUpdate {
        state: RolloutState::Open,
        is_current: true,
        updated_ms: UnixMillis::new(2),
        closed_ms: None,
        document,
    }
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. })
}

async fn run_as_writer(store: &Store, sql: String) -> i64 {
    let Store::Sqlite(SqliteStore { shared }) = store;
    let mut slot = shared.writer.lock().await.unwrap();
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(slot.connection().unwrap())
        .await
        .unwrap();
    row.get(0)
}

/// Lets the database grow to no more than it is now and a few pages; 0 for no limit.
async fn limit_pages(store: &Store, spare: i64) {
    let now = run_as_writer(store, "PRAGMA page_count".to_owned()).await;
    let most = if spare == 0 {
        1_000_000_000
    } else {
        now + spare
    };
    run_as_writer(store, format!("PRAGMA max_page_count = {most}")).await;
}

async fn a_full_disk_fails_cleanly_and_recovers(store: Store) {
    store.start(new_rollout(1)).await.unwrap();
    limit_pages(&store, 20).await;

    // Until it is full, by starts and records of every size.
    let mut version = 1;
    let mut refused = 0;
    for number in 2..=400 {
        let before = store.rollout(id(1)).await.unwrap();
        let size = if number % 2 == 0 { 100 } else { 20_000 };
        let outcome = store
            .record(
                id(1),
                version,
                open_update("x".repeat(size)),
                vec![event(); 3],
                Some(Inputs {
                    digest: number.to_string(),
                    bytes: vec![7; size],
                }),
            )
            .await;
        match outcome {
            Ok(Recorded::Done(rollout)) => version = rollout.version,
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert!(is_unavailable(&error), "{error:?}");
                assert!(error.to_string().contains("full"), "{error}");
                let after = store.rollout(id(1)).await.unwrap();
                assert_eq!(before, after, "what was refused left something");
                refused += 1;
            }
        }
        let _ = store.start(new_rollout(number)).await;
    }
    assert!(refused > 100, "{refused} records met a full disk");
    let error = store.check().await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    // What is known can still be read, and asked for again.
    let again = store.start(new_rollout(1)).await.unwrap();
    assert!(matches!(again, Started::Existing(_)));

    limit_pages(&store, 0).await;
    assert_eq!(store.check().await, Ok(()));
    let outcome = store
        .record(
            id(1),
            version,
            open_update("{}".to_owned()),
            vec![event()],
            None,
        )
        .await;
    assert!(matches!(outcome, Ok(Recorded::Done(_))), "{outcome:?}");
    let started = store.start(new_rollout(1_000)).await;
    assert!(matches!(started, Ok(Started::Created(_))), "{started:?}");

    let mut sequence = 0;
    loop {
        let events = store.events(id(1), sequence, 100).await;
        let events = events.unwrap();
        if events.is_empty() {
            break;
        }
        for event in events {
            sequence += 1;
            assert_eq!(event.sequence, sequence);
        }
    }
    assert_eq!(sequence, 1 + (version - 1) * 3 + 1);
}

#[tokio::test]
async fn a_full_disk_fails_cleanly_and_recovers_in_a_file() {
    let (store, folder) = in_a_file().await;
    a_full_disk_fails_cleanly_and_recovers(store.clone()).await;
    store.close().await;
    let mut connection = other_process(&folder).await;
    let health: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(health, "ok");
}

#[tokio::test]
async fn a_full_disk_fails_cleanly_and_recovers_in_memory() {
    a_full_disk_fails_cleanly_and_recovers(in_memory().await.0).await;
}

#[tokio::test]
async fn the_wal_stays_small_however_much_is_recorded() {
    const MOST_WAL_BYTES: u64 = 2 * 1024 * 1024;
    let (store, folder) = in_a_file().await;
    let rollout = store.start(new_rollout(1)).await.unwrap().into_rollout();
    for version in 1..=1_000 {
        let update = open_update("x".repeat(8_000));
        let recorded = store
            .record(rollout.id, version, update, vec![event()], None)
            .await;
        assert!(matches!(recorded, Ok(Recorded::Done(_))), "{recorded:?}");
    }
    let wal = folder.path().join("serinus.db-wal").metadata().unwrap();
    assert!(wal.len() < MOST_WAL_BYTES, "{} bytes", wal.len());
}

async fn other_process(folder: &TempDir) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new()
        .filename(folder.path().join("serinus.db"))
        .connect()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_file_is_read_again_after_it_was_closed_or_dropped() {
    let (store, folder) = in_a_file().await;
    let first = store.start(new_rollout(1)).await.unwrap().into_rollout();
    store.close().await;
    // Closed well, everything is in the one file.
    assert!(!folder.path().join("serinus.db-wal").exists());

    let store = Store::open(&url_in(&folder), Use::Alone).await.unwrap();
    let second = store.start(new_rollout(2)).await.unwrap().into_rollout();
    drop(store);

    let store = Store::open(&url_in(&folder), Use::Alone).await.unwrap();
    assert_eq!(store.open_rollouts().await, Ok(vec![first, second]));
}

#[tokio::test]
async fn the_file_has_the_settings_that_the_promises_rest_on() {
    let (store, _folder) = in_a_file().await;
    assert_eq!(
        run_as_writer(&store, "PRAGMA synchronous".to_owned()).await,
        1
    );
    assert_eq!(
        run_as_writer(&store, "PRAGMA foreign_keys".to_owned()).await,
        1
    );
    assert_eq!(
        run_as_writer(&store, "PRAGMA busy_timeout".to_owned()).await,
        2_000
    );
    let Store::Sqlite(SqliteStore { shared }) = &store;
    let mut reader = shared.readers.as_ref().unwrap().acquire().await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    let write = sqlx::query("DELETE FROM rollouts")
        .execute(&mut *reader)
        .await;
    assert!(write.is_err(), "a reader wrote");
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_then_told_and_reads_go_on() {
    let (store, folder) = in_a_file().await;
    let known = store.start(new_rollout(1)).await.unwrap().into_rollout();
    let mut other = other_process(&folder).await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();

    let error = store.start(new_rollout(2)).await.unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(store.rollout(known.id).await, Ok(Some(known.clone())));
    let again = store.start(new_rollout(1)).await;
    assert_eq!(again, Ok(Started::Existing(known)));

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let started = store.start(new_rollout(2)).await;
    assert!(matches!(started, Ok(Started::Created(_))), "{started:?}");
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_place_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/serinus.db");
    let error = Store::open(&missing.to_str().unwrap().parse().unwrap(), Use::Alone)
        .await
        .unwrap_err();
    assert!(is_unavailable(&error), "{error:?}");
    assert!(error.to_string().contains("none/serinus.db"), "{error}");
    assert!(error.to_string().contains("folder must exist"), "{error}");

    let text = folder.path().join("text.db");
    std::fs::write(&text, "no database, ".repeat(1_000)).unwrap();
    let error = Store::open(&text.to_str().unwrap().parse().unwrap(), Use::Alone)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("text.db"), "{error}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let (store, folder) = in_a_file().await;
    store.close().await;
    let mut other = other_process(&folder).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut other)
    .await
    .unwrap();
    other.close().await.unwrap();
    let error = Store::open(&url_in(&folder), Use::Alone).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn what_no_serinus_writes_is_corrupt_and_no_panic() {
    let (store, folder) = in_a_file().await;
    let known = store.start(new_rollout(1)).await.unwrap().into_rollout();
    let mut other = other_process(&folder).await;
    sqlx::query("PRAGMA ignore_check_constraints = ON")
        .execute(&mut other)
        .await
        .unwrap();
    for change in [
        "UPDATE rollouts SET state = 'paused'",
        "UPDATE rollouts SET id = 'no id', state = 'open'",
        "DROP TABLE rollouts",
    ] {
        sqlx::query("PRAGMA foreign_keys = OFF")
            .execute(&mut other)
            .await
            .unwrap();
        sqlx::query(change).execute(&mut other).await.unwrap();
        let error = store.current("checkout", &known.key).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn every_read_finds_its_way_by_an_index_and_sorts_nothing() {
    let (store, folder) = in_a_file().await;
    let mut other = other_process(&folder).await;
    for (statement, index) in [
        (statements::CURRENT, "rollouts_current"),
        (statements::OPEN_AFTER, "rollouts_newest_of_state"),
        (statements::PAGE, "rollouts_newest"),
        (statements::PAGE_OF_STATE, "rollouts_newest_of_state"),
        (statements::PAGE_OF_PIPELINE, "rollouts_newest_of_pipeline"),
        (statements::FIRST_TOO_MANY, "rollouts_removable"),
        (statements::DELETE_OVER, "rollouts_removable"),
        (
            statements::DELETE_INPUTS_OF_ROLLED_BACK,
            "rollouts_over_of_state",
        ),
        (statements::INPUTS, "inputs_by_digest"),
        (
            statements::LAST_ATTEMPT,
            "sqlite_autoindex_rollouts_2 (pipeline=? AND rollout_key=?)",
        ),
        (
            statements::EVENTS_AFTER,
            "sqlite_autoindex_events_1 (rollout_id=? AND sequence>?)",
        ),
    ] {
        let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
            .fetch_all(&mut other)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let plan = plan.join("; ");
        assert!(plan.contains(index), "{statement}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{statement}: {plan}");
    }
    drop(store);
}
