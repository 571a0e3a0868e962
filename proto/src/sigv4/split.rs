//! Splitting text at an ASCII character.
//!
//! `str` does the same for any pattern by a general search, which for the short pieces of a signed
//! request costs several times what finding them does.

/// The pieces of `text` between the separators, as `str::split` gives them.
pub(crate) fn split(text: &str, separator: Ascii) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (piece, next) = match split_once(rest?, separator) {
            Some((piece, next)) => (piece, Some(next)),
            None => (rest?, None),
        };
        rest = next;
        Some(piece)
    })
}

/// What is before the first separator and what is behind it, as `str::split_once` gives them.
pub(crate) fn split_once(text: &str, Ascii(separator): Ascii) -> Option<(&str, &str)> {
    let position = text.bytes().position(|byte| byte == separator)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}

/// An ASCII character: wherever its byte stands in UTF-8, it is that character.
#[derive(Clone, Copy)]
pub(crate) struct Ascii(u8);

impl Ascii {
    /// The character `byte`, which must be ASCII; in a constant, another does not compile.
    pub(crate) const fn new(byte: u8) -> Self {
        assert!(byte.is_ascii(), "not an ASCII character");
        Self(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_as_the_standard_library_splits_it() {
        let separator = Ascii::new(b';');
        for text in ["", ";", "a", "a;", ";a", "a;b;;c", "\u{fc};\u{1f511};"] {
            let pieces: Vec<&str> = split(text, separator).collect();
            assert_eq!(pieces, text.split(';').collect::<Vec<_>>(), "{text}");
            assert_eq!(split_once(text, separator), text.split_once(';'), "{text}");
        }
    }
}
