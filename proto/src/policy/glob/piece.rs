//! What the stars cut a pattern into.

use memchr::memchr2;

/// `*`: any run of characters.
pub(crate) const ANY: u8 = 0xFF;
/// `*` that stays within one part of an ARN: any run of characters without a colon.
pub(crate) const ANY_WITHIN: u8 = 0xFE;
/// `?`: any character.
pub(crate) const ONE: u8 = 0xFD;
/// `?` that stays within one part of an ARN: any character but a colon.
pub(crate) const ONE_WITHIN: u8 = 0xFC;

/// What stands before a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Star {
    /// Nothing: the piece starts the pattern.
    None,
    /// [`ANY`].
    Any,
    /// [`ANY_WITHIN`].
    Within,
}

/// A run of a pattern without stars.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'p> {
    pub(crate) star: Star,
    pub(crate) bytes: &'p [u8],
    /// The pattern from the next star on; empty behind the last piece.
    rest: &'p [u8],
}

impl<'p> Piece<'p> {
    pub(crate) fn first(pattern: &'p [u8]) -> Self {
        Self::new(Star::None, pattern)
    }

    pub(crate) fn next(&self) -> Option<Self> {
        let (star, pattern) = self.rest.split_first()?;
        let star = if *star == ANY {
            Star::Any
        } else {
            Star::Within
        };
        Some(Self::new(star, pattern))
    }

    fn new(star: Star, pattern: &'p [u8]) -> Self {
        let end = memchr2(ANY, ANY_WITHIN, pattern).unwrap_or(pattern.len());
        let (bytes, rest) = pattern.split_at(end);
        Self { star, bytes, rest }
    }

    pub(crate) const fn is_last(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        memchr2(ONE, ONE_WITHIN, self.bytes).is_some()
    }
}
