//! Percent-encoding as SigV4 requires it, and decoding.
//!
//! Every byte is encoded except the unreserved ones of RFC 3986 (letters, digits, `-`, `.`, `_`, `~`),
//! with upper-case hex digits. A path keeps its slashes.

use std::borrow::Cow;

/// `text` with every byte encoded except the unreserved ones, slashes too: names and values of queries.
#[must_use]
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.as_bytes(), false);
    out
}

/// `path` with every byte encoded except the unreserved ones and the slash: the path of an object whose
/// key is `path`, as it goes over the wire and into the canonical request.
#[must_use]
pub fn encode_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    encode_into(&mut out, path, true);
    out
}

/// The bytes that `path` stands for. A `+` is a plus here.
///
/// # Errors
///
/// [`EncodingError`] for a `%` that two hex digits do not follow.
pub fn decode_path(path: &str) -> Result<Vec<u8>, EncodingError> {
    decode(path.as_bytes(), false)
}

/// The pairs of a raw query, decoded, in their order. A `+` is a space; a name without `=` has an
/// empty value; nothing between two `&` is no pair.
///
/// # Errors
///
/// [`EncodingError`] for a `%` that two hex digits do not follow and for bytes that are not UTF-8.
pub fn decode_query(query: &str) -> Result<Vec<(String, String)>, EncodingError> {
    let text = |part: &str| {
        let bytes = decode(part.as_bytes(), true)?;
        String::from_utf8(bytes).map_err(|_| EncodingError)
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((text(name)?, text(value)?))
        })
        .collect()
}

/// The canonical query of decoded `pairs`: each encoded, then sorted by name and by value.
///
/// The sort is by the encoded bytes, as AWS requires; repeated names stay, each with its value.
#[must_use]
pub fn canonical_query(pairs: &[(&str, &str)]) -> String {
    let mut encoded: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| (encode_component(name), encode_component(value)))
        .collect();
    encoded.sort();

    let mut out = String::new();
    for (name, value) in &encoded {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
    out
}

/// The canonical path of S3: `path` decoded and encoded once, so that every spelling of one key gives
/// one path. Nothing is normalised: `//` and `/./` are parts of keys. A `%` that two hex digits do
/// not follow stands for itself.
pub(crate) fn encode_once(path: &str) -> Cow<'_, str> {
    let stands_for_itself = |byte: u8| is_unreserved(byte) || byte == b'/';
    if !path.is_empty() && path.bytes().all(stands_for_itself) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let (byte, tail) = match escape(byte, tail) {
            Some((decoded, after)) => (decoded, after),
            None => (byte, tail),
        };
        encode_into(&mut out, &[byte], true);
        rest = tail;
    }
    if out.is_empty() {
        Cow::Borrowed("/")
    } else {
        Cow::Owned(out)
    }
}

/// The canonical path of every other service: dot segments and empty segments removed, then what was
/// sent, encoded already, encoded again.
pub(crate) fn encode_twice(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len() + 1);
    for segment in &segments {
        out.push('/');
        encode_into(&mut out, segment.as_bytes(), false);
    }
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if directory || segments.is_empty() {
        out.push('/');
    }
    out
}

fn encode_into(out: &mut String, bytes: &[u8], keep_slashes: bool) {
    for &byte in bytes {
        if is_unreserved(byte) || (keep_slashes && byte == b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0x0f] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
}

/// Whether a byte is never escaped: RFC 3986, section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn decode(bytes: &[u8], plus_is_space: bool) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let (decoded, after) = escape(byte, tail).ok_or(EncodingError)?;
                out.push(decoded);
                rest = after;
            }
            b'+' if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
    }
    Ok(out)
}

/// The byte of an escape that starts with `first`, and what follows it.
fn escape(first: u8, tail: &[u8]) -> Option<(u8, &[u8])> {
    let (&[high, low], after) = tail.split_first_chunk::<2>()?;
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    (first == b'%').then_some(())?;
    Some((digit(high)? << 4 | digit(low)?, after))
}

/// A path or query that does not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Couldn't parse the specified URI.")]
pub struct EncodingError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_bytes_stay() {
        assert_eq!(encode_component("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(encode_component(" /+*%="), "%20%2F%2B%2A%25%3D");
        assert_eq!(encode_component("ü\u{1f511}"), "%C3%BC%F0%9F%94%91");
        assert_eq!(encode_path(b"/a b/\xff"), "/a%20b/%FF");
    }

    #[test]
    fn every_spelling_of_a_key_gives_one_canonical_path() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/b/a%2fb", "/b/a/b"),
            ("/b/a%2Fb", "/b/a/b"),
            ("/b/a b", "/b/a%20b"),
            ("/b/a%20b", "/b/a%20b"),
            ("/b/a+b", "/b/a%2Bb"),
            ("/b/a%2bb", "/b/a%2Bb"),
            ("/b/%7E~", "/b/~~"),
            ("/b/*()!'", "/b/%2A%28%29%21%27"),
            ("/b/%61", "/b/a"),
            ("/b/ü", "/b/%C3%BC"),
            ("/b/%c3%bc", "/b/%C3%BC"),
            ("/b/%252e", "/b/%252e"),
            ("%61 b", "a%20b"),
        ] {
            assert_eq!(encode_once(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn parts_that_look_like_paths_are_parts_of_keys() {
        for path in ["//", "/b//k", "/b/./k", "/b/../k", "/b/k/", "/b//", "/b/."] {
            assert_eq!(encode_once(path), path);
        }
        assert_eq!(encode_once("/b/%2e%2e/k"), "/b/../k");
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        for (sent, canonical) in [
            ("/%", "/%25"),
            ("/%4", "/%254"),
            ("/%zz", "/%25zz"),
            ("/%%41", "/%25A"),
        ] {
            assert_eq!(encode_once(sent), canonical);
            assert_eq!(decode_path(sent), Err(EncodingError));
        }
    }

    #[test]
    fn other_services_normalise_before_they_encode() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/a/", "/a/"),
            ("/%2e", "/%252e"),
        ] {
            assert_eq!(encode_twice(sent), canonical, "{sent}");
        }
    }

    #[test]
    fn a_plus_is_a_space_in_a_query_and_a_plus_in_a_path() {
        assert_eq!(decode_path("/a+b").unwrap(), b"/a+b");
        assert_eq!(
            decode_query("a+b=c%2Bd").unwrap(),
            [("a b".to_owned(), "c+d".to_owned())]
        );
    }

    #[test]
    fn a_query_keeps_order_repetition_and_empty_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            decode_query("acl&b=&a=1&a=0&=x&&c=d=e").unwrap(),
            [
                pair("acl", ""),
                pair("b", ""),
                pair("a", "1"),
                pair("a", "0"),
                pair("", "x"),
                pair("c", "d=e"),
            ]
        );
        assert_eq!(decode_query("").unwrap(), []);
    }

    #[test]
    fn a_query_that_does_not_decode_is_refused() {
        for query in ["a=%", "a=%4", "%zz=1", "a=%ff"] {
            assert_eq!(decode_query(query), Err(EncodingError), "{query}");
        }
    }

    #[test]
    fn the_canonical_query_sorts_encoded_names_then_values() {
        assert_eq!(
            canonical_query(&[("b", "1"), ("a", "2"), ("a", "10"), ("a", "")]),
            "a=&a=10&a=2&b=1"
        );
        // Bare, the digit sorts before the colon; encoded, the colon is `%3A` and comes first.
        assert_eq!(canonical_query(&[("a1", ""), ("a:", "")]), "a%3A=&a1=");
        assert_eq!(
            canonical_query(&[("a", ""), ("A", ""), ("_", "")]),
            "A=&_=&a="
        );
        assert_eq!(canonical_query(&[("acl", "")]), "acl=");
        assert_eq!(canonical_query(&[]), "");
    }
}
