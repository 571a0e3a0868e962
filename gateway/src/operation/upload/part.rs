//! UploadPart.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use http::Response;
use http::header;

use crate::authorize::Permitted;
use crate::error::S3Error;
use crate::keys::kms::Requester;
use crate::operation::lock_digest;
use crate::operation::put_object::body_length;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::part_customer_key;
use crate::operation::upload::journal::part_number;
use crate::operation::upload::part_writer;
use crate::operation::upload::part_writer::NewPart;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::digests::Expected;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::sse::response;

/// Takes one part of an upload.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request or its body; the part was not taken then.
pub async fn upload_part(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let number = part_number(&request)?;
    let plaintext_bytes = body_length(&request)?;
    let transport = store.transport(&request);
    let name = store.name(&request.target)?;
    let customer_key = part_customer_key(store, &request, &name.bucket, transport).await?;
    let expected = Expected::read(&request.headers, request.body.announced_trailers())?.of_part();
    let upload = Upload::find(store, &request.target).await?;
    check_claim(upload.head.checksum, expected.claimed())?;
    if upload.head.locked {
        lock_digest::check_part(&request)?;
    }
    let requester = Requester::of(&request);
    let customer_key = customer_key.as_ref();
    let keys = upload
        .unlock(store, customer_key, &requester, transport)
        .await?;

    let part = NewPart {
        number,
        plaintext_bytes,
        expected,
    };
    let written = part_writer::write(store, &upload, keys.keys(), part, request.body).await?;
    let mut response = Response::new(empty_body());
    let headers = response.headers_mut();
    headers.insert(header::ETAG, upload.part_etag(&written.record).to_header());
    if let Some(checksum) = &written.checksum {
        checksum.write_headers(headers, None);
        headers.remove("x-amz-checksum-type");
    }
    let md5 = customer_key.map(|key| key.md5());
    response::of_read(headers, upload.protection(), md5);
    Ok(response)
}

/// Refuses a part whose checksum is not of the kind that its upload was created with.
fn check_claim(upload: Option<UploadChecksum>, claimed: Option<Algorithm>) -> Result<(), S3Error> {
    let Some(upload) = upload.filter(|upload| upload.chosen) else {
        return Ok(());
    };
    let fits = match claimed {
        Some(claimed) => claimed == upload.algorithm,
        None => upload.kind == ChecksumKind::FullObject,
    };
    if fits {
        return Ok(());
    }
    let name = |algorithm: Algorithm| algorithm.name().to_ascii_lowercase();
    Err(S3Error::invalid_request(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        name(upload.algorithm),
        claimed.map_or_else(|| "null".to_owned(), name),
    )))
}
