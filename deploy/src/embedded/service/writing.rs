//! PutObject, and what comes with an object in headers.

use http::HeaderMap;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::ETagCondition;
use s3s::dto::ObjectLockLegalHoldStatus;
use s3s::dto::ObjectLockMode;
use s3s::dto::PutObjectInput;
use s3s::dto::PutObjectOutput;
use s3s::dto::StorageClass;
use s3s::dto::Timestamp;
use serde_bytes::ByteBuf;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::LockMode;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Retention;
use crate::embedded::literal;
use crate::embedded::service::Service;
use crate::embedded::service::access_control;
use crate::embedded::service::buckets::find;
use crate::embedded::service::intake;
use crate::embedded::service::lifecycle_headers;
use crate::embedded::service::names;
use crate::embedded::service::tagging;
use crate::embedded::store::Conditions;
use crate::embedded::versions;

pub(super) async fn put_object(
    service: &Service,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let claims = intake::claims!(request)?;
    access_control::check_new_object(&request.headers)?;
    let headers = literal::restored(&request.headers, &request.extensions);
    let input = request.input;
    let store = &service.store;
    let place = names::place(input.bucket, input.key, None)?;
    let mut object = described(&headers)?;
    object.tags = tagging::from_header(input.tagging.as_deref())?;
    object.storage_class = storage_class(input.storage_class.as_ref())?;
    (object.retention, object.legal_hold) = lock(
        store.now_ms(),
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date,
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    let conditions = conditions(input.if_match.as_ref(), input.if_none_match.as_ref());
    // Before any byte is taken in: a bucket that is not there, a condition that cannot hold.
    let bucket = find(service, &place.bucket)?;
    let received = intake::receive(store, input.body, claims).await?;
    object.etag = received.etag;
    object.length = received.content.length();
    object.checksum = received.checksum;
    let (etag, checksum) = (
        names::etag(&object.etag),
        intake::shown(object.checksum.as_ref()),
    );
    let now_ms = store.now_ms();
    let expiration = lifecycle_headers::expiration(service, &bucket, &place.key, &object, now_ms)?;
    let written = store
        .put(place, conditions, object, received.content)
        .await?;
    Ok(S3Response::new(PutObjectOutput {
        e_tag: Some(etag),
        expiration,
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        version_id: written.id.map(versions::show),
        ..PutObjectOutput::default()
    }))
}

/// An object with the headers of a request that are returned with it.
pub(super) fn described(headers: &HeaderMap) -> Outcome<Object> {
    let mut described = Vec::new();
    let mut metadata_bytes: usize = 0;
    for (name, value) in headers {
        let name = name.as_str();
        if let Some(own) = name.strip_prefix("x-amz-meta-") {
            metadata_bytes = metadata_bytes.saturating_add(own.len() + value.len());
        } else if !HEADERS.contains(&name) {
            continue;
        }
        let value = match name {
            "content-encoding" => without_chunking(value.as_bytes()),
            _ => ByteBuf::from(value.as_bytes()),
        };
        if !value.is_empty() || name != "content-encoding" {
            described.push((name.to_owned(), value));
        }
    }
    if metadata_bytes > METADATA_BYTES_MAX {
        return Err(S3ErrorCode::MetadataTooLarge.into());
    }
    if !described.iter().any(|(name, _)| name == "content-type") {
        described.push(("content-type".to_owned(), ByteBuf::from(CONTENT_TYPE)));
    }
    described.sort();
    Ok(Object {
        headers: described,
        ..Object::default()
    })
}

/// What a write demands of the newest version.
pub(super) fn conditions(
    matches: Option<&ETagCondition>,
    none_match: Option<&ETagCondition>,
) -> Conditions {
    Conditions {
        matches: matches.map(names::condition),
        none_match: none_match.map(names::condition),
    }
}

/// A storage class as it is recorded.
///
/// # Errors
///
/// `InvalidStorageClass` for one that objects of a bucket do not have.
pub(super) fn storage_class(class: Option<&StorageClass>) -> Outcome<Option<String>> {
    let Some(class) = class.map(StorageClass::as_str) else {
        return Ok(None);
    };
    if !STORAGE_CLASSES.contains(&class) {
        let refusal = Fault::code(S3ErrorCode::InvalidStorageClass);
        return Err(refusal.element("StorageClassRequested", class));
    }
    Ok(Some(class.to_owned()).filter(|class| class != StorageClass::STANDARD))
}

/// The classes of objects in buckets that are in Regions.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>
const STORAGE_CLASSES: [&str; 9] = [
    StorageClass::STANDARD,
    StorageClass::REDUCED_REDUNDANCY,
    StorageClass::STANDARD_IA,
    StorageClass::ONEZONE_IA,
    StorageClass::INTELLIGENT_TIERING,
    StorageClass::GLACIER,
    StorageClass::DEEP_ARCHIVE,
    StorageClass::GLACIER_IR,
    "SNOW",
];

/// The lock that headers set.
pub(super) fn lock(
    now_ms: i64,
    mode: Option<&ObjectLockMode>,
    until: Option<Timestamp>,
    legal_hold: Option<&ObjectLockLegalHoldStatus>,
) -> Outcome<(Option<Retention>, Option<bool>)> {
    let refused = |message: &str| Fault::message(S3ErrorCode::InvalidArgument, message);
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let until_ms = names::milliseconds(until);
            if until_ms <= now_ms {
                let message = "The retain until date must be in the future!";
                let shown = proto::time::Timestamp::from_unix_millis(until_ms).http_date();
                return Err(Fault::argument(message, LOCK_DATE, &shown));
            }
            let mode = lock_mode(mode.as_str())?;
            Some(Retention { mode, until_ms })
        }
        (mode, _) => {
            let missing = if mode.is_some() { LOCK_DATE } else { LOCK_MODE };
            return Err(refused(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            )
            .element("ArgumentName", missing));
        }
    };
    let legal_hold = match legal_hold.map(ObjectLockLegalHoldStatus::as_str) {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(_) => return Err(refused("Legal Hold must be either of 'ON' or 'OFF'")),
    };
    Ok((retention, legal_hold))
}

/// A mode of a lock.
pub(super) fn lock_mode(text: &str) -> Outcome<LockMode> {
    match text {
        "GOVERNANCE" => Ok(LockMode::Governance),
        "COMPLIANCE" => Ok(LockMode::Compliance),
        _ => Err(Fault::argument(
            "Unknown wormMode directive.",
            LOCK_MODE,
            text,
        )),
    }
}

const LOCK_MODE: &str = "x-amz-object-lock-mode";
const LOCK_DATE: &str = "x-amz-object-lock-retain-until-date";

/// A content coding without what is only of the request.
fn without_chunking(value: &[u8]) -> ByteBuf {
    let text = String::from_utf8_lossy(value);
    let codings = text.split(',');
    // With the spaces that they came with.
    let own: Vec<&str> = codings.filter(|it| it.trim() != "aws-chunked").collect();
    ByteBuf::from(own.join(",").trim().to_owned())
}

/// Headers that are returned as they came, beside the metadata.
const HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

/// The content type of an object that comes without one, as at AWS.
const CONTENT_TYPE: &[u8] = b"binary/octet-stream";

/// Most bytes of metadata: more than AWS's 2 KB, because what the gateway seals of it is longer.
const METADATA_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_the_object_is_recorded_of_a_request() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-encoding", "aws-chunked,deflate, gzip"),
            ("x-amz-meta-a", "1"),
            ("host", "h"),
            ("content-length", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let object = described(&headers).unwrap();
        let shown: Vec<_> = object
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        assert_eq!(
            shown,
            [
                ("content-encoding", b"deflate, gzip".as_slice()),
                ("content-type", b"binary/octet-stream"),
                ("x-amz-meta-a", b"1")
            ]
        );
    }

    #[test]
    fn a_coding_that_is_only_of_the_request_is_not_recorded() {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", "aws-chunked".parse().unwrap());
        let object = described(&headers).unwrap();
        assert!(
            object
                .headers
                .iter()
                .all(|(name, _)| name != "content-encoding")
        );
    }
}
