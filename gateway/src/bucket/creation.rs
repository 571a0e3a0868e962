//! CreateBucket: the record first, then the backend, then the record again.
//!
//! The name is reserved in the record before the backend creates the bucket, by a compare-and-swap that
//! one of several accounts wins. A gateway that dies in between leaves a record of phase
//! [`Phase::Creating`], which its owner's next CreateBucket takes up.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;

use crate::backend::BackendRequest;
use crate::bucket::Buckets;
use crate::bucket::bucket_records::Edit;
use crate::bucket::creation_tags;
use crate::bucket::location::Location;
use crate::bucket::ownership::OwnershipControls;
use crate::bucket::record::BucketRecord;
use crate::bucket::record::Configurations;
use crate::bucket::record::Incarnation;
use crate::bucket::record::Phase;
use crate::bucket::requests;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::acl::Acl;
use crate::protocol::acl::canonical_user_id;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::empty_body;

/// Creates a bucket for the caller's account. Nothing that was stored about an earlier bucket of the name
/// counts for it, and nothing is removed from one that exists.
///
/// # Errors
///
/// `InvalidBucketName` for a name that is reserved;
/// `BucketAlreadyExists` for another account's; `BucketAlreadyOwnedByYou` for the caller's own, but in
/// `us-east-1`, which answers 200; `OperationAborted` while another account deletes it;
/// `IllegalLocationConstraintException` and `InvalidLocationConstraint` for a Region that the bucket cannot
/// be created in; the backend's S3 error;
/// `ServiceUnavailable` when it, or the state, gives no usable answer.
pub(crate) async fn create(
    buckets: &Buckets,
    mut request: S3Request,
    requested: Option<Acl>,
) -> Result<Response<Body>, S3Error> {
    let bucket = request.target.bucket.clone().unwrap_or_default();
    if is_reserved(&bucket) {
        return Err(S3Error::new(S3Code::InvalidBucketName).detail("BucketName", bucket));
    }
    let controls = &buckets.configurations.ownership;
    let ownership = controls.of_new_bucket(&request.headers)?;
    let configurations = Configurations {
        ownership: OwnershipControls::stored_of_new_bucket(ownership).map(Arc::new),
        acl: requested.clone().map(Arc::new),
        ..Configurations::default()
    };
    let location = translate_location(buckets, &mut request).await?;
    let host = location
        .constraint
        .as_ref()
        .and_then(|_| virtual_host(&bucket, request.header("host")?));
    let account = request.caller.account().cloned();
    let account = account.ok_or_else(S3Error::access_denied)?;
    let new = NewBucket {
        location: &location,
        configurations,
    };
    let exists = requests::exists(&buckets.backend, &bucket).await?;
    let reserved = reserve(buckets, &bucket, account.as_str(), &new, exists).await?;
    if exists {
        let answer = already_owned(&bucket, &location)?;
        reset_acl(buckets, &bucket, account.as_str(), requested).await?;
        return Ok(answer);
    }
    let outcome = buckets.backend.forward(request).await;
    match outcome {
        Ok(mut response) => {
            if let Some(location) = host.and_then(|host| HeaderValue::try_from(host).ok()) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            if let Some(tags) = location.tags.clone() {
                put_tags(buckets, &bucket, &reserved, tags).await?;
            }
            settle(buckets, &bucket, &reserved, Phase::Live).await?;
            Ok(response)
        }
        // Another request of the same account was faster.
        Err(error) if error.code() == S3Code::BucketAlreadyOwnedByYou => {
            settle(buckets, &bucket, &reserved, Phase::Live).await?;
            already_owned(&bucket, &location)
        }
        Err(error) if error.status().is_client_error() => {
            let exists = requests::exists(&buckets.backend, &bucket).await;
            if exists.is_ok_and(|exists| !exists) {
                settle(buckets, &bucket, &reserved, Phase::Gone).await?;
            }
            Err(error)
        }
        // Whether it was created is unknown. The name stays reserved.
        Err(error) => Err(error),
    }
}

/// The `Location` of a bucket in another Region: its own host name, where this gateway has host names.
fn virtual_host(bucket: &str, host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_address = name.starts_with('[') || name.parse::<std::net::Ipv4Addr>().is_ok();
    let is_virtual = host
        .strip_prefix(bucket)
        .is_some_and(|base| base.starts_with('.'));
    match is_virtual {
        _ if is_address => None,
        true => Some(format!("http://{host}/")),
        false => Some(format!("http://{bucket}.{host}/")),
    }
}

/// Sets the tags of a bucket that was just created. Without them it is removed again.
async fn put_tags(
    buckets: &Buckets,
    bucket: &str,
    reserved: &Option<Incarnation>,
    tags: Bytes,
) -> Result<(), S3Error> {
    let put = buckets
        .backend
        .fetch(creation_tags::request(bucket, tags))
        .await;
    let Err(error) = put else {
        return Ok(());
    };
    let removal = BackendRequest::bucket(Method::DELETE, bucket);
    match buckets.backend.fetch(removal).await {
        Ok(_) => settle(buckets, bucket, reserved, Phase::Gone).await?,
        Err(cause) => {
            tracing::warn!(bucket, %cause, "a bucket was created without its tags");
            settle(buckets, bucket, reserved, Phase::Live).await?;
        }
    }
    Err(error.into())
}

/// Reserves the name of a bucket for an account; `exists` says whether the backend has it.
async fn reserve(
    buckets: &Buckets,
    bucket: &str,
    account: &str,
    new: &NewBucket<'_>,
    exists: bool,
) -> Result<Option<Incarnation>, S3Error> {
    let refuse = |code: S3Code| Err(S3Error::new(code).detail("BucketName", bucket));
    let several = buckets.configurations.owners.are_several();
    let reserved = buckets.records.change(bucket, |current| {
        let Some(current) = current else {
            return match exists {
                // Nobody's, which no request makes somebody's.
                true if several => refuse(S3Code::BucketAlreadyExists),
                true => Ok(Edit::Keep),
                false => Ok(Edit::replace(new_record(buckets, None, account, new))),
            };
        };
        let is_own = current.owner == account || !several;
        match current.phase {
            Phase::Gone if exists && several => refuse(S3Code::BucketAlreadyExists),
            Phase::Gone if exists => Ok(Edit::Keep),
            Phase::Gone => Ok(Edit::replace(new_record(
                buckets,
                Some(current),
                account,
                new,
            ))),
            Phase::Deleting if !is_own => refuse(S3Code::OperationAborted),
            _ if !is_own => refuse(S3Code::BucketAlreadyExists),
            // A deletion that broke off, or is about to reach the backend.
            Phase::Deleting if exists => Ok(Edit::replace(current.in_phase(Phase::Live))),
            Phase::Deleting => Ok(Edit::replace(new_record(
                buckets,
                Some(current),
                account,
                new,
            ))),
            Phase::Creating if exists => Ok(Edit::replace(current.in_phase(Phase::Live))),
            // A creation that broke off, perhaps of a bucket in another Region.
            Phase::Creating => Ok(Edit::replace(new_record(
                buckets,
                Some(current),
                account,
                new,
            ))),
            Phase::Live => Ok(Edit::Keep),
        }
    });
    let reserved = reserved.await?;
    Ok(reserved.map(|record| record.incarnation.clone()))
}

/// The record of a bucket that is about to be created.
fn new_record(
    buckets: &Buckets,
    former: Option<&BucketRecord>,
    account: &str,
    new: &NewBucket<'_>,
) -> BucketRecord {
    let mut record = BucketRecord::new(account, Phase::Creating, &*buckets.random);
    record.location.clone_from(&new.location.constraint);
    record.configurations = new.configurations.clone();
    record.listed_etags = buckets.configurations.etags.of_new_bucket(former);
    let block = buckets.configurations.public_access.stored_of_new_bucket();
    record.configurations.public_access_block = block.map(Arc::new);
    record
}

/// Moves the record of a bucket on after the backend answered, if it is still about the same bucket.
async fn settle(
    buckets: &Buckets,
    bucket: &str,
    reserved: &Option<Incarnation>,
    phase: Phase,
) -> Result<(), S3Error> {
    let settled = buckets.records.change(bucket, |current| {
        Ok(match current {
            Some(current)
                if current.phase == Phase::Creating
                    && Some(&current.incarnation) == reserved.as_ref() =>
            {
                Edit::replace(match phase {
                    Phase::Gone => current.tombstone(),
                    phase => current.in_phase(phase),
                })
            }
            _ => Edit::Keep,
        })
    });
    match settled.await {
        Ok(_) => Ok(()),
        // A bucket that is being created and is there counts as live.
        Err(error) if phase == Phase::Live => {
            tracing::warn!(bucket, %error, "a bucket was created, and its record is not settled");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// The answer to a request that creates the caller's own bucket again.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
fn already_owned(bucket: &str, location: &BucketLocation) -> Result<Response<Body>, S3Error> {
    if !location.is_repeatable {
        return Err(S3Error::new(S3Code::BucketAlreadyOwnedByYou).detail("BucketName", bucket));
    }
    let mut response = Response::new(empty_body());
    if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Gives a bucket that is created again the access control list of the request, private if it names none, where lists
/// count: "Amazon S3 returns 200 OK and resets the bucket access control lists".
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>, BucketAlreadyOwnedByYou
async fn reset_acl(
    buckets: &Buckets,
    bucket: &str,
    account: &str,
    requested: Option<Acl>,
) -> Result<(), S3Error> {
    let configurations = &buckets.configurations;
    let current = configurations.acls.of(bucket).await?;
    let acl = requested.unwrap_or_else(|| Acl::private(&canonical_user_id(account)));
    if !current.is_enabled() || *current.acl() == acl {
        return Ok(());
    }
    let blocks = configurations.public_access.in_force(bucket).await?;
    if blocks.block_public_acls && acl.is_public() {
        return Err(S3Error::access_denied());
    }
    configurations.acls.put(bucket, acl).await
}

/// What a bucket is created with.
struct NewBucket<'a> {
    location: &'a BucketLocation,
    configurations: Configurations,
}

/// Where a bucket is to be created.
struct BucketLocation {
    /// Its `LocationConstraint`, where that is not the gateway's own Region.
    constraint: Option<String>,
    /// Whether creating it again succeeds: in `us-east-1`, by a request that names neither Region nor tags.
    is_repeatable: bool,
    /// The document that sets its tags.
    tags: Option<Bytes>,
}

/// Puts the backend's Region in the place of the one that the client names, which is returned.
async fn translate_location(
    buckets: &Buckets,
    request: &mut S3Request,
) -> Result<BucketLocation, S3Error> {
    let document = request.body.collect(Limits::REQUEST.bytes).await?;
    let location = Location::read(&document)?;
    let own = buckets.regions.own();
    let endpoint = request.signed_region.as_deref().unwrap_or(own);
    let found = BucketLocation {
        constraint: location.of_bucket(endpoint, &buckets.regions)?,
        is_repeatable: location.is_unnamed()
            && location.tags.is_none()
            && endpoint == UNNAMED_REGION,
        tags: location.tags.clone(),
    };
    let onward = location.translate(own, buckets.backend.region());
    if onward != document {
        // They were about the other document.
        let is_digest = |name: &&HeaderName| {
            *name == "content-md5"
                || name.as_str().starts_with("x-amz-checksum-")
                || *name == "x-amz-sdk-checksum-algorithm"
        };
        let digests: Vec<_> = request.headers.keys().filter(is_digest).cloned().collect();
        for name in digests {
            request.headers.remove(name);
        }
    }
    request.body = Payload::from_bytes(onward);
    Ok(found)
}

/// Whether no general purpose bucket can have this name, whatever else is right with it.
fn is_reserved(bucket: &str) -> bool {
    RESERVED_STARTS
        .iter()
        .any(|start| bucket.starts_with(start))
        || RESERVED_ENDS.iter().any(|end| bucket.ends_with(end))
}

/// How no bucket's name may begin.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
const RESERVED_STARTS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];

/// How none may end: as aliases of access points, and as names of what is no general purpose bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// The Region where creating one's own bucket again succeeds.
const UNNAMED_REGION: &str = "us-east-1";
