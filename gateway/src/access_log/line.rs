//! The text of a record: fields parted by one blank, in one line.
//!
//! No value may end a field or a line early, whatever a client sent. AWS writes the client's own bytes between
//! quotation marks; here quotation marks, control characters and what is not ASCII are percent-encoded in them.
//! The values of signatures, session tokens and customer keys in a query are not written at all.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use proto::sigv4;
use proto::time::Timestamp;

/// A record that is being written.
#[derive(Debug, Default)]
pub struct Line(String);

impl Line {
    /// A line without fields.
    #[must_use]
    pub fn new() -> Self {
        Self(String::with_capacity(512))
    }

    /// Adds a field that stands without quotation marks; `-` for none, and for one without characters.
    pub fn plain(&mut self, value: Option<&str>) {
        self.part();
        match value {
            Some(value) if !value.is_empty() => encode(&mut self.0, value.as_bytes(), b" \""),
            _ => self.0.push('-'),
        }
    }

    /// Adds a number; `-` for none.
    pub fn number(&mut self, value: Option<u64>) {
        self.part();
        match value {
            // Writing to a string does not fail.
            Some(value) => drop(write!(self.0, "{value}")),
            None => self.0.push('-'),
        }
    }

    /// Adds a field between quotation marks; `"-"` for none.
    pub fn quoted(&mut self, value: Option<&[u8]>) {
        self.part();
        self.0.push('"');
        match value {
            Some(value) if !value.is_empty() => encode(&mut self.0, value, b"\""),
            _ => self.0.push('-'),
        }
        self.0.push('"');
    }

    /// Adds a field between quotation marks in which no blank may stand, since readers take it for a plain one:
    /// AWS's own expression for Athena does so with the referrer.
    pub fn quoted_without_blanks(&mut self, value: Option<&[u8]>) {
        self.part();
        self.0.push('"');
        match value {
            Some(value) if !value.is_empty() => encode(&mut self.0, value, b" \""),
            _ => self.0.push('-'),
        }
        self.0.push('"');
    }

    /// Adds a time: `[06/Feb/2019:00:00:38 +0000]`.
    pub fn time(&mut self, time: Timestamp) {
        self.part();
        self.0.push_str(&log_time(time));
    }

    /// The line with its end.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.0.push('\n');
        self.0
    }

    fn part(&mut self) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
    }
}

/// Appends `value` with every byte percent-encoded that is `special`, a control character or not ASCII.
fn encode(out: &mut String, value: &[u8], special: &[u8]) {
    for byte in value {
        match byte {
            0x20..=0x7e if !special.contains(byte) => out.push(char::from(*byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

/// A key as most records have it: URL-encoded twice. Slashes stay.
///
/// Source: lines of real logs, among them those in
/// <https://docs.ovhcloud.com/en/public-cloud-object-storage-server-access-logging>; AWS documents "URL-encoded".
#[must_use]
pub fn twice_encoded(key: &str) -> String {
    // The one character of an encoded key that is not unreserved is the percent sign.
    once_encoded(key).replace('%', "%25")
}

/// A key as the records of batches have it: URL-encoded once. Slashes stay.
#[must_use]
pub fn once_encoded(key: &str) -> String {
    sigv4::encode_path(key.as_bytes())
}

/// The address in a request's first line, without the values that are as good as a password.
#[must_use]
pub fn redacted(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else {
        return address.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={REDACTED}"),
        _ => pair.to_owned(),
    });
    let pairs: Vec<_> = pairs.collect();
    [path, "?", &pairs.join("&")].concat()
}

/// Whether the value of a query parameter proves something to whoever reads it: a signature of either version, a
/// session token, a customer key, or the code of an MFA device. `name` is as it was sent.
fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name)
        .decode_utf8_lossy()
        .to_ascii_lowercase();
    SECRETS.contains(&name.as_str()) || name.ends_with("-customer-key")
}

const SECRETS: [&str; 4] = [
    "signature",
    "x-amz-mfa",
    "x-amz-security-token",
    "x-amz-signature",
];

const REDACTED: &str = "REDACTED";

fn log_time(time: Timestamp) -> String {
    let text = time.iso8601();
    let (date, clock) = text.split_once('T').unwrap_or_default();
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|month| month.parse::<usize>().ok());
    let month = month.and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let (year, day) = (year.unwrap_or_default(), day.unwrap_or_default());
    let month = month.copied().unwrap_or_default();
    let clock = clock.trim_end_matches('Z');
    format!("[{day}/{month}/{year}:{clock} +0000]")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_parted_by_one_blank_and_none_is_empty() {
        let mut line = Line::new();
        line.plain(Some("a"));
        line.plain(None);
        line.plain(Some(""));
        line.number(Some(7));
        line.number(None);
        line.quoted(None);
        line.quoted(Some(b"b c"));
        line.time(Timestamp::from_unix_seconds(1_549_411_238));
        let expected = "a - - 7 - \"-\" \"b c\" [06/Feb/2019:00:00:38 +0000]\n";
        assert_eq!(line.finish(), expected);
    }

    #[test]
    fn no_value_ends_a_field_or_a_line() {
        let mut line = Line::new();
        line.quoted(Some(b"a\" 200 \"b\r\n\x7f\xff\t"));
        line.plain(Some("a b\"c\nd\u{fc}"));
        line.quoted_without_blanks(Some(b"a \"b"));
        let expected = "\"a%22 200 %22b%0D%0A%7F%FF%09\" a%20b%22c%0Ad%C3%BC \"a%20%22b\"\n";
        assert_eq!(line.finish(), expected);
    }

    #[test]
    fn a_key_is_encoded_twice_and_in_batches_once() {
        let key = "a b/\u{fc}\"";
        assert_eq!(twice_encoded(key), "a%2520b/%25C3%25BC%2522");
        assert_eq!(once_encoded(key), "a%20b/%C3%BC%22");
    }

    #[test]
    fn what_is_as_good_as_a_password_is_not_written_however_its_name_is_spelled() {
        for (address, expected) in [
            ("/b/k", "/b/k"),
            ("/b/k?versionId=1&x-tag=a", "/b/k?versionId=1&x-tag=a"),
            (
                "/b/k?X-Amz-Expires=9&X-Amz-Signature=ab12&X-Amz-Security-Token=t%3D",
                "/b/k?X-Amz-Expires=9&X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED",
            ),
            (
                "/b/k?X%2DAmz-Signatur%65=ab",
                "/b/k?X%2DAmz-Signatur%65=REDACTED",
            ),
            (
                "/b/k?Signature=a=b?c&Expires=1",
                "/b/k?Signature=REDACTED&Expires=1",
            ),
            (
                "/b/k?x-amz-server-side-encryption-customer-key=AAAA",
                "/b/k?x-amz-server-side-encryption-customer-key=REDACTED",
            ),
        ] {
            assert_eq!(redacted(address), expected);
        }
    }
}
