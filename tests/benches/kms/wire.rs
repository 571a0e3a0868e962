//! Signed requests of AWS JSON over plain connections: as little as a client can cost.

use std::io::ErrorKind;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use anyhow::ensure;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::sigv4::sha256_hex;
use proto::sigv4::sign_request;
use proto::time::Clock as _;
use proto::time::SystemClock;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The caller's access key, and the secret of it.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// Secret of [`KEY_ID`].
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The Region that is asked.
pub const REGION: &str = "us-east-1";

/// A request for one operation, signed, as it goes over the wire.
pub fn signed(address: &str, operation: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let target = format!("TrentService.{operation}");
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"application/x-amz-json-1.1"),
        ("x-amz-target", target.as_bytes()),
    ];
    let outbound = OutboundRequest {
        method: "POST",
        host: address,
        path: "/",
        query: &[],
        headers: &headers,
        payload_hash: &sha256_hex(body.as_bytes()),
    };
    let credentials = Credentials::new(KEY_ID, SECRET);
    let added = sign_request(&outbound, &credentials, REGION, "kms", SystemClock.now());
    let mut request = format!("POST / HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {}\r\n", String::from_utf8_lossy(value));
    }

    for (name, value) in added {
        request += &format!("{name}: {value}\r\n");
    }

    request += &format!(
        "user-agent: bench/1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    request.into_bytes()
}

/// One request and its answer.
pub async fn exchange(address: &str, operation: &str, body: &Value) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&signed(address, operation, body)).await?;
    let mut buffer = Vec::new();
    loop {
        ensure!(
            stream.read_buf(&mut buffer).await? > 0,
            "{address} closed the connection"
        );
        if let Some(answer) = answer(&buffer)? {
            return Ok(serde_json::from_slice(&buffer[answer.head..answer.end])?);
        }
    }
}

/// Asks over many connections, `depth` requests on their way on each, and counts the answers; only
/// ever ends by failing.
pub async fn keep_asking(
    address: &str,
    request: &[u8],
    connections: usize,
    depth: usize,
    answered: &AtomicU64,
) -> anyhow::Error {
    let burst = request.repeat(depth);
    let connection = async || -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut served = false;
            // HTTP lets a server close after any answer, and some do.
            loop {
                let round = round(&mut stream, &burst, depth, &mut buffer).await?;
                if round != Round::Closed {
                    answered.fetch_add(depth as u64, Ordering::Relaxed);
                    served = true;
                }
                if round != Round::Answered {
                    break;
                }
            }
            ensure!(served, "{address} closed the connection unasked");
        }
    };
    let all = (0..connections).map(|_| Box::pin(connection()));
    let (ended, ..) = futures_util::future::select_all(all).await;
    ended
        .err()
        .unwrap_or_else(|| anyhow::anyhow!("a connection ended"))
}

/// How a burst ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    /// All was answered.
    Answered,
    /// All was answered, and the server said that it closes the connection.
    AnsweredLast,
    /// The server had closed the connection before.
    Closed,
}

/// Sends a burst and awaits all its answers.
async fn round(
    stream: &mut TcpStream,
    burst: &[u8],
    depth: usize,
    buffer: &mut [u8],
) -> anyhow::Result<Round> {
    let closed = |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe
        )
    };
    match stream.write_all(burst).await {
        Err(error) if closed(error.kind()) => return Ok(Round::Closed),
        sent => sent?,
    }
    let (mut answered, mut filled) = (0, 0);
    let mut round = Round::Answered;
    while answered < depth {
        let read = match stream.read(&mut buffer[filled..]).await {
            Err(error) if filled + answered == 0 && closed(error.kind()) => {
                return Ok(Round::Closed);
            }
            read => read?,
        };
        if read == 0 && filled + answered == 0 {
            return Ok(Round::Closed);
        }
        ensure!(read > 0, "the server closed the connection in an answer");
        filled += read;
        while let Some(answer) = answer(&buffer[..filled])? {
            buffer.copy_within(answer.end..filled, 0);
            filled -= answer.end;
            answered += 1;
            if answer.is_last {
                round = Round::AnsweredLast;
            }
        }
    }
    Ok(round)
}

/// Where an answer's head and body end.
struct Answer {
    head: usize,
    end: usize,
    /// Whether the server closes the connection after it.
    is_last: bool,
}

/// The answer at the front, if it is all there.
fn answer(buffer: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&buffer[..head])?;
    let status = text.get(9..12);
    ensure!(status == Some("200"), "{}", String::from_utf8_lossy(buffer));
    let value = |wanted: &str| {
        let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim())
    };
    let length = value("content-length").context("an answer has a length")?;
    let head = head + 4;
    let end = head + length.parse::<usize>()?;
    let is_last = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let answer = Answer { head, end, is_last };
    Ok((buffer.len() >= end).then_some(answer))
}
