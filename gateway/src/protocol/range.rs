//! Which bytes of an object a client requests.
//!
//! [`ByteRange::parse`] reads the `Range` header as S3 does: what is not one well-formed byte range is
//! ignored and the whole object is answered. [`ByteRange::resolve`] lays a range over an object
//! whose size is known. All positions are plaintext bytes, counted from 0; ends are inclusive,
//! as in the header.
//!
//! Sources: RFC 9110, section 14; <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>.

/// A byte range as the client wrote it, before the object's size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-`: from `first` to the end.
    From {
        /// Position of the first byte.
        first: u64,
    },

    /// `bytes=first-last`: both ends included.
    Between {
        /// Position of the first byte.
        first: u64,
        /// Position of the last byte, which may lie behind the object's end.
        last: u64,
    },

    /// `bytes=-count`: the last `count` bytes.
    Suffix {
        /// How many bytes, which may be more than the object has.
        count: u64,
    },
}

impl ByteRange {
    /// The range in a `Range` header, or `None` where S3 ignores the header.
    ///
    /// Ignored are other units, several ranges, ranges that run backwards, and what does not parse.
    /// Numbers too large for 64 bits are taken as the largest one.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.trim().split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (first.trim(), last.trim()) {
            ("", "") => None,
            ("", count) => Some(Self::Suffix {
                count: position(count)?,
            }),
            (first, "") => Some(Self::From {
                first: position(first)?,
            }),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Between { first, last })
            }
        }
    }

    /// The bytes this range names in an object of `object_bytes`, or `None` when it names none
    /// (416 `InvalidRange`).
    #[must_use]
    pub fn resolve(self, object_bytes: u64) -> Option<Span> {
        let end = object_bytes.checked_sub(1)?;
        let span = match self {
            Self::From { first } => Span { first, last: end },
            Self::Between { first, last } => Span {
                first,
                last: last.min(end),
            },
            Self::Suffix { count: 0 } => return None,
            Self::Suffix { count } => Span {
                first: object_bytes.saturating_sub(count),
                last: end,
            },
        };
        (span.first <= end).then_some(span)
    }

    /// Whether this range names all bytes of an object of `object_bytes`.
    #[must_use]
    pub fn covers(self, object_bytes: u64) -> bool {
        let span = self.resolve(object_bytes);
        span.is_some_and(|span| span.bytes() == object_bytes)
    }

    /// Whether there is an object of which this range names all bytes.
    #[must_use]
    pub fn may_begin_an_object(self) -> bool {
        match self {
            Self::From { first } | Self::Between { first, .. } => first == 0,
            Self::Suffix { count } => count > 0,
        }
    }
}

/// One run of bytes that lies within an object. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Position of the first byte.
    pub first: u64,
    /// Position of the last byte.
    pub last: u64,
}

impl Span {
    /// Number of bytes in the span.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.last - self.first + 1
    }

    /// The `Content-Range` header of an answer that carries this span.
    #[must_use]
    pub fn content_range(self, object_bytes: u64) -> String {
        format!("bytes {}-{}/{object_bytes}", self.first, self.last)
    }
}

/// A `Content-Range` header of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Position of the first byte that follows.
    pub first: u64,
    /// Position of the last byte that follows.
    pub last: u64,
    /// Size of the whole stored object.
    pub total: u64,
}

impl ContentRange {
    /// Reads `bytes first-last/total`; `None` for anything else, also for an unknown total (`*`).
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (range, total) = header.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (exact(first)?, exact(last)?);
        let total = exact(total)?;
        (first <= last && last < total).then_some(Self { first, last, total })
    }
}

/// A decimal position; too large is as good as the largest.
fn position(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn exact(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::ByteRange;
    use super::ContentRange;
    use super::Span;

    #[test]
    fn one_well_formed_range_is_read() {
        for (header, expected) in [
            ("bytes=0-0", ByteRange::Between { first: 0, last: 0 }),
            ("bytes=5-", ByteRange::From { first: 5 }),
            ("bytes=-7", ByteRange::Suffix { count: 7 }),
            ("Bytes = 1 - 2", ByteRange::Between { first: 1, last: 2 }),
            (
                "bytes=1-99999999999999999999999",
                ByteRange::Between {
                    first: 1,
                    last: u64::MAX,
                },
            ),
            ("bytes=-0", ByteRange::Suffix { count: 0 }),
        ] {
            assert_eq!(ByteRange::parse(header), Some(expected), "{header}");
        }
    }

    #[test]
    fn what_is_not_one_byte_range_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1--2",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header}");
        }
    }

    #[test]
    fn ranges_are_cut_at_the_end_of_the_object() {
        let resolve = |header: &str, bytes| ByteRange::parse(header).unwrap().resolve(bytes);
        assert_eq!(resolve("bytes=2-99", 10), Some(Span { first: 2, last: 9 }));
        assert_eq!(resolve("bytes=-99", 10), Some(Span { first: 0, last: 9 }));
        assert_eq!(resolve("bytes=-3", 10), Some(Span { first: 7, last: 9 }));
        assert_eq!(resolve("bytes=9-", 10), Some(Span { first: 9, last: 9 }));
    }

    #[test]
    fn a_range_that_names_no_byte_cannot_be_answered() {
        for (header, bytes) in [
            ("bytes=10-", 10),
            ("bytes=10-20", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-5", 0),
        ] {
            assert_eq!(
                ByteRange::parse(header).unwrap().resolve(bytes),
                None,
                "{header}"
            );
        }
    }

    #[test]
    fn a_content_range_needs_a_total_and_must_fit_it() {
        assert_eq!(
            ContentRange::parse("bytes 0-9/10"),
            Some(ContentRange {
                first: 0,
                last: 9,
                total: 10
            })
        );
        for header in [
            "bytes 0-9/*",
            "bytes 0-10/10",
            "bytes 5-4/10",
            "bytes */10",
            "0-9/10",
        ] {
            assert_eq!(ContentRange::parse(header), None, "{header}");
        }
    }
}
