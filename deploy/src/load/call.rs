//! One request, prepared before a run: it is sent many times, and signed once in each second.
//!
//! A signature covers the time to the second, so that equal requests of one second have equal
//! signatures.

use std::cell::RefCell;

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
    /// The value of `x-amz-target`.
    target: String,
    body: Bytes,
    body_sha256: String,
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
}

impl Call {
    /// A request of a KMS operation with that body in JSON.
    #[must_use]
    pub(super) fn kms(operation: &'static str, body: &serde_json::Value) -> Self {
        let body = body.to_string();
        Self {
            operation,
            target: format!("TrentService.{operation}"),
            body_sha256: sigv4::sha256_hex(body.as_bytes()),
            body: body.into(),
            signed: RefCell::default(),
        }
    }

    /// The request, signed at `now`.
    ///
    /// # Errors
    ///
    /// When the host or a name cannot be sent in a header.
    pub(super) fn request(
        &self,
        signer: &Signer,
        now: Timestamp,
    ) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("host", &*signer.host)
            .header("content-type", CONTENT_TYPE)
            .header("x-amz-target", &*self.target);
        let mut signed = self.signed.borrow_mut();
        if signed.0 != now.unix_seconds() {
            *signed = (now.unix_seconds(), self.sign(signer, now)?);
        }
        for (name, value) in &signed.1 {
            request = request.header(*name, value.clone());
        }
        request.body(Full::new(self.body.clone()))
    }

    fn sign(
        &self,
        signer: &Signer,
        now: Timestamp,
    ) -> http::Result<Vec<(&'static str, HeaderValue)>> {
        let outbound = OutboundRequest {
            method: "POST",
            host: &signer.host,
            path: "/",
            query: &[],
            headers: &[
                ("content-type", CONTENT_TYPE.as_bytes()),
                ("x-amz-target", self.target.as_bytes()),
            ],
            payload_hash: &self.body_sha256,
        };
        let region = signer.region.as_str();
        let headers = sigv4::sign_request(&outbound, &signer.credentials, region, "kms", now);
        let value = |(name, text): (&'static str, String)| Ok((name, HeaderValue::try_from(text)?));
        headers.into_iter().map(value).collect()
    }
}

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
