//! Passing an operation through that touches no encryption.

use bytes::Bytes;
use http::HeaderValue;
use http::Response;
use http::header;
use http_body_util::combinators::UnsyncBoxBody;

use crate::backend::Backend;
use crate::backend::header_filter;
use crate::backend::request::BackendBody;
use crate::backend::request::BackendRequest;
use crate::backend::request::Digest;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::S3Request;

impl Backend {
    /// Passes `request` on as it is and gives the answer back as it is, both freed of what is only
    /// between client and gateway or only between gateway and backend.
    ///
    /// For operations that neither show nor change the bytes of an object: their bodies are small
    /// documents. One is read whole, and so found good, before the backend receives the request.
    ///
    /// # Errors
    ///
    /// The backend's own S3 error; `MaxMessageLengthExceeded` for a body above 1 MiB and whatever
    /// else was wrong with it; `ServiceUnavailable` when the backend gives no usable answer.
    pub async fn forward(&self, mut request: S3Request) -> Result<Response<Body>, S3Error> {
        let body = request.body.collect(DOCUMENT_BYTES_MAX).await?;
        let onward = onward(request, body);
        self.forward_request(onward).await
    }

    /// Sends a request of the gateway's own making and gives its answer back as
    /// [`Backend::forward`] does.
    ///
    /// # Errors
    ///
    /// As [`Backend::forward`].
    pub async fn forward_request(
        &self,
        request: BackendRequest,
    ) -> Result<Response<Body>, S3Error> {
        let bucket = request.bucket.clone();
        let answer = self.call(request).await?;
        let (parts, body) = answer.into_parts();
        let mut response = Response::new(UnsyncBoxBody::new(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = header_filter::response_headers(&parts.headers);
        if let (true, Some(bucket)) = (parts.headers.contains_key(header::LOCATION), bucket) {
            // The answer to CreateBucket names where the bucket is: here.
            if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
                response.headers_mut().insert(header::LOCATION, location);
            }
        }
        Ok(response)
    }
}

/// What is sent to the backend for `request` with `body`.
fn onward(request: S3Request, body: Bytes) -> BackendRequest {
    let headers = header_filter::request_headers(&request.headers);
    BackendRequest {
        method: request.method,
        bucket: request.target.bucket,
        key: request.target.key,
        // Of the client's query, routing left what the operation takes.
        query: request.target.query.into_pairs(),
        headers,
        body: BackendBody::Bytes(body),
        // What the client sent of it goes along.
        digest: Digest::None,
        takes_entries: false,
    }
}

/// Longest document that is passed on, in bytes.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
