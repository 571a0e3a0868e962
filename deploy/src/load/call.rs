//! One request, prepared before a run: it is sent many times, and signed once in each second.
//!
//! A signature covers the time to the second, so that equal requests of one second have equal
//! signatures.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::Method;
use http::Request;
use http_body_util::Full;
use proto::identity::Region;
use proto::sigv4;
use proto::sigv4::Credentials;
use proto::sigv4::OutboundRequest;
use proto::time::Timestamp;

/// A request that can be sent many times.
pub(super) struct Call {
    /// The operation's name.
    pub(super) operation: &'static str,
    /// Host and port, and who signs.
    pub(super) signer: Arc<Signer>,
    /// Bytes of the body of an answer that serves it, if they are known.
    pub(super) answer_bytes: Option<u64>,
    method: Method,
    /// The path, encoded.
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
    body_sha256: Arc<str>,
    /// The headers of the signature of one second.
    signed: RefCell<(i64, Vec<(&'static str, HeaderValue)>)>,
}

/// Who signs, and for which host.
pub(super) struct Signer {
    /// The value of `Host`.
    pub(super) host: String,
    /// The access key.
    pub(super) credentials: Credentials,
    /// The Region of the requests.
    pub(super) region: Region,
    /// The service, as signatures name it: `kms` or `s3`.
    pub(super) service: &'static str,
}

/// What is sent: bytes and their hash, which is computed once.
#[derive(Clone)]
pub(super) struct Content {
    bytes: Bytes,
    sha256: Arc<str>,
}

impl Content {
    /// These bytes.
    #[must_use]
    pub(super) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            sha256: sigv4::sha256_hex(&bytes).into(),
            bytes,
        }
    }
}

impl Call {
    /// A request of a KMS operation with that body in JSON.
    #[must_use]
    pub(super) fn kms(
        operation: &'static str,
        body: &serde_json::Value,
        signer: Arc<Signer>,
    ) -> Self {
        let content = Content::new(body.to_string());
        Self {
            operation,
            signer,
            answer_bytes: None,
            method: Method::POST,
            path: "/".to_owned(),
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", format!("TrentService.{operation}")),
            ],
            body: content.bytes,
            body_sha256: content.sha256,
            signed: RefCell::default(),
        }
    }

    /// A request of an S3 operation for a bucket or an object, at a path that needs no encoding.
    #[must_use]
    pub(super) fn s3(
        operation: &'static str,
        method: Method,
        path: String,
        headers: Vec<(&'static str, String)>,
        content: &Content,
        signer: Arc<Signer>,
    ) -> Self {
        Self {
            operation,
            signer,
            answer_bytes: None,
            method,
            path,
            headers,
            body: content.bytes.clone(),
            body_sha256: Arc::clone(&content.sha256),
            signed: RefCell::default(),
        }
    }

    /// The same, which is served by an answer of that many bytes only.
    #[must_use]
    pub(super) fn with_answer_bytes(mut self, bytes: u64) -> Self {
        self.answer_bytes = Some(bytes);
        self
    }

    /// The request, signed at `now`.
    ///
    /// # Errors
    ///
    /// When the host or a name cannot be sent in a header.
    pub(super) fn request(&self, now: Timestamp) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header("host", &*self.signer.host);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut signed = self.signed.borrow_mut();
        if signed.0 != now.unix_seconds() {
            *signed = (now.unix_seconds(), self.sign(now)?);
        }
        for (name, value) in &signed.1 {
            request = request.header(*name, value.clone());
        }
        request.body(Full::new(self.body.clone()))
    }

    fn sign(&self, now: Timestamp) -> http::Result<Vec<(&'static str, HeaderValue)>> {
        let headers = self.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let outbound = OutboundRequest {
            method: self.method.as_str(),
            host: &self.signer.host,
            path: &self.path,
            query: &[],
            headers: &headers,
            payload_hash: &self.body_sha256,
        };
        let Signer {
            credentials,
            region,
            service,
            ..
        } = &*self.signer;
        let headers = sigv4::sign_request(&outbound, credentials, region.as_str(), service, now);
        let value = |(name, text): (&'static str, String)| Ok((name, HeaderValue::try_from(text)?));
        headers.into_iter().map(value).collect()
    }
}
