//! The one source of random bytes.
//!
//! Keys and salts are drawn from a [`Random`] that is passed in, so that tests can make the same
//! bytes twice. Everything that serves requests is given [`SystemRandom`].

/// A source of bytes nobody can foretell.
pub trait Random: Send + Sync {
    /// Overwrites `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    /// Does not return without random bytes: to go on with a key that could be guessed would be
    /// worse than to stop.
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives random bytes");
    }
}
