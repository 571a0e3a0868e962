//! Passing an operation through that touches no encryption.

use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;
use http_body_util::combinators::UnsyncBoxBody;

use crate::backend::Backend;
use crate::backend::body::PayloadBody;
use crate::backend::passage;
use crate::backend::request::BackendBody;
use crate::backend::request::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::request::Body;
use crate::request::S3Request;

impl Backend {
    /// Passes `request` on as it is and gives the answer back as it is, both freed of what is only
    /// between client and gateway or only between gateway and backend.
    ///
    /// The body is streamed; a body that fails its client's signature or checksum is never whole at
    /// the backend. For operations that neither show nor change the bytes of an object.
    ///
    /// # Errors
    ///
    /// The backend's own S3 error; `MissingContentLength` for a body of unknown length;
    /// `ServiceUnavailable` when the backend gives no usable answer.
    pub async fn forward(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let onward = onward(request)?;
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
        *response.headers_mut() = passage::response_headers(&parts.headers);
        if let (true, Some(bucket)) = (parts.headers.contains_key(header::LOCATION), bucket) {
            // CreateBucket tells where the bucket is: here.
            if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
                response.headers_mut().insert(header::LOCATION, location);
            }
        }
        Ok(response)
    }
}

/// What is sent to the backend for `request`.
fn onward(request: S3Request) -> Result<BackendRequest, S3Error> {
    let headers = passage::request_headers(&request.headers);
    let query = request
        .target
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| !is_signature(name))
        .cloned()
        .collect();
    let body = match request.body.length() {
        Some(0) => BackendBody::Empty,
        Some(length) => BackendBody::stream(PayloadBody(request.body), length),
        None if request.method == Method::GET || request.method == Method::HEAD => {
            BackendBody::Empty
        }
        None => return Err(S3Code::MissingContentLength.into()),
    };
    Ok(BackendRequest {
        method: request.method,
        bucket: request.target.bucket,
        key: request.target.key,
        query,
        headers,
        body,
    })
}

/// Whether a query name belongs to a presigned URL, which was signed for the gateway.
fn is_signature(name: &str) -> bool {
    name.get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
}
