//! Access control lists, as AWS has them where they are switched off: each grants full control to the
//! owner of all, and no other is taken. Policies give access to others.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use http::HeaderMap;
use http::HeaderValue;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::AccessControlPolicy;
use s3s::dto::GetBucketAclInput;
use s3s::dto::GetBucketAclOutput;
use s3s::dto::GetObjectAclInput;
use s3s::dto::GetObjectAclOutput;
use s3s::dto::Grant;
use s3s::dto::Grantee;
use s3s::dto::Permission;
use s3s::dto::PutBucketAclInput;
use s3s::dto::PutBucketAclOutput;
use s3s::dto::PutObjectAclInput;
use s3s::dto::PutObjectAclOutput;
use s3s::dto::Type;

use crate::embedded::fault::Fault;
use crate::embedded::fault::Outcome;
use crate::embedded::service::Service;
use crate::embedded::service::configuring::find;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::service::tagging;

/// A list as it comes with a request: by name, by grants in headers, or in the body.
struct RequestedList<'a> {
    canned: Option<&'a [u8]>,
    has_grants: bool,
    policy: Option<&'a AccessControlPolicy>,
}

pub(super) async fn get_bucket_acl(
    service: &Service,
    request: S3Request<GetBucketAclInput>,
) -> S3Result<S3Response<GetBucketAclOutput>> {
    find(service, &request.input.bucket)?;
    Ok(S3Response::new(GetBucketAclOutput {
        grants: Some(vec![owners_grant()]),
        owner: Some(names::owner()),
    }))
}

pub(super) async fn put_bucket_acl(
    service: &Service,
    request: S3Request<PutBucketAclInput>,
) -> S3Result<S3Response<PutBucketAclOutput>> {
    let input = request.input;
    find(service, &input.bucket)?;
    let policy = input.access_control_policy.as_ref();
    RequestedList::new(&request.headers, policy).check(&BUCKET_LISTS)?;
    Ok(S3Response::new(PutBucketAclOutput::default()))
}

pub(super) async fn get_object_acl(
    service: &Service,
    request: S3Request<GetObjectAclInput>,
) -> S3Result<S3Response<GetObjectAclOutput>> {
    let input = request.input;
    let place = names::place(input.bucket, input.key, input.version_id.as_deref())?;
    let (bucket, found) = service.store.find(&place)?;
    if found.version.object.is_none() {
        let id = tagging::id(&bucket, &found.version);
        return Err(reading::marker(&place, id, found.version.modified_ms));
    }
    Ok(S3Response::new(GetObjectAclOutput {
        grants: Some(vec![owners_grant()]),
        owner: Some(names::owner()),
        ..GetObjectAclOutput::default()
    }))
}

pub(super) async fn put_object_acl(
    service: &Service,
    request: S3Request<PutObjectAclInput>,
) -> S3Result<S3Response<PutObjectAclOutput>> {
    let input = request.input;
    let place = names::place(
        input.bucket.clone(),
        input.key.clone(),
        input.version_id.as_deref(),
    )?;
    let (_, found) = service.store.find(&place)?;
    if found.version.object.is_none() {
        return Err(Fault::delete_marker().into());
    }
    let policy = input.access_control_policy.as_ref();
    RequestedList::new(&request.headers, policy).check(&OBJECT_LISTS)?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

/// Whether the list in the headers of a request that writes an object is one that objects here have.
///
/// # Errors
///
/// `AccessControlListNotSupported` for a list that grants anything to others.
pub(super) fn check_new_object(headers: &HeaderMap) -> Outcome<()> {
    let list = RequestedList::new(headers, None);
    match list.is_empty() {
        true => Ok(()),
        false => list.check(&OBJECT_LISTS),
    }
}

/// Whether the list in the headers of a request that creates a bucket is one that buckets here have.
///
/// # Errors
///
/// `InvalidBucketAclWithObjectOwnership` for a list that grants anything to others.
pub(super) fn check_new_bucket(headers: &HeaderMap) -> Outcome<()> {
    let list = RequestedList::new(headers, None);
    if list.is_empty() {
        return Ok(());
    }
    let unsupported = S3ErrorCode::AccessControlListNotSupported;
    match list.check(&BUCKET_LISTS) {
        Err(Fault::Refused(error)) if *error.code() == unsupported => {
            let code = S3ErrorCode::InvalidBucketAclWithObjectOwnership;
            let message =
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
            Err(Fault::message(code, message))
        }
        checked => checked,
    }
}

impl<'a> RequestedList<'a> {
    fn new(headers: &'a HeaderMap, policy: Option<&'a AccessControlPolicy>) -> Self {
        let mut names = headers.keys();
        Self {
            canned: headers.get("x-amz-acl").map(HeaderValue::as_bytes),
            has_grants: names.any(|name| name.as_str().starts_with("x-amz-grant-")),
            policy,
        }
    }

    fn is_empty(&self) -> bool {
        self.canned.is_none() && !self.has_grants
    }

    /// Whether the request names a list, which is one of `lists` and grants nothing to others.
    fn check(&self, lists: &[&str]) -> Outcome<()> {
        let refused = |code, message: &str| Err(Fault::message(code, message));
        match (self.canned, self.policy) {
            (Some(_), _) if self.has_grants => refused(
                S3ErrorCode::InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed",
            ),
            (_, Some(_)) if !self.is_empty() => refused(
                S3ErrorCode::UnexpectedContent,
                "This request does not support content",
            ),
            (Some(b"private" | b"bucket-owner-full-control"), _) => Ok(()),
            (Some(canned), _) if lists.iter().any(|list| list.as_bytes() == canned) => {
                Err(unsupported())
            }
            (Some(canned), _) => {
                let canned = String::from_utf8_lossy(canned);
                let refusal = Fault::code(S3ErrorCode::InvalidArgument);
                let refusal = refusal.element("ArgumentName", "x-amz-acl");
                Err(refusal.element("ArgumentValue", &canned))
            }
            (None, Some(policy)) => check_policy(policy),
            (None, None) if self.has_grants => Err(unsupported()),
            (None, None) => refused(
                S3ErrorCode::MissingSecurityHeader,
                "Your request was missing a required header",
            )
            .map_err(|refusal| refusal.element("MissingHeaderName", "x-amz-acl")),
        }
    }
}

fn check_policy(policy: &AccessControlPolicy) -> Outcome<()> {
    let owner = policy.owner.as_ref().and_then(|owner| owner.id.as_ref());
    let (Some(owner), Some(grants)) = (owner, &policy.grants) else {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Fault::message(S3ErrorCode::MalformedACLError, message));
    };
    match (names::owner().id.as_ref() == Some(owner), grants.as_slice()) {
        (true, [only]) if is_owners(only) => Ok(()),
        _ => Err(unsupported()),
    }
}

fn is_owners(grant: &Grant) -> bool {
    let permission = grant.permission.as_ref().map(Permission::as_str);
    let grantee = grant
        .grantee
        .as_ref()
        .and_then(|grantee| grantee.id.as_ref());
    permission == Some(Permission::FULL_CONTROL) && grantee == names::owner().id.as_ref()
}

/// The one grant that there is.
fn owners_grant() -> Grant {
    Grant {
        grantee: Some(Grantee {
            display_name: None,
            email_address: None,
            id: names::owner().id,
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }
}

fn unsupported() -> Fault {
    let message = "The bucket does not allow ACLs";
    Fault::message(S3ErrorCode::AccessControlListNotSupported, message)
}

/// Lists of buckets that have a name and grant something to others.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
const BUCKET_LISTS: [&str; 4] = [
    "public-read",
    "public-read-write",
    "authenticated-read",
    "log-delivery-write",
];

/// Lists of objects that have a name and grant something to others.
const OBJECT_LISTS: [&str; 5] = [
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
];
