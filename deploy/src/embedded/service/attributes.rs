//! GetObjectAttributes.

use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::Checksum;
use s3s::dto::GetObjectAttributesInput;
use s3s::dto::GetObjectAttributesOutput;
use s3s::dto::GetObjectAttributesParts;
use s3s::dto::ObjectPart;
use s3s::dto::StorageClass;

use crate::embedded::index::record;
use crate::embedded::index::record::Object;
use crate::embedded::service::Service;
use crate::embedded::service::intake;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::service::tagging;

pub(super) async fn get_object_attributes(
    service: &Service,
    request: S3Request<GetObjectAttributesInput>,
) -> S3Result<S3Response<GetObjectAttributesOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let (bucket, found) = service.store.find(&place)?;
    let version_id = tagging::id(&bucket, &found.version);
    let modified_ms = found.version.modified_ms;
    let Some(object) = found.version.object else {
        return Err(reading::marker(&place, version_id, modified_ms));
    };
    let wants = |name: &str| input.object_attributes.iter().any(|it| it.as_str() == name);
    let class = || match object.storage_class.clone() {
        Some(class) => StorageClass::from(class),
        None => StorageClass::from_static(StorageClass::STANDARD),
    };
    let after = input.part_number_marker.unwrap_or_default();
    let max = names::page_size(input.max_parts, "max-parts")?;
    let has_parts = wants("ObjectParts") && !object.parts.is_empty();
    let checksum = object.checksum.as_ref().filter(|_| wants("Checksum"));
    Ok(S3Response::new(GetObjectAttributesOutput {
        checksum: checksum.map(|checksum| intake::shown(Some(checksum))),
        e_tag: wants("ETag").then(|| names::etag(&object.etag)),
        last_modified: Some(names::timestamp(modified_ms)),
        object_parts: has_parts.then(|| parts(&object, after, max)),
        object_size: wants("ObjectSize").then(|| names::length(object.length)),
        storage_class: wants("StorageClass").then(class),
        version_id,
        ..GetObjectAttributesOutput::default()
    }))
}

fn parts(object: &Object, after: i32, max: usize) -> GetObjectAttributesParts {
    let mut listed = object
        .parts
        .iter()
        .filter(|part| i32::from(part.number) > after);
    // Parts are listed only where they have checksums.
    let shown: Vec<ObjectPart> = listed
        .by_ref()
        .take(max)
        .filter_map(|part| {
            let checksum = part_checksum(object, part)?;
            Some(ObjectPart {
                checksum_crc32: checksum.checksum_crc32,
                checksum_crc32c: checksum.checksum_crc32c,
                checksum_crc64nvme: checksum.checksum_crc64nvme,
                checksum_sha1: checksum.checksum_sha1,
                checksum_sha256: checksum.checksum_sha256,
                part_number: Some(i32::from(part.number)),
                size: Some(names::length(part.length)),
            })
        })
        .collect();
    GetObjectAttributesParts {
        is_truncated: Some(listed.next().is_some()),
        max_parts: Some(names::count(max)),
        next_part_number_marker: shown.last().and_then(|part| part.part_number),
        part_number_marker: Some(after),
        parts: (!shown.is_empty()).then_some(shown),
        total_parts_count: Some(names::count(object.parts.len())),
    }
}

fn part_checksum(object: &Object, part: &record::ObjectPart) -> Option<Checksum> {
    let whole = object.checksum.as_ref()?;
    let own = record::Checksum {
        value: part.checksum.clone()?,
        ..whole.clone()
    };
    Some(intake::shown(Some(&own)))
}
