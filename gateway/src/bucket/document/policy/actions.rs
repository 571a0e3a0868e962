//! The actions that policies may name: what each is done on, and its condition keys.
//!
//! The table of operations says which actions a request needs; this one is for documents, which also name actions
//! that the gateway never needs. Keys are in lower case. One that ends in a slash stands for all keys with that
//! beginning.
//!
//! Sources: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3objectlambda.html>; for
//! annotations, <https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-managing.html>.

/// What an action is done on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bucket, or an access point in its place.
    Bucket,
    /// An object.
    Object,
    /// An access point, which is none of a bucket's resources.
    AccessPoint,
    /// Something that no policy of a bucket or access point is about: the account, a job.
    Elsewhere,
}

/// Actions of one kind that have the same condition keys.
pub(super) struct Group {
    /// What they are done on.
    pub(super) kind: Kind,
    /// Their condition keys besides those that all actions have.
    keys: &'static [&'static [&'static str]],
    /// Their names, without the service, between spaces.
    names: &'static str,
}

impl Group {
    const fn new(
        kind: Kind,
        keys: &'static [&'static [&'static str]],
        names: &'static str,
    ) -> Self {
        Self { kind, keys, names }
    }

    const fn bucket(keys: &'static [&'static [&'static str]], names: &'static str) -> Self {
        Self::new(Kind::Bucket, keys, names)
    }

    const fn object(keys: &'static [&'static [&'static str]], names: &'static str) -> Self {
        Self::new(Kind::Object, keys, names)
    }

    const fn access_point(names: &'static str) -> Self {
        Self::new(Kind::AccessPoint, &[], names)
    }

    const fn elsewhere(names: &'static str) -> Self {
        Self::new(Kind::Elsewhere, &[], names)
    }

    /// The names of the actions, without the service.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_ascii_whitespace()
    }

    /// Whether requests for these actions have the condition key, in lower case.
    pub(super) fn has_key(&self, key: &str) -> bool {
        COMMON_KEYS
            .iter()
            .chain(self.keys.iter().copied().flatten())
            .any(|known| is_meant(known, key))
    }
}

/// Whether an action of S3 has the condition key, in lower case.
pub(super) fn is_key(key: &str) -> bool {
    S3.iter().any(|group| group.has_key(key))
        || ELSEWHERE_KEYS.iter().any(|known| is_meant(known, key))
}

fn is_meant(known: &str, key: &str) -> bool {
    known == key || (known.ends_with('/') && key.starts_with(known))
}

/// The condition keys of all actions.
const COMMON_KEYS: &[&str] = &[
    "s3:accessgrantsinstancearn",
    "s3:accesspointnetworkorigin",
    "s3:accesspointtag/",
    "s3:authtype",
    "s3:buckettag/",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:resourceaccount",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:tlsversion",
    "s3:x-amz-content-sha256",
];

/// Condition keys of actions on nothing that has a policy of its own here.
const ELSEWHERE_KEYS: &[&str] = &[
    "s3:accessgrantscope",
    "s3:accessgrantslocationscope",
    "s3:existingjoboperation",
    "s3:existingjobpriority",
    "s3:jobsuspendedcause",
    "s3:requestjoboperation",
    "s3:requestjobpriority",
];

const ACL: &[&str] = &[
    "s3:x-amz-acl",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
];
const COPY: &[&str] = &["s3:x-amz-copy-source", "s3:x-amz-metadata-directive"];
const ENCRYPTION: &[&str] = &[
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];
const CUSTOMER_KEY: &[&str] = &["s3:x-amz-server-side-encryption-customer-algorithm"];
const EXISTING_TAG: &[&str] = &["s3:existingobjecttag/"];
const IF_MATCH: &[&str] = &["s3:if-match"];
const LEGAL_HOLD: &[&str] = &["s3:object-lock-legal-hold"];
const LIST: &[&str] = &["s3:delimiter", "s3:max-keys", "s3:prefix"];
const NEW_BUCKET: &[&str] = &[
    "s3:locationconstraint",
    "s3:x-amz-bucket-namespace",
    "s3:x-amz-object-ownership",
];
const REQUEST_TAG: &[&str] = &["s3:requestobjecttag/", "s3:requestobjecttagkeys"];
const RETENTION: &[&str] = &[
    "s3:object-lock-mode",
    "s3:object-lock-remaining-retention-days",
    "s3:object-lock-retain-until-date",
];
const STORAGE_CLASS: &[&str] = &["s3:x-amz-storage-class"];
const VERSION: &[&str] = &["s3:versionid"];
const WEBSITE: &[&str] = &["s3:x-amz-website-redirect-location"];
const WRITE: &[&str] = &["s3:if-none-match", "s3:objectcreationoperation"];

/// The actions of `s3`.
pub(super) const S3: &[Group] = &[
    Group::bucket(
        &[],
        "CreateBucketMetadataTableConfiguration DeleteBucket DeleteBucketMetadataTableConfiguration \
         DeleteBucketPolicy DeleteBucketWebsite GetAccelerateConfiguration GetAnalyticsConfiguration \
         GetBucketAbac GetBucketAcl GetBucketCORS GetBucketLocation GetBucketLogging \
         GetBucketMetadataTableConfiguration GetBucketNotification GetBucketObjectLockConfiguration \
         GetBucketOwnershipControls GetBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock \
         GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite \
         GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration \
         GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration \
         ListBucketMultipartUploads ListTagsForResource PutAccelerateConfiguration PutAnalyticsConfiguration \
         PutBucketAbac PutBucketCORS PutBucketLogging PutBucketNotification PutBucketObjectLockConfiguration \
         PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketRequestPayment \
         PutBucketTagging PutBucketVersioning PutBucketWebsite PutEncryptionConfiguration \
         PutIntelligentTieringConfiguration PutLifecycleConfiguration PutMetricsConfiguration TagResource \
         UntagResource UpdateBucketMetadataAnnotationTableConfiguration \
         UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration",
    ),
    Group::bucket(&[ACL, NEW_BUCKET], "CreateBucket"),
    Group::bucket(&[ACL], "PutBucketAcl"),
    Group::bucket(&[LIST], "ListBucket ListBucketVersions"),
    Group::bucket(&[&["s3:destinationregion"]], "PauseReplication"),
    Group::bucket(
        &[&["s3:inventoryaccessibleoptionalfields"]],
        "PutInventoryConfiguration",
    ),
    Group::bucket(
        &[&["s3:isreplicationpauserequest"]],
        "PutReplicationConfiguration",
    ),
    Group::object(
        &[],
        "AbortMultipartUpload GetObjectLegalHold GetObjectRetention GetObjectTorrent \
         GetObjectVersionAnnotationForReplication GetObjectVersionForReplication InitiateReplication \
         ListMultipartUploadParts ObjectOwnerOverrideToBucketOwner ReplicateDelete ReplicateObjectAnnotation \
         ReplicateTags RestoreObject",
    ),
    Group::object(
        &[EXISTING_TAG],
        "DeleteObjectAnnotation DeleteObjectTagging GetObject GetObjectAcl GetObjectAnnotation \
         GetObjectAttributes GetObjectTagging ListObjectAnnotations PutObjectAnnotation",
    ),
    Group::object(
        &[EXISTING_TAG, VERSION],
        "DeleteObjectVersionAnnotation DeleteObjectVersionTagging GetObjectVersion GetObjectVersionAcl \
         GetObjectVersionAnnotation GetObjectVersionAttributes GetObjectVersionTagging \
         ListObjectVersionAnnotations PutObjectVersionAnnotation",
    ),
    Group::object(&[EXISTING_TAG, REQUEST_TAG], "PutObjectTagging"),
    Group::object(
        &[EXISTING_TAG, REQUEST_TAG, VERSION],
        "PutObjectVersionTagging",
    ),
    Group::object(&[ACL, EXISTING_TAG, STORAGE_CLASS], "PutObjectAcl"),
    Group::object(
        &[ACL, EXISTING_TAG, STORAGE_CLASS, VERSION],
        "PutObjectVersionAcl",
    ),
    Group::object(&[IF_MATCH], "DeleteObject"),
    Group::object(&[VERSION], "DeleteObjectVersion GetObjectVersionTorrent"),
    Group::object(
        &[
            ACL,
            COPY,
            CUSTOMER_KEY,
            ENCRYPTION,
            IF_MATCH,
            LEGAL_HOLD,
            REQUEST_TAG,
            RETENTION,
            STORAGE_CLASS,
            WEBSITE,
            WRITE,
        ],
        "PutObject",
    ),
    Group::object(
        &[
            ACL,
            COPY,
            CUSTOMER_KEY,
            ENCRYPTION,
            REQUEST_TAG,
            STORAGE_CLASS,
            WEBSITE,
        ],
        "BypassGovernanceRetention",
    ),
    Group::object(&[LEGAL_HOLD], "PutObjectLegalHold"),
    Group::object(&[RETENTION], "PutObjectRetention"),
    Group::object(&[ENCRYPTION], "UpdateObjectEncryption"),
    Group::object(&[CUSTOMER_KEY, ENCRYPTION], "ReplicateObject"),
    Group::access_point(
        "CreateAccessPoint DeleteAccessPoint DeleteAccessPointPolicy GetAccessPoint GetAccessPointPolicy \
         GetAccessPointPolicyStatus PutAccessPointPolicy PutAccessPointPublicAccessBlock",
    ),
    Group::elsewhere(
        "AssociateAccessGrantsIdentityCenter CreateAccessGrant CreateAccessGrantsInstance \
         CreateAccessGrantsLocation CreateAccessPointForObjectLambda CreateJob CreateMultiRegionAccessPoint \
         CreateStorageLensGroup DeleteAccessGrant DeleteAccessGrantsInstance \
         DeleteAccessGrantsInstanceResourcePolicy DeleteAccessGrantsLocation DeleteAccessPointForObjectLambda \
         DeleteAccessPointPolicyForObjectLambda DeleteJobTagging DeleteMultiRegionAccessPoint \
         DeleteStorageLensConfiguration DeleteStorageLensConfigurationTagging DeleteStorageLensGroup \
         DescribeJob DescribeMultiRegionAccessPointOperation DissociateAccessGrantsIdentityCenter \
         GetAccessGrant GetAccessGrantsInstance GetAccessGrantsInstanceForPrefix \
         GetAccessGrantsInstanceResourcePolicy GetAccessGrantsLocation \
         GetAccessPointConfigurationForObjectLambda GetAccessPointForObjectLambda \
         GetAccessPointPolicyForObjectLambda GetAccessPointPolicyStatusForObjectLambda \
         GetAccountPublicAccessBlock GetDataAccess GetJobTagging GetMultiRegionAccessPoint \
         GetMultiRegionAccessPointPolicy GetMultiRegionAccessPointPolicyStatus \
         GetMultiRegionAccessPointRoutes GetStorageLensConfiguration GetStorageLensConfigurationTagging \
         GetStorageLensDashboard GetStorageLensGroup ListAccessGrants ListAccessGrantsInstances \
         ListAccessGrantsLocations ListAccessPoints ListAccessPointsForObjectLambda ListAllMyBuckets \
         ListCallerAccessGrants ListJobs ListMultiRegionAccessPoints ListStorageLensConfigurations \
         ListStorageLensGroups PutAccessGrantsInstanceResourcePolicy \
         PutAccessPointConfigurationForObjectLambda PutAccessPointPolicyForObjectLambda \
         PutAccountPublicAccessBlock PutJobTagging PutMultiRegionAccessPointPolicy \
         PutStorageLensConfiguration PutStorageLensConfigurationTagging SubmitMultiRegionAccessPointRoutes \
         UpdateAccessGrantsLocation UpdateJobPriority UpdateJobStatus UpdateStorageLensGroup",
    ),
];

/// The actions of `s3-object-lambda`, all of them on access points.
pub(super) const OBJECT_LAMBDA: &[Group] = &[Group::access_point(
    "AbortMultipartUpload DeleteObject DeleteObjectTagging DeleteObjectVersion DeleteObjectVersionTagging \
         GetObject GetObjectAcl GetObjectLegalHold GetObjectRetention GetObjectTagging GetObjectVersion \
         GetObjectVersionAcl GetObjectVersionTagging ListBucket ListBucketMultipartUploads ListBucketVersions \
         ListMultipartUploadParts PutObject PutObjectAcl PutObjectLegalHold PutObjectRetention \
         PutObjectTagging PutObjectVersionAcl PutObjectVersionTagging RestoreObject WriteGetObjectResponse",
)];
