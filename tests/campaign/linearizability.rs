//! Whether what clients saw of one key can have happened in some order.
//!
//! A key is a register. Its state is the write that it holds, or none. A history is linearizable when
//! each operation can be given one moment between its call and its return, so that everybody saw what
//! the operations before it left (Herlihy and Wing, 1990). The search is that of Wing and Gong with
//! Lowe's memory of what was tried already.
//!
//! It returns every state that the history may have left, so that a long history is checked in
//! stretches: the states after one are those before the next, wherever nothing was under way between.

use std::collections::BTreeSet;
use std::collections::HashSet;

/// What a register holds: the number of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State(pub(crate) u32);

impl State {
    /// Nothing is there.
    pub(crate) const ABSENT: Self = Self(0);
}

/// What a client did and saw.
#[derive(Clone, Debug)]
pub(crate) struct Operation<F> {
    /// When it was called, on a clock that never gives a number twice.
    pub(crate) called: u64,
    /// When it returned. `None`: its outcome is unknown; it may have happened at any time after its
    /// call, or never.
    pub(crate) returned: Option<u64>,
    /// What held at its moment.
    pub(crate) fact: F,
    /// What the register held from then on. `None`: it changed nothing.
    pub(crate) to: Option<State>,
}

/// Why a history was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No order explains it.
    NotLinearizable,
    /// Too many orders to try them all.
    TooLarge,
}

/// The states that a register may have after these operations, which begin at one of `initial`.
///
/// `holds` says whether a fact is true of a state.
///
/// # Errors
///
/// [`Refusal`] when no order of the operations explains what was seen.
pub(crate) fn states_after<F>(
    initial: &BTreeSet<State>,
    operations: &[Operation<F>],
    holds: impl Fn(&F, State) -> bool,
) -> Result<BTreeSet<State>, Refusal> {
    let mut sorted: Vec<_> = operations.iter().collect();
    sorted.sort_by_key(|operation| operation.called);
    let mut stack: Vec<_> = initial
        .iter()
        .map(|state| (Taken::none(sorted.len()), *state))
        .collect();
    let mut tried = HashSet::new();
    let mut last = BTreeSet::new();
    while let Some((mut taken, state)) = stack.pop() {
        take_observations(&sorted, &mut taken, state, &holds);
        if !tried.insert((taken.clone(), state)) {
            continue;
        }
        if tried.len() > TRIED_MAX {
            return Err(Refusal::TooLarge);
        }
        let deadline = deadline(&sorted, &taken);
        if deadline == u64::MAX {
            last.insert(state);
        }
        for (number, operation) in next(&sorted, &taken, deadline) {
            if let Some(to) = operation.to
                && holds(&operation.fact, state)
            {
                stack.push((taken.with(number), to));
            }
        }
    }
    match last.is_empty() {
        true => Err(Refusal::NotLinearizable),
        false => Ok(last),
    }
}

/// Takes whatever changes nothing and is true now: if it fits in later, it fits in here.
fn take_observations<F>(
    sorted: &[&Operation<F>],
    taken: &mut Taken,
    state: State,
    holds: &impl Fn(&F, State) -> bool,
) {
    loop {
        let deadline = deadline(sorted, taken);
        let fitting: Vec<usize> = next(sorted, taken, deadline)
            .filter(|(_, operation)| operation.to.is_none() && holds(&operation.fact, state))
            .map(|(number, _)| number)
            .collect();
        if fitting.is_empty() {
            return;
        }
        fitting.into_iter().for_each(|number| taken.insert(number));
    }
}

/// The first return among those that must still be taken. Whatever was called later comes later.
fn deadline<F>(sorted: &[&Operation<F>], taken: &Taken) -> u64 {
    let waiting = sorted.iter().enumerate();
    waiting
        .filter(|(number, _)| !taken.contains(*number))
        .filter_map(|(_, operation)| operation.returned)
        .min()
        .unwrap_or(u64::MAX)
}

/// Those that may come next.
fn next<'a, F>(
    sorted: &'a [&'a Operation<F>],
    taken: &'a Taken,
    deadline: u64,
) -> impl Iterator<Item = (usize, &'a Operation<F>)> {
    let called = sorted
        .iter()
        .take_while(move |operation| operation.called < deadline);
    let called = called.enumerate();
    called
        .filter(|(number, _)| !taken.contains(*number))
        .map(|(number, operation)| (number, *operation))
}

/// Which operations have their moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Taken(Vec<u64>);

impl Taken {
    fn none(operations: usize) -> Self {
        Self(vec![0; operations.div_ceil(64)])
    }

    fn contains(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn with(&self, number: usize) -> Self {
        let mut taken = self.clone();
        taken.insert(number);
        taken
    }
}

/// Most that is tried of one history: some ten megabytes.
const TRIED_MAX: usize = 200_000;

#[cfg(test)]
mod tests;
