//! ListMultipartUploads and ListParts.

use redb::ReadableTable;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::ChecksumAlgorithm;
use s3s::dto::ChecksumType;
use s3s::dto::Initiator;
use s3s::dto::ListMultipartUploadsInput;
use s3s::dto::ListMultipartUploadsOutput;
use s3s::dto::ListPartsInput;
use s3s::dto::ListPartsOutput;
use s3s::dto::MultipartUpload;
use s3s::dto::Part;
use s3s::dto::StorageClass;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::UploadKey;
use crate::embedded::list;
use crate::embedded::list::Page;
use crate::embedded::list::Start;
use crate::embedded::service::Service;
use crate::embedded::service::intake;
use crate::embedded::service::listing;
use crate::embedded::service::names;
use crate::embedded::service::uploading;
use crate::embedded::uploads;

pub(super) async fn list_multipart_uploads(
    service: &Service,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    let input = request.input;
    let is_url = names::is_url(input.encoding_type.as_ref());
    let query = listing::query(
        &input.prefix,
        &input.delimiter,
        input.max_uploads,
        "max-uploads",
    )?;
    let max = query.max;
    let key_marker = input.key_marker.clone().unwrap_or_default();
    let upload_marker = input.upload_id_marker.clone().unwrap_or_default();
    // AWS ignores the upload's marker without the key's.
    let is_ignored = key_marker.is_empty();
    let markers = (key_marker.clone(), upload_marker.clone());
    let (bucket, store) = (input.bucket.clone(), service.store.clone());
    let page = listing::blocking(move || {
        store.index.read(|snapshot| {
            let bucket = buckets::find(&snapshot.buckets()?, &bucket)?;
            let table = snapshot.uploads()?;
            let start = start(&table, bucket.number, markers)?;
            list::uploads(&table, bucket.number, &query, start)
        })
    });
    let page = page.await?;
    let (last_key, last_id) = next_markers(&page, is_url);
    let is_truncated = page.next.is_some();
    let shown = page.entries.into_iter().map(|(key, (id, upload))| {
        let storage_class = storage_class(&upload);
        MultipartUpload {
            checksum_algorithm: upload.algorithm.clone().map(ChecksumAlgorithm::from),
            checksum_type: checksum_type(&upload),
            initiated: Some(names::timestamp(upload.created_ms)),
            initiator: Some(initiator()),
            key: Some(names::shown(key, is_url)),
            owner: Some(names::owner()),
            storage_class: Some(storage_class),
            upload_id: Some(uploads::show(id)),
        }
    });
    Ok(S3Response::new(ListMultipartUploadsOutput {
        uploads: Some(shown.collect()),
        bucket: Some(input.bucket),
        common_prefixes: listing::common_prefixes(page.prefixes, is_url),
        delimiter: input.delimiter.map(|it| names::shown(it, is_url)),
        encoding_type: input.encoding_type,
        is_truncated: Some(is_truncated),
        key_marker: Some(names::shown(key_marker, is_url)),
        max_uploads: Some(names::count(max)),
        next_upload_id_marker: Some(last_id),
        next_key_marker: Some(last_key),
        prefix: input.prefix.map(|it| names::shown(it, is_url)),
        upload_id_marker: Some(if is_ignored {
            String::new()
        } else {
            upload_marker
        }),
        ..ListMultipartUploadsOutput::default()
    }))
}

/// Where a page begins.
///
/// # Errors
///
/// `InvalidArgument` for the marker of an upload that never was one of the key.
fn start(
    table: &impl ReadableTable<UploadKey, Record>,
    bucket: u64,
    (key, upload): (String, String),
) -> Outcome<Start> {
    if key.is_empty() {
        return Ok(Start::Beginning);
    }
    if upload.is_empty() {
        return Ok(Start::After(key));
    }
    match uploads::parse(&upload) {
        Ok(id) if !uploads::is_of_another_key(table, bucket, &key, id)? => {
            Ok(Start::AfterEntry(key, id))
        }
        _ => {
            let message = "Invalid uploadId marker";
            Err(Fault::argument(message, "upload-id-marker", &upload))
        }
    }
}

/// The markers of the next page: the last upload, whether or not another page follows (recorded from AWS).
fn next_markers(page: &Page<(u128, record::Upload)>, is_url: bool) -> (String, String) {
    if let Some(next) = page.next.as_ref().filter(|next| !next.is_entry) {
        return (names::shown(next.name.clone(), is_url), String::new());
    }
    let last = page.entries.last();
    let last = last.map(|(key, (id, _))| (names::shown(key.clone(), is_url), uploads::show(*id)));
    last.unwrap_or_default()
}

pub(super) async fn list_parts(
    service: &Service,
    request: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let input = request.input;
    let place = uploading::place(input.bucket.clone(), input.key.clone(), &input.upload_id)?;
    let max = names::page_size(input.max_parts, "max-parts")?;
    let marker = input.part_number_marker.unwrap_or_default();
    let after = u16::try_from(marker.max(0)).unwrap_or(u16::MAX);
    let listed = service
        .store
        .index
        .read(|snapshot| uploads::list_parts(snapshot, &place, after, max));
    let (upload, mut parts) = listed?;
    let is_truncated = parts.len() > max;
    parts.truncate(max);
    let next = parts.last().map(|(number, _)| i32::from(*number));
    let shown = parts.into_iter().map(|(number, part)| {
        let checksum = intake::shown(part.checksum.as_ref());
        Part {
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_sha1: checksum.checksum_sha1,
            checksum_sha256: checksum.checksum_sha256,
            e_tag: Some(names::etag(&part.etag)),
            last_modified: Some(names::timestamp(part.modified_ms)),
            part_number: Some(i32::from(number)),
            size: Some(names::length(part.length)),
        }
    });
    Ok(S3Response::new(ListPartsOutput {
        parts: Some(shown.collect()),
        bucket: Some(input.bucket),
        checksum_algorithm: upload.algorithm.clone().map(ChecksumAlgorithm::from),
        checksum_type: checksum_type(&upload),
        initiator: Some(initiator()),
        is_truncated: Some(is_truncated),
        key: Some(input.key),
        max_parts: Some(names::count(max)),
        next_part_number_marker: Some(next.unwrap_or_default()),
        owner: Some(names::owner()),
        part_number_marker: Some(marker),
        storage_class: Some(storage_class(&upload)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    }))
}

fn checksum_type(upload: &record::Upload) -> Option<ChecksumType> {
    upload.algorithm.as_ref()?;
    let kind = match upload.is_composite {
        true => ChecksumType::COMPOSITE,
        false => ChecksumType::FULL_OBJECT,
    };
    Some(ChecksumType::from_static(kind))
}

fn storage_class(upload: &record::Upload) -> StorageClass {
    match upload.object.storage_class.clone() {
        Some(class) => StorageClass::from(class),
        None => StorageClass::from_static(StorageClass::STANDARD),
    }
}

/// Who began an upload: one user does everything here.
fn initiator() -> Initiator {
    Initiator {
        display_name: Some(INITIATOR.to_owned()),
        id: names::owner().id,
    }
}

/// The name of that user. Owners have none at AWS since November 2025, initiators have.
const INITIATOR: &str = "root";
