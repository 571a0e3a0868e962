//! `sealgate up` with its embedded backend beside another S3 server with its own SSE-S3: the same client,
//! the same disk, one run.
//!
//!     cargo bench -p tests --bench peer -- --folder FOLDER --peer HOST:PORT,KEY,SECRET,PID
//!     cargo bench -p tests --bench peer -- --smoke     # `up` alone, few requests; proves that it runs
//!
//! The peer is started by hand, with its data on the disk of FOLDER, as is `up`'s. Both servers run on the
//! first core, the load on the second. Rounds alternate. Printed are requests a second and CPU time of the
//! server a request; the last column is `up`'s rate over the peer's.

mod driver;
mod meter;
mod product;

use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use http::Method;

use crate::driver::Call;
use crate::driver::Load;
use crate::driver::Side;
use crate::driver::repeat;
use crate::product::Up;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: u32 = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let smoke = arguments.iter().any(|argument| argument == "--smoke");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(&arguments, smoke));
}

/// A row of the table: what every connection requests, and how often.
struct Row {
    name: &'static str,
    method: Method,
    bytes: u64,
    connections: u64,
    each: u64,
}

impl Row {
    const fn new(name: &'static str, method: Method, bytes: u64) -> Self {
        let large = bytes > 4096;
        Self {
            name,
            method,
            bytes,
            connections: if large { 4 } else { 32 },
            each: if large { 4 } else { 300 },
        }
    }

    /// The request of one connection, for a key of its own.
    fn call(&self, connection: u64) -> Call {
        let put = self.method == Method::PUT;
        let list = self.bytes == 0;
        let mut headers = Vec::new();
        if put {
            headers.push(("x-amz-server-side-encryption", "AES256".to_owned()));
        }
        let call = Call {
            method: self.method.clone(),
            path: if list {
                "/bench".to_owned()
            } else {
                format!("/bench/{}/{connection}", self.bytes)
            },
            headers,
            payload_hash: "UNSIGNED-PAYLOAD",
            service: "s3",
            body: match put {
                true => Load::plain(self.bytes),
                false => Load::default(),
            },
        };
        match put && self.bytes > 4096 {
            true => call.with_trailing_crc(self.bytes),
            false => call,
        }
    }
}

/// The other server, from the value of `--peer`.
fn peer_side(text: &str) -> (&'static str, Side, u32) {
    let fields: Vec<&str> = text.split(',').collect();
    let [address, key, secret, pid] = fields[..] else {
        panic!("--peer HOST:PORT,KEY,SECRET,PID");
    };
    let side = Side {
        address: address.parse().unwrap(),
        access_key_id: key.to_owned(),
        secret_access_key: secret.to_owned(),
    };
    ("peer", side, pid.parse().unwrap())
}

async fn run(arguments: &[String], smoke: bool) {
    let value = |flag: &str| {
        let mut after = arguments.iter().skip_while(|argument| *argument != flag);
        after.nth(1).cloned()
    };
    let folder = match value("--folder") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let config = "[kms.quotas]\nshape = \"off\"\n";
    let up = Up::start(&product::binary(), folder.path(), config, |_| {});
    let mut sides = vec![("up", up.side.clone(), up.child.id())];
    if let Some(peer) = value("--peer") {
        sides.push(peer_side(&peer));
    }
    for (_, side, pid) in &sides {
        pin(*pid, 0);
        prepare(side, if smoke { 10 } else { 1_000 }).await;
    }
    pin(std::process::id(), 1);
    println!(
        "{:<16} {:>10} {:>12} {:>10} {:>12} {:>8}",
        "", "up, /s", "CPU us each", "peer, /s", "CPU us each", "ratio"
    );
    let rows = [
        Row::new("PUT of 4 KiB", Method::PUT, 4096),
        Row::new("GET of 4 KiB", Method::GET, 4096),
        Row::new("PUT of 64 MiB", Method::PUT, 64 << 20),
        Row::new("GET of 64 MiB", Method::GET, 64 << 20),
        Row {
            connections: 1,
            each: 20,
            ..Row::new("LIST of 1,000", Method::GET, 0)
        },
    ];
    for row in rows {
        let each = if smoke { 1 } else { row.each };
        let mut spent = vec![(Duration::ZERO, Duration::ZERO); sides.len()];
        for _ in 0..if smoke { 1 } else { ROUNDS } {
            for ((_, side, pid), (time, cpu)) in sides.iter().zip(&mut spent) {
                let before = (Instant::now(), meter::cpu(*pid));
                load(side, &row, each).await;
                *time += before.0.elapsed();
                *cpu += meter::cpu(*pid).saturating_sub(before.1);
            }
        }
        let count = (row.connections * each * u64::from(if smoke { 1 } else { ROUNDS })) as f64;
        print!("{:<16}", row.name);
        for (time, cpu) in &spent {
            let rate = count / time.as_secs_f64();
            print!(" {rate:>10.1} {:>12.1}", cpu.as_secs_f64() * 1e6 / count);
        }
        if let [(up, _), (peer, _)] = spent[..] {
            print!(" {:>8.2}", peer.as_secs_f64() / up.as_secs_f64());
        }
        println!();
    }
    for (name, _, pid) in &sides {
        println!("{name}: peak memory {} MiB", meter::peak_rss(*pid) >> 20);
    }
}

/// A bucket with one object for each connection and size, and the keys of the listing.
async fn prepare(side: &Side, keys: u64) {
    let create = Call {
        method: Method::PUT,
        path: "/bench".to_owned(),
        headers: Vec::new(),
        payload_hash: "UNSIGNED-PAYLOAD",
        service: "s3",
        body: Load::default(),
    };
    repeat(side, &create, 1, 1).await;
    for number in 0..keys {
        let put = Call {
            path: format!("/bench/list/{number:06}"),
            body: Load::plain(16),
            ..create.clone()
        };
        repeat(side, &put, 1, 1).await;
    }
}

/// All connections at once, each with its own key.
async fn load(side: &Side, row: &Row, each: u64) {
    let mut connections = tokio::task::JoinSet::new();
    for connection in 0..row.connections {
        let (side, call) = (side.clone(), row.call(connection));
        connections.spawn(async move { repeat(&side, &call, each, 1).await });
    }
    while let Some(done) = connections.join_next().await {
        done.unwrap();
    }
}

/// Binds all threads of a process to one core; on a machine with one core it stays where it is.
fn pin(pid: u32, core: u32) {
    let pinned = Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string(), &pid.to_string()])
        .output();
    if !pinned.is_ok_and(|output| output.status.success()) {
        eprintln!("process {pid} is not bound to core {core}: its rates are of all cores");
    }
}
