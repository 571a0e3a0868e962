//! What the gateway sends to the backend: one request, before it is signed.

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http_body::Body;
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;

use crate::request::BoxError;

/// One request to the backend, before it is addressed and signed.
///
/// Nothing is taken from a client's request by itself: the caller puts in each header it wants sent.
/// `Host`, `Authorization`, `Content-Length` and the SigV4 headers are the backend module's and are
/// overwritten when they are present.
#[derive(Debug)]
pub struct BackendRequest {
    /// HTTP method.
    pub method: Method,
    /// Bucket; none for `ListBuckets`.
    pub bucket: Option<String>,
    /// Key, decoded. It is encoded once, byte by byte, and never normalised.
    pub key: Option<String>,
    /// Query pairs, decoded, in the order to be sent.
    pub query: Vec<(String, String)>,
    /// Headers to be sent and signed.
    pub headers: HeaderMap,
    /// Body.
    pub body: BackendBody,
    /// Whether the backend receives a digest of the body.
    pub digest: Digest,
    /// Whether a backend in this process may answer with
    /// [`ListedEntries`](crate::backend::ListedEntries).
    pub takes_entries: bool,
}

/// Whether the backend receives a digest of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    /// It is not.
    #[default]
    None,
    /// Only where that is configured: the body is one that S3 stores.
    Useful,
    /// It is: S3 refuses the request without.
    Demanded,
}

impl BackendRequest {
    /// A request on the service itself (`ListBuckets`).
    #[must_use]
    pub fn service(method: Method) -> Self {
        Self {
            method,
            bucket: None,
            key: None,
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: BackendBody::Empty,
            digest: Digest::None,
            takes_entries: false,
        }
    }

    /// A request on a bucket.
    #[must_use]
    pub fn bucket(method: Method, bucket: impl Into<String>) -> Self {
        Self {
            bucket: Some(bucket.into()),
            ..Self::service(method)
        }
    }

    /// A request on an object.
    #[must_use]
    pub fn object(method: Method, bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::bucket(method, bucket)
        }
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a query pair where there is a value.
    #[must_use]
    pub fn query_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: BackendBody) -> Self {
        self.body = body;
        self
    }

    /// Lets a backend in this process answer with
    /// [`ListedEntries`](crate::backend::ListedEntries).
    #[must_use]
    pub fn take_entries(mut self) -> Self {
        self.takes_entries = true;
        self
    }

    /// Sets whether the backend is told a digest of the body.
    #[must_use]
    pub fn digest(mut self, digest: Digest) -> Self {
        self.digest = digest;
        self
    }
}

/// The body of a request to the backend.
pub enum BackendBody {
    /// No body.
    Empty,
    /// A body held in memory: its SHA-256 is signed, and it can be sent again.
    Bytes(Bytes),
    /// A body sent as it comes, of a length known before.
    ///
    /// A frame that is an error, or a body that ends before or after `length`, aborts the
    /// connection, so that the backend commits nothing.
    Stream {
        /// The bytes.
        body: UnsyncBoxBody<Bytes, BoxError>,
        /// Exact number of bytes that `body` yields.
        length: u64,
    },
}

impl BackendBody {
    /// A streamed body of exactly `length` bytes.
    pub fn stream<B>(body: B, length: u64) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::Stream {
            body: body.map_err(Into::into).boxed_unsync(),
            length,
        }
    }

    /// Number of bytes of the body.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Stream { length, .. } => *length,
        }
    }
}

impl std::fmt::Debug for BackendBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BackendBody({} bytes)", self.length())
    }
}
