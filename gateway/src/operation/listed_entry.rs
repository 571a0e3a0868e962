//! What an entry of a backend's listing names.

use proto::sigv4;

use crate::protocol::etag::ETag;
use crate::protocol::xml::Element;

/// The key of a listed object, decoded, and its ETag if that is not empty.
pub(crate) fn key_and_etag(entry: &Element, encoded: bool) -> Option<(String, Option<ETag>)> {
    let key = entry.text_of("Key")?;
    let key = match encoded {
        false => key.to_owned(),
        true => decode(key)?,
    };
    Some((key, ETag::parse(entry.text_of("ETag")?)))
}

/// Undoes `encoding-type=url`, in which a space is a plus or an escape.
pub(crate) fn decode(key: &str) -> Option<String> {
    let spaced = key.replace('+', " ");
    String::from_utf8(sigv4::decode_path(&spaced).ok()?).ok()
}
