//! DeleteBucket: the record first, then the backend, then the record again.
//!
//! A gateway that dies in between leaves a record of phase [`Phase::Deleting`], which its owner's next
//! DeleteBucket or CreateBucket takes up.

use http::Response;
use http::StatusCode;

use crate::bucket::Buckets;
use crate::bucket::bucket_records::Edit;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Incarnation;
use crate::bucket::record::Phase;
use crate::bucket::requests;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::records::object_acls;
use crate::request::Body;
use crate::request::S3Request;

/// Deletes a bucket that is empty, and what is stored about it.
///
/// # Errors
///
/// `BucketHasAccessPointsAttached` while access points of its owner's account are; `BucketNotEmpty`, also where the backend would delete a bucket with its objects; `NoSuchBucket`;
/// `OperationAborted` if it became another bucket meanwhile; the backend's S3 error; `ServiceUnavailable`
/// when it, or the state, gives no usable answer.
pub(crate) async fn delete(
    buckets: &Buckets,
    request: S3Request,
) -> Result<Response<Body>, S3Error> {
    let bucket = request.target.bucket.clone().unwrap_or_default();
    let judged = buckets.records.incarnation(&bucket);
    let marked = buckets.records.change(&bucket, |current| {
        let Some(current) = current.filter(|current| current.phase != Phase::Gone) else {
            return Ok(Edit::Keep);
        };
        if judged.as_ref().is_some_and(|it| *it != current.incarnation) {
            return Err(S3Error::new(S3Code::OperationAborted).detail("BucketName", &*bucket));
        }
        // Those of other accounts end with the bucket: else they could keep its owner from deleting it.
        let owner = buckets.configurations.owners.owner_in(current);
        if current
            .access_points
            .values()
            .any(|account| **account == *owner)
        {
            let code = S3Code::BucketHasAccessPointsAttached;
            return Err(S3Error::new(code).detail("BucketName", &*bucket));
        }
        Ok(match current.phase {
            Phase::Deleting => Edit::Keep,
            _ => Edit::replace(current.in_phase(Phase::Deleting)),
        })
    });
    let marked = marked.await?;
    let controls = marked
        .as_ref()
        .map(|record| &record.configurations.ownership);
    let has_acls = controls.is_some_and(Option::is_some);
    let incarnation = marked.map(|record| record.incarnation.clone());
    let incarnation = incarnation.as_ref();
    match delete_at_backend(buckets, &bucket, request).await {
        Ok(response) => {
            end(buckets, &bucket, incarnation, BucketRecord::tombstone).await?;
            if let (true, Some(incarnation)) = (has_acls, incarnation) {
                remove_acls(buckets, &bucket, incarnation).await;
            }
            Ok(response)
        }
        Err(error) if error.status() == StatusCode::NOT_FOUND => {
            end(buckets, &bucket, incarnation, BucketRecord::tombstone).await?;
            Err(error)
        }
        Err(error) if error.status().is_client_error() => {
            let live = |record: &BucketRecord| record.in_phase(Phase::Live);
            end(buckets, &bucket, incarnation, live).await?;
            Err(error)
        }
        // Whether it was deleted is unknown: the next attempt finds out.
        Err(error) => Err(error),
    }
}

/// Removes the access control lists that the objects of a deleted bucket had. Those that stay behind mean nothing.
async fn remove_acls(buckets: &Buckets, bucket: &str, incarnation: &Incarnation) {
    let prefix = object_acls::prefix(bucket, incarnation.as_str());
    if let Err(error) = Box::pin(buckets.state.remove_all(&prefix)).await {
        tracing::warn!(bucket, %error, "access control lists of a deleted bucket stay behind");
    }
}

/// Has the backend delete a bucket that has nothing in it. Some delete what is in it, too.
async fn delete_at_backend(
    buckets: &Buckets,
    bucket: &str,
    request: S3Request,
) -> Result<Response<Body>, S3Error> {
    if !requests::is_empty(&buckets.backend, bucket).await? {
        let error = match requests::has_versions(&buckets.backend, bucket).await? {
            true => S3Error::with_message(S3Code::BucketNotEmpty, HAS_VERSIONS),
            false => S3Error::new(S3Code::BucketNotEmpty),
        };
        return Err(error.detail("BucketName", bucket));
    }
    buckets.backend.forward(request).await
}

/// Replaces the record of the bucket that was to be deleted, if it is still about that.
async fn end(
    buckets: &Buckets,
    bucket: &str,
    incarnation: Option<&Incarnation>,
    become_record: impl Fn(&BucketRecord) -> BucketRecord + Send + Sync,
) -> Result<(), S3Error> {
    let ended = buckets.records.change(bucket, |current| {
        Ok(match current {
            Some(current) if Some(&current.incarnation) == incarnation => match current.phase {
                Phase::Gone => Edit::Keep,
                _ => Edit::replace(become_record(current)),
            },
            _ => Edit::Keep,
        })
    });
    ended.await?;
    Ok(())
}

const HAS_VERSIONS: &str =
    "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
