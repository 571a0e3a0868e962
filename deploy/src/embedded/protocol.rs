//! Requests of S3's protocol, answered: by `s3s`, which writes carriage returns in documents as they are. A reader
//! of XML takes one for a line feed, so they are escaped here.
//!
//! Source: <https://www.w3.org/TR/xml/#sec-line-ends>

use bytes::Bytes;
use http::Request;
use http::Response;
use http::header;
use s3s::Body;
use s3s::HttpError;
use s3s::service::S3Service;

/// Answers a request.
///
/// # Errors
///
/// None that `s3s` can put into an answer.
pub async fn answer(
    service: &S3Service,
    request: Request<Body>,
) -> Result<Response<Body>, HttpError> {
    let answer = service.call(request).await?;
    Ok(match is_document(&answer) {
        true => answer.map(escaped),
        false => answer,
    })
}

/// Whether an answer is a document of the protocol, and not an object that is one: objects have an ETag.
fn is_document<B>(answer: &Response<B>) -> bool {
    let headers = answer.headers();
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/xml"))
        && !headers.contains_key(header::ETAG)
}

fn escaped(body: Body) -> Body {
    let Some(bytes) = body.bytes() else {
        return body;
    };
    if !bytes.contains(&b'\r') {
        return Body::from(bytes);
    }
    let pieces: Vec<&[u8]> = bytes.split(|byte| *byte == b'\r').collect();
    Body::from(Bytes::from(pieces.join(&b"&#13;"[..])))
}
