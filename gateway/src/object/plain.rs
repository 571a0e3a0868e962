//! Objects that lay unsealed in a bucket before the gateway came: handed out as they are.
//!
//! Only in buckets that the configuration names as adopted, and said so each time: by a header, a
//! metric and a line in the log. What has no envelope but begins like a sealed object has lost its
//! envelope, and is refused: ciphertext is never handed out.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::backend::Backend;
use crate::backend::ReplyBody;
use crate::chunks::segment::MAGIC;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::get::Read;
use crate::object::get::Wanted;
use crate::object::opened::broken_off;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::headers;
use crate::request::Body;
use crate::request::PayloadStream;
use crate::sse::customer_key;
use crate::sse::data_key::refuse_tampered;

impl Objects {
    /// Answers `GET` or `HEAD` with an unsealed object.
    pub(crate) async fn plain(
        &self,
        read: &Read,
        method: Method,
    ) -> Result<Response<Body>, ReadError> {
        let reader = &read.reader;
        if reader.customer_key.is_some() {
            return Err(customer_key::not_applicable().into());
        }
        let etag = self.begins_unsealed(reader).await?;
        if let Wanted::Part(number @ 2..) = read.wanted {
            return Err(S3Error::new(S3Code::InvalidPartNumber)
                .detail("PartNumberRequested", number.to_string())
                .into());
        }
        let mut request = reader.request(method.clone());
        for name in PASSED {
            if let Some(value) = read.headers.get(&name) {
                request = request.header(name, value.clone());
            }
        }
        let answer = self.backend.send(request).await?;
        if !matches!(
            answer.status(),
            StatusCode::OK | StatusCode::PARTIAL_CONTENT
        ) {
            return Err(Backend::refusal(&method, answer).await.into());
        }
        let (parts, body) = answer.into_parts();
        if parts.headers.get(header::ETAG) != etag.as_ref() {
            return Err(ReadError::Changed);
        }
        metrics::counter!("sealgate_unsealed_reads_total").increment(1);
        tracing::warn!(
            bucket = reader.name.bucket,
            key = ?reader.name.key,
            "an unsealed object was read"
        );
        let mut response = Response::new(body.boxed_unsync());
        *response.status_mut() = parts.status;
        *response.headers_mut() = described(&parts.headers);
        for (name, value) in &read.overrides {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        Ok(response)
    }

    /// Checks the first bytes of an object without an envelope; its ETag at the backend.
    pub(crate) async fn begins_unsealed(
        &self,
        reader: &Reader,
    ) -> Result<Option<HeaderValue>, ReadError> {
        let range = HeaderValue::from_static("bytes=0-7");
        let request = reader.request(Method::GET).header(header::RANGE, range);
        let answer = match self.backend.fetch(request).await {
            // An object without bytes has no first ones.
            Err(error) if error.is_refused_as(StatusCode::RANGE_NOT_SATISFIABLE) => {
                let headers = self.head_backend(reader).await?;
                return Ok(headers.get(header::ETAG).cloned());
            }
            answer => answer?,
        };
        if answer.headers().contains_key(headers::ENVELOPE) {
            return Err(ReadError::Changed);
        }
        if answer.body().starts_with(MAGIC) {
            return Err(refuse_tampered(&"it is sealed and has no envelope").into());
        }
        Ok(answer.headers().get(header::ETAG).cloned())
    }
}

/// The body of an unsealed object, as the source of a copy.
pub(crate) struct PlainBody(pub(crate) ReplyBody);

impl PayloadStream for PlainBody {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        loop {
            match ready!(Pin::new(&mut self.0).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(cause)) => return Poll::Ready(Some(Err(broken_off(&*cause)))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

/// The headers of the answer.
fn described(backend: &HeaderMap) -> HeaderMap {
    let mut headers = headers::of_answer(backend);
    for name in TOLD {
        if let Some(value) = backend.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(
        HeaderName::from_static("x-sealgate-unsealed"),
        HeaderValue::from_static("true"),
    );
    headers
}

/// Headers of the request that the backend answers itself.
const PASSED: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Headers of the answer that are about the bytes themselves.
const TOLD: [HeaderName; 4] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ETAG,
];
