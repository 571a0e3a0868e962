//! GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl: access control lists, where the bucket's ownership controls
//! let them count. Elsewhere everything is the bucket owner's, and no other list is taken.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;

use crate::authorize::Permitted;
use crate::authorize::Terms;
use crate::bucket::BucketConfigurations;
use crate::bucket::acl::BucketAcl;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::answer;
use crate::operation::store::ObjectStore;
use crate::protocol::acl::Acl;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::headers::VERSION_ID;
use crate::records::object_acls;
use crate::records::object_acls::AclKey;
use crate::records::object_acls::JudgedObject;
use crate::records::object_acls::ObjectAcls;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;

/// An object whose list is read or written.
struct ListedObject {
    /// Its envelope; none of one that was never sealed.
    envelope: Option<HeaderValue>,
    /// Its version, where the backend has versions.
    version: Option<HeaderValue>,
}

/// Answers with the list of a bucket.
///
/// # Errors
///
/// `NoSuchBucket`; `ServiceUnavailable` when the state cannot be read.
pub async fn get_bucket_acl(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let bucket = request.target.bucket.unwrap_or_default();
    configurations.acls.check_exists(&bucket).await?;
    let list = configurations.acls.of(&bucket).await?;
    Ok(answer::document(&list.acl().to_xml()))
}

/// Replaces the list of a bucket. Where lists are disabled it was found to be the owner's, and nothing changes.
///
/// # Errors
///
/// `NoSuchBucket`; `AccessDenied` for a list of another owner; as [`crate::bucket::acl::BucketAcls::put`].
pub async fn put_bucket_acl(
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let bucket = request.target.bucket.unwrap_or_default();
    configurations.acls.check_exists(&bucket).await?;
    if let Some(acl) = terms.acl() {
        let owner = acl.bucket().owner();
        let list = acl.requested().resolve(owner, owner)?;
        configurations.acls.put(&bucket, list).await?;
    }
    Ok(Response::new(empty_body()))
}

/// Answers with the list of an object, or of a version.
///
/// # Errors
///
/// `NoSuchKey`, `NoSuchVersion`; `MethodNotAllowed` for a delete marker; `ServiceUnavailable` when the list cannot be
/// read, or the object was written meanwhile.
pub async fn get_object_acl(
    store: &ObjectStore,
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let name = store.name(&request.target)?;
    let object = find(store, configurations, &name, &request, &terms).await?;
    let bucket = configurations.acls.of(&name.bucket).await?;
    let list = current(acls(store)?, &name, &bucket, &object).await?;
    let mut response = answer::document(&list.to_xml());
    object.write_version(response.headers_mut());
    Ok(response)
}

/// Replaces the list of an object, or of a version.
///
/// # Errors
///
/// As [`get_object_acl`]; `AccessDenied` for a list of another owner; `InvalidRequest` for an object that was never
/// sealed.
pub async fn put_object_acl(
    store: &ObjectStore,
    configurations: &BucketConfigurations,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let name = store.name(&request.target)?;
    let object = find(store, configurations, &name, &request, &terms).await?;
    if let Some(acl) = terms.acl() {
        let acls = acls(store)?;
        let bucket = acl.bucket();
        let owner = current(acls, &name, bucket, &object).await?.owner;
        let list = acl.requested().resolve(&owner, bucket.owner())?;
        let envelope = object.envelope.as_ref();
        let envelope = envelope.ok_or_else(|| S3Error::invalid_request(UNSEALED))?;
        let key = acl_key(&name, bucket).ok_or_else(S3Error::internal)?;
        acls.store(key, envelope, list).await?;
    }
    let mut response = Response::new(empty_body());
    object.write_version(response.headers_mut());
    Ok(response)
}

/// The object that a request names, which must be the one that it was judged by.
async fn find(
    store: &ObjectStore,
    configurations: &BucketConfigurations,
    name: &ObjectName,
    request: &S3Request,
    terms: &Terms,
) -> Result<ListedObject, S3Error> {
    let version = request.target.query.get("versionId");
    let current = acls(store)?.current(&name.bucket, &name.key, version);
    let (object, headers) = current.await?;
    let JudgedObject::Present(envelope) = object else {
        // Recorded: to set the list of a delete marker that is current is refused as that, to read it is not.
        if request.method == Method::PUT && object_acls::is_behind_marker(&headers) {
            return Err(object_acls::is_marker());
        }
        configurations.acls.check_exists(&name.bucket).await?;
        return Err(S3Error::new(match version {
            Some(_) => S3Code::NoSuchVersion,
            None => S3Code::NoSuchKey,
        }));
    };
    if let Some(judged) = terms.judged() {
        judged.check(&headers)?;
    }
    Ok(ListedObject {
        envelope,
        version: headers.get(VERSION_ID).cloned(),
    })
}

/// The list that an object has: the bucket owner's where lists are disabled, or none is stored.
async fn current(
    acls: &ObjectAcls,
    name: &ObjectName,
    bucket: &BucketAcl,
    object: &ListedObject,
) -> Result<Acl, S3Error> {
    let stored = match (acl_key(name, bucket), &object.envelope) {
        (Some(key), Some(envelope)) if bucket.is_enabled() => acls.find(key, envelope).await?,
        _ => None,
    };
    Ok(stored.unwrap_or_else(|| Acl::private(bucket.owner())))
}

fn acl_key<'a>(name: &'a ObjectName, bucket: &'a BucketAcl) -> Option<AclKey<'a>> {
    Some(AclKey {
        bucket: &name.bucket,
        incarnation: bucket.incarnation.as_ref()?.as_str(),
        key: &name.key,
    })
}

fn acls(store: &ObjectStore) -> Result<&ObjectAcls, S3Error> {
    store.sealed.acls.as_deref().ok_or_else(S3Error::internal)
}

impl ListedObject {
    fn write_version(&self, headers: &mut HeaderMap) {
        if let Some(version) = &self.version {
            headers.insert(VERSION_ID, version.clone());
        }
    }
}

/// The envelope of an object that is about to be deleted in a bucket whose objects may have lists.
pub(crate) async fn of_deleted(
    store: &ObjectStore,
    name: &ObjectName,
    version: Option<&str>,
) -> Option<HeaderValue> {
    let current = acls(store).ok()?.current(&name.bucket, &name.key, version);
    let (_, headers) = current.await.ok()?;
    headers.get(ENVELOPE).cloned()
}

/// Whether an object is still there after a request to delete it, behind a delete marker.
pub(crate) fn stays(answer: &Response<Body>, version: Option<&str>) -> bool {
    version.is_none() && headers::text(answer.headers(), "x-amz-delete-marker").is_some()
}

/// Removes the list of an object that was deleted.
pub(crate) async fn remove(
    store: &ObjectStore,
    name: &ObjectName,
    incarnation: &str,
    envelope: &HeaderValue,
) {
    if let Ok(acls) = acls(store) {
        let key = AclKey {
            bucket: &name.bucket,
            incarnation,
            key: &name.key,
        };
        acls.remove(key, envelope).await;
    }
}

const UNSEALED: &str = "The object was there before the gateway and is not sealed: it can have no access control list. Copy it onto itself first.";
