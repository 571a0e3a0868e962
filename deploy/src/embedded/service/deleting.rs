//! DeleteObject and DeleteObjects.

use s3s::S3Error;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::DeleteObjectInput;
use s3s::dto::DeleteObjectOutput;
use s3s::dto::DeleteObjectsInput;
use s3s::dto::DeleteObjectsOutput;
use s3s::dto::DeletedObject;
use s3s::dto::Error;
use s3s::dto::ObjectIdentifier;

use crate::embedded::buckets;
use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::index::tables::Tables;
use crate::embedded::service::Service;
use crate::embedded::service::configuring::find;
use crate::embedded::service::names;
use crate::embedded::store;
use crate::embedded::store::Place;
use crate::embedded::versions;
use crate::embedded::versions::Written;

pub(super) async fn delete_object(
    service: &Service,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let names_bypass = request.headers.contains_key(BYPASS);
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let etag = input.if_match.as_ref().map(names::condition);
    let bypass = input.bypass_governance_retention == Some(true);
    if names_bypass && find(service, &place.bucket)?.lock.is_none() {
        let message = format!("{BYPASS} is only applicable to Object Lock enabled buckets.");
        let refusal = Fault::message(S3ErrorCode::InvalidArgument, message);
        return Err(refusal.element("ArgumentName", BYPASS).into());
    }
    let written = service.store.delete(place, etag, bypass).await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: written.is_marker.then_some(true),
        version_id: written.id.map(versions::show),
        ..DeleteObjectOutput::default()
    }))
}

pub(super) async fn delete_objects(
    service: &Service,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = request.input;
    let bypass = input.bypass_governance_retention == Some(true);
    let (is_quiet, objects) = (input.delete.quiet == Some(true), input.delete.objects);
    if objects.is_empty() || objects.len() > OBJECTS_MAX {
        return Err(S3Error::new(S3ErrorCode::MalformedXML));
    }
    let now_ms = service.store.now_ms();
    let bucket = input.bucket;
    // All in one transaction: each is refused or not by itself.
    let delete = move |tables: &mut Tables<'_>| {
        let found = buckets::find(&*tables.buckets, &bucket)?;
        let mut outcomes = Vec::with_capacity(objects.len());
        for object in objects {
            let named = (object.key.clone(), object.version_id.clone());
            let (outcome, is_changed) = tables.step(|tables| {
                let (place, etag) = identified(&bucket, object)?;
                store::delete(tables, &found, &place, etag.as_deref(), bypass, now_ms)
            });
            match outcome {
                Err(fault @ Fault::Storage(_)) => return Err(fault),
                // Half of a deletion must not become durable.
                Err(fault @ Fault::Damaged(_)) if is_changed => return Err(fault),
                Err(fault) => outcomes.push((named, Err(S3Error::from(fault)))),
                Ok(written) => outcomes.push((named, Ok(written))),
            }
        }
        Ok(outcomes)
    };
    let outcomes = service.store.index.change(delete).await?;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for ((key, version), outcome) in outcomes {
        match outcome {
            Ok(_) if is_quiet => {}
            Ok(written) => deleted.push(shown(key, version, written)),
            Err(error) => errors.push(Error {
                code: Some(error.code().as_str().to_owned()),
                key: Some(key),
                message: error.message().map(ToOwned::to_owned),
                version_id: version,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    }))
}

fn identified(bucket: &str, object: ObjectIdentifier) -> Outcome<(Place, Option<String>)> {
    let etag = object.e_tag.map(|etag| etag.value().to_owned());
    let version = object.version_id.as_deref();
    // In this operation AWS reports an id that cannot be as one of no version.
    let message = "The specified version does not exist.";
    let missing = |_| Fault::message(S3ErrorCode::NoSuchVersion, message);
    version.map(versions::parse).transpose().map_err(missing)?;
    let place = names::place(bucket.to_owned(), object.key, version)?;
    Ok((place, etag))
}

fn shown(key: String, version: Option<String>, written: Written) -> DeletedObject {
    let id = written.id.map(versions::show);
    DeletedObject {
        delete_marker: written.is_marker.then_some(true),
        delete_marker_version_id: id.filter(|_| written.is_marker),
        key: Some(key),
        version_id: version,
    }
}

const BYPASS: &str = "x-amz-bypass-governance-retention";

/// Most objects of one request.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const OBJECTS_MAX: usize = 1_000;
