//! The KMS operations that can be called, and the keys that they need.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::load::call::Call;
use crate::load::world::World;

/// The requests of a run and their weights: each operation with each key, by the operation's weight. Keys that are
/// created are added to `created`, also when a later one fails.
///
/// # Errors
///
/// When an operation cannot be called, or a key cannot be created.
pub(super) async fn prepare(
    world: &World,
    operations: &[(String, u32)],
    keys: u32,
    created: &mut Vec<String>,
) -> anyhow::Result<Vec<(Call, u32)>> {
    let mut prepared = Vec::new();
    let (mut rows, signer) = (Vec::new(), world.kms_signer()?);
    for (name, weight) in operations {
        let row = ROWS.iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| {
            let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
            anyhow::anyhow!("--op {name}: the operations are {}", names.join(", "))
        })?;
        rows.push((row, *weight));
    }
    for kind in [Kind::Symmetric, Kind::Mac, Kind::Signing] {
        let rows = rows.iter().filter(|(row, _)| row.kind == kind);
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            continue;
        }
        for _ in 0..keys {
            let key = Key::create(world, kind, created).await?;
            let calls = rows.iter().map(|(row, weight)| {
                let body = (row.body)(&key);
                (Call::kms(row.name, &body, Arc::clone(&signer)), *weight)
            });
            prepared.extend(calls);
        }
    }
    Ok(prepared)
}

/// Schedules the keys for deletion: a KMS that goes on must not collect them.
pub(super) async fn delete_keys(keys: &[String], world: &World) {
    for key in keys {
        let body = json!({ "KeyId": key, "PendingWindowInDays": 7 });
        if let Err(error) = world.call("ScheduleKeyDeletion", &body).await {
            tracing::warn!(key, "the key of the run stays: {error:#}");
        }
    }
}

/// A key of a run.
struct Key {
    id: String,
    /// What it encrypted, in base64; empty if it encrypts nothing.
    ciphertext: String,
}

impl Key {
    async fn create(world: &World, kind: Kind, created: &mut Vec<String>) -> anyhow::Result<Self> {
        let (spec, usage) = match kind {
            Kind::Symmetric => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            Kind::Mac => ("HMAC_256", "GENERATE_VERIFY_MAC"),
            Kind::Signing => ("ECC_NIST_P256", "SIGN_VERIFY"),
        };
        let body = json!({ "KeySpec": spec, "KeyUsage": usage, "Description": "of sealgate load" });
        let metadata = world.call("CreateKey", &body).await?;
        let id = text(&metadata, "/KeyMetadata/KeyId");
        created.push(id.clone());
        let mut ciphertext = String::new();
        if kind == Kind::Symmetric {
            let body = json!({ "KeyId": id, "Plaintext": plaintext() });
            let encrypted = world.call("Encrypt", &body).await?;
            ciphertext = text(&encrypted, "/CiphertextBlob");
        }
        Ok(Self { id, ciphertext })
    }
}

/// The text at a JSON pointer, or none.
fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The plaintext of every request: the size of a data key.
fn plaintext() -> String {
    STANDARD.encode([0x5a; 32])
}

/// An operation that can be called.
struct Row {
    name: &'static str,
    kind: Kind,
    body: fn(&Key) -> Value,
}

/// Which key an operation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Symmetric,
    Mac,
    Signing,
}

const ROWS: [Row; 9] = [
    Row {
        name: "GenerateDataKey",
        kind: Kind::Symmetric,
        body: |key| json!({ "KeyId": key.id, "KeySpec": "AES_256" }),
    },
    Row {
        name: "GenerateDataKeyWithoutPlaintext",
        kind: Kind::Symmetric,
        body: |key| json!({ "KeyId": key.id, "KeySpec": "AES_256" }),
    },
    Row {
        name: "Decrypt",
        kind: Kind::Symmetric,
        body: |key| json!({ "CiphertextBlob": key.ciphertext }),
    },
    Row {
        name: "Encrypt",
        kind: Kind::Symmetric,
        body: |key| json!({ "KeyId": key.id, "Plaintext": plaintext() }),
    },
    Row {
        name: "ReEncrypt",
        kind: Kind::Symmetric,
        body: |key| json!({ "CiphertextBlob": key.ciphertext, "DestinationKeyId": key.id }),
    },
    Row {
        name: "GenerateRandom",
        kind: Kind::Symmetric,
        body: |_| json!({ "NumberOfBytes": 32 }),
    },
    Row {
        name: "DescribeKey",
        kind: Kind::Symmetric,
        body: |key| json!({ "KeyId": key.id }),
    },
    Row {
        name: "GenerateMac",
        kind: Kind::Mac,
        body: |key| json!({ "KeyId": key.id, "Message": plaintext(), "MacAlgorithm": "HMAC_SHA_256" }),
    },
    Row {
        name: "Sign",
        kind: Kind::Signing,
        body: |key| {
            let algorithm = "ECDSA_SHA_256";
            json!({ "KeyId": key.id, "Message": plaintext(), "SigningAlgorithm": algorithm })
        },
    },
];
