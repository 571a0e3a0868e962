//! PutObject.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>

use http::HeaderMap;
use http::Response;
use http::header;

use crate::authorize::Permitted;
use crate::authorize::Terms;
use crate::backend::Digest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::kms::Requester;
use crate::operation::answer;
use crate::operation::lock_digest;
use crate::operation::store::ObjectStore;
use crate::operation::write_conditions;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::headers;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sealed::writer;
use crate::sealed::writer::NewObject;
use crate::sealed::writer::WrittenObject;
use crate::sse::request::Encryption;
use crate::sse::request::for_write;
use crate::sse::response;

/// Stores the request's body as one sealed object.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request or its body; nothing was stored then.
pub async fn put_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    // In a box of its own: with it this would be larger than a page.
    let (written, encryption) = Box::pin(write(store, request, Box::new(terms))).await?;
    let mut response = Response::new(empty_body());
    *response.headers_mut() = answer_headers(&written, &encryption);
    Ok(response)
}

/// As [`put_object`], by these terms: what was written, and by which encryption.
pub(crate) async fn write(
    store: &ObjectStore,
    request: Box<S3Request>,
    terms: Box<Terms>,
) -> Result<(WrittenObject, Encryption), S3Error> {
    let acl = terms.of_new_object()?.map(Box::new);
    let name = store.name(&request.target)?;
    let plaintext_bytes = body_length(&request)?;
    let transport = store.transport(&request);
    let default = store.defaults.default_of(&name.bucket).await?;
    let encryption = for_write(&request.headers, &default, transport)?;
    let expected = Expected::read(&request.headers, request.body.announced_trailers())?;
    let mut headers = headers::of_write(&request.headers)?;
    let digest = store.digest(&name.bucket, &headers).await?;
    if digest == Digest::Demanded {
        lock_digest::check_object(&request)?;
    }
    let requester = Requester::of(&request);
    let (sealed, replaced) = (&store.sealed, terms.replaced());
    write_conditions::check(sealed, &request.headers, &name, replaced, &mut headers).await?;
    drop(terms);

    let key = store.sealed.new_key(&encryption, &name, &requester).await?;
    let bucket = name.bucket.clone();
    let object = NewObject {
        name,
        headers,
        key,
        expected,
        plaintext_bytes,
        digest,
        acl,
    };
    let mut written = Box::pin(writer::write(&store.sealed, object, request.body)).await?;
    answer::settle_version(&store.backend, &bucket, &mut written.headers).await;
    Ok((written, encryption))
}

/// The length of a request's body, which must be announced.
///
/// # Errors
///
/// `MissingContentLength`; `EntityTooLarge`.
pub(crate) fn body_length(request: &S3Request) -> Result<u64, S3Error> {
    let length = request
        .body
        .length()
        .ok_or_else(|| S3Error::new(S3Code::MissingContentLength))?;
    if length > PUT_BYTES_MAX {
        return Err(S3Error::new(S3Code::EntityTooLarge)
            .detail("ProposedSize", length.to_string())
            .detail("MaxSizeAllowed", PUT_BYTES_MAX.to_string()));
    }
    Ok(length)
}

/// The headers of the answer to a write.
pub(crate) fn answer_headers(written: &WrittenObject, encryption: &Encryption) -> HeaderMap {
    let mut headers = headers::of_write_answer(&written.headers);
    headers.insert(header::ETAG, written.etag.to_header());
    if let Some(checksum) = &written.checksum {
        checksum.write_headers(&mut headers, None);
    }
    let md5 = answer::customer_key_md5(encryption);
    response::of_write(&mut headers, &written.protection, md5);
    headers
}

/// Largest body of one write, of an object or a part, in bytes: 5 GiB.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub(crate) const PUT_BYTES_MAX: u64 = 5 << 30;
