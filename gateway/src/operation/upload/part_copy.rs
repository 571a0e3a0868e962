//! UploadPartCopy.
//!
//! A part is never copied at the backend: it is opened and sealed anew, because the part of an upload is
//! sealed under the upload's own key.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>

use http::HeaderMap;
use http::Response;

use crate::authorize::Permitted;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::kms::Requester;
use crate::operation::answer;
use crate::operation::copy_source::open_source;
use crate::operation::store::ObjectStore;
use crate::operation::upload::journal::Upload;
use crate::operation::upload::journal::part_customer_key;
use crate::operation::upload::journal::part_number;
use crate::operation::upload::part_writer;
use crate::operation::upload::part_writer::NewPart;
use crate::protocol::checksum::digests::Expected;
use crate::protocol::checksum::parts;
use crate::protocol::conditions::Conditions;
use crate::protocol::copy_source::CopySource;
use crate::protocol::range::ByteRange;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::CopiedSource;
use crate::request::S3Request;
use crate::request::ServedObjects;
use crate::sealed::reader::Reader;
use crate::sealed::selection::Selection;
use crate::sse::request::for_copy_source;
use crate::sse::response;

/// Takes an object, or a range of one, as a part of an upload.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request or its source; the part was not taken then.
pub async fn upload_part_copy(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let number = part_number(&request)?;
    let transport = store.transport(&request);
    let name = store.name(&request.target)?;
    let source_name = CopySource::read(&request.headers)?;
    let selection = selection(&request.headers)?;
    let source_key = for_copy_source(&request.headers, transport)?;
    let customer_key = part_customer_key(store, &request, &name.bucket, transport).await?;
    let customer_key = customer_key.as_ref();
    let upload = Upload::find(store, &request.target).await?;
    let requester = Requester::of(&request);
    let name_of_source = store.sealed.name(&source_name.bucket, &source_name.key)?;
    let reader = Reader {
        version: source_name.version,
        hides_absence: terms.hides_absence(),
        judged: terms.judged().cloned(),
        ..Reader::from_request(&request, name_of_source, source_key, transport)
    };
    let conditions = Conditions::of_copy_source(&request.headers, request.received);
    let source = open_source(&store.sealed, &reader, conditions, &selection);
    let source = source.await.map_err(|error| match error.code() {
        S3Code::InvalidRange => S3Error::invalid_request(BEYOND),
        _ => error,
    })?;
    check_length(&selection, source.plaintext_bytes, source.object_bytes)?;

    let keys = upload
        .unlock(store, customer_key, &requester, transport)
        .await?;
    let part = NewPart {
        number,
        plaintext_bytes: source.plaintext_bytes,
        expected: Expected::nothing(None),
    };
    let written = part_writer::write(store, &upload, keys.keys(), part, source.body).await?;
    let modified = answer::written_at(&written.headers);
    let etag = upload.part_etag(&written.record);
    let mut result = Element::root("CopyPartResult")
        .field("LastModified", modified)
        .field("ETag", etag.as_str());
    if let Some(checksum) = &written.checksum {
        result = result.with(parts::part_element(checksum.algorithm, &checksum.value));
    }
    let mut response = answer::document(&result);
    let headers = response.headers_mut();
    let requested = reader.version.as_deref();
    answer::write_source_version(headers, source.head.version.as_deref(), requested);
    let md5 = customer_key.map(|key| key.md5());
    response::of_read(headers, upload.protection(), md5);
    let objects = ServedObjects {
        object_bytes: Some(source.plaintext_bytes),
        source: Some(CopiedSource {
            object_bytes: source.object_bytes,
            copied_bytes: source.plaintext_bytes,
        }),
        ..ServedObjects::default()
    };
    objects.attach(&mut response);
    Ok(response)
}

/// The bytes to be copied; unlike those of a read, a range must be written with both its ends.
fn selection(headers: &HeaderMap) -> Result<Selection, S3Error> {
    let Some(header) = headers.get(RANGE) else {
        return Ok(Selection::Whole);
    };
    let header = header.to_str().unwrap_or_default();
    match ByteRange::parse(header) {
        Some(range @ ByteRange::Between { .. }) => Ok(Selection::Range(range, header.to_owned())),
        _ => Err(S3Error::invalid_argument(MALFORMED, RANGE, header)),
    }
}

/// Refuses a range that reaches past the source's end.
fn check_length(selection: &Selection, bytes: u64, object_bytes: u64) -> Result<(), S3Error> {
    match selection {
        Selection::Range(ByteRange::Between { first, last }, header)
            if last - first != bytes.saturating_sub(1) =>
        {
            let message = format!("{OUTSIDE} of size: {object_bytes}");
            Err(S3Error::invalid_argument(message, RANGE, header))
        }
        _ => Ok(()),
    }
}

const RANGE: &str = "x-amz-copy-source-range";

const MALFORMED: &str = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
const BEYOND: &str = "The specified copy range is invalid for the source object size";
const OUTSIDE: &str = "Range specified is not valid for source object";
