//! Requests signed by hand, every part open to change between signing and sending.
//!
//! ```ignore
//! let mut request = Draft::new(Method::PUT, "bucket", "key").body("hello").sign(&access, now, host);
//! request.headers.insert("x-amz-date", "20200101T000000Z".parse()?);
//! let answer = request.send(&target).await?;
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use proto::sigv4;
use proto::sigv4::CredentialScope;
use proto::sigv4::OutboundRequest;
use proto::sigv4::SigningKey;
use proto::time::Timestamp;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::clients::Access;

mod version_2;

/// How the body is covered by the signature.
#[derive(Clone, Debug, Default)]
pub enum Cover {
    /// Its SHA-256.
    #[default]
    Hash,
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// aws-chunked in chunks of so many bytes, each signed, with these trailers (signed too).
    SignedChunks(usize, Vec<(String, String)>),
    /// aws-chunked in chunks of so many bytes, unsigned, with these trailers.
    UnsignedChunks(usize, Vec<(String, String)>),
}

/// A request before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Bytes,
    cover: Cover,
}

impl Draft {
    /// On `key` of `bucket`; both unencoded, either may be empty.
    #[must_use]
    pub fn new(method: Method, bucket: &str, key: &str) -> Self {
        let path = match (bucket, key) {
            ("", _) => "/".to_owned(),
            (bucket, "") => format!("/{bucket}"),
            (bucket, key) => format!("/{bucket}/{}", sigv4::encode_path(key.as_bytes())),
        };
        Self::raw(method, &path)
    }

    /// On a path that is already encoded.
    #[must_use]
    pub fn raw(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            cover: Cover::default(),
        }
    }

    /// Adds a query pair, unencoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header; it will be signed.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how the body is covered.
    #[must_use]
    pub fn cover(mut self, cover: Cover) -> Self {
        self.cover = cover;
        self
    }

    /// Signs for S3 in the header.
    #[must_use]
    pub fn sign(self, access: &Access, now: Timestamp, host: &str) -> Signed {
        self.sign_for(access, now, host, "s3")
    }

    /// Signs for this service in the header.
    #[must_use]
    pub fn sign_for(
        mut self,
        access: &Access,
        now: Timestamp,
        host: &str,
        service: &str,
    ) -> Signed {
        let payload_hash = self.announce();
        let added = self.outbound(&payload_hash, host, |outbound| {
            sigv4::sign_request(outbound, &credentials(access), &access.region, service, now)
        });
        let body = match &self.cover {
            Cover::Hash | Cover::Unsigned => self.body.clone(),
            Cover::UnsignedChunks(size, trailers) => unsigned_chunks(&self.body, *size, trailers),
            Cover::SignedChunks(size, trailers) => {
                let signature = added
                    .iter()
                    .find_map(|(_, value)| value.rsplit_once("Signature="))
                    .map(|(_, signature)| signature.to_owned())
                    .unwrap();
                ChunkSigner::new(access, now, signature).chunks(&self.body, *size, trailers)
            }
        };
        let query = self.raw_query();
        let mut signed = self.unsigned(host, query, body);
        for (name, value) in added {
            signed.headers.insert(name, value.parse().unwrap());
        }
        signed
    }

    /// Signs in the query, for `expires` from `now`. The payload is not covered.
    #[must_use]
    pub fn presign(self, access: &Access, now: Timestamp, host: &str, expires: Duration) -> Signed {
        let query = self.outbound("UNSIGNED-PAYLOAD", host, |outbound| {
            let credentials = credentials(access);
            sigv4::presign_request(outbound, &credentials, &access.region, "s3", now, expires)
        });
        let body = self.body.clone();
        self.unsigned(host, query, body)
    }

    /// Not signed at all.
    #[must_use]
    pub fn anonymous(self, host: &str) -> Signed {
        let (query, body) = (self.raw_query(), self.body.clone());
        self.unsigned(host, query, body)
    }

    /// The headers that aws-chunked needs; returns the value of `x-amz-content-sha256`.
    fn announce(&mut self) -> String {
        let (trailers, hash) = match &self.cover {
            Cover::Hash => return sigv4::sha256_hex(&self.body),
            Cover::Unsigned => return "UNSIGNED-PAYLOAD".to_owned(),
            Cover::UnsignedChunks(_, trailers) => (trailers, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            Cover::SignedChunks(_, trailers) if trailers.is_empty() => {
                (trailers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
            }
            Cover::SignedChunks(_, trailers) => {
                (trailers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
            }
        };
        let names: Vec<_> = trailers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(",");
        let has = |name: &str| {
            self.headers
                .iter()
                .any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        let mut add = Vec::new();
        if !names.is_empty() && !has("x-amz-trailer") {
            add.push(("x-amz-trailer".to_owned(), names));
        }
        if !has("x-amz-decoded-content-length") {
            let length = self.body.len().to_string();
            add.push(("x-amz-decoded-content-length".to_owned(), length));
        }
        if !has("content-encoding") {
            add.push(("content-encoding".to_owned(), "aws-chunked".to_owned()));
        }
        self.headers.extend(add);
        hash.to_owned()
    }

    fn raw_query(&self) -> String {
        let pairs: Vec<_> = self
            .query
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        sigv4::canonical_query(&pairs)
    }

    fn outbound<T>(
        &self,
        payload_hash: &str,
        host: &str,
        sign: impl FnOnce(&OutboundRequest<'_>) -> T,
    ) -> T {
        let query: Vec<_> = self
            .query
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_bytes()))
            .collect();
        sign(&OutboundRequest {
            method: self.method.as_str(),
            host,
            path: &self.path,
            query: &query,
            headers: &headers,
            payload_hash,
        })
    }

    fn unsigned(self, host: &str, query: String, body: Bytes) -> Signed {
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Signed {
            method: self.method,
            path: self.path,
            query,
            headers,
            body,
        }
    }
}

/// A request as it will be sent; every field may be changed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Method.
    pub method: Method,
    /// Path, encoded.
    pub path: String,
    /// Query, encoded; empty for none.
    pub query: String,
    /// Headers; `content-length` is added when sent unless it is here.
    pub headers: HeaderMap,
    /// Body, aws-chunked framing included.
    pub body: Bytes,
}

impl Signed {
    /// The request line's target.
    #[must_use]
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query)
    }

    /// Sends on a new connection and reads the whole answer.
    ///
    /// # Errors
    ///
    /// When the connection breaks before the answer ended.
    pub async fn send(&self, target: &Target) -> anyhow::Result<Response<Bytes>> {
        let mut request = Request::builder().method(&self.method).uri(self.target());
        *request.headers_mut().unwrap() = self.headers.clone();
        let request = request.body(Full::new(self.body.clone()))?;
        let stream = TokioIo::new(target.connect().await?);
        let mut http = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) = http.max_headers(600).handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(head, body))
    }

    /// The request as bytes, for requests that no HTTP library would send. `content-length` is added unless
    /// a framing header is here.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target()).into_bytes();
        for (name, value) in &self.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        let framed = ["content-length", "transfer-encoding"];
        if !framed.iter().any(|name| self.headers.contains_key(*name)) {
            text.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(&self.body);
        text
    }
}

/// Where requests go.
#[derive(Clone)]
pub struct Target {
    /// Socket address.
    pub address: SocketAddr,
    /// Trust for TLS; `None` for plain HTTP.
    pub tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

/// A connection, plain or within TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Target {
    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// When none can be made, or the handshake fails.
    pub async fn connect(&self) -> anyhow::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        let Some(config) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = rustls::pki_types::ServerName::try_from("localhost")?;
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::clone(config));
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// Sends these bytes, closes the sending side if `close`, and reads all that comes back
    /// within five seconds.
    ///
    /// # Errors
    ///
    /// When no connection can be made.
    pub async fn exchange(&self, bytes: &[u8], close: bool) -> anyhow::Result<Vec<u8>> {
        let mut stream = self.connect().await?;
        // The server may hang up before it has read all of it.
        let _ = stream.write_all(bytes).await;
        if close {
            let _ = stream.shutdown().await;
        }
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
        Ok(answer)
    }
}

/// Signs the chunks of one body; public so that attacks can sign them wrongly.
pub struct ChunkSigner {
    key: SigningKey,
    scope: CredentialScope,
    now: Timestamp,
    previous: String,
}

impl ChunkSigner {
    /// `seed` is the signature of the request's head.
    #[must_use]
    pub fn new(access: &Access, now: Timestamp, seed: String) -> Self {
        let scope = CredentialScope::new(now, &access.region, "s3");
        let key = SigningKey::derive(&access.secret_access_key, &scope);
        Self {
            key,
            scope,
            now,
            previous: seed,
        }
    }

    /// One chunk with its head; an empty one ends the body (its closing line break is the
    /// trailer's to write).
    pub fn chunk(&mut self, data: &[u8]) -> Vec<u8> {
        let hash = sigv4::sha256_hex(data);
        let text = sigv4::chunk_string_to_sign(self.now, &self.scope, &self.previous, &hash);
        self.previous = self.key.sign(&text).to_string();
        let mut chunk =
            format!("{:x};chunk-signature={}\r\n", data.len(), self.previous).into_bytes();
        chunk.extend_from_slice(data);
        if !data.is_empty() {
            chunk.extend_from_slice(b"\r\n");
        }
        chunk
    }

    /// The trailer's lines, its signature and the closing line break.
    pub fn trailer(&mut self, trailers: &[(String, String)]) -> Vec<u8> {
        let pairs: Vec<_> = trailers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        let hash = sigv4::sha256_hex(sigv4::canonical_trailers(&pairs).as_bytes());
        let text = sigv4::trailer_string_to_sign(self.now, &self.scope, &self.previous, &hash);
        let signature = self.key.sign(&text);
        let lines: String = pairs
            .iter()
            .map(|(name, value)| format!("{name}:{value}\r\n"))
            .collect();
        format!("{lines}x-amz-trailer-signature:{signature}\r\n\r\n").into_bytes()
    }

    fn chunks(mut self, body: &[u8], size: usize, trailers: &[(String, String)]) -> Bytes {
        let mut framed = Vec::new();
        for data in body.chunks(size) {
            framed.extend(self.chunk(data));
        }
        framed.extend(self.chunk(b""));
        if trailers.is_empty() {
            framed.extend_from_slice(b"\r\n");
        } else {
            framed.extend(self.trailer(trailers));
        }
        framed.into()
    }
}

fn unsigned_chunks(body: &[u8], size: usize, trailers: &[(String, String)]) -> Bytes {
    let mut framed = Vec::new();
    for data in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        framed.extend_from_slice(data);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        framed.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
    }
    framed.extend_from_slice(b"\r\n");
    framed.into()
}

fn credentials(access: &Access) -> sigv4::Credentials {
    sigv4::Credentials::new(&access.access_key_id, &access.secret_access_key)
}
