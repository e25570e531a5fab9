//! What a key means.

use tokio::task::JoinSet;

use super::{PIPELINE, at, created, id, key_of, new_rollout, recorded, update};
use crate::store::{Filter, Page, RolloutState, Started, Store, StoreError};

pub(in crate::store) async fn a_start_creates_once(store: Store) {
    assert_eq!(store.current(PIPELINE, &key_of("web")).await, Ok(None));
    assert_eq!(store.rollout(id(1)).await, Ok(None));

    let first = created(&store, new_rollout(1, "web")).await;
    assert_eq!((first.id, first.attempt, first.version), (id(1), 1, 1));
    assert_eq!((first.state, first.is_current), (RolloutState::Open, true));
    assert_eq!((first.created_ms, first.updated_ms), (at(1), at(1)));
    assert_eq!(first.closed_ms, None);
    assert_eq!(first.document, "{\"number\":1}");

    let second = store.start(new_rollout(2, "web")).await.unwrap();
    assert_eq!(second, Started::Existing(first.clone()));
    assert_eq!(store.rollout(id(2)).await, Ok(None));
    assert_eq!(store.events(id(2), 0, 10).await, Ok(vec![]));
    assert_eq!(
        store.current(PIPELINE, &key_of("web")).await,
        Ok(Some(first))
    );
    assert_eq!(store.current("another", &key_of("web")).await, Ok(None));

    let events = store.events(id(1), 0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].sequence, events[0].at_ms), (1, at(1)));
    assert_eq!(events[0].kind, "started");
    assert_eq!(events[0].document, "{\"at\":1}");
}

pub(in crate::store) async fn a_start_of_a_taken_id_is_invalid_and_leaves_nothing(store: Store) {
    let first = created(&store, new_rollout(1, "web")).await;
    let error = store.start(new_rollout(1, "other")).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    assert_eq!(store.current(PIPELINE, &key_of("other")).await, Ok(None));
    assert_eq!(store.rollout(id(1)).await, Ok(Some(first)));
    created(&store, new_rollout(2, "other")).await;
}

pub(in crate::store) async fn fifty_starts_of_one_key_create_one_rollout(store: Store) {
    let mut starts = JoinSet::new();
    for number in 1..=50 {
        let store = store.clone();
        starts.spawn(async move { store.start(new_rollout(number, "web")).await.unwrap() });
    }
    let started = starts.join_all().await;
    let count = started
        .iter()
        .filter(|started| matches!(started, Started::Created(_)))
        .count();
    assert_eq!((started.len(), count), (50, 1));
    let current = store
        .current(PIPELINE, &key_of("web"))
        .await
        .unwrap()
        .unwrap();
    for one in started {
        assert_eq!(one.into_rollout(), current);
    }
    let page = Page {
        limit: 200,
        after: None,
    };
    let listed = store.list(&Filter::default(), page).await.unwrap();
    assert_eq!(listed.rollouts, vec![current]);
}

pub(in crate::store) async fn a_key_starts_again_after_it_is_given_up_and_counts_attempts(
    store: Store,
) {
    let states = [RolloutState::Cancelled, RolloutState::Closed];
    for (number, state) in (1..=4).zip(states.into_iter().cycle()) {
        let rollout = created(&store, new_rollout(number, "web")).await;
        assert_eq!(rollout.attempt, i64::try_from(number).unwrap());
        let given_up = recorded(&store, &rollout, update(state, false, 100)).await;
        assert_eq!(store.current(PIPELINE, &key_of("web")).await, Ok(None));
        assert_eq!(store.rollout(rollout.id).await, Ok(Some(given_up)));
    }
    assert_eq!(created(&store, new_rollout(5, "other")).await.attempt, 1);
}

pub(in crate::store) async fn a_rolled_back_rollout_stays_current(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    let back = recorded(&store, &rollout, update(RolloutState::RolledBack, true, 5)).await;
    let again = store.start(new_rollout(2, "web")).await.unwrap();
    assert_eq!(again, Started::Existing(back.clone()));

    recorded(&store, &back, update(RolloutState::RolledBack, false, 6)).await;
    assert_eq!(created(&store, new_rollout(3, "web")).await.attempt, 2);
}

pub(in crate::store) async fn a_second_current_rollout_of_a_key_is_refused(store: Store) {
    let first = created(&store, new_rollout(1, "web")).await;
    let first = recorded(&store, &first, update(RolloutState::Promoted, false, 5)).await;
    let second = created(&store, new_rollout(2, "web")).await;
    let error = store
        .record(
            first.id,
            first.version,
            update(RolloutState::Promoted, true, 6),
            vec![],
            None,
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    assert_eq!(store.rollout(first.id).await, Ok(Some(first)));
    assert_eq!(
        store.current(PIPELINE, &key_of("web")).await,
        Ok(Some(second))
    );
}

pub(in crate::store) async fn a_cancelled_or_closed_rollout_cannot_be_current(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    for state in [RolloutState::Cancelled, RolloutState::Closed] {
        let error = store
            .record(rollout.id, 1, update(state, true, 6), vec![], None)
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    }
    assert_eq!(store.rollout(rollout.id).await, Ok(Some(rollout)));
}
