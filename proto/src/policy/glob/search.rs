//! Where the pieces of a pattern are in a text.

use memchr::memchr;
use memchr::memmem;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::glob::piece::ONE;
use crate::policy::glob::piece::ONE_WITHIN;
use crate::policy::glob::piece::Piece;
use crate::policy::glob::piece::Star;

/// The text that is matched.
pub(crate) struct Text<'t, 'b> {
    bytes: &'t [u8],
    /// A place and the first colon from there on, or the end of the text where there is none.
    colon: Option<(usize, usize)>,
    budget: &'b mut Budget,
}

impl<'t, 'b> Text<'t, 'b> {
    pub(crate) const fn new(text: &'t str, budget: &'b mut Budget) -> Self {
        Self {
            bytes: text.as_bytes(),
            colon: None,
            budget,
        }
    }

    /// Where the first place of `piece` from `at` on starts and ends.
    pub(crate) fn find(
        &mut self,
        piece: &Piece<'_>,
        at: usize,
    ) -> Result<Option<(usize, usize)>, Unresolved> {
        self.budget.spend(PIECE_STEPS)?;
        if piece.is_last() {
            return self.find_at_end(piece, at);
        }
        match piece.star {
            Star::None => Ok(self.end_of(piece, at)?.map(|end| (at, end))),
            Star::Any => self.leftmost(piece, at, self.bytes.len()),
            Star::Within => {
                let colon = self.colon_from(at)?;
                let Some(before) = memchr(b':', piece.bytes) else {
                    return self.leftmost(piece, at, colon);
                };
                // The first colon of the piece is the first of the text.
                let chars = chars(piece.bytes.get(..before).unwrap_or_default());
                let start = self.back(colon, chars)?.filter(|start| *start >= at);
                let Some(start) = start else {
                    return Ok(None);
                };
                Ok(self.end_of(piece, start)?.map(|end| (start, end)))
            }
        }
    }

    /// The place of the last piece: where the text ends.
    fn find_at_end(
        &mut self,
        piece: &Piece<'_>,
        at: usize,
    ) -> Result<Option<(usize, usize)>, Unresolved> {
        let start = if piece.has_wildcards() {
            self.back(self.bytes.len(), chars(piece.bytes))?
        } else {
            self.bytes.len().checked_sub(piece.bytes.len())
        };
        let Some(start) = start.filter(|start| *start >= at) else {
            return Ok(None);
        };
        let fits = match piece.star {
            Star::None => start == at,
            Star::Any => true,
            Star::Within => self.colon_from(at)? >= start,
        };
        if !fits {
            return Ok(None);
        }
        let end = self.end_of(piece, start)?;
        Ok(end
            .filter(|end| *end == self.bytes.len())
            .map(|end| (start, end)))
    }

    /// The leftmost place of a piece that starts at `at` or later and ends before `reach`.
    fn leftmost(
        &mut self,
        piece: &Piece<'_>,
        at: usize,
        reach: usize,
    ) -> Result<Option<(usize, usize)>, Unresolved> {
        if piece.has_wildcards() {
            return self.leftmost_with_wildcards(piece, at, reach);
        }
        let rest = self.bytes.get(at..reach).unwrap_or_default();
        if piece.bytes.len() > rest.len() {
            return Ok(None);
        }
        let found = memmem::find(rest, piece.bytes);
        let end = found.map(|offset| offset + piece.bytes.len());
        self.budget
            .spend(SEARCH_STEPS + end.unwrap_or(rest.len()))?;
        Ok(found.zip(end).map(|(start, end)| (at + start, at + end)))
    }

    fn leftmost_with_wildcards(
        &mut self,
        piece: &Piece<'_>,
        at: usize,
        reach: usize,
    ) -> Result<Option<(usize, usize)>, Unresolved> {
        let is_one = |byte: &u8| *byte == ONE || *byte == ONE_WITHIN;
        let lead = piece.bytes.iter().take_while(|byte| is_one(byte)).count();
        let behind = piece.bytes.get(lead..).unwrap_or_default();
        let literal = behind.split(is_one).next().unwrap_or_default();
        if literal.is_empty() {
            // Only `?`: if they do not fit here, they do not fit further on.
            return Ok(self.end_of(piece, at)?.map(|end| (at, end)));
        }
        let Some(mut from) = self.forward(at, lead)? else {
            return Ok(None);
        };
        let finder = memmem::Finder::new(literal);
        self.budget.spend(literal.len())?;
        while let Some(rest) = self.bytes.get(from..reach) {
            let found = finder.find(rest);
            let read = found.map_or(rest.len(), |offset| offset + literal.len());
            self.budget.spend(SEARCH_STEPS + read)?;
            let Some(offset) = found else {
                return Ok(None);
            };
            let Some(start) = self.back(from + offset, lead)? else {
                return Ok(None);
            };
            if let Some(end) = self.end_of(piece, start)? {
                return Ok(Some((start, end)));
            }
            from += offset + 1;
        }
        Ok(None)
    }

    /// Where `piece` ends if it starts at `start`.
    fn end_of(&mut self, piece: &Piece<'_>, start: usize) -> Result<Option<usize>, Unresolved> {
        let rest = self.bytes.get(start..).unwrap_or_default();
        if piece.bytes.len() > rest.len() {
            return Ok(None);
        }
        self.budget.spend(piece.bytes.len() / COMPARED_AT_ONCE)?;
        if rest.starts_with(piece.bytes) {
            return Ok(Some(start + piece.bytes.len()));
        }
        if !piece.has_wildcards() {
            return Ok(None);
        }
        let mut at = start;
        for wanted in piece.bytes {
            self.budget.spend(1)?;
            let Some(read) = self.bytes.get(at) else {
                return Ok(None);
            };
            at += match *wanted {
                ONE => self.char_bytes(at),
                ONE_WITHIN if *read != b':' => self.char_bytes(at),
                literal if literal == *read => 1,
                _ => return Ok(None),
            };
        }
        Ok(Some(at))
    }

    /// The first colon from `at` on, or the end of the text.
    fn colon_from(&mut self, at: usize) -> Result<usize, Unresolved> {
        if let Some((from, colon)) = self.colon
            && (from..=colon).contains(&at)
        {
            return Ok(colon);
        }
        let rest = self.bytes.get(at..).unwrap_or_default();
        let offset = memchr(b':', rest).unwrap_or(rest.len());
        self.budget.spend(offset)?;
        self.colon = Some((at, at + offset));
        Ok(at + offset)
    }

    /// The place `chars` characters behind `at`, if the text has as many.
    fn forward(&mut self, at: usize, chars: usize) -> Result<Option<usize>, Unresolved> {
        self.budget.spend(chars)?;
        let mut at = at;
        for _ in 0..chars {
            if at >= self.bytes.len() {
                return Ok(None);
            }
            at += self.char_bytes(at);
        }
        Ok(Some(at))
    }

    /// The place `chars` characters before `at`, if the text has as many.
    fn back(&mut self, at: usize, chars: usize) -> Result<Option<usize>, Unresolved> {
        self.budget.spend(chars)?;
        let mut at = at;
        for _ in 0..chars {
            let before = self.bytes.get(..at).unwrap_or_default();
            match before.iter().rposition(|byte| !is_continuation(*byte)) {
                Some(start) => at = start,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// The length of the character that starts at `at`, in bytes.
    pub(crate) fn char_bytes(&self, at: usize) -> usize {
        match self.bytes.get(at) {
            Some(0xF0..) => 4,
            Some(0xE0..) => 3,
            Some(0xC0..) => 2,
            _ => 1,
        }
    }
}

/// The characters of a piece, wildcards among them.
fn chars(piece: &[u8]) -> usize {
    piece.iter().filter(|byte| !is_continuation(**byte)).count()
}

/// Whether a byte of UTF-8 continues a character.
const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// What looking at one piece costs besides its bytes.
const PIECE_STEPS: usize = 16;

/// What setting up one search costs besides the bytes it reads.
const SEARCH_STEPS: usize = 64;

/// Bytes that a comparison takes in one step.
const COMPARED_AT_ONCE: usize = 8;
