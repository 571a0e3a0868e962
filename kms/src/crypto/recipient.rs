//! Answers sealed for an enclave: CMS EnvelopedData (RFC 5652) for the RSA key of an attestation
//! document.
//!
//! The document is a COSE_Sign1 of CBOR (RFC 9052, RFC 8949) whose payload is a map with the key
//! under `public_key`. It is read, not verified: whoever may use the KMS key may also make one up,
//! so that code for enclaves can be tried outside of one.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/services-nitro-enclaves.html>

use aws_lc_rs::cipher::AES_256;
use aws_lc_rs::cipher::PaddedBlockEncryptingKey;
use aws_lc_rs::cipher::UnboundCipherKey;
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use aws_lc_rs::rsa::OaepPublicEncryptingKey;
use aws_lc_rs::rsa::PublicEncryptingKey;
use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::der::sequence;
use crate::crypto::der::value;
use crate::crypto::random_array;

/// Who an answer is sealed for.
pub struct Recipient {
    key: OaepPublicEncryptingKey,
    /// Names the key to whoever has several: the first half of its SHA-256 (RFC 7093).
    key_id: [u8; 20],
    /// Platform configuration registers (PCRs) and their values.
    pub measurements: Vec<(u64, Vec<u8>)>,
}

impl Recipient {
    /// The recipient whose key an attestation document holds; none if it holds no RSA key.
    #[must_use]
    pub fn of_attestation(document: &[u8]) -> Option<Self> {
        let (signed, _) = Item::read(document, DEPTH_MAX)?;
        let Item::List(parts) = signed else {
            return None;
        };
        let Item::Bytes(payload) = parts.get(2)? else {
            return None;
        };
        let (payload, _) = Item::read(payload, DEPTH_MAX)?;
        let Item::Map(members) = payload else {
            return None;
        };
        let public_key = members
            .iter()
            .find_map(|(name, value)| match (name, value) {
                (Item::Text(b"public_key"), Item::Bytes(key)) => Some(*key),
                _ => None,
            })?;
        let key = PublicEncryptingKey::from_der(public_key).ok()?;
        let digest = Sha256::digest(public_key);
        let measurements = members
            .iter()
            .find_map(|(name, value)| match (name, value) {
                (Item::Text(b"pcrs"), Item::Map(registers)) => Some(registers),
                _ => None,
            });
        let measured = |(register, value): &(Item<'_>, Item<'_>)| match (register, value) {
            (Item::Number(register), Item::Bytes(value)) => Some((*register, value.to_vec())),
            _ => None,
        };
        let measurements = measurements.into_iter().flatten().filter_map(measured);
        Some(Self {
            measurements: measurements.collect(),
            key: OaepPublicEncryptingKey::new(key).ok()?,
            key_id: *digest.first_chunk()?,
        })
    }

    /// The plaintext in an envelope that only the recipient opens; none if the primitives fail.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        let session = Zeroizing::new(random_array::<32>());
        let mut wrapped = vec![0; self.key.ciphertext_size()];
        let length = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, &*session, &mut wrapped, None)
            .ok()?
            .len();
        wrapped.truncate(length);

        let cipher = UnboundCipherKey::new(&AES_256, &*session).ok()?;
        let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(cipher).ok()?;
        let mut content = plaintext.to_vec();
        let context = cipher.encrypt(&mut content).ok()?;
        let iv: &[u8] = (&context).try_into().ok()?;

        let mgf = sequence(&[MGF_1, &sequence(&[SHA_256, NULL])]);
        let hash = sequence(&[SHA_256, NULL]);
        let parameters = sequence(&[&value(0xa0, &[&hash]), &value(0xa1, &[&mgf])]);
        let recipient = sequence(&[
            VERSION_2,
            &value(0x80, &[&self.key_id]),
            &sequence(&[RSAES_OAEP, &parameters]),
            &value(0x04, &[&wrapped]),
        ]);
        let content = sequence(&[
            DATA,
            &sequence(&[AES_256_CBC, &value(0x04, &[iv])]),
            &value(0x80, &[&content]),
        ]);
        let enveloped = sequence(&[VERSION_2, &value(0x31, &[&recipient]), &content]);
        Some(sequence(&[ENVELOPED_DATA, &value(0xa0, &[&enveloped])]).to_vec())
    }
}

/// An item of CBOR; of those that mean nothing here, only the place is taken.
enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Text(&'a [u8]),
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Other,
}

impl<'a> Item<'a> {
    /// The first item, and what follows it. Items of unknown length are none of COSE's.
    fn read(bytes: &'a [u8], depth: usize) -> Option<(Self, &'a [u8])> {
        let depth = depth.checked_sub(1)?;
        let (first, rest) = bytes.split_first()?;
        let (value, mut rest) = match first & 31 {
            small @ 0..=23 => (u64::from(small), rest),
            24 => {
                let (byte, rest) = rest.split_first()?;
                (u64::from(*byte), rest)
            }
            25 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from(u16::from_be_bytes(*bytes)), rest)
            }
            26 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from(u32::from_be_bytes(*bytes)), rest)
            }
            27 => {
                let (bytes, rest) = rest.split_first_chunk()?;
                (u64::from_be_bytes(*bytes), rest)
            }
            _ => return None,
        };
        let count = usize::try_from(value).ok();
        match first >> 5 {
            0 => Some((Self::Number(value), rest)),
            2 => {
                let (bytes, rest) = rest.split_at_checked(count?)?;
                Some((Self::Bytes(bytes), rest))
            }
            3 => {
                let (bytes, rest) = rest.split_at_checked(count?)?;
                Some((Self::Text(bytes), rest))
            }
            4 => {
                let mut items = Vec::new();
                for _ in 0..count? {
                    let (item, after) = Self::read(rest, depth)?;
                    items.push(item);
                    rest = after;
                }
                Some((Self::List(items), rest))
            }
            5 => {
                let mut members = Vec::new();
                for _ in 0..count? {
                    let (name, after) = Self::read(rest, depth)?;
                    let (value, after) = Self::read(after, depth)?;
                    members.push((name, value));
                    rest = after;
                }
                Some((Self::Map(members), rest))
            }
            // A tag, such as COSE_Sign1's: what it stands before is what counts.
            6 => Self::read(rest, depth),
            _ => Some((Self::Other, rest)),
        }
    }
}

/// An attestation document is a few levels deep.
const DEPTH_MAX: usize = 16;

const NULL: &[u8] = &[0x05, 0x00];
const VERSION_2: &[u8] = &[0x02, 0x01, 0x02];
/// 1.2.840.113549.1.7.3
const ENVELOPED_DATA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03,
];
/// 1.2.840.113549.1.7.1
const DATA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01,
];
/// 1.2.840.113549.1.1.7
const RSAES_OAEP: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07,
];
/// 1.2.840.113549.1.1.8
const MGF_1: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
];
/// 2.16.840.1.101.3.4.2.1
const SHA_256: &[u8] = &[
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
];
/// 2.16.840.1.101.3.4.1.42
const AES_256_CBC: &[u8] = &[
    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a,
];

#[cfg(test)]
mod tests {
    use aws_lc_rs::cipher::DecryptionContext;
    use aws_lc_rs::cipher::PaddedBlockDecryptingKey;
    use aws_lc_rs::iv::FixedLength;

    use super::*;
    use crate::crypto::import::wrapping_pair;
    use crate::crypto::rsa::RsaPair;
    use crate::crypto::spec::KeySpec;

    /// A document as an enclave sends it, with an unused member before the key.
    fn document(public_key: &[u8]) -> Vec<u8> {
        let bytes = |value: &[u8]| {
            let length = u16::try_from(value.len()).unwrap().to_be_bytes();
            [&[0x59], &length[..], value].concat()
        };
        let payload = [
            &[0xa2, 0x64][..],
            b"pcrs",
            &[0xa1, 0x00, 0x41, 0xff, 0x6a],
            b"public_key",
            &bytes(public_key),
        ];
        // Tag 18, a list of four: protected, unprotected, payload, signature.
        [
            &[0xd2, 0x84, 0x40, 0xa0],
            &*bytes(&payload.concat()),
            &[0x40],
        ]
        .concat()
    }

    /// The bytes of the nth value with that tag and length of its length, found by search.
    fn after<'a>(envelope: &'a [u8], marker: &[u8], bytes: usize) -> &'a [u8] {
        let at = envelope
            .windows(marker.len())
            .position(|window| window == marker)
            .unwrap();
        &envelope[at + marker.len()..at + marker.len() + bytes]
    }

    #[test]
    fn only_the_recipient_opens_the_envelope() {
        let spec = KeySpec::Rsa2048;
        let (private, public) = wrapping_pair(spec).unwrap();
        let recipient = Recipient::of_attestation(&document(&public)).unwrap();
        assert_eq!(recipient.measurements, [(0, vec![0xff])]);
        let envelope = recipient.seal(b"for the enclave").unwrap();

        let wrapped = after(&envelope, &[0x04, 0x82, 0x01, 0x00], 256);
        let pair = RsaPair::from_pkcs8(spec, &private).unwrap();
        let session = pair.decrypt("RSAES_OAEP_SHA_256", wrapped).unwrap();
        let iv = after(&envelope, &[AES_256_CBC, &[0x04, 0x10]].concat(), 16);
        let mut content = after(&envelope, &[iv, &[0x80, 0x10]].concat(), 16).to_vec();
        let key = UnboundCipherKey::new(&AES_256, &session).unwrap();
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).unwrap();
        let iv = FixedLength::from(<&[u8; 16]>::try_from(iv).unwrap());
        let opened = key
            .decrypt(&mut content, DecryptionContext::Iv128(iv))
            .unwrap();
        assert_eq!(opened, b"for the enclave");
    }

    #[test]
    fn a_cut_or_changed_document_is_refused_and_never_a_panic() {
        let (_, public) = wrapping_pair(KeySpec::Rsa2048).unwrap();
        let whole = document(&public);
        for length in 0..whole.len() - 1 {
            assert!(
                Recipient::of_attestation(&whole[..length]).is_none(),
                "{length}"
            );
        }
        for (at, byte) in (0..whole.len()).flat_map(|at| [0, 0x5f, 0x9b, 0xff].map(|b| (at, b))) {
            let mut changed = whole.clone();
            changed[at] = byte;
            drop(Recipient::of_attestation(&changed));
        }
        assert!(
            Recipient::of_attestation(&[0x84; 1_000]).is_none(),
            "lists within lists"
        );
    }
}
