//! What a page of 1,000 keys costs: time against the bare backend's, and requests to the backend.
//!
//!     cargo bench -p tests --bench list              # seconds
//!     cargo bench -p tests --bench list -- --smoke   # a page of 50 keys; proves that it runs
//!
//! Warm is a gateway that wrote the objects or listed them before, cold one that just started. The
//! backend is in memory and in this process: a real one adds its own time to each request. Only ratios
//! of one run mean something.

use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use http::Method;
use md5::Digest as _;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::SECRET_ACCESS_KEY;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let keys = if smoke { 50 } else { 1_000 };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(run(keys));
}

/// What a mode adds to a request.
type Mode = fn(Draft) -> Draft;

async fn run(keys: usize) {
    let setup = World::setup().gateway(|config| config.objects.allow_insecure_sse = true);
    let world = setup.start().await;
    println!(
        "a page of {keys} keys: milliseconds (median), by the bare backend's, backend requests"
    );
    let modes: [(&str, Mode); 3] = [("sse-s3", |it| it), ("sse-kms", kms), ("sse-c", customers)];
    for (bucket, mode) in modes {
        world.create_bucket(bucket).await;
        fill(&world, bucket, keys, mode).await;
        let backend = Access::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
        let endpoint = world.backend.endpoint();
        let address = endpoint.trim_start_matches("http://").parse().unwrap();
        let bare = Target { address, tls: None };
        let mut times = Vec::new();
        for _ in 0..PAGES {
            times.push(page(&world, &bare, &backend, bucket).await.0);
        }
        let bare = median(times);
        row(bucket, "bare", bare, bare, 1);

        let (mut first, mut again) = (Vec::new(), Vec::new());
        let (mut first_requests, mut again_requests) = (0, 0);
        for _ in 0..PAGES {
            let gateway = world.another_gateway().await;
            let address = gateway.s3_addr.unwrap();
            let target = Target { address, tls: None };
            // It knows its keys and nothing of the bucket.
            let elsewhere = Draft::new(Method::GET, "", "");
            elsewhere
                .sign(&world.main, world.now(), &address.to_string())
                .send(&target)
                .await
                .unwrap();
            let (time, requests) = page(&world, &target, &world.main, bucket).await;
            first.push(time);
            first_requests = requests;
            let (time, requests) = page(&world, &target, &world.main, bucket).await;
            again.push(time);
            again_requests = requests;
        }
        row(bucket, "cold", median(first), bare, first_requests);
        row(bucket, "warm", median(again), bare, again_requests);
    }
}

fn row(mode: &str, what: &str, time: Duration, bare: Duration, requests: usize) {
    let ratio = time.as_secs_f64() / bare.as_secs_f64();
    let millis = time.as_secs_f64() * 1e3;
    println!("{mode:8} {what:5} {millis:9.2} {ratio:8.2} {requests:6}");
}

/// How long a page takes, and how many requests it costs at the backend.
async fn page(world: &World, target: &Target, access: &Access, bucket: &str) -> (Duration, usize) {
    world.backend.forget();
    let host = target.address.to_string();
    let list = Draft::new(Method::GET, bucket, "").query("list-type", "2");
    let list = list.sign(access, world.now(), &host);
    let began = Instant::now();
    let answer = list.send(target).await.unwrap();
    let took = began.elapsed();
    assert_eq!(answer.status(), 200);
    (took, world.backend.requests().len())
}

async fn fill(world: &World, bucket: &str, keys: usize, mode: Mode) {
    let puts = (0..keys).map(|number| async move {
        let put = Draft::new(Method::PUT, bucket, &format!("key-{number:06}"));
        let put = mode(put.body(vec![b'x'; 1_000]));
        assert_eq!(world.send(put).await.status(), 200);
    });
    let puts = futures_util::stream::iter(puts).buffer_unordered(16);
    assert_eq!(puts.count().await, keys);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn kms(draft: Draft) -> Draft {
    draft.header(SSE, "aws:kms")
}

fn customers(draft: Draft) -> Draft {
    let key = [7; 32];
    let md5 = STANDARD.encode(md5::Md5::digest(key));
    draft
        .header(&format!("{SSE}-customer-algorithm"), "AES256")
        .header(&format!("{SSE}-customer-key"), &STANDARD.encode(key))
        .header(&format!("{SSE}-customer-key-md5"), &md5)
}

const SSE: &str = "x-amz-server-side-encryption";
const PAGES: usize = 11;
