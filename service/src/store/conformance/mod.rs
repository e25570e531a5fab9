//! What every engine must do. It knows [`Store`] and nothing of the engine behind it.
//!
//! An engine runs it with `conformance::on!(name, open)`, where `open` is an async function that
//! makes an empty store and what must be kept for as long as it: each case becomes a test of its
//! own, on a store of its own.

pub(super) mod keys;
pub(super) mod model;
pub(super) mod pages;
pub(super) mod pipelines;
pub(super) mod retention;
pub(super) mod trail;
pub(super) mod weather;

use uuid::Uuid;

use super::{
    NewEvent, NewRollout, RolloutId, RolloutKey, RolloutState, RolloutUpdate, Started, Store,
    StoredRollout,
};
use crate::time::UnixMillis;

/// Makes a test of each case, on the stores that `$open` makes.
macro_rules! on {
    ($engine:ident, $open:ident) => {
        mod $engine {
            $crate::store::conformance::tests_of! { $open,
                keys: a_start_creates_once,
                keys: a_start_of_a_taken_id_is_invalid_and_leaves_nothing,
                keys: fifty_starts_of_one_key_create_one_rollout,
                keys: a_key_starts_again_after_it_is_given_up_and_counts_attempts,
                keys: a_rolled_back_rollout_stays_current,
                keys: a_second_current_rollout_of_a_key_is_refused,
                keys: a_cancelled_or_closed_rollout_cannot_be_current,
                trail: a_record_keeps_all_of_it,
                trail: a_refused_record_keeps_none_of_it,
                trail: a_stale_record_meets_the_rollout_as_it_is,
                trail: a_record_of_an_unknown_rollout_is_unknown,
                trail: fifty_records_of_one_version_keep_one,
                trail: events_are_read_on_from_any_number,
                trail: inputs_are_kept_once_for_each_rollout,
                trail: texts_and_bytes_come_back_as_they_were,
                pages: pages_hold_each_rollout_once_newest_first,
                pages: pages_stay_stable_while_rollouts_start_and_go,
                pages: a_page_fits_everything_that_is_asked,
                pages: limits_are_kept_within_bounds,
                pages: all_open_rollouts_are_found_over_many_pages,
                pipelines: a_pipeline_is_put_replaced_and_deleted,
                pipelines: all_pipelines_are_read_by_name,
                pipelines: fifty_puts_of_one_name_leave_one_of_them,
                pipelines: rollouts_that_are_forgotten_take_no_pipeline_with_them,
                pipelines: a_closed_store_has_no_pipelines_to_tell,
                retention: the_old_go_with_all_they_had,
                retention: the_many_go_the_longest_closed_first,
                retention: what_goes_on_or_was_rolled_back_stays,
                retention: an_old_rollback_stays_without_its_inputs,
                retention: a_long_prune_is_told_by_its_number,
                weather: a_check_leaves_no_trace,
                weather: a_closed_store_is_unavailable_to_all_its_clones,
                weather: calls_that_are_given_up_do_no_harm,
            }

            #[test]
            fn any_order_of_calls_agrees_with_a_simple_model() {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                $crate::store::conformance::model::compare(&runtime, || {
                    runtime.block_on(super::$open())
                });
            }
        }
    };
}

/// The tests themselves: `file: case`, each.
macro_rules! tests_of {
    ($open:ident, $($file:ident: $case:ident,)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = super::$open().await;
                $crate::store::conformance::$file::$case(store).await;
            }
        )+
    };
}

pub(super) use {on, tests_of};

/// The pipeline of most cases.
const PIPELINE: &str = "checkout";

fn id(number: u128) -> RolloutId {
    RolloutId::new(Uuid::from_u128(number))
}

fn at(milliseconds: i64) -> UnixMillis {
    UnixMillis::new(milliseconds)
}

/// Any text: the store takes what it is given.
fn key_of(text: &str) -> RolloutKey {
    RolloutKey::kept(text.to_owned())
}

fn event(at_ms: i64, kind: &str) -> NewEvent {
    NewEvent {
        at_ms: at(at_ms),
        kind: kind.to_owned(),
        document: format!("{{\"at\":{at_ms}}}"),
    }
}

/// A rollout to start, at a millisecond that is its number.
fn new_rollout(number: u128, key: &str) -> NewRollout {
    let created_ms = i64::try_from(number).unwrap();
    NewRollout {
        id: id(number),
        pipeline: PIPELINE.to_owned(),
        key: key_of(key),
        created_ms: at(created_ms),
        document: format!("{{\"number\":{number}}}"),
        first_event: event(created_ms, "started"),
    }
}

async fn created(store: &Store, new: NewRollout) -> StoredRollout {
    match store.start(new).await.unwrap() {
        Started::Created(rollout) => rollout,
        Started::Existing(rollout) => panic!("exists already: {rollout:?}"),
    }
}

fn update(state: RolloutState, is_current: bool, updated_ms: i64) -> RolloutUpdate {
    RolloutUpdate {
        state,
        is_current,
        updated_ms: at(updated_ms),
        closed_ms: (state != RolloutState::Open).then_some(at(updated_ms)),
        document: format!("{{\"updated\":{updated_ms}}}"),
    }
}

/// Starts a rollout of a key of its own and closes it.
async fn closed(store: &Store, number: u128, closed_ms: i64) -> StoredRollout {
    let rollout = created(store, new_rollout(number, &format!("key-{number}"))).await;
    recorded(
        store,
        &rollout,
        update(RolloutState::Closed, false, closed_ms),
    )
    .await
}

async fn recorded(store: &Store, before: &StoredRollout, update: RolloutUpdate) -> StoredRollout {
    let events = vec![event(update.updated_ms.get(), "recorded")];
    match store
        .record(before.id, before.version, update, events, None)
        .await
        .unwrap()
    {
        super::Recorded::Done(rollout) => rollout,
        other => panic!("not done: {other:?}"),
    }
}
