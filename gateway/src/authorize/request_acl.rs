//! Access control lists of one request: those that decide about it are read, the one that it sets is checked.

use std::sync::Arc;

use crate::access_point::record::AccessPoint;
use crate::authorize::Authorizer;
use crate::authorize::access::BucketAccess;
use crate::authorize::access::Subject;
use crate::authorize::acl::AclAccess;
use crate::authorize::acl::AclTerms;
use crate::authorize::acl::Mapped;
use crate::authorize::acl::ObjectList;
use crate::authorize::acl::canonical_caller;
use crate::authorize::acl::mapped;
use crate::authorize::read_document;
use crate::authorize::through;
use crate::authorize::upload_name;
use crate::bucket::acl::BucketAcl;
use crate::bucket::ownership::ObjectOwnership;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::acl::Acl;
use crate::protocol::acl::Canned;
use crate::protocol::acl::Level;
use crate::protocol::acl::RequestedAcl;
use crate::records::object_acls::AclKey;
use crate::records::object_acls::JudgedObject;
use crate::records::object_acls::ObjectAcls;
use crate::records::uploads::Uploads;
use crate::request::S3Request;
use crate::route::Action;
use crate::route::Needed;
use crate::route::Operation;

/// Reads the list of the object that a request is about, where one may decide.
pub(super) async fn read_object_list(
    acls: Option<&ObjectAcls>,
    access: &mut BucketAccess,
    subject: Subject<'_>,
    actions: &[&Action],
) -> Result<Option<Arc<JudgedObject>>, S3Error> {
    let lists = access.acl.as_deref().filter(|_| access.foreign);
    let may_write = lists.is_some_and(AclAccess::permits_writing);
    let decides = |action: &&Action| {
        let of_new_object = action.needed == Needed::Acl;
        match mapped(action.name, of_new_object) {
            Some(Mapped::Object(_) | Mapped::ObjectOwner) => true,
            Some(Mapped::OwnDeletion) => may_write,
            _ => false,
        }
    };
    let (Some(lists), Some(key)) = (&mut access.acl, subject.key) else {
        return Ok(None);
    };
    if !actions.iter().any(decides) {
        return Ok(None);
    }
    let acls = acls.ok_or_else(S3Error::internal)?;
    let current = Box::pin(acls.current(&access.bucket, key, subject.version));
    let judged = match current.await {
        Ok((judged, _)) => judged,
        // What there is of it is no object. The operation answers so.
        Err(error) if error.code() == S3Code::MethodNotAllowed => JudgedObject::Absent,
        Err(error) => return Err(error),
    };
    lists.object = match (&judged, &lists.bucket.incarnation) {
        (JudgedObject::Absent, _) => ObjectList::Absent,
        (JudgedObject::Present(Some(envelope)), Some(incarnation)) => {
            let place = AclKey {
                bucket: &access.bucket,
                incarnation: incarnation.as_str(),
                key,
            };
            let stored = Box::pin(acls.find(place, envelope)).await?;
            ObjectList::Of(stored.unwrap_or_else(|| Acl::private(lists.bucket.owner())))
        }
        // It was there before the gateway.
        (JudgedObject::Present(_), _) => ObjectList::Of(Acl::private(lists.bucket.owner())),
    };
    Ok(Some(Arc::new(judged)))
}

/// Reads the list of the object that an upload will be, for operations that its initiator may do.
pub(super) async fn read_upload_list(
    authorizer: &Authorizer,
    operation: Operation,
    access: &mut BucketAccess,
    request: &S3Request,
    uploads: &Uploads,
) -> Result<(), S3Error> {
    let is_of_initiator = matches!(
        operation,
        Operation::AbortMultipartUpload | Operation::ListParts
    );
    let (Some(lists), Some(acls), true) = (
        &mut access.acl,
        &authorizer.object_acls,
        is_of_initiator && access.foreign,
    ) else {
        return Ok(());
    };
    let Some(incarnation) = &lists.bucket.incarnation else {
        return Ok(());
    };
    let name = upload_name(request);
    let head = match Box::pin(uploads.find(name)).await {
        Ok(head) => head,
        Err(error) if error.code() == S3Code::NoSuchUpload => return Ok(()),
        Err(error) => return Err(error),
    };
    let envelope = http::HeaderValue::from_str(head.envelope_header());
    let envelope = envelope.map_err(|_| S3Error::internal())?;
    let place = AclKey {
        bucket: name.bucket,
        incarnation: incarnation.as_str(),
        key: name.key,
    };
    if let Some(acl) = Box::pin(acls.find(place, &envelope)).await? {
        lists.object = ObjectList::Of(acl);
    }
    Ok(())
}

/// Refuses a list that the bucket does not take, or that is public where the bucket, its account or the access point
/// `through` which the request goes blocks that. Returns what the
/// operation needs of lists; nothing where they are disabled.
///
/// # Errors
///
/// As [`RequestedAcl::read`]; `AccessControlListNotSupported`; `InvalidBucketAclWithObjectOwnership`;
/// `AccessDenied`; `ServiceUnavailable` when it cannot be found out what is blocked.
pub(super) async fn check(
    authorizer: &Authorizer,
    operation: Operation,
    bucket: Option<Arc<BucketAcl>>,
    through: Option<&AccessPoint>,
    request: &mut S3Request,
) -> Result<Option<Box<AclTerms>>, S3Error> {
    if !may_set_acl(operation) {
        return Ok(None);
    }
    let requested = Box::pin(requested(operation, request)).await?;
    let creates = operation == Operation::CreateBucket;
    let caller = canonical_caller(&request.caller);
    let bucket = match bucket {
        Some(bucket) => bucket,
        None => {
            let owner = request.caller.account().map_or("", |it| it.as_str());
            let mut bucket = BucketAcl::new(owner, None);
            bucket.ownership = authorizer.ownership.of_new_bucket(&request.headers)?;
            Arc::new(bucket)
        }
    };
    let is_disabled = bucket.ownership == ObjectOwnership::BucketOwnerEnforced;
    if is_disabled {
        let is_private = creates && requested == RequestedAcl::Canned(Canned::Private);
        if is_private || requested.is_of_bucket_owner(bucket.owner()) {
            return Ok(None);
        }
        return Err(S3Error::new(match creates {
            true => S3Code::InvalidBucketAclWithObjectOwnership,
            false => S3Code::AccessControlListNotSupported,
        }));
    }
    if requested.is_public() {
        let name = request.target.bucket.as_deref().unwrap_or_default();
        let public_access = &authorizer.public_access;
        let blocks = match (creates, request.caller.account()) {
            (true, None) => public_access.of_new_bucket(),
            (true, Some(account)) => {
                let of_account = Box::pin(public_access.of_account(account.as_str())).await?;
                public_access.of_new_bucket().with(of_account)
            }
            (false, _) => Box::pin(through::blocks(public_access, name, through)).await?,
        };
        if blocks.block_public_acls {
            return Err(S3Error::access_denied());
        }
    }
    Ok(Some(Box::new(AclTerms {
        bucket,
        caller,
        requested,
    })))
}

/// Whether an operation can set a list: the same ones write an object or create a bucket.
fn may_set_acl(operation: Operation) -> bool {
    let actions = operation.row().actions;
    matches!(operation, Operation::PutBucketAcl | Operation::PutObjectAcl)
        || actions.iter().any(|action| action.needed == Needed::Acl)
}

/// The list that a request names.
async fn requested(operation: Operation, request: &mut S3Request) -> Result<RequestedAcl, S3Error> {
    let level = match operation {
        Operation::CreateBucket | Operation::PutBucketAcl => Level::Bucket,
        _ => Level::Object,
    };
    let document = match operation {
        Operation::PutBucketAcl | Operation::PutObjectAcl => Some(read_document(request).await?),
        _ => None,
    };
    RequestedAcl::read(&request.headers, document.as_deref(), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_makes_an_object_or_a_bucket_may_set_a_list_and_no_other_operation() {
        for operation in [
            Operation::CreateBucket,
            Operation::PutBucketAcl,
            Operation::PutObjectAcl,
            Operation::PutObject,
            Operation::PostObject,
            Operation::CopyObject,
            Operation::CreateMultipartUpload,
        ] {
            assert!(may_set_acl(operation), "{operation:?}");
        }
        for operation in [
            Operation::ListBuckets,
            Operation::GetObject,
            Operation::GetObjectAcl,
            Operation::DeleteObject,
            Operation::UploadPart,
            Operation::CompleteMultipartUpload,
        ] {
            assert!(!may_set_acl(operation), "{operation:?}");
        }
    }
}
