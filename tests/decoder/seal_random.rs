//! Writes random sealed objects, one JSON line each, for the decoder in Python to open.
//!
//! Every mode, both layouts, lengths around the borders of chunks; each line has what the backend
//! would hold (envelope and body), the key that opens it, and what must come out.

#![allow(
    clippy::indexing_slicing,
    reason = "indexes are drawn below the length"
)]

use std::error::Error;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::chunks::DataKey;
use gateway::chunks::Keys;
use gateway::chunks::footer::Part;
use gateway::chunks::footer::Table;
use gateway::chunks::random::Random;
use gateway::chunks::random::SystemRandom;
use gateway::chunks::seal::Sealer;
use gateway::chunks::segment::Kind;
use gateway::chunks::trailer::Record;
use gateway::envelope::Envelope;
use gateway::envelope::KmsBlob;
use gateway::envelope::Layout;
use gateway::envelope::Mode;
use gateway::envelope::Protection;
use gateway::envelope::WrappingKey;
use gateway::protocol::checksum::Algorithm;
use gateway::protocol::checksum::Checksum;
use gateway::protocol::checksum::ChecksumKind;
use md5::Digest as _;
use md5::Md5;
use serde_json::Value;
use serde_json::json;
use sha2::Sha256;

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).ok_or("how many?")?.parse()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for index in 0..count {
        let case = if index % 4 == 3 {
            multipart(index)?
        } else {
            whole(index)?
        };
        writeln!(out, "{case}")?;
    }
    Ok(out.flush()?)
}

/// One object's keys and name.
struct Secrets {
    data: [u8; 32],
    wrapping: [u8; 32],
    outer: [u8; 32],
    arn: String,
    mode: Mode,
    /// Whether the data key is older than its KMS key.
    rewrapped: bool,
}

impl Secrets {
    fn draw(index: usize) -> Self {
        let modes = [
            Mode::SseS3,
            Mode::SseKms,
            Mode::BucketKey,
            Mode::Dsse,
            Mode::SseC,
        ];
        let name = ["plain", "with space", "h\u{f6}h\u{e9}/\u{1f511}", "a/b//c"][index / 5 % 4];
        Self {
            data: bytes(),
            wrapping: bytes(),
            outer: bytes(),
            arn: format!("arn:aws:s3:::bucket-{index}/{name}"),
            mode: modes[index % 5],
            rewrapped: index / 5 % 2 == 1,
        }
    }

    fn outer(&self) -> Result<Option<DataKey>, Box<dyn Error>> {
        let outer = (self.mode == Mode::Dsse).then(|| DataKey::from_slice(&self.outer));
        Ok(outer.transpose()?)
    }

    fn protection(&self) -> Result<Protection, Box<dyn Error>> {
        let (data, wrapping) = (
            DataKey::from_slice(&self.data)?,
            WrappingKey::from_slice(&self.wrapping)?,
        );
        let key_arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd".to_owned();
        let (blob, outer_blob) = (bytes::<184>().to_vec(), bytes::<184>().to_vec());
        let pairs = below(3);
        let context = (0..pairs)
            .map(|pair| (format!("key {pair}"), "\u{e4}".repeat(pair)))
            .collect();
        let kms = KmsBlob {
            key_arn,
            blob,
            context,
        };
        let arn = &self.arn;
        Ok(match self.mode {
            Mode::SseS3 => {
                let generation = u64::from_be_bytes(bytes());
                Protection::sse_s3(&wrapping, generation, &data, arn, &SystemRandom)
            }
            Mode::SseKms if self.rewrapped => {
                Protection::sse_kms(&wrapping, kms, &data, arn, &SystemRandom)
            }
            Mode::SseKms => Protection::SseKms { kms, wrapped: None },
            Mode::BucketKey => Protection::bucket_key(&wrapping, kms, &data, arn, &SystemRandom),
            Mode::Dsse => Protection::Dsse { kms, outer_blob },
            Mode::SseC => Protection::sse_c(&wrapping, &data, arn, &SystemRandom),
        })
    }

    fn case(
        &self,
        envelope: &Envelope,
        body: &[u8],
        plaintext: &[u8],
        record: &Value,
    ) -> Result<Value, Box<dyn Error>> {
        let (key, outer) = match self.mode {
            Mode::SseKms if !self.rewrapped => (("data_key", self.data), None),
            Mode::Dsse => (("data_key", self.data), Some(hex::encode(self.outer))),
            _ => (("wrapping_key", self.wrapping), None),
        };
        Ok(json!({
            "arn": self.arn,
            "mode": format!("{:?}", self.mode),
            "envelope": envelope.seal(&DataKey::from_slice(&self.data)?, &self.arn),
            "body": STANDARD.encode(body),
            key.0: hex::encode(key.1),
            "outer_key": outer,
            "sha256": hex::encode(Sha256::digest(plaintext)),
            "record": record,
        }))
    }
}

fn whole(index: usize) -> Result<Value, Box<dyn Error>> {
    let secrets = Secrets::draw(index);
    let (data, outer) = (DataKey::from_slice(&secrets.data)?, secrets.outer()?);
    let keys = Keys {
        data: &data,
        outer: outer.as_ref(),
    };
    let plaintext = plaintext(70_000);
    let checksum = checksum(64);
    let record = Record {
        plaintext_bytes: plaintext.len() as u64,
        md5: (below(2) == 0).then(|| Md5::digest(&plaintext).into()),
        checksum: checksum.clone(),
    };

    let mut sealer = Sealer::new(keys, Kind::Whole, plaintext.len() as u64, &SystemRandom)?;
    let segment = sealer.segment().clone();
    let trailer = sealer.seal_record(&record)?;
    let body = push_all(sealer, &plaintext)?;
    let envelope = Envelope {
        layout: Layout::Whole(segment),
        protection: secrets.protection()?,
        record: (below(2) == 0).then_some(trailer),
    };
    let expected = json!({
        "md5": record.md5.map(hex::encode),
        "algorithm": checksum.as_ref().map_or(0, |sum| code(sum.algorithm)),
        "kind": checksum.as_ref().map_or(0, |sum| kind_code(sum.kind)),
        "checksum": hex::encode(checksum.map(|sum| sum.value).unwrap_or_default()),
    });
    secrets.case(&envelope, &body, &plaintext, &expected)
}

fn multipart(index: usize) -> Result<Value, Box<dyn Error>> {
    let secrets = Secrets::draw(index);
    let (data, outer) = (DataKey::from_slice(&secrets.data)?, secrets.outer()?);
    let keys = Keys {
        data: &data,
        outer: outer.as_ref(),
    };
    let total = checksum(32);
    let (mut parts, mut body, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for _ in 0..=below(4) {
        number += 1 + u32::try_from(below(2_000))?;
        let plaintext = plaintext(40_000);
        let bytes = plaintext.len() as u64;
        let sealer = Sealer::new(keys, Kind::Part(number), bytes, &SystemRandom)?;
        let checksum = total
            .as_ref()
            .filter(|_| below(2) == 0)
            .map(|sum| sum.value.clone());
        let md5 = (below(2) == 0).then(|| Md5::digest(&plaintext).into());
        parts.push(Part {
            segment: sealer.segment().clone(),
            md5,
            checksum,
        });
        body.extend(push_all(sealer, &plaintext)?);
        whole.extend(plaintext);
    }
    let listed = u32::try_from(parts.len() + below(2))?;
    body.extend(
        Table {
            parts,
            checksum: total.clone(),
        }
        .seal(
            Keys {
                data: &keys.data.for_footer(),
                ..keys
            },
            listed,
        )?,
    );

    let protection = secrets.protection()?;
    let envelope = Envelope {
        layout: Layout::Parts,
        protection,
        record: None,
    };
    let expected = json!({
        "md5": null,
        "algorithm": total.as_ref().map_or(0, |sum| code(sum.algorithm)),
        "kind": total.as_ref().map_or(0, |sum| kind_code(sum.kind)),
        "checksum": hex::encode(total.map(|sum| sum.value).unwrap_or_default()),
    });
    secrets.case(&envelope, &body, &whole, &expected)
}

fn push_all(mut sealer: Sealer, plaintext: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut stored = Vec::new();
    for piece in plaintext.chunks(1 + below(30_000)) {
        sealer.push(piece)?;
        stored.extend(sealer.take().into_iter().flatten());
    }
    stored.extend(sealer.finish()?);
    Ok(stored)
}

/// Random bytes, of a length around a border of chunks as often as of any other.
fn plaintext(limit: usize) -> Vec<u8> {
    let borders = [0, 1, 16_383, 16_384, 16_385, 32_768, 32_769];
    let length = if below(2) == 0 {
        borders[below(borders.len())]
    } else {
        below(limit)
    };
    let mut plaintext = vec![0; length];
    SystemRandom.fill(&mut plaintext);
    plaintext
}

/// A checksum of at most `bytes_max`, or none.
fn checksum(bytes_max: usize) -> Option<Checksum> {
    let fits = |algorithm: &Algorithm| algorithm.bytes() <= bytes_max;
    let algorithms: Vec<_> = Algorithm::ALL.into_iter().filter(fits).collect();
    let algorithm = *algorithms.get(below(algorithms.len() + 1))?;
    let kind = [ChecksumKind::FullObject, ChecksumKind::Composite][below(2)];
    let mut value = vec![0; algorithm.bytes()];
    SystemRandom.fill(&mut value);
    Some(Checksum {
        algorithm,
        kind,
        value,
    })
}

/// The codes of `FORMAT.md`, stated again: the decoder must find these.
fn code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Crc32 => 1,
        Algorithm::Crc32c => 2,
        Algorithm::Crc64Nvme => 3,
        Algorithm::Sha1 => 4,
        Algorithm::Sha256 => 5,
        Algorithm::Sha512 => 6,
        Algorithm::Md5 => 7,
        Algorithm::XxHash64 => 8,
        Algorithm::XxHash3 => 9,
        Algorithm::XxHash128 => 10,
    }
}

fn kind_code(kind: ChecksumKind) -> u8 {
    match kind {
        ChecksumKind::FullObject => 1,
        ChecksumKind::Composite => 2,
    }
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom.fill(&mut bytes);
    bytes
}

fn below(limit: usize) -> usize {
    let drawn = u64::from_be_bytes(bytes()) % limit as u64;
    usize::try_from(drawn).unwrap_or_default()
}
