//! The load: signed requests over kept connections, bodies made as they go.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use proto::sigv4;
use proto::sigv4::OutboundRequest;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio::time::Instant;

/// Who is asked, and as whom.
#[derive(Clone)]
pub struct Side {
    /// Where it listens.
    pub address: SocketAddr,
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
}

/// A request that is made many times.
#[derive(Clone)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path.
    pub path: String,
    /// Headers besides the signature's.
    pub headers: Vec<(&'static str, String)>,
    /// Value of `x-amz-content-sha256`.
    pub payload_hash: &'static str,
    /// The service the signature names.
    pub service: &'static str,
    /// Body.
    pub body: Load,
}

impl Call {
    /// The same with a body of `bytes` bytes as SDKs upload it: in chunks, with a checksum at the end.
    pub fn with_trailing_crc(mut self, bytes: u64) -> Self {
        self.headers.extend([
            ("content-encoding", "aws-chunked".to_owned()),
            ("x-amz-decoded-content-length", bytes.to_string()),
            ("x-amz-trailer", "x-amz-checksum-crc32".to_owned()),
        ]);
        self.payload_hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
        self.body = Load::with_trailing_crc(bytes);
        self
    }
}

/// Makes `count` calls on `connections` connections, each as soon as the last was answered; gives the
/// answers' bytes in all.
pub async fn repeat(side: &Side, call: &Call, count: u64, connections: usize) -> u64 {
    paced(side, call, count, connections, Duration::ZERO).await
}

/// Makes `count` calls on `connections` connections, one each `pace`; gives the answers' bytes in all.
pub async fn paced(
    side: &Side,
    call: &Call,
    count: u64,
    connections: usize,
    pace: Duration,
) -> u64 {
    let (left, start) = (Arc::new(AtomicU64::new(count)), Instant::now());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (side, call, left) = (side.clone(), call.clone(), Arc::clone(&left));
        workers.spawn(async move {
            let mut sender = connect(side.address).await;
            let mut bytes = 0;
            let take = |left: u64| left.checked_sub(1);
            while let Ok(left) = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
                if !pace.is_zero() {
                    let before = u32::try_from(count - left).unwrap();
                    tokio::time::sleep_until(start + pace * before).await;
                }
                bytes += once(&mut sender, &side, &call).await;
            }
            bytes
        });
    }
    let mut bytes = 0;
    while let Some(done) = workers.join_next().await {
        bytes += done.unwrap();
    }
    bytes
}

async fn connect(address: SocketAddr) -> SendRequest<Load> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

async fn once(sender: &mut SendRequest<Load>, side: &Side, call: &Call) -> u64 {
    let host = side.address.to_string();
    let headers: Vec<_> = call
        .headers
        .iter()
        .map(|(n, v)| (*n, v.as_bytes()))
        .collect();
    let outbound = OutboundRequest {
        method: call.method.as_str(),
        host: &host,
        path: &call.path,
        query: &[],
        headers: &headers,
        payload_hash: call.payload_hash,
    };
    let credentials = sigv4::Credentials::new(&side.access_key_id, &side.secret_access_key);
    let now = SystemClock.now();
    let mut request = Request::builder()
        .method(&call.method)
        .uri(&call.path)
        .header("host", &host);
    for (name, value) in
        sigv4::sign_request(&outbound, &credentials, "us-east-1", call.service, now)
    {
        request = request.header(name, value);
    }
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    sender.ready().await.unwrap();
    let response = sender
        .send_request(request.body(call.body.clone()).unwrap())
        .await
        .unwrap();
    let (head, mut body) = response.into_parts();
    let mut bytes = 0;
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            bytes += data.len() as u64;
            if !head.status.is_success() {
                text.extend_from_slice(&data);
            }
        }
    }
    let text = String::from_utf8_lossy(&text);
    assert!(
        head.status.is_success(),
        "{} {}: {} {text}",
        call.method,
        call.path,
        head.status
    );
    bytes
}

/// A body of known length: pieces in order, the middle one repeated.
#[derive(Clone, Default)]
pub struct Load {
    pieces: VecDeque<(Bytes, u64)>,
    length: u64,
}

impl Load {
    /// `length` bytes, all alike, in pieces of 64 KiB.
    pub fn plain(length: u64) -> Self {
        let mut load = Self::default();
        load.push(&Bytes::from(vec![0x5a; PIECE]), length / PIECE as u64);
        load.push(
            &Bytes::from(vec![0x5a; usize::try_from(length % PIECE as u64).unwrap()]),
            1,
        );
        load
    }

    /// The same bytes, aws-chunked in chunks of 64 KiB, with a trailing CRC-32.
    fn with_trailing_crc(length: u64) -> Self {
        assert_eq!(length % PIECE as u64, 0, "whole chunks only");
        let data = vec![0x5a; PIECE];
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc);
        for _ in 0..length / PIECE as u64 {
            digest.update(&data);
        }
        let crc = u32::try_from(digest.finalize()).unwrap().to_be_bytes();
        let crc = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, crc);
        let chunk = [format!("{PIECE:x}\r\n").as_bytes(), &data, b"\r\n"].concat();
        let mut load = Self::default();
        load.push(&Bytes::from(chunk), length / PIECE as u64);
        load.push(
            &Bytes::from(format!("0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n")),
            1,
        );
        load
    }

    fn push(&mut self, piece: &Bytes, times: u64) {
        if !piece.is_empty() && times > 0 {
            self.length += piece.len() as u64 * times;
            self.pieces.push_back((piece.clone(), times));
        }
    }
}

impl Body for Load {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some((piece, times)) = self.pieces.front_mut() else {
            return Poll::Ready(None);
        };
        let data = piece.clone();
        *times -= 1;
        if *times == 0 {
            self.pieces.pop_front();
        }
        self.length -= data.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

const PIECE: usize = 64 << 10;
