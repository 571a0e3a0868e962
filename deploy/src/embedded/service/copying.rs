//! CopyObject and UploadPartCopy. No byte is copied: the copy refers to the same bytes by files of
//! its own.

use futures_util::StreamExt as _;
use http::HeaderMap;
use md5::Digest as _;
use md5::Md5;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::CopyObjectInput;
use s3s::dto::CopyObjectOutput;
use s3s::dto::CopyObjectResult;
use s3s::dto::CopyPartResult;
use s3s::dto::CopySource;
use s3s::dto::MetadataDirective;
use s3s::dto::TaggingDirective;
use s3s::dto::UploadPartCopyInput;
use s3s::dto::UploadPartCopyOutput;

use crate::embedded::content::Reader;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Versioning;
use crate::embedded::literal;
use crate::embedded::service::InProcess;
use crate::embedded::service::Service;
use crate::embedded::service::access_control;
use crate::embedded::service::buckets::find;
use crate::embedded::service::intake;
use crate::embedded::service::lifecycle_headers;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::service::reading::ReadConditions;
use crate::embedded::service::tagging;
use crate::embedded::service::uploading;
use crate::embedded::service::writing;
use crate::embedded::store::Place;
use crate::embedded::uploads;
use crate::embedded::versions;

pub(super) async fn copy_object(
    service: &Service,
    request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let has_free_etag = request.extensions.get::<InProcess>().is_some();
    let headers = literal::restored(&request.headers, &request.extensions);
    let input = request.input;
    access_control::check_new_object(&headers)?;
    let store = &service.store;
    let bucket = find(service, &input.bucket)?;
    let target = names::place(input.bucket.clone(), input.key.clone(), None)?;
    let from = place_of(&input.copy_source)?;
    let conditions = ReadConditions {
        matches: input.copy_source_if_match.clone(),
        none_match: input.copy_source_if_none_match.clone(),
        modified_since: input.copy_source_if_modified_since.clone(),
        unmodified_since: input.copy_source_if_unmodified_since.clone(),
    };
    let source = Source::open(service, &from, conditions)?;
    let mut object = described(&headers, &input, &source.object, store.now_ms())?;
    let is_same = from.bucket == target.bucket && from.key == target.key;
    if is_same && from.version.is_none() && !is_changed(&input, &object, &source.object) {
        let message = "This copy request is illegal because it is trying to copy an object to itself \
                       without changing the object's metadata, storage class, website redirect location \
                       or encryption attributes.";
        return Err(Fault::message(S3ErrorCode::InvalidRequest, message).into());
    }
    let length = source.object.length;
    let content = source.reader.link(0, length)?;
    object.etag = match (source.object.parts.is_empty(), has_free_etag) {
        (true, _) => source.object.etag.clone(),
        (false, true) => intake::free_etag()?,
        (false, false) => source.md5(0, length).await?,
    };
    let conditions = writing::conditions(
        header_condition(&headers, http::header::IF_MATCH)?.as_ref(),
        header_condition(&headers, http::header::IF_NONE_MATCH)?.as_ref(),
    );
    let etag = names::etag(&object.etag);
    let checksum = intake::shown(object.checksum.as_ref());
    let now_ms = store.now_ms();
    object.length = length;
    let expiration = lifecycle_headers::expiration(service, &bucket, &target.key, &object, now_ms)?;
    let written = store.put(target, conditions, object, content).await?;
    let result = CopyObjectResult {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        e_tag: Some(etag),
        last_modified: Some(names::timestamp(now_ms)),
    };
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: source.id,
        expiration,
        version_id: match bucket.versioning {
            // Of copies AWS names the null version, too (recorded).
            Versioning::Suspended => Some(versions::show(versions::NULL)),
            _ => written.id.map(versions::show),
        },
        ..CopyObjectOutput::default()
    }))
}

pub(super) async fn upload_part_copy(
    service: &Service,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let has_free_etag = request.extensions.get::<InProcess>().is_some();
    let input = request.input;
    let from = place_of(&input.copy_source)?;
    let conditions = ReadConditions {
        matches: input.copy_source_if_match,
        none_match: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    let source = Source::open(service, &from, conditions)?;
    let length = source.object.length;
    let (start, end) = match input.copy_source_range.as_deref() {
        Some(text) => source_range(text, length)?,
        None => (0, length),
    };
    let content = source.reader.link(start, end)?;
    let etag = match has_free_etag {
        true => intake::free_etag()?,
        false => source.md5(start, end).await?,
    };
    let now_ms = service.store.now_ms();
    let part = Part {
        modified_ms: now_ms,
        length: 0,
        etag: etag.clone(),
        segments: Vec::new(),
        checksum: None,
    };
    let place = uploading::place(input.bucket, input.key, &input.upload_id)?;
    let number = uploading::part_number(input.part_number)?;
    uploads::put_part(&service.store, place, number, part, content).await?;
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(names::etag(&etag)),
            last_modified: Some(names::timestamp(now_ms)),
            ..CopyPartResult::default()
        }),
        copy_source_version_id: source.id,
        ..UploadPartCopyOutput::default()
    }))
}

/// What is copied.
struct Source {
    object: Object,
    /// The id of its version, in a bucket that has versions.
    id: Option<String>,
    reader: Reader,
}

impl Source {
    fn open(service: &Service, place: &Place, conditions: ReadConditions) -> Outcome<Self> {
        let (bucket, found, reader) = service.store.open_object(place)?;
        let id = tagging::id(&bucket, &found.version);
        let modified_ms = found.version.modified_ms;
        let Some(object) = found.version.object else {
            return Err(reading::marker(place, id, modified_ms).into());
        };
        // Who copies is told of every failed condition as of one that a write is under.
        let checked = conditions.check(&object, modified_ms);
        checked.map_err(|fault| match fault {
            Fault::Refused(_) => S3ErrorCode::PreconditionFailed.into(),
            fault => fault,
        })?;
        Ok(Self { object, id, reader })
    }

    /// The MD5 of some bytes, in hexadecimal.
    async fn md5(&self, start: u64, end: u64) -> Outcome<String> {
        let mut md5 = Md5::new();
        let mut bytes = Box::pin(self.reader.clone().stream(start, end));
        while let Some(bytes) = bytes.next().await {
            md5.update(&bytes?);
        }
        Ok(hex::encode(md5.finalize()))
    }
}

fn place_of(source: &CopySource) -> Outcome<Place> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => names::place(bucket.to_string(), key.to_string(), version_id.as_deref()),
        _ => Err(Fault::message(
            S3ErrorCode::NotImplemented,
            "The embedded backend copies from buckets only: name the bucket, not an access point.",
        )),
    }
}

/// What a copy is, but for its bytes.
fn described(
    headers: &HeaderMap,
    input: &CopyObjectInput,
    source: &Object,
    now_ms: i64,
) -> Outcome<Object> {
    let mut object = match replaces_metadata(input) {
        true => writing::described(headers)?,
        false => Object {
            headers: source.headers.clone(),
            ..Object::default()
        },
    };
    let tagging = input
        .tagging_directive
        .as_ref()
        .map(TaggingDirective::as_str);
    object.tags = match tagging == Some(TaggingDirective::REPLACE) {
        true => tagging::from_header(input.tagging.as_deref())?,
        false => source.tags.clone(),
    };
    object.storage_class = writing::storage_class(input.storage_class.as_ref())?;
    (object.retention, object.legal_hold) = writing::lock(
        now_ms,
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date.clone(),
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    object.checksum = source.checksum.clone().filter(|sum| !sum.is_composite);
    Ok(object)
}

fn replaces_metadata(input: &CopyObjectInput) -> bool {
    let directive = input.metadata_directive.as_ref();
    directive.is_some_and(|it| it.as_str() == MetadataDirective::REPLACE)
}

/// Whether a copy of an object onto itself changes it.
fn is_changed(input: &CopyObjectInput, copy: &Object, source: &Object) -> bool {
    replaces_metadata(input) || copy.storage_class != source.storage_class
}

fn header_condition(
    headers: &HeaderMap,
    name: http::HeaderName,
) -> Outcome<Option<s3s::dto::ETagCondition>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let condition = s3s::dto::ETagCondition::parse_http_header(value.as_bytes());
    let refused = |_| Fault::code(S3ErrorCode::InvalidArgument);
    condition.map(Some).map_err(refused)
}

/// The bytes of `bytes=first-last`; the source must have them all.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
fn source_range(text: &str, length: u64) -> Outcome<(u64, u64)> {
    let parse = || {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        (first <= last).then_some((first, last))
    };
    let refused = |message: String| Fault::message(S3ErrorCode::InvalidArgument, message);
    let Some((first, last)) = parse() else {
        return Err(refused(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and \
             last are the zero-based offsets of the first and last bytes to copy"
                .to_owned(),
        ));
    };
    if last >= length {
        let message = format!("Range specified is not valid for source object of size: {length}");
        return Err(refused(message));
    }
    Ok((first, last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_source_must_be_whole_and_within_it() {
        assert_eq!(source_range("bytes=0-9", 10).unwrap(), (0, 10));
        for text in [
            "bytes=0-10",
            "bytes=-1",
            "bytes=5-",
            "bytes=2-1",
            "0-1",
            "bytes=0-1,2-3",
        ] {
            assert!(source_range(text, 10).is_err(), "{text}");
        }
    }
}
