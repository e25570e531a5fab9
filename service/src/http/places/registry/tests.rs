use std::net::Ipv4Addr;

use super::*;

/// Sixteen places: twelve for all but gates, four of them for one address.
const MOST: usize = 16;

fn address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, number))
}

/// A connection that has come and rests.
fn idle(registry: &mut Registry, number: u8) -> (u64, CancellationToken) {
    registry.enter(address(number)).unwrap()
}

/// A connection that has asked and rests.
fn asked(registry: &mut Registry, number: u8, purpose: Purpose) -> (u64, CancellationToken) {
    let (id, close) = answered(registry, number, purpose).unwrap();
    registry.rest(id);
    (id, close)
}

/// A connection that has asked and is being answered.
fn answered(
    registry: &mut Registry,
    number: u8,
    purpose: Purpose,
) -> Result<(u64, CancellationToken), Crowded> {
    let (id, close) = registry.enter(address(number)).unwrap();
    assert!(registry.begin(id));
    registry.ask(id, purpose)?;
    Ok((id, close))
}

fn open(connections: &[(u64, CancellationToken)]) -> usize {
    let is_open = |(_id, close): &&(u64, CancellationToken)| !close.is_cancelled();
    connections.iter().filter(is_open).count()
}

#[test]
fn one_address_has_a_quarter_of_idle_connections_and_its_oldest_gives_way() {
    let mut registry = Registry::new(MOST);
    let first: Vec<_> = (0..4).map(|_| idle(&mut registry, 1)).collect();
    let others: Vec<_> = (0..4).map(|_| idle(&mut registry, 2)).collect();
    let later: Vec<_> = (0..3).map(|_| idle(&mut registry, 1)).collect();
    assert_eq!(open(&later), 3);
    assert!(!first[3].1.is_cancelled());
    assert_eq!(open(&first), 1);
    assert_eq!(open(&others), 4, "nobody pays for another address");
    assert_eq!(registry.counts.held(), 8);
}

#[test]
fn all_but_gates_have_three_quarters_and_the_address_with_most_gives_way() {
    let mut registry = Registry::new(MOST);
    let alone = idle(&mut registry, 1);
    let many: Vec<_> = (0..11)
        .map(|number| idle(&mut registry, 2 + number % 3))
        .collect();
    assert_eq!(open(&many), 11);
    for number in 10..13 {
        idle(&mut registry, number);
    }
    assert_eq!(open(&many), 8);
    assert!(!alone.1.is_cancelled(), "it is older and the only one");
    assert_eq!(registry.counts.not_kept(), 12);
}

#[test]
fn a_gate_that_rests_stays_while_anything_else_can_go() {
    let mut registry = Registry::new(MOST);
    let gates: Vec<_> = (0..10)
        .map(|_| asked(&mut registry, 1, Purpose::Gate))
        .collect();
    let page = asked(&mut registry, 2, Purpose::Other);
    let silent: Vec<_> = (0..3).map(|_| idle(&mut registry, 3)).collect();
    for number in 10..30 {
        idle(&mut registry, number);
    }
    assert_eq!(open(&gates), 10);
    assert_eq!(open(&silent), 0);
    assert!(!page.1.is_cancelled(), "idle ones go first");
}

#[test]
fn gates_may_hold_every_place_and_one_of_them_gives_way_to_who_comes() {
    let mut registry = Registry::new(MOST);
    let gates: Vec<_> = (0..MOST)
        .map(|_| asked(&mut registry, 1, Purpose::Gate))
        .collect();
    assert_eq!(open(&gates), MOST);
    idle(&mut registry, 2);
    assert!(gates[0].1.is_cancelled());
    assert_eq!(open(&gates), MOST - 1);
}

#[test]
fn what_is_being_answered_is_not_cut() {
    let mut registry = Registry::new(MOST);
    let streams: Vec<_> = (1..=3)
        .flat_map(|number| [number; 2])
        .map(|number| answered(&mut registry, number, Purpose::Other).unwrap())
        .collect();
    let health = idle(&mut registry, 1);
    assert!(registry.begin(health.0));
    for _ in 0..100 {
        idle(&mut registry, 1);
    }
    assert_eq!(open(&streams), 6);
    assert!(!health.1.is_cancelled());
}

#[test]
fn others_are_answered_on_half_of_what_they_may_hold() {
    let mut registry = Registry::new(MOST);
    let ask = |registry: &mut Registry, number| {
        answered(registry, number, Purpose::Other).map(|(id, _close)| id)
    };
    let first = ask(&mut registry, 1).unwrap();
    ask(&mut registry, 1).unwrap();
    assert_eq!(ask(&mut registry, 1), Err(Crowded::ByItsAddress));
    for number in [2, 2, 3, 3] {
        ask(&mut registry, number).unwrap();
    }
    assert_eq!(ask(&mut registry, 4), Err(Crowded::ByAll));
    assert!(answered(&mut registry, 1, Purpose::Gate).is_ok());
    registry.rest(first);
    assert!(ask(&mut registry, 4).is_ok());
    // It asks again over its connection, which counts once.
    let (again, _close) = asked(&mut registry, 5, Purpose::Gate);
    assert!(registry.begin(again));
    assert_eq!(registry.ask(again, Purpose::Other), Err(Crowded::ByAll));
    assert_eq!(registry.ask(again, Purpose::Gate), Ok(()));
}

#[test]
fn a_connection_belongs_to_what_it_asked_last() {
    let mut registry = Registry::new(MOST);
    let (id, _close) = asked(&mut registry, 1, Purpose::Gate);
    let held = |registry: &Registry| {
        let counts = &registry.counts;
        [counts.idle.all, counts.other.all, counts.gate.all]
    };
    assert_eq!(held(&registry), [0, 0, 1]);
    assert!(registry.begin(id));
    registry.ask(id, Purpose::Other).unwrap();
    registry.rest(id);
    assert_eq!(held(&registry), [0, 1, 0]);
    // Health asks for no purpose.
    assert!(registry.begin(id));
    registry.rest(id);
    assert_eq!(held(&registry), [0, 1, 0]);
    registry.leave(id);
    assert_eq!(held(&registry), [0, 0, 0]);
    assert!(registry.networks.is_empty() && registry.entries.is_empty());
}

#[test]
fn a_gate_that_asks_for_something_else_makes_room_among_those() {
    let mut registry = Registry::new(MOST);
    let (gate, _close) = asked(&mut registry, 1, Purpose::Gate);
    let silent: Vec<_> = (0..4).map(|_| idle(&mut registry, 1)).collect();
    assert!(registry.begin(gate));
    registry.ask(gate, Purpose::Other).unwrap();
    assert_eq!(open(&silent), 3);
}

#[test]
fn what_was_told_to_go_is_not_answered_any_more_and_leaves_nothing() {
    let mut registry = Registry::new(MOST);
    let (first, close) = idle(&mut registry, 1);
    for _ in 0..4 {
        idle(&mut registry, 1);
    }
    assert!(close.is_cancelled());
    assert!(!registry.begin(first));
    let held = registry.counts.held();
    registry.leave(first);
    assert_eq!(registry.counts.held(), held);
}

#[test]
fn when_every_place_is_busy_nobody_enters() {
    let mut registry = Registry::new(2);
    let (gate, _close) = answered(&mut registry, 1, Purpose::Gate).unwrap();
    answered(&mut registry, 1, Purpose::Gate).unwrap();
    assert!(registry.enter(address(2)).is_none());
    registry.rest(gate);
    assert!(registry.enter(address(2)).is_some());
}

/// Whatever happens in whatever order, what is counted is what there is.
#[test]
fn the_counts_are_those_of_the_connections() {
    let mut registry = Registry::new(MOST);
    let mut ids = Vec::new();
    let mut dice: u64 = 1;
    for _ in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let [what, which, number, _] = ((dice >> 32) as u32).to_le_bytes();
        let id = ids.get(usize::from(which) % ids.len().max(1)).copied();
        match (what % 6, id) {
            (0, _) | (_, None) => {
                let entered = registry.enter(address(number % 5));
                ids.extend(entered.map(|(id, _close)| id));
            }
            (1, Some(id)) => {
                registry.begin(id);
            }
            (2 | 3, Some(id)) => {
                if registry.begin(id) {
                    let purpose = [Purpose::Gate, Purpose::Other][usize::from(number % 2)];
                    let _ = registry.ask(id, purpose);
                }
            }
            (4, Some(id)) => registry.rest(id),
            (_, Some(id)) => {
                registry.leave(id);
                ids.retain(|other| *other != id);
            }
        }
        let held = registry.entries.values();
        let held = held.filter(|entry| entry.standing != Standing::Leaving);
        assert_eq!(registry.counts.held(), held.count());
        assert!(registry.counts.held() <= MOST);
    }
    for id in ids {
        registry.leave(id);
    }
    assert_eq!(registry.counts.held(), 0);
    assert!(registry.networks.is_empty() && registry.entries.is_empty());
}
