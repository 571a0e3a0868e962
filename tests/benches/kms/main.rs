//! What the KMS answers and what it costs.
//!
//! - GenerateDataKey a second on both protocols, and the server's CPU time for each;
//! - what of it quota, audit trail and metrics take;
//! - `sealgate kms` by itself: start to first answer, and memory with 1,000 keys;
//! - the rates of other emulators, by the same client in the same run.
//!
//! The server is a process of its own with one thread, on one core where `taskset` is there; the
//! client is this process, on another. Signatures are checked, quotas charged, events kept. The
//! CPU time is the server's as the system accounts it, so it holds on a busy machine, too.
//!
//! Run: `cargo bench -p tests --bench kms`, and with peers that run already (moto's is
//! `moto_server -p 5000`): `-- --peer moto=127.0.0.1:5000 --peer localstack=127.0.0.1:4566`.

mod costs;
mod footprint;
mod peers;
mod wire;

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::ensure;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use kms::api::Operation;
use kms::caller::Caller;
use kms::config::Config;
use kms::config::Credential;
use kms::config::Signatures;
use proto::identity::Secret;
use proto::kms::v1;
use proto::time::SystemClock;
use tokio::net::TcpStream;

use crate::peers::Peer;
use crate::wire::KEY_ID;
use crate::wire::REGION;
use crate::wire::SECRET;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNT: &str = "111122223333";
const TOKEN: &str = "the secret between the two services";

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if std::env::args().any(|argument| argument == "serve") {
        return runtime.block_on(serve());
    }
    let arguments: Vec<String> = std::env::args().collect();
    let peers = arguments
        .windows(2)
        .filter(|pair| pair[0] == "--peer")
        .map(|pair| Peer::parse(&pair[1]))
        .collect::<anyhow::Result<Vec<_>>>()?;

    let mut server = Server::start()?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "GenerateDataKey (AES_256, encryption context), one server thread"
    )?;
    writeln!(
        out,
        "{:<34}{:>12}{:>16}",
        "protocol", "per second", "CPU us per call"
    )?;
    for (name, streams) in [("gRPC, 64 streams", 64), ("gRPC, 1 stream", 1)] {
        let rate = runtime.block_on(grpc(&server, streams))?;
        writeln!(
            out,
            "{name:<34}{:>12.0}{:>16.2}",
            rate.per_second, rate.cpu_us
        )?;
    }

    let mut best = 0.0_f64;
    for (name, connections, depth) in [
        ("JSON + SigV4, 64 connections", 64, 1),
        ("JSON + SigV4, 4 x 16 pipelined", 4, 16),
        ("JSON + SigV4, 4 x 64 pipelined", 4, 64),
        ("JSON + SigV4, 1 connection", 1, 1),
    ] {
        let rate = runtime.block_on(json(&server, connections, depth))?;
        best = best.max(rate.per_second);
        writeln!(
            out,
            "{name:<34}{:>12.0}{:>16.2}",
            rate.per_second, rate.cpu_us
        )?;
    }

    let verdict = if best >= GOAL { "ok" } else { "MISSED" };
    writeln!(out, "to reach on one core: {GOAL:.0} per second: {verdict}")?;
    if !peers.is_empty() {
        runtime.block_on(peers::compare(&mut out, &server.address, &peers))?;
    }
    server.stop()?;
    runtime.block_on(async {
        costs::print(&mut out, start().await?).await?;
        footprint::print(&mut out).await
    })
}

/// Calls per second on one core.
const GOAL: f64 = 100_000.0;

/// CPU time that a process's threads have used, in microseconds.
fn cpu_us(process: u32) -> anyhow::Result<u64> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let used = stat.split(' ').next().context("schedstat has fields")?;
        nanos += used.parse::<u64>()?;
    }
    Ok(nanos / 1_000)
}

/// A KMS that checks signatures and counts against quotas nobody reaches.
async fn start() -> anyhow::Result<kms::server::Running> {
    let mut config = Config::fixture();
    config.authenticate.signatures = Signatures::Checked;
    config.authenticate.service_secret = Some(Secret::new(TOKEN));
    config.authenticate.credentials = vec![Credential {
        access_key_id: KEY_ID.to_owned(),
        secret_access_key: Secret::new(SECRET),
        account: ACCOUNT.parse()?,
        principal_arn: None,
    }];
    config.quotas.shape = kms::quota::Shape::Window;
    config.quotas.scale = 100.0;
    Ok(kms::server::start(config, Arc::new(SystemClock)).await?)
}

/// The root user of the account.
fn caller() -> anyhow::Result<Caller> {
    Ok(Caller::root(&ACCOUNT.parse()?, &REGION.parse()?))
}

/// The server's process: prints its port and the key's ARN, serves until its input closes.
async fn serve() -> anyhow::Result<()> {
    let running = start().await?;
    let create = Operation::CreateKey(v1::CreateKeyRequest::default());
    let answer = running.kms.call(&caller()?, create)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.to_json())?;
    let arn = answer["KeyMetadata"]["Arn"]
        .as_str()
        .context("a key has an ARN")?;
    writeln!(std::io::stdout(), "{} {arn}", running.address)?;
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    wait.await??;
    running.stop().await;
    Ok(())
}

/// The server's process, seen from the client.
struct Server {
    child: Child,
    address: String,
    key_arn: String,
    requests: AtomicU64,
}

/// What was measured.
struct Rate {
    per_second: f64,
    cpu_us: f64,
}

impl Server {
    /// Starts the server on the last core and moves this process to the first.
    fn start() -> anyhow::Result<Self> {
        let this = std::env::current_exe()?;
        let pinned = Command::new("taskset")
            .args(["-cp", "0"])
            .arg(std::process::id().to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
        let mut command = if pinned {
            Command::new("taskset")
        } else {
            Command::new(&this)
        };
        if pinned {
            command.args(["-c", "1"]).arg(&this);
        }

        let mut child = command
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let (address, key_arn) = line
            .trim()
            .split_once(' ')
            .context("it tells where it is")?;
        Ok(Self {
            address: address.to_owned(),
            key_arn: key_arn.to_owned(),
            child,
            requests: AtomicU64::new(0),
        })
    }

    /// Ends the server.
    fn stop(&mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        ensure!(self.child.wait()?.success(), "the server failed");
        Ok(())
    }

    /// CPU time the server has used so far, in microseconds, and requests answered.
    fn used(&self) -> anyhow::Result<(u64, u64)> {
        let cpu = cpu_us(self.child.id())?;
        Ok((cpu, self.requests.load(Ordering::Relaxed)))
    }

    /// Lets the clients warm up, then measures.
    async fn measure(&self) -> anyhow::Result<Rate> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (cpu_before, requests_before) = self.used()?;
        let start = Instant::now();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (cpu, requests) = self.used()?;
        let seconds = start.elapsed().as_secs_f64();
        let requests = u32::try_from(requests - requests_before)?;
        let cpu = u32::try_from(cpu - cpu_before)?;
        Ok(Rate {
            per_second: f64::from(requests) / seconds,
            cpu_us: f64::from(cpu) / f64::from(requests),
        })
    }
}

/// Many calls at once over one HTTP/2 connection.
async fn grpc(server: &Server, streams: usize) -> anyhow::Result<Rate> {
    let stream = TcpStream::connect(&server.address).await?;
    stream.set_nodelay(true)?;
    let (client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_connection_window_size(4 << 20)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await?;
    let local = tokio::task::LocalSet::new();
    local.spawn_local(connection);
    let message = message(server);
    let call = async |mut client: hyper::client::conn::http2::SendRequest<Full<Bytes>>| {
        let uri = format!(
            "http://{}/sealgate.kms.v1.KeyManagement/GenerateDataKey",
            server.address
        );
        let request = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("sealgate-via-service", "s3.us-east-1.amazonaws.com")
            .header("sealgate-account", ACCOUNT)
            .body(Full::new(message.clone()))?;
        client.ready().await?;
        let body = client
            .send_request(request)
            .await?
            .into_body()
            .collect()
            .await?;
        let status = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"));
        ensure!(
            status.is_some_and(|status| status == "0"),
            "gRPC status {status:?}"
        );
        server.requests.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let calls = (0..streams).map(|_| async {
        loop {
            if let Err(error) = call(client.clone()).await {
                return error;
            }
        }
    });
    let failed = async {
        let (error, ..) = futures_util::future::select_all(calls.map(Box::pin)).await;
        error
    };
    local
        .run_until(async {
            tokio::select! {
                rate = server.measure() => rate,
                error = failed => Err(error),
            }
        })
        .await
}

/// A GenerateDataKey request.
fn request(arn: &str) -> v1::GenerateDataKeyRequest {
    v1::GenerateDataKeyRequest {
        key_id: Some(arn.to_owned()),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: [(
            "aws:s3:arn".to_owned(),
            "arn:aws:s3:::demo/object".to_owned(),
        )]
        .into(),
        ..v1::GenerateDataKeyRequest::default()
    }
}

/// A GenerateDataKey message in its gRPC frame.
fn message(server: &Server) -> Bytes {
    let request = request(&server.key_arn);
    let message = prost::Message::encode_to_vec(&request);
    let mut framed = vec![0];
    framed.extend_from_slice(
        &u32::try_from(message.len())
            .unwrap_or_default()
            .to_be_bytes(),
    );
    framed.extend_from_slice(&message);
    Bytes::from(framed)
}

/// Signed requests over HTTP/1.1, `depth` on their way on each connection.
async fn json(server: &Server, connections: usize, depth: usize) -> anyhow::Result<Rate> {
    let body = serde_json::json!({
        "KeyId": server.key_arn,
        "KeySpec": "AES_256",
        "EncryptionContext": { "aws:s3:arn": "arn:aws:s3:::demo/object" },
    });
    let request = wire::signed(&server.address, "GenerateDataKey", &body);
    let answered = &server.requests;
    tokio::select! {
        rate = server.measure() => rate,
        failed = wire::keep_asking(&server.address, &request, connections, depth, answered) => {
            Err(failed)
        }
    }
}
