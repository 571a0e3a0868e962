//! The checker finds each kind of violation, and accepts what is none.

use proptest::prelude::*;

use super::*;

/// What the clients of these tests see.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Any,
    Is(u32),
    IsNot(u32),
}

fn holds(fact: &Fact, state: State) -> bool {
    match fact {
        Fact::Any => true,
        Fact::Is(write) => state.0 == *write,
        Fact::IsNot(write) => state.0 != *write,
    }
}

type Seen = Operation<Fact>;

/// From call to return.
const fn at(called: u64, returned: u64) -> (u64, Option<u64>) {
    (called, Some(returned))
}

/// Called, and never answered.
const fn open(called: u64) -> (u64, Option<u64>) {
    (called, None)
}

fn swap((called, returned): (u64, Option<u64>), fact: Fact, write: u32) -> Seen {
    Operation {
        called,
        returned,
        fact,
        to: Some(State(write)),
    }
}

fn put(times: (u64, Option<u64>), write: u32) -> Seen {
    swap(times, Fact::Any, write)
}

fn see((called, returned): (u64, Option<u64>), fact: Fact) -> Seen {
    Operation {
        called,
        returned,
        fact,
        to: None,
    }
}

fn get(times: (u64, Option<u64>), write: u32) -> Seen {
    see(times, Fact::Is(write))
}

/// The states after a history of a key that was absent; none if it is no history.
fn after(history: &[Seen]) -> Vec<u32> {
    let initial = BTreeSet::from([State::ABSENT]);
    let states = states_after(&initial, history, holds).unwrap_or_default();
    states.into_iter().map(|state| state.0).collect()
}

#[test]
fn what_happens_one_after_the_other_is_accepted() {
    let history = [
        put(at(1, 2), 1),
        get(at(3, 4), 1),
        put(at(5, 6), 2),
        get(at(7, 8), 2),
        put(at(9, 10), 0),
        get(at(11, 12), 0),
    ];
    assert_eq!(after(&history), [0]);
}

#[test]
fn a_lost_write_is_found() {
    assert!(after(&[put(at(1, 2), 1), get(at(3, 4), 0)]).is_empty());
}

#[test]
fn a_stale_read_is_found() {
    let history = [put(at(1, 2), 1), put(at(3, 4), 2), get(at(5, 6), 1)];
    assert!(after(&history).is_empty());
}

#[test]
fn a_read_during_a_write_sees_either_and_no_reader_goes_back() {
    let write = [put(at(1, 2), 1), put(at(3, 10), 2)];
    let reads = |first, second| [get(at(4, 5), first), get(at(6, 7), second)];
    let with = |first, second| after(&[&write[..], &reads(first, second)[..]].concat());
    assert_eq!(with(1, 2), [2]);
    assert_eq!(with(1, 1), [2]);
    assert!(with(2, 1).is_empty());
}

#[test]
fn two_winners_of_a_conditional_creation_are_found() {
    let create = |times, write| swap(times, Fact::Is(0), write);
    assert!(after(&[create(at(1, 10), 1), create(at(2, 9), 2)]).is_empty());
    let refused = see(at(2, 9), Fact::IsNot(0));
    assert_eq!(after(&[create(at(1, 10), 1), refused.clone()]), [1]);
    assert!(after(&[refused]).is_empty(), "refused for no reason");
}

#[test]
fn a_swap_over_a_state_that_is_gone_is_found() {
    let history = [put(at(1, 2), 1), put(at(3, 4), 2)];
    let lost = swap(at(5, 6), Fact::Is(1), 3);
    assert!(after(&[&history[..], &[lost]].concat()).is_empty());
    let at_once = swap(at(2, 6), Fact::Is(1), 3);
    assert_eq!(after(&[&history[..], &[at_once]].concat()), [2]);
}

#[test]
fn an_unknown_write_happened_or_not_and_both_states_stay_possible() {
    let history = [put(at(1, 2), 1), put(open(3), 2)];
    assert_eq!(after(&history), [1, 2]);
    let later = [get(at(20, 21), 1), get(at(22, 23), 2)];
    assert_eq!(after(&[&history[..], &later[..]].concat()), [2]);
    let back = [get(at(20, 21), 2), get(at(22, 23), 1)];
    assert!(after(&[&history[..], &back[..]].concat()).is_empty());
}

#[test]
fn an_unknown_write_does_not_excuse_the_loss_of_another() {
    let history = [put(at(1, 2), 1), put(open(3), 2), get(at(4, 5), 0)];
    assert!(after(&history).is_empty());
}

#[test]
fn nothing_is_seen_before_it_is_written() {
    assert!(after(&[get(at(1, 2), 1), put(at(3, 4), 1)]).is_empty());
    assert!(after(&[get(at(1, 2), 1), put(open(3), 1)]).is_empty());
}

#[test]
fn a_history_with_too_many_orders_is_not_called_good() {
    let writes = (1..=40).map(|write| put(at(u64::from(write), 100), write));
    let history: Vec<Seen> = writes.chain([get(at(200, 201), 99)]).collect();
    let initial = BTreeSet::from([State::ABSENT]);
    let outcome = states_after(&initial, &history, holds);
    assert_eq!(outcome, Err(Refusal::TooLarge));
}

/// The states after every order of every choice of unknown operations, tried one by one.
fn every_order(history: &[Seen], state: State, last: &mut BTreeSet<u32>) {
    if history.iter().all(|seen| seen.returned.is_none()) {
        last.insert(state.0);
    }
    for (number, seen) in history.iter().enumerate() {
        let too_early = |other: &Seen| other.returned.is_some_and(|end| end < seen.called);
        if history.iter().any(too_early) || !holds(&seen.fact, state) {
            continue;
        }
        let mut rest = history.to_vec();
        rest.remove(number);
        every_order(&rest, seen.to.unwrap_or(state), last);
    }
}

prop_compose! {
    fn seen()(
        called in 0_u64..40,
        length in 1_u64..20,
        is_open in prop::bool::weighted(0.2),
        fact in prop_oneof![
            2 => Just(Fact::Any),
            2 => (0_u32..3).prop_map(Fact::Is),
            1 => (0_u32..3).prop_map(Fact::IsNot),
        ],
        to in prop::option::of((0_u32..3).prop_map(State)),
    ) -> Seen {
        // Calls are even and returns odd: no two moments are one.
        let returned = (!is_open).then_some(2 * (called + length) + 1);
        Operation { called: 2 * called, returned, fact, to }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_agrees_with_trying_every_order(history in prop::collection::vec(seen(), 0..6)) {
        let mut last = BTreeSet::new();
        every_order(&history, State::ABSENT, &mut last);
        let states: Vec<u32> = last.into_iter().collect();
        prop_assert_eq!(after(&history), states);
    }
}
