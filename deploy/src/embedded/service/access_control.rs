//! Access control lists, as AWS has them where they are switched off: each grants full control to the
//! owner of all, and no other is taken. Policies give access to others.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

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
use crate::embedded::service::buckets::find;
use crate::embedded::service::names;
use crate::embedded::service::reading;
use crate::embedded::service::tagging;
use crate::embedded::store::Place;

/// A list as it comes with a request: by name, by grants in headers, or in the body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestedList<'a> {
    pub(super) canned: Option<&'a str>,
    pub(super) grants: [Option<&'a String>; 5],
    pub(super) policy: Option<&'a AccessControlPolicy>,
}

/// The list in the headers of an input.
macro_rules! requested {
    ($input:expr) => {
        RequestedList {
            canned: $input.acl.as_ref().map(|acl| acl.as_str()),
            grants: [
                $input.grant_full_control.as_ref(),
                $input.grant_read.as_ref(),
                $input.grant_read_acp.as_ref(),
                $input.grant_write.as_ref(),
                $input.grant_write_acp.as_ref(),
            ],
            policy: None,
        }
    };
}

/// The list in the headers of an input that writes an object, which has no grant to write.
macro_rules! requested_for_object {
    ($input:expr) => {
        crate::embedded::service::access_control::RequestedList {
            canned: $input.acl.as_ref().map(|acl| acl.as_str()),
            grants: [
                $input.grant_full_control.as_ref(),
                $input.grant_read.as_ref(),
                $input.grant_read_acp.as_ref(),
                $input.grant_write_acp.as_ref(),
                None,
            ],
            policy: None,
        }
    };
}

pub(super) use requested_for_object;

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
    let list = RequestedList {
        policy: input.access_control_policy.as_ref(),
        ..requested!(input)
    };
    list.check_named(&BUCKET_LISTS)?;
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
    let place: Place = names::place(
        input.bucket.clone(),
        input.key.clone(),
        input.version_id.as_deref(),
    )?;
    let (_, found) = service.store.find(&place)?;
    if found.version.object.is_none() {
        let message = "The specified method is not allowed against this resource.";
        return Err(Fault::message(S3ErrorCode::MethodNotAllowed, message).into());
    }
    let list = RequestedList {
        policy: input.access_control_policy.as_ref(),
        ..requested!(input)
    };
    list.check_named(&OBJECT_LISTS)?;
    Ok(S3Response::new(PutObjectAclOutput::default()))
}

impl RequestedList<'_> {
    /// Whether the list of a new object is one that objects here have.
    ///
    /// # Errors
    ///
    /// `AccessControlListNotSupported` for a list that grants anything to others.
    pub(super) fn check_new_object(&self) -> Outcome<()> {
        match self.is_empty() {
            true => Ok(()),
            false => self.check_named(&OBJECT_LISTS),
        }
    }

    /// Whether the list of a new bucket is one that buckets here have.
    ///
    /// # Errors
    ///
    /// `InvalidBucketAclWithObjectOwnership` for a list that grants anything to others.
    pub(super) fn check_new_bucket(&self) -> Outcome<()> {
        if self.is_empty() {
            return Ok(());
        }
        match self.check_named(&BUCKET_LISTS) {
            Err(Fault::Refused(error))
                if *error.code() == S3ErrorCode::AccessControlListNotSupported =>
            {
                let code = S3ErrorCode::InvalidBucketAclWithObjectOwnership;
                let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
                Err(Fault::message(code, message))
            }
            checked => checked,
        }
    }

    fn is_empty(&self) -> bool {
        self.canned.is_none() && self.policy.is_none() && !self.has_grants()
    }

    fn has_grants(&self) -> bool {
        self.grants.iter().any(Option::is_some)
    }

    /// Whether the request names a list, which is one of `lists` or grants no more than they do.
    fn check_named(&self, lists: &[&str]) -> Outcome<()> {
        let refused = |code, message: &str| Err(Fault::message(code, message));
        match (self.canned, self.policy) {
            (Some(_), _) if self.has_grants() => refused(
                S3ErrorCode::InvalidRequest,
                "Specifying both Canned ACLs and Header Grants is not allowed",
            ),
            (canned, Some(_)) if canned.is_some() || self.has_grants() => refused(
                S3ErrorCode::UnexpectedContent,
                "This request does not support content",
            ),
            (Some(canned), _) if !lists.contains(&canned) => {
                Err(S3ErrorCode::InvalidArgument.into())
            }
            (Some("private" | "bucket-owner-full-control"), _) => Ok(()),
            (Some(_), _) => Err(unsupported()),
            (None, Some(policy)) => check_policy(policy),
            // A grant to the owner alone would name nobody else; AWS takes that in a body only.
            (None, None) if self.has_grants() => Err(unsupported()),
            (None, None) => refused(
                S3ErrorCode::MissingSecurityHeader,
                "Your request was missing a required header",
            ),
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

/// Lists of buckets that have a name.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>
const BUCKET_LISTS: [&str; 6] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "log-delivery-write",
    "bucket-owner-full-control",
];

/// Lists of objects that have a name.
const OBJECT_LISTS: [&str; 7] = [
    "private",
    "public-read",
    "public-read-write",
    "aws-exec-read",
    "authenticated-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];
