//! Uploads in parts: created, filled, completed and aborted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::AbortMultipartUploadInput;
use s3s::dto::AbortMultipartUploadOutput;
use s3s::dto::ChecksumType;
use s3s::dto::CompleteMultipartUploadInput;
use s3s::dto::CompleteMultipartUploadOutput;
use s3s::dto::CompletedPart;
use s3s::dto::CreateMultipartUploadInput;
use s3s::dto::CreateMultipartUploadOutput;
use s3s::dto::UploadPartInput;
use s3s::dto::UploadPartOutput;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Part;
use crate::embedded::index::record::Upload;
use crate::embedded::literal;
use crate::embedded::service::Service;
use crate::embedded::service::access_control;
use crate::embedded::service::buckets::find;
use crate::embedded::service::intake;
use crate::embedded::service::lifecycle_headers;
use crate::embedded::service::names;
use crate::embedded::service::tagging;
use crate::embedded::service::writing;
use crate::embedded::uploads;
use crate::embedded::uploads::Chosen;
use crate::embedded::uploads::Completion;
use crate::embedded::uploads::UploadPlace;
use crate::embedded::versions;

pub(super) async fn create_multipart_upload(
    service: &Service,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    access_control::check_new_object(&request.headers)?;
    let headers = literal::restored(&request.headers, &request.extensions);
    let input = request.input;
    let store = &service.store;
    let (bucket, key) = (input.bucket, names::checked_key(input.key)?);
    let mut object = writing::described(&headers)?;
    object.tags = tagging::from_header(input.tagging.as_deref())?;
    object.storage_class = writing::storage_class(input.storage_class.as_ref())?;
    (object.retention, object.legal_hold) = writing::lock(
        store.now_ms(),
        input.object_lock_mode.as_ref(),
        input.object_lock_retain_until_date,
        input.object_lock_legal_hold_status.as_ref(),
    )?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(|it| it.as_str().to_owned());
    let is_full = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(kind) => kind == ChecksumType::FULL_OBJECT,
        None => algorithm.as_deref() == Some("CRC64NVME"),
    };
    let upload = Upload {
        created_ms: store.now_ms(),
        object,
        algorithm,
        is_composite: !is_full,
    };
    let (abort_date, abort_rule_id) =
        lifecycle_headers::abort(service, &find(service, &bucket)?, &key, upload.created_ms)?;
    let id = uploads::create(store, bucket.clone(), key.clone(), upload).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(bucket),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        key: Some(key),
        upload_id: Some(uploads::show(id)),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn upload_part(
    service: &Service,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let claims = intake::claims!(request)?;
    let input = request.input;
    let store = &service.store;
    let place = place(input.bucket, input.key, &input.upload_id)?;
    let number = part_number(input.part_number)?;
    // Before any byte is taken in.
    store.index.read(|snapshot| {
        let bucket = buckets::find(&snapshot.buckets()?, &place.bucket)?;
        uploads::find(&snapshot.uploads()?, &bucket, &place)
    })?;
    let received = intake::receive(store, input.body, claims).await?;
    let etag = names::etag(&received.etag);
    let checksum = intake::shown(received.checksum.as_ref());
    let part = Part {
        modified_ms: store.now_ms(),
        length: 0,
        etag: received.etag,
        segments: Vec::new(),
        checksum: received.checksum,
    };
    uploads::put_part(store, place, number, part, received.content).await?;
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(etag),
        ..UploadPartOutput::default()
    }))
}

pub(super) async fn complete_multipart_upload(
    service: &Service,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let input = request.input;
    let (bucket, key) = (input.bucket, input.key);
    let place = place(bucket.clone(), key.clone(), &input.upload_id)?;
    let listed = input.multipart_upload.and_then(|upload| upload.parts);
    let parts = listed.unwrap_or_default().into_iter().map(chosen);
    let checksum = [
        input.checksum_crc32,
        input.checksum_crc32c,
        input.checksum_crc64nvme,
        input.checksum_sha1,
        input.checksum_sha256,
    ];
    let completion = Completion {
        parts: parts.collect::<Outcome<Vec<Chosen>>>()?,
        conditions: writing::conditions(input.if_match.as_ref(), input.if_none_match.as_ref()),
        length: input
            .mpu_object_size
            .and_then(|length| u64::try_from(length).ok()),
        checksum: checksum.into_iter().flatten().next(),
    };
    let (object, written) = uploads::complete(&service.store, place, completion).await?;
    let (found, now_ms) = (find(service, &bucket)?, service.store.now_ms());
    let expiration = lifecycle_headers::expiration(service, &found, &key, &object, now_ms)?;
    let checksum = intake::shown(object.checksum.as_ref());
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        location: Some(format!(
            "/{bucket}/{}",
            proto::sigv4::encode_path(key.as_bytes())
        )),
        bucket: Some(bucket),
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        e_tag: Some(names::etag(&object.etag)),
        expiration,
        key: Some(key),
        version_id: written.id.map(versions::show),
        ..CompleteMultipartUploadOutput::default()
    }))
}

pub(super) async fn abort_multipart_upload(
    service: &Service,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = request.input;
    let place = place(input.bucket, input.key, &input.upload_id)?;
    uploads::abort(&service.store, place).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

/// An upload of a key in a bucket.
pub(super) fn place(bucket: String, key: String, upload: &str) -> Outcome<UploadPlace> {
    Ok(UploadPlace {
        bucket,
        key: names::checked_key(key)?,
        upload: uploads::parse(upload)?,
    })
}

/// A part's number.
pub(super) fn part_number(number: i32) -> Outcome<u16> {
    let number = u16::try_from(number).ok();
    let valid = number.filter(|number| (1..=PARTS_MAX).contains(number));
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    valid.ok_or_else(|| Fault::message(S3ErrorCode::InvalidArgument, message))
}

fn chosen(part: CompletedPart) -> Outcome<Chosen> {
    let (Some(number), Some(etag)) = (part.part_number, part.e_tag) else {
        return Err(S3ErrorCode::MalformedXML.into());
    };
    let checksum = [
        part.checksum_crc32,
        part.checksum_crc32c,
        part.checksum_crc64nvme,
        part.checksum_sha1,
        part.checksum_sha256,
    ];
    let checksum = checksum.into_iter().flatten().next();
    if checksum
        .as_ref()
        .is_some_and(|it| STANDARD.decode(it).is_err())
    {
        return Err(S3ErrorCode::InvalidPart.into());
    }
    Ok(Chosen {
        number: part_number(number)?,
        etag: etag.value().to_owned(),
        checksum,
    })
}

/// Greatest number of a part.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const PARTS_MAX: u16 = 10_000;
