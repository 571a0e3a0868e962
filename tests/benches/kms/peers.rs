//! The same requests to other emulators, by the same client in the same run.

use std::io::Write;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use crate::wire;

/// An emulator that runs already.
pub struct Peer {
    name: String,
    address: String,
}

impl Peer {
    /// Reads `NAME=HOST:PORT`.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let (name, address) = text.split_once('=').context("a peer is NAME=HOST:PORT")?;
        Ok(Self {
            name: name.to_owned(),
            address: address.to_owned(),
        })
    }

    /// How many times its rate is to be reached, if that was agreed on.
    fn goal(&self) -> Option<f64> {
        match self.name.as_str() {
            "moto" => Some(50.0),
            "localstack" => Some(20.0),
            _ => None,
        }
    }
}

/// Calls a second of both operations.
struct Rates {
    generate: f64,
    decrypt: f64,
}

/// Prints how many times each peer's rate ours is, at `address`.
pub async fn compare(out: &mut impl Write, address: &str, peers: &[Peer]) -> anyhow::Result<()> {
    writeln!(
        out,
        "\nJSON, the best of {CONNECTIONS:?} connections, one request at a time on each"
    )?;
    writeln!(
        out,
        "{:<14}{:>18}{:>10}{:>12}{:>10}",
        "", "GenerateDataKey", "Decrypt", "ratio", "to reach"
    )?;
    let ours = rates(address).await.context("sealgate")?;
    writeln!(
        out,
        "{:<14}{:>18.0}{:>10.0}",
        "sealgate", ours.generate, ours.decrypt
    )?;
    for peer in peers {
        let theirs = rates(&peer.address).await;
        let theirs = theirs.with_context(|| peer.name.clone())?;
        let ratio = (ours.generate / theirs.generate).min(ours.decrypt / theirs.decrypt);
        let goal = peer.goal().map_or_else(String::new, |goal| {
            format!("{goal:.0} {}", if ratio >= goal { "ok" } else { "MISSED" })
        });
        writeln!(
            out,
            "{:<14}{:>18.0}{:>10.0}{:>12.1}{goal:>10}",
            peer.name, theirs.generate, theirs.decrypt, ratio
        )?;
    }
    Ok(())
}

/// Makes a key, and measures both operations on it.
async fn rates(address: &str) -> anyhow::Result<Rates> {
    let key = wire::exchange(address, "CreateKey", &json!({})).await?;
    let generate = json!({
        "KeyId": key["KeyMetadata"]["Arn"],
        "KeySpec": "AES_256",
        "EncryptionContext": { "aws:s3:arn": "arn:aws:s3:::demo/object" },
    });
    let data_key = wire::exchange(address, "GenerateDataKey", &generate).await?;
    let decrypt = json!({
        "CiphertextBlob": data_key["CiphertextBlob"],
        "EncryptionContext": { "aws:s3:arn": "arn:aws:s3:::demo/object" },
    });
    Ok(Rates {
        generate: best(address, "GenerateDataKey", &generate).await?,
        decrypt: best(address, "Decrypt", &decrypt).await?,
    })
}

/// The rate at the number of connections that suits the server best.
async fn best(address: &str, operation: &str, body: &Value) -> anyhow::Result<f64> {
    let request = wire::signed(address, operation, body);
    let mut best = 0.0_f64;
    for connections in CONNECTIONS {
        let answered = AtomicU64::new(0);
        let measured = async {
            tokio::time::sleep(WARM_UP).await;
            let (before, start) = (answered.load(Ordering::Relaxed), Instant::now());
            tokio::time::sleep(MEASURED).await;
            let calls = u32::try_from(answered.load(Ordering::Relaxed) - before)?;
            anyhow::Ok(f64::from(calls) / start.elapsed().as_secs_f64())
        };
        let rate = tokio::select! {
            rate = measured => rate?,
            failed = wire::keep_asking(address, &request, connections, 1, &answered) => {
                return Err(failed);
            }
        };
        best = best.max(rate);
    }
    ensure!(best > 0.0, "{address} answered nothing");
    Ok(best)
}

/// Connections that are tried.
const CONNECTIONS: [usize; 3] = [1, 8, 64];

/// Time before the measurement.
const WARM_UP: Duration = Duration::from_secs(1);

/// Time of the measurement.
const MEASURED: Duration = Duration::from_secs(3);
