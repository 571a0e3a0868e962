//! Objects that lay unsealed in a bucket before the gateway came: handed out as they are.
//!
//! Only in buckets that the configuration names as adopted, and shown each time: by a header, a
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
use http_body::Body;
use http_body::Frame;
use http_body_util::BodyExt as _;

use crate::backend::Backend;
use crate::backend::ReplyBody;
use crate::chunks::segment::MAGIC;
use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::etag::ETag;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::request::BoxError;
use crate::request::PayloadStream;
use crate::sealed::body::broken_off;
use crate::sealed::head::ObjectHead;
use crate::sealed::objects::SealedObjects;
use crate::sealed::reader::ReadError;
use crate::sealed::reader::Reader;
use crate::sse::customer_key;

/// Reads an unsealed object by GET or HEAD: status, headers for the client, and bytes. The backend itself
/// answers range and conditions of `request`.
///
/// # Errors
///
/// `InvalidRequest` for a customer key; the backend's refusal; `InternalError` for an object that was
/// sealed.
pub(crate) async fn read(
    objects: &SealedObjects,
    reader: &Reader,
    method: Method,
    request: &HeaderMap,
) -> Result<Response<ReplyBody>, ReadError> {
    let etag = check(objects, reader).await?;
    let mut onward = reader.request(method.clone());
    onward.headers = headers::selected(request, &PASSED);
    let answer = objects.backend.send(onward).await?;
    if !matches!(
        answer.status(),
        StatusCode::OK | StatusCode::PARTIAL_CONTENT
    ) {
        return Err(Backend::refusal(&method, answer).await.into());
    }
    if ETag::from_headers(answer.headers()).as_ref() != Some(&etag) {
        return Err(ReadError::Changed);
    }
    note(reader);
    let (mut parts, body) = answer.into_parts();
    parts.headers = for_client(&parts.headers);
    Ok(Response::from_parts(parts, body))
}

/// Whether a read of all of an object asks for nothing that its first answer does not have.
pub(crate) fn is_answered_by_first(request: &HeaderMap) -> bool {
    !PASSED.iter().any(|name| request.contains_key(name))
}

/// Hands out the answer to a read of all of an object, which showed that it has no envelope: status, headers for the
/// client, and bytes.
///
/// # Errors
///
/// As [`read`].
pub(crate) async fn hand_out(
    reader: &Reader,
    head: &ObjectHead,
    stored: ReplyBody,
) -> Result<Response<UnsealedBody>, ReadError> {
    if reader.customer_key.is_some() {
        return Err(customer_key::not_applicable().into());
    }
    let body = UnsealedBody::begin(stored).await?;
    note(reader);
    let mut response = Response::new(body);
    *response.headers_mut() = for_client(&head.headers);
    Ok(response)
}

/// The bytes of an object that was never sealed, of which the first were looked at.
pub(crate) struct UnsealedBody {
    first: Option<Bytes>,
    rest: ReplyBody,
}

impl UnsealedBody {
    /// Reads as much as shows that they are not those of a sealed object.
    async fn begin(mut rest: ReplyBody) -> Result<Self, S3Error> {
        let mut first = Bytes::new();
        while first.len() < MAGIC.len() {
            let Some(frame) = rest.frame().await else {
                break;
            };
            let Ok(data) = frame.map_err(|cause| broken_off(&*cause))?.into_data() else {
                continue;
            };
            first = match first.is_empty() {
                true => data,
                false => [first, data].concat().into(),
            };
        }
        if first.starts_with(MAGIC) {
            return Err(refuse_tampered(&SEALED_BYTES));
        }
        let first = (!first.is_empty()).then_some(first);
        Ok(Self { first, rest })
    }
}

impl Body for UnsealedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// Shows that an unsealed object was read.
fn note(reader: &Reader) {
    metrics::counter!("sealgate_unsealed_reads_total").increment(1);
    tracing::warn!(
        bucket = reader.name.bucket,
        key = ?reader.name.key,
        "an unsealed object was read"
    );
}

/// Checks that an object without an envelope was never sealed, by its first bytes; its ETag.
///
/// # Errors
///
/// As [`read`].
pub(crate) async fn check(objects: &SealedObjects, reader: &Reader) -> Result<ETag, ReadError> {
    if reader.customer_key.is_some() {
        return Err(customer_key::not_applicable().into());
    }
    let range = HeaderValue::from_static("bytes=0-7");
    let request = reader.request(Method::GET).header(header::RANGE, range);
    let answer = match objects.backend.fetch(request).await {
        // An object without bytes has no first ones.
        Err(error) if error.is_refused_as(StatusCode::RANGE_NOT_SATISFIABLE) => {
            return Ok(objects.head(reader).await?.etag);
        }
        answer => answer?,
    };
    if answer.headers().contains_key(ENVELOPE) {
        return Err(ReadError::Changed);
    }
    if answer.body().starts_with(MAGIC) {
        return Err(refuse_tampered(&SEALED_BYTES).into());
    }
    let etag = ETag::from_headers(answer.headers());
    Ok(etag.ok_or_else(S3Error::internal)?)
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
fn for_client(backend: &HeaderMap) -> HeaderMap {
    let mut headers = headers::of_answer(backend);
    headers.extend(headers::selected(backend, &ANSWERED));
    headers.insert(
        HeaderName::from_static("x-sealgate-unsealed"),
        HeaderValue::from_static("true"),
    );
    headers
}

const SEALED_BYTES: &str = "it is sealed and has no envelope";

/// Headers of the request that the backend answers itself.
const PASSED: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::RANGE,
];

/// Headers of the answer that are about the bytes themselves.
const ANSWERED: [HeaderName; 4] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ETAG,
];
