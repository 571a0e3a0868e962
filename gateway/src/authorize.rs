//! Whether a caller may do what it asks for.
//!
//! A check leaves a value behind: [`Permitted`]. Operations take nothing else, and it is made
//! only here.

/// A `T` that the caller was allowed to use for one operation.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// The permit for `value`, after every check passed.
    #[allow(dead_code, reason = "made by the check, which follows")]
    fn new(value: T) -> Self {
        Self(value)
    }

    /// Spends the permit.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Permitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Permitted<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
