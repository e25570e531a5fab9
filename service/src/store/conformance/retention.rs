//! What is removed, and what never.

use super::{PIPELINE, at, closed, created, event, id, key_of, new_rollout, recorded, update};
use crate::store::{Filter, Inputs, Page, Retention, RolloutState, Store};

const EVERYTHING: Retention = Retention {
    closed_for_ms: i64::MAX,
    most_closed: u64::MAX,
};

async fn kept(store: &Store) -> Vec<u128> {
    let page = Page {
        limit: 200,
        after: None,
    };
    let read = store.list(&Filter::default(), page).await.unwrap();
    read.rollouts
        .iter()
        .map(|rollout| rollout.id.uuid().as_u128())
        .collect()
}

pub(in crate::store) async fn the_old_go_with_all_they_had(store: Store) {
    for number in [1, 2] {
        let rollout = created(&store, new_rollout(number, &format!("key-{number}"))).await;
        for (version, digest) in [(1, "both"), (2, ["first", "second"][number as usize - 1])] {
            let inputs = Inputs {
                digest: digest.to_owned(),
                bytes: b"bytes".to_vec(),
            };
            let becomes = update(RolloutState::Open, true, 5);
            store
                .record(
                    rollout.id,
                    version,
                    becomes,
                    vec![event(5, "judged")],
                    Some(inputs),
                )
                .await
                .unwrap();
        }
        let open = store.rollout(id(number)).await.unwrap().unwrap();
        let closed_ms = if number == 1 { 100 } else { 101 };
        recorded(
            &store,
            &open,
            update(RolloutState::Closed, false, closed_ms),
        )
        .await;
    }
    let keep = Retention {
        closed_for_ms: 900,
        ..EVERYTHING
    };
    assert_eq!(store.prune(&keep, at(999)).await, Ok(0));
    assert_eq!(store.prune(&keep, at(1_000)).await, Ok(1));
    assert_eq!(kept(&store).await, [2]);
    assert_eq!(store.rollout(id(1)).await, Ok(None));
    assert_eq!(store.events(id(1), 0, 10).await, Ok(vec![]));
    assert_eq!(store.inputs("first").await, Ok(None));
    assert_eq!(store.inputs("both").await, Ok(Some(b"bytes".to_vec())));
    assert_eq!(store.inputs("second").await, Ok(Some(b"bytes".to_vec())));
    assert_eq!(store.events(id(2), 0, 10).await.unwrap().len(), 4);

    assert_eq!(store.prune(&EVERYTHING, at(i64::MIN)).await, Ok(0));
    assert_eq!(store.prune(&EVERYTHING, at(i64::MAX - 1)).await, Ok(0));
}

pub(in crate::store) async fn the_many_go_the_longest_closed_first(store: Store) {
    // The first started is the last closed.
    for number in 1..=9 {
        closed(&store, number, 100 - i64::try_from(number).unwrap()).await;
    }
    let most = |most_closed| Retention {
        most_closed,
        ..EVERYTHING
    };
    assert_eq!(store.prune(&most(9), at(1_000)).await, Ok(0));
    assert_eq!(store.prune(&most(6), at(1_000)).await, Ok(3));
    assert_eq!(kept(&store).await, [6, 5, 4, 3, 2, 1]);

    // Both limits at once: the one that reaches further holds.
    let keep = Retention {
        closed_for_ms: 4,
        most_closed: 5,
    };
    assert_eq!(store.prune(&keep, at(100)).await, Ok(3));
    assert_eq!(kept(&store).await, [3, 2, 1]);
    assert_eq!(store.prune(&most(0), at(1_000)).await, Ok(3));
    assert!(kept(&store).await.is_empty());
}

pub(in crate::store) async fn what_goes_on_or_was_rolled_back_stays(store: Store) {
    created(&store, new_rollout(1, "open")).await;
    for (number, state) in [(2, RolloutState::Promoted), (3, RolloutState::RolledBack)] {
        let rollout = created(&store, new_rollout(number, &format!("key-{number}"))).await;
        recorded(&store, &rollout, update(state, true, 5)).await;
    }
    closed(&store, 4, 6).await;
    let keep = Retention {
        closed_for_ms: 10,
        ..EVERYTHING
    };
    assert_eq!(store.prune(&keep, at(14)).await, Ok(0));
    assert_eq!(store.prune(&keep, at(15)).await, Ok(1));
    assert_eq!(kept(&store).await, [4, 3, 1]);
    assert_eq!(store.current(PIPELINE, &key_of("key-2")).await, Ok(None));
    let nothing = Retention {
        closed_for_ms: 0,
        most_closed: 0,
    };
    assert_eq!(store.prune(&nothing, at(i64::MAX)).await, Ok(1));
    assert_eq!(kept(&store).await, [3, 1]);
    let back = store
        .current(PIPELINE, &key_of("key-3"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(back.state, RolloutState::RolledBack);
}

pub(in crate::store) async fn an_old_rollback_stays_without_its_inputs(store: Store) {
    for (number, at_ms) in [(1, 5), (2, 6)] {
        let rollout = created(&store, new_rollout(number, &format!("key-{number}"))).await;
        let inputs = Inputs {
            digest: format!("of-{number}"),
            bytes: b"bytes".to_vec(),
        };
        let becomes = update(RolloutState::RolledBack, true, at_ms);
        store
            .record(
                rollout.id,
                1,
                becomes,
                vec![event(at_ms, "decided")],
                Some(inputs),
            )
            .await
            .unwrap();
    }
    let keep = Retention {
        closed_for_ms: 10,
        ..EVERYTHING
    };
    assert_eq!(store.prune(&keep, at(15)).await, Ok(0));
    assert_eq!(store.inputs("of-1").await, Ok(None));
    assert_eq!(store.inputs("of-2").await, Ok(Some(b"bytes".to_vec())));
    assert_eq!(kept(&store).await, [2, 1]);
    assert_eq!(store.events(id(1), 0, 10).await.unwrap().len(), 2);
}

pub(in crate::store) async fn a_long_prune_is_told_by_its_number(store: Store) {
    for number in 1..=1_100 {
        closed(&store, number, 5).await;
    }
    let nothing = Retention {
        closed_for_ms: 0,
        most_closed: 0,
    };
    let mut removed = 0;
    loop {
        let more = store.prune(&nothing, at(10)).await.unwrap();
        removed += more;
        if more == 0 {
            break;
        }
    }
    assert_eq!(removed, 1_100);
    assert!(kept(&store).await.is_empty());
}
