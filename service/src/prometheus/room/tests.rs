//! Who finds room, who waits, and that nobody waits for ever.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::*;

const SOON: Duration = Duration::from_millis(20);

/// Room of which 100 are common, 200 are for one stage, and 100 for one past.
fn room() -> Arc<Room> {
    Room::new(400)
}

/// A stage that takes what it can of so much, and how much that was.
fn greedy(room: &Arc<Room>, wanted: u64) -> (Part, u64) {
    let mut part = room.begin(ReadingOf::Stage).part();
    while part.bytes < wanted && part.try_grow_to(part.bytes + 1).unwrap() {}
    let bytes = part.bytes;
    (part, bytes)
}

#[test]
fn of_the_common_part_each_takes_no_more_than_it_leaves() {
    let room = room();
    let (_has_the_turn, most) = greedy(&room, 400 / 2);
    assert_eq!(most, 200);
    let taken: Vec<(Part, u64)> = (0..8).map(|_| greedy(&room, 200)).collect();
    let bytes: Vec<u64> = taken.iter().map(|(_, bytes)| *bytes).collect();
    assert_eq!(bytes[..4], [50, 25, 12, 6]);
    assert!(bytes.iter().sum::<u64>() <= 100);
}

#[test]
fn a_small_reading_finds_room_beside_large_ones() {
    let room = room();
    // One has the turn, the others each try to take all.
    let _large: Vec<(Part, u64)> = (0..4).map(|_| greedy(&room, 200)).collect();
    let mut small = room.begin(ReadingOf::Stage).part();
    assert_eq!(small.try_grow_to(2), Ok(true));
}

#[test]
fn what_is_given_back_is_free_again() {
    let room = room();
    let share = room.begin(ReadingOf::Stage);
    let mut part = share.part();
    assert_eq!(part.try_grow_to(40), Ok(true));
    part.settle(30);
    assert_eq!(room.taken_bytes(), 30);
    let mut kept = share.part();
    assert_eq!(kept.try_grow_to(5), Ok(true));
    kept.keep();
    drop(part);
    assert_eq!(room.taken_bytes(), 5);
    drop(share);
    assert_eq!(room.taken_bytes(), 0);
    assert_eq!(room.taken().common_bytes, 0);
}

#[test]
fn a_reading_that_would_not_fit_alone_is_refused_at_once() {
    let room = room();
    for (of, most_bytes) in [(ReadingOf::Stage, 200), (ReadingOf::Past, 100)] {
        let share = room.begin(of);
        let (mut one, mut other) = (share.part(), share.part());
        assert_eq!(one.try_grow_to(most_bytes - 10), Ok(true));
        assert_eq!(other.try_grow_to(10), Ok(true));
        assert_eq!(other.try_grow_to(11), Err(NoRoom { most_bytes }));
        assert_eq!(
            room.begin(of).part().try_grow_to(most_bytes + 1),
            Err(NoRoom { most_bytes })
        );
    }
}

#[test]
fn what_it_has_really_become_is_counted_even_without_room() {
    let room = room();
    let mut part = room.begin(ReadingOf::Stage).part();
    assert_eq!(part.try_grow_to(10), Ok(true));
    part.settle(300);
    assert_eq!(room.taken_bytes(), 300);
    assert_eq!(part.try_grow_to(301), Err(NoRoom { most_bytes: 200 }));
    drop(part);
    assert_eq!((room.taken_bytes(), room.taken().common_bytes), (0, 0));
}

#[tokio::test]
async fn large_readings_that_wait_for_each_other_all_come_to_their_end() {
    let room = room();
    let readings = (0..16).map(|_| {
        let room = Arc::clone(&room);
        async move {
            let share = room.begin(ReadingOf::Stage);
            let mut part = share.part();
            for bytes in (0..=200).step_by(5) {
                part.grow_to(bytes).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let mut tasks: tokio::task::JoinSet<()> = readings.collect();
    let all = async { while tasks.join_next().await.is_some() {} };
    timeout(Duration::from_secs(10), all).await.unwrap();
    assert_eq!((room.taken_bytes(), room.taken().common_bytes), (0, 0));
}

#[tokio::test]
async fn the_turn_goes_to_who_began_the_earliest() {
    let room = room();
    let (first, _) = greedy(&room, 200);
    let mut earlier = room.begin(ReadingOf::Stage).part();
    let mut later = room.begin(ReadingOf::Stage).part();
    // The later one waits first.
    assert!(timeout(SOON, later.grow_to(150)).await.is_err());
    let tasks = TaskTracker::new();
    let waiting = tasks.spawn(async move {
        later.grow_to(150).await.unwrap();
        later
    });
    tokio::task::yield_now().await;
    let also_waiting = tasks.spawn(async move {
        earlier.grow_to(150).await.unwrap();
        earlier
    });
    tokio::time::sleep(SOON).await;
    drop(first);
    let earlier = also_waiting.await.unwrap();
    assert!(!waiting.is_finished());
    drop(earlier);
    waiting.await.unwrap();
}

#[tokio::test]
async fn who_gives_up_waiting_is_in_nobodys_way() {
    let room = room();
    let (first, _) = greedy(&room, 200);
    let share = room.begin(ReadingOf::Stage);
    let mut gives_up = share.part();
    assert!(timeout(SOON, gives_up.grow_to(150)).await.is_err());
    let mut later = room.begin(ReadingOf::Stage).part();
    drop(first);
    assert_eq!(timeout(SOON, later.grow_to(150)).await, Ok(Ok(())));
    assert_eq!(room.taken_bytes(), 150);
}

#[tokio::test]
async fn a_past_and_a_stage_do_not_wait_for_each_other() {
    let room = room();
    let mut past = room.begin(ReadingOf::Past).part();
    assert_eq!(timeout(SOON, past.grow_to(100)).await, Ok(Ok(())));
    let mut stage = room.begin(ReadingOf::Stage).part();
    assert_eq!(timeout(SOON, stage.grow_to(200)).await, Ok(Ok(())));
    let mut other = room.begin(ReadingOf::Past).part();
    assert!(timeout(SOON, other.grow_to(100)).await.is_err());
}
