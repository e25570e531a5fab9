//! What a record keeps.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::{at, created, event, id, key_of, new_rollout, recorded, update};
use crate::store::{
    Inputs, MOST_EVENTS, NewRollout, Recorded, RolloutState, Store, StoreError, StoredRollout,
};
use crate::time::UnixMillis;

fn inputs(digest: &str, bytes: &[u8]) -> Inputs {
    Inputs {
        digest: digest.to_owned(),
        bytes: bytes.to_vec(),
    }
}

pub(in crate::store) async fn a_record_keeps_all_of_it(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    let becomes = update(RolloutState::Promoted, true, 9);
    let events = vec![event(7, "judged"), event(8, "advanced")];
    let done = store
        .record(
            rollout.id,
            1,
            becomes.clone(),
            events,
            Some(inputs("d1", b"abc")),
        )
        .await
        .unwrap();
    let expected = StoredRollout {
        state: RolloutState::Promoted,
        version: 2,
        updated_ms: at(9),
        closed_ms: Some(at(9)),
        document: becomes.document,
        ..rollout
    };
    assert_eq!(done, Recorded::Done(expected.clone()));
    assert_eq!(store.rollout(id(1)).await, Ok(Some(expected)));
    let kept = store.events(id(1), 0, 10).await.unwrap();
    let told: Vec<_> = kept
        .iter()
        .map(|event| (event.sequence, event.at_ms.get(), event.kind.as_str()))
        .collect();
    assert_eq!(
        told,
        [(1, 1, "started"), (2, 7, "judged"), (3, 8, "advanced")]
    );
    assert_eq!(store.inputs("d1").await, Ok(Some(b"abc".to_vec())));
    assert_eq!(store.inputs("d2").await, Ok(None));
}

pub(in crate::store) async fn a_refused_record_keeps_none_of_it(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    let error = store
        .record(
            rollout.id,
            1,
            update(RolloutState::Closed, true, 9),
            vec![event(7, "judged")],
            Some(inputs("d1", b"abc")),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error:?}");
    assert_eq!(store.rollout(id(1)).await, Ok(Some(rollout)));
    assert_eq!(store.events(id(1), 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.inputs("d1").await, Ok(None));
}

pub(in crate::store) async fn a_stale_record_meets_the_rollout_as_it_is(store: Store) {
    let first = created(&store, new_rollout(1, "web")).await;
    let second = recorded(&store, &first, update(RolloutState::Open, true, 5)).await;
    for version in [first.version, second.version + 1, 0, i64::MIN, i64::MAX] {
        let conflict = store
            .record(
                first.id,
                version,
                update(RolloutState::RolledBack, true, 6),
                vec![event(6, "lost")],
                Some(inputs("lost", b"lost")),
            )
            .await;
        assert_eq!(conflict, Ok(Recorded::Conflict(second.clone())));
    }
    assert_eq!(store.rollout(first.id).await, Ok(Some(second)));
    assert_eq!(store.events(first.id, 0, 10).await.unwrap().len(), 2);
    assert_eq!(store.inputs("lost").await, Ok(None));
}

pub(in crate::store) async fn a_record_of_an_unknown_rollout_is_unknown(store: Store) {
    let unknown = store
        .record(
            id(1),
            1,
            update(RolloutState::Open, true, 6),
            vec![event(6, "lost")],
            Some(inputs("lost", b"lost")),
        )
        .await;
    assert_eq!(unknown, Ok(Recorded::Unknown));
    assert_eq!(store.events(id(1), 0, 10).await, Ok(vec![]));
    assert_eq!(store.inputs("lost").await, Ok(None));
}

pub(in crate::store) async fn fifty_records_of_one_version_keep_one(store: Store) {
    created(&store, new_rollout(1, "web")).await;
    let mut records = JoinSet::new();
    for number in 0..50 {
        let store = store.clone();
        records.spawn(async move {
            store
                .record(
                    id(1),
                    1,
                    update(RolloutState::Open, true, number),
                    vec![event(number, "judged")],
                    None,
                )
                .await
                .unwrap()
        });
    }
    let all = records.join_all().await;
    let mut done = Vec::new();
    for outcome in &all {
        match outcome {
            Recorded::Done(rollout) => done.push(rollout.clone()),
            Recorded::Conflict(rollout) => assert_eq!(rollout.version, 2),
            Recorded::Unknown => panic!("it is known"),
        }
    }
    assert_eq!((all.len(), done.len()), (50, 1));
    assert_eq!(store.rollout(id(1)).await, Ok(done.pop()));
    assert_eq!(store.events(id(1), 0, 100).await.unwrap().len(), 2);
}

pub(in crate::store) async fn events_are_read_on_from_any_number(store: Store) {
    let rollout = created(&store, new_rollout(1, "web")).await;
    let other = created(&store, new_rollout(2, "other")).await;
    let many: Vec<_> = (2..=1_200).map(|at_ms| event(at_ms, "judged")).collect();
    store
        .record(
            rollout.id,
            1,
            update(RolloutState::Open, true, 9),
            many,
            None,
        )
        .await
        .unwrap();

    let numbers = async |after, limit| -> Vec<i64> {
        let events = store.events(rollout.id, after, limit).await.unwrap();
        events.iter().map(|event| event.sequence).collect()
    };
    assert_eq!(numbers(0, 3).await, [1, 2, 3]);
    assert_eq!(numbers(3, 2).await, [4, 5]);
    assert_eq!(numbers(1_199, 10).await, [1_200]);
    assert!(numbers(1_200, 10).await.is_empty());
    assert!(numbers(i64::MAX, 10).await.is_empty());
    assert!(numbers(0, 0).await.is_empty());
    let most = numbers(-1, usize::MAX).await;
    assert_eq!(most.len(), MOST_EVENTS);
    assert!(most.into_iter().eq(1..=1_000));
    assert_eq!(store.events(other.id, 0, 10).await.unwrap().len(), 1);
}

pub(in crate::store) async fn inputs_are_kept_once_for_each_rollout(store: Store) {
    for number in [1, 2] {
        let mut rollout = created(&store, new_rollout(number, &format!("key-{number}"))).await;
        for at_ms in [5, 6] {
            let outcome = store
                .record(
                    rollout.id,
                    rollout.version,
                    update(RolloutState::Open, true, at_ms),
                    vec![],
                    Some(inputs("same", b"bytes")),
                )
                .await
                .unwrap();
            rollout = match outcome {
                Recorded::Done(rollout) => rollout,
                other => panic!("{other:?}"),
            };
        }
        assert_eq!(rollout.version, 3);
    }
    assert_eq!(store.inputs("same").await, Ok(Some(b"bytes".to_vec())));
}

pub(in crate::store) async fn texts_and_bytes_come_back_as_they_were(store: Store) {
    let odd = "'; DROP TABLE rollouts; -- $1 ? \u{1f426} \"\\\n\t e\u{301}";
    let long = odd.repeat(20_000);
    let mut new = NewRollout {
        pipeline: odd.to_owned(),
        key: key_of(&format!("{odd}/key")),
        document: long.clone(),
        ..new_rollout(1, "")
    };
    new.first_event.kind = odd.to_owned();
    new.first_event.document.clone_from(&long);
    let rollout = created(&store, new).await;
    assert_eq!(
        store.current(odd, &key_of(&format!("{odd}/key"))).await,
        Ok(Some(rollout.clone()))
    );
    assert_eq!(rollout.document, long);
    let events = store.events(id(1), 0, 10).await.unwrap();
    assert_eq!((&events[0].kind[..], &events[0].document), (odd, &long));

    let bytes: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    for (version, digest, kept) in [(1, odd, &bytes[..]), (2, "empty", &[])] {
        store
            .record(
                id(1),
                version,
                update(RolloutState::Open, true, 5),
                vec![],
                Some(inputs(digest, kept)),
            )
            .await
            .unwrap();
        assert_eq!(store.inputs(digest).await, Ok(Some(kept.to_vec())));
    }

    // Times at the ends of their range, and a key that is empty.
    let mut extreme = new_rollout(2, "");
    extreme.created_ms = UnixMillis::EARLIEST;
    extreme.first_event.at_ms = UnixMillis::LATEST;
    let rollout = created(&store, extreme).await;
    assert_eq!(store.rollout(id(2)).await, Ok(Some(rollout)));
    let kept: BTreeSet<_> = store
        .open_rollouts()
        .await
        .unwrap()
        .iter()
        .map(|rollout| rollout.id)
        .collect();
    assert!(kept.contains(&id(1)), "{kept:?}");
}
