//! Sealed objects that version 1 of the format wrote, kept for ever: whatever the gateway becomes, it
//! opens them.
//!
//! A line for each mode and layout: the envelope and the body as a backend holds them, the key, and
//! what must come out. Written by `tests/decoder/seal_random.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::chunks::DataKey;
use gateway::chunks::Keys;
use gateway::chunks::footer::Tail;
use gateway::chunks::open::Opener;
use gateway::envelope::Envelope;
use gateway::envelope::EnvelopeError;
use gateway::envelope::Layout;
use gateway::envelope::SealedEnvelope;
use gateway::envelope::WrappingKey;
use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;

#[test]
fn objects_of_version_1_open() {
    let mut modes = Vec::new();
    for line in include_str!("sealed_objects_v1.jsonl").lines() {
        let case: Value = serde_json::from_str(line).expect("a line is a case");
        let body = STANDARD
            .decode(text(&case, "body"))
            .expect("a body is base64");
        let (data, envelope) = data_key(&case);
        let outer = key(&case, "outer_key").map(|key| DataKey::from_slice(&key).expect("32 bytes"));
        let keys = Keys {
            data: &data,
            outer: outer.as_ref(),
        };
        let plaintext = match &envelope.layout {
            Layout::Whole(segment) => {
                let opener = Opener::object(keys, segment).expect("the key is the segment's");
                open(opener, &body)
            }
            Layout::Parts => open_parts(keys, &body),
        };

        let mode = format!("{:?}", envelope.protection.mode());
        assert_eq!(
            hex::encode(Sha256::digest(&plaintext)),
            text(&case, "sha256"),
            "{mode}"
        );
        assert_eq!(mode, text(&case, "mode"));
        modes.push((mode, envelope.layout == Layout::Parts));
    }
    modes.sort();
    modes.dedup();
    assert_eq!(modes.len(), 10, "each mode in each layout: {modes:?}");
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().expect("the field is a text")
}

fn key(case: &Value, field: &str) -> Option<Vec<u8>> {
    case[field]
        .as_str()
        .map(|key| hex::decode(key).expect("a key is hexadecimal"))
}

/// The way a reader goes: parse the envelope, get the data key, open the envelope.
fn data_key(case: &Value) -> (DataKey, Envelope) {
    let arn = text(case, "arn");
    let sealed = SealedEnvelope::parse(text(case, "envelope")).expect("version 1 wrote it");
    let wrapping = key(case, "wrapping_key").unwrap_or_else(|| vec![0; 32]);
    let wrapping = WrappingKey::from_slice(&wrapping).expect("32 bytes");
    let data = match sealed.claims().protection.unwrap_key(&wrapping, arn) {
        Err(EnvelopeError::NotWrapped) => {
            DataKey::from_slice(&key(case, "data_key").expect("the KMS's key")).expect("32 bytes")
        }
        unwrapped => unwrapped.expect("the wrapping key is the object's"),
    };
    let envelope = sealed
        .open(&data, arn)
        .expect("the envelope is the object's");
    (data, envelope.clone())
}

fn open(mut opener: Opener, stored: &[u8]) -> Vec<u8> {
    opener.push(stored).expect("the chunks are the object's");
    let plaintext = opener.take().unwrap_or_default().to_vec();
    opener.finish().expect("the end is the object's");
    plaintext
}

fn open_parts(keys: Keys<'_>, body: &[u8]) -> Vec<u8> {
    let tail = body.last_chunk().expect("a tail ends the object");
    let tail = Tail::parse(tail, body.len() as u64).expect("the tail fits the size");
    let footer_keys = Keys {
        data: &keys.data.for_footer(),
        ..keys
    };
    let table = tail
        .open(footer_keys, body)
        .expect("the table is the object's");
    let mut plaintext = Vec::new();
    for (part, stored) in table.segments() {
        let at = |offset| usize::try_from(offset).expect("the object is small");
        let opener = Opener::segment(keys, &part.segment).expect("the key is the part's");
        plaintext.extend(open(opener, &body[at(stored.start)..at(stored.end)]));
    }
    assert_eq!(plaintext.len() as u64, tail.plaintext_bytes());
    plaintext
}
