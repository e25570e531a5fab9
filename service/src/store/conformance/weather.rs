//! Calls that are given up, checks, and the end.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PIPELINE, at, created, event, id, key_of, new_rollout, update};
use crate::store::{
    Filter, Page, Recorded, Retention, RolloutState, Started, Store, StoreError, StoredRollout,
};

pub(in crate::store) async fn a_check_leaves_no_trace(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    for _ in 0..10 {
        assert_eq!(store.check().await, Ok(()));
    }
    assert_eq!(store.open_rollouts().await, Ok(vec![rollout]));
}

pub(in crate::store) async fn a_closed_store_is_unavailable_to_all_its_clones(store: Store) {
    created(&store, new_rollout(1, "web")).await;
    store.clone().close().await;

    let is_unavailable = |error: StoreError| matches!(error, StoreError::Unavailable { .. });
    let page = Page {
        limit: 10,
        after: None,
    };
    let keep = Retention {
        closed_for_ms: 0,
        most_closed: 0,
    };
    let becomes = update(RolloutState::Open, true, 5);
    assert!(
        store
            .start(new_rollout(2, "b"))
            .await
            .is_err_and(is_unavailable)
    );
    assert!(store.rollout(id(1)).await.is_err_and(is_unavailable));
    assert!(
        store
            .current(PIPELINE, &key_of("web"))
            .await
            .is_err_and(is_unavailable)
    );
    assert!(store.open_rollouts().await.is_err_and(is_unavailable));
    assert!(
        store
            .record(id(1), 1, becomes, vec![], None)
            .await
            .is_err_and(is_unavailable)
    );
    assert!(
        store
            .list(&Filter::default(), page)
            .await
            .is_err_and(is_unavailable)
    );
    assert!(store.events(id(1), 0, 1).await.is_err_and(is_unavailable));
    assert!(store.inputs("d").await.is_err_and(is_unavailable));
    assert!(store.prune(&keep, at(0)).await.is_err_and(is_unavailable));
    assert!(store.check().await.is_err_and(is_unavailable));
    store.close().await;
}

/// Callers hang up at every moment; what is kept is whole all the same, and the next call works.
pub(in crate::store) async fn calls_that_are_given_up_do_no_harm(store: Store) {
    for round in 1..=100_u32 {
        let key = format!("key-{round}");
        let patience = Duration::from_micros(u64::from(round) * 10);
        let mut calls = JoinSet::new();
        for number in 0..2 {
            let store = store.clone();
            let new = new_rollout(u128::from(round) * 10 + number, &key);
            calls.spawn(async move {
                let _ = timeout(patience, store.start(new)).await;
            });
        }
        calls.join_all().await;
        let rollout = match store
            .start(new_rollout(u128::from(round) * 10 + 5, &key))
            .await
        {
            Ok(Started::Created(rollout) | Started::Existing(rollout)) => rollout,
            Err(error) => panic!("round {round}: {error}"),
        };
        assert_eq!(rollout.attempt, 1);

        let becomes = update(RolloutState::Open, true, 5);
        let events = vec![event(5, "judged"), event(6, "judged")];
        let _ = timeout(
            patience,
            store.record(rollout.id, 1, becomes.clone(), events.clone(), None),
        )
        .await;
        let again = store.record(rollout.id, 1, becomes, events, None).await;
        let version = match again {
            Ok(
                Recorded::Done(StoredRollout { version, .. })
                | Recorded::Conflict(StoredRollout { version, .. }),
            ) => version,
            other => panic!("round {round}: {other:?}"),
        };
        assert_eq!(version, 2);
        assert_eq!(store.events(rollout.id, 0, 10).await.unwrap().len(), 3);
    }
}
