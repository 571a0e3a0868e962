//! Two builds of `sealgate` beside each other: what a request costs the new one, over what it cost the old one.
//!
//!     cargo bench -p tests --bench beside -- --old BINARY             # minutes
//!     cargo bench -p tests --bench beside -- --old BINARY --smoke     # seconds; proves that it runs
//!     cargo bench -p tests --bench beside -- --old BINARY GET HEAD    # rows whose names begin so
//!
//! The new one is `SEALGATE`, or built now. Each stands before a backend of its own in this process, answers the
//! same requests over the same number of connections, and takes turns with the other; the kernel counts the CPU
//! time of each, KMS included. Printed are the microseconds a request and, of the rounds' ratios, the median and the
//! extremes.

mod driver;
mod meter;
mod product;

use std::path::Path;

use http::Method;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Backend;
use tests::backend::SECRET_ACCESS_KEY;

use crate::driver::Call;
use crate::driver::Load;
use crate::driver::repeat;
use crate::product::Up;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Cargo adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    let (mut old, mut smoke, mut names) = (None, false, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--old" => old = arguments.next(),
            "--smoke" => smoke = true,
            _ => names.push(argument),
        }
    }
    let old = old.expect("--old names the binary that was there before");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(Path::new(&old), smoke, &names));
}

/// What is requested, and how often in a round.
struct Row {
    name: &'static str,
    method: Method,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    bytes: u64,
    count: u64,
    connections: usize,
}

impl Row {
    fn call(&self) -> Call {
        let is_put = self.method == Method::PUT;
        let headers = self.headers.iter();
        let call = Call {
            method: self.method.clone(),
            path: self.path.to_owned(),
            headers: headers.map(|(n, v)| (*n, (*v).to_owned())).collect(),
            payload_hash: "UNSIGNED-PAYLOAD",
            service: "s3",
            body: match is_put {
                true => Load::plain(self.bytes),
                false => Load::default(),
            },
        };
        match is_put && self.bytes > SMALL {
            true => call.with_trailing_crc(self.bytes),
            false => call,
        }
    }
}

/// The rows; each object is written before it is read.
fn rows() -> Vec<Row> {
    let row = |name, method, path, headers, bytes: u64| {
        let is_large = bytes > SMALL;
        Row {
            name,
            method,
            path,
            headers,
            bytes,
            count: if is_large { 8 } else { 8_000 },
            connections: if is_large { 2 } else { 8 },
        }
    };
    let (small, large) = (SMALL, 64 << 20);
    vec![
        row("PUT 4 KiB", Method::PUT, "/bench/small", &[], small),
        row(
            "PUT 4 KiB, KMS",
            Method::PUT,
            "/bench/small-kms",
            KMS,
            small,
        ),
        row("GET 4 KiB", Method::GET, "/bench/small", &[], small),
        row(
            "GET 4 KiB, KMS",
            Method::GET,
            "/bench/small-kms",
            &[],
            small,
        ),
        row("HEAD", Method::HEAD, "/bench/small", &[], small),
        row("PUT 64 MiB", Method::PUT, "/bench/large", &[], large),
        row(
            "PUT 64 MiB, KMS",
            Method::PUT,
            "/bench/large-kms",
            KMS,
            large,
        ),
        row("GET 64 MiB", Method::GET, "/bench/large", &[], large),
        row(
            "GET 64 MiB, KMS",
            Method::GET,
            "/bench/large-kms",
            &[],
            large,
        ),
    ]
}

async fn run(old: &Path, smoke: bool, names: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let mut sides = Vec::new();
    for (name, program) in [("old", old.to_owned()), ("new", product::binary())] {
        let backend = Backend::start_forgetful().await;
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let up = up(&program, &backend, &folder);
        let bucket = Row {
            name: "the bucket",
            method: Method::PUT,
            path: "/bench",
            headers: &[],
            bytes: 0,
            count: 1,
            connections: 1,
        };
        repeat(&up.side, &bucket.call(), 1, 1).await;
        sides.push((up, backend));
    }
    println!(
        "{:<18} {:>10} {:>10} {:>8}",
        "", "old, us", "new, us", "new/old"
    );
    let rounds = if smoke { 1 } else { ROUNDS };
    for row in rows() {
        let is_wanted = names.is_empty() || names.iter().any(|name| row.name.starts_with(name));
        let count = if smoke { 8 } else { row.count };
        let call = row.call();
        for (up, _) in &sides {
            let count = if is_wanted { count } else { 1 };
            repeat(&up.side, &call, count, row.connections).await;
        }
        if !is_wanted {
            continue;
        }
        let (mut sums, mut ratios) = ([0.0; 2], Vec::new());
        for round in 0..rounds {
            let mut spent = [0.0; 2];
            for turn in 0..2 {
                // The one that went second goes first in the next round.
                let side = (turn + round) % 2;
                let up = &sides[side].0;
                let before = meter::cpu(up.child.id());
                repeat(&up.side, &call, count, row.connections).await;
                let cpu = meter::cpu(up.child.id()).saturating_sub(before);
                spent[side] = cpu.as_secs_f64() * 1e6 / count as f64;
                sums[side] += spent[side];
            }
            ratios.push(spent[1] / spent[0]);
        }
        ratios.sort_by(f64::total_cmp);
        let [old, new] = sums.map(|sum| sum / rounds as f64);
        println!(
            "{:<18} {old:>10.1} {new:>10.1} {:>8.3} ({:.2} to {:.2})",
            row.name,
            ratios[rounds / 2],
            ratios[0],
            ratios[rounds - 1],
        );
    }
    for ((up, _), name) in sides.iter().zip(["old", "new"]) {
        println!(
            "{name}: peak memory {} MiB",
            meter::peak_rss(up.child.id()) >> 20
        );
    }
}

/// `sealgate up` before a backend, with nothing that a build of long ago does not know.
fn up(program: &Path, backend: &Backend, folder: &Path) -> Up {
    let config = "[kms.quotas]\nshape = \"off\"\n";
    Up::start(program, folder, config, |command| {
        command.args(["--backend", &backend.endpoint()]);
        command.env("SEALGATE_BACKEND_ACCESS_KEY_ID", ACCESS_KEY_ID);
        command.env("SEALGATE_BACKEND_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    })
}

const ROUNDS: usize = 11;
/// Bytes of a small object.
const SMALL: u64 = 4096;
const KMS: &[(&str, &str)] = &[("x-amz-server-side-encryption", "aws:kms")];
