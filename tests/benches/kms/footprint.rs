//! What `sealgate kms` by itself takes: the time from its start to its first answer, and its memory
//! with 1,000 keys.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use serde_json::json;

use crate::wire;

/// Measures the binary that `SEALGATE` names, or that was built beside this bench, and prints it.
pub async fn print(out: &mut impl Write) -> anyhow::Result<()> {
    let Some(binary) = binary() else {
        return Ok(writeln!(
            out,
            "\nno sealgate to start: cargo build --profile dist -p sealgate, or SEALGATE=FILE"
        )?);
    };
    let folder = tempfile::tempdir()?;
    let mut starts = Vec::new();
    for _ in 1..STARTS {
        let (_, took) = Started::new(&binary, folder.path()).await?;
        starts.push(took);
    }
    let (started, took) = Started::new(&binary, folder.path()).await?;
    starts.push(took);
    starts.sort();
    let median = starts[starts.len() / 2].as_secs_f64() * 1e3;
    let empty = started.resident_kib()?;
    for _ in 0..KEYS {
        wire::exchange(&started.address, "CreateKey", &json!({})).await?;
    }
    let full = started.resident_kib()?;

    writeln!(out, "\n{} kms", binary.display())?;
    let verdict = |holds| if holds { "ok" } else { "MISSED" };
    writeln!(
        out,
        "start to first answer, median of {STARTS}: {median:.1} ms; at most {START_MS:.0}: {}",
        verdict(median <= START_MS)
    )?;
    writeln!(
        out,
        "resident with no key: {empty} KiB; with {KEYS}: {full} KiB; at most {RESIDENT_KIB}: {}",
        verdict(full <= RESIDENT_KIB)
    )?;
    Ok(())
}

/// The binary, if there is one.
fn binary() -> Option<PathBuf> {
    let beside = || {
        Some(
            std::env::current_exe()
                .ok()?
                .parent()?
                .join("../../dist/sealgate"),
        )
    };
    let named = std::env::var_os("SEALGATE").map(PathBuf::from);
    named.or_else(beside).filter(|path| path.exists())
}

/// A KMS that was started; killed when dropped.
struct Started {
    child: Child,
    address: String,
}

impl Started {
    /// Starts the binary, and tells how long its first answer took.
    async fn new(binary: &Path, folder: &Path) -> anyhow::Result<(Self, Duration)> {
        let free = || anyhow::Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?);
        let (address, admin) = (free()?.to_string(), free()?);
        let config = folder.join("kms.toml");
        let text = format!(
            "listen = '{address}'\nadmin.listen = '{admin}'\nquotas.shape = 'off'\n\
             authenticate.signatures = 'accepted'\n"
        );
        std::fs::write(&config, text)?;
        let start = Instant::now();
        let child = Command::new(binary)
            .args(["kms", "--config"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let started = Self { child, address };
        while let Err(error) = wire::exchange(&started.address, "ListKeys", &json!({})).await {
            ensure!(start.elapsed() < PATIENCE, "it does not answer: {error}");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Ok((started, start.elapsed()))
    }

    /// What of its memory is resident, its program included.
    fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("a process has a VmRSS")?.parse()?)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How often it is started.
const STARTS: usize = 9;

/// How long its first answer may take before this gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys that are made.
const KEYS: usize = 1_000;

/// What the start may take, in milliseconds.
const START_MS: f64 = 50.0;

/// What may be resident, in KiB.
const RESIDENT_KIB: u64 = 20 << 10;
