//! The actions of the policy language that an operation needs, and when it needs them.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

/// An action that a request must be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// Its name in the policy language: `s3:GetObject`.
    pub name: &'static str,
    /// Its name where the request names a version of the object, if that is another.
    pub of_version: Option<&'static str>,
    /// What it is done on.
    pub resource: Resource,
    /// When a request needs it.
    pub needed: Needed,
    /// Whether policies may look at the tags that the object has (`s3:ExistingObjectTag`).
    pub sees_tags: bool,
}

/// What an action is done on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The bucket that the request names.
    Bucket,
    /// The object that the request names.
    Object,
    /// The object that a copy is made from.
    Source,
    /// The bucket of that object.
    SourceBucket,
    /// The access point that a request to S3 Control names.
    AccessPoint,
    /// The account; nothing in it.
    Account,
}

impl Resource {
    /// Whether it is the source of a copy, or its bucket.
    pub const fn is_of_source(self) -> bool {
        matches!(self, Self::Source | Self::SourceBucket)
    }
}

/// When a request needs an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Always.
    Always,
    /// With this header.
    Header(&'static str),
    /// With this header, unless its value is `false`.
    Switch(&'static str),
    /// With a header that sets an access control list.
    Acl,
    /// If a copy takes the tags of its source along, and that has any.
    SourceTags,
    /// For this header of the answer, which is left out where the action is not allowed.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
    Answer(&'static str),
    /// For the answer that there is no such object: without it the answer is `AccessDenied`.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    Absence,
    /// With a condition that names the ETag of the object that is replaced or deleted: the answer shows whether
    /// that is its ETag. One that an object is there, `*`, does not.
    ///
    /// Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>
    Match,
    /// As [`Needed::Absence`], for the object that a condition of a write or a deletion is about.
    MatchedAbsence,
}

impl Action {
    /// The name of the action on the current object, or on a version of it.
    pub const fn name(&self, versioned: bool) -> &'static str {
        match self.of_version {
            Some(name) if versioned => name,
            _ => self.name,
        }
    }

    const fn new(name: &'static str, resource: Resource) -> Self {
        Self {
            name,
            of_version: None,
            resource,
            needed: Needed::Always,
            sees_tags: false,
        }
    }

    const fn of_version(mut self, name: &'static str) -> Self {
        self.of_version = Some(name);
        self
    }

    const fn needed(mut self, needed: Needed) -> Self {
        self.needed = needed;
        self
    }

    const fn on_source(mut self) -> Self {
        self.resource = Resource::Source;
        self
    }

    const fn sees_tags(mut self) -> Self {
        self.sees_tags = true;
        self
    }
}

/// An action on the bucket.
pub(super) const fn bucket(name: &'static str) -> Action {
    Action::new(name, Resource::Bucket)
}

/// An action on the object.
pub(super) const fn object(name: &'static str) -> Action {
    Action::new(name, Resource::Object)
}

/// An action on the access point.
pub(super) const fn access_point(name: &'static str) -> Action {
    Action::new(name, Resource::AccessPoint)
}

/// An action on nothing but the account.
pub(super) const fn account(name: &'static str) -> Action {
    Action::new(name, Resource::Account)
}

/// An action on the object whose tags policies may look at; `of_version` on a version of it.
const fn tagged(name: &'static str, of_version: &'static str) -> Action {
    object(name).of_version(of_version).sees_tags()
}

const GET_OBJECT: Action = tagged("s3:GetObject", "s3:GetObjectVersion");
const SEE_ABSENCE: Action = bucket("s3:ListBucket").needed(Needed::Absence);
const MATCH: Action = GET_OBJECT.needed(Needed::Match);
const SEE_MATCHED_ABSENCE: Action = bucket("s3:ListBucket").needed(Needed::MatchedAbsence);
const SEE_ABSENCE_OF_SOURCE: Action =
    Action::new("s3:ListBucket", Resource::SourceBucket).needed(Needed::Absence);
const GET_TAGGING: Action = tagged("s3:GetObjectTagging", "s3:GetObjectVersionTagging");
const GET_LEGAL_HOLD: Action = object("s3:GetObjectLegalHold");
const GET_RETENTION: Action = object("s3:GetObjectRetention");
const PUT_OBJECT: Action = object("s3:PutObject");
const PUT_ACL: Action = tagged("s3:PutObjectAcl", "s3:PutObjectVersionAcl");
const PUT_LEGAL_HOLD: Action = object("s3:PutObjectLegalHold");
const PUT_RETENTION: Action = object("s3:PutObjectRetention");
const PUT_TAGGING: Action = tagged("s3:PutObjectTagging", "s3:PutObjectVersionTagging");
const BYPASS: Action = object("s3:BypassGovernanceRetention")
    .needed(Needed::Switch("x-amz-bypass-governance-retention"));

/// What a new object may come with.
const WITH_ACL: Action = object("s3:PutObjectAcl").needed(Needed::Acl);
const WITH_LEGAL_HOLD: Action =
    PUT_LEGAL_HOLD.needed(Needed::Header("x-amz-object-lock-legal-hold"));
const WITH_LOCK_MODE: Action = PUT_RETENTION.needed(Needed::Header("x-amz-object-lock-mode"));
const WITH_LOCK_DATE: Action =
    PUT_RETENTION.needed(Needed::Header("x-amz-object-lock-retain-until-date"));
const WITH_TAGS: Action = object("s3:PutObjectTagging").needed(Needed::Header("x-amz-tagging"));

/// Creating a bucket, and what it may come with.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
pub(super) const CREATE_BUCKET: &[Action] = &[
    bucket("s3:CreateBucket"),
    bucket("s3:PutBucketAcl").needed(Needed::Acl),
    bucket("s3:PutBucketObjectLockConfiguration").needed(WITH_LOCK),
    bucket("s3:PutBucketVersioning").needed(WITH_LOCK),
    bucket("s3:PutBucketOwnershipControls").needed(Needed::Header("x-amz-object-ownership")),
];
const WITH_LOCK: Needed = Needed::Switch("x-amz-bucket-object-lock-enabled");

/// Reading an object, and what is noted about it.
pub(super) const READ: &[Action] = &[
    GET_OBJECT,
    GET_TAGGING.needed(Needed::Answer("x-amz-tagging-count")),
    GET_LEGAL_HOLD.needed(Needed::Answer("x-amz-object-lock-legal-hold")),
    GET_RETENTION.needed(Needed::Answer("x-amz-object-lock-mode")),
    GET_RETENTION.needed(Needed::Answer("x-amz-object-lock-retain-until-date")),
    SEE_ABSENCE,
];

/// Writing an object.
pub(super) const WRITE: &[Action] = &[
    PUT_OBJECT,
    WITH_ACL,
    WITH_LEGAL_HOLD,
    WITH_LOCK_MODE,
    WITH_LOCK_DATE,
    WITH_TAGS,
    MATCH,
    SEE_MATCHED_ABSENCE,
];

/// Beginning an upload, which takes no conditions.
pub(super) const BEGIN: &[Action] = &[
    PUT_OBJECT,
    WITH_ACL,
    WITH_LEGAL_HOLD,
    WITH_LOCK_MODE,
    WITH_LOCK_DATE,
    WITH_TAGS,
];

/// Writing an object that is a copy of another.
pub(super) const COPY: &[Action] = &[
    PUT_OBJECT,
    WITH_ACL,
    WITH_LEGAL_HOLD,
    WITH_LOCK_MODE,
    WITH_LOCK_DATE,
    WITH_TAGS,
    GET_OBJECT.on_source(),
    GET_TAGGING.on_source().needed(Needed::SourceTags),
    object("s3:PutObjectTagging").needed(Needed::SourceTags),
    SEE_ABSENCE_OF_SOURCE,
    MATCH,
    SEE_MATCHED_ABSENCE,
];

/// Writing a part of an upload.
pub(super) const WRITE_PART: &[Action] = &[PUT_OBJECT];

/// Completing an upload.
pub(super) const COMPLETE: &[Action] = &[PUT_OBJECT, MATCH, SEE_MATCHED_ABSENCE];

/// Writing a part that is a copy of an object.
pub(super) const COPY_PART: &[Action] =
    &[PUT_OBJECT, GET_OBJECT.on_source(), SEE_ABSENCE_OF_SOURCE];

/// Deleting an object; of DeleteObjects, each of them.
pub(super) const DELETE: &[Action] = &[
    object("s3:DeleteObject").of_version("s3:DeleteObjectVersion"),
    BYPASS,
    MATCH,
    SEE_MATCHED_ABSENCE,
];

pub(super) const ATTRIBUTES: &[Action] = &[
    GET_OBJECT,
    tagged("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
    SEE_ABSENCE,
];
pub(super) const ACL_READ: &[Action] = &[tagged("s3:GetObjectAcl", "s3:GetObjectVersionAcl")];
pub(super) const ACL_WRITE: &[Action] = &[PUT_ACL];
pub(super) const LEGAL_HOLD_READ: &[Action] = &[GET_LEGAL_HOLD];
pub(super) const LEGAL_HOLD_WRITE: &[Action] = &[PUT_LEGAL_HOLD];
pub(super) const RETENTION_READ: &[Action] = &[GET_RETENTION];
pub(super) const RETENTION_WRITE: &[Action] = &[PUT_RETENTION, BYPASS];
pub(super) const TAGGING_READ: &[Action] = &[GET_TAGGING];
pub(super) const TAGGING_WRITE: &[Action] = &[PUT_TAGGING];
pub(super) const TAGGING_DELETE: &[Action] = &[tagged(
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
)];

/// Operations that are not done need none.
pub(super) const NO_ACTION: &[Action] = &[];
