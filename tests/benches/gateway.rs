//! What sealing costs: the gateway's CPU time against a bare proxy's, in one run on one machine.
//!
//!     cargo bench -p tests --bench gateway              # minutes, 6 GB of memory
//!     cargo bench -p tests --bench gateway -- --smoke   # seconds; proves that it runs
//!     cargo bench -p tests --bench gateway -- --small   # only the small requests
//!     cargo bench -p tests --bench gateway -- --assert  # fails where a figure is missed
//!
//! Only ratios mean something; compare none across machines. The load generator and the backend
//! run in this process, the gateway (the release binary, KMS included) and the bare proxy in their
//! own, whose CPU time the kernel counts.

mod driver;
mod meter;
mod passage;
mod product;

use std::process::Child;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use md5::Digest as _;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Backend;
use tests::backend::SECRET_ACCESS_KEY;

use crate::driver::Call;
use crate::driver::Load;
use crate::driver::Side;
use crate::driver::paced;
use crate::driver::repeat;
use crate::product::Up;
use crate::product::end;
use crate::product::spawn;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, backend] = arguments.as_slice()
        && child == "--passage"
    {
        return passage::run(backend);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let size = if has("--smoke") { SMOKE } else { FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(&size, has("--small")));
    if has("--assert") && MISSED.load(Ordering::SeqCst) {
        std::process::exit(1);
    }
}

/// How much is done.
struct Size {
    object_bytes: u64,
    objects: u64,
    small_requests: u64,
    large_bytes: u64,
}

const FULL: Size = Size {
    object_bytes: 64 << 20,
    objects: 32,
    small_requests: 100_000,
    large_bytes: 5 << 30,
};
const SMOKE: Size = Size {
    object_bytes: 4 << 20,
    objects: 2,
    small_requests: 200,
    large_bytes: 64 << 20,
};

/// A header of a request: its name and its value.
type Field = (&'static str, String);

async fn run(size: &Size, only_small: bool) {
    let backend = Backend::start_forgetful().await;
    backend.create_bucket("bench");
    backend.create_bucket("unsealed");
    let folder = tempfile::tempdir().unwrap();

    let passage = Passage::start(&backend);
    let gateway = up(&backend, folder.path());
    if only_small {
        return small_gets(size, &passage, &gateway).await;
    }
    throughput(size, &passage, &gateway).await;
    small_gets(size, &passage, &gateway).await;
    drop(gateway);

    let gateway = up(&backend, folder.path());
    memory(size, &gateway).await;
}

async fn throughput(size: &Size, passage: &Passage, gateway: &Up) {
    println!(
        "\nCPU seconds per GB, objects of {} MiB",
        size.object_bytes >> 20
    );
    let bytes = size.object_bytes * size.objects;
    let per_gb = |cpu: Duration| cpu.as_secs_f64() * 1e9 / to_f64(bytes);
    let mut bare = [0.0; 2];
    for (index, method) in [Method::PUT, Method::GET].into_iter().enumerate() {
        let call = transfer(&method, "bare", size.object_bytes, &[]);
        let (cpu, time) = measured(passage.child.id(), &passage.side, &call, size.objects).await;
        bare[index] = per_gb(cpu);
        line(
            &format!("{method} bare hyper proxy"),
            bare[index],
            bytes,
            time,
            None,
        );
    }
    unsealed(size, passage, gateway, bare[1]).await;
    let customer = customer_headers();
    let sse = "x-amz-server-side-encryption";
    let kms = [(sse, "aws:kms".to_owned())];
    let bucket_key = [
        kms[0].clone(),
        (
            "x-amz-server-side-encryption-bucket-key-enabled",
            "true".to_owned(),
        ),
    ];
    let modes: [(&str, &[Field], bool); 4] = [
        ("SSE-S3", &[], false),
        ("SSE-KMS", &kms, false),
        ("Bucket Key", &bucket_key, false),
        ("SSE-C", &customer, true),
    ];
    for (mode, headers, on_reads) in modes {
        let (pid, side) = (gateway.child.id(), &gateway.side);
        let put = transfer(&Method::PUT, mode, size.object_bytes, headers);
        let (cpu, time) = measured(pid, side, &put, size.objects).await;
        line(
            &format!("PUT {mode}"),
            per_gb(cpu),
            bytes,
            time,
            Some((bare[0], None)),
        );

        let put = put.with_trailing_crc(size.object_bytes);
        let (cpu, time) = measured(pid, side, &put, size.objects).await;
        let goal = (mode == "SSE-KMS").then_some(1.8);
        let name = format!("PUT {mode}, trailing CRC");
        line(&name, per_gb(cpu), bytes, time, Some((bare[0], goal)));

        let headers = if on_reads { headers } else { &[] };
        let get = transfer(&Method::GET, mode, size.object_bytes, headers);
        let (cpu, time) = measured(pid, side, &get, size.objects).await;
        line(
            &format!("GET {mode}"),
            per_gb(cpu),
            bytes,
            time,
            Some((bare[1], Some(1.6))),
        );
    }
}

/// Reads that open nothing: what the gateway costs without sealing. Writes have no such row, because
/// nothing goes to the backend unsealed.
async fn unsealed(size: &Size, passage: &Passage, gateway: &Up, bare: f64) {
    let mut put = transfer(&Method::PUT, "large", size.object_bytes, &[]);
    put.path = "/unsealed/large".to_owned();
    repeat(&passage.side, &put, 1, 1).await;
    let get = Call {
        path: put.path,
        ..transfer(&Method::GET, "large", size.object_bytes, &[])
    };
    let (pid, side) = (gateway.child.id(), &gateway.side);
    let (cpu, time) = measured(pid, side, &get, size.objects).await;
    let bytes = size.object_bytes * size.objects;
    let per_gb = cpu.as_secs_f64() * 1e9 / to_f64(bytes);
    let name = "GET without sealing";
    line(name, per_gb, bytes, time, Some((bare, None)));
}

/// Small reads, as fast as they are answered, then at one rate: the first asks the faster of two
/// proxies more often, and what is asked more often wakes up less often for each request.
async fn small_gets(size: &Size, passage: &Passage, gateway: &Up) {
    let count = size.small_requests;
    for (load, count, pace) in [
        ("as many as are answered", count, Duration::ZERO),
        ("8,000 a second", count / 2, Duration::from_micros(125)),
    ] {
        println!("\nCPU microseconds per request, objects of 4 KiB, {load}");
        // The name of the row, who is asked, where the object lies.
        let bare = (&passage.side, passage.child.id());
        let sealing = (&gateway.side, gateway.child.id());
        let rows = [
            ("bare hyper proxy", bare, "/unsealed/small"),
            ("without sealing", sealing, "/unsealed/small"),
            ("SSE-S3", sealing, "/bench/small"),
        ];
        let mut yardstick = 0.0;
        for (name, (side, pid), path) in rows {
            let goal = (name == "SSE-S3").then_some(2.5);
            let small = |method| Call {
                path: path.to_owned(),
                ..transfer(&method, "small", 4096, &[])
            };
            let writer = if goal.is_some() { side } else { bare.0 };
            repeat(writer, &small(Method::PUT), 1, 1).await;
            let get = small(Method::GET);
            repeat(side, &get, count / 10, 8).await;
            let (cpu, time) = timed(pid, paced(side, &get, count, 8, pace)).await;
            let each = cpu.as_secs_f64() * 1e6 / to_f64(count);
            let ratio = (yardstick > 0.0).then_some((yardstick, goal));
            let rate = to_f64(count) / time.as_secs_f64();
            print_row(
                &format!("GET {name}"),
                &format!("{each:8.1} us  {rate:9.0}/s"),
                each,
                ratio,
            );
            if yardstick == 0.0 {
                yardstick = each;
            }
        }
    }
}

async fn memory(size: &Size, gateway: &Up) {
    println!(
        "\nMemory of the gateway, one object of {} MiB",
        size.large_bytes >> 20
    );
    for method in [Method::PUT, Method::GET] {
        let call = transfer(&method, "large", size.large_bytes, &[]);
        let bytes = repeat(&gateway.side, &call, 1, 1).await;
        assert!(
            method == Method::PUT || bytes == size.large_bytes,
            "{bytes} bytes came back"
        );
        let peak = meter::peak_rss(gateway.child.id());
        let verdict = verdict(peak < RSS_MAX_BYTES);
        println!(
            "  {method}: peak {} MiB (to reach: under 64) {verdict}",
            peak >> 20
        );
    }
}

/// A whole-object PUT or GET.
fn transfer(method: &Method, name: &str, bytes: u64, headers: &[Field]) -> Call {
    let body = if method == Method::PUT {
        Load::plain(bytes)
    } else {
        Load::default()
    };
    Call {
        method: method.clone(),
        path: format!("/bench/{}", name.replace(' ', "-")),
        headers: headers.to_vec(),
        payload_hash: "UNSIGNED-PAYLOAD",
        service: "s3",
        body,
    }
}

fn customer_headers() -> Vec<(&'static str, String)> {
    let key = [0x42_u8; 32];
    let digest = STANDARD.encode(md5::Md5::digest(key));
    vec![
        (
            "x-amz-server-side-encryption-customer-algorithm",
            "AES256".to_owned(),
        ),
        (
            "x-amz-server-side-encryption-customer-key",
            STANDARD.encode(key),
        ),
        ("x-amz-server-side-encryption-customer-key-md5", digest),
    ]
}

/// One transfer to warm up, then all of them on two connections.
async fn measured(pid: u32, side: &Side, call: &Call, count: u64) -> (Duration, Duration) {
    repeat(side, call, 1, 1).await;
    timed(pid, repeat(side, call, count, 2)).await
}

async fn timed(pid: u32, work: impl Future<Output = u64>) -> (Duration, Duration) {
    let (cpu, start) = (meter::cpu(pid), Instant::now());
    work.await;
    (meter::cpu(pid).saturating_sub(cpu), start.elapsed())
}

fn line(name: &str, per_gb: f64, bytes: u64, time: Duration, ratio: Option<(f64, Option<f64>)>) {
    let speed = to_f64(bytes) / 1e6 / time.as_secs_f64();
    print_row(
        name,
        &format!("{per_gb:8.3} s/GB  {speed:6.0} MB/s"),
        per_gb,
        ratio,
    );
}

fn print_row(name: &str, figures: &str, value: f64, ratio: Option<(f64, Option<f64>)>) {
    let text = match ratio {
        Some((bare, goal)) if bare > 0.0 => {
            let ratio = value / bare;
            let goal =
                goal.map(|goal| format!(" (to reach: {goal:.1}) {}", verdict(ratio <= goal)));
            format!("  {ratio:5.2}x{}", goal.unwrap_or_default())
        }
        _ => String::new(),
    };
    println!("  {name:<28} {figures}{text}");
}

fn verdict(reached: bool) -> &'static str {
    if !reached {
        MISSED.store(true, Ordering::SeqCst);
    }
    if reached { "ok" } else { "MISSED" }
}

fn to_f64(count: u64) -> f64 {
    // Exact up to 2^53, far above anything counted here.
    count as f64
}

/// `sealgate up` before the backend, KMS included.
fn up(backend: &Backend, folder: &std::path::Path) -> Up {
    let config = "[kms.quotas]\nshape = \"off\"\n\
                  [gateway.state]\nfirst_start = \"any\"\n\
                  [gateway.objects]\nadopted_buckets = [\"unsealed\"]\n";
    Up::start(&product::binary(), folder, config, |command| {
        command.args(["--backend", &backend.endpoint()]);
        command.env("SEALGATE_BACKEND_ACCESS_KEY_ID", ACCESS_KEY_ID);
        command.env("SEALGATE_BACKEND_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY);
    })
}

/// The bare proxy's process.
struct Passage {
    child: Child,
    side: Side,
}

impl Passage {
    fn start(backend: &Backend) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let (child, line) = spawn(command.args(["--passage", &backend.endpoint()]));
        let side = Side {
            address: line.trim().parse().unwrap(),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        };
        Self { child, side }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

static MISSED: AtomicBool = AtomicBool::new(false);
const RSS_MAX_BYTES: u64 = 64 << 20;
