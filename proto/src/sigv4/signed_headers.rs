//! The list of the headers that a signature covers.

use std::borrow::Borrow;
use std::borrow::Cow;

use crate::sigv4::split::Ascii;
use crate::sigv4::split::split;

/// Names of the headers that a signature covers, in lower case, sorted, none twice.
///
/// Stored as the text that both the `Authorization` header and the canonical request contain,
/// `host;x-amz-date`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedHeaders(String);

impl SignedHeaders {
    /// The list of these names, in any order and case.
    #[must_use]
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names: Vec<Cow<'_, str>> = names.into_iter().map(lower).collect();
        names.sort_unstable();
        names.dedup();
        Self(join(&names))
    }

    /// Reads a list as it was sent, or `None` when one in it is no header name in lower case or is
    /// repeated.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mut last, mut is_sorted) = ("", true);
        for name in split(text, Ascii::new(SEPARATOR)) {
            if !is_name(name) {
                return None;
            }
            is_sorted &= last < name;
            last = name;
        }
        if is_sorted {
            return Some(Self(text.to_owned()));
        }
        let mut names: Vec<&str> = split(text, Ascii::new(SEPARATOR)).collect();
        names.sort_unstable();
        let is_repeated = names.windows(2).any(|pair| pair.first() == pair.last());
        (!is_repeated).then(|| Self(join(&names)))
    }

    /// The list as it is signed: the names with `;` between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        split(&self.0, Ascii::new(SEPARATOR)).filter(|name| !name.is_empty())
    }

    /// Whether the list has this name, in any case.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|signed| signed.eq_ignore_ascii_case(name))
    }
}

fn join<S: Borrow<str>>(names: &[S]) -> String {
    let mut list = String::with_capacity(LIST_BYTES);
    for name in names {
        if !list.is_empty() {
            list.push(char::from(SEPARATOR));
        }
        list.push_str(name.borrow());
    }
    list
}

/// The name in lower case, as most come.
fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Whether this is the name of a header, in lower case.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase()
                || byte == b'-'
                || byte.is_ascii_digit()
                || b"!#$%&'*+.^_`|~".contains(&byte)
        })
}

/// Capacity for most lists.
const LIST_BYTES: usize = 128;

/// What stands between two names.
const SEPARATOR: u8 = b';';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_made_of_names_is_the_one_read_from_its_text() {
        let names = ["x-amz-date", "Host", "content-type", "host", "X-AMZ-Date"];
        let made = SignedHeaders::from_names(names);
        assert_eq!(made.as_str(), "content-type;host;x-amz-date");
        assert_eq!(
            SignedHeaders::parse("x-amz-date;host;content-type"),
            Some(made)
        );
    }

    #[test]
    fn an_empty_list_has_no_name() {
        assert_eq!(SignedHeaders::from_names([]).names().count(), 0);
        assert!(!SignedHeaders::default().contains(""));
    }

    #[test]
    fn a_name_that_begins_as_another_does_is_not_that_one() {
        let list = SignedHeaders::parse("host;x-amz-meta-a").unwrap();
        assert!(list.contains("X-Amz-Meta-A"));
        assert!(!list.contains("x-amz-meta"));
    }
}
