//! Wildcards, matched in time linear in the pattern and the text.
//!
//! The stars cut a pattern into pieces. The first piece must start the text and the last must end it;
//! each of the others is searched for behind the one before, and its leftmost place is taken: the star
//! behind it reaches whatever a later place would leave to it. A piece of literals is found by a search
//! that is linear in its own worst case. In a piece with `?` its first run of literals is searched for
//! and the rest compared there, which the [`Budget`] bounds.
//!
//! A star that stays within one part of an ARN fills a gap without colons. Its piece can fail where it
//! would not, had the piece behind the last free star been placed further on: then the search goes on
//! from there. That is the only step back; at most five colons of a pattern stand behind such stars.

mod piece;
mod search;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::glob::piece::ANY;
use crate::policy::glob::piece::ANY_WITHIN;
use crate::policy::glob::piece::ONE;
use crate::policy::glob::piece::ONE_WITHIN;
use crate::policy::glob::piece::Piece;
use crate::policy::glob::piece::Star;
use crate::policy::glob::search::Text;

/// A pattern that is ready to match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glob {
    /// Its literals in UTF-8, its wildcards as bytes that UTF-8 never uses.
    bytes: Vec<u8>,
    /// The bytes of the shortest text that it can match, counting one for `?`.
    least: usize,
}

impl Glob {
    /// Adds a character that stands for itself.
    pub(crate) fn push(&mut self, char: char) {
        self.push_text(char.encode_utf8(&mut [0; 4]));
    }

    /// Adds a text that stands for itself.
    pub(crate) fn push_text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.least += text.len();
    }

    /// Adds `*`. Two in a row are one, so that what must be matched is at least half of a pattern.
    pub(crate) fn push_any(&mut self) {
        if self.bytes.last() != Some(&ANY) {
            self.bytes.push(ANY);
        }
    }

    /// Adds `?`.
    pub(crate) fn push_one(&mut self) {
        self.bytes.push(ONE);
        self.least += 1;
    }

    /// Adds all of another pattern.
    pub(crate) fn append(&mut self, other: &Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.least += other.least;
    }

    /// Keeps the wildcards of an ARN within its first five parts; those of the sixth, the resource,
    /// stay free, colons or not. So does a `*` that ends the whole pattern and, where `trailing_any`,
    /// one that ends a part, as in the element `Resource`.
    pub(crate) fn confine_to_parts(&mut self, trailing_any: bool) {
        let mut colons = 0;
        let mut rest = self.bytes.as_mut_slice();
        while let Some((byte, after)) = rest.split_first_mut() {
            let ends_all = after.is_empty();
            let ends_part = after.first() == Some(&b':');
            match *byte {
                b':' => colons += 1,
                ANY if colons < 5 && !ends_all && !(ends_part && trailing_any) => {
                    *byte = ANY_WITHIN;
                }
                ONE if colons < 5 => *byte = ONE_WITHIN,
                _ => {}
            }
            rest = after;
        }
    }

    /// Whether all of `text` is what the pattern stands for.
    pub(crate) fn matches(&self, text: &str, budget: &mut Budget) -> Result<bool, Unresolved> {
        budget.spend(PATTERN_STEPS)?;
        if self.least > text.len() {
            return Ok(false);
        }
        let mut text = Text::new(text, budget);
        let mut piece = Piece::first(&self.bytes);
        let mut at = 0;
        // The latest piece behind a free star, and where it was found.
        let mut latest: Option<(Piece<'_>, usize)> = None;
        loop {
            match text.find(&piece, at)? {
                Some((start, end)) => {
                    if piece.star == Star::Any {
                        latest = Some((piece, start));
                    }
                    at = end;
                    match piece.next() {
                        Some(next) => piece = next,
                        None => return Ok(true),
                    }
                }
                // What is behind a free star could also be further on; only a piece behind a star
                // that may not pass a colon gains by that.
                None => match latest.take() {
                    Some((earlier, start)) if piece.star == Star::Within => {
                        piece = earlier;
                        at = start + text.char_bytes(start);
                    }
                    _ => return Ok(false),
                },
            }
        }
    }
}

/// What looking at a pattern costs besides its pieces.
const PATTERN_STEPS: usize = 8;
