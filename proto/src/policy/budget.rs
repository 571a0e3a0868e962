//! How much work the evaluation of one request may cost, whatever the policy and the request are.
//!
//! Work is counted in steps, each about a nanosecond or less: what a test counts on one machine holds
//! on all. Who writes a policy and who sends a request are both hostile here, so everything whose cost
//! depends on both spends from one budget. What cannot be settled within it is [`Unresolved`].

/// The steps that are left.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

/// Whether something matches could not be settled within the bounds.
///
/// A statement that denies counts as matching then, one that allows does not: nobody gains a
/// permission by making an evaluation expensive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unresolved;

impl Budget {
    pub(crate) const fn new(steps: usize) -> Self {
        Self { left: steps }
    }

    /// Takes `steps` away; with too few left, nothing stays.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Unresolved> {
        let left = self.left.checked_sub(steps);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Unresolved)
    }

    pub(crate) const fn left(&self) -> usize {
        self.left
    }
}
