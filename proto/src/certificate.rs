//! When a certificate ends, which clients compare with their clocks. Nothing else of it is read here.
//!
//! Source: RFC 5280, section 4.1

use crate::time::Timestamp;

/// The end of the validity of an X.509 certificate in DER; none if it is not one.
#[must_use]
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, after)) = element(rest, VERSION) {
        rest = after;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // Serial number, algorithm of the signature, issuer.
        rest = element(rest, tag)?.1;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, end) = time(validity)?;
    time(end).map(|(time, _)| time)
}

/// A time, and what follows it.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (digits, rest, century) = match element(bytes, UTC_TIME) {
        // Two digits of the year: 1950 to 2049.
        Some((text, rest)) if text.first()? < &b'5' => (text, rest, "20"),
        Some((text, rest)) => (text, rest, "19"),
        None => {
            let (text, rest) = element(bytes, GENERALIZED_TIME)?;
            (text, rest, "")
        }
    };
    let text = format!("{century}{}", std::str::from_utf8(digits).ok()?);
    let (date, hour) = text.split_at_checked(DATE_DIGITS)?;
    let time = Timestamp::parse_basic(&format!("{date}T{hour}")).ok()?;
    Some((time, rest))
}

/// The content of the element of that tag which the bytes begin with, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..LONG => (usize::from(*length), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(length - LONG))?;
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                Some(length.checked_mul(256)? | usize::from(*digit))
            });
            (length?, rest)
        }
    };
    rest.split_at_checked(length)
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The explicit tag of the version, which only versions 2 and 3 have.
const VERSION: u8 = 0xa0;
/// A length of more than 7 bits has its number of bytes over this.
const LONG: u8 = 0x80;
/// Digits of a date with its century.
const DATE_DIGITS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &length, content].concat()
    }

    fn certificate(version: &[u8], end: Vec<u8>) -> Vec<u8> {
        let validity = [der(UTC_TIME, b"200101000000Z"), end].concat();
        let fields = [
            version.to_vec(),
            vec![INTEGER, 1, 7],
            der(SEQUENCE, b""),
            der(SEQUENCE, &[0; 300]),
            der(SEQUENCE, &validity),
        ];
        der(SEQUENCE, &der(SEQUENCE, &fields.concat()))
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time_and_of_every_version() {
        let version_3 = [VERSION, 3, INTEGER, 1, 2];
        for (version, tag, text, expected) in [
            (
                &version_3[..],
                UTC_TIME,
                "270304050607Z",
                "2027-03-04T05:06:07Z",
            ),
            (
                &version_3,
                UTC_TIME,
                "991231235959Z",
                "1999-12-31T23:59:59Z",
            ),
            (
                &[],
                GENERALIZED_TIME,
                "20510304050607Z",
                "2051-03-04T05:06:07Z",
            ),
        ] {
            let end = not_after(&certificate(version, der(tag, text.as_bytes())));
            assert_eq!(end.unwrap().iso8601(), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = certificate(&[], der(UTC_TIME, b"270304050607Z"));
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
        for time in [&b"2703040506Z"[..], b"", b"\xff", b"270304050607"] {
            assert_eq!(not_after(&certificate(&[], der(UTC_TIME, time))), None);
        }
        assert_eq!(not_after(&[SEQUENCE, 0xff]), None);
        assert_eq!(
            not_after(&[&[SEQUENCE, 0x89][..], &[0xff; 9]].concat()),
            None
        );
    }
}
