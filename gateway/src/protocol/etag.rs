//! Entity tags: which bytes an object has, in a few characters.
//!
//! S3 writes an ETag in quotes and takes it with or without them. An object that was uploaded in parts has
//! the number of its parts behind a hyphen. An [`ETag`] is in quotes always, so two of them are equal
//! exactly if they mean the same.
//!
//! Sources: RFC 9110, section 8.8.3; <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>.

use http::HeaderMap;
use http::HeaderValue;
use http::header;
use md5::Digest as _;
use md5::Md5;

/// An entity tag, in quotes. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ETag(HeaderValue);

impl ETag {
    /// Reads an ETag with or without quotes; `None` for an empty text, or one that no header can carry.
    ///
    /// A weak mark is dropped: S3 has strong ETags only, so a proxy must have put it there.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // As nearly all are: a listing has a thousand.
        if let Some(bare) = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'))
            && !bare.is_empty()
            && bare
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
        {
            return HeaderValue::from_str(text).ok().map(Self);
        }
        let bare = strip(text);
        if bare.is_empty() {
            return None;
        }
        let value = HeaderValue::from_str(&format!("\"{bare}\"")).ok()?;
        value.to_str().is_ok().then_some(Self(value))
    }

    /// The `ETag` header of an answer, in memory of its own: the header shares the buffer of 8 KiB that the answer was
    /// read into, and ETags are remembered.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::ETAG)?;
        let text = value.to_str().ok()?;
        let bare = strip(text);
        let is_quoted = text.len() == bare.len() + 2 && text.starts_with('"') && !bare.is_empty();
        match is_quoted && text.ends_with('"') {
            true => HeaderValue::from_bytes(value.as_bytes()).ok().map(Self),
            false => Self::parse(text),
        }
    }

    /// The ETag of an SSE-S3 object: the MD5 of its bytes.
    #[must_use]
    pub fn from_md5(md5: &[u8; 16]) -> Self {
        let mut quoted = [b'"'; 34];
        if let Some(place) = quoted.get_mut(1..33) {
            hex::encode_to_slice(md5, place).expect("a digest has 32 hex digits");
        }
        Self(HeaderValue::from_bytes(&quoted).expect("hex digits are a header value"))
    }

    /// The ETag of an object in parts: the MD5 of its parts' MD5s, and their number.
    #[must_use]
    pub fn from_part_md5s(md5s: &[[u8; 16]]) -> Self {
        let digest = Md5::digest(md5s.as_flattened());
        Self::from_digest(&hex::encode(digest), md5s.len())
    }

    /// The same digest with another number of parts behind it.
    #[must_use]
    pub fn with_parts(&self, parts: usize) -> Self {
        let bare = self.bare();
        let digest = bare.rsplit_once('-').map_or(bare, |(digest, _)| digest);
        Self::from_digest(digest, parts)
    }

    fn from_digest(digest: &str, parts: usize) -> Self {
        let value = HeaderValue::from_str(&format!("\"{digest}-{parts}\""));
        Self(value.expect("a part of a header value is one"))
    }

    /// How many parts the object has by it, where it has that number.
    #[must_use]
    pub fn parts(&self) -> Option<u32> {
        self.bare().rsplit_once('-')?.1.parse().ok()
    }

    /// The text in quotes, as it stands in headers and documents.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The text without quotes.
    #[must_use]
    pub fn bare(&self) -> &str {
        self.as_str().trim_matches('"')
    }

    /// The value of the header.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether a list of ETags, or `*`, names this one; weak marks and quotes make no difference.
    #[must_use]
    pub fn is_in(&self, list: &str) -> bool {
        let bare = self.bare();
        list.split(',').map(strip).any(|it| it == "*" || it == bare)
    }

    /// The value of an `If-Match` for the backend: in quotes if the client's was, else bare.
    ///
    /// RFC 9110 wants quotes and S3 takes both, but Ceph 18 takes an ETag of a write without them only.
    #[must_use]
    pub fn in_form_of(&self, client: &str) -> HeaderValue {
        if client.contains('"') {
            return self.to_header();
        }
        HeaderValue::from_str(self.bare()).unwrap_or_else(|_| self.to_header())
    }
}

/// The text without quotes, blanks around it, and weak mark.
fn strip(etag: &str) -> &str {
    let mut text = etag;
    loop {
        let bare = text.trim_matches(|c: char| c == '"' || c.is_whitespace());
        let bare = bare.strip_prefix("W/").unwrap_or(bare);
        if bare.len() == text.len() {
            return text;
        }
        text = bare;
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;

    use super::ETag;

    #[test]
    fn an_etag_keeps_nothing_of_the_buffer_that_its_answer_was_read_into() {
        let buffer = bytes::Bytes::from(b"\"abc\" and all else of the answer".to_vec());
        let value = HeaderValue::from_maybe_shared(buffer.slice(..5)).unwrap();
        let headers = HeaderMap::from_iter([(http::header::ETAG, value)]);
        let etag = ETag::from_headers(&headers).unwrap();
        drop(headers);
        assert!(buffer.is_unique());
        assert_eq!(etag.as_str(), "\"abc\"");
    }

    #[test]
    fn quotes_make_no_difference_and_are_always_written() {
        let quoted = ETag::parse("\"abc\"").unwrap();
        assert_eq!(quoted, ETag::parse(" abc ").unwrap());
        assert_eq!((quoted.as_str(), quoted.bare()), ("\"abc\"", "abc"));
        let mut headers = HeaderMap::new();
        headers.insert("etag", HeaderValue::from_static("abc"));
        assert_eq!(ETag::from_headers(&headers), Some(quoted));
    }

    #[test]
    fn an_empty_text_is_no_etag() {
        for text in ["", " ", "\"\"", "\n", "a\nb"] {
            assert_eq!(ETag::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_etag_of_parts_is_the_md5_of_their_md5s_and_their_number() {
        // MD5s of "a" and "b".
        let md5s = [
            "0cc175b9c0f1b6a831c399e269772661",
            "92eb5ffee6ae2fec3ad71c777531578f",
        ]
        .map(|text| hex::decode(text).unwrap().try_into().unwrap());
        let etag = ETag::from_part_md5s(&md5s);
        assert_eq!(etag.as_str(), "\"96e024ba2074fe77e8e965ba43a704be-2\"");
        assert_eq!(etag.parts(), Some(2));
        assert_eq!(etag.with_parts(7).parts(), Some(7));
        assert_eq!(
            ETag::from_md5(&md5s[0]).bare(),
            "0cc175b9c0f1b6a831c399e269772661"
        );
        assert_eq!(ETag::from_md5(&md5s[0]).parts(), None);
    }

    #[test]
    fn a_condition_goes_on_in_the_form_in_which_the_client_wrote_it() {
        let etag = ETag::parse("\"backend\"").unwrap();
        for (client, onward) in [("\"client\"", "\"backend\""), ("client", "backend")] {
            assert_eq!(etag.in_form_of(client), onward);
        }
        assert_eq!(etag.in_form_of("*"), "backend");
    }

    #[test]
    fn lists_stars_and_weak_marks_are_understood() {
        let etag = ETag::parse("b").unwrap();
        for list in ["*", "b", "\"b\"", "\"a\", \"b\"", "W/\"b\""] {
            assert!(etag.is_in(list), "{list}");
        }
        for list in ["", "a", "\"a\", \"c\"", "bb"] {
            assert!(!etag.is_in(list), "{list}");
        }
    }
}
