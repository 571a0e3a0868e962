//! Authorities as Java reads them: a PKCS #12 file with nothing but trusted certificates.
//!
//! Nothing in it is secret, so that nothing is encrypted, and there is no digest under a password: who can write into
//! the folder could write that, too. A program that demands a password takes any, such as `changeit`, which is that of
//! Java's own store.
//!
//! Sources: RFC 7292; X.690 (DER). Java takes an entry for trusted by an attribute of Oracle's, which keytool writes.

/// A store of certificates in DER; the first one has the alias `sealgate`.
pub(super) fn of<C: AsRef<[u8]>>(certificates: impl IntoIterator<Item = C>) -> Vec<u8> {
    let mut bags = Vec::new();
    for (at, certificate) in certificates.into_iter().enumerate() {
        let alias = match at {
            0 => "sealgate".to_owned(),
            at => format!("system-{at}"),
        };
        bags.extend(bag(&alias, certificate.as_ref()));
    }
    let safe = der(SEQUENCE, &[&bags]);
    let safes = der(SEQUENCE, &[&data(&safe)]);
    der(SEQUENCE, &[&der(INTEGER, &[&[3]]), &data(&safes)])
}

/// A bag with one certificate.
fn bag(alias: &str, certificate: &[u8]) -> Vec<u8> {
    let content = der(OCTET_STRING, &[certificate]);
    let x509 = [
        &der(OID, &[X509_CERTIFICATE]),
        &der(EXPLICIT, &[&content])[..],
    ]
    .concat();
    let name: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
    // A set is sorted: the shorter attribute first.
    let mut attributes = [
        attribute(FRIENDLY_NAME, &der(BMP_STRING, &[&name])),
        attribute(TRUSTED_KEY_USAGE, &der(OID, &[ANY_USAGE])),
    ];
    attributes.sort();
    der(
        SEQUENCE,
        &[
            &der(OID, &[CERTIFICATE_BAG]),
            &der(EXPLICIT, &[&der(SEQUENCE, &[&x509])]),
            &der(SET, &[&attributes.concat()]),
        ],
    )
}

fn attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[&der(OID, &[name]), &der(SET, &[value])])
}

/// Content that is not encrypted.
fn data(content: &[u8]) -> Vec<u8> {
    let content = der(EXPLICIT, &[&der(OCTET_STRING, &[content])]);
    der(SEQUENCE, &[&der(OID, &[DATA]), &content])
}

/// A value with its type and length.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    let mut value = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < LONG_FORM => value.push(short),
        _ => {
            let count = u8::try_from(bytes.len()).expect("a length has at most 8 bytes");
            value.push(LONG_FORM | count);
            value.extend_from_slice(bytes);
        }
    }
    for part in parts {
        value.extend_from_slice(part);
    }
    value
}

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const BMP_STRING: u8 = 0x1E;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0] EXPLICIT`.
const EXPLICIT: u8 = 0xA0;
/// Marks the number of the bytes of a length that does not fit into one.
const LONG_FORM: u8 = 0x80;

/// 1.2.840.113549.1.7.1, `data` of PKCS #7.
const DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.12.10.1.3, `certBag`.
const CERTIFICATE_BAG: &[u8] = &[
    0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x03,
];
/// 1.2.840.113549.1.9.22.1, `x509Certificate`.
const X509_CERTIFICATE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x16, 0x01];
/// 1.2.840.113549.1.9.20, `friendlyName`: the alias.
const FRIENDLY_NAME: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x14];
/// 2.16.840.1.113894.746875.1.1, `trustedKeyUsage` of Oracle.
const TRUSTED_KEY_USAGE: &[u8] = &[
    0x60, 0x86, 0x48, 0x01, 0x86, 0xF9, 0x66, 0xAD, 0xCA, 0x7B, 0x01, 0x01,
];
/// 2.5.29.37.0, `anyExtendedKeyUsage`.
const ANY_USAGE: &[u8] = &[0x55, 0x1D, 0x25, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_shortest_form() {
        for (length, head) in [
            (0, &[4, 0][..]),
            (127, &[4, 0x7F]),
            (128, &[4, 0x81, 0x80]),
            (256, &[4, 0x82, 1, 0]),
            (70_000, &[4, 0x83, 1, 0x11, 0x70]),
        ] {
            let value = der(OCTET_STRING, &[&vec![0; length]]);
            assert_eq!(value[..head.len()], *head);
            assert_eq!(value.len(), head.len() + length);
        }
    }

    #[test]
    fn every_certificate_is_in_it_under_an_alias_of_its_own() {
        let store = of([b"one-certificate", b"two-certificate"]);
        let has = |part: &[u8]| store.windows(part.len()).any(|window| window == part);
        for alias in ["sealgate", "system-1"] {
            let name: Vec<u8> = alias.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert!(has(&name), "{alias}");
        }
        assert!(has(b"one-certificate") && has(b"two-certificate"));
    }
}
