//! Pipelines that were put over HTTP.

use tokio::task::JoinSet;

use super::{at, closed};
use crate::store::{Retention, Store, StoreError, StoredPipeline};

fn pipeline(name: &str, updated_ms: i64, text: &str) -> StoredPipeline {
    StoredPipeline {
        name: name.to_owned(),
        updated_ms: at(updated_ms),
        text: text.to_owned(),
    }
}

pub(in crate::store) async fn a_pipeline_is_put_replaced_and_deleted(store: Store) {
    assert_eq!(store.pipeline("checkout").await, Ok(None));
    assert_eq!(store.delete_pipeline("checkout").await, Ok(false));

    let first = pipeline("checkout", 5, "first: 1\n");
    assert_eq!(store.put_pipeline(&first).await, Ok(true));
    assert_eq!(store.pipeline("checkout").await, Ok(Some(first)));

    // A clock that went back makes no difference: the last text counts.
    let second = pipeline("checkout", 4, "second: \"\u{1f424}\"\n");
    assert_eq!(store.put_pipeline(&second).await, Ok(false));
    assert_eq!(store.pipeline("checkout").await, Ok(Some(second)));
    assert_eq!(store.pipeline("check").await, Ok(None));

    assert_eq!(store.delete_pipeline("checkout").await, Ok(true));
    assert_eq!(store.delete_pipeline("checkout").await, Ok(false));
    assert_eq!(store.pipelines().await, Ok(vec![]));
}

pub(in crate::store) async fn all_pipelines_are_read_by_name(store: Store) {
    let long = "x".repeat(1_000_000);
    for name in ["b", "a.2", "a-1", "a_3"] {
        let put = store.put_pipeline(&pipeline(name, 1, &long)).await;
        assert_eq!(put, Ok(true));
    }
    let read = store.pipelines().await.unwrap();
    // By the bytes of the name, whatever the engine's language is.
    let names: Vec<&str> = read.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a-1", "a.2", "a_3", "b"]);
    assert!(read.iter().all(|one| one.text == long));
}

pub(in crate::store) async fn fifty_puts_of_one_name_leave_one_of_them(store: Store) {
    let mut puts = JoinSet::new();
    for number in 1..=50 {
        let store = store.clone();
        let put = pipeline("checkout", number, &format!("text {number}"));
        puts.spawn(async move { store.put_pipeline(&put).await.unwrap() });
    }
    let new = puts.join_all().await.into_iter().filter(|is_new| *is_new);
    assert_eq!(new.count(), 1);
    let read = store.pipelines().await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].text, format!("text {}", read[0].updated_ms));
}

pub(in crate::store) async fn rollouts_that_are_forgotten_take_no_pipeline_with_them(store: Store) {
    let put = pipeline("checkout", 1, "text");
    store.put_pipeline(&put).await.unwrap();
    closed(&store, 1, 5).await;
    let nothing = Retention {
        closed_for_ms: 0,
        most_closed: 0,
    };
    assert_eq!(store.prune(&nothing, at(i64::MAX)).await, Ok(1));
    assert_eq!(store.pipelines().await, Ok(vec![put]));
}

pub(in crate::store) async fn a_closed_store_has_no_pipelines_to_tell(store: Store) {
    let put = pipeline("checkout", 1, "text");
    store.put_pipeline(&put).await.unwrap();
    store.clone().close().await;
    let is_unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable { .. });
    let errors = [
        store.put_pipeline(&put).await.unwrap_err(),
        store.delete_pipeline("checkout").await.unwrap_err(),
        store.pipeline("checkout").await.unwrap_err(),
        store.pipelines().await.unwrap_err(),
    ];
    assert!(errors.iter().all(is_unavailable), "{errors:?}");
}
