//! Envelopes of every mode, written, read, and changed in every way a backend could.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use crate::chunks::DataKey;
use crate::chunks::layout;
use crate::chunks::random::SystemRandom;
use crate::chunks::seal::Sealer;
use crate::chunks::segment;
use crate::chunks::segment::Kind;
use crate::chunks::trailer::Record;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeError;
use crate::envelope::KmsBlob;
use crate::envelope::Layout;
use crate::envelope::Mode;
use crate::envelope::Protection;
use crate::envelope::SealedEnvelope;
use crate::envelope::WrappingKey;
use crate::protocol::headers::ENVELOPE;

const ARN: &str = "arn:aws:s3:::bucket/some/key";
const KEY_ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

const MODES: [Mode; 5] = [
    Mode::SseS3,
    Mode::SseKms,
    Mode::BucketKey,
    Mode::Dsse,
    Mode::SseC,
];

/// One envelope and what opens it.
struct Case {
    data: DataKey,
    wrapping: WrappingKey,
    envelope: Envelope,
    header: String,
}

fn protection(mode: Mode, wrapping: &WrappingKey, data: &DataKey, arn: &str) -> Protection {
    let kms = KmsBlob {
        key_arn: KEY_ARN.to_owned(),
        blob: vec![0xB1; 184],
        context: vec![("team".to_owned(), "blue".to_owned())],
    };
    match mode {
        Mode::SseS3 => Protection::sse_s3(wrapping, 3, data, arn, &SystemRandom),
        Mode::SseKms => Protection::SseKms { kms, wrapped: None },
        Mode::BucketKey => Protection::bucket_key(wrapping, kms, data, arn, &SystemRandom),
        Mode::Dsse => Protection::Dsse {
            kms,
            outer_blob: vec![0xB2; 184],
        },
        Mode::SseC => Protection::sse_c(wrapping, data, arn, &SystemRandom),
    }
}

impl Case {
    fn new(mode: Mode, whole: bool, inline: bool) -> Self {
        let data = DataKey::generate(&SystemRandom);
        let wrapping = WrappingKey::generate(&SystemRandom);
        let mut sealer = Sealer::new(&data, Kind::Whole, 5, &SystemRandom).unwrap();
        let record = Record {
            plaintext_bytes: 5,
            md5: None,
            checksum: None,
        };
        let record = inline.then(|| sealer.seal_record(&record).unwrap());
        let layout = if whole {
            Layout::Whole(sealer.segment().clone())
        } else {
            Layout::Parts
        };
        let envelope = Envelope {
            layout,
            protection: protection(mode, &wrapping, &data, ARN),
            record,
        };
        let header = envelope.seal(&data, ARN);
        Self {
            data,
            wrapping,
            envelope,
            header,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        let each_layout = |mode| {
            [(true, true), (true, false), (false, false)]
                .map(|(whole, inline)| Self::new(mode, whole, inline))
        };
        let rewrapped = each_layout(Mode::SseKms).map(Self::rewrapped);
        MODES.into_iter().flat_map(each_layout).chain(rewrapped)
    }

    /// As an SSE-KMS object whose data key is older than its KMS key.
    fn rewrapped(mut self) -> Self {
        let kms = KmsBlob {
            key_arn: KEY_ARN.to_owned(),
            blob: vec![0xB3; 184],
            context: Vec::new(),
        };
        let (wrapping, data) = (&self.wrapping, &self.data);
        self.envelope.protection = Protection::sse_kms(wrapping, kms, data, ARN, &SystemRandom);
        self.header = self.envelope.seal(&self.data, ARN);
        self
    }

    /// The way a reader goes: parse, get the data key, open.
    fn read(&self, header: &str, arn: &str) -> Result<Envelope, EnvelopeError> {
        let sealed = SealedEnvelope::parse(header)?;
        match sealed.claims().protection.unwrap_key(&self.wrapping, arn) {
            Ok(key) => sealed.open(&key, arn).cloned(),
            Err(EnvelopeError::NotWrapped) => sealed.open(&self.data, arn).cloned(),
            Err(error) => Err(error),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.header).unwrap()
    }
}

fn header(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn an_envelope_says_what_was_written() {
    for case in Case::all() {
        assert_eq!(case.read(&case.header, ARN), Ok(case.envelope.clone()));
        let sealed = SealedEnvelope::parse(&case.header).unwrap();
        assert_eq!(sealed.claims(), &case.envelope);
        assert!(sealed.names(ARN) && !sealed.names("arn:aws:s3:::bucket/some/other"));
    }
}

#[test]
fn an_envelope_leaves_room_for_the_clients_own_metadata() {
    let sizes =
        MODES.map(|mode| Case::new(mode, true, false).header.len() + ENVELOPE.as_str().len());
    assert!(sizes.iter().all(|size| *size <= 800), "{sizes:?}");
    let [sse_s3, .., sse_c] = sizes;
    assert!(sse_s3 <= 320 && sse_c <= 360, "{sizes:?}");
}

#[test]
fn a_header_of_more_than_8192_characters_is_no_envelope() {
    let mut case = Case::new(Mode::SseKms, true, false);
    let mut of_context = |bytes| {
        if let Protection::SseKms { kms, .. } = &mut case.envelope.protection {
            kms.context = vec![("k".to_owned(), "v".repeat(bytes))];
        }
        case.envelope.seal(&case.data, ARN)
    };
    let rest = of_context(4_000).len() * 3 / 4 - 4_000;
    let (longest, longer) = (of_context(6_144 - rest), of_context(6_145 - rest));
    assert_eq!((longest.len(), longer.len()), (8_192, 8_194));
    assert!(SealedEnvelope::parse(&longest).is_ok());
    assert_eq!(
        SealedEnvelope::parse(&longer).err(),
        Some(EnvelopeError::Form)
    );
}

#[test]
fn the_clients_context_is_that_of_its_kms_key() {
    let team = [("team".to_owned(), "blue".to_owned())];
    for mode in MODES {
        let protection = Case::new(mode, true, false).envelope.protection;
        let expected = match mode {
            Mode::SseKms | Mode::BucketKey | Mode::Dsse => &team[..],
            Mode::SseS3 | Mode::SseC => &[],
        };
        assert_eq!(protection.context(), expected, "{mode:?}");
    }
}

#[test]
fn no_bit_of_an_envelope_can_change() {
    for case in Case::all() {
        let bytes = case.bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let result = case.read(&header(&changed), ARN);
                assert!(
                    result.is_err(),
                    "byte {at} bit {bit} of {:?}",
                    case.envelope
                );
            }
        }
    }
}

#[test]
fn no_character_of_the_header_can_change() {
    let case = Case::new(Mode::SseS3, true, false);
    for at in 0..case.header.len() {
        for other in ['A', 'B', '_', '-', '=', '+', '/', ' ', '\u{e9}'] {
            let mut changed: Vec<char> = case.header.chars().collect();
            changed[at] = other;
            let changed: String = changed.into_iter().collect();
            assert!(changed == case.header || case.read(&changed, ARN).is_err());
        }
        assert!(case.read(&case.header[..at], ARN).is_err());
    }
    for padded in ["=", "==", "A", "AA", "\n"] {
        assert!(case.read(&format!("{}{padded}", case.header), ARN).is_err());
    }
}

#[test]
fn fields_cannot_be_added_repeated_or_moved() {
    let case = Case::new(Mode::SseKms, true, false);
    let bytes = case.bytes();
    let (body, mac) = bytes.split_at(bytes.len() - 32);
    let refused = |body: &[u8]| {
        let header = header(&[body, mac].concat());
        assert_eq!(
            SealedEnvelope::parse(&header).err(),
            Some(EnvelopeError::Form)
        );
    };
    // An unknown field, the generation of another mode, a field again, the mode in a longer form.
    refused(&[body, &[0x98, 0x06, 1]].concat());
    refused(&[body, &[0x40, 1]].concat());
    refused(&[body, &[0x10, 2]].concat());
    refused(&[&body[..4], &[0x82, 0], &body[5..]].concat());
    // The first two fields the other way round.
    refused(&[&body[..1], &body[3..5], &body[1..3], &body[5..]].concat());
    // Nothing at all, and an empty message.
    for short in [
        &[][..],
        &[1],
        &bytes[..32],
        &[[1; 1].as_slice(), mac].concat(),
    ] {
        assert!(SealedEnvelope::parse(&header(short)).is_err(), "{short:?}");
    }
}

#[test]
fn a_data_key_is_wrapped_in_one_form_and_a_customers_key_wraps_in_the_first() {
    for (mode, first) in [
        (Mode::SseS3, false),
        (Mode::BucketKey, false),
        (Mode::SseC, true),
    ] {
        let case = Case::new(mode, false, false);
        let bytes = case.bytes();
        let (body, mac) = bytes.split_at(bytes.len() - 32);
        let refused = |body: &[u8]| {
            let parsed = SealedEnvelope::parse(&header(&[body, mac].concat()));
            assert_eq!(parsed.err(), Some(EnvelopeError::Form), "{mode:?}");
        };
        // The last field, or that before the check, is the wrapped data key: 14 or 16.
        let end = body.len() - if first { 34 } else { 0 };
        let tag = end - if first { 50 } else { 51 };
        let wrapped = &body[end - 48..end];
        if first {
            assert_eq!(&body[tag..tag + 2], &[14 << 3 | 2, 48]);
            let moved = [&body[..tag], &body[end..], &[0x82, 1, 48], wrapped].concat();
            refused(&moved);
        } else {
            assert_eq!(&body[tag..tag + 3], &[0x82, 1, 48]);
            let both = [&body[..tag], &[14 << 3 | 2, 48], wrapped, &body[tag..]].concat();
            refused(&both);
        }
        refused(&[&body[..tag], &body[end..]].concat());
    }
}

#[test]
fn an_envelope_does_not_open_for_another_object() {
    for case in Case::all() {
        for other in [
            "arn:aws:s3:::bucket/some/kez",
            "arn:aws:s3:::other/some/key",
            "",
        ] {
            assert!(case.read(&case.header, other).is_err());
            let sealed = SealedEnvelope::parse(&case.header).unwrap();
            let error = sealed.open(&case.data, other).err();
            assert_eq!(error, Some(EnvelopeError::OtherObject));
        }
    }
}

/// The name in the record is a hint: an attacker can set it, and the MAC still holds the ARN.
#[test]
fn an_envelope_whose_name_was_rewritten_does_not_open_either() {
    let other = "arn:aws:s3:::bucket/some/other";
    for case in Case::all() {
        let theirs = Envelope {
            ..case.envelope.clone()
        }
        .seal(&case.data, other);
        let theirs = URL_SAFE_NO_PAD.decode(theirs).unwrap();
        let mut bytes = case.bytes();
        bytes[5..23].copy_from_slice(&theirs[5..23]);
        let sealed = SealedEnvelope::parse(&header(&bytes)).unwrap();
        assert!(sealed.names(other));
        assert_eq!(
            sealed.open(&case.data, other).err(),
            Some(EnvelopeError::Forged)
        );
        assert_eq!(
            case.read(&header(&bytes), other).err(),
            Some(EnvelopeError::Forged)
        );
    }
}

#[test]
fn an_envelope_opens_with_its_own_data_key_only() {
    for case in Case::all() {
        let other = DataKey::generate(&SystemRandom);
        let sealed = SealedEnvelope::parse(&case.header).unwrap();
        assert_eq!(sealed.open(&other, ARN).err(), Some(EnvelopeError::Forged));
    }

    // The wrapped key of another object under the same root key, and of an earlier version of this.
    let case = Case::new(Mode::SseS3, true, false);
    for arn in ["arn:aws:s3:::bucket/some/other", ARN] {
        let other = DataKey::generate(&SystemRandom);
        let stolen = protection(Mode::SseS3, &case.wrapping, &other, arn);
        let mixed = Envelope {
            protection: stolen,
            ..case.envelope.clone()
        };
        let mut bytes = URL_SAFE_NO_PAD.decode(mixed.seal(&other, ARN)).unwrap();
        let mac = case.bytes();
        let at = bytes.len() - 32;
        bytes[at..].copy_from_slice(&mac[mac.len() - 32..]);
        assert_eq!(case.read(&header(&bytes), ARN), Err(EnvelopeError::Forged));
    }
}

/// An attacker cannot make the MAC anew, but suppose he could: the wrap alone holds too.
#[test]
fn a_wrapped_key_serves_no_other_mode_kms_key_generation_or_object() {
    let case = Case::new(Mode::BucketKey, true, false);
    let Protection::BucketKey { mut kms, wrapped } = case.envelope.protection.clone() else {
        panic!("the case is of a bucket key")
    };
    kms.key_arn = KEY_ARN.replace("1234abcd", "dcba4321");
    let as_other_key = Protection::BucketKey {
        kms,
        wrapped: wrapped.clone(),
    };
    let as_sse_s3 = Protection::SseS3 {
        generation: 0,
        wrapped: wrapped.clone(),
    };
    for protection in [as_other_key, as_sse_s3] {
        let unwrapped = protection.unwrap_key(&case.wrapping, ARN);
        assert_eq!(unwrapped.err(), Some(EnvelopeError::Forged));
    }
    let other_object = case
        .envelope
        .protection
        .unwrap_key(&case.wrapping, "arn:aws:s3:::b/k");
    assert_eq!(other_object.err(), Some(EnvelopeError::Forged));

    let customer = Case::new(Mode::SseC, true, false);
    let Protection::SseC { wrapped, .. } = customer.envelope.protection.clone() else {
        panic!("the case is of a customer's key")
    };
    let relabelled = Protection::SseS3 {
        generation: 0,
        wrapped,
    };
    let unwrapped = relabelled.unwrap_key(&customer.wrapping, ARN);
    assert_eq!(unwrapped.err(), Some(EnvelopeError::Forged));

    let root = Case::new(Mode::SseS3, true, false);
    let Protection::SseS3 {
        generation,
        wrapped,
    } = root.envelope.protection.clone()
    else {
        panic!("the case is of a root key")
    };
    let older = Protection::SseS3 {
        generation: generation - 1,
        wrapped,
    };
    let unwrapped = older.unwrap_key(&root.wrapping, ARN);
    assert_eq!(unwrapped.err(), Some(EnvelopeError::Forged));
}

#[test]
fn mode_key_and_context_cannot_be_swapped() {
    for case in Case::all() {
        for mode in MODES {
            let mut claims = case.envelope.clone();
            let theirs = protection(mode, &case.wrapping, &case.data, ARN);
            claims.protection = match (theirs, case.envelope.protection.clone()) {
                // The same fields, but for what was swapped.
                (Protection::SseKms { .. }, Protection::SseKms { mut kms, wrapped }) => {
                    kms.key_arn = kms.key_arn.replace("1234abcd", "dcba4321");
                    Protection::SseKms { kms, wrapped }
                }
                (Protection::BucketKey { .. }, Protection::BucketKey { mut kms, wrapped }) => {
                    kms.context = vec![("team".to_owned(), "red".to_owned())];
                    Protection::BucketKey { kms, wrapped }
                }
                (theirs, _) => theirs,
            };
            if claims == case.envelope {
                continue;
            }
            let forger = DataKey::generate(&SystemRandom);
            let forged = claims.seal(&forger, ARN);
            let mut bytes = URL_SAFE_NO_PAD.decode(forged).unwrap();
            let (at, mac) = (bytes.len() - 32, case.bytes());
            bytes[at..].copy_from_slice(&mac[mac.len() - 32..]);
            assert_eq!(case.read(&header(&bytes), ARN), Err(EnvelopeError::Forged));
        }
    }
}

#[test]
fn another_version_is_refused_before_anything_else() {
    let case = Case::new(Mode::SseS3, true, true);
    for version in [0, 2, 255] {
        let mut bytes = case.bytes();
        bytes[0] = version;
        let error = SealedEnvelope::parse(&header(&bytes)).err();
        assert_eq!(error, Some(EnvelopeError::Version(version)));
    }
}

#[test]
fn a_wrong_customer_key_is_told_from_a_changed_wrap() {
    let case = Case::new(Mode::SseC, true, false);
    let other = WrappingKey::generate(&SystemRandom);
    let wrong = case.envelope.protection.unwrap_key(&other, ARN);
    assert_eq!(wrong.err(), Some(EnvelopeError::CustomerKey));

    let Protection::SseC { check, mut wrapped } = case.envelope.protection.clone() else {
        panic!("the case is of a customer's key")
    };
    wrapped.sealed[0] ^= 1;
    let changed = Protection::SseC { check, wrapped };
    let unwrapped = changed.unwrap_key(&case.wrapping, ARN);
    assert_eq!(unwrapped.err(), Some(EnvelopeError::Forged));
}

#[test]
fn one_data_key_is_never_wrapped_to_the_same_bytes_twice() {
    let case = Case::new(Mode::SseC, true, false);
    let again = protection(Mode::SseC, &case.wrapping, &case.data, ARN);
    assert_ne!(again, case.envelope.protection);
}

#[test]
fn a_wrap_under_a_key_of_the_kms_serves_no_other_mode() {
    let case = Case::new(Mode::SseKms, true, false).rewrapped();
    let Protection::SseKms {
        kms,
        wrapped: Some(wrapped),
    } = case.envelope.protection.clone()
    else {
        panic!("the case is of a re-wrapped object")
    };
    let relabelled = Protection::BucketKey { kms, wrapped };
    let unwrapped = relabelled.unwrap_key(&case.wrapping, ARN);
    assert_eq!(unwrapped.err(), Some(EnvelopeError::Forged));
}

#[test]
fn a_part_or_an_inline_record_of_a_multipart_object_is_no_envelope() {
    let mut case = Case::new(Mode::SseS3, true, true);
    case.envelope.layout = Layout::Parts;
    let sealed = SealedEnvelope::parse(&case.envelope.seal(&case.data, ARN));
    assert!(matches!(sealed, Err(EnvelopeError::Form)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..600),
        text in ".{0,300}",
    ) {
        prop_assert!(SealedEnvelope::parse(&text).is_err());
        prop_assert!(SealedEnvelope::parse(&header(&bytes)).is_err());
        bytes.insert(0, 1);
        prop_assert!(SealedEnvelope::parse(&header(&bytes)).is_err());
    }

    #[test]
    fn every_envelope_reads_as_it_was_written(
        plaintext_bytes in 0..=layout::OBJECT_BYTES_MAX,
        context in prop::collection::vec((".{0,20}", ".{0,20}"), 0..5),
        blob in prop::collection::vec(any::<u8>(), 1..300),
        key_arn in ".{1,100}",
        arn in ".{0,1100}",
        whole: bool,
    ) {
        let data = DataKey::generate(&SystemRandom);
        let sealer = Sealer::new(&data, Kind::Whole, plaintext_bytes, &SystemRandom).unwrap();
        let layout = if whole { Layout::Whole(sealer.segment().clone()) } else { Layout::Parts };
        let kms = KmsBlob { key_arn, blob, context };
        let protection = Protection::SseKms { kms, wrapped: None };
        let envelope = Envelope { layout, protection, record: None };
        let sealed = SealedEnvelope::parse(&envelope.seal(&data, &arn)).unwrap();
        prop_assert_eq!(sealed.open(&data, &arn), Ok(&envelope));
    }
}

/// `FORMAT.md` states the constants that only this module has.
#[test]
fn the_constants_are_those_the_format_states() {
    let format = include_str!("../../FORMAT.md");
    for label in [
        "name@v1",
        "envelope@v1",
        "wrap@v1",
        "trailer@v1",
        "outer@v1",
    ] {
        assert!(
            format.contains(&format!("\"sealgate/{label}\\0\"")),
            "{label}"
        );
    }
    assert!(format.contains(&format!("`{ENVELOPE}`")));
    assert_eq!(segment::FORMAT_VERSION, super::sealed::ENVELOPE_VERSION);
}
