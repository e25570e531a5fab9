//! Lists.

use super::{PIPELINE, at, closed, created, id, new_rollout, recorded, update};
use crate::store::{Cursor, Filter, MOST_ON_A_PAGE, NewRollout, Page, RolloutState, Store};

fn page(limit: usize, after: Option<Cursor>) -> Page {
    Page { limit, after }
}

/// The numbers of all rollouts, page by page; each cursor goes through its text.
async fn numbers(store: &Store, filter: &Filter, limit: usize) -> Vec<u128> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let read = store.list(filter, page(limit, after)).await.unwrap();
        assert!(read.rollouts.len() <= limit);
        all.extend(
            read.rollouts
                .iter()
                .map(|rollout| rollout.id.uuid().as_u128()),
        );
        match read.next {
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => return all,
        }
    }
}

pub(in crate::store) async fn pages_hold_each_rollout_once_newest_first(store: Store) {
    for number in 1..=20 {
        let mut new = new_rollout(number, &format!("key-{number}"));
        // Five of each millisecond: the id decides among them.
        new.created_ms = at(i64::try_from(number.div_ceil(5)).unwrap());
        created(&store, new).await;
    }
    let expected: Vec<u128> = (1..=20).rev().collect();
    for limit in [1, 3, 5, 19, 20, 21, 200] {
        let read = numbers(&store, &Filter::default(), limit).await;
        assert_eq!(read, expected, "{limit} a page");
    }
}

pub(in crate::store) async fn pages_stay_stable_while_rollouts_start_and_go(store: Store) {
    for number in 1..=10 {
        closed(&store, number, 50).await;
    }
    let everything = Filter::default();
    let first = store.list(&everything, page(4, None)).await.unwrap();
    assert_eq!(first.rollouts.last().unwrap().id, id(7));

    created(&store, new_rollout(11, "late")).await;
    let keep = crate::store::Retention {
        closed_for_ms: i64::MAX,
        most_closed: 2,
    };
    // All that the first page showed but two are gone, the last one too: its cursor still holds.
    assert_eq!(store.prune(&keep, at(60)).await, Ok(8));
    created(&store, new_rollout(5, "again")).await;
    let second = store.list(&everything, page(4, first.next)).await.unwrap();
    let read: Vec<_> = second.rollouts.iter().map(|rollout| rollout.id).collect();
    assert_eq!(read, [id(5)]);
    assert_eq!(second.next, None);
}

pub(in crate::store) async fn a_page_fits_everything_that_is_asked(store: Store) {
    for number in 1..=12 {
        let new = NewRollout {
            pipeline: if number <= 6 { PIPELINE } else { "search" }.to_owned(),
            ..new_rollout(number, if number % 2 == 0 { "even" } else { "odd" })
        };
        let rollout = created(&store, new).await;
        let (state, is_current) = match number % 3 {
            0 => (RolloutState::RolledBack, false),
            1 => (RolloutState::Promoted, false),
            _ => (RolloutState::Cancelled, false),
        };
        recorded(&store, &rollout, update(state, is_current, 50)).await;
    }
    let pipelines = [None, Some(PIPELINE), Some("search"), Some("none")];
    let keys = [None, Some("even"), Some("odd"), Some("none")];
    let states = [
        None,
        Some(RolloutState::RolledBack),
        Some(RolloutState::Open),
    ];
    for pipeline in pipelines {
        for key in keys {
            for state in states {
                for since_ms in [None, Some(i64::MIN), Some(4), Some(13)] {
                    let filter = Filter {
                        pipeline: pipeline.map(str::to_owned),
                        key: key.map(str::to_owned),
                        state,
                        since_ms: since_ms.map(at),
                    };
                    let expected: Vec<u128> = (1..=12_u128)
                        .rev()
                        .filter(|number| {
                            let in_pipeline = if *number <= 6 { PIPELINE } else { "search" };
                            let has_key = if number % 2 == 0 { "even" } else { "odd" };
                            pipeline.is_none_or(|asked| asked == in_pipeline)
                                && key.is_none_or(|asked| asked == has_key)
                                && state.is_none_or(|asked| {
                                    asked == RolloutState::RolledBack && number % 3 == 0
                                })
                                && since_ms.is_none_or(|asked| {
                                    i128::from(asked) <= i128::try_from(*number).unwrap()
                                })
                        })
                        .collect();
                    assert_eq!(numbers(&store, &filter, 2).await, expected, "{filter:?}");
                }
            }
        }
    }
}

pub(in crate::store) async fn limits_are_kept_within_bounds(store: Store) {
    let count = MOST_ON_A_PAGE + 1;
    for number in 1..=count {
        created(
            &store,
            new_rollout(number as u128, &format!("key-{number}")),
        )
        .await;
    }
    for (asked, given) in [(0, 1), (1, 1), (usize::MAX, MOST_ON_A_PAGE)] {
        let read = store
            .list(&Filter::default(), page(asked, None))
            .await
            .unwrap();
        assert_eq!(read.rollouts.len(), given);
        assert!(read.next.is_some());
    }
}

pub(in crate::store) async fn all_open_rollouts_are_found_over_many_pages(store: Store) {
    assert_eq!(store.open_rollouts().await, Ok(vec![]));
    let count = 2 * MOST_ON_A_PAGE as u128;
    let mut expected = Vec::new();
    for number in 1..=count {
        let mut new = new_rollout(number, &format!("key-{number}"));
        new.created_ms = at(i64::try_from(number / 150).unwrap());
        expected.push(created(&store, new).await);
    }
    assert_eq!(store.open_rollouts().await, Ok(expected.clone()));

    let ended = expected.remove(300);
    recorded(&store, &ended, update(RolloutState::RolledBack, true, 9)).await;
    assert_eq!(store.open_rollouts().await, Ok(expected));
}
