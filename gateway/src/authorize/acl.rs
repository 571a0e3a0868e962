//! Access control lists: what they permit, and which ones requests may set.
//!
//! A list permits as a policy of the resource does: an explicit denial of any policy outweighs it, and a user of another
//! account needs its own policies beside it. Lists count only where the bucket's ownership controls let them
//! ([`crate::bucket::ownership`]); elsewhere nothing is read.
//!
//! | permission | on a bucket | on an object |
//! |---|---|---|
//! | `READ` | `s3:ListBucket`, `s3:ListBucketVersions`, `s3:ListBucketMultipartUploads` | `s3:GetObject`, `s3:GetObjectVersion` |
//! | `WRITE` | `s3:PutObject`, with the list of the new object; `s3:DeleteObject` of the caller's own objects | |
//! | `READ_ACP` | `s3:GetBucketAcl` | `s3:GetObjectAcl`, `s3:GetObjectVersionAcl` |
//! | `WRITE_ACP` | `s3:PutBucketAcl` | `s3:PutObjectAcl`, `s3:PutObjectVersionAcl` |
//! | `FULL_CONTROL` | all of these | all of these |
//!
//! An object that another account owns is that account's to read, and to let others read: the policy of the bucket can
//! deny it, and not allow it.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#acl-access-policy-permission-mapping>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-overview.html>

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use proto::policy::Decision;
use proto::policy::Verdict;

use crate::bucket::acl::BucketAcl;
use crate::error::S3Error;
use crate::protocol::acl;
use crate::protocol::acl::Acl;
use crate::protocol::acl::Permission;
use crate::protocol::acl::RequestedAcl;
use crate::protocol::acl::canonical_user_id;
use crate::records::object_acls::NewObjectAcl;
use crate::request::Caller;

/// The access control lists that one request in a bucket is judged by.
#[derive(Debug)]
pub(super) struct AclAccess {
    /// The bucket's.
    pub(super) bucket: Arc<BucketAcl>,
    /// The canonical user id of the caller's account; none of the anonymous caller.
    caller: Option<String>,
    /// Whether grants to everyone count as not there.
    ignores_public: bool,
    /// The object's, once it is read.
    pub(super) object: ObjectList,
    /// Whether a list permitted something.
    permitted: AtomicBool,
}

/// The list of the object that a request is about.
#[derive(Debug)]
pub(super) enum ObjectList {
    /// It was not looked at, or does not matter.
    Unread,
    /// There is no such object.
    Absent,
    /// This.
    Of(Acl),
}

/// What an action is mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// A permission on the bucket.
    Bucket(Permission),
    /// A permission on the object.
    Object(Permission),
    /// Only the owner of the object may.
    ObjectOwner,
    /// The owner of the object may, who may write into the bucket.
    OwnDeletion,
    /// Whoever created the upload may.
    Initiator,
}

impl AclAccess {
    /// The lists of a bucket whose lists count.
    pub(super) fn new(bucket: Arc<BucketAcl>, caller: &Caller, ignores_public: bool) -> Self {
        Self {
            bucket,
            caller: canonical_caller(caller),
            ignores_public,
            object: ObjectList::Unread,
            permitted: AtomicBool::new(false),
        }
    }

    /// Whether a list permitted what no policy does.
    pub(super) fn has_permitted(&self) -> bool {
        self.permitted.load(Ordering::Relaxed)
    }

    /// What policies and lists of the resource decide together, and the account whose users need no more: `owner`,
    /// who has the bucket, unless another account has the object. `own` is the caller's account.
    pub(super) fn judge<'a>(
        &self,
        verdict: Verdict<'a>,
        action: &str,
        is_of_new_object: bool,
        (owner, own): (&'a str, Option<&'a str>),
    ) -> (Verdict<'a>, &'a str) {
        let Some(mapped) = mapped(action, is_of_new_object) else {
            return (verdict, owner);
        };
        let object_owner = self.other_owner().filter(|_| mapped.is_of_object_owner());
        let (mut verdict, owner) = match object_owner {
            None => (verdict, owner),
            Some(object_owner) => {
                let verdict = match verdict.decision {
                    Decision::Allow => Verdict::NONE,
                    Decision::Deny | Decision::NoMatch => verdict,
                };
                let is_own = self.caller.as_deref() == Some(object_owner);
                (verdict, own.filter(|_| is_own).unwrap_or(NO_ACCOUNT))
            }
        };
        if verdict.decision == Decision::NoMatch && self.permits(mapped) {
            // Users of the bucket owner's account need no list: their own policies decide.
            let is_foreign = self.caller.as_deref() != Some(self.bucket.owner());
            self.permitted.fetch_or(is_foreign, Ordering::Relaxed);
            verdict = Verdict {
                decision: Decision::Allow,
                ..Verdict::NONE
            };
        }
        (verdict, owner)
    }

    /// The owner of the object, where that is not the bucket's.
    fn other_owner(&self) -> Option<&str> {
        match &self.object {
            ObjectList::Of(acl) if acl.owner != self.bucket.owner() => Some(&acl.owner),
            ObjectList::Of(_) | ObjectList::Absent | ObjectList::Unread => None,
        }
    }

    /// Whether the bucket's list lets the caller write.
    pub(super) fn permits_writing(&self) -> bool {
        self.permits(Mapped::Bucket(Permission::Write))
    }

    fn permits(&self, mapped: Mapped) -> bool {
        let caller = self.caller.as_deref();
        let by = |acl: &Acl, permission| acl.permits(caller, permission, self.ignores_public);
        match (mapped, &self.object) {
            (Mapped::Bucket(permission), _) => by(self.bucket.acl(), permission),
            // Whoever may list the bucket sees that there is no such object.
            (Mapped::Object(_), ObjectList::Absent) => by(self.bucket.acl(), Permission::Read),
            (Mapped::Object(permission), ObjectList::Of(acl)) => by(acl, permission),
            (Mapped::OwnDeletion, ObjectList::Of(acl)) => {
                acl.owner == caller.unwrap_or(acl::ANONYMOUS) && self.permits_writing()
            }
            (Mapped::OwnDeletion, ObjectList::Absent) => self.permits_writing(),
            (Mapped::Initiator, ObjectList::Of(acl)) => Some(acl.owner.as_str()) == caller,
            (Mapped::ObjectOwner, _) | (_, ObjectList::Unread | ObjectList::Absent) => false,
        }
    }
}

impl Mapped {
    const fn is_of_object_owner(self) -> bool {
        matches!(self, Self::Object(_) | Self::ObjectOwner)
    }
}

/// The permission that an action is mapped to.
pub(super) fn mapped(action: &str, is_of_new_object: bool) -> Option<Mapped> {
    Some(match action {
        "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads" => {
            Mapped::Bucket(Permission::Read)
        }
        "s3:PutObject" => Mapped::Bucket(Permission::Write),
        "s3:PutObjectAcl" if is_of_new_object => Mapped::Bucket(Permission::Write),
        "s3:GetBucketAcl" => Mapped::Bucket(Permission::ReadAcp),
        "s3:PutBucketAcl" => Mapped::Bucket(Permission::WriteAcp),
        "s3:GetObject" | "s3:GetObjectVersion" => Mapped::Object(Permission::Read),
        "s3:GetObjectAcl" | "s3:GetObjectVersionAcl" => Mapped::Object(Permission::ReadAcp),
        "s3:PutObjectAcl" | "s3:PutObjectVersionAcl" => Mapped::Object(Permission::WriteAcp),
        "s3:GetObjectAttributes" | "s3:GetObjectVersionAttributes" => Mapped::ObjectOwner,
        "s3:DeleteObject" => Mapped::OwnDeletion,
        "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts" => Mapped::Initiator,
        _ => return None,
    })
}

/// What an operation does with access control lists, after it was permitted.
#[derive(Debug)]
pub struct AclTerms {
    pub(super) bucket: Arc<BucketAcl>,
    pub(super) caller: Option<String>,
    pub(super) requested: RequestedAcl,
}

impl AclTerms {
    /// What of the bucket decides about lists.
    #[must_use]
    pub fn bucket(&self) -> &BucketAcl {
        &self.bucket
    }

    /// The list that the request names.
    #[must_use]
    pub fn requested(&self) -> &RequestedAcl {
        &self.requested
    }

    /// The list of the object that the request writes, if it needs one ([`BucketAcl::of_new_object`]).
    ///
    /// # Errors
    ///
    /// As [`RequestedAcl::resolve`].
    pub fn of_new_object(&self) -> Result<Option<NewObjectAcl>, S3Error> {
        let caller = self.caller.as_deref();
        let acl = self.bucket.of_new_object(caller, &self.requested)?;
        let incarnation = self.bucket.incarnation.as_ref();
        Ok(acl.zip(incarnation).map(|(acl, incarnation)| NewObjectAcl {
            incarnation: incarnation.as_str().to_owned(),
            acl,
        }))
    }
}

/// The canonical user id of the account of a caller; none of the anonymous one.
pub(super) fn canonical_caller(caller: &Caller) -> Option<String> {
    let account = caller.account();
    account.map(|account| canonical_user_id(account.as_str()))
}

/// No caller's account.
const NO_ACCOUNT: &str = "";
