//! Any order of calls, compared with a model that fits on a page.

use std::any::Any;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::{event, id, new_rollout, update};
use crate::store::{Recorded, RolloutState, Started, Store, StoreError, StoredRollout};

#[derive(Debug, Clone)]
enum Call {
    Start {
        key: u8,
    },
    /// Records the rollout of a number, upon the version that a caller who is `behind` read.
    Record {
        number: u128,
        behind: i64,
        state: RolloutState,
        is_current: bool,
        events: usize,
    },
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let start = (0..3_u8).prop_map(|key| Call::Start { key });
    let record = (
        1..6_u128,
        prop_oneof![4 => Just(0_i64), 1 => -1..4_i64],
        prop::sample::select(RolloutState::ALL.to_vec()),
        any::<bool>(),
        0..3_usize,
    )
        .prop_map(|(number, behind, state, is_current, events)| Call::Record {
            number,
            behind,
            state,
            is_current,
            events,
        });
    prop::collection::vec(prop_oneof![1 => start, 3 => record], 1..40)
}

/// What should be kept: rollouts by number, and how many events each has.
#[derive(Default)]
struct Model {
    rollouts: BTreeMap<u128, (StoredRollout, usize)>,
}

impl Model {
    fn current(&self, key: &str) -> Option<&StoredRollout> {
        self.rollouts
            .values()
            .map(|(rollout, _)| rollout)
            .find(|rollout| rollout.key.as_str() == key && rollout.is_current)
    }
}

pub(in crate::store) fn compare<K: Any>(runtime: &Runtime, open: impl Fn() -> (Store, K)) {
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&calls(), |calls| {
            let (store, _kept) = open();
            runtime.block_on(async {
                let mut model = Model::default();
                for call in calls {
                    step(&store, &mut model, call).await?;
                }
                for (number, (rollout, events)) in &model.rollouts {
                    prop_assert_eq!(store.rollout(id(*number)).await, Ok(Some(rollout.clone())));
                    let kept = store.events(id(*number), 0, 1_000).await.unwrap();
                    let sequences: Vec<_> = kept.iter().map(|event| event.sequence).collect();
                    let expected: Vec<_> = (1..).take(*events).collect();
                    prop_assert_eq!(sequences, expected);
                }
                Ok(())
            })
        })
        .unwrap();
}

async fn step(store: &Store, model: &mut Model, call: Call) -> Result<(), TestCaseError> {
    match call {
        Call::Start { key } => {
            let key = format!("key-{key}");
            let number = model.rollouts.len() as u128 + 1;
            let started = store.start(new_rollout(number, &key)).await.unwrap();
            if let Some(current) = model.current(&key) {
                prop_assert_eq!(started, Started::Existing(current.clone()));
                return Ok(());
            }
            let attempts = model
                .rollouts
                .values()
                .filter(|(one, _)| one.key.as_str() == key);
            let attempt = i64::try_from(attempts.count()).unwrap() + 1;
            let Started::Created(rollout) = started else {
                return Err(TestCaseError::fail("the key was free"));
            };
            prop_assert_eq!((rollout.id, rollout.attempt), (id(number), attempt));
            model.rollouts.insert(number, (rollout, 1));
        }
        Call::Record {
            number,
            behind,
            state,
            is_current,
            events,
        } => {
            let becomes = update(state, is_current, 1_000);
            let added = vec![event(1_000, "recorded"); events];
            let before = model.rollouts.get(&number).cloned();
            let version = before.as_ref().map_or(1, |(one, _)| one.version) - behind;
            let outcome = store
                .record(id(number), version, becomes.clone(), added, None)
                .await;
            let Some((before, count)) = before else {
                prop_assert_eq!(outcome, Ok(Recorded::Unknown));
                return Ok(());
            };
            if behind != 0 {
                prop_assert_eq!(outcome, Ok(Recorded::Conflict(before)));
                return Ok(());
            }
            let ends_key = matches!(state, RolloutState::Cancelled | RolloutState::Closed);
            let other_is_current = model
                .current(before.key.as_str())
                .is_some_and(|other| other.id != before.id);
            if is_current && (ends_key || other_is_current) {
                prop_assert!(matches!(outcome, Err(StoreError::Invalid(_))));
                return Ok(());
            }
            let after = StoredRollout {
                state,
                is_current,
                version: before.version + 1,
                updated_ms: becomes.updated_ms,
                closed_ms: becomes.closed_ms,
                document: becomes.document,
                ..before
            };
            prop_assert_eq!(outcome, Ok(Recorded::Done(after.clone())));
            model.rollouts.insert(number, (after, count + events));
        }
    }
    Ok(())
}
