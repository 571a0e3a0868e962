//! Percent-encoding as SigV4 wants it, and the way back.
//!
//! Every byte is encoded but the unreserved ones of RFC 3986 (letters, digits, `-`, `.`, `_`, `~`),
//! with upper-case hex digits. A path keeps its slashes.

/// `text` with every byte encoded but the unreserved ones, slashes too: names and values of queries.
#[must_use]
pub fn encode_component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text.as_bytes(), false);
    out
}

/// `path` with every byte encoded but the unreserved ones and the slash: the path of an object whose
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
/// The sort is by the encoded bytes, as AWS asks; repeated names stay, each with its value.
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
pub(crate) fn encode_once(path: &str) -> String {
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
    if out.is_empty() { "/".to_owned() } else { out }
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
        let kept = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if kept || (keep_slashes && byte == b'/') {
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
